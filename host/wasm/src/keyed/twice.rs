//! A call that is made twice: what the first has written is laid aside meanwhile, and compared with what the second writes.
//!
//! Nothing of the second is stored: what both read is the state from before the call. The second is told keys by numbers of its
//! own, as an instance is that has met none, in the order of the first one's numbers.

use std::collections::{BTreeMap, HashMap};

use volley_api::{KeyGroup, Result, StateKey};

use super::budget::Budget;
use super::entry::{Count, KEY_LENGTH_BYTES};
use super::groups::Groups;
use super::single::{self, Single, VALUES};
use super::timers::{Place, Timers};
use super::{CallKeys, Keyed, Store};
use crate::contract::{TimeDomain, Timer};
use crate::violation::Violation;

/// What a call has written and read so far.
pub(crate) struct LaidAside {
    groups: Groups,
    unstored: Unstored,
    entries: usize,
    budget: Budget,
    exceeded: Option<(Violation, String)>,
}

/// What a call has written that is not stored yet.
struct Unstored {
    states: Vec<UnstoredState>,
    timers: UnstoredTimers,
}

enum UnstoredState {
    Single(single::Written),
    Several { written: Entries, bytes: usize, counts: HashMap<u32, Count> },
}

/// What a call has done to timers.
#[derive(Default)]
struct UnstoredTimers {
    changes: BTreeMap<(TimeDomain, Place), bool>,
    new_counts: HashMap<u32, u32>,
    changes_in_call: usize,
    new_waiting: Vec<(TimeDomain, Place)>,
    fired: HashMap<u32, i64>,
    at_once: HashMap<u64, u32>,
}

type Entries = BTreeMap<Vec<u8>, (KeyGroup, Option<Vec<u8>>)>;

/// Cells by key, of those keys for which something was written: removed where there is none.
type Cells<'a> = BTreeMap<(KeyGroup, &'a [u8]), Option<&'a [u8]>>;

impl Keyed {
    /// The call under way begins once more for an instance that knows no keys: on rows of these keys.
    pub(crate) fn begin_again<'a>(
        &mut self,
        keys: impl Iterator<Item = StateKey<'a>>,
    ) -> Result<(LaidAside, CallKeys)> {
        let first: Vec<u32> = keys.map(|key| self.groups.of_call(key)).collect();
        let mut distinct = first.clone();
        distinct.sort_unstable();
        distinct.dedup();
        let mut groups = Groups::default();
        groups.begin();
        let again: HashMap<u32, u32> =
            distinct.into_iter().map(|number| (number, groups.of_call(self.groups.key(number)))).collect();
        let laid_aside = LaidAside {
            groups: std::mem::replace(&mut self.groups, groups),
            unstored: self.take_unstored(),
            entries: std::mem::take(&mut self.entries),
            budget: std::mem::replace(&mut self.budget, Budget::new()),
            exceeded: self.exceeded.take(),
        };
        match self.new_keys(0) {
            Ok(new) => {
                let groups = first.iter().map(|number| again.get(number).copied().unwrap_or_default()).collect();
                Ok((laid_aside, CallKeys { groups, new }))
            }
            Err(error) => {
                self.end_again(laid_aside);
                Err(error)
            }
        }
    }

    /// These timers fire in the call that has begun once more.
    pub(crate) fn fire_again(&mut self, timers: &[Timer]) -> Result<()> {
        self.timers.fire(&self.groups, timers)
    }

    /// The call has ended that was made once more: all is as it was after the first. Gives what the second has written.
    pub(crate) fn end_again(&mut self, laid_aside: LaidAside) -> Written {
        let LaidAside { groups, unstored, entries, budget, exceeded } = laid_aside;
        let again = self.take_unstored();
        self.put_unstored(unstored);
        (self.entries, self.budget, self.exceeded) = (entries, budget, exceeded);
        Written { groups: std::mem::replace(&mut self.groups, groups), unstored: again }
    }

    /// How what the call under way has written differs from what it wrote when it was made once more, in words.
    pub(crate) fn differs(&mut self, again: &Written) -> Result<Option<String>> {
        let first = self.take_unstored();
        let differs = self.differ(&first, again);
        self.put_unstored(first);
        differs
    }

    fn differ(&mut self, first: &Unstored, again: &Written) -> Result<Option<String>> {
        let pairs = first.states.iter().zip(&again.unstored.states);
        for (state, (first, second)) in self.states.iter_mut().zip(pairs) {
            let (first, second) = (first.cells(&self.groups), second.cells(&again.groups));
            if first == second {
                continue;
            }
            for (group, key) in first.keys().chain(second.keys()) {
                let of = |cells: &Cells<'_>| cells.get(&(*group, *key)).map(|cell| cell.map(<[u8]>::to_vec));
                let (one, other) = (of(&first), of(&second));
                if one == other {
                    continue;
                }
                // What is written as it is stored already changes nothing.
                let mut stored = || state.store.stored(StateKey { group: *group, key });
                let one = one.map_or_else(&mut stored, Ok)?;
                let other = other.map_or_else(&mut stored, Ok)?;
                if state.store.row(one.as_deref()) != state.store.row(other.as_deref()) {
                    return Ok(Some(format!("it wrote something else to the state `{}`", state.declared.name)));
                }
            }
        }
        let is_same = first.timers.changes == again.unstored.timers.changes;
        Ok((!is_same).then(|| "it registered or deleted other timers".to_owned()))
    }

    fn take_unstored(&mut self) -> Unstored {
        let states = self.states.iter_mut().map(|state| match &mut state.store {
            Store::Single(single) => UnstoredState::Single(std::mem::take(&mut single.written)),
            Store::Several(several) => UnstoredState::Several {
                written: std::mem::take(&mut several.written),
                bytes: std::mem::take(&mut several.written_bytes),
                counts: std::mem::take(&mut several.counts),
            },
        });
        Unstored { states: states.collect(), timers: UnstoredTimers::default().swapped(&mut self.timers) }
    }

    /// Whatever is there instead is forgotten.
    fn put_unstored(&mut self, unstored: Unstored) {
        for (state, unstored) in self.states.iter_mut().zip(unstored.states) {
            match (&mut state.store, unstored) {
                (Store::Single(single), UnstoredState::Single(written)) => single.written = written,
                (Store::Several(several), UnstoredState::Several { written, bytes, counts }) => {
                    (several.written, several.written_bytes, several.counts) = (written, bytes, counts);
                }
                // They were taken from these very states.
                (Store::Single(_), UnstoredState::Several { .. }) | (Store::Several(_), UnstoredState::Single(_)) => {}
            }
        }
        unstored.timers.swapped(&mut self.timers);
    }
}

