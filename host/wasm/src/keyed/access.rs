//! What a plugin does to its states in a call: checked, counted, and written beside what is stored.

use arrow::array::BooleanBufferBuilder;
use arrow::buffer::Buffer;
use volley_api::Result;

use super::budget::{Budget, Counted, TooMuch};
use super::columns::RowBytes;
use super::limits::{
    STATE_BYTES_PER_CALL_MAX, STATE_ENTRIES_PER_CALL_MAX, STATE_ENTRIES_PER_KEY_MAX, STATE_READ_BYTES_PER_CALL_MAX,
    STATE_VALUE_BYTES_MAX,
};
use super::{Keyed, Several, Single, Store};
use crate::abi::message::Outgoing;
use crate::contract::{Entries, Found, StateError, StateKind, Timer, TimerError};
use crate::violation::Violation;

/// What an access gives: an answer for the plugin, good or bad.
type Answer<T> = std::result::Result<T, StateError>;

impl Keyed {
    /// Whether a key is under way, so that state may be called at all.
    pub(crate) fn has_groups(&self) -> bool {
        self.has_groups
    }

    /// Kinds `value` and `merge`: reads.
    pub(crate) fn get(&mut self, state: u32, groups: &[u32]) -> Answer<Found<Outgoing>> {
        self.admit(state, groups)?;
        let (Store::Single(_), now_ms) = (&self.states[state as usize].store, self.now_ms) else {
            return Err(self.wrong_kind(state, "get"));
        };
        let read = self.with_single(state, |single, known, budget| {
            single.get(known, groups, now_ms, budget)?.map_or_else(too_much, |(present, values)| {
                Ok(Ok(Found { present: bitmap(&present), values: single.columns.message(&values)? }))
            })
        });
        self.read(read)
    }

    /// Kinds `value` and `merge`: writes.
    pub(crate) fn put(&mut self, state: u32, groups: &[u32], values: &Buffer) -> Answer<()> {
        self.admit(state, groups)?;
        let Store::Single(single) = &self.states[state as usize].store else {
            return Err(self.wrong_kind(state, "put"));
        };
        let batch = single.columns.gate(values, groups.len(), STATE_BYTES_PER_CALL_MAX)?;
        let rows = single.columns.rows(&batch);
        let rows = self.available(rows)?;
        self.check_rows(&rows, 0)?;
        if let Store::Single(single) = &mut self.states[state as usize].store {
            single.put(&self.groups, groups, &rows);
        }
        self.check_written()
    }

    /// Every kind: removes.
    pub(crate) fn remove(&mut self, state: u32, groups: &[u32]) -> Answer<()> {
        self.admit(state, groups)?;
        let removed = match &mut self.states[state as usize].store {
            Store::Single(single) => {
                single.remove(&self.groups, groups);
                Ok(Ok(()))
            }
            Store::Several(several) => several.remove(&self.groups, groups, &mut self.budget),
        };
        self.read(removed)
    }

    /// Kind `merge`: adds rows.
    pub(crate) fn merge(&mut self, state: u32, groups: &[u32], values: &Buffer) -> Answer<()> {
        self.admit(state, groups)?;
        let now_ms = self.now_ms;
        let of = &self.states[state as usize];
        let (StateKind::Merge(functions), Store::Single(single)) = (of.declared.kind.clone(), &of.store) else {
            return Err(self.wrong_kind(state, "merge"));
        };
        let added = single.columns.gate(values, groups.len(), STATE_BYTES_PER_CALL_MAX)?;
        let schema = std::sync::Arc::clone(&of.declared.values);
        // Each group once, and for each row the place of its group.
        let mut distinct: Vec<u32> = Vec::new();
        let mut places = std::collections::HashMap::new();
        let into: Vec<usize> = groups
            .iter()
            .map(|group| {
                *places.entry(*group).or_insert_with(|| {
                    distinct.push(*group);
                    distinct.len() - 1
                })
            })
            .collect();
        let base = self.with_single(state, |single, known, budget| single.get(known, &distinct, now_ms, budget));
        let (_, base) = self.read(base)?;
        let merged = super::merge::merge(&functions, &schema, &base, &into, &added)?;
        let rows = self.with_single(state, |single, known, _| {
            let rows = single.columns.rows(&merged)?;
            single.put(known, &distinct, &rows);
            Ok(())
        });
        self.available(rows)?;
        self.check_written()
    }

