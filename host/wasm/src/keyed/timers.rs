//! Timers as keyed state, in time order: the namespace is a second, the key that of the group with time and tag behind it.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::hash::BuildHasher;

use bytes::Bytes;
use hashbrown::DefaultHashBuilder;
use volley_api::{EVENT_TIME_MS_MAX, Error, KeyGroup, KeyedState, Namespace, Result, StateEntry, StateKey};

use super::groups::Groups;
use super::limits::{
    TIMERS_AFTER_END_MAX, TIMERS_MAX, TIMERS_PER_CALL_MAX, TIMERS_PER_KEY_MAX, TIMERS_PER_WATERMARK_MAX,
};
use crate::contract::{TimeDomain, Timer, TimerError};

/// A namespace is a stretch of time: many of few timers would cost more than their entries.
const STRETCH_MS: i64 = 1_000;

/// Timers that come from the state at once.
const PAGE_ENTRIES: usize = 8_192;

/// Bytes behind a group's key: the time, then the tag.
const TAIL_BYTES: usize = 12;

/// A timer that is due.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Due {
    pub(crate) group: KeyGroup,
    pub(crate) key: Bytes,
    pub(crate) at_ms: i64,
    pub(crate) tag: u32,
}

/// Where one timer stands: key group and whole key, within its stretch.
pub(super) type Place = (i64, KeyGroup, Vec<u8>);

/// Timers of both kinds of time.
pub(crate) struct Timers {
    event: Box<dyn KeyedState>,
    clock: Box<dyn KeyedState>,
    counts: Box<dyn KeyedState>,
    /// What the call under way has registered (true) and deleted (false).
    pub(super) changes: BTreeMap<(TimeDomain, Place), bool>,
    /// How many timers keys have by then.
    pub(super) new_counts: HashMap<u32, u32>,
    pub(super) changes_in_call: usize,
    /// Registered while timers fire, for a time that is over for their key: they wait for the next watermark.
    waiting: BTreeSet<(TimeDomain, Place)>,
    /// The same, of the call under way.
    pub(super) new_waiting: Vec<(TimeDomain, Place)>,
    /// When the timers of the call under way were due, by the number of their key; empty where rows are processed.
    pub(super) fired: HashMap<u32, i64>,
    /// The input has ended: no watermark comes that could wake what waits for the next one.
    ended: bool,
    /// How far event time has come.
    reached_ms: i64,
    /// How often a key has registered a timer that is due at once since event time advanced last, by a hash of the key.
    pub(super) at_once: HashMap<u64, u32>,
    hasher: DefaultHashBuilder,
    /// The time of the first timer of the clock, where it is known: `None` inside when there is none.
    next_clock_ms: Option<Option<i64>>,
}

impl Timers {
    pub(crate) fn new(event: Box<dyn KeyedState>, clock: Box<dyn KeyedState>, counts: Box<dyn KeyedState>) -> Self {
        Self {
            event,
            clock,
            counts,
            changes: BTreeMap::new(),
            new_counts: HashMap::new(),
            changes_in_call: 0,
            waiting: BTreeSet::new(),
            new_waiting: Vec::new(),
            fired: HashMap::new(),
            ended: false,
            reached_ms: i64::MIN,
            at_once: HashMap::new(),
            hasher: DefaultHashBuilder::default(),
            next_clock_ms: None,
        }
    }

    /// Its states, for snapshots: event time, clock, counts.
    pub(crate) fn states(&mut self) -> [&mut dyn KeyedState; 3] {
        [&mut *self.event, &mut *self.clock, &mut *self.counts]
    }

    fn state(&mut self, domain: TimeDomain) -> &mut dyn KeyedState {
        match domain {
            TimeDomain::EventTime => &mut *self.event,
            TimeDomain::ProcessingTime => &mut *self.clock,
        }
    }

    fn place(groups: &Groups, timer: &Timer) -> Place {
        let key = groups.key(timer.group);
        (timer.at_ms.div_euclid(STRETCH_MS), key.group, whole(key.key, timer.at_ms, timer.tag))
    }

