//! The rows that were kept, by key and event time: those of late in memory, the others in keyed state.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arrow::array::{Array, Int64Array};
use arrow::buffer::BooleanBuffer;
use arrow::row::Rows;
use hashbrown::{HashMap, HashSet};
use volley_api::{Error, KeyedSnapshot, Namespace, OperatorContext, Result, StateOptions};

use crate::keyed::{KeyCodec, StateSlot};

/// Name of the state: the namespace is the number of a stretch of `within`, and the value of a key when in it a row was kept.
pub(super) const KEPT: &str = "kept";

/// What is known of a kept row beside the bytes of its key.
const ENTRY_BYTES: usize = 48;

/// When rows were kept.
///
/// Time is cut into stretches of `within`. Rows that are kept of one key are at least that far apart, so there is one in a
/// stretch at most; and what a row repeats is in its own stretch or one beside it.
pub(super) struct Kept {
    slot: StateSlot,
    keys: KeyCodec,
    within_ms: i64,
    /// By stretch the rows that were kept since they were last stored.
    recent: BTreeMap<i64, HashMap<Box<[u8]>, i64>>,
    /// The stretches that the state has entries of.
    stored: BTreeSet<i64>,
    /// How many are recent, and what they take.
    rows: usize,
    bytes: usize,
}

/// What is known of a key around a time.
#[derive(Debug, Clone, Copy)]
struct Near {
    stretch: i64,
    /// Rows that were kept in the stretch before, in this one and in the next.
    times: [Option<i64>; 3],
}

impl Kept {
    /// With what a checkpoint has of them.
    pub(super) fn new(
        context: &Arc<OperatorContext>,
        layout: &Arc<str>,
        keys: KeyCodec,
        within_ms: i64,
        options: StateOptions,
    ) -> Result<Self> {
        let mut slot = StateSlot::new(context, KEPT, layout, options)?;
        let stored = slot.namespaces()?.into_iter().collect();
        Ok(Self { slot, keys, within_ms, recent: BTreeMap::new(), stored, rows: 0, bytes: 0 })
    }

    pub(super) fn codec(&self) -> &KeyCodec {
        &self.keys
    }

    /// Which rows are no repeats, and are kept. The key of a row is that of its number.
    pub(super) fn keep(&mut self, keys: &Rows, numbers: &[usize], times: &Int64Array) -> Result<BooleanBuffer> {
        let stored = self.look_up(keys, numbers, times)?;
        let Self { within_ms, recent, rows, bytes, .. } = self;
        let within_ms = *within_ms;
        let mut near: Vec<Option<Near>> = vec![None; keys.num_rows()];
        Ok(BooleanBuffer::collect_bool(times.len(), |row| {
            // A row without event time, which a plugin can make, is no repeat of anything.
            if times.is_null(row) {
                return true;
            }
            let (time_ms, number) = (times.value(row), numbers[row]);
            let (stretch, key) = (time_ms.div_euclid(within_ms), keys.row(number));
            let near = match &mut near[number] {
                Some(near) if near.stretch == stretch => near,
                other => {
                    let known = |stretch: i64| {
                        let recent = recent.get(&stretch).and_then(|recent| recent.get(key.data()));
                        recent.or_else(|| stored.get(&(stretch, number))).copied()
                    };
                    other.insert(Near { stretch, times: [known(stretch - 1), known(stretch), known(stretch + 1)] })
                }
            };
            if near.times.into_iter().flatten().any(|kept_ms| (time_ms - kept_ms).abs() < within_ms) {
                return false;
            }
            near.times[1] = Some(time_ms);
            *rows += 1;
            *bytes += key.data().len() + ENTRY_BYTES;
            recent.entry(stretch).or_default().insert(key.data().into(), time_ms);
            true
        }))
    }

    /// What the state has, and memory has not, of the keys of rows around their times: by stretch and the key's number.
    fn look_up(&mut self, keys: &Rows, numbers: &[usize], times: &Int64Array) -> Result<HashMap<(i64, usize), i64>> {
        let mut found = HashMap::new();
        if self.stored.is_empty() {
            return Ok(found);
        }
        let mut wanted: BTreeMap<i64, HashSet<usize>> = BTreeMap::new();
        let mut last = None;
        for (time_ms, number) in times.iter().zip(numbers) {
            let Some(stretch) = time_ms.map(|time_ms| time_ms.div_euclid(self.within_ms)) else { continue };
            if last.replace((stretch, *number)) == Some((stretch, *number)) {
                continue;
            }
            for stretch in self.stored.range(stretch - 1..=stretch + 1) {
                wanted.entry(*stretch).or_default().insert(*number);
            }
        }
        for (stretch, numbers) in wanted {
            let recent = self.recent.get(&stretch);
            let numbers = numbers.into_iter();
            let numbers: Vec<usize> = numbers
                .filter(|number| recent.is_none_or(|recent| !recent.contains_key(keys.row(*number).data())))
                .collect();
            let unknown: Vec<&[u8]> = numbers.iter().map(|number| keys.row(*number).data()).collect();
            let values = self.slot.get_many(&self.keys, stretch, &unknown)?;
            for (number, value) in numbers.into_iter().zip(values) {
                if let Some(value) = value {
                    let time = value.as_array().copied().map(i64::from_le_bytes);
                    let time = time.ok_or_else(|| Error::external("a stored time is not of eight bytes"))?;
                    found.insert((stretch, number), time);
                }
            }
        }
        Ok(found)
    }

    /// Forgets the rows that none behind a watermark can repeat.
    pub(super) fn forget(&mut self, watermark_ms: i64) -> Result<()> {
        let within_ms = self.within_ms;
        // The last row that one at the end of the stretch would refuse.
        let reach_ms = |stretch: i64| stretch.saturating_add(2).saturating_mul(within_ms).saturating_sub(2);
        while let Some(first) = self.recent.first_entry().filter(|first| reach_ms(*first.key()) <= watermark_ms) {
            let gone = first.remove();
            self.rows -= gone.len();
            self.bytes -= gone.keys().map(|key| key.len() + ENTRY_BYTES).sum::<usize>();
        }
        while let Some(&first) = self.stored.first().filter(|first| reach_ms(**first) <= watermark_ms) {
            self.stored.pop_first();
            self.slot.open()?.remove_namespace(Namespace(first))?;
        }
        Ok(())
    }

    /// Stores what is recent.
    pub(super) fn drain(&mut self) -> Result<()> {
        (self.rows, self.bytes) = (0, 0);
        for (stretch, rows) in std::mem::take(&mut self.recent) {
            let (keys, times): (Vec<&[u8]>, Vec<[u8; 8]>) =
                rows.iter().map(|(key, time_ms)| (&key[..], time_ms.to_le_bytes())).unzip();
            let times: Vec<&[u8]> = times.iter().map(|time| &time[..]).collect();
            self.slot.put_many(&self.keys, stretch, &keys, &times)?;
            self.stored.insert(stretch);
        }
        Ok(())
    }

    /// What a checkpoint keeps.
    pub(super) fn snapshot(&mut self) -> Result<KeyedSnapshot> {
        self.drain()?;
        self.slot.snapshot()
    }

    /// How many rows are known in memory.
    pub(super) fn len(&self) -> usize {
        self.rows
    }

    pub(super) fn memory_bytes(&self) -> usize {
        self.bytes
    }
}
