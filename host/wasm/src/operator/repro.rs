//! Bundles of calls that failed.

use super::PluginOperator;
use crate::Error;
use crate::repro::{Failed, Repro, encode};

impl PluginOperator {
    /// Writes a bundle of the last call, where bundles are wanted. A job does not fail for want of one.
    pub(super) fn bundle(&self, error: &Error) {
        let (Some(repro), Some(call)) = (self.instances.repro(), &self.last) else { return };
        let failed = Failed { held: self.held.as_deref(), call, error: error.to_string() };
        match self.write(repro, &failed) {
            Ok(Some(folder)) => {
                tracing::warn!(operator = %self.context.node, bundle = %folder.display(), "a failed call was kept");
            }
            Ok(None) => tracing::debug!(operator = %self.context.node, "a failed call was not kept: a limit"),
            Err(error) => tracing::warn!(operator = %self.context.node, %error, "a failed call could not be kept"),
        }
    }

    fn write(
        &self,
        repro: &Repro,
        failed: &Failed<'_>,
    ) -> Result<Option<std::path::PathBuf>, Box<dyn std::error::Error>> {
        let instances = &self.instances;
        let bundle = encode::bundle(
            failed,
            instances.who(),
            instances.kind(),
            instances.config(),
            instances.limits(),
            instances.input(),
        )?;
        let input = encode::stream(failed.call.batch.as_ref())?;
        let name = format!("{}-{}", self.context.node, self.context.subtask.index);
        Ok(repro.write(&name, &bundle, &input)?)
    }
}
