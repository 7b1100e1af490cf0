//! The token of a committable: whose it is, and which staged files become which final ones.

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use volley_api::{Committable, Epoch, SinkContext};

use crate::Error;

/// The version of the encoding: JSON text. Version 1 did not say whose token it was.
const VERSION: u32 = 2;

/// What one writer prepared in one epoch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Token {
    v: u32,
    job: String,
    incarnation: u64,
    sink: String,
    subtask: u32,
    epoch: u64,
    /// The files, in the order of their rows.
    pub(crate) files: Vec<PreparedFile>,
}

/// One file that is staged, whole and durable. Names are relative to the sink's folder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PreparedFile {
    /// Its name before the commit.
    pub(crate) staged: String,
    /// Its name after it.
    pub(crate) name: String,
    /// Its length in bytes.
    pub(crate) length: u64,
    /// CRC-32 of its contents.
    pub(crate) crc32: u32,
}

/// What every version of the encoding has.
#[derive(Deserialize)]
struct Versioned {
    v: u32,
}

impl Token {
    pub(crate) fn new(context: &SinkContext, epoch: Epoch, files: Vec<PreparedFile>) -> Self {
        let (job, incarnation) = (context.run.job.to_string(), context.run.incarnation);
        let (sink, subtask) = (context.node.to_string(), context.subtask.index);
        Self { v: VERSION, job, incarnation, sink, subtask, epoch: epoch.0, files }
    }

    pub(crate) fn encode(&self) -> Bytes {
        serde_json::to_vec(self).expect("names and numbers are always written").into()
    }

    /// The token of a committable.
    ///
    /// # Errors
    /// When it is not one, is one of another version, or one of another committable.
    pub(crate) fn decode(committable: &Committable) -> Result<Self, Error> {
        let fail = |detail: String| Error::Foreign { what: "a committable", detail };
        let bytes = &committable.token[..];
        // The version comes first: another one has other fields.
        let versioned: Versioned = serde_json::from_slice(bytes).map_err(|error| fail(error.to_string()))?;
        if versioned.v != VERSION {
            return Err(Error::Version { found: versioned.v, expected: VERSION });
        }
        let token: Self = serde_json::from_slice(bytes).map_err(|error| fail(error.to_string()))?;
        let is_same = token.job == *committable.run.job
            && token.incarnation == committable.run.incarnation
            && token.sink == committable.sink.as_str()
            && token.subtask == committable.subtask
            && token.epoch == committable.epoch.0;
        if !is_same {
            let (run, sink, subtask) = (&committable.run, &committable.sink, committable.subtask);
            let asked = whose(&run.job, run.incarnation, sink.as_str(), subtask, committable.epoch.0);
            let found = whose(&token.job, token.incarnation, &token.sink, token.subtask, token.epoch);
            return Err(fail(format!("its token is that of {found}, and it stands for {asked}")));
        }
        // A token comes from storage: it must not reach outside the sink's folder.
        let is_plain = |name: &String| !name.is_empty() && !name.contains(['/', '\\', '\0']) && name != "..";
        let stranger = token.files.iter().flat_map(|file| [&file.staged, &file.name]).find(|name| !is_plain(name));
        if let Some(name) = stranger {
            return Err(fail(format!("`{name}` is not the name of a file")));
        }
        Ok(token)
    }
}

/// Whose a token is, for messages.
fn whose(job: &str, incarnation: u64, sink: &str, subtask: u32, epoch: u64) -> String {
    format!("job `{job}`, incarnation {incarnation}, sink `{sink}`, subtask {subtask}, epoch {epoch}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::datatypes::Schema;
    use std::sync::Arc;
    use volley_api::{JobRun, NodeName, SubtaskId, SystemClock};

    fn context() -> SinkContext {
        let node = NodeName::new("out").expect("a name");
        let single = SinkContext::single(node, Arc::new(Schema::empty()), Arc::new(SystemClock));
        let run = JobRun { job: "flights".into(), incarnation: 3 };
        SinkContext { run, subtask: SubtaskId { index: 1, parallelism: 2 }, ..single }
    }

    fn decode(token: Bytes) -> Result<Token, String> {
        Token::decode(&context().committable(Epoch(17), token)).map_err(|error| error.to_string())
    }

    #[test]
    fn tokens_survive_and_strangers_are_refused() {
        let file = |name: &str| PreparedFile { staged: ".a".into(), name: name.into(), length: 3, crc32: 9 };
        let of = |files| Token::new(&context(), Epoch(17), files);
        let token = of(vec![file("a.csv")]);
        assert_eq!(decode(token.encode()).expect("own"), token);
        let text = concat!(
            r#"{"v":2,"job":"flights","incarnation":3,"sink":"out","subtask":1,"epoch":17,"#,
            r#""files":[{"staged":".a","name":"a.csv","length":3,"crc32":9}]}"#
        );
        assert_eq!(&token.encode()[..], text.as_bytes(), "manifests hold this form");
        for name in ["../a.csv", "..", "a\\b", ""] {
            assert!(decode(of(vec![file(name)]).encode()).expect_err("outside").contains("is not the name of a file"));
        }
        assert!(decode(Bytes::new()).is_err());
        let error = decode(Bytes::from_static(br#"{"v":1,"files":[]}"#)).expect_err("an old one");
        assert_eq!(
            error,
            "a token of the file connector has version 1, and this build reads version 2: let the build that made it finish \
             the job, or begin anew with --fresh"
        );
    }

    #[test]
    fn a_token_stands_for_its_own_committable() {
        let own = context().committable(Epoch(17), Token::new(&context(), Epoch(17), Vec::new()).encode());
        Token::decode(&own).expect("own");
        let run = |job: &str, incarnation| JobRun { job: job.into(), incarnation };
        for (other, part) in [
            (Committable { run: run("trains", 3), ..own.clone() }, "job `trains`"),
            (Committable { run: run("flights", 4), ..own.clone() }, "incarnation 4"),
            (Committable { sink: NodeName::new("late").expect("a name"), ..own.clone() }, "sink `late`"),
            (Committable { subtask: 0, ..own.clone() }, "subtask 0"),
            (Committable { epoch: Epoch(18), ..own.clone() }, "epoch 18"),
        ] {
            let error = Token::decode(&other).expect_err(part).to_string();
            let (found, asked) = error.split_once(", and it stands for ").expect("both");
            assert!(found.ends_with("job `flights`, incarnation 3, sink `out`, subtask 1, epoch 17"), "{error}");
            assert!(asked.contains(part), "{error}");
        }
    }
}