    fn is_registered(&mut self, domain: TimeDomain, place: &Place) -> Result<bool> {
        if let Some(registered) = self.changes.get(&(domain, place.clone())) {
            return Ok(*registered);
        }
        let (stretch, group, key) = place;
        let found = self.state(domain).get_many(Namespace(*stretch), &[StateKey { group: *group, key }])?;
        Ok(found.iter().any(Option::is_some))
    }

    fn count(&mut self, groups: &Groups, group: u32) -> Result<u32> {
        if let Some(count) = self.new_counts.get(&group) {
            return Ok(*count);
        }
        let stored = self.counts.get_many(Namespace(0), &[groups.key(group)])?.pop().flatten();
        stored.map_or(Ok(0), |stored| count_of(&stored))
    }

    fn check(&mut self, groups: &Groups, timers: &[Timer]) -> std::result::Result<(), TimerError> {
        if let Some(timer) = timers.iter().find(|timer| !groups.is_of_call(timer.group)) {
            return Err(TimerError::UnknownGroup(timer.group));
        }
        const TIMES: std::ops::RangeInclusive<i64> = -EVENT_TIME_MS_MAX..=EVENT_TIME_MS_MAX;
        if let Some(timer) = timers.iter().find(|timer| !TIMES.contains(&timer.at_ms)) {
            let at_ms = timer.at_ms;
            return Err(TimerError::OutOfRange(format!(
                "a timer at {at_ms} ms; {EVENT_TIME_MS_MAX} either way is the limit"
            )));
        }
        self.changes_in_call = self.changes_in_call.saturating_add(timers.len());
        if self.changes_in_call > TIMERS_PER_CALL_MAX {
            let seen = self.changes_in_call;
            return Err(TimerError::LimitExceeded(format!(
                "{seen} timers in one call; the limit is {TIMERS_PER_CALL_MAX}"
            )));
        }
        Ok(())
    }

    /// Registers timers, or says why not, with nothing changed.
    pub(crate) fn register(
        &mut self,
        groups: &Groups,
        timers: &[Timer],
    ) -> Result<std::result::Result<(), TimerError>> {
        if let Err(refused) = self.check(groups, timers) {
            return Ok(Err(refused));
        }
        let in_all = self.event.len_estimate() + self.clock.len_estimate() + self.changes.len() + timers.len();
        if in_all > TIMERS_MAX {
            return Ok(Err(TimerError::LimitExceeded(format!("{in_all} timers in all; the limit is {TIMERS_MAX}"))));
        }
        let mut counts: HashMap<u32, u32> = HashMap::new();
        let mut new = Vec::new();
        let mut seen = BTreeSet::new();
        for timer in timers {
            let is_of_event_time = timer.domain == TimeDomain::EventTime;
            // At the end of the input nothing would wake it.
            if self.ended && is_of_event_time && self.is_over(timer) {
                continue;
            }
            let place = Self::place(groups, timer);
            if self.is_registered(timer.domain, &place)? || !seen.insert((timer.domain, place.clone())) {
                continue;
            }
            let mut count = counts.get(&timer.group).copied().map_or_else(|| self.count(groups, timer.group), Ok)?;
            count += 1;
            if count as usize > TIMERS_PER_KEY_MAX {
                let words = format!("{count} timers of one key; the limit is {TIMERS_PER_KEY_MAX}");
                return Ok(Err(TimerError::LimitExceeded(words)));
            }
            let is_at_once = !self.fired.is_empty() && timer.at_ms <= self.reached_ms;
            if is_of_event_time && (self.ended || is_at_once) && self.is_endless(groups, timer.group) {
                let words = if self.ended {
                    format!("timers of one key at {TIMERS_AFTER_END_MAX} times since the input has ended")
                } else {
                    format!("timers of one key at {TIMERS_PER_WATERMARK_MAX} times that one watermark has passed")
                };
                return Ok(Err(TimerError::LimitExceeded(format!(
                    "{words}; that is the limit: register a timer only where something waits for it"
                ))));
            }
            counts.insert(timer.group, count);
            new.push((*timer, place));
        }
        self.new_counts.extend(counts);
        for (timer, place) in new {
            if self.is_over(&timer) {
                self.new_waiting.push((timer.domain, place.clone()));
            }
            self.changes.insert((timer.domain, place), true);
        }
        Ok(Ok(()))
    }

