//! When there is something to do for which key: what comes soon in memory, the rest in keyed state.

use std::collections::BTreeMap;
use std::sync::Arc;

use volley_api::{Error, KeyedSnapshot, Namespace, OperatorContext, Result, StateKey, StateOptions};

use crate::keyed::{KeyCodec, PAGE_ENTRIES, StateSlot};

/// Name of the state: the namespace is a stretch of time, and the value of a key when in it there is something to do.
pub(super) const DUE: &str = "due";

/// The shortest stretch of a namespace: many of few keys would cost more than their entries.
const STRETCH_MS_MIN: i64 = 1_000;

/// A gap has so many stretches: keys of one come into memory together.
const STRETCHES_PER_GAP: i64 = 16;

/// What a note takes beside its key.
const NOTE_BYTES: usize = 48;

/// Keys by when to look at them. A key may be noted for several times; what matters is that it is for none too late.
pub(super) struct Due {
    slot: StateSlot,
    keys: Arc<KeyCodec>,
    stretch_ms: i64,
    /// What was noted since notes were last stored, and stored notes whose stretch has begun.
    soon: BTreeMap<i64, Vec<Box<[u8]>>>,
    /// How many notes are in `soon`, and their bytes.
    notes: usize,
    bytes: usize,
}

impl Due {
    /// With what a checkpoint has of it. Sessions of a gap are noted about that far ahead.
    pub(super) fn new(
        context: &Arc<OperatorContext>,
        layout: &Arc<str>,
        keys: Arc<KeyCodec>,
        gap_ms: i64,
        options: StateOptions,
    ) -> Result<Self> {
        let slot = StateSlot::new(context, DUE, layout, options)?;
        Ok(Self {
            slot,
            keys,
            stretch_ms: (gap_ms / STRETCHES_PER_GAP).max(STRETCH_MS_MIN),
            soon: BTreeMap::new(),
            notes: 0,
            bytes: 0,
        })
    }

    /// Notes when there is something to do for a key.
    pub(super) fn note(&mut self, key: &[u8], at_ms: i64) {
        self.notes += 1;
        self.bytes += key.len() + NOTE_BYTES;
        self.soon.entry(at_ms).or_default().push(key.into());
    }

    /// Some of the keys that are noted for a time that has come, each once and no longer noted; none when there are no more.
    pub(super) fn next(&mut self, at_ms: i64) -> Result<Vec<Box<[u8]>>> {
        loop {
            let mut keys: Vec<Box<[u8]>> = Vec::new();
            while let Some(noted) = self.soon.first_entry().filter(|noted| *noted.key() <= at_ms)
                && keys.len() < PAGE_ENTRIES
            {
                keys.extend(noted.remove());
            }
            if !keys.is_empty() {
                self.notes -= keys.len();
                self.bytes -= keys.iter().map(|key| key.len() + NOTE_BYTES).sum::<usize>();
                keys.sort_unstable();
                keys.dedup();
                return Ok(keys);
            }
            if !self.load(at_ms)? {
                return Ok(keys);
            }
        }
    }

    /// Takes some notes out of state whose stretch has begun; false when there are none.
    fn load(&mut self, at_ms: i64) -> Result<bool> {
        let begun = Namespace(i64::MIN)..=Namespace(at_ms.div_euclid(self.stretch_ms));
        let Some(state) = self.slot.opened() else { return Ok(false) };
        let page = state.scan(begun, None, PAGE_ENTRIES)?;
        for of_stretch in page.chunk_by(|one, other| one.namespace == other.namespace) {
            let keys = of_stretch.iter().map(|entry| StateKey { group: entry.group, key: &entry.key });
            state.remove_many(of_stretch[0].namespace, &keys.collect::<Vec<_>>())?;
        }
        for entry in &page {
            let at_ms = entry.value.as_array().copied().map(i64::from_le_bytes);
            let at_ms = at_ms.ok_or_else(|| Error::external("a stored time is not of eight bytes"))?;
            self.note(&entry.key, at_ms);
        }
        Ok(!page.is_empty())
    }

    /// Stores all notes.
    pub(super) fn drain(&mut self) -> Result<()> {
        (self.notes, self.bytes) = (0, 0);
        // From the latest on: of a key that has several in one stretch the earliest stays. One that is stored is replaced:
        // when the key was noted anew, nothing was to be done earlier.
        let noted: Vec<_> = std::mem::take(&mut self.soon).into_iter().rev().collect();
        let stretch_ms = self.stretch_ms;
        let stretch = |at_ms: i64| at_ms.div_euclid(stretch_ms);
        for of_stretch in noted.chunk_by(|(one, _), (other, _)| stretch(*one) == stretch(*other)) {
            let times: Vec<[u8; 8]> = of_stretch.iter().map(|(at_ms, _)| at_ms.to_le_bytes()).collect();
            let (mut keys, mut values): (Vec<&[u8]>, Vec<&[u8]>) = (Vec::new(), Vec::new());
            for ((_, of_time), time) in of_stretch.iter().zip(&times) {
                keys.extend(of_time.iter().map(|key| &key[..]));
                values.resize(keys.len(), &time[..]);
            }
            self.slot.put_many(&self.keys, stretch(of_stretch[0].0), &keys, &values)?;
        }
        Ok(())
    }

    /// What a checkpoint keeps.
    pub(super) fn snapshot(&mut self) -> Result<KeyedSnapshot> {
        self.drain()?;
        self.slot.snapshot()
    }

    /// How many notes are in memory.
    pub(super) fn len(&self) -> usize {
        self.notes
    }

    pub(super) fn memory_bytes(&self) -> usize {
        self.bytes
    }
}
