//! State that restores nothing: what an operator opens at its creation shows which states it keeps, and how.

use std::collections::BTreeSet;
use std::ops::RangeInclusive;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use volley_api::{
    Error, KeyedState, Namespace, Result, StateBackend, StateContext, StateEntry, StateKey, StateSnapshot,
};

/// Stands in for a backend, which checks what it would restore.
#[derive(Debug)]
pub(super) struct DryState {
    backend: Arc<dyn StateBackend>,
    opened: Mutex<BTreeSet<&'static str>>,
}

impl DryState {
    pub(super) fn new(backend: Arc<dyn StateBackend>) -> Self {
        Self { backend, opened: Mutex::default() }
    }

    /// Whether a state of that name was opened.
    pub(super) fn has_opened(&self, name: &str) -> bool {
        self.opened.lock().unwrap_or_else(PoisonError::into_inner).contains(name)
    }
}

impl StateBackend for DryState {
    fn label(&self) -> String {
        self.backend.label()
    }

    fn format(&self) -> &'static str {
        self.backend.format()
    }

    fn held_back_bytes_max(&self) -> Option<usize> {
        self.backend.held_back_bytes_max()
    }

    fn check(&self, context: &StateContext) -> Result<()> {
        self.backend.check(context)
    }

    fn open(&self, context: StateContext) -> Result<Box<dyn KeyedState>> {
        self.backend.check(&context)?;
        self.opened.lock().unwrap_or_else(PoisonError::into_inner).insert(context.name);
        Ok(Box::new(Nothing))
    }
}

/// Has nothing and keeps nothing.
struct Nothing;

impl KeyedState for Nothing {
    fn get_many(&mut self, _: Namespace, keys: &[StateKey<'_>]) -> Result<Vec<Option<Bytes>>> {
        Ok(vec![None; keys.len()])
    }

    fn put_many(&mut self, _: Namespace, _: &[StateKey<'_>], _: &[&[u8]]) -> Result<()> {
        Ok(())
    }

    fn remove_many(&mut self, _: Namespace, _: &[StateKey<'_>]) -> Result<()> {
        Ok(())
    }

    fn scan(&mut self, _: RangeInclusive<Namespace>, _: Option<&StateEntry>, _: usize) -> Result<Vec<StateEntry>> {
        Ok(Vec::new())
    }

    fn namespaces(&mut self) -> Result<Vec<Namespace>> {
        Ok(Vec::new())
    }

    fn remove_namespace(&mut self, _: Namespace) -> Result<()> {
        Ok(())
    }

    fn snapshot(&mut self) -> Result<Box<dyn StateSnapshot>> {
        Err(Error::internal("a snapshot was asked for of state that only stands in for another"))
    }

    fn len_estimate(&self) -> usize {
        0
    }

    fn memory_bytes(&self) -> usize {
        0
    }
}
