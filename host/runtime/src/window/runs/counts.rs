//! Windows of so many rows of a key.

use arrow::array::RecordBatch;
use volley_api::Result;

use super::store::{Part, Run, Store};
use super::{Fired, KeyedRows};

/// Cuts the rows of each key after every so many.
pub(super) struct Counts {
    rows_max: u64,
}

impl Counts {
    pub(super) fn new(rows_max: u64) -> Self {
        Self { rows_max }
    }

    pub(super) fn add(&mut self, rows: &RecordBatch, keyed: &KeyedRows, store: &mut Store) -> Result<Fired> {
        let keys = store.keys(&keyed.keys)?;
        let mut kept: Vec<Option<Run>> = keys.iter().map(|key| store.take(key).pop()).collect();
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
        let new = store.state_of(rows, &run_of_row, runs.len())?;
        let states = store.merge(&new, &parts)?;
        let mut fired = Fired::default();
        for ((number, count), state) in runs.into_iter().zip(states) {
            if count == self.rows_max {
                fired.keys.push(keys[number].clone());
                fired.states.push(state);
            } else {
                let run = Run { start_ms: 0, end_ms: 0, rows: count, revision: None, is_changed: true, state };
                store.put(keys[number].clone(), vec![run]);
            }
        }
        Ok(fired)
    }

    /// What is left at the end of the input.
    pub(super) fn rest(store: &mut Store) -> Fired {
        let mut fired = Fired::default();
        for (key, runs) in store.take_all() {
            for run in runs {
                fired.keys.push(key.clone());
                fired.states.push(run.state);
            }
        }
        fired
    }
}
