//! What an aggregate promises: state merges in any order and grouping, and nothing is remembered beside it.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, RecordBatch, UInt32Array};
use arrow::compute::take_record_batch;
use arrow::datatypes::Schema;
use volley_api::{Aggregator, AggregatorFactory, AggregatorPool, AggregatorRole, OperatorState};
use volley_wasm::{Crossing, PluginAggregates, PluginMetrics, PluginOptions};

use crate::Promise;
use crate::compare::about_same;
use crate::host::{REPEATABLE, Subject, never_differed, texts};

pub(crate) const PROMISES: &[Promise] = &[
    ("rows of a group give the same in calls of any size", updates_can_be_cut),
    ("state merges to the same in any order and grouping", state_merges),
    ("rows give the same in any order", rows_have_no_order),
    ("the number of a group means nothing", groups_have_no_order),
    ("`drain` forgets everything", drain_forgets),
    ("`evaluate` changes nothing of what is known", evaluate_is_pure),
    ("a rejected row was not added", rejected_rows_do_not_count),
    ("each way across the boundary gives the same", crossings_agree),
    (REPEATABLE, calls_are_repeatable),
];

/// Rows, and the groups that they are of.
const ROWS: usize = 600;
const GROUPS: usize = 9;

/// The aggregators of one instance, and the columns of their results.
struct Job {
    pool: Box<dyn AggregatorPool>,
    results: Arc<Schema>,
    metrics: Arc<PluginMetrics>,
}

impl Job {
    fn new(subject: &Subject<'_>, crossing: Crossing) -> Result<Self, String> {
        Self::with(subject, subject.options(crossing))
    }

    fn with(subject: &Subject<'_>, options: PluginOptions) -> Result<Self, String> {
        let said = |error: volley_api::Error| error.to_string();
        let factory = PluginAggregates::new(Arc::clone(&subject.plugin), options, subject.sample.keys.clone());
        let factory = factory.map_err(|error| error.to_string())?;
        let (schema, event_time) = (subject.sample.schema(), subject.event_time());
        let binding = factory.bind(&schema, event_time.as_ref()).map_err(said)?;
        let context = subject.context(OperatorState::default());
        let pool = factory.pool(&context, AggregatorRole::Operator, &schema).map_err(said)?;
        let pool = pool.ok_or("an aggregate that is a plugin has no instance")?;
        Ok(Self { pool, results: Arc::new(Schema::new(binding.results)), metrics: factory.metrics() })
    }

    fn aggregator(&self) -> Result<Box<dyn Aggregator>, String> {
        self.pool.create().map_err(|error| error.to_string())
    }

    /// The numbers of rows that were refused; one that the plugin failed on is an error.
    fn refused(&self) -> Result<Vec<i64>, String> {
        self.pool.settle().map_err(|error| error.to_string())?;
        let mut rows = Vec::new();
        for refused in self.pool.take_refused() {
            for reject in &refused.rejects {
                if reject.code.starts_with("plugin-") {
                    return Err(format!("it fails on a row: {}: {}", reject.code, reject.message));
                }
                rows.extend(refused.rows.origins.as_ref().map(|origins| origins.get(reject.row).position));
            }
        }
        Ok(rows)
    }

    /// The results of an aggregator, a row of JSON for each group.
    fn evaluated(&self, aggregator: &mut dyn Aggregator) -> Result<Vec<String>, String> {
        let columns = aggregator.evaluate(GROUPS).map_err(|error| error.to_string())?;
        let batch = RecordBatch::try_new(Arc::clone(&self.results), columns).map_err(|error| error.to_string())?;
        let mut rows = texts(&batch);
        if let Some(present) = aggregator.evaluated() {
            for (group, row) in rows.iter_mut().enumerate() {
                if !present.value(group) {
                    "no result".clone_into(row);
                }
            }
        }
        self.refused()?;
        Ok(rows)
    }
}

/// Some rows with their groups: their numbers, and by them the rows.
struct Rows {
    numbers: Vec<usize>,
}

impl Rows {
    fn all() -> Self {
        Self { numbers: (0..ROWS).collect() }
    }

    fn those(of: impl Fn(usize) -> bool) -> Self {
        Self { numbers: (0..ROWS).filter(|row| of(*row)).collect() }
    }
}

/// The group of a row: few of the last, many of the first.
fn group(row: usize) -> usize {
    (row * row + row / 7) % GROUPS
}

