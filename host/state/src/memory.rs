//! Keyed state in the memory of the process.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::RangeInclusive;
use std::sync::Arc;

use volley_api::{KeyedState, Namespace, StateBackend, StateContext, StateEntry, StateKey, StatePart, StateSnapshot};
use volley_fail_point::planted;

use crate::budget::Budget;
use crate::snapshot::{self, MemorySnapshot};
use crate::table::Table;
use crate::{Error, Result, budget, check, ttl};

/// Keeps state in memory, up to a limit that all of a job's states share.
///
/// Every `open` gives a new, empty state; when it is dropped, what it held is gone and its memory is free for others.
/// Clones share one limit.
#[derive(Debug, Clone)]
pub struct MemoryBackend {
    budget: Arc<Budget>,
}

impl MemoryBackend {
    /// A backend whose states may take `limit_bytes` together.
    ///
    /// What they take is reckoned: the bytes of keys and values, 128 bytes for each entry, and a little for each namespace
    /// and each key group in it. The allocator's own needs come on top, so leave some room below what the machine has.
    #[must_use]
    pub fn new(limit_bytes: usize) -> Self {
        Self { budget: Arc::new(Budget::new(limit_bytes)) }
    }

    /// What all its states may take together, in bytes.
    #[must_use]
    pub fn limit_bytes(&self) -> usize {
        self.budget.limit_bytes()
    }

    /// What all its states take at present, in bytes.
    #[must_use]
    pub fn used_bytes(&self) -> usize {
        self.budget.used_bytes()
    }
}

impl StateBackend for MemoryBackend {
    fn label(&self) -> String {
        format!("memory, at most {}", budget::Bytes(self.limit_bytes()))
    }

    fn format(&self) -> &'static str {
        snapshot::FORMAT
    }

    fn check(&self, context: &StateContext) -> volley_api::Result<()> {
        let check = |part| check::part(context, part, &[snapshot::FORMAT], snapshot::FORMAT);
        Ok(context.restored.iter().try_for_each(check)?)
    }

    fn open(&self, mut context: StateContext) -> volley_api::Result<Box<dyn KeyedState>> {
        let budget = Arc::clone(&self.budget);
        let restored = std::mem::take(&mut context.restored);
        let mut state = MemoryState { context, budget, tables: BTreeMap::new(), entries: 0, bytes: 0 };
        restored.iter().try_for_each(|part| state.restore(part))?;
        let context = state.context.clone();
        Ok(ttl::within(Box::new(state), &context))
    }
}

/// The state of one instance.
struct MemoryState {
    context: StateContext,
    budget: Arc<Budget>,
    /// The namespaces that have entries, and no others between two calls.
    tables: BTreeMap<Namespace, Table>,
    entries: usize,
    /// What the tables take, as the budget knows it between two calls.
    bytes: usize,
}

impl MemoryState {
    /// Changes a table and keeps the books: what `change` does is counted whether it succeeds or not, and a table that is
    /// empty behind it is gone.
    fn with_table(
        &mut self,
        namespace: Namespace,
        change: impl FnOnce(&mut Table, Room<'_>) -> Result<()>,
    ) -> Result<()> {
        let key_groups = self.context.key_groups;
        let (entries, bytes) = self.tables.get(&namespace).map_or((0, 0), |table| (table.len(), table.bytes()));
        let table = self.tables.entry(namespace).or_insert_with(|| Table::new(key_groups));
        let room = Room { budget: &self.budget, table_bytes: bytes, context: &self.context };
        let result = change(table, room);
        let (entries_now, bytes_now) = if table.len() == 0 {
            self.tables.remove(&namespace);
            (0, 0)
        } else {
            (table.len(), table.bytes())
        };
        self.entries = self.entries - entries + entries_now;
        self.resize(self.bytes - bytes + bytes_now);
        result
    }

    /// Takes over what a part has for the key groups of this instance.
    fn restore(&mut self, part: &StatePart) -> Result<()> {
        check::part(&self.context, part, &[snapshot::FORMAT], snapshot::FORMAT)?;
        let key_groups = self.context.key_groups;
        let has_passed = ttl::passed_by_now(self.context.ttl.as_ref());
        for entry in part.files.iter().map(snapshot::read).collect::<Result<Vec<_>>>()?.iter().flatten() {
            if key_groups.contains(entry.group) && !has_passed(&entry.value) {
                let key = StateKey { group: entry.group, key: &entry.key };
                self.with_table(entry.namespace, |table, room| {
                    table.put_many(&[key], &[&entry.value], |table| room.check(table))
                })?;
            }
        }
        Ok(())
    }

    /// Forgets the entries whose time has passed.
    fn forget_passed(&mut self) -> Result<()> {
        if self.context.ttl.is_none() {
            return Ok(());
        }
        let has_passed = ttl::passed_by_now(self.context.ttl.as_ref());
        for namespace in self.tables.keys().copied().collect::<Vec<_>>() {
            self.with_table(namespace, |table, _| {
                table.retain(|value| !has_passed(value));
                Ok(())
            })?;
        }
        Ok(())
    }

    fn resize(&mut self, bytes: usize) {
        self.budget.resize(self.bytes, bytes);
        self.bytes = bytes;
    }
}

/// What is left to a table that is being written to.
struct Room<'a> {
    budget: &'a Budget,
    /// What the budget knows the table to take.
    table_bytes: usize,
    context: &'a StateContext,
}

