//! The keyed side of a process operator: keys by number, state and timers that the host holds, and what a call has written
//! and is not stored yet.
//!
//! State is stored when the call that wrote it has succeeded, and never before: so a call that traps can be made again in a
//! fresh instance, with other rows beside the guilty one or without it.

mod access;
mod budget;
mod columns;
mod declare;
mod entry;
mod groups;
mod life;
mod limits;
mod merge;
mod names;
mod of_group;
mod several;
mod single;
#[cfg(test)]
mod tests;
mod timers;
mod twice;
mod view;

use std::ops::Range;
use std::sync::Arc;

use arrow::array::ArrayRef;
use arrow::datatypes::FieldRef;
use volley_api::{Error, KeyCodec, KeyRows, KeyedSnapshot, KeyedState, OperatorContext, Result, StateKey, Watermark};

pub(crate) use self::columns::Columns;
pub(crate) use self::declare::{Declared, check as check_declared};
pub use self::limits::{
    KEYS_LIVE_MAX, STATE_BYTES_PER_CALL_MAX, STATE_ENTRIES_PER_CALL_MAX, STATE_ENTRIES_PER_KEY_MAX,
    STATE_READ_BYTES_PER_CALL_MAX, STATE_VALUE_BYTES_MAX, STATES_MAX, TIMERS_AFTER_END_MAX, TIMERS_MAX,
    TIMERS_PER_CALL_MAX, TIMERS_PER_KEY_MAX, TIMERS_PER_WATERMARK_MAX,
};
pub(crate) use self::names::lasting;
pub(crate) use self::single::VALUES;
pub(crate) use self::timers::Due;
pub(crate) use self::twice::Written;
pub(crate) use self::view::views;

use self::budget::Budget;
use self::groups::Groups;
use self::life::Life;
use self::limits::SWEEP_ENTRIES;
use self::several::Several;
use self::single::Single;
use self::timers::Timers;
use crate::contract::{StateKind, TimeDomain, Timer};
use crate::held::RECORD_STATE;
use crate::places::hit;
use crate::violation::Violation;

/// Names of the host's own states.
pub(crate) const EVENT_TIMERS: &str = "host-event-timers";
const CLOCK_TIMERS: &str = "host-clock-timers";
const TIMER_COUNTS: &str = "host-timer-counts";

/// One subtask's keys, states and timers.
pub(crate) struct Keyed {
    context: OperatorContext,
    codec: KeyCodec,
    groups: Groups,
    /// The instance that knows the numbers: another one knows none.
    instance: u64,
    states: Vec<State>,
    timers: Timers,
    timer_layout: Arc<str>,
    watermark: Option<Watermark>,
    /// The latest event time of rows, before there was a watermark.
    latest_ms: i64,
    /// How far event time had come before it advanced last.
    before_ms: i64,
    /// What time it is for values that have an end, in the call under way.
    now_ms: i64,
    /// When values are written that have an end: as late as the rows of the call, which the watermark is behind of.
    written_ms: i64,
    /// Whether groups may be addressed: not where a watermark is being processed.
    has_groups: bool,
    /// Entries of state that the call has read and written.
    entries: usize,
    /// Entries that calls have read and written since values were looked at for those that have come to their end.
    entries_since_sweep: usize,
    /// What the call under way may still read.
    budget: Budget,
    exceeded: Option<(Violation, String)>,
    failure: Option<Error>,
}

struct State {
    declared: Declared,
    layout: Arc<str>,
    store: Store,
}

enum Store {
    Single(Single),
    Several(Several),
}

/// The keys of a call, as they cross.
pub(crate) struct CallKeys {
    /// For each row or timer the number of its key.
    pub(crate) groups: Vec<u32>,
    /// The first number that the instance has not seen, and the columns of the keys from there on.
    pub(crate) new: Option<(u32, Vec<ArrayRef>)>,
}

