//! Failed calls of an instance go into bundles.

use std::path::{Path, PathBuf};

use arrow::array::RecordBatch;

use super::{Failed, Last, Repro, encode};
use crate::Error;
use crate::again::CameTo;
use crate::held::{Called, Logged};
use crate::hooks::HookCall;
use crate::imports::emitter::Parents;
use crate::instances::Instances;
use crate::text::shell_word;

/// Whether an error that rows are not to blame for is of a call at all: others are of what is around it.
pub(crate) fn is_of_a_call(error: &Error) -> bool {
    matches!(error, Error::Fatal { .. } | Error::RetriesExhausted { .. })
}

impl Instances {
    /// The error with the bundle of a failed call in its words, where bundles are wanted and there is room for one.
    pub(crate) fn kept(&self, failed: &Failed<'_>, error: Error) -> Error {
        match self.bundle(failed, &error.to_string()) {
            Some(folder) => Error::Kept { source: Box::new(error), bundle: shell_word(&folder.display().to_string()) },
            None => error,
        }
    }

    /// The same of a function of `snapshot` that a fresh instance has failed in; `rows` are those of `migrate`.
    pub(crate) fn kept_hook(
        &self,
        came_to: Option<CameTo>,
        call: HookCall,
        rows: Option<RecordBatch>,
        error: Error,
    ) -> Error {
        let Some(came_to) = came_to.filter(|_| self.repro().is_some()) else { return error };
        let call = Box::new(Logged::new(Called::Hook(call), rows, Parents::None, 0));
        self.kept(&Failed::alone(&Last { call, came_to }), error)
    }

    /// Writes a bundle of a failed call, where bundles are wanted. A job does not fail for want of one.
    pub(crate) fn bundle(&self, failed: &Failed<'_>, error: &str) -> Option<PathBuf> {
        let repro = self.repro()?;
        let (node, _) = self.place();
        match self.write(repro, failed, error) {
            Ok(Some(folder)) => {
                tracing::warn!(
                    operator = %node,
                    "a failed call was kept: `volley plugin replay {}` makes it again",
                    shell_word(&folder.display().to_string())
                );
                Some(folder)
            }
            Ok(None) => {
                tracing::debug!(operator = %node, "a failed call was not kept: there is a limit");
                None
            }
            Err(error) => {
                let folder = repro.folder();
                tracing::warn!(operator = %node, folder = %folder.display(), %error, "a failed call could not be kept");
                None
            }
        }
    }

    fn write(
        &self,
        repro: &Repro,
        failed: &Failed<'_>,
        error: &str,
    ) -> Result<Option<PathBuf>, Box<dyn std::error::Error>> {
        if !repro.has_room() {
            return Ok(None);
        }
        let (node, subtask) = self.place();
        let who = self.who();
        let bundle = encode::Bundle {
            failed,
            error,
            who,
            file: who.file.as_deref().map(|file| std::path::absolute(Path::new(file))).transpose()?,
            kind: self.kind(),
            operator: (node.as_str(), subtask),
            config: self.config(),
            limits: self.limits(),
            input: self.input(),
        };
        let input = encode::stream(failed.last.call.batch.as_ref())?;
        Ok(repro.write(&format!("{node}-{}", subtask.index), &bundle.to_json()?, &input)?)
    }
}
