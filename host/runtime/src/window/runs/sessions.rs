//! Sessions: rows of a key with no gap between them. A row between two sessions makes one of them.

use std::time::Duration;

use arrow::array::{Array, RecordBatch};
use volley_api::{Output, Result, StreamRecord};

use super::due::Due;
use super::merge::{Merging, Part};
use super::run::Run;
use super::store::Store;
use super::{Fired, KeyedRows};
use crate::time::ms;
use crate::window::late::LateRow;
use crate::window::times::Times;

/// Joins the rows of each key into sessions.
pub(super) struct Sessions {
    gap_ms: i64,
    lateness_ms: i64,
    times: Times,
    pub(super) watermark_ms: Option<i64>,
    /// A session may have gone on since its key was noted; the key is noted again then.
    pub(super) due: Due,
}

/// A session among the rows of a record.
struct New {
    key: usize,
    start_ms: i64,
    end_ms: i64,
    rows: Vec<(u32, i64)>,
}

/// A session while parts are joined.
struct Joined {
    start_ms: i64,
    end_ms: i64,
    rows: u64,
    revision: Option<i64>,
    parts: Vec<Part>,
}

impl Sessions {
    pub(super) fn new(
        gap: Duration,
        allowed_lateness: Duration,
        times: Times,
        due: Due,
        watermark_ms: Option<i64>,
    ) -> Self {
        Self { gap_ms: ms(gap), lateness_ms: ms(allowed_lateness), times, watermark_ms, due }
    }

    pub(super) fn add(
        &mut self,
        record: &StreamRecord,
        rows: &RecordBatch,
        keyed: KeyedRows,
        merging: &Merging,
        store: &mut Store,
        output: &mut dyn Output,
    ) -> Result<Fired> {
        let (new, run_of_row) = self.among(record, rows, &keyed, output)?;
        let states = merging.state_of(record, rows, &run_of_row, new.len() + 1)?;
        let keys = keyed.keys;
        let mut late = Vec::new();
        let mut joined: Vec<(usize, Joined)> = Vec::new();
        let mut untouched: Vec<Vec<Run>> = store.take(&keys)?;
        // When each key is looked at next; it may be noted for an earlier time, and is then noted again.
        let mut due: Vec<Option<i64>> = untouched.iter().map(|runs| self.due_of(runs)).collect();
        // Where the sessions of the present key begin in `joined`: new ones are sorted by key.
        let (mut key_at, mut joined_from) = (usize::MAX, 0);
        for (number, session) in new.iter().enumerate() {
            if key_at != session.key {
                (key_at, joined_from) = (session.key, joined.len());
            }
            match self.join(number, session, &mut untouched[session.key], &mut joined, joined_from) {
                Some(one) => joined.push((session.key, one)),
                None => late.extend(session.rows.iter().map(|&(row, time_ms)| LateRow {
                    row,
                    time_ms,
                    start_ms: session.start_ms,
                    end_ms: session.end_ms,
                })),
            }
        }
        self.times.put_aside(record, &mut late, self.watermark_ms, output)?;
        let parts: Vec<Vec<Part>> = joined.iter_mut().map(|(_, session)| std::mem::take(&mut session.parts)).collect();
        let merged = if parts.is_empty() { Vec::new() } else { merging.merge(&states, &parts)? };
        let mut fired = Fired::default();
        for ((key, session), state) in joined.into_iter().zip(merged) {
            let Joined { start_ms, end_ms, rows, mut revision, .. } = session;
            if self.watermark_ms.is_some_and(|at| end_ms - 1 <= at) {
                // It has fired, or would have: what late rows have changed is put out at once.
                let next = revision.map_or(0, |revision| revision + 1);
                fired.push(&keys[key], &state, start_ms, end_ms, next);
                revision = Some(next);
            }
            let is_changed = revision.is_none() || end_ms - 1 > self.watermark_ms.unwrap_or(i64::MIN);
            if due[key].is_none_or(|due| end_ms - 1 < due) {
                self.due.note(&keys[key], end_ms - 1);
                due[key] = Some(end_ms - 1);
            }
            untouched[key].push(Run { start_ms, end_ms, rows, revision, is_changed, state });
        }
        keys.into_iter().zip(untouched).for_each(|(key, runs)| store.put(key, runs));
        Ok(fired)
    }