impl Keyed {
    /// Opens all states, with what a checkpoint has of them. `keys` are the columns of `key_by`, dictionaries unpacked.
    /// `bring` brings the rows of a state over, before anything else is done with it.
    pub(crate) fn open(
        context: &OperatorContext,
        keys: &[FieldRef],
        declared: &[Declared],
        mut bring: impl FnMut(&Declared, &mut dyn KeyedState) -> Result<()>,
    ) -> Result<Self> {
        let types: Vec<_> = keys.iter().map(|field| field.data_type().clone()).collect();
        let listed = listed_keys(keys);
        check_restored(context, declared)?;
        let mut states = Vec::with_capacity(declared.len());
        for declared in declared {
            let layout = declared.layout(&listed);
            let mut state = context.open_state(names::lasting(&declared.name), &layout)?;
            bring(declared, &mut *state)?;
            let (columns, life) = (Columns::new(&declared.values)?, Life(declared.ttl_ms));
            let store = match &declared.kind {
                StateKind::Value | StateKind::Merge(_) => Store::Single(Single::new(columns, life, state)),
                StateKind::Map | StateKind::List => {
                    let map_keys = declared.map_keys.as_ref().map(Columns::new).transpose()?;
                    Store::Several(Several::new(columns, map_keys, life, state))
                }
            };
            states.push(State { declared: declared.clone(), layout, store });
        }
        let timer_layout = timer_layout(&listed);
        let timers = |name| context.open_state(name, &timer_layout);
        let timers = Timers::new(timers(EVENT_TIMERS)?, timers(CLOCK_TIMERS)?, timers(TIMER_COUNTS)?);
        Ok(Self {
            context: context.clone(),
            codec: KeyCodec::new(&types)?,
            groups: Groups::default(),
            instance: 0,
            states,
            timers,
            timer_layout,
            watermark: context.restored.watermark,
            latest_ms: i64::MIN,
            before_ms: i64::MIN,
            now_ms: 0,
            written_ms: 0,
            has_groups: false,
            entries: 0,
            entries_since_sweep: 0,
            budget: Budget::new(),
            exceeded: None,
            failure: None,
        })
    }

    /// The keys of a record's rows.
    pub(crate) fn key_rows(&self, columns: &[ArrayRef]) -> Result<KeyRows> {
        self.codec.encode(columns)
    }

    /// Whether an instance has to forget its keys before a call with so many rows.
    pub(crate) fn is_full(&self, rows: usize) -> bool {
        self.groups.len() + rows > KEYS_LIVE_MAX || self.groups.key_bytes() > limits::KEY_BYTES_LIVE_MAX
    }

    /// The instance that is called now knows no keys.
    pub(crate) fn forget(&mut self) {
        self.groups.clear();
    }

    /// Whether the instance of that number knows the keys that were numbered last; from now on it is the one that does.
    pub(crate) fn is_met_by(&mut self, instance: u64) -> bool {
        std::mem::replace(&mut self.instance, instance) == instance
    }

    /// A call begins on these rows of a record.
    pub(crate) fn begin_rows(
        &mut self,
        keys: &KeyRows,
        rows: Range<usize>,
        latest_ms: Option<i64>,
    ) -> Result<CallKeys> {
        self.latest_ms = self.latest_ms.max(latest_ms.unwrap_or(i64::MIN));
        self.begin();
        if self.context.event_time.is_some() {
            self.written_ms = self.now_ms.max(latest_ms.unwrap_or(i64::MIN));
        }
        let known = self.groups.len();
        let key = |row| {
            let (key, hash) = keys.key(row);
            StateKey { group: volley_api::KeyGroup::of_hash(hash), key }
        };
        let groups = self.groups.of_call_many(rows, key);
        Ok(CallKeys { groups, new: self.new_keys(known)? })
    }

