//! Runs by key: those of late in memory, the others in keyed state.

use std::collections::HashMap;
use std::sync::Arc;

use volley_api::{KeyedSnapshot, Namespace, OperatorContext, Result, StateOptions};

use super::run::{self, Run};
use crate::keyed::{Cursor, KeyCodec, PAGE_ENTRIES, StateSlot};
use crate::window::base::WINDOWS;

/// What is kept beside the bytes of a run and its key.
const ENTRY_BYTES: usize = 192;

/// The namespace of all runs: they are found by key.
const NAMESPACE: i64 = 0;

/// A key and its runs.
type KeyRuns = (Box<[u8]>, Vec<Run>);

/// All runs of one subtask.
pub(super) struct Store {
    slot: StateSlot,
    keys: Arc<KeyCodec>,
    /// The runs of keys that were touched since runs were last stored; those that are stored count no more. No runs at all
    /// stand here where a key's stored runs have gone.
    recent: HashMap<Box<[u8]>, Vec<Run>>,
    /// Of what is recent.
    bytes: usize,
    /// Runs of which nothing was put out.
    pending: usize,
}

impl Store {
    /// With what a checkpoint has of them.
    pub(super) fn new(
        context: &Arc<OperatorContext>,
        layout: &Arc<str>,
        keys: Arc<KeyCodec>,
        options: StateOptions,
    ) -> Result<Self> {
        let slot = StateSlot::new(context, WINDOWS, layout, options)?;
        let mut store = Self { slot, keys, recent: HashMap::new(), bytes: 0, pending: 0 };
        // Only a look at each tells how many are pending.
        let mut cursor = Cursor::within(NAMESPACE);
        loop {
            let page = store.slot.next_page(&mut cursor)?;
            if page.is_empty() {
                return Ok(store);
            }
            for entry in page {
                store.pending += pending(&run::decode(&entry.value)?);
            }
        }
    }

    /// The runs of each key, which are to be put back; no key may occur twice.
    pub(super) fn take(&mut self, keys: &[Box<[u8]>]) -> Result<Vec<Vec<Run>>> {
        let mut unknown = Vec::new();
        let mut taken = Vec::with_capacity(keys.len());
        for (number, key) in keys.iter().enumerate() {
            let recent = self.recent.remove(key);
            match &recent {
                Some(runs) => self.bytes -= bytes_of(key, runs),
                None => unknown.push(number),
            }
            taken.push(recent.unwrap_or_default());
        }
        if self.slot.is_open() && !unknown.is_empty() {
            let keys: Vec<&[u8]> = unknown.iter().map(|number| &keys[*number][..]).collect();
            let found = self.slot.get_many(&self.keys, NAMESPACE, &keys)?;
            for (number, value) in unknown.into_iter().zip(found) {
                taken[number] = value.map_or(Ok(Vec::new()), |value| run::decode(&value))?;
            }
        }
        self.pending -= taken.iter().map(|runs| pending(runs)).sum::<usize>();
        Ok(taken)
    }

    /// Puts the runs of a key back.
    pub(super) fn put(&mut self, key: Box<[u8]>, runs: Vec<Run>) {
        // Where nothing is stored, nothing has to be removed.
        if !runs.is_empty() || self.slot.is_open() {
            self.bytes += bytes_of(&key, &runs);
            self.pending += pending(&runs);
            self.recent.insert(key, runs);
        }
    }

    /// Some of the runs that there are, which are gone then; none when there are no more.
    pub(super) fn take_some(&mut self) -> Result<Vec<KeyRuns>> {
        if !self.slot.is_open() {
            (self.bytes, self.pending) = (0, 0);
            return Ok(self.recent.drain().collect());
        }
        self.drain()?;
        let page = self.slot.next_page(&mut Cursor::within(NAMESPACE))?;
        let keys: Vec<&[u8]> = page.iter().map(|entry| &entry.key[..]).collect();
        self.remove(&keys)?;
        let taken: Vec<_> =
            page.iter().map(|entry| Ok((entry.key[..].into(), run::decode(&entry.value)?))).collect::<Result<_>>()?;
        self.pending -= taken.iter().map(|(_, runs)| pending(runs)).sum::<usize>();
        Ok(taken)
    }

    /// Stores what is recent.
    pub(super) fn drain(&mut self) -> Result<()> {
        self.bytes = 0;
        let (gone, changed): (Vec<_>, Vec<_>) =
            std::mem::take(&mut self.recent).into_iter().partition(|(_, runs)| runs.is_empty());
        for page in changed.chunks(PAGE_ENTRIES) {
            let keys: Vec<&[u8]> = page.iter().map(|(key, _)| &key[..]).collect();
            let values: Vec<Vec<u8>> = page.iter().map(|(_, runs)| run::encode(runs)).collect::<Result<_>>()?;
            let values: Vec<&[u8]> = values.iter().map(|value| &value[..]).collect();
            self.slot.put_many(&self.keys, NAMESPACE, &keys, &values)?;
        }
        self.remove(&gone.iter().map(|(key, _)| &key[..]).collect::<Vec<_>>())
    }

    fn remove(&mut self, keys: &[&[u8]]) -> Result<()> {
        for page in keys.chunks(PAGE_ENTRIES) {
            let page = self.keys.with_groups(page)?;
            self.slot.open()?.remove_many(Namespace(NAMESPACE), &page)?;
        }
        Ok(())
    }

    /// What a checkpoint keeps.
    pub(super) fn snapshot(&mut self) -> Result<KeyedSnapshot> {
        self.drain()?;
        self.slot.snapshot()
    }

    /// How many keys are in memory.
    pub(super) fn len(&self) -> usize {
        self.recent.len()
    }

    pub(super) fn memory_bytes(&self) -> usize {
        self.bytes
    }

    /// How many runs have put nothing out yet.
    pub(super) fn pending(&self) -> usize {
        self.pending
    }
}

fn pending(runs: &[Run]) -> usize {
    runs.iter().filter(|run| run.revision.is_none()).count()
}

fn bytes_of(key: &[u8], runs: &[Run]) -> usize {
    key.len() + ENTRY_BYTES + runs.iter().map(|run| run.state.len() + ENTRY_BYTES).sum::<usize>()
}
