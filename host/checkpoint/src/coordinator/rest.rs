//! What is left of a job that has finished: output which its last run did not come to commit.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use volley_api::{CommitStatus, Committable, Epoch, JobSteering, NodeName, Result, Sink};

use super::begin::{Begun, finished};
use super::{Coordinator, CoordinatorOptions};
use crate::Restored;
use crate::protocol::Protocol;
use crate::store::Run;

/// A sink that has not said by then whether output is committed has not said that it is.
const ANSWER_WITHIN: Duration = Duration::from_secs(60);

/// How a start goes on.
#[derive(Debug)]
pub enum Start {
    /// With a run of the job.
    Run(Begun),
    /// The job had finished, and not come to commit all of its output: that is to be done, and nothing else.
    Finish(Finishing),
}

/// A job that has finished and has output to commit. Dropped, it leaves that to the next start.
#[derive(Debug)]
pub struct Finishing {
    pub(super) run: Run,
    pub(super) protocol: Protocol,
    /// The checkpoint that is the job's last.
    pub(super) epoch: Epoch,
}

impl Finishing {
    /// The checkpoint that is the job's last.
    #[must_use]
    pub fn epoch(&self) -> Epoch {
        self.epoch
    }

    /// Looks up what the last checkpoint holds, and commits what is not visible yet, however long sinks take. None of the
    /// job's tasks is started.
    ///
    /// # Errors
    /// As [`Coordinator::run`].
    pub async fn commit(self, sinks: &BTreeMap<NodeName, Arc<dyn Sink>>) -> Result<()> {
        let options = CoordinatorOptions { sinks: sinks.clone(), ..CoordinatorOptions::default() };
        let (coordinator, _, _) = Coordinator::new(self.run, self.protocol, options);
        coordinator.run(Arc::new(Over)).await?;
        Ok(())
    }
}

/// A job whose tasks have all done their work.
#[derive(Debug)]
struct Over;

impl JobSteering for Over {
    fn barrier(&self, _: Epoch) {}
    fn pause(&self, _: bool) {}
    fn end(&self) {}
}

/// Refuses a job that has finished and has nothing left to commit.
pub(super) async fn check_is_unfinished(
    restored: Option<&Restored>,
    sinks: &BTreeMap<NodeName, Arc<dyn Sink>>,
) -> Result<()> {
    let Some(restored) = restored.filter(|restored| restored.manifest.is_final) else { return Ok(()) };
    for committable in &restored.pending {
        if !is_committed(committable, sinks).await {
            return Ok(());
        }
    }
    Err(finished(&restored.manifest.job, Some(restored.manifest.epoch()), "nothing is left to do"))
}

async fn is_committed(committable: &Committable, sinks: &BTreeMap<NodeName, Arc<dyn Sink>>) -> bool {
    let Some(sink) = sinks.get(&committable.sink) else { return false };
    let asked = tokio::time::timeout(ANSWER_WITHIN, sink.lookup(committable)).await;
    matches!(asked, Ok(Ok(CommitStatus::Committed)))
}
