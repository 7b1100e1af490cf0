//! Pieces of state of the same groups become one, and states become results: both by the instance, some groups at a time.
//!
//! There are no rows to blame any more. A call that fails is made again by a fresh instance with half the groups; one group
//! that fails alone twice stops the job, with its state.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, RecordBatch};
use arrow::compute::{concat_batches, interleave};
use arrow::datatypes::SchemaRef;

use super::pieces::{Groups, Piece, number};
use super::refuse::as_json;
use super::session::{Session, bytes_of};
use crate::operator::CALL_BYTES_MAX;
use crate::text::visible;
use crate::{Error, Result};

/// What is shown of a state, in bytes.
const STATE_BYTES_MAX: usize = 512;

/// States sorted by group.
struct Sorted {
    states: RecordBatch,
    groups: Vec<u32>,
}

/// A range that is still to be tried.
struct Waiting {
    start: usize,
    end: usize,
    failed: usize,
}

impl Session {
    /// The same states with no group in two rows. Those that stand alone stay as they are.
    pub(super) fn united(&mut self, pieces: Vec<Piece>, groups_total: usize) -> Result<Vec<Piece>> {
        if let [Piece { groups: Groups::First(_), .. }] = &pieces[..] {
            return Ok(pieces);
        }
        let mut rows_of = vec![0_u32; groups_total];
        for piece in &pieces {
            piece.groups.numbers().iter().for_each(|group| rows_of[*group as usize] += 1);
        }
        if rows_of.iter().all(|rows| *rows <= 1) {
            return Ok(pieces);
        }
        // The instance may know groups of others.
        self.drain()?;
        let alone = self.picked(&pieces, &rows_of, |rows| rows == 1)?;
        let several = self.picked(&pieces, &rows_of, |rows| rows > 1)?;
        let mut united: Vec<Piece> = Vec::new();
        if !alone.groups.is_empty() {
            united.push(Piece { groups: Groups::These(alone.groups), columns: alone.states.columns().to_vec() });
        }
        let rows_max = self.rows_per_call(&several.states);
        let mut start = 0;
        while start < several.groups.len() {
            let end = several.end_of_group((start + rows_max).min(several.groups.len()));
            self.merged(&several, start, end, &mut united)?;
            start = end;
        }
        Ok(united)
    }

    /// The rows of groups with so many of them, sorted by group and, within one, as the pieces come.
    fn picked(&self, pieces: &[Piece], rows_of: &[u32], wanted: impl Fn(u32) -> bool) -> Result<Sorted> {
        let mut begins = Vec::with_capacity(rows_of.len());
        let mut total = 0_usize;
        for rows in rows_of {
            begins.push(total);
            total += if wanted(*rows) { *rows as usize } else { 0 };
        }
        let mut places = vec![(0, 0); total];
        let mut groups = vec![0; total];
        for (number, piece) in pieces.iter().enumerate() {
            for (row, group) in piece.groups.numbers().iter().enumerate() {
                if wanted(rows_of[*group as usize]) {
                    let place = &mut begins[*group as usize];
                    (places[*place], groups[*place]) = ((number, row), *group);
                    *place += 1;
                }
            }
        }
        let column = |index: usize| {
            let parts: Vec<&dyn Array> = pieces.iter().map(|piece| &*piece.columns[index]).collect();
            interleave(&parts, &places)
        };
        let columns = (0..self.state.fields().len()).map(column).collect::<std::result::Result<Vec<ArrayRef>, _>>()?;
        Ok(Sorted { states: RecordBatch::try_new(Arc::clone(&self.state), columns)?, groups })
    }

    /// How many rows of states go into one call.
    fn rows_per_call(&self, states: &RecordBatch) -> usize {
        let row_bytes = bytes_of(states).div_ceil(states.num_rows().max(1)).max(1);
        let bytes_max = CALL_BYTES_MAX.min(self.instances.limits().memory_bytes_max / 8);
        (bytes_max / row_bytes).clamp(1, self.call_rows_max)
    }

    /// The states of whole groups, merged.
    fn merged(&mut self, several: &Sorted, start: usize, end: usize, united: &mut Vec<Piece>) -> Result<()> {
        let mut waiting = vec![Waiting { start, end, failed: 0 }];
        while let Some(Waiting { start, end, failed }) = waiting.pop() {
            let error = match self.try_merge(several, start, end) {
                Ok(piece) => {
                    united.push(piece);
                    continue;
                }
                Err(error) => self.failed(error)?.1,
            };
            let middle = several.end_of_group(usize::midpoint(start, end));
            let middle = if middle == end { several.begin_of_group(start, end - 1) } else { middle };
            if start < middle && middle < end {
                waiting.push(Waiting { start: middle, end, failed: 0 });
                waiting.push(Waiting { start, end: middle, failed: 0 });
            } else if failed == 0 {
                waiting.push(Waiting { start, end, failed: 1 });
            } else {
                return Err(self.kept_call(of_state(error, &several.states.slice(start, 1))));
            }
        }
        Ok(())
    }