/// Hands rows to an aggregator, so many at a time, with groups numbered so.
fn update(
    subject: &Subject<'_>,
    aggregator: &mut dyn Aggregator,
    rows: &Rows,
    at_once: usize,
    number: impl Fn(usize) -> usize,
) -> Result<(), String> {
    let all = subject.sample.rows(0, ROWS);
    for part in rows.numbers.chunks(at_once) {
        let indices = UInt32Array::from_iter_values(part.iter().map(|row| u32::try_from(*row).unwrap_or(0)));
        let batch = take_record_batch(&all, &indices).map_err(|error| error.to_string())?;
        let record = subject.record(0, all.clone()).take(&indices).map_err(|error| error.to_string())?;
        let groups: Vec<usize> = part.iter().map(|row| number(group(*row))).collect();
        aggregator.update_of(&record, &batch, &groups, GROUPS).map_err(|error| error.to_string())?;
    }
    Ok(())
}

fn as_they_are(group: usize) -> usize {
    group
}

/// What all rows give at once.
fn due(subject: &Subject<'_>, rows: &Rows) -> Result<Vec<String>, String> {
    let job = Job::new(subject, Crossing::Direct)?;
    let mut aggregator = job.aggregator()?;
    update(subject, &mut *aggregator, rows, ROWS, as_they_are)?;
    job.evaluated(&mut *aggregator)
}

fn updates_can_be_cut(subject: &Subject<'_>) -> Result<(), String> {
    let due = due(subject, &Rows::all())?;
    for at_once in [1, 7, 64] {
        let job = Job::new(subject, Crossing::Direct)?;
        let mut aggregator = job.aggregator()?;
        update(subject, &mut *aggregator, &Rows::all(), at_once, as_they_are)?;
        about_same(&format!("of {at_once} rows at a time,"), &job.evaluated(&mut *aggregator)?, &due)?;
    }
    Ok(())
}

/// The state of rows, as the host would keep it.
fn state(subject: &Subject<'_>, job: &Job, rows: &Rows) -> Result<Vec<ArrayRef>, String> {
    let mut aggregator = job.aggregator()?;
    update(subject, &mut *aggregator, rows, ROWS, as_they_are)?;
    aggregator.drain(GROUPS).map_err(|error| error.to_string())
}

fn state_merges(subject: &Subject<'_>) -> Result<(), String> {
    let due = due(subject, &Rows::all())?;
    let numbers: Vec<usize> = (0..GROUPS).collect();
    let job = Job::new(subject, Crossing::Direct)?;
    let parts = [0, 1, 2].map(|part| state(subject, &job, &Rows::those(|row| row % 3 == part)));
    let [a, b, c] = parts;
    let parts = [a?, b?, c?];
    let merged = |order: &[usize]| -> Result<Box<dyn Aggregator>, String> {
        let mut aggregator = job.aggregator()?;
        for part in order {
            aggregator.merge(&parts[*part], &numbers, GROUPS).map_err(|error| error.to_string())?;
        }
        Ok(aggregator)
    };
    for order in [[0, 1, 2], [2, 1, 0], [1, 0, 2]] {
        let found = job.evaluated(&mut *merged(&order)?)?;
        about_same(&format!("with states merged in the order {order:?},"), &found, &due)?;
    }
    // Two of them first, drained, and then the third.
    let two = merged(&[2, 0])?.drain(GROUPS).map_err(|error| error.to_string())?;
    let mut aggregator = merged(&[1])?;
    aggregator.merge(&two, &numbers, GROUPS).map_err(|error| error.to_string())?;
    about_same("with two states merged before the third,", &job.evaluated(&mut *aggregator)?, &due)?;
    // All of them in one call, so that groups occur several times.
    let columns: Result<Vec<ArrayRef>, String> = (0..parts[0].len())
        .map(|column| {
            let of: Vec<&dyn Array> = parts.iter().map(|part| part[column].as_ref()).collect();
            arrow::compute::concat(&of).map_err(|error| error.to_string())
        })
        .collect();
    let mut aggregator = job.aggregator()?;
    let thrice: Vec<usize> = numbers.iter().chain(&numbers).chain(&numbers).copied().collect();
    aggregator.merge(&columns?, &thrice, GROUPS).map_err(|error| error.to_string())?;
    about_same("with all states merged in one call,", &job.evaluated(&mut *aggregator)?, &due)?;
    // Rows before and behind a state.
    let mut aggregator = job.aggregator()?;
    update(subject, &mut *aggregator, &Rows::those(|row| row % 3 == 1), 50, as_they_are)?;
    aggregator.merge(&parts[0], &numbers, GROUPS).map_err(|error| error.to_string())?;
    update(subject, &mut *aggregator, &Rows::those(|row| row % 3 == 2), 50, as_they_are)?;
    about_same("with a state merged between rows,", &job.evaluated(&mut *aggregator)?, &due)
}

