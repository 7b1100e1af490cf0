//! Keyed state that is opened when there is something to put into it, or something was restored.

use std::sync::Arc;

use bytes::Bytes;
use volley_api::{Error, KeyedSnapshot, KeyedState, Namespace, OperatorContext, Result, StateEntry, StateOptions};

use super::KeyCodec;
use crate::task::hit;

/// So many entries go to state and come from it at once.
pub(crate) const PAGE_ENTRIES: usize = 8_192;

/// One state of an operator's instance. A job that takes no checkpoints never opens it, and so needs no backend.
pub(crate) struct StateSlot {
    context: Arc<OperatorContext>,
    name: &'static str,
    layout: Arc<str>,
    options: StateOptions,
    state: Option<Box<dyn KeyedState>>,
}

impl StateSlot {
    /// The state of that name, opened at once where a checkpoint has some of it.
    pub(crate) fn new(
        context: &Arc<OperatorContext>,
        name: &'static str,
        layout: &Arc<str>,
        options: StateOptions,
    ) -> Result<Self> {
        let mut slot = Self { context: Arc::clone(context), name, layout: Arc::clone(layout), options, state: None };
        if context.restored.keyed.get(name).is_some_and(|parts| !parts.is_empty()) {
            slot.open()?;
        }
        Ok(slot)
    }

    /// The state, where it is open.
    pub(crate) fn opened(&mut self) -> Option<&mut (dyn KeyedState + 'static)> {
        self.state.as_deref_mut()
    }

    /// Whether the state is open.
    pub(crate) fn is_open(&self) -> bool {
        self.state.is_some()
    }

    /// The state, opened now if it was not.
    pub(crate) fn open(&mut self) -> Result<&mut dyn KeyedState> {
        let state = match self.state.take() {
            Some(state) => state,
            None => self.context.open_state_with(self.name, &self.layout, self.options)?,
        };
        Ok(&mut **self.state.insert(state))
    }

    /// What a checkpoint keeps of the state.
    pub(crate) fn snapshot(&mut self) -> Result<KeyedSnapshot> {
        hit("state-snapshot")?;
        self.open()?;
        let Self { context, name, layout, options, state } = self;
        match state {
            Some(state) => context.snapshot_of_with(name, layout, *options, &mut **state),
            None => Err(Error::internal("a state that was just opened is closed")),
        }
    }

    /// The namespaces that have entries.
    pub(crate) fn namespaces(&mut self) -> Result<Vec<i64>> {
        let Some(state) = self.opened() else { return Ok(Vec::new()) };
        Ok(state.namespaces()?.into_iter().map(|namespace| namespace.0).collect())
    }

    /// The first namespace of a range that has entries.
    pub(crate) fn first_namespace(&mut self, from: i64, to: i64) -> Result<Option<i64>> {
        let Some(state) = self.opened() else { return Ok(None) };
        let found = state.scan(Namespace(from)..=Namespace(to), None, 1)?;
        Ok(found.first().map(|entry| entry.namespace.0))
    }

    /// Values of keys that are bytes, in their order.
    pub(crate) fn get_many(&mut self, codec: &KeyCodec, namespace: i64, keys: &[&[u8]]) -> Result<Vec<Option<Bytes>>> {
        match self.opened() {
            Some(state) if !keys.is_empty() => state.get_many(Namespace(namespace), &codec.with_groups(keys)?),
            _ => Ok(vec![None; keys.len()]),
        }
    }

    /// Sets values of keys that are bytes.
    pub(crate) fn put_many(
        &mut self,
        codec: &KeyCodec,
        namespace: i64,
        keys: &[&[u8]],
        values: &[&[u8]],
    ) -> Result<()> {
        let state = self.open()?;
        for (keys, values) in keys.chunks(PAGE_ENTRIES).zip(values.chunks(PAGE_ENTRIES)) {
            state.put_many(Namespace(namespace), &codec.with_groups(keys)?, values)?;
        }
        Ok(())
    }

    /// The next entries of some namespaces, in order; none when there are no more.
    pub(crate) fn next_page(&mut self, cursor: &mut Cursor) -> Result<Vec<StateEntry>> {
        self.next_entries(cursor, PAGE_ENTRIES)
    }

    /// The next entries of some namespaces, in order, at most so many; fewer when there are no more.
    pub(crate) fn next_entries(&mut self, cursor: &mut Cursor, entries_max: usize) -> Result<Vec<StateEntry>> {
        let Some(state) = self.state.as_deref_mut().filter(|_| !cursor.is_done) else { return Ok(Vec::new()) };
        let page = state.scan(cursor.first..=cursor.last, cursor.after.as_ref(), entries_max)?;
        cursor.is_done = page.len() < entries_max;
        cursor.after = page.last().cloned();
        Ok(page)
    }
}

/// How far a scan has come.
pub(crate) struct Cursor {
    first: Namespace,
    last: Namespace,
    after: Option<StateEntry>,
    is_done: bool,
}

impl Cursor {
    /// At the beginning of one namespace.
    pub(crate) fn within(namespace: i64) -> Self {
        let namespace = Namespace(namespace);
        Self { first: namespace, last: namespace, after: None, is_done: false }
    }
}

/// Refuses a checkpoint that has other states of an operator than it keeps.
pub(crate) fn check_restored(context: &OperatorContext, known: &[&str]) -> Result<()> {
    match context.restored.keyed.keys().find(|name| !known.contains(&name.as_str())) {
        None => Ok(()),
        Some(name) => Err(Error::config(format!(
            "the checkpoint has state `{name}` of `{}`, and the plan keeps none of that name there: put the operator back \
             as it was, give it another name, or begin with --fresh",
            context.node
        ))),
    }
}
