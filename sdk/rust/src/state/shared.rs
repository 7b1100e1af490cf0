//! What the handles of one call read and write through.

use std::cell::{Cell, OnceCell, RefCell};

use super::StateError;
use crate::process::Context;

/// The context of a call, which its handles share, and the first thing that went wrong. After that nothing is asked or written
/// any more, and the code around the function ends the call.
#[doc(hidden)]
pub struct Shared<'a> {
    cx: RefCell<Context<'a>>,
    failed: OnceCell<StateError>,
    /// Whether that is the fault of some row.
    is_of_row: Cell<bool>,
}

impl<'a> Shared<'a> {
    /// Nothing has gone wrong yet.
    pub fn new(cx: &'a mut Context<'_>) -> Self {
        Self { cx: RefCell::new(cx.lent()), failed: OnceCell::new(), is_of_row: Cell::new(false) }
    }

    /// Whether all went well.
    ///
    /// # Errors
    /// The first [`StateError`] there was.
    ///
    /// # Panics
    /// In a component, where a row is at fault: the host looks for it then, and does with it what the job says. An error would
    /// be one of the operator, which ends the job.
    pub fn check(&self) -> Result<(), StateError> {
        match self.failed.get() {
            None => Ok(()),
            Some(error) if cfg!(target_arch = "wasm32") && self.is_of_row.get() => panic!("{error}"),
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

    /// Something has gone wrong that a row is guilty of.
    #[cold]
    pub(super) fn fail_by_row(&self, error: StateError) {
        self.is_of_row.set(self.is_of_row.get() || self.failed.get().is_none());
        self.fail(error);
    }

    /// Something has gone wrong.
    #[cold]
    pub(super) fn fail(&self, error: StateError) {
        // The first error is the one that is told.
        let _ = self.failed.set(error);
    }
}
