//! The end of a job: collects how its tasks ended, then commits everything or nothing.

use std::collections::HashMap;
use std::sync::Arc;

use tokio::task::JoinSet;
use volley_api::{CommitStatus, Committable, NodeName, Result, Sink};

use crate::Error;
use crate::task::Stopped;

/// How often a commit whose outcome is unknown is looked up and tried again.
const COMMIT_TRIES_MAX: u32 = 3;

/// What a task that ended well leaves behind.
pub(crate) type Ended = std::result::Result<Option<Committable>, Stopped>;

/// Waits for all tasks; the first that failed decides.
pub(crate) async fn supervise(
    mut tasks: JoinSet<Ended>,
    sinks: HashMap<NodeName, Arc<dyn Sink>>,
    break_off: impl Fn(),
) -> Result<()> {
    let mut prepared = Vec::new();
    let mut cause = None;
    let mut cancelled = false;
    while let Some(joined) = tasks.join_next().await {
        match joined {
            Ok(Ok(committable)) => prepared.extend(committable),
            Ok(Err(Stopped::Cancelled)) => cancelled = true,
            Ok(Err(Stopped::Failed(error))) => {
                cause.get_or_insert(error);
            }
            Err(error) => {
                let (task, message) = ("reader or writer".to_owned(), error.to_string());
                cause.get_or_insert(Error::Panicked { task, message }.into());
            }
        }
        if cause.is_some() || cancelled {
            break_off();
        }
    }
    if cause.is_none() && cancelled {
        cause = Some(Error::NoCause.into());
    }
    match cause {
        Some(cause) => {
            abort(&sinks, &prepared).await;
            Err(cause)
        }
        None => commit(&sinks, prepared).await,
    }
}

async fn abort(sinks: &HashMap<NodeName, Arc<dyn Sink>>, prepared: &[Committable]) {
    for committable in prepared {
        if let Err(error) = sinks[&committable.sink].abort(committable).await {
            tracing::warn!(sink = %committable.sink, error = %error.report(), "staged output is left behind");
        }
    }
}

async fn commit(sinks: &HashMap<NodeName, Arc<dyn Sink>>, mut prepared: Vec<Committable>) -> Result<()> {
    prepared.sort_by(|a, b| (a.sink.as_str(), a.subtask).cmp(&(b.sink.as_str(), b.subtask)));
    for (done, committable) in prepared.iter().enumerate() {
        let Err(error) = commit_one(&*sinks[&committable.sink], committable).await else { continue };
        abort(sinks, &prepared[done + 1..]).await;
        let committed: Vec<_> = prepared[..done].iter().map(|c| format!("{} ({})", c.sink, c.subtask)).collect();
        let committed = if committed.is_empty() { "nothing".to_owned() } else { committed.join(", ") };
        return Err(error.within(format!("committing {} (committed before: {committed})", committable.sink)));
    }
    Ok(())
}

/// Commits, and where the answer was lost, asks before it tries again.
async fn commit_one(sink: &dyn Sink, committable: &Committable) -> Result<()> {
    let mut tries = 0;
    loop {
        let error = match sink.commit(committable).await {
            Ok(()) => return Ok(()),
            Err(error) => error,
        };
        tries += 1;
        if !error.is_retryable() || tries >= COMMIT_TRIES_MAX {
            return Err(error);
        }
        match sink.lookup(committable).await? {
            CommitStatus::Committed => return Ok(()),
            CommitStatus::NotCommitted => {}
            CommitStatus::Unknown => return Err(error),
        }
    }
}
