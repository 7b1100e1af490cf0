//! What goes over the socket: one line of JSON each way.

use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, BufReader};
use volley_api::{Error, ErrorKind, Result};
use volley_runtime::NodeProgress;

/// The version of the protocol. Requests of another are refused; answers may get further fields within one.
pub(super) const VERSION: u32 = 1;
/// The longest request, in bytes, its line end included.
pub(super) const REQUEST_BYTES_MAX: u64 = 4 << 10;
/// The longest answer: some thousands of nodes.
pub(super) const ANSWER_BYTES_MAX: u64 = 4 << 20;

/// What may be asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "command", rename_all = "snake_case")]
pub(super) enum Command {
    /// How far the job is.
    Status,
    /// To end it.
    Stop {
        /// Whether what was read is processed and committed.
        drain: bool,
    },
}

#[derive(Serialize, Deserialize)]
struct Request {
    version: u32,
    #[serde(flatten)]
    command: Command,
}

/// What is answered.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Answer {
    Status(JobStatus),
    /// The job was asked to end, in this way.
    Stopping {
        drain: bool,
    },
    /// Why not.
    Refused(String),
}

#[derive(Serialize, Deserialize)]
struct Answered {
    version: u32,
    #[serde(flatten)]
    answer: Answer,
}

/// How far a job is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct JobStatus {
    /// Its name.
    pub(crate) job: String,
    /// What it is at.
    pub(crate) phase: Phase,
    /// How often it was started: more than once where it was restarted after failures.
    pub(crate) starts: u32,
    /// Since the host began with it.
    pub(crate) elapsed_ms: u64,
    /// The host's clock, against which watermarks lag.
    pub(crate) now_ms: i64,
    /// Its nodes in stream order; none before its first start.
    pub(crate) nodes: Vec<NodeProgress>,
}

/// What a job is at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Phase {
    /// Its parts are opened.
    Starting,
    /// Rows move.
    Running,
    /// Sources are read no further; what was read is processed and committed.
    Draining,
    /// What was not committed is thrown away.
    BreakingOff,
    /// It failed, and waits for its next start.
    Waiting,
}

impl Phase {
    /// The phase in the words of the table.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Starting => "starting",
            Self::Running => "running",
            Self::Draining => "draining",
            Self::BreakingOff => "breaking off",
            Self::Waiting => "waiting for its next start",
        }
    }
}

/// A request as a line.
pub(super) fn request_line(command: Command) -> Result<String> {
    line(&Request { version: VERSION, command })
}

/// The request of a line, or what is wrong with it, in words for whoever asked.
pub(super) fn parse_request(text: &str) -> std::result::Result<Command, String> {
    #[derive(Deserialize)]
    struct Version {
        version: u32,
    }
    let Version { version } = serde_json::from_str(text).map_err(|error| format!("no request: {error}"))?;
    if version != VERSION {
        return Err(format!("this host speaks version {VERSION} of the control protocol, and was asked in {version}"));
    }
    let request: Request = serde_json::from_str(text).map_err(|error| format!("no request: {error}"))?;
    Ok(request.command)
}

/// An answer as a line; one that would be too long is replaced by a refusal.
pub(super) fn answer_line(answer: Answer) -> Result<String> {
    let text = line(&Answered { version: VERSION, answer })?;
    if text.len() as u64 <= ANSWER_BYTES_MAX {
        return Ok(text);
    }
    let bytes = text.len();
    let refusal = Answer::Refused(format!("the answer has {bytes} bytes, and the limit is {ANSWER_BYTES_MAX}"));
    line(&Answered { version: VERSION, answer: refusal })
}

/// The answer of a line.
pub(super) fn parse_answer(text: &str) -> Result<Answer> {
    let answered: Answered = serde_json::from_str(text)
        .map_err(|error| Error::external(format!("the job answers what this volley-host does not know: {error}")))?;
    Ok(answered.answer)
}

fn line(value: &impl Serialize) -> Result<String> {
    let text = serde_json::to_string(value).map_err(|error| Error::internal("no JSON").caused_by(error))?;
    Ok(text + "\n")
}

/// Reads one line of at most so many bytes.
pub(super) async fn read_line(from: impl AsyncRead + Unpin, bytes_max: u64) -> Result<String> {
    let mut bytes = Vec::new();
    let lost = |error| Error::external("the connection broke").caused_by(error);
    BufReader::new(from.take(bytes_max)).read_until(b'\n', &mut bytes).await.map_err(lost)?;
    if bytes.last() != Some(&b'\n') {
        let message = if bytes.len() as u64 == bytes_max {
            format!("a line of more than {bytes_max} bytes")
        } else {
            "the connection ended before a whole line had come".to_owned()
        };
        return Err(Error::new(ErrorKind::External, message));
    }
    String::from_utf8(bytes).map_err(|error| Error::external("no text").caused_by(error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lines_of_version_1() {
        assert_eq!(request_line(Command::Status).expect("JSON"), "{\"version\":1,\"command\":\"status\"}\n");
        let stop = "{\"version\":1,\"command\":\"stop\",\"drain\":true}\n";
        assert_eq!(request_line(Command::Stop { drain: true }).expect("JSON"), stop);
        assert_eq!(parse_request(stop), Ok(Command::Stop { drain: true }));
        let answer = Answer::Stopping { drain: false };
        let text = answer_line(answer.clone()).expect("JSON");
        assert_eq!(text, "{\"version\":1,\"stopping\":{\"drain\":false}}\n");
        assert_eq!(parse_answer(&text).expect("an answer"), answer);
        let status = JobStatus {
            job: "j".to_owned(),
            phase: Phase::BreakingOff,
            starts: 1,
            elapsed_ms: 2,
            now_ms: 3,
            nodes: crate::table::tests::timed().nodes,
        };
        let text = answer_line(Answer::Status(status.clone())).expect("JSON");
        assert_eq!(parse_answer(&text).expect("an answer"), Answer::Status(status));
    }

    #[test]
    fn what_is_no_request_is_refused_in_words() {
        for (text, words) in [
            ("", "no request"),
            ("[]", "no request"),
            ("{\"command\":\"status\"}", "version"),
            ("{\"version\":2,\"command\":\"status\"}", "version 1"),
            ("{\"version\":1,\"command\":\"swap\"}", "swap"),
            ("{\"version\":1,\"command\":\"stop\"}", "drain"),
        ] {
            let refused = parse_request(text).expect_err(text);
            assert!(refused.contains(words), "{text}: {refused}");
        }
    }

    #[test]
    fn an_answer_that_is_too_long_is_a_refusal() {
        let long = Answer::Refused("x".repeat(usize::try_from(ANSWER_BYTES_MAX).expect("64 bits")));
        let text = answer_line(long).expect("JSON");
        assert!(text.len() < 200 && text.contains("the limit is 4194304"), "{text}");
    }

    #[tokio::test]
    async fn lines_are_bounded() {
        assert_eq!(read_line(&b"ab\ncd\n"[..], 10).await.expect("a line"), "ab\n");
        for (bytes, words) in [(&b"abc\n"[..], "more than 3 bytes"), (b"ab", "before a whole line")] {
            let refused = read_line(bytes, 3).await.expect_err("no line");
            assert!(refused.report().contains(words), "{}", refused.report());
        }
    }
}
