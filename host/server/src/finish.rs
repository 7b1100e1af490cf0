//! A start of a job that had finished and not come to commit all of its output.

use volley_api::{Error, ErrorKind, Result};
use volley_checkpoint::coordinator::Finishing;
use volley_runtime::PhysicalPlan;

use crate::args::How;
use crate::output::tell;
use crate::stops::Stops;

/// Commits what is left. Whoever asks the job to stop leaves that to the next start.
pub(crate) async fn finish(finishing: Finishing, plan: &PhysicalPlan, stops: &mut Stops, how: &How) -> Result<()> {
    let epoch = finishing.epoch();
    let sinks = plan.sinks();
    tokio::select! {
        committed = finishing.commit(&sinks) => committed?,
        _ = stops.next() => {
            let message = format!(
                "stopped: the job had finished at checkpoint {epoch}, and not all of its output is committed yet; the next run \
                 commits it"
            );
            return Err(Error::new(ErrorKind::Cancelled, message));
        }
    }
    if !how.quiet {
        tell(&format!(
            "the job had finished at checkpoint {epoch}, with output that was not committed: it is now, and nothing is left to do"
        ));
    }
    Ok(())
}
