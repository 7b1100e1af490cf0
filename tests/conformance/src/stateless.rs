//! What a map, a filter and a flat-map promise: what comes of a row depends on the row.

use std::sync::Arc;

use arrow::array::{RecordBatch, UInt32Array};
use arrow::compute::take_record_batch;
use volley_api::{Operator, OperatorFactory, OperatorState, StreamRecord, StreamType};
use volley_wasm::{Crossing, PluginFactory};

use crate::Promise;
use crate::compare::same_by_row;
use crate::host::{ByRow, Kept, REPEATABLE, Subject, never_differed};

pub(crate) const PROMISES: &[Promise] = &[
    (
        "a batch of one row, of as many as cross at once, and of more, each become what they become",
        takes_batches_of_any_size,
    ),
    ("what comes of a row does not depend on the batch that it is in", rows_are_independent),
    ("what comes of a row does not depend on what came before", calls_are_independent),
    ("rows that are part of a larger batch are rows like others", takes_slices),
    ("each way across the boundary gives the same", crossings_agree),
    (REPEATABLE, calls_are_repeatable),
];

/// More than cross at once.
const MANY: usize = 8_192 + 500;
/// Enough for rows of every kind, and few enough for calls of one row.
const SOME: usize = 300;

/// An operator that was bound and made.
pub(crate) fn operator(
    subject: &Subject<'_>,
    crossing: Crossing,
    restored: OperatorState,
) -> Result<Box<dyn Operator>, String> {
    made(subject, PluginFactory::new(Arc::clone(&subject.plugin), subject.options(crossing)), restored)
}

pub(crate) fn made(
    subject: &Subject<'_>,
    factory: PluginFactory,
    restored: OperatorState,
) -> Result<Box<dyn Operator>, String> {
    let factory = factory.with_keys(subject.sample.keys.clone());
    let stream = StreamType {
        schema: subject.sample.schema(),
        event_time: subject.event_time(),
        is_bounded: true,
        is_revised: false,
    };
    factory.bind_stream(&stream).map_err(|error| error.to_string())?;
    factory.create(subject.context(restored)).map_err(|error| error.to_string())
}

/// What comes of records in one instance, which is closed at the end.
fn run(subject: &Subject<'_>, crossing: Crossing, records: Vec<StreamRecord>) -> Result<ByRow, String> {
    let mut operator = operator(subject, crossing, OperatorState::default())?;
    let mut kept = Kept::default();
    for record in records {
        operator.process(record, &mut kept).map_err(|error| error.to_string())?;
    }
    operator.finish(&mut kept).map_err(|error| error.to_string())?;
    if let Some(stopped) = kept.refused.iter().find(|refused| refused.starts_with("plugin-")) {
        return Err(format!("it fails on a row: {stopped}"));
    }
    Ok(kept.by_row)
}

fn records(subject: &Subject<'_>, from: usize, count: usize, of_rows: usize) -> Vec<StreamRecord> {
    let starts = (from..from + count).step_by(of_rows);
    starts.map(|first| subject.record(first, subject.sample.rows(first, of_rows.min(from + count - first)))).collect()
}

fn takes_batches_of_any_size(subject: &Subject<'_>) -> Result<(), String> {
    let whole = run(subject, Crossing::Direct, records(subject, 0, MANY, MANY))?;
    for of_rows in [8_192, 8_191, 1_000] {
        let found = run(subject, Crossing::Direct, records(subject, 0, MANY, of_rows))?;
        same_by_row(&format!("in batches of {of_rows} rows"), &found, &whole)?;
    }
    let some = run(subject, Crossing::Direct, records(subject, 0, SOME, SOME))?;
    let single = run(subject, Crossing::Direct, records(subject, 0, SOME, 1))?;
    same_by_row("in batches of one row", &single, &some)
}

fn rows_are_independent(subject: &Subject<'_>) -> Result<(), String> {
    let due = run(subject, Crossing::Direct, records(subject, 0, SOME, SOME))?;
    // The other way round: what came of the last is that of the first.
    let count = u32::try_from(SOME).unwrap_or(0);
    let backwards = UInt32Array::from_iter_values((0..count).rev());
    let reversed = take_record_batch(&subject.sample.rows(0, SOME), &backwards).map_err(|error| error.to_string())?;
    let found = run(subject, Crossing::Direct, vec![subject.record(0, reversed)])?;
    let last = i64::from(count) - 1;
    let found = found.into_iter().map(|(row, came)| (last - row, came)).collect();
    same_by_row("with all rows in the opposite order", &found, &due)
}

fn calls_are_independent(subject: &Subject<'_>) -> Result<(), String> {
    let due = run(subject, Crossing::Direct, records(subject, SOME, SOME, SOME))?;
    let mut found = run(subject, Crossing::Direct, records(subject, 0, 2 * SOME, SOME))?;
    let first = i64::try_from(SOME).unwrap_or(0);
    found.retain(|row, _| *row >= first);
    same_by_row("behind another batch", &found, &due)
}

fn takes_slices(subject: &Subject<'_>) -> Result<(), String> {
    let due = run(subject, Crossing::Direct, records(subject, 3, 45, 45))?;
    let part: RecordBatch = subject.sample.rows(0, SOME).slice(3, 45);
    let found = run(subject, Crossing::Direct, vec![subject.record(3, part)])?;
    same_by_row("as a part of a larger batch", &found, &due)
}

fn crossings_agree(subject: &Subject<'_>) -> Result<(), String> {
    let [direct, stock] = [Crossing::Direct, Crossing::Stock].map(|by| run(subject, by, records(subject, 0, SOME, 77)));
    same_by_row("by the stock way", &stock?, &direct?)
}

fn calls_are_repeatable(subject: &Subject<'_>) -> Result<(), String> {
    let factory = PluginFactory::new(Arc::clone(&subject.plugin), subject.twice());
    let metrics = factory.metrics();
    let mut operator = made(subject, factory, OperatorState::default())?;
    for record in records(subject, 0, 2 * SOME, SOME / 5) {
        operator.process(record, &mut Kept::default()).map_err(|error| error.to_string())?;
    }
    never_differed(&metrics)
}
