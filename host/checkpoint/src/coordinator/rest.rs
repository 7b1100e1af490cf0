//! What is left of a job that has finished: output which its last run did not come to commit.

use std::collections::BTreeMap;
use std::sync::Arc;

use volley_api::{Epoch, JobSteering, NodeName, Result, Sink};

use super::{Coordinator, CoordinatorOptions};
use crate::protocol::Protocol;
use crate::store::Run;

/// A job whose tasks have all done their work.
#[derive(Debug)]
struct Over;

impl JobSteering for Over {
    fn barrier(&self, _: Epoch) {}
    fn pause(&self, _: bool) {}
    fn end(&self) {}
}

/// Looks up what the last checkpoint of a job holds, and commits what is not visible yet. Nothing else is left of the job, so
/// that none of its tasks is started.
pub(super) async fn finish(run: Run, protocol: Protocol, sinks: &BTreeMap<NodeName, Arc<dyn Sink>>) -> Result<()> {
    let options = CoordinatorOptions { sinks: sinks.clone(), ..CoordinatorOptions::default() };
    let (coordinator, _, _) = Coordinator::new(run, protocol, options);
    coordinator.run(Arc::new(Over)).await?;
    Ok(())
}
