//! A call that failed while there were deltas: which rows are to blame, and what becomes of the others.
//!
//! The instance is gone, and with it its deltas; the rows are kept. A fresh instance gets them in halves, in order, and
//! gives up its deltas behind each, until the guilty ones stand alone; a row is blamed only after failing alone twice. State
//! that was given up is good, whatever fails later. Where both halves of what has failed are good, there was too much of it:
//! later calls, or the input between two drains, are made no larger than those halves.

use volley_api::AggregatorRole;

use super::DELTA_BYTES_MAX;
use super::kept::Kept;
use super::session::Session;
use crate::repro::is_of_a_call;
use crate::violation::Violation;
use crate::{Error, Result};

/// Deltas are never given up after less input than this.
const DELTA_BYTES_MIN: usize = DELTA_BYTES_MAX / 1024;

/// Rows `start..end` of all parts, one behind the other.
struct Waiting {
    start: usize,
    end: usize,
    /// Which half it is of the one with that number.
    half: Option<Half>,
    /// Whether it is known to fail.
    fails: bool,
}

#[derive(Clone, Copy)]
enum Half {
    First(usize),
    Second(usize),
}

impl Session {
    /// Deals with all rows since the last drain, and with a part that was to be next, after `error`.
    pub(super) fn recover(&mut self, error: Error, next: Option<Kept>) -> Result<()> {
        self.failed(error)?;
        let mut parts = std::mem::take(&mut self.kept);
        self.begin();
        let known: usize = parts.iter().map(Kept::rows).sum();
        let fails_alone = next.is_some();
        parts.extend(next);
        if self.role == AggregatorRole::BeforeExchange {
            parts.iter().for_each(|part| self.give_back(part));
            return Ok(());
        }
        let total: usize = parts.iter().map(Kept::rows).sum();
        // What was taken in before is good, as far as is known; with no part behind it, it is what fails.
        let mut waiting = Vec::new();
        if total > known {
            waiting.push(Waiting { start: known, end: total, half: None, fails: known == 0 });
        }
        if known > 0 {
            waiting.push(Waiting { start: 0, end: known, half: None, fails: !fails_alone });
        }
        let mut firsts_good: Vec<bool> = Vec::new();
        while let Some(Waiting { start, end, half, fails }) = waiting.pop() {
            if !fails {
                match self.attempt(&parts, start, end) {
                    Ok(()) => {
                        match half {
                            Some(Half::First(of)) => firsts_good[of] = true,
                            Some(Half::Second(of)) if firsts_good[of] => self.be_content_with(&parts, start, end),
                            _ => {}
                        }
                        continue;
                    }
                    Err(error) => drop(self.failed(error)?),
                }
            }
            if end - start > 1 {
                let (of, middle) = (firsts_good.len(), middle(&parts, start, end));
                firsts_good.push(false);
                waiting.push(Waiting { start: middle, end, half: Some(Half::Second(of)), fails: false });
                waiting.push(Waiting { start, end: middle, half: Some(Half::First(of)), fails: false });
                continue;
            }
            if let Err(error) = self.attempt(&parts, start, end) {
                let (violation, error) = self.failed(error)?;
                if let Some(part) = within(&parts, start, end).next() {
                    self.blame(&part, violation, error)?;
                }
            }
        }
        Ok(())
    }

    /// An instance has failed in a call that had nothing to do with its deltas: a fresh one is handed their rows.
    pub(super) fn feed_again(&mut self) -> Result<()> {
        let parts = std::mem::take(&mut self.kept);
        self.begin();
        if self.role == AggregatorRole::BeforeExchange {
            parts.iter().for_each(|part| self.give_back(part));
            return Ok(());
        }
        let total = parts.iter().map(Kept::rows).sum();
        if total == 0 {
            return Ok(());
        }
        match self.attempt(&parts, 0, total) {
            Ok(()) => Ok(()),
            Err(error) => {
                self.kept = parts;
                self.recover(error, None)
            }
        }
    }

    /// Hands rows to an instance that knows nothing, and has it give up its deltas.
    fn attempt(&mut self, parts: &[Kept], start: usize, end: usize) -> Result<()> {
        let refused = self.refused.len();
        let attempted = self.try_rows(parts, start, end);
        if attempted.is_err() {
            self.begin();
            self.refused.truncate(refused);
        }
        attempted
    }

    fn try_rows(&mut self, parts: &[Kept], start: usize, end: usize) -> Result<()> {
        for part in within(parts, start, end) {
            let mut offset = 0;
            while offset < part.rows() {
                let rows = self.call_rows_max.min(part.rows() - offset);
                let piece = part.slice(offset, rows);
                let fed = self.feed(&piece)?;
                self.keep(piece, fed)?;
                offset += rows;
            }
        }
        self.drain_once()
    }

    /// Both halves of what failed are good; the second are these rows.
    fn be_content_with(&mut self, parts: &[Kept], start: usize, end: usize) {
        let of_parts: Vec<Kept> = within(parts, start, end).collect();
        match &of_parts[..] {
            [one] => self.call_rows_max = self.call_rows_max.min(one.rows()).max(1),
            _ => self.delta_bytes_max = (self.delta_bytes_max / 2).max(DELTA_BYTES_MIN),
        }
    }

    /// Counts a failed call and lets go of its instance; an error that rows are not to blame for stops the job.
    pub(super) fn failed(&mut self, error: Error) -> Result<(Violation, Error)> {
        let Some(violation) = error.violation() else { return Err(error) };
        self.instances.count(violation);
        if !error.may_be_of_rows() {
            return Err(if is_of_a_call(&error) { self.kept_call(error) } else { error });
        }
        // What a broken promise says of the plugin holds for every row: with nobody to take rows, it ends here.
        if matches!(error, Error::Contract { .. }) && self.stops_at_failures() {
            return Err(self.kept_call(error));
        }
        self.instances.discard();
        self.trail.end();
        Ok((violation, error))
    }
}

/// Where to cut: between two parts, the nearest to the middle, or within the only one.
fn middle(parts: &[Kept], start: usize, end: usize) -> usize {
    let half = usize::midpoint(start, end);
    let mut at = 0;
    let ends = parts.iter().map(|part| {
        at += part.rows();
        at
    });
    let between = ends.filter(|at| start < *at && *at < end);
    between.min_by_key(|at| at.abs_diff(half)).unwrap_or(half)
}

/// The parts of a range of rows.
fn within(parts: &[Kept], start: usize, end: usize) -> impl Iterator<Item = Kept> {
    let mut at = 0;
    parts.iter().filter_map(move |part| {
        let (first, last) = (at.max(start), (at + part.rows()).min(end));
        let begin = at;
        at += part.rows();
        (first < last).then(|| part.slice(first - begin, last - first))
    })
}