/// What a call has written that was made once more.
pub(crate) struct Written {
    groups: Groups,
    unstored: Unstored,
}

impl UnstoredTimers {
    /// Puts these in the place of what there is, which is given out.
    fn swapped(mut self, timers: &mut Timers) -> Self {
        std::mem::swap(&mut self.changes, &mut timers.changes);
        std::mem::swap(&mut self.new_counts, &mut timers.new_counts);
        std::mem::swap(&mut self.changes_in_call, &mut timers.changes_in_call);
        std::mem::swap(&mut self.new_waiting, &mut timers.new_waiting);
        std::mem::swap(&mut self.fired, &mut timers.fired);
        std::mem::swap(&mut self.at_once, &mut timers.at_once);
        self
    }
}

impl UnstoredState {
    fn cells<'a>(&'a self, groups: &'a Groups) -> Cells<'a> {
        match self {
            Self::Single(written) => written
                .rows()
                .map(|(place, row)| {
                    let key = groups.key_at(place);
                    ((key.group, key.key), row)
                })
                .collect(),
            Self::Several { written, .. } => {
                written.iter().map(|(key, (group, cell))| ((*group, &key[..]), cell.as_deref())).collect()
            }
        }
    }
}

impl Store {
    /// What is stored under a key, as it is written: without the time of writing where a state has one row for each key.
    fn stored(&mut self, key: StateKey<'_>) -> Result<Option<Vec<u8>>> {
        let state = match self {
            Self::Single(single) => single.state(),
            Self::Several(several) => several.state(),
        };
        let cell = state.get_many(VALUES, &[key])?.pop().flatten();
        Ok(cell.and_then(|cell| match self {
            Self::Single(Single { life, .. }) => Some(life.opened(&cell)?.1.to_vec()),
            Self::Several(_) => Some(cell.to_vec()),
        }))
    }

    /// The row of a cell, as it is written.
    fn row<'a>(&self, cell: Option<&'a [u8]>) -> Option<&'a [u8]> {
        match self {
            Self::Single(_) => cell,
            Self::Several(several) => several.life.opened(cell?)?.1.get(KEY_LENGTH_BYTES..),
        }
    }
}

#[cfg(test)]
mod tests;