    /// Kind `map`: reads.
    pub(crate) fn map_get(&mut self, state: u32, groups: &[u32], map_keys: &Buffer) -> Answer<Found<Outgoing>> {
        self.admit(state, groups)?;
        let keys = self.map_keys(state, groups, map_keys, "map-get")?;
        let now_ms = self.now_ms;
        let read = self.with_several(state, |several, known, budget| {
            several.map_get(known, groups, &keys, now_ms, budget)?.map_or_else(too_much, |(present, values)| {
                Ok(Ok(Found { present: bitmap(&present), values: several.columns.message(&values)? }))
            })
        });
        self.read(read)
    }

    /// Kind `map`: writes.
    pub(crate) fn map_put(&mut self, state: u32, groups: &[u32], map_keys: &Buffer, values: &Buffer) -> Answer<()> {
        self.admit(state, groups)?;
        let keys = self.map_keys(state, groups, map_keys, "map-put")?;
        let rows = self.values(state, groups, values)?;
        self.check_rows(&keys, 0)?;
        let longest_key = (0..keys.len()).map(|row| keys.row(row).len()).max().unwrap_or_default();
        self.check_rows(&rows, longest_key)?;
        let written_ms = self.written_ms;
        let put =
            self.with_several(state, |several, known, _| several.map_put(known, groups, &keys, &rows, written_ms));
        self.available(put)?.map_err(|group| self.too_many_entries(group))?;
        self.check_written()
    }

    /// Kind `map`: removes.
    pub(crate) fn map_remove(&mut self, state: u32, groups: &[u32], map_keys: &Buffer) -> Answer<()> {
        self.admit(state, groups)?;
        let keys = self.map_keys(state, groups, map_keys, "map-remove")?;
        let removed = self.with_several(state, |several, known, _| several.map_remove(known, groups, &keys));
        self.available(removed)
    }

    /// Kinds `map` and `list`: reads all entries.
    pub(crate) fn get_entries(&mut self, state: u32, groups: &[u32]) -> Answer<Entries<Outgoing>> {
        self.admit(state, groups)?;
        let Store::Several(_) = &self.states[state as usize].store else {
            return Err(self.wrong_kind(state, "get-entries"));
        };
        let mut seen = std::collections::HashSet::new();
        if let Some(group) = groups.iter().find(|group| !seen.insert(**group)) {
            return Err(StateError::InvalidBatch(format!("group {group} is asked for twice")));
        }
        let now_ms = self.now_ms;
        let read = self.with_several(state, |several, known, budget| {
            several.entries(known, groups, now_ms, budget)?.map_or_else(too_much, |(places, keys, values)| {
                let map_keys = match &several.map_keys {
                    Some(columns) => columns.message(&keys)?,
                    None => super::Columns::new(&keys.schema())?.message(&keys)?,
                };
                let values = several.columns.message(&values)?;
                Ok(Ok((places.len(), Entries { groups: places, map_keys, values })))
            })
        });
        let (count, entries) = self.read(read)?;
        self.count_entries(count)?;
        Ok(entries)
    }

    /// The key groups of groups.
    pub(crate) fn key_groups(&mut self, groups: &[u32]) -> Answer<Vec<u8>> {
        if let Some(group) = groups.iter().find(|group| !self.groups.is_of_call(**group)) {
            return Err(StateError::UnknownGroup(*group));
        }
        Ok(groups.iter().map(|group| self.groups.key(*group).group.0).collect())
    }

