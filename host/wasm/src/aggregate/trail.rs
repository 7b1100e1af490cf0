//! Calls of an instance since it knew nothing, where bundles are written of those that fail.
//!
//! Each is kept as it was made: rows that were refused in it too, which are not kept otherwise, since numbers of groups may be
//! theirs. There are no more of them than there is input between two drains.

use super::session::Session;
use crate::Error;
use crate::held::{Called, Entry};
use crate::path::AggregateCall;
use crate::repro::{Failed, Last};

/// The calls.
#[derive(Debug, Default)]
pub(super) struct Trail {
    /// What filled the instance before the last call.
    before: Vec<Entry>,
    last: Option<Last>,
    /// Whether the next call is of an instance that knows nothing.
    is_over: bool,
}

impl Trail {
    /// A call has been made.
    pub(super) fn made(&mut self, call: Last) {
        if std::mem::take(&mut self.is_over) {
            self.clear();
        }
        let Some(Last { call: last, .. }) = self.last.replace(call) else { return };
        match last.call {
            Called::Aggregate(AggregateCall::Update(_) | AggregateCall::Merge(_)) => {
                self.before.push(Entry::Call(last));
            }
            // It has given up all that it had.
            Called::Aggregate(AggregateCall::Drain) if !last.has_failed => self.before.clear(),
            _ => {}
        }
    }

    /// The instance is gone, or knows nothing any more. What it failed at can be asked for until the next call.
    pub(super) fn end(&mut self) {
        self.is_over = true;
    }

    /// Nothing of it is needed any more.
    pub(super) fn clear(&mut self) {
        self.before.clear();
        self.last = None;
        self.is_over = false;
    }

    fn failed(&self) -> Option<Failed<'_>> {
        Some(Failed { parts: None, log: &self.before, last: self.last.as_ref()? })
    }
}

impl Session {
    /// The error with the bundle of the last call in its words, where bundles are wanted and there is room for one.
    pub(super) fn kept_call(&self, error: Error) -> Error {
        match self.trail.failed() {
            Some(failed) => self.instances.kept(&failed, error),
            None => error,
        }
    }

    /// Writes a bundle of the last call, where bundles are wanted.
    pub(super) fn bundle(&self, error: &Error) {
        if let Some(failed) = self.trail.failed() {
            self.instances.bundle(&failed, &error.to_string());
        }
    }
}