    /// Whether a timer is for a time that has passed for its key in the call under way.
    fn is_over(&self, timer: &Timer) -> bool {
        self.fired.get(&timer.group).is_some_and(|fired_ms| timer.at_ms <= *fired_ms)
    }

    /// Whether a key goes on and on registering timers that nothing stops: no row and no barrier comes in between.
    fn is_endless(&mut self, groups: &Groups, group: u32) -> bool {
        let key = groups.key(group);
        let times = self.at_once.entry(self.hasher.hash_one(key.key)).or_default();
        *times = times.saturating_add(1);
        *times > if self.ended { TIMERS_AFTER_END_MAX } else { TIMERS_PER_WATERMARK_MAX }
    }

    /// Deletes timers, or says why not, with nothing changed.
    pub(crate) fn delete(&mut self, groups: &Groups, timers: &[Timer]) -> Result<std::result::Result<(), TimerError>> {
        if let Err(refused) = self.check(groups, timers) {
            return Ok(Err(refused));
        }
        for timer in timers {
            self.delete_one(groups, timer)?;
        }
        Ok(Ok(()))
    }

    fn delete_one(&mut self, groups: &Groups, timer: &Timer) -> Result<()> {
        let place = Self::place(groups, timer);
        if self.is_registered(timer.domain, &place)? {
            let count = self.count(groups, timer.group)?;
            self.new_counts.insert(timer.group, count.saturating_sub(1));
            self.changes.insert((timer.domain, place), false);
        }
        Ok(())
    }

    /// Some timers that are due at a time, by time; of each key those of its first time only. None when there are no more.
    pub(crate) fn due(&mut self, domain: TimeDomain, until_ms: i64, timers_max: usize) -> Result<Vec<Due>> {
        let stretches = Namespace(i64::MIN)..=Namespace(until_ms.div_euclid(STRETCH_MS));
        let mut due: Vec<Due> = Vec::new();
        let mut first: HashMap<Bytes, i64> = HashMap::new();
        let mut after: Option<StateEntry> = None;
        loop {
            let page = self.state(domain).scan(stretches.clone(), after.as_ref(), PAGE_ENTRIES)?;
            for entry in &page {
                let timer = Due::of_entry(entry)?;
                let place = || (domain, (entry.namespace.0, entry.group, entry.key.to_vec()));
                if timer.at_ms > until_ms || (!self.waiting.is_empty() && self.waiting.contains(&place())) {
                    continue;
                }
                if *first.entry(timer.key.clone()).or_insert(timer.at_ms) == timer.at_ms {
                    due.push(timer);
                    if due.len() == timers_max {
                        break;
                    }
                }
            }
            if page.len() < PAGE_ENTRIES || !due.is_empty() {
                break;
            }
            after = page.into_iter().next_back();
        }
        due.sort_by_key(|timer| timer.at_ms);
        Ok(due)
    }

    /// Those of some timers that are still registered.
    pub(crate) fn registered(&mut self, domain: TimeDomain, due: Vec<Due>) -> Result<Vec<Due>> {
        let mut kept = Vec::with_capacity(due.len());
        for due in due {
            let place = (due.at_ms.div_euclid(STRETCH_MS), due.group, whole(&due.key, due.at_ms, due.tag));
            if self.is_registered(domain, &place)? {
                kept.push(due);
            }
        }
        Ok(kept)
    }

    /// A call begins on timers that fire: they are registered no more.
    pub(crate) fn fire(&mut self, groups: &Groups, timers: &[Timer]) -> Result<()> {
        for timer in timers {
            self.delete_one(groups, timer)?;
            self.fired.insert(timer.group, timer.at_ms);
        }
        Ok(())
    }

