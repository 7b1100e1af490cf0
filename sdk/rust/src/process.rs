//! Process operators: rows of keys, with state and timers.

use serde::de::DeserializeOwned;

use crate::buffer::Buffer;
use crate::state::{Host, StateDeclaration, StateError, StateWire};
use crate::{Batch, Binding, Determinism, Emitter, Failure, OpenError, Rejects, Schema};

/// Where the event time of rows is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventTime {
    /// The column: Int64 in milliseconds, any timestamp, or a date.
    pub column: String,
    /// Added to it, in milliseconds.
    pub offset_ms: i64,
}

/// What a process operator is bound to.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ProcessInput {
    /// The columns of the input.
    pub schema: Schema,
    /// The columns of `key_by`.
    pub keys: Vec<String>,
    /// Where the event time of the rows is, if they have any.
    pub event_time: Option<EventTime>,
}

/// What time a timer waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TimeDomain {
    /// The watermark.
    EventTime,
    /// The host's clock.
    ProcessingTime,
}

/// A timer of a key. Two that agree in everything are one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timer {
    /// The number of the key.
    pub group: u32,
    /// Milliseconds since 1970-01-01T00:00:00Z.
    pub at_ms: i64,
    /// What time it waits for.
    pub domain: TimeDomain,
    /// Whatever the operator wants to know it by.
    pub tag: u32,
}

/// How far event time has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Watermark {
    /// To this time, in milliseconds.
    AtMs(i64),
    /// The input has ended.
    End,
}

/// Keys that the operator meets for the first time.
pub struct NewKeys<'a> {
    /// The number of the first; the others follow, one by one.
    pub first: u32,
    /// Their columns, those of [`Binding::wanting_keys`].
    pub columns: Batch<'a>,
}

/// The rows of one call, with their keys.
pub struct KeyedBatch<'a> {
    /// The columns that the binding reads.
    pub batch: Batch<'a>,
    /// For each row the number of its key.
    pub groups: &'a [u32],
    /// What is new among them, where the binding wants to know keys.
    pub new_keys: Option<NewKeys<'a>>,
}

/// What an operator may do while a call runs: emit, read and write state, register timers.
pub struct Context<'a> {
    pub(crate) out: Emitter<'a>,
    pub(crate) host: &'a mut dyn Host,
    pub(crate) states: &'a [StateWire],
    /// Where messages of state are written.
    pub(crate) message: &'a mut Buffer,
    pub(crate) marks: &'a mut Marks,
}

impl<'a> Context<'a> {
    /// Takes rows. In [`ProcessOperator::process`] parents are rows, in [`ProcessOperator::on_timers`] timers.
    pub fn out(&mut self) -> &mut Emitter<'a> {
        &mut self.out
    }

    /// The same context, for a while.
    pub(crate) fn lent(&mut self) -> Context<'_> {
        let Self { out, host, states, message, marks } = self;
        Context { out: out.lent(), host: &mut **host, states, message, marks }
    }

    /// Registers timers; those that are registered already stay.
    ///
    /// # Errors
    /// [`StateError`] when the host refuses, of all of them.
    pub fn register(&mut self, timers: &[Timer]) -> Result<(), StateError> {
        if timers.is_empty() { Ok(()) } else { self.host.change_timers(timers, true) }
    }

    /// Deletes timers; those that are not registered are passed over.
    ///
    /// # Errors
    /// [`StateError`] when the host refuses, of all of them.
    pub fn delete(&mut self, timers: &[Timer]) -> Result<(), StateError> {
        if timers.is_empty() { Ok(()) } else { self.host.change_timers(timers, false) }
    }

    /// The key groups (0 to 255) of keys: where state of theirs belongs that the operator holds itself, see
    /// [`StatePart::key_group`](crate::StatePart::key_group).
    ///
    /// # Errors
    /// [`StateError`] when the host refuses: a number is not one of the call's keys.
    pub fn key_groups(&mut self, groups: &[u32]) -> Result<Vec<u8>, StateError> {
        if groups.is_empty() { Ok(Vec::new()) } else { self.host.key_groups(groups) }
    }

    /// The groups of a call, each once, and for each row the place of its own among them.
    pub fn distinct(&mut self, groups: impl Iterator<Item = u32>) -> Distinct {
        self.marks.distinct(groups)
    }
}

/// The groups of a call, each once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Distinct {
    /// The groups.
    pub groups: Vec<u32>,
    /// For each row the place of its group.
    pub places: Vec<u32>,
}

/// The groups that the call has met, and the place of each: the bits are so few that they stay near, and a group that is met
/// once, as most are, is never looked up.
#[derive(Default)]
pub(crate) struct Marks {
    is_met: Vec<u32>,
    places: Vec<u32>,
}