    fn try_merge(&mut self, several: &Sorted, start: usize, end: usize) -> Result<Piece> {
        let mut groups: Vec<u32> = Vec::new();
        let mut numbers = Vec::with_capacity(end - start);
        for group in &several.groups[start..end] {
            if groups.last() != Some(group) {
                groups.push(*group);
            }
            numbers.push(number(groups.len() - 1));
        }
        let rows_max = self.call_rows_max;
        self.twice.begin();
        let mut handed = Vec::new();
        for (part, numbers) in (0..).zip(numbers.chunks(rows_max)) {
            let states = several.states.slice(start + part * rows_max, numbers.len());
            let numbers = Arc::new(numbers.to_vec());
            if self.twice.hears() {
                handed.push((states.clone(), Arc::clone(&numbers)));
            }
            self.call_merge(&states, numbers)?;
        }
        let states = self.drained(groups.len())?;
        if self.twice.drained() {
            self.drain_again(handed, true, &states);
        }
        self.twice.begin();
        Ok(Piece { groups: Groups::These(groups), columns: states.columns().to_vec() })
    }

    /// The results of states.
    pub(super) fn results_of(&mut self, pieces: Vec<Piece>) -> Result<Vec<Piece>> {
        let mut results = Vec::with_capacity(pieces.len());
        for piece in pieces {
            let states = piece.batch(&self.state)?;
            let rows_max = self.rows_per_call(&states);
            let mut waiting: Vec<Waiting> = Vec::new();
            // In order, since halves are tried in order.
            let mut batches: Vec<RecordBatch> = Vec::new();
            for start in (0..piece.rows()).step_by(rows_max).rev() {
                waiting.push(Waiting { start, end: (start + rows_max).min(piece.rows()), failed: 0 });
            }
            while let Some(Waiting { start, end, failed }) = waiting.pop() {
                let error = match self.evaluated(&states.slice(start, end - start)) {
                    Ok(batch) => {
                        batches.push(batch);
                        continue;
                    }
                    // Deltas that others have in the instance are made again of their rows.
                    Err(error) => {
                        let blamed = (end - start == 1 && failed > 0).then(|| states.slice(start, 1));
                        self.lost(error, blamed.as_ref())?
                    }
                };
                let middle = usize::midpoint(start, end);
                if end - start > 1 {
                    waiting.push(Waiting { start: middle, end, failed: 0 });
                    waiting.push(Waiting { start, end: middle, failed: 0 });
                } else if failed == 0 {
                    waiting.push(Waiting { start, end, failed: 1 });
                } else {
                    return Err(error);
                }
            }
            results.push(Piece { groups: piece.groups, columns: one_behind_the_other(&self.results, &batches)? });
        }
        let rows = results.iter().map(Piece::rows).sum();
        self.instances.metrics().rows_out(rows);
        Ok(results)
    }

    /// An instance has failed in a call that is not of rows, with whatever deltas it had; where one state is to blame, that is
    /// told with the error.
    fn lost(&mut self, error: Error, blamed: Option<&RecordBatch>) -> Result<Error> {
        let (_, error) = self.failed(error)?;
        let error = match blamed {
            Some(state) => self.kept_call(of_state(error, state)),
            None => error,
        };
        self.feed_again()?;
        Ok(error)
    }
}

/// The columns of batches of a schema.
fn one_behind_the_other(schema: &SchemaRef, batches: &[RecordBatch]) -> Result<Vec<ArrayRef>> {
    match batches {
        [only] => Ok(only.columns().to_vec()),
        batches => Ok(concat_batches(schema, batches)?.columns().to_vec()),
    }
}

impl Sorted {
    /// The first place from `at` on where no group is cut.
    fn end_of_group(&self, at: usize) -> usize {
        let is_within = |at: &usize| *at > 0 && *at < self.groups.len() && self.groups[*at] == self.groups[*at - 1];
        (at..).find(|at| !is_within(at)).unwrap_or(at)
    }

    /// Where the group of the row `at` begins, from `start` on.
    fn begin_of_group(&self, start: usize, at: usize) -> usize {
        (start..at).rev().take_while(|row| self.groups[*row] == self.groups[at]).last().unwrap_or(at)
    }
}

/// The error with the state that the plugin fails on.
fn of_state(error: Error, state: &RecordBatch) -> Error {
    error.at_row(&format!("the state of a group: {}", visible(&as_json(state), STATE_BYTES_MAX)))
}
