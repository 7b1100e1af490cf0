//! Bundles of calls that failed.

use std::path::{Path, PathBuf};

use super::PluginOperator;
use crate::Error;
use crate::repro::{Failed, Repro, encode};
use crate::text::shell_word;

impl PluginOperator {
    /// The error with the bundle of the last call in its words, where bundles are wanted and there is room for one.
    pub(super) fn kept(&self, error: Error) -> Error {
        match self.bundle(&error) {
            Some(folder) => Error::Kept { source: Box::new(error), bundle: shell_word(&folder.display().to_string()) },
            None => error,
        }
    }

    /// Writes a bundle of the last call, where bundles are wanted. A job does not fail for want of one.
    pub(super) fn bundle(&self, error: &Error) -> Option<PathBuf> {
        let (Some(repro), Some(_)) = (self.instances.repro(), &self.last) else { return None };
        match self.write(repro, error) {
            Ok(Some(folder)) => {
                tracing::warn!(
                    operator = %self.context.node,
                    "a failed call was kept: `volley plugin replay {}` makes it again",
                    shell_word(&folder.display().to_string())
                );
                Some(folder)
            }
            Ok(None) => {
                tracing::debug!(operator = %self.context.node, "a failed call was not kept: there is a limit");
                None
            }
            Err(error) => {
                let folder = repro.folder();
                tracing::warn!(operator = %self.context.node, folder = %folder.display(), %error, "a failed call could not be kept");
                None
            }
        }
    }

    fn write(&self, repro: &Repro, error: &Error) -> Result<Option<PathBuf>, Box<dyn std::error::Error>> {
        let Some(last) = self.last.as_ref().filter(|_| repro.has_room()) else { return Ok(None) };
        let instances = &self.instances;
        let failed = Failed { held: self.held.as_deref(), last, error: error.to_string() };
        let input = encode::stream(last.call.batch.as_ref())?;
        let name = format!("{}-{}", self.context.node, self.context.subtask.index);
        let (who, kind) = (instances.who(), instances.kind());
        let bundle = encode::Bundle {
            failed: &failed,
            who,
            file: who.file.as_deref().map(|file| std::path::absolute(Path::new(file))).transpose()?,
            kind,
            operator: (self.context.node.as_str(), self.context.subtask),
            config: instances.config(),
            limits: instances.limits(),
            input: instances.input(),
        };
        Ok(repro.write(&name, &bundle.to_json()?, &input)?)
    }
}
