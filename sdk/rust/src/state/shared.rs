//! What the handles of one call read and write through.

use std::cell::{OnceCell, RefCell};

use super::StateError;
use crate::process::Context;

/// The context of a call, which its handles share, and the first thing that went wrong. After that nothing is asked or written
/// any more, and the code around the function ends the call.
#[doc(hidden)]
pub struct Shared<'a> {
    cx: RefCell<Context<'a>>,
    failed: OnceCell<StateError>,
}

impl<'a> Shared<'a> {
    /// Nothing has gone wrong yet.
    pub fn new(cx: &'a mut Context<'_>) -> Self {
        Self { cx: RefCell::new(cx.lent()), failed: OnceCell::new() }
    }

    /// Whether all went well.
    ///
    /// # Errors
    /// The first [`StateError`] there was.
    pub fn check(&self) -> Result<(), StateError> {
        match self.failed.get() {
            None => Ok(()),
            Some(error) => Err(error.clone()),
        }
    }

    /// Asks the host, unless something has gone wrong already.
    pub(super) fn ask<R>(&self, ask: impl FnOnce(&mut Context<'a>) -> Result<R, StateError>) -> Option<R> {
        if self.failed.get().is_some() {
            return None;
        }
        let answer = ask(&mut self.cx.borrow_mut());
        answer.map_err(|error| self.fail(error)).ok()
    }

    /// Something has gone wrong.
    #[cold]
    pub(super) fn fail(&self, error: StateError) {
        // The first error is the one that is told.
        let _ = self.failed.set(error);
    }
}
