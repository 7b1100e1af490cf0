//! Some calls are made twice: whether a plugin is as deterministic as it says.
//!
//! The second call goes to a fresh instance, which is dropped behind it. To a plugin that says `replayable` everything that it
//! can ask for is as it was: time, chance, answers of servers. For one that says `deterministic` time and chance are others,
//! since its results must not depend on them. What differs is counted, and the first of a subtask is told with the row; the
//! job goes on with what the first call gave. Operators with keys are left out: their calls depend on state.

use std::sync::Arc;

use volley_api::{Clock, NodeName, RowReject, SeedSource, SubtaskId};

use super::{Input, Part, PluginOperator, Treated, TreatedRows};
use crate::http::side::Tape;
use crate::imports::random::Random;
use crate::metrics::PluginMetrics;
use crate::plugin::Determinism;
use crate::store::JobParts;
use crate::text::visible;
use crate::violation::Violation;
use crate::{Error, Result};

/// What is shown of a result, in bytes.
const SHOWN_BYTES_MAX: usize = 256;

/// How much later it is for a plugin that must not care, in milliseconds: another hour, day, month and year.
const LATER_MS: u64 = 400 * 24 * 60 * 60 * 1_000 + 12_345_678;

/// The seed of a plugin that must not care.
const OTHER_SEED: u64 = 0x5eed;

/// What one subtask does about it.
#[derive(Debug)]
pub(super) struct Sample {
    /// One of so many calls; 0 for none.
    one_of: u64,
    is_told: bool,
}

impl Sample {
    pub(super) fn new(one_of: u32) -> Self {
        Self { one_of: one_of.into(), is_told: false }
    }

    fn has(&self, call: u64) -> bool {
        self.one_of > 0 && call.is_multiple_of(self.one_of)
    }
}

/// A clock that stands.
#[derive(Debug)]
struct Standing(u64);

impl Clock for Standing {
    fn now_ms(&self) -> u64 {
        self.0
    }
}

impl PluginOperator {
    /// Makes a call, and sees whether it is made again: the result is that of the first.
    pub(super) fn attempt_sampled(&mut self, input: &Input, part: Part) -> Result<Treated> {
        if !self.sample.has(self.calls) || self.keyed.is_some() {
            return self.attempt(input, part);
        }
        self.instances.guest()?.host_side().http.record(true);
        let treated = self.attempt(input, part);
        let side = self.instances.guest()?.host_side();
        let (now_ms, tape) = (side.now_ms, side.http.take_tape());
        let treated = treated?;
        // An answer `retry` before the last one saw other times: there is nothing to compare with.
        self.call_again(input, part, &treated, now_ms, tape);
        Ok(treated)
    }

    fn call_again(&mut self, input: &Input, part: Part, treated: &Treated, now_ms: Option<u64>, tape: Tape) {
        let second = match self.second(now_ms, tape) {
            Ok(Some(second)) => second,
            Ok(None) => {
                self.sample.one_of = 0;
                return;
            }
            // There may be no room for another instance now, and the first one works.
            Err(error) => {
                tracing::debug!(operator = %self.context.node, %error, "a call is not made twice");
                return;
            }
        };
        let (second, declared) = second;
        let first = self.instances.exchange(Some(second));
        let last = self.last.take();
        let again = self.call_once(input, part);
        self.last = last;
        self.instances.exchange(first);
        self.encoded = None;
        let difference = match again {
            Ok(Some(again)) => difference(part.rows, treated, &again),
            // It asked for another try.
            Ok(None) => None,
            Err(error) if error.violation() == Some(Violation::HostBudget) => None,
            Err(error) => Some((None, format!("then it failed: {error}"))),
        };
        let Some((row, words)) = difference else { return };
        self.instances.count(Violation::Nondeterminism);
        if std::mem::replace(&mut self.sample.is_told, true) {
            return;
        }
        let rows = part.of(&input.record);
        let row = row.map_or_else(
            || format!("a batch of {} rows", part.rows),
            // Its values are nobody's who reads logs: the place says where to look.
            |row| self.place(&rows, part, row),
        );
        tracing::warn!(
            operator = %self.context.node,
            subtask = self.context.subtask.index,
            plugin = %self.instances.who(),
            "it says that it is {declared}, and the same call made twice gave different results ({row}): {words}. The job \
             goes on with the first; a replay after a failure may give others"
        );
    }

    /// A fresh instance for the second call and what it says of itself, unless it says that there is nothing to check.
    fn second(&self, now_ms: Option<u64>, tape: Tape) -> Result<Option<(crate::guest::Guest, &'static str)>> {
        let determinism = self.instances.determinism()?;
        let (node, subtask) = (self.context.node.clone(), self.context.subtask);
        let now_ms = now_ms.unwrap_or_else(|| self.context.clock.now_ms());
        let (declared, now_ms, seeds) = match determinism {
            Determinism::Nondeterministic => return Ok(None),
            Determinism::Replayable => ("replayable", now_ms, self.context.seeds),
            Determinism::Deterministic => {
                ("deterministic", now_ms.saturating_add(LATER_MS), SeedSource::new(OTHER_SEED))
            }
        };
        let mut second = self.instances.aside(|job| aside(job, now_ms, seeds, node, subtask))?;
        second.host_side().http.replay(tape);
        Ok(Some((second, declared)))
    }

