//! State that operators hold themselves, in checkpoints: as keyed state of the host, so that it is dealt out by key group.
//!
//! A part of a key group lies under that group. One of any lies under a key group of the instance that gave it, one after
//! the other in turn: so each part goes to exactly one instance when key groups are dealt out anew, and always to the same.

use std::sync::Arc;

use bytes::Bytes;
use volley_api::{
    Error, KeyGroup, KeyGroupRange, KeyedSnapshot, KeyedState, Namespace, OperatorContext, Result, SnapshotFile,
    StateEntry, StateKey, StateSnapshot,
};

use super::record::Record;
use crate::contract::Part;

/// The state's name.
pub(crate) const STATE: &str = "host-component";

/// Where parts of key groups lie.
const OF_GROUP: Namespace = Namespace(0);
/// Where parts of any lie.
const OF_ANY: Namespace = Namespace(1);

/// Entries that are read at once.
const PAGE_ENTRIES: usize = 1_024;

/// Bytes of a part's version, which stands before it.
const VERSION_BYTES: usize = 4;

/// The state, with the record of the component in its layout.
pub(crate) struct Stored {
    state: Box<dyn KeyedState>,
    layout: Arc<str>,
}

impl Stored {
    /// Opens the state, with what the checkpoint has of it, whichever component wrote it.
    pub(crate) fn open(context: &OperatorContext, record: &Record) -> Result<Self> {
        let layout = record.layout();
        let mut context = context.clone();
        for part in context.restored.keyed.get_mut(STATE).into_iter().flatten() {
            part.layout = Arc::clone(&layout);
        }
        Ok(Self { state: context.open_state(STATE, &layout)?, layout })
    }

    /// What is there: the parts of the instance's key groups, and its share of those of any.
    pub(crate) fn parts(&mut self) -> Result<Vec<Part>> {
        let mut parts = Vec::new();
        let mut after: Option<StateEntry> = None;
        loop {
            let page = self.state.scan(OF_GROUP..=OF_ANY, after.as_ref(), PAGE_ENTRIES)?;
            for entry in &page {
                let (version, bytes) = entry
                    .value
                    .split_first_chunk::<VERSION_BYTES>()
                    .ok_or_else(|| Error::external("a stored part of an operator's state has no version"))?;
                let key_group = (entry.namespace == OF_GROUP).then_some(entry.group.0);
                parts.push(Part { key_group, version: u32::from_le_bytes(*version), bytes: bytes.to_vec() });
            }
            if page.len() < PAGE_ENTRIES {
                return Ok(parts);
            }
            after = page.into_iter().next_back();
        }
    }

    /// Puts these parts in the place of those that were there. They are of the instance's key groups.
    pub(crate) fn replace(&mut self, parts: &[Part], key_groups: KeyGroupRange) -> Result<()> {
        self.state.remove_namespace(OF_GROUP)?;
        self.state.remove_namespace(OF_ANY)?;
        for (namespace, is_any) in [(OF_GROUP, false), (OF_ANY, true)] {
            let of = parts.iter().filter(|part| part.key_group.is_none() == is_any);
            let mut groups = Vec::new();
            let mut numbers = Vec::new();
            let mut values = Vec::new();
            let first = u8::try_from(key_groups.start).unwrap_or_default();
            let width = u8::try_from(key_groups.end.saturating_sub(key_groups.start)).unwrap_or(u8::MAX).max(1);
            let mut turn = 0;
            for (number, part) in (0_u32..).zip(of) {
                groups.push(KeyGroup(part.key_group.unwrap_or(first.saturating_add(turn))));
                turn = (turn + 1) % width;
                // The instance's own parts only, so numbers alone tell them apart.
                numbers.push(number.to_be_bytes());
                values.push(Bytes::from([&part.version.to_le_bytes()[..], &part.bytes].concat()));
            }
            let key = |(group, number): (&KeyGroup, &'_ [u8; 4])| (*group, *number);
            let keys: Vec<(KeyGroup, [u8; 4])> = groups.iter().zip(&numbers).map(key).collect();
            let keys: Vec<StateKey<'_>> =
                keys.iter().map(|(group, number)| StateKey { group: *group, key: number }).collect();
            let values: Vec<&[u8]> = values.iter().map(|value| &value[..]).collect();
            if !keys.is_empty() {
                self.state.put_many(namespace, &keys, &values)?;
            }
        }
        Ok(())
    }

    /// What a checkpoint keeps.
    pub(crate) fn snapshot(&mut self, context: &OperatorContext) -> Result<KeyedSnapshot> {
        context.snapshot_of(STATE, &self.layout, &mut *self.state)
    }
}

/// A snapshot that there is not: the checkpoint that asks for its files is abandoned.
pub(crate) struct Abandoned(pub(crate) Option<Error>);

impl StateSnapshot for Abandoned {
    fn files(&mut self) -> Result<Vec<SnapshotFile>> {
        Err(self.0.take().unwrap_or_else(|| Error::plugin("the plugin gave no state of its own")))
    }
}
