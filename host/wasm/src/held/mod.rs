//! State that an operator holds itself: how a fresh instance gets to where one that has failed was.
//!
//! The host keeps what the instance gave as its state last, and every call since with what the host answered in it. A
//! fresh instance is handed that state, and the calls again with the same answers; what it puts out and writes is dropped,
//! since it was delivered when the call was made. So one call that fails can be made again with fewer rows, and rows that
//! are guilty are found as for operators that hold nothing. A plugin that says of itself that it is not deterministic gives
//! its state after each call.

mod check;
mod log;
mod migrate;
mod record;
mod stored;
mod tape;

pub use self::check::PARTS_MAX;
pub(crate) use self::check::check_parts;
pub(crate) use self::log::{Called, Entry, Logged};
pub(crate) use self::migrate::Migration;
pub(crate) use self::record::Record;
pub(crate) use self::stored::{Abandoned, STATE as RECORD_STATE, Stored};
pub(crate) use self::tape::{Answer as TapeAnswer, Diverged, Given, Tape, Taped};

use crate::Result;
use crate::contract::Part;
use crate::guest::Guest;

/// Bytes of calls and answers that are kept before the instance is asked for its state again.
const LOG_BYTES_MAX: usize = 4 << 20;

/// How many snapshots between checkpoints fail in a row before the job stops.
pub const SNAPSHOT_FAILURES_MAX: u32 = 3;

/// What the host keeps of an operator that holds state itself.
#[derive(Debug, Default)]
pub(crate) struct Held {
    /// What the instance gave last, or was restored with.
    pub(crate) parts: Vec<Part>,
    /// What was called since, in order.
    pub(crate) log: Vec<Entry>,
    log_bytes: usize,
    log_bytes_max: usize,
    /// The call that has succeeded and whose output is not checked yet.
    pub(crate) under_way: Option<Box<Logged>>,
    failures: u32,
}

impl Held {
    /// Begins with what a checkpoint has. `is_replayable`: calls that are made again do the same.
    pub(crate) fn new(parts: Vec<Part>, is_replayable: bool) -> Self {
        Self { parts, log_bytes_max: if is_replayable { LOG_BYTES_MAX } else { 0 }, ..Self::default() }
    }

    /// A call has been made that counts.
    pub(crate) fn push(&mut self, call: Box<Logged>) {
        self.log_bytes += call.bytes();
        self.log.push(Entry::Call(call));
    }

    /// The instance has been told to forget the numbers of keys.
    pub(crate) fn forgot(&mut self) {
        if !matches!(self.log.last(), None | Some(Entry::Forget)) {
            self.log.push(Entry::Forget);
        }
    }

    /// Whether a fresh instance gets to where this one was: there are no calls since it gave its state, or they may be made
    /// again.
    pub(crate) fn may_repeat(&self) -> bool {
        self.log_bytes_max > 0 || !self.log.iter().any(|entry| matches!(entry, Entry::Call(_)))
    }

    /// Whether the instance is to be asked for its state before the next call.
    pub(crate) fn is_due(&self) -> bool {
        self.log_bytes > self.log_bytes_max
    }

    /// The instance has given its state; nothing before that is needed any more.
    pub(crate) fn snapshot_taken(&mut self, parts: Vec<Part>) {
        self.parts = parts;
        self.log.clear();
        self.log_bytes = 0;
        self.failures = 0;
    }

    /// The instance has failed to give its state between checkpoints; whether that may go on. It is asked again when as much
    /// has been kept once more.
    pub(crate) fn snapshot_failed(&mut self) -> bool {
        self.failures += 1;
        self.log_bytes = 0;
        self.failures < SNAPSHOT_FAILURES_MAX
    }

    /// Brings a fresh instance to where the one is, or was, that gave this state and got these calls; it knows no keys then.
    /// `at` becomes the place of the last entry that it was told.
    pub(crate) fn bring(&self, guest: &mut Guest, at: &mut Option<usize>) -> Result<()> {
        if !self.parts.is_empty() {
            guest.restore(&self.parts)?;
        }
        for (place, entry) in self.log.iter().enumerate() {
            *at = Some(place);
            match entry {
                Entry::Forget => guest.forget()?,
                Entry::Call(call) => guest.repeat(call)?,
            }
        }
        if self.log.is_empty() { Ok(()) } else { guest.forget() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::imports::emitter::Parents;

    #[test]
    fn a_call_that_may_do_something_else_is_not_made_again() {
        for (is_replayable, may_repeat) in [(true, true), (false, false)] {
            let mut held = Held::new(Vec::new(), is_replayable);
            assert!(held.may_repeat() && !held.is_due());
            held.push(Box::new(Logged::new(Called::Rows, None, Parents::None, 1)));
            held.forgot();
            assert_eq!((held.may_repeat(), held.is_due()), (may_repeat, !may_repeat));
            held.snapshot_taken(Vec::new());
            assert!(held.may_repeat() && !held.is_due());
        }
    }
}