    /// A call begins on timers that are due: they are registered no more. Gives them as they cross, too.
    pub(crate) fn begin_timers(&mut self, due: &[Due], domain: TimeDomain) -> Result<(CallKeys, Vec<Timer>)> {
        self.begin();
        // A watermark may leap, at the end of the input over all that is left: for values it is the time of the first timer,
        // so that what is kept until then is still there.
        if let (true, TimeDomain::EventTime, Some(first)) =
            (self.context.event_time.is_some(), domain, due.iter().map(|due| due.at_ms).min())
        {
            self.now_ms = first.max(self.before_ms).min(self.now_ms);
            self.written_ms = self.now_ms;
        }
        let known = self.groups.len();
        let mut timers = Vec::with_capacity(due.len());
        for due in due {
            let group = self.groups.of_call(StateKey { group: due.group, key: &due.key });
            timers.push(Timer { group, at_ms: due.at_ms, domain, tag: due.tag });
        }
        self.timers.fire(&self.groups, &timers)?;
        hit("plugin-timers-fired")?;
        let groups = timers.iter().map(|timer| timer.group).collect();
        Ok((CallKeys { groups, new: self.new_keys(known)? }, timers))
    }

    /// Timers that no call is to see are registered no more. The numbers that the instance knows stay as they are.
    pub(crate) fn drop_timers(&mut self, due: &[Due], domain: TimeDomain) -> Result<()> {
        let known = std::mem::take(&mut self.groups);
        let dropped = self.begin_timers(due, domain).and_then(|_| self.commit());
        self.groups = known;
        // What is left of a failure has numbers of no instance.
        self.discard();
        dropped
    }

    /// A call begins in which no key is under way.
    pub(crate) fn begin_watermark(&mut self) {
        self.begin();
        self.has_groups = false;
    }

    fn begin(&mut self) {
        // What a call that has failed may have left behind.
        self.discard();
        self.groups.begin();
        self.has_groups = true;
        self.entries = 0;
        self.budget = Budget::new();
        self.exceeded = None;
        self.now_ms = match self.context.event_time {
            Some(_) => self.reached_ms(),
            None => i64::try_from(self.context.clock.now_ms()).unwrap_or(i64::MAX),
        };
        self.written_ms = self.now_ms;
    }

    /// How far event time has come; where there was no watermark yet, by the rows.
    fn reached_ms(&self) -> i64 {
        match self.watermark {
            Some(Watermark::AtMs(at_ms)) => at_ms,
            Some(Watermark::End) => i64::MAX,
            None => self.latest_ms,
        }
    }

    fn new_keys(&self, known: usize) -> Result<Option<(u32, Vec<ArrayRef>)>> {
        if self.groups.len() == known {
            return Ok(None);
        }
        let number = |many: usize| u32::try_from(many).unwrap_or(u32::MAX);
        let first = number(known);
        let new = (first..number(self.groups.len())).map(|number| self.groups.key(number).key);
        Ok(Some((first, self.codec.decode(new)?)))
    }