    /// Kind `list`: appends rows.
    pub(crate) fn append(&mut self, state: u32, groups: &[u32], values: &Buffer) -> Answer<()> {
        self.admit(state, groups)?;
        if self.states[state as usize].declared.kind != StateKind::List {
            return Err(self.wrong_kind(state, "append"));
        }
        let rows = self.values(state, groups, values)?;
        self.check_rows(&rows, 0)?;
        self.check_keys(groups)?;
        let written_ms = self.written_ms;
        let appended = self.with_several(state, |several, known, _| several.append(known, groups, &rows, written_ms));
        self.available(appended)?.map_err(|group| self.too_many_entries(group))?;
        self.check_written()
    }

    /// Registers or deletes timers.
    pub(crate) fn change_timers(&mut self, timers: &[Timer], register: bool) -> std::result::Result<(), TimerError> {
        let changed = match register {
            true => self.timers.register(&self.groups, timers),
            false => self.timers.delete(&self.groups, timers),
        };
        match changed {
            Ok(Err(TimerError::LimitExceeded(words))) => {
                self.exceeded.get_or_insert_with(|| (Violation::Timers, words.clone()));
                Err(TimerError::LimitExceeded(words))
            }
            Ok(answer) => answer,
            Err(error) => {
                let words = error.to_string();
                self.failure.get_or_insert(error);
                Err(TimerError::LimitExceeded(format!("timers are unavailable: {words}")))
            }
        }
    }

    /// Whether a state is there, groups are the call's, and so many entries are allowed.
    fn admit(&mut self, state: u32, groups: &[u32]) -> Answer<()> {
        if state as usize >= self.states.len() {
            return Err(StateError::UnknownState(state));
        }
        if let Some(group) = groups.iter().find(|group| !self.groups.is_of_call(**group)) {
            return Err(StateError::UnknownGroup(*group));
        }
        self.count_entries(groups.len())
    }

    fn count_entries(&mut self, more: usize) -> Answer<()> {
        self.entries = self.entries.saturating_add(more);
        if self.entries <= STATE_ENTRIES_PER_CALL_MAX {
            return Ok(());
        }
        let seen = self.entries;
        let words = format!("{seen} entries of state in one call; the limit is {STATE_ENTRIES_PER_CALL_MAX}");
        Err(self.exceeds(Violation::StateEntries, words))
    }

    fn exceeds(&mut self, violation: Violation, words: String) -> StateError {
        self.exceeded.get_or_insert_with(|| (violation, words.clone()));
        StateError::LimitExceeded(words)
    }

    fn too_many_entries(&mut self, group: u32) -> StateError {
        let words = format!(
            "more than {STATE_ENTRIES_PER_KEY_MAX} entries of one key (group {group}): remove old ones, or give the state a time to live"
        );
        self.exceeds(Violation::StateEntries, words)
    }

    /// Whether rows are short enough; `more` bytes are stored beside each.
    fn check_rows(&mut self, rows: &RowBytes, more: usize) -> Answer<()> {
        let longest = (0..rows.len()).map(|row| rows.row(row).len()).max().unwrap_or_default() + more;
        if longest <= STATE_VALUE_BYTES_MAX {
            return Ok(());
        }
        let words = format!("a value of {longest} bytes as it is stored; the limit is {STATE_VALUE_BYTES_MAX}");
        Err(self.exceeds(Violation::StateValue, words))
    }

    /// Whether the keys of groups, which are stored with every entry, are short enough together.
    fn check_keys(&mut self, groups: &[u32]) -> Answer<()> {
        let seen: usize = groups.iter().map(|group| self.groups.key(*group).key.len()).sum();
        if seen <= STATE_BYTES_PER_CALL_MAX {
            return Ok(());
        }
        let words =
            format!("keys of {seen} bytes for the entries of one call; the limit is {STATE_BYTES_PER_CALL_MAX}");
        Err(self.exceeds(Violation::StateValue, words))
    }

