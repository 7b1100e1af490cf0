//! Jobs that read again what was read before a damaged checkpoint, so that it can be rebuilt.

use async_trait::async_trait;
use volley_api::{Error, ErrorKind, Result};
use volley_checkpoint::coordinator::{ReplayOrder, Replayer, Replaying};
use volley_runtime::{EpochOptions, JobHandle, JobOptions, PhysicalPlan};

/// Starts the job of a pipeline as one that replays.
#[derive(Debug)]
pub(crate) struct JobReplayer {
    pub(crate) plan: PhysicalPlan,
    pub(crate) options: JobOptions,
}

/// A job that replays.
struct Running(Option<JobHandle>);

#[async_trait]
impl Replayer for JobReplayer {
    async fn start(&self, replay: ReplayOrder) -> Result<Box<dyn Replaying>> {
        let epochs = EpochOptions {
            listener: replay.listener,
            first_epoch: replay.epoch,
            run: replay.run,
            restored: Some(replay.from),
            until: Some(replay.until),
        };
        let options = JobOptions { epochs: Some(epochs), ..self.options.clone() };
        let job = volley_runtime::start(self.plan.clone(), options).await?;
        Ok(Box::new(Running(Some(job))))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(job) = &self.0 {
            job.abort();
        }
    }
}

#[async_trait]
impl Replaying for Running {
    async fn failed(&mut self) -> Error {
        if let Some(job) = &self.0 {
            job.finished().await;
        }
        match self.0.take() {
            Some(job) => job.wait().await.err(),
            None => None,
        }
        .unwrap_or_else(|| Error::internal("a job that replays came to an end of its own"))
    }

    async fn end(mut self: Box<Self>) {
        let Some(job) = self.0.take() else { return };
        job.abort();
        if let Err(error) = job.wait().await
            && error.kind() != ErrorKind::Cancelled
        {
            tracing::debug!(error = %error.report(), "the replay ended as it was broken off");
        }
    }
}
