//! `volley-host status` and `volley-host stop`: the other end of the socket.

use std::io;
use std::path::Path;
use std::time::Duration;

use serde_json::json;
use tokio::io::AsyncWriteExt;
use tokio::net::UnixStream;
use tokio::time::timeout;
use volley_api::{Error, Result};
use volley_runtime::JobProgress;

use super::folder::{SOCKET_PATH_MAX, socket};
use super::wire::{ANSWER_BYTES_MAX, Answer, Command, JobStatus, parse_answer, read_line, request_line};
use crate::output::print;
use crate::table::{self, Moment};

/// The longest that the job may take to answer: longer than a slow request before this one.
const ANSWER_WITHIN: Duration = Duration::from_secs(15);

/// Prints how far the job in a folder is.
pub(crate) async fn status(folder: &Path, json: bool) -> Result<()> {
    match ask(folder, Command::Status).await? {
        Answer::Status(status) if json => print(&format!("{}\n", json!(status))),
        Answer::Status(status) => print(&shown(status)),
        other => Err(unexpected(&other)),
    }
}

/// Asks the job in a folder to end.
pub(crate) async fn stop(folder: &Path, drain: bool, json: bool) -> Result<()> {
    match ask(folder, Command::Stop { drain }).await? {
        Answer::Stopping { .. } if json => print(&format!("{}\n", json!({ "stopping": true, "drain": drain }))),
        Answer::Stopping { drain: true } => print("stopping: what has been read is processed and committed\n"),
        Answer::Stopping { drain: false } => print("breaking off: what is not committed yet is thrown away\n"),
        other => Err(unexpected(&other)),
    }
}

fn unexpected(answer: &Answer) -> Error {
    match answer {
        Answer::Refused(why) => Error::external(format!("the job refuses: {why}")),
        _ => Error::external("the job answers something else than it was asked"),
    }
}

async fn ask(folder: &Path, command: Command) -> Result<Answer> {
    let socket = socket(folder);
    let shown = folder.display();
    if socket.as_os_str().len() > SOCKET_PATH_MAX {
        return Err(Error::config(format!("{shown}: no job runs there, since the path is too long for a socket")));
    }
    let connected = UnixStream::connect(&socket).await;
    let mut stream = connected.map_err(|error| match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => {
            Error::external(format!("no job runs in {shown} (`volley-host run PIPELINE --folder {shown}` would)"))
        }
        _ => Error::external(format!("cannot reach the job in {shown}")).caused_by(error),
    })?;
    let asked = async {
        let request = request_line(command)?;
        let lost = |error| Error::external(format!("the job in {shown} went away")).caused_by(error);
        stream.write_all(request.as_bytes()).await.map_err(lost)?;
        let line = read_line(&mut stream, ANSWER_BYTES_MAX).await?;
        parse_answer(&line)
    };
    match timeout(ANSWER_WITHIN, asked).await {
        Ok(answer) => answer,
        Err(_) => Err(Error::external(format!("the job in {shown} does not answer within {ANSWER_WITHIN:?}"))),
    }
}

/// A line about the job, and the table of its nodes.
fn shown(status: JobStatus) -> String {
    let JobStatus { job, phase, starts, elapsed_ms, now_ms, nodes } = status;
    let again = if starts > 1 { format!(", start {starts}") } else { String::new() };
    let head = format!("{job}: {}{again}, {} s\n", phase.as_str(), elapsed_ms / 1_000);
    if nodes.is_empty() {
        return head;
    }
    let moment = Moment::Present { now_ms, rates: Vec::new() };
    format!("{head}{}\n", table::framed(&JobProgress { nodes }, &moment))
}