impl Marks {
    pub(crate) fn distinct(&mut self, groups: impl Iterator<Item = u32>) -> Distinct {
        let rows = groups.size_hint().0;
        let mut distinct = Distinct { groups: Vec::with_capacity(rows), places: Vec::with_capacity(rows) };
        for group in groups {
            let (index, word, bit) = (group as usize, (group / u32::BITS) as usize, 1 << (group % u32::BITS));
            if self.is_met.len() <= word {
                self.is_met.resize(word + 1, 0);
                self.places.resize((word + 1) * u32::BITS as usize, 0);
            }
            let place = if self.is_met[word] & bit == 0 {
                self.is_met[word] |= bit;
                let place = distinct.groups.len() as u32;
                self.places[index] = place;
                distinct.groups.push(group);
                place
            } else {
                self.places[index]
            };
            distinct.places.push(place);
        }
        distinct.groups.iter().for_each(|group| self.is_met[(group / u32::BITS) as usize] = 0);
        distinct
    }

    #[cfg(target_arch = "wasm32")]
    pub(crate) fn forget(&mut self) {
        *self = Self::default();
    }
}

/// Timers of a row-wise function: `timers: &mut Timers`. They belong to the key of the row or timer that it is called for.
#[derive(Debug, Default)]
pub struct Timers {
    group: u32,
    changes: Vec<(bool, Timer)>,
}

impl Timers {
    /// Nothing registered yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Calls back when the watermark reaches this time, in milliseconds.
    pub fn at(&mut self, at_ms: i64) {
        self.change(true, at_ms, TimeDomain::EventTime, 0);
    }

    /// Calls back when the host's clock reaches this time, in milliseconds.
    pub fn at_clock(&mut self, at_ms: i64) {
        self.change(true, at_ms, TimeDomain::ProcessingTime, 0);
    }

    /// Calls back no more at this time.
    pub fn delete(&mut self, at_ms: i64) {
        self.change(false, at_ms, TimeDomain::EventTime, 0);
    }

    /// Registers or deletes any timer.
    pub fn change(&mut self, register: bool, at_ms: i64, domain: TimeDomain, tag: u32) {
        self.changes.push((register, Timer { group: self.group, at_ms, domain, tag }));
    }

    /// What was registered (true) and deleted (false), in order.
    #[must_use]
    pub fn changes(&self) -> &[(bool, Timer)] {
        &self.changes
    }

    /// What comes now belongs to this key.
    #[doc(hidden)]
    pub fn set_group(&mut self, group: u32) {
        self.group = group;
    }

    /// Hands all to the host, in order.
    #[doc(hidden)]
    pub fn flush(self, cx: &mut Context<'_>) -> Result<(), StateError> {
        for run in self.changes.chunk_by(|(one, _), (next, _)| one == next) {
            let timers: Vec<Timer> = run.iter().map(|(_, timer)| *timer).collect();
            if run[0].0 { cx.register(&timers)? } else { cx.delete(&timers)? }
        }
        Ok(())
    }
}

/// An operator with rows, keys, state and timers. Export it with [`export_process!`](crate::export_process).
pub trait ProcessOperator: Sized + 'static {
    /// See [`MapOperator::Config`](crate::MapOperator::Config).
    type Config: DeserializeOwned;

    /// See [`MapOperator::DETERMINISM`](crate::MapOperator::DETERMINISM).
    const DETERMINISM: Determinism = Determinism::Replayable;

    /// The state that the host holds for each key. The same, always. Default: none.
    fn states() -> Vec<StateDeclaration> {
        Vec::new()
    }

    /// See [`MapOperator::open`](crate::MapOperator::open).
    ///
    /// # Errors
    /// [`OpenError`] when configuration or input do not fit.
    fn open(config: Self::Config, input: &ProcessInput) -> Result<(Self, Binding), OpenError>;

    /// Processes one batch of at least one row. Rows of a key come in order, here and from call to call.
    ///
    /// # Errors
    /// [`Failure`] when no row can be handled; then nothing that was emitted or written counts.
    fn process(&mut self, rows: &KeyedBatch<'_>, cx: &mut Context<'_>) -> Result<Rejects, Failure>;

    /// Timers have fired: at least one, by time; of each key those of one time. `new_keys` is as in [`KeyedBatch`].
    /// Default: nothing happens.
    ///
    /// # Errors
    /// As [`ProcessOperator::process`].
    fn on_timers(
        &mut self,
        timers: &[Timer],
        new_keys: Option<NewKeys<'_>>,
        cx: &mut Context<'_>,
    ) -> Result<(), Failure> {
        let _ = (timers, new_keys, cx);
        Ok(())
    }

    /// Event time has advanced, and all timers that this concerns have fired. No key is under way: only ports of mode
    /// `replace` may be emitted to. Default: nothing happens.
    ///
    /// # Errors
    /// [`Failure`] when the operator cannot go on.
    fn on_watermark(&mut self, watermark: Watermark, out: &mut Emitter<'_>) -> Result<(), Failure> {
        let _ = (watermark, out);
        Ok(())
    }

    /// All numbers of keys are void, and begin at 0 again. Default: nothing happens.
    fn forget(&mut self) {}

    /// The last call of a clean end.
    fn close(&mut self) {}
}