    /// One call of the present instance, gated; `None` where it wants to be called again.
    fn call_once(&mut self, input: &Input, part: Part) -> Result<Option<Treated>> {
        self.encode(input, part)?;
        self.encoded = None;
        let reply = match self.call(input, part)? {
            Ok(reply) => reply,
            Err(crate::contract::Failure::Retry(_)) => return Ok(None),
            Err(crate::contract::Failure::RejectBatch(message)) => {
                return Ok(Some(Treated { rows: TreatedRows::None, rejects: self.reject_batch(part, &message)? }));
            }
            Err(crate::contract::Failure::Fatal(message)) => {
                return Err(Error::Fatal {
                    operator: self.context.node.to_string(),
                    plugin: self.instances.who().to_string(),
                    message: visible(&message, SHOWN_BYTES_MAX),
                });
            }
        };
        let rejects = self.take_rejects(input, part, reply.rejects)?;
        let rows = self.gated(input, part, reply.output, &rejects)?;
        Ok(Some(Treated { rows, rejects }))
    }
}

/// What an instance has that works aside: its numbers and lines are nobody's.
fn aside(job: JobParts, now_ms: u64, seeds: SeedSource, node: NodeName, subtask: SubtaskId) -> JobParts {
    JobParts {
        metrics: Arc::new(PluginMetrics::default()),
        clock: Arc::new(Standing(now_ms)),
        random: Random::new(seeds, node, subtask),
        is_muted: true,
        ..job
    }
}

/// The first row in which two results of a call on so many rows differ, where it can be told, and how.
fn difference(rows: usize, first: &Treated, again: &Treated) -> Option<(Option<usize>, String)> {
    if let Some((row, words)) = rejects_differ(&first.rejects, &again.rejects) {
        return Some((Some(row), words));
    }
    match (&first.rows, &again.rows) {
        (TreatedRows::None, TreatedRows::None) => None,
        (TreatedRows::Kept(first), TreatedRows::Kept(again)) => {
            let bit = |bits: &[u8], row: usize| bits.get(row / 8).is_some_and(|byte| byte >> (row % 8) & 1 == 1);
            let row = (0..rows).find(|row| bit(first, *row) != bit(again, *row))?;
            let word = |kept: bool| if kept { "kept" } else { "dropped" };
            Some((Some(row), format!("first it was {}, then {}", word(bit(first, row)), word(bit(again, row)))))
        }
        (TreatedRows::Mapped(first), TreatedRows::Mapped(again)) => {
            let (first, again) = (&first.batch, &again.batch);
            if first.columns() == again.columns() {
                return None;
            }
            let same = |row: &usize| first.slice(*row, 1).columns() == again.slice(*row, 1).columns();
            let row = (0..first.num_rows().min(again.num_rows())).find(|row| !same(row));
            let column = row.and_then(|row| {
                (0..first.num_columns()).find(|at| first.column(*at).slice(row, 1) != again.column(*at).slice(row, 1))
            });
            let name =
                column.map_or_else(String::new, |at| format!(" in column `{}`", first.schema().field(at).name()));
            let value = |batch: &arrow::array::RecordBatch| shown(batch, row?, column?);
            let (first, again) = (value(first).unwrap_or_default(), value(again).unwrap_or_default());
            Some((row, format!("first it gave {first}, then {again}{name}")))
        }
        (TreatedRows::Emitted(first), TreatedRows::Emitted(again)) => super::flat_map::difference(first, again),
        _ => Some((None, "first some rows were put out and then none, or the other way round".to_owned())),
    }
}

fn rejects_differ(first: &[RowReject], again: &[RowReject]) -> Option<(usize, String)> {
    let words = |reject: Option<&RowReject>| {
        reject.map_or_else(
            || "was not refused".to_owned(),
            |reject| visible(&format!("was refused with `{}: {}`", reject.code, reject.message), SHOWN_BYTES_MAX),
        )
    };
    let row = first.iter().chain(again).map(|reject| reject.row).filter(|row| {
        let of = |rejects: &[RowReject]| rejects.iter().find(|reject| reject.row == *row).cloned();
        of(first) != of(again)
    });
    let row = row.min()?;
    let of = |rejects: &[RowReject]| words(rejects.iter().find(|reject| reject.row == row));
    Some((row, format!("first it {}, then it {}", of(first), of(again))))
}

/// One value in words, cut.
pub(super) fn shown(batch: &arrow::array::RecordBatch, row: usize, column: usize) -> Option<String> {
    let text = arrow::util::display::array_value_to_string(batch.column(column), row).ok()?;
    Some(format!("`{}`", visible(&text, SHOWN_BYTES_MAX)))
}
