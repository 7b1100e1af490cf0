//! Bundles of calls that failed.

use super::PluginOperator;
use crate::Error;
use crate::repro::Failed;

impl PluginOperator {
    /// The error with the bundle of the last call in its words, where bundles are wanted and there is room for one.
    pub(super) fn kept(&self, error: Error) -> Error {
        match &self.last {
            Some(last) => self.instances.kept(&Failed::of_held(self.held.as_deref(), last), error),
            None => error,
        }
    }

    /// Writes a bundle of the last call, where bundles are wanted. A job does not fail for want of one.
    pub(super) fn bundle(&self, error: &Error) {
        if let Some(last) = &self.last {
            self.instances.bundle(&Failed::of_held(self.held.as_deref(), last), &error.to_string());
        }
    }
}