    /// The sessions that the rows of a record make among themselves, and the session of each row. Rows without a time
    /// have the number behind the last.
    fn among(
        &self,
        record: &StreamRecord,
        rows: &RecordBatch,
        keyed: &KeyedRows,
        output: &mut dyn Output,
    ) -> Result<(Vec<New>, Vec<usize>)> {
        let times = self.times.of(record, rows, output)?.ms;
        let mut order: Vec<u32> = (0..).take(times.len()).collect();
        order.retain(|&row| times.is_valid(row as usize));
        order.sort_unstable_by_key(|&row| (keyed.numbers[row as usize], times.value(row as usize), row));
        let mut new: Vec<New> = Vec::new();
        let mut run_of_row = vec![usize::MAX; times.len()];
        for row in order {
            let (key, time_ms) = (keyed.numbers[row as usize], times.value(row as usize));
            match new.last_mut() {
                Some(last) if last.key == key && time_ms < last.end_ms => {
                    last.end_ms = time_ms + self.gap_ms;
                    last.rows.push((row, time_ms));
                }
                _ => {
                    let end_ms = time_ms + self.gap_ms;
                    new.push(New { key, start_ms: time_ms, end_ms, rows: vec![(row, time_ms)] });
                }
            }
            run_of_row[row as usize] = new.len() - 1;
        }
        let none = new.len();
        run_of_row.iter_mut().filter(|run| **run == usize::MAX).for_each(|run| *run = none);
        Ok((new, run_of_row))
    }

    /// Joins a new session with those of its key that it meets; `None` when what comes of it is too late.
    fn join(
        &self,
        number: usize,
        new: &New,
        kept: &mut Vec<Run>,
        joined: &mut Vec<(usize, Joined)>,
        joined_from: usize,
    ) -> Option<Joined> {
        let mut one = Joined {
            start_ms: new.start_ms,
            end_ms: new.end_ms,
            rows: new.rows.len() as u64,
            revision: None,
            parts: vec![Part::New(number)],
        };
        // The end is not part of a session: a row exactly one gap later begins another.
        let meets = |start_ms: i64, end_ms: i64| start_ms < new.end_ms && new.start_ms < end_ms;
        for run in kept.extract_if(.., |run| meets(run.start_ms, run.end_ms)) {
            one.take_in(run.start_ms, run.end_ms, run.rows, run.revision, vec![Part::Kept(run.state)]);
        }
        for (_, other) in joined.extract_if(joined_from.., |(_, other)| meets(other.start_ms, other.end_ms)) {
            one.take_in(other.start_ms, other.end_ms, other.rows, other.revision, other.parts);
        }
        let has_passed = self.watermark_ms.is_some_and(|at| one.end_ms - 1 <= at.saturating_sub(self.lateness_ms));
        let is_late = one.parts.len() == 1 && has_passed;
        // What was kept is not late, so only rows that met nothing can be.
        (!is_late).then_some(one)
    }

    /// Puts out sessions that the watermark has passed, and forgets those that no row can reach: for some of the keys that
    /// are due. `None` when no key is.
    pub(super) fn advance(&mut self, at_ms: i64, store: &mut Store) -> Result<Option<Fired>> {
        let keys = self.due.next(at_ms)?;
        if keys.is_empty() {
            return Ok(None);
        }
        let mut fired = Fired::default();
        let taken = store.take(&keys)?;
        for (key, mut runs) in keys.into_iter().zip(taken) {
            for run in &mut runs {
                if run.is_changed && run.end_ms - 1 <= at_ms {
                    let next = run.revision.map_or(0, |revision| revision + 1);
                    fired.push(&key, &run.state, run.start_ms, run.end_ms, next);
                    (run.revision, run.is_changed) = (Some(next), false);
                }
            }
            runs.retain(|run| run.end_ms - 1 > at_ms.saturating_sub(self.lateness_ms));
            if let Some(due) = self.due_of(&runs) {
                self.due.note(&key, due.max(at_ms.saturating_add(1)));
            }
            store.put(key, runs);
        }
        Ok(Some(fired))
    }

    /// When there is next something to do for a key: to put a session out, or to forget one.
    fn due_of(&self, runs: &[Run]) -> Option<i64> {
        let due = runs.iter().map(|run| {
            let last_ms = run.end_ms - 1;
            if run.is_changed { last_ms } else { last_ms.saturating_add(self.lateness_ms) }
        });
        due.min()
    }
}

impl Joined {
    fn take_in(&mut self, start_ms: i64, end_ms: i64, rows: u64, revision: Option<i64>, parts: Vec<Part>) {
        self.start_ms = self.start_ms.min(start_ms);
        self.end_ms = self.end_ms.max(end_ms);
        self.rows += rows;
        self.revision = self.revision.max(revision);
        // What is kept came first: aggregates that go by arrival see it so.
        self.parts.splice(0..0, parts);
    }
}

impl Fired {
    fn push(&mut self, key: &[u8], state: &[u8], start_ms: i64, end_ms: i64, revision: i64) {
        self.keys.push(key.into());
        self.states.push(state.into());
        self.starts_ms.push(start_ms);
        self.ends_ms.push(end_ms);
        self.revisions.push(revision);
    }
}