    /// The columns of keys that are bytes.
    pub(crate) fn columns<'a>(&self, keys: impl IntoIterator<Item = &'a [u8]>) -> Result<Vec<ArrayRef>> {
        self.codec.decode(keys)
    }

    /// Event time has advanced.
    pub(crate) fn advance(&mut self, watermark: Watermark) {
        self.before_ms = self.reached_ms();
        self.watermark = Some(watermark);
        self.timers.advance(match watermark {
            Watermark::AtMs(at_ms) => Some(at_ms),
            Watermark::End => None,
        });
    }

    /// The event time of what a timer of the clock puts out: the first that is not late; without event time, and before there
    /// was any, none.
    pub(crate) fn clock_row_ms(&self) -> Option<i64> {
        match self.watermark {
            Some(Watermark::AtMs(at_ms)) => Some(at_ms.saturating_add(1)),
            Some(Watermark::End) | None if self.latest_ms > i64::MIN => Some(self.latest_ms),
            Some(Watermark::End) | None => None,
        }
    }

    pub(crate) fn timers(&mut self) -> &mut Timers {
        &mut self.timers
    }

    /// A limit that the call has passed, if it has.
    pub(crate) fn take_exceeded(&mut self) -> Option<(Violation, String)> {
        self.exceeded.take()
    }

    /// Why state could not be read or written in the call.
    pub(crate) fn take_failure(&mut self) -> Option<Error> {
        self.failure.take()
    }

    /// The call has succeeded: what it wrote is stored.
    pub(crate) fn commit(&mut self) -> Result<()> {
        hit("plugin-call-before-store")?;
        for state in &mut self.states {
            match &mut state.store {
                Store::Single(single) => single.commit(&self.groups, self.written_ms)?,
                Store::Several(several) => several.commit(&self.groups)?,
            }
        }
        hit("plugin-call-state-stored")?;
        self.timers.commit(&self.groups)?;
        hit("plugin-call-stored")?;
        // In step with what is written, so that what has come to its end is never more than about what has not.
        self.entries_since_sweep += self.entries;
        while self.entries_since_sweep >= SWEEP_ENTRIES / 2 {
            self.entries_since_sweep = self.entries_since_sweep.saturating_sub(SWEEP_ENTRIES / 2);
            let now_ms = self.now_ms;
            if !self.sweep_at(now_ms)? {
                self.entries_since_sweep = 0;
            }
        }
        Ok(())
    }

    /// The call has failed: what it wrote is forgotten.
    pub(crate) fn discard(&mut self) {
        for state in &mut self.states {
            match &mut state.store {
                Store::Single(single) => single.discard(),
                Store::Several(several) => several.discard(),
            }
        }
        self.timers.discard();
    }

    /// Removes some of what has come to its end.
    pub(crate) fn sweep(&mut self) -> Result<()> {
        self.begin();
        let now_ms = self.now_ms;
        self.sweep_at(now_ms).map(drop)
    }

    /// Looks at some entries of each state that has a time to live; whether there is any.
    fn sweep_at(&mut self, now_ms: i64) -> Result<bool> {
        let mut has_any = false;
        for state in &mut self.states {
            has_any |= match &mut state.store {
                Store::Single(single) => single.sweep(now_ms)?,
                Store::Several(several) => several.sweep(now_ms)?,
            };
        }
        Ok(has_any)
    }

    /// What a checkpoint keeps.
    pub(crate) fn snapshot(&mut self) -> Result<Vec<KeyedSnapshot>> {
        let Self { context, states, timers, timer_layout, .. } = self;
        let mut snapshots = Vec::with_capacity(states.len() + 3);
        for State { declared, layout, store } in states {
            let state = match store {
                Store::Single(single) => single.state(),
                Store::Several(several) => several.state(),
            };
            snapshots.push(context.snapshot_of(names::lasting(&declared.name), layout, state)?);
        }
        for (name, state) in [EVENT_TIMERS, CLOCK_TIMERS, TIMER_COUNTS].into_iter().zip(timers.states()) {
            snapshots.push(context.snapshot_of(name, timer_layout, state)?);
        }
        Ok(snapshots)
    }
}

/// The columns of `key_by`, as layouts name them.
pub(crate) fn listed_keys(keys: &[FieldRef]) -> String {
    let listed: Vec<String> = keys.iter().map(|field| format!("{} {}", field.name(), field.data_type())).collect();
    listed.join(", ")
}

/// How timers are laid out, of keys that are so listed.
fn timer_layout(listed: &str) -> Arc<str> {
    format!("keys [{listed}]; timers by second; plugin-timers-1").into()
}

/// Refuses a checkpoint that has states which the plugin does not declare.
fn check_restored(context: &OperatorContext, declared: &[Declared]) -> Result<()> {
    let own = [EVENT_TIMERS, CLOCK_TIMERS, TIMER_COUNTS, RECORD_STATE];
    let is_known = |name: &str| own.contains(&name) || declared.iter().any(|state| state.name == name);
    match context.restored.keyed.keys().find(|name| !is_known(name)) {
        None => Ok(()),
        Some(name) => Err(Error::config(format!(
            "the checkpoint has state `{name}` of `{}`, and the plugin declares none of that name: run the plugin that \
             wrote it, give the operator another name, or begin with --fresh",
            context.node
        ))),
    }
}