    fn check_written(&mut self) -> Answer<()> {
        let written = |state: &super::State| match &state.store {
            Store::Single(single) => single.written_bytes(),
            Store::Several(several) => several.written_bytes(),
        };
        let seen: usize = self.states.iter().map(written).sum();
        if seen <= STATE_BYTES_PER_CALL_MAX {
            return Ok(());
        }
        let words = format!("{seen} bytes of state written in one call; the limit is {STATE_BYTES_PER_CALL_MAX}");
        Err(self.exceeds(Violation::StateValue, words))
    }

    fn wrong_kind(&self, state: u32, function: &str) -> StateError {
        let declared = &self.states[state as usize].declared;
        let (name, kind) = (&declared.name, declared.kind_name());
        StateError::WrongKind(format!("`{function}` of the state `{name}`, which is of kind {kind}"))
    }

    fn map_keys(&mut self, state: u32, groups: &[u32], message: &Buffer, function: &str) -> Answer<RowBytes> {
        self.check_keys(groups)?;
        let columns = match &self.states[state as usize].store {
            Store::Several(Several { map_keys: Some(columns), .. }) => columns,
            _ => return Err(self.wrong_kind(state, function)),
        };
        let batch = columns.gate(message, groups.len(), STATE_BYTES_PER_CALL_MAX)?;
        let rows = columns.rows(&batch);
        self.available(rows)
    }

    fn values(&mut self, state: u32, groups: &[u32], message: &Buffer) -> Answer<RowBytes> {
        let columns = match &self.states[state as usize].store {
            Store::Several(several) => &several.columns,
            Store::Single(single) => &single.columns,
        };
        let batch = columns.gate(message, groups.len(), STATE_BYTES_PER_CALL_MAX)?;
        let rows = columns.rows(&batch);
        self.available(rows)
    }

    fn with_single<T>(
        &mut self,
        state: u32,
        with: impl FnOnce(&mut Single, &super::Groups, &mut Budget) -> Result<T>,
    ) -> Result<T> {
        match &mut self.states[state as usize].store {
            Store::Single(single) => with(single, &self.groups, &mut self.budget),
            Store::Several(_) => Err(volley_api::Error::internal("a state of many rows was taken for one of one")),
        }
    }

    fn with_several<T>(
        &mut self,
        state: u32,
        with: impl FnOnce(&mut Several, &super::Groups, &mut Budget) -> Result<T>,
    ) -> Result<T> {
        match &mut self.states[state as usize].store {
            Store::Several(several) => with(several, &self.groups, &mut self.budget),
            Store::Single(_) => Err(volley_api::Error::internal("a state of one row was taken for one of many")),
        }
    }

    /// The answer of the storage to a read, unless there is more than a call may read.
    fn read<T>(&mut self, answer: Counted<T>) -> Answer<T> {
        self.available(answer)?.map_err(|TooMuch| {
            let words = format!("more than {STATE_READ_BYTES_PER_CALL_MAX} bytes of state read in one call");
            self.exceeds(Violation::StateValue, words)
        })
    }

    /// The answer of the storage; where it failed, the call fails too, whatever the plugin makes of it.
    fn available<T>(&mut self, answer: Result<T>) -> Answer<T> {
        answer.map_err(|error| {
            let words = error.to_string();
            self.failure.get_or_insert(error);
            StateError::Unavailable(words)
        })
    }
}

fn too_much<T>(too_much: TooMuch) -> Counted<T> {
    Ok(Err(too_much))
}

fn bitmap(present: &[bool]) -> Vec<u8> {
    let mut bits = BooleanBufferBuilder::new(present.len());
    bits.append_slice(present);
    bits.finish().into_inner().as_slice()[..present.len().div_ceil(8)].to_vec()
}