impl Room<'_> {
    /// Refuses a table that has outgrown the limit.
    fn check(&self, table: &Table) -> Result<()> {
        let used_bytes = self.budget.used_bytes() + table.bytes().saturating_sub(self.table_bytes);
        let limit_bytes = self.budget.limit_bytes();
        // A table that has not grown is let be: an operator must be able to shrink its state where others fill the memory.
        if used_bytes <= limit_bytes || table.bytes() <= self.table_bytes {
            return Ok(());
        }
        let (node, state) = (self.context.node.clone(), self.context.name);
        Err(Error::Limit { node, state, limit_bytes, used_bytes })
    }
}

impl KeyedState for MemoryState {
    fn get_many(
        &mut self,
        namespace: Namespace,
        keys: &[StateKey<'_>],
    ) -> volley_api::Result<Vec<Option<bytes::Bytes>>> {
        check::key_groups(&self.context, keys)?;
        match self.tables.get(&namespace) {
            Some(table) => Ok(table.get_many(keys)),
            None => Ok(vec![None; keys.len()]),
        }
    }

    fn put_many(&mut self, namespace: Namespace, keys: &[StateKey<'_>], values: &[&[u8]]) -> volley_api::Result<()> {
        check::key_groups(&self.context, keys)?;
        check::values(&self.context, keys, values)?;
        let put = |table: &mut Table, room: Room<'_>| table.put_many(keys, values, |table| room.check(table));
        match self.with_table(namespace, put) {
            Err(Error::Limit { .. }) if self.context.ttl.is_some() => {
                self.forget_passed()?;
                Ok(self.with_table(namespace, put)?)
            }
            result => Ok(result?),
        }
    }

    fn remove_many(&mut self, namespace: Namespace, keys: &[StateKey<'_>]) -> volley_api::Result<()> {
        check::key_groups(&self.context, keys)?;
        if !self.tables.contains_key(&namespace) {
            return Ok(());
        }
        let remove = |table: &mut Table, _: Room<'_>| {
            keys.iter().for_each(|key| table.remove(*key));
            Ok(())
        };
        Ok(self.with_table(namespace, remove)?)
    }

    fn scan(
        &mut self,
        namespaces: RangeInclusive<Namespace>,
        after: Option<&StateEntry>,
        entries_max: usize,
    ) -> volley_api::Result<Vec<StateEntry>> {
        let (mut first, last) = namespaces.into_inner();
        if let Some(after) = after {
            first = first.max(after.namespace);
        }
        let mut entries = Vec::new();
        if first > last {
            return Ok(entries);
        }
        for (&namespace, table) in self.tables.range(first..=last) {
            if entries.len() == entries_max {
                break;
            }
            let after = after.filter(|after| after.namespace == namespace).map(|after| (after.group, &after.key[..]));
            let left = entries_max - entries.len();
            table.scan(after, left, |group, key, value| entries.push(StateEntry { group, namespace, key, value }));
        }
        Ok(entries)
    }

    fn namespaces(&mut self) -> volley_api::Result<Vec<Namespace>> {
        Ok(self.tables.keys().copied().collect())
    }

    fn remove_namespace(&mut self, namespace: Namespace) -> volley_api::Result<()> {
        if let Some(table) = self.tables.remove(&namespace) {
            self.entries -= table.len();
            self.resize(self.bytes - table.bytes());
        }
        Ok(())
    }

    fn snapshot(&mut self) -> volley_api::Result<Box<dyn StateSnapshot>> {
        self.forget_passed()?;
        let mut all = self.scan(Namespace(i64::MIN)..=Namespace(i64::MAX), None, usize::MAX)?;
        if planted("drop-dirty-value") {
            all.pop();
        }
        Ok(Box::new(MemorySnapshot(all)))
    }

    fn len_estimate(&self) -> usize {
        self.entries
    }

    fn memory_bytes(&self) -> usize {
        self.bytes
    }
}

impl Drop for MemoryState {
    fn drop(&mut self) {
        self.resize(0);
    }
}

impl fmt::Debug for MemoryState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { context, entries, bytes, .. } = self;
        write!(f, "MemoryState({}/{}, {entries} entries, {bytes} bytes)", context.node, context.name)
    }
}
