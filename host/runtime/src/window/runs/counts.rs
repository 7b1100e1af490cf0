//! Windows of so many rows of a key.

use arrow::array::RecordBatch;
use volley_api::{Result, StreamRecord};

use super::merge::{Merging, Part};
use super::run::Run;
use super::store::Store;
use super::{Fired, KeyedRows};

/// Cuts the rows of each key after every so many.
pub(super) struct Counts {
    rows_max: u64,
}

impl Counts {
    pub(super) fn new(rows_max: u64) -> Self {
        Self { rows_max }
    }

    pub(super) fn add(
        &mut self,
        record: &StreamRecord,
        rows: &RecordBatch,
        keyed: KeyedRows,
        merging: &Merging,
        store: &mut Store,
    ) -> Result<Fired> {
        let keys = keyed.keys;
        let mut kept: Vec<Option<Run>> = store.take(&keys)?.into_iter().map(|mut runs| runs.pop()).collect();
        // Of each key the run that it is at, and how many rows that has.
        let mut at: Vec<Option<(usize, u64)>> = vec![None; keys.len()];
        // Of each run its key and, in the end, its rows.
        let mut runs: Vec<(usize, u64)> = Vec::new();
        let mut parts: Vec<Vec<Part>> = Vec::new();
        let mut run_of_row = Vec::with_capacity(keyed.numbers.len());
        for &number in &keyed.numbers {
            let (run, count) = match at[number] {
                Some((run, count)) if count < self.rows_max => (run, count),
                _ => {
                    let before = kept[number].take();
                    let count = before.as_ref().map_or(0, |run| run.rows);
                    parts.push(before.map(|run| Part::Kept(run.state)).into_iter().collect());
                    runs.push((number, count));
                    (runs.len() - 1, count)
                }
            };
            at[number] = Some((run, count + 1));
            runs[run].1 = count + 1;
            run_of_row.push(run);
        }
        parts.iter_mut().enumerate().for_each(|(run, parts)| parts.push(Part::New(run)));
        let new = merging.state_of(record, rows, &run_of_row, runs.len())?;
        let states = merging.merge(&new, &parts)?;
        let mut fired = Fired::default();
        let mut left: Vec<Vec<Run>> = vec![Vec::new(); keys.len()];
        for ((number, count), state) in runs.into_iter().zip(states) {
            if count == self.rows_max {
                fired.keys.push(keys[number].clone());
                fired.states.push(state);
            } else {
                left[number].push(Run { start_ms: 0, end_ms: 0, rows: count, revision: None, is_changed: true, state });
            }
        }
        keys.into_iter().zip(left).for_each(|(key, runs)| store.put(key, runs));
        Ok(fired)
    }

    /// Some of what is left at the end of the input; nothing when there is no more.
    pub(super) fn rest(store: &mut Store) -> Result<Fired> {
        let mut fired = Fired::default();
        for (key, runs) in store.take_some()? {
            for run in runs {
                fired.keys.push(key.clone());
                fired.states.push(run.state);
            }
        }
        Ok(fired)
    }
}
