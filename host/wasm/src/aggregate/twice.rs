//! Calls of aggregates that are made twice: `evaluate` alone, `update` and `merge` with the `drain` that ends them.
//!
//! Of so many drains one is looked at: a fresh instance is handed the rows, or states, since the one before, in the same calls.
//! What it gives up must be the same, bit for bit. Rows are kept until then for other reasons, so it costs time alone.
//! Drains of rows some of which were refused, or whose aggregator is gone, are left out: what the first instance was handed is
//! not all kept.

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch};

use super::session::Session;
use crate::Result;
use crate::contract::Failure;
use crate::guest::MESSAGE_BYTES_MAX;
use crate::path::{AggregateCall, AggregateReply};
use crate::text::visible;
use crate::twice::{Heard, Sample, Second, failed_again};

/// Which calls of a session are made twice.
pub(super) struct Twice {
    sample: Sample,
    /// Drains so far, of rows or of states.
    drains: u64,
    evaluations: u64,
    /// Whether the drain that comes is made twice.
    is_next: bool,
    /// What the calls since the last drain were told; those whose rows count.
    heard: Vec<Heard>,
}

/// What a call takes in: rows or states.
pub(super) type Handed = (RecordBatch, Arc<Vec<u32>>);

impl Twice {
    pub(super) fn new(one_of: u32) -> Self {
        let mut twice =
            Self { sample: Sample::new(one_of), drains: 0, evaluations: 0, is_next: false, heard: Vec::new() };
        twice.begin();
        twice
    }

    /// The instance knows nothing.
    pub(super) fn begin(&mut self) {
        self.heard.clear();
        self.is_next = self.sample.has(self.drains + 1);
    }

    /// Whether what calls are told is kept.
    pub(super) fn hears(&self) -> bool {
        self.is_next
    }

    pub(super) fn heard(&mut self, heard: Heard) {
        self.heard.push(heard);
    }

    /// A drain has succeeded: whether it is one that is made twice.
    pub(super) fn drained(&mut self) -> bool {
        self.drains += 1;
        self.is_next
    }

    /// Another evaluation: whether it is one that is made twice.
    pub(super) fn evaluates(&mut self) -> bool {
        self.evaluations += 1;
        self.sample.has(self.evaluations)
    }
}

impl Session {
    /// Hands over again what was handed over since the last drain, and compares what is given up. `handed` has `merge`s
    /// where `is_states` is.
    pub(super) fn drain_again(&mut self, handed: Vec<Handed>, is_states: bool, state: &RecordBatch) {
        let mut heard = std::mem::take(&mut self.twice.heard);
        let Some(at_drain) = heard.pop().filter(|_| heard.len() == handed.len()) else { return };
        let Some(mut second) = self.twice.sample.second(&self.instances) else { return };
        let again = self.handed_again(&mut second, handed, heard, is_states, at_drain, state.num_rows());
        let words = match again {
            Ok(Some(again)) => differs(state, &again, "group"),
            Ok(None) => None,
            Err(error) => failed_again(&error),
        };
        if let Some(words) = words {
            let of = || format!("a `drain` of {} groups and the calls before it", state.num_rows());
            self.twice.sample.report(&self.instances, second.declared, of, &words);
        }
    }

    fn handed_again(
        &self,
        second: &mut Second,
        handed: Vec<Handed>,
        heard: Vec<Heard>,
        is_states: bool,
        at_drain: Heard,
        groups: usize,
    ) -> Result<Option<RecordBatch>> {
        for ((batch, groups), heard) in handed.into_iter().zip(heard) {
            let call = if is_states { AggregateCall::Merge(groups) } else { AggregateCall::Update(groups) };
            let encode = |second: &mut Second| match is_states {
                true => second.guest.encode_state(&batch).map(drop),
                false => second.guest.encode(&batch).map(drop),
            };
            let refused = match self.call_second(second, &call, heard, encode)? {
                Some(Ok(AggregateReply::Updated(rejects))) => rejects.len(),
                Some(Ok(AggregateReply::Merged)) => 0,
                Some(Ok(AggregateReply::Columns(_))) | None => return Ok(None),
                Some(Err(())) => batch.num_rows(),
            };
            if refused > 0 {
                let problem = format!("`{}` refuses {refused} rows that it took before", call.function());
                return Err(self.fatal(&problem));
            }
        }
        let call = AggregateCall::Drain;
        match self.call_second(second, &call, at_drain, |_| Ok(()))? {
            Some(Ok(AggregateReply::Columns(message))) => self.gated(&call, &message, &self.state, groups).map(Some),
            Some(Err(())) => Err(self.fatal("`drain` refuses what it gave before")),
            Some(Ok(_)) | None => Ok(None),
        }
    }

    /// One call of an instance for second calls: `None` where it asks for another try, `Err` inside where it refuses all.
    fn call_second(
        &self,
        second: &mut Second,
        call: &AggregateCall,
        heard: Heard,
        encode: impl FnOnce(&mut Second) -> Result<()>,
    ) -> Result<Option<std::result::Result<AggregateReply, ()>>> {
        let number = second.hear(heard);
        encode(second)?;
        match second.guest.aggregate(call.clone(), number)? {
            Ok(reply) => Ok(Some(Ok(reply))),
            Err(Failure::RejectBatch(_)) => Ok(Some(Err(()))),
            Err(Failure::Retry(_)) => Ok(None),
            Err(Failure::Fatal(message)) => Err(self.fatal(&visible(&message, MESSAGE_BYTES_MAX))),
        }
    }

    /// Makes results of states again, and compares.
    pub(super) fn evaluate_again(&mut self, states: &RecordBatch, results: &RecordBatch, heard: Heard) {
        let Some(mut second) = self.twice.sample.second(&self.instances) else { return };
        let call = AggregateCall::Evaluate;
        let encode = |second: &mut Second| second.guest.encode_state(states).map(drop);
        let again = self.call_second(&mut second, &call, heard, encode).and_then(|answer| match answer {
            Some(Ok(AggregateReply::Columns(message))) => {
                self.gated(&call, &message, &self.results, states.num_rows()).map(Some)
            }
            Some(Err(())) => Err(self.fatal("`evaluate` refuses states that it took before")),
            Some(Ok(_)) | None => Ok(None),
        });
        let words = match again {
            Ok(Some(again)) => differs(results, &again, "state"),
            Ok(None) => None,
            Err(error) => failed_again(&error),
        };
        if let Some(words) = words {
            let of = || format!("`evaluate` of {} states", states.num_rows());
            self.twice.sample.report(&self.instances, second.declared, of, &words);
        }
    }
}

/// How the same call came to other columns the second time, in words: where, and not what.
fn differs(first: &RecordBatch, again: &RecordBatch, row_is: &str) -> Option<String> {
    if first.columns() == again.columns() {
        return None;
    }
    let is_other = |(one, other): (&ArrayRef, &ArrayRef)| one != other;
    let column = first.columns().iter().zip(again.columns()).position(is_other)?;
    let (one, other) = (first.column(column), again.column(column));
    let row = (0..first.num_rows()).find(|row| one.slice(*row, 1) != other.slice(*row, 1))?;
    Some(format!("the column `{}` of {row_is} {row} is another", first.schema().field(column).name()))
}