fn rows_have_no_order(subject: &Subject<'_>) -> Result<(), String> {
    let due = due(subject, &Rows::all())?;
    let job = Job::new(subject, Crossing::Direct)?;
    let mut aggregator = job.aggregator()?;
    let backwards = Rows { numbers: (0..ROWS).rev().collect() };
    update(subject, &mut *aggregator, &backwards, 100, as_they_are)?;
    about_same("with rows in the opposite order,", &job.evaluated(&mut *aggregator)?, &due)
}

fn groups_have_no_order(subject: &Subject<'_>) -> Result<(), String> {
    let due = due(subject, &Rows::all())?;
    let job = Job::new(subject, Crossing::Direct)?;
    let mut aggregator = job.aggregator()?;
    update(subject, &mut *aggregator, &Rows::all(), 100, |group| GROUPS - 1 - group)?;
    let mut found = job.evaluated(&mut *aggregator)?;
    found.reverse();
    about_same("with groups numbered backwards,", &found, &due)
}

fn drain_forgets(subject: &Subject<'_>) -> Result<(), String> {
    let half = Rows::those(|row| row >= ROWS / 2);
    let due = due(subject, &half)?;
    let job = Job::new(subject, Crossing::Direct)?;
    let mut aggregator = job.aggregator()?;
    update(subject, &mut *aggregator, &Rows::all(), ROWS, as_they_are)?;
    aggregator.drain(GROUPS).map_err(|error| error.to_string())?;
    update(subject, &mut *aggregator, &half, ROWS, as_they_are)?;
    about_same("behind a drain,", &job.evaluated(&mut *aggregator)?, &due)?;
    // Fewer groups than before: what was known of the others must not come back.
    let mut few = job.aggregator()?;
    update(subject, &mut *few, &Rows::those(|row| group(row) == 0), ROWS, as_they_are)?;
    let found = few.drain(1).map_err(|error| error.to_string())?;
    let rows = found.first().map_or(0, |column| column.len());
    if rows == 1 { Ok(()) } else { Err(format!("a drain of one group gives {rows} rows")) }
}

fn evaluate_is_pure(subject: &Subject<'_>) -> Result<(), String> {
    let whole = due(subject, &Rows::all())?;
    let job = Job::new(subject, Crossing::Direct)?;
    let (mut one, mut other) = (job.aggregator()?, job.aggregator()?);
    update(subject, &mut *one, &Rows::those(|row| row < ROWS / 2), 100, as_they_are)?;
    for _ in 0..2 {
        // Of another window, while rows of the first are held.
        update(subject, &mut *other, &Rows::all(), ROWS, as_they_are)?;
        about_same("evaluated again,", &job.evaluated(&mut *other)?, &whole)?;
    }
    update(subject, &mut *one, &Rows::those(|row| row >= ROWS / 2), 100, as_they_are)?;
    about_same("with another evaluated in between,", &job.evaluated(&mut *one)?, &whole)
}

fn rejected_rows_do_not_count(subject: &Subject<'_>) -> Result<(), String> {
    let job = Job::new(subject, Crossing::Direct)?;
    let mut aggregator = job.aggregator()?;
    update(subject, &mut *aggregator, &Rows::all(), ROWS, as_they_are)?;
    let refused = job.refused()?;
    let found = job.evaluated(&mut *aggregator)?;
    let is_refused = |row: usize| refused.iter().any(|refused| usize::try_from(*refused) == Ok(row));
    let due = due(subject, &Rows::those(|row| !is_refused(row)))?;
    // A group of which all rows were refused has no result, or that of a group without rows.
    let has_rows = |group: &usize| (0..ROWS).any(|row| self::group(row) == *group && !is_refused(row));
    let pick = |rows: &[String]| (0..GROUPS).filter(has_rows).map(|group| rows[group].clone()).collect::<Vec<_>>();
    about_same(&format!("with {} rows rejected,", refused.len()), &pick(&found), &pick(&due))
}

fn crossings_agree(subject: &Subject<'_>) -> Result<(), String> {
    let due = due(subject, &Rows::all())?;
    let job = Job::new(subject, Crossing::Stock)?;
    let mut aggregator = job.aggregator()?;
    update(subject, &mut *aggregator, &Rows::all(), 100, as_they_are)?;
    about_same("by the stock way,", &job.evaluated(&mut *aggregator)?, &due)
}

fn calls_are_repeatable(subject: &Subject<'_>) -> Result<(), String> {
    let job = Job::with(subject, subject.twice())?;
    let mut aggregator = job.aggregator()?;
    // Some drains of some calls each, and a merge of what they gave.
    for part in 0..4 {
        update(subject, &mut *aggregator, &Rows::those(|row| row % 4 == part), 50, as_they_are)?;
        job.pool.settle().map_err(|error| error.to_string())?;
    }
    job.evaluated(&mut *aggregator)?;
    never_differed(&job.metrics)
}
