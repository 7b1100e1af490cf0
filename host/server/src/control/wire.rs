//! What goes over the socket: one line of JSON each way.

use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, BufReader};
use volley_api::{Error, ErrorKind, Result};
use volley_checkpoint::coordinator::{CheckpointProgress, SavepointReport};
use volley_runtime::NodeProgress;

/// The version of the protocol. Requests of later ones are refused; answers may get further fields within one. A request is
/// made in the version that its command came with, so that hosts of earlier ones answer what they know.
pub(super) const VERSION: u32 = 2;
/// The longest request, in bytes, its line end included.
pub(super) const REQUEST_BYTES_MAX: u64 = 4 << 10;
/// The longest answer: some thousands of nodes.
pub(super) const ANSWER_BYTES_MAX: u64 = 4 << 20;

/// What may be asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "command", rename_all = "snake_case")]
pub(super) enum Command {
    /// How far the job is.
    Status,
    /// To end it.
    Stop {
        /// Whether what was read is processed and committed.
        drain: bool,
    },
    /// To take a savepoint. Since version 2.
    Savepoint {
        /// An absolute path, or a URL.
        target: String,
    },
}

impl Command {
    /// The version that it came with.
    fn since(&self) -> u32 {
        match self {
            Self::Status | Self::Stop { .. } => 1,
            Self::Savepoint { .. } => 2,
        }
    }
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
        /// Whether one last checkpoint is taken, from which it can go on.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        checkpoint: bool,
    },
    /// A savepoint was written.
    Savepoint(SavepointStatus),
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
    /// Its checkpoints since its last start, where it takes any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) checkpoints: Option<CheckpointStatus>,
}

/// How the checkpoints of a job have gone since its last start.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct CheckpointStatus {
    /// How many became complete.
    pub(crate) completed: u64,
    /// How many were given up.
    pub(crate) abandoned: u64,
    /// How many complete ones wait for their output to be committed.
    pub(crate) waiting_commits: u64,
    /// The last that became complete.
    pub(crate) last: Option<LastCheckpoint>,
    /// Why the last that was given up was.
    pub(crate) last_failure: Option<String>,
}

/// A checkpoint that became complete.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct LastCheckpoint {
    /// Its number.
    pub(crate) epoch: u64,
    /// How long ago.
    pub(crate) age_ms: u64,
    /// How long it took.
    pub(crate) took_ms: u64,
    /// How many bytes were stored for it.
    pub(crate) new_bytes: u64,
    /// How many bytes of it were there before.
    pub(crate) shared_bytes: u64,
}

impl CheckpointStatus {
    /// As it stands at a moment.
    pub(super) fn of(progress: CheckpointProgress, now: Instant) -> Self {
        let ms = |span: Duration| u64::try_from(span.as_millis()).unwrap_or(u64::MAX);
        let CheckpointProgress { completed, abandoned, waiting, last, last_failure } = progress;
        let last = last.map(|last| LastCheckpoint {
            epoch: last.epoch.0,
            age_ms: ms(now.saturating_duration_since(last.at)),
            took_ms: ms(last.took),
            new_bytes: last.new_bytes,
            shared_bytes: last.reused_bytes,
        });
        Self { completed, abandoned, waiting_commits: waiting as u64, last, last_failure }
    }
}

/// A savepoint that was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct SavepointStatus {
    /// The checkpoint that it is a copy of.
    pub(crate) epoch: u64,
    /// How many files of state it has.
    pub(crate) files: u64,
    /// How many bytes they have.
    pub(crate) bytes: u64,
}

impl From<SavepointReport> for SavepointStatus {
    fn from(SavepointReport { epoch, copied }: SavepointReport) -> Self {
        Self { epoch: epoch.0, files: copied.files, bytes: copied.bytes }
    }
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
    line(&Request { version: command.since(), command })
}

/// The request of a line and the version of its answer, or what is wrong with it, in words for whoever asked.
pub(super) fn parse_request(text: &str) -> std::result::Result<(Command, u32), String> {
    #[derive(Deserialize)]
    struct Version {
        version: u32,
    }
    let Version { version } = serde_json::from_str(text).map_err(|error| format!("no request: {error}"))?;
    if !(1..=VERSION).contains(&version) {
        return Err(format!(
            "this host speaks versions 1 to {VERSION} of the control protocol, and was asked in {version}"
        ));
    }
    let Request { command, .. } = serde_json::from_str(text).map_err(|error| format!("no request: {error}"))?;
    match command.since() {
        since if since > version => Err(format!("this command came with version {since}, and was asked in {version}")),
        _ => Ok((command, version)),
    }
}

/// An answer as a line; one that would be too long is replaced by a refusal.
pub(super) fn answer_line(version: u32, answer: Answer) -> Result<String> {
    let text = line(&Answered { version, answer })?;
    if text.len() as u64 <= ANSWER_BYTES_MAX {
        return Ok(text);
    }
    let bytes = text.len();
    let refusal = Answer::Refused(format!("the answer has {bytes} bytes, and the limit is {ANSWER_BYTES_MAX}"));
    line(&Answered { version, answer: refusal })
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
    fn the_lines_of_versions_1_and_2() {
        assert_eq!(request_line(Command::Status).expect("JSON"), "{\"version\":1,\"command\":\"status\"}\n");
        let stop = "{\"version\":1,\"command\":\"stop\",\"drain\":true}\n";
        assert_eq!(request_line(Command::Stop { drain: true }).expect("JSON"), stop);
        assert_eq!(parse_request(stop), Ok((Command::Stop { drain: true }, 1)));
        assert_eq!(parse_request("{\"version\":2,\"command\":\"status\"}"), Ok((Command::Status, 2)));
        let savepoint = "{\"version\":2,\"command\":\"savepoint\",\"target\":\"/a\"}\n";
        assert_eq!(request_line(Command::Savepoint { target: "/a".to_owned() }).expect("JSON"), savepoint);
        assert_eq!(parse_request(savepoint), Ok((Command::Savepoint { target: "/a".to_owned() }, 2)));
        let answer = Answer::Stopping { drain: false, checkpoint: false };
        let text = answer_line(1, answer.clone()).expect("JSON");
        assert_eq!(text, "{\"version\":1,\"stopping\":{\"drain\":false}}\n");
        assert_eq!(parse_answer(&text).expect("an answer"), answer);
        let status = JobStatus {
            job: "j".to_owned(),
            phase: Phase::BreakingOff,
            starts: 1,
            elapsed_ms: 2,
            now_ms: 3,
            nodes: crate::table::tests::timed().nodes,
            checkpoints: Some(CheckpointStatus::of(CheckpointProgress::default(), Instant::now())),
        };
        let text = answer_line(1, Answer::Status(status.clone())).expect("JSON");
        assert_eq!(parse_answer(&text).expect("an answer"), Answer::Status(status));
    }

    #[test]
    fn what_is_no_request_is_refused_in_words() {
        for (text, words) in [
            ("", "no request"),
            ("[]", "no request"),
            ("{\"command\":\"status\"}", "version"),
            ("{\"version\":3,\"command\":\"status\"}", "versions 1 to 2"),
            ("{\"version\":0,\"command\":\"status\"}", "versions 1 to 2"),
            ("{\"version\":1,\"command\":\"savepoint\",\"target\":\"x\"}", "came with version 2"),
            ("{\"version\":2,\"command\":\"savepoint\"}", "target"),
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
        let text = answer_line(1, long).expect("JSON");
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