    /// All timers that are due have fired: those that waited for the next time are like others.
    pub(crate) fn fired_all(&mut self) {
        self.waiting.clear();
    }

    /// Event time has advanced; `None`: the input has ended.
    pub(crate) fn advance(&mut self, reached_ms: Option<i64>) {
        self.ended |= reached_ms.is_none();
        self.reached_ms = reached_ms.unwrap_or(i64::MAX);
        self.at_once.clear();
    }

    /// The time of the first timer of the clock.
    pub(crate) fn next_clock_ms(&mut self) -> Result<Option<i64>> {
        if let Some(known) = self.next_clock_ms {
            return Ok(known);
        }
        // Within a stretch timers are not by time: the first stretch is read to its end.
        let mut next: Option<i64> = None;
        let mut after: Option<StateEntry> = None;
        let mut stretches = Namespace(i64::MIN)..=Namespace(i64::MAX);
        loop {
            let page = self.clock.scan(stretches.clone(), after.as_ref(), PAGE_ENTRIES)?;
            for entry in &page {
                if next.is_none() {
                    stretches = entry.namespace..=entry.namespace;
                }
                if stretches.contains(&entry.namespace) {
                    let at_ms = Due::of_entry(entry)?.at_ms;
                    next = Some(next.map_or(at_ms, |least| least.min(at_ms)));
                }
            }
            if page.len() < PAGE_ENTRIES {
                break;
            }
            after = page.into_iter().next_back();
        }
        self.next_clock_ms = Some(next);
        Ok(next)
    }

    /// The call has succeeded: what it registered and deleted is stored.
    pub(crate) fn commit(&mut self, groups: &Groups) -> Result<()> {
        for ((domain, (stretch, group, key)), registered) in std::mem::take(&mut self.changes) {
            let key = StateKey { group, key: &key };
            let namespace = Namespace(stretch);
            if domain == TimeDomain::ProcessingTime {
                self.next_clock_ms = None;
            }
            let state = self.state(domain);
            if registered {
                state.put_many(namespace, &[key], &[&[]])?;
            } else {
                state.remove_many(namespace, &[key])?;
            }
        }
        for (group, count) in self.new_counts.drain() {
            let key = groups.key(group);
            if count == 0 {
                self.counts.remove_many(Namespace(0), &[key])?;
            } else {
                self.counts.put_many(Namespace(0), &[key], &[&count.to_le_bytes()])?;
            }
        }
        self.waiting.extend(self.new_waiting.drain(..));
        self.begin();
        Ok(())
    }

    /// The call has failed: what it registered and deleted is forgotten.
    pub(crate) fn discard(&mut self) {
        self.changes.clear();
        self.new_counts.clear();
        self.new_waiting.clear();
        self.begin();
    }

    fn begin(&mut self) {
        self.changes_in_call = 0;
        self.fired.clear();
    }
}

impl Due {
    pub(super) fn of_entry(entry: &StateEntry) -> Result<Self> {
        let damaged = || Error::external("a stored timer is damaged");
        let split = entry.key.len().checked_sub(TAIL_BYTES).ok_or_else(damaged)?;
        let tail = &entry.key[split..];
        let at = tail.first_chunk::<8>().ok_or_else(damaged)?;
        let tag = tail.last_chunk::<4>().ok_or_else(damaged)?;
        Ok(Self {
            group: entry.group,
            key: entry.key.slice(..split),
            at_ms: i64::from_be_bytes(*at) ^ i64::MIN,
            tag: u32::from_be_bytes(*tag),
        })
    }
}

/// How many timers a key has, of the bytes that stand for it.
pub(super) fn count_of(stored: &[u8]) -> Result<u32> {
    let count = stored.as_array().copied().map(u32::from_le_bytes);
    count.ok_or_else(|| Error::external("a stored number of timers is not of four bytes"))
}

/// The whole key of a timer: bytes that are ordered as times are.
fn whole(key: &[u8], at_ms: i64, tag: u32) -> Vec<u8> {
    [key, &(at_ms ^ i64::MIN).to_be_bytes(), &tag.to_be_bytes()].concat()
}
