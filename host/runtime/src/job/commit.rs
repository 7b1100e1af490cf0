//! The end of a job: collects how its tasks ended, then commits everything or nothing.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::{AbortHandle, JoinSet};
use volley_api::{CommitStatus, Committable, NodeName, Result, Sink};

use crate::Error;
use crate::task::Stopped;

/// How often a commit whose outcome is unknown is looked up and tried again.
const COMMIT_TRIES_MAX: u32 = 3;
/// The pause before the second try; it doubles with each.
const COMMIT_PAUSE_FIRST: Duration = Duration::from_millis(100);

/// What a task that ended well leaves behind.
pub(crate) type Ended = std::result::Result<Option<Committable>, Stopped>;

/// Waits for all tasks; the first that failed decides. From then on nothing is waited for that could wait itself: a
/// writer whose pipe nobody reads must not hold the news back.
pub(crate) async fn supervise(
    mut tasks: JoinSet<Ended>,
    interruptible: Vec<AbortHandle>,
    mut aborted: watch::Receiver<bool>,
    sinks: BTreeMap<NodeName, Arc<dyn Sink>>,
    committing: &AtomicBool,
) -> Result<()> {
    let mut prepared = Vec::new();
    let mut cause: Option<volley_api::Error> = None;
    let (mut breaking_off, mut failed) = (false, false);
    let break_off = || interruptible.iter().for_each(AbortHandle::abort);
    loop {
        let joined = tokio::select! {
            joined = tasks.join_next() => joined,
            asked = aborted.wait_for(|aborted| *aborted), if !breaking_off => {
                // An error means that nobody holds the job any more: it runs on unwatched.
                breaking_off = true;
                if asked.is_ok() {
                    cause.get_or_insert_with(cancelled_by_user);
                    break_off();
                }
                continue;
            }
        };
        match joined {
            None => break,
            Some(Ok(Ok(committable))) => {
                prepared.extend(committable);
                continue;
            }
            Some(Ok(Err(Stopped::Failed(error)))) => {
                cause.get_or_insert(error);
            }
            Some(Ok(Err(Stopped::Cancelled))) => {}
            Some(Err(error)) if error.is_cancelled() => {}
            Some(Err(error)) => {
                let (task, message) = ("a reader or writer".to_owned(), error.to_string());
                cause.get_or_insert(Error::Panicked { task, message }.into());
            }
        }
        breaking_off = true;
        failed = true;
        break_off();
    }
    match cause {
        None if !failed => {
            committing.store(true, Ordering::Relaxed);
            commit(&sinks, prepared).await
        }
        cause => {
            abort(&sinks, &prepared).await;
            Err(cause.unwrap_or_else(|| Error::NoCause.into()))
        }
    }
}

fn cancelled_by_user() -> volley_api::Error {
    volley_api::Error::new(volley_api::ErrorKind::Cancelled, "the job was broken off: nothing was committed")
}

async fn abort(sinks: &BTreeMap<NodeName, Arc<dyn Sink>>, prepared: &[Committable]) {
    for committable in prepared {
        if let Err(error) = sinks[&committable.sink].abort(committable).await {
            tracing::warn!(sink = %committable.sink, error = %error.report(), "staged output is left behind");
        }
    }
}

async fn commit(sinks: &BTreeMap<NodeName, Arc<dyn Sink>>, mut prepared: Vec<Committable>) -> Result<()> {
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
    let mut pause = COMMIT_PAUSE_FIRST;
    for last in (0..COMMIT_TRIES_MAX).map(|tried| tried + 1 == COMMIT_TRIES_MAX) {
        let error = match sink.commit(committable).await {
            Ok(()) => return Ok(()),
            Err(error) => error,
        };
        if !error.is_retryable() {
            return Err(error);
        }
        match sink.lookup(committable).await? {
            CommitStatus::Committed => return Ok(()),
            CommitStatus::NotCommitted if !last => tokio::time::sleep(pause).await,
            CommitStatus::NotCommitted | CommitStatus::Unknown => return Err(error),
        }
        pause *= 2;
    }
    unreachable!("the last try returns")
}
