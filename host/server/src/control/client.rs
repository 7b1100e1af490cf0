//! `volley-host status`, `volley-host stop` and `volley-host savepoint`: the other end of the socket.

use std::io;
use std::path::Path;
use std::time::Duration;

use serde_json::json;
use tokio::io::AsyncWriteExt;
use tokio::net::UnixStream;
use tokio::time::timeout;
use volley_api::{Error, Result};
use volley_checkpoint::store::Location;
use volley_runtime::JobProgress;

use super::folder::{SOCKET_PATH_MAX, socket};
use super::wire::{
    ANSWER_BYTES_MAX, Answer, CheckpointStatus, Command, JobStatus, LastCheckpoint, SavepointStatus, parse_answer,
    read_line, request_line,
};
use crate::output::print;
use crate::summary::grouped;
use crate::table::{self, Moment};

/// The longest that the job may take to answer: longer than a slow request before this one.
const ANSWER_WITHIN: Duration = Duration::from_secs(15);

/// Prints how far the job in a folder is.
pub(crate) async fn status(folder: &Path, json: bool) -> Result<()> {
    match ask(folder, Command::Status, ANSWER_WITHIN).await? {
        Answer::Status(status) if json => print(&format!("{}\n", json!(status))),
        Answer::Status(status) => print(&shown(status)),
        other => Err(unexpected(&other)),
    }
}

/// Asks the job in a folder to end.
pub(crate) async fn stop(folder: &Path, drain: bool, json: bool) -> Result<()> {
    match ask(folder, Command::Stop { drain }, ANSWER_WITHIN).await? {
        Answer::Stopping { checkpoint: false, .. } if json => {
            print(&format!("{}\n", json!({ "stopping": true, "drain": drain })))
        }
        Answer::Stopping { checkpoint: true, .. } if json => {
            print(&format!("{}\n", json!({ "stopping": true, "drain": drain, "checkpoint": true })))
        }
        Answer::Stopping { drain: true, .. } => print("stopping: what has been read is processed and committed\n"),
        Answer::Stopping { checkpoint: true, .. } => {
            print("stopping: one last checkpoint is taken, from which the next run goes on\n")
        }
        Answer::Stopping { .. } => print("breaking off: what is not committed yet is thrown away\n"),
        other => Err(unexpected(&other)),
    }
}

/// Asks the job in a folder for a savepoint, and waits until it is there.
pub(crate) async fn savepoint(folder: &Path, target: &str, within: Duration, json: bool) -> Result<()> {
    // Relative paths count from here, and the job may run elsewhere.
    let location = Location::parse(target)?;
    let target = if target.contains("://") { target.to_owned() } else { location.to_string() };
    match ask(folder, Command::Savepoint { target }, within).await? {
        Answer::Savepoint(taken) if json => {
            let SavepointStatus { epoch, files, bytes } = taken;
            let taken = json!({ "location": location.to_string(), "epoch": epoch, "files": files, "bytes": bytes });
            print(&format!("{taken}\n"))
        }
        Answer::Savepoint(SavepointStatus { epoch, files, bytes }) => print(&format!(
            "savepoint of checkpoint {epoch} in {location}: {files} files of state, {} bytes\n",
            grouped(bytes)
        )),
        other => Err(unexpected(&other)),
    }
}

fn unexpected(answer: &Answer) -> Error {
    match answer {
        Answer::Refused(why) => Error::external(format!("the job refuses: {why}")),
        _ => Error::external("the job answers something else than it was asked"),
    }
}

async fn ask(folder: &Path, command: Command, within: Duration) -> Result<Answer> {
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
    match timeout(within, asked).await {
        Ok(answer) => answer,
        Err(_) => Err(Error::external(format!("the job in {shown} does not answer within {within:?}"))),
    }
}

/// A line about the job, and the table of its nodes.
fn shown(status: JobStatus) -> String {
    let JobStatus { job, phase, starts, elapsed_ms, now_ms, nodes, checkpoints } = status;
    let again = if starts > 1 { format!(", start {starts}") } else { String::new() };
    let taken = checkpoints.as_ref().map(shown_checkpoints).unwrap_or_default();
    let head = format!("{job}: {}{again}, {} s\n{taken}", phase.as_str(), elapsed_ms / 1_000);
    if nodes.is_empty() {
        return head;
    }
    let moment = Moment::Present { now_ms, rates: Vec::new() };
    format!("{head}{}\n", table::framed(&JobProgress { nodes }, &moment))
}

/// A line about its checkpoints, and one about the last that was given up.
fn shown_checkpoints(status: &CheckpointStatus) -> String {
    let CheckpointStatus { completed, abandoned, waiting_commits, last, last_failure } = status;
    let last = match last {
        None => String::new(),
        Some(LastCheckpoint { epoch, age_ms, took_ms, new_bytes, shared_bytes }) => format!(
            "; the last, {epoch}, {} s ago in {took_ms} ms: {} new bytes, {} as they were",
            age_ms / 1_000,
            grouped(*new_bytes),
            grouped(*shared_bytes)
        ),
    };
    let failure = last_failure.as_ref().map(|why| format!("the last that was given up: {why}\n")).unwrap_or_default();
    format!(
        "checkpoints: {completed} completed, {abandoned} given up, {waiting_commits} to be committed{last}\n{failure}"
    )
}
