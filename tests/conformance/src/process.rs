//! What a process promises: rows of a key depend on that key's rows, timers and state, and on nothing that memory holds.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch, StringArray};
use arrow::datatypes::DataType;
use volley_api::{Operator, OperatorState, Output, PortIndex, RowReject, StreamRecord, Watermark};
use volley_test_contract::Taken;
use volley_wasm::{Crossing, PluginFactory};

use crate::Promise;
use crate::compare::same;
use crate::host::{REPEATABLE, Subject, never_differed, texts};
use crate::sample::STEP_MS;
use crate::stateless::made;

pub(crate) const PROMISES: &[Promise] = &[
    ("rows of a key give the same in calls of any size", calls_can_be_cut),
    ("its memory may go: state and timers are all that it goes on from", memory_may_go),
    ("`forget` leaves nothing behind that later rows depend on", keys_can_be_forgotten),
    ("what comes of a key depends on that key's rows alone", keys_are_independent),
    ("rows of timers that fire are not later than the watermark, and none is left at the end", timers_keep_time),
    ("each way across the boundary gives the same", crossings_agree),
    (REPEATABLE, calls_are_repeatable),
];

/// Rows, and how many there are from one watermark to the next.
const ROWS: usize = 400;
const ROUND: usize = 40;
/// The round after which keys come that are so many bytes that the instance has to forget all it knows.
const FLOODED: usize = 4;
/// Keys of more bytes than this are of those.
const KEY_BYTES_MAX: usize = 1 << 16;

/// How the rows are handed over.
#[derive(Default)]
struct How {
    /// So many in a call; all between two watermarks unless told.
    at_once: Option<usize>,
    /// After each watermark the operator is dropped, and another goes on from its state.
    restarts: bool,
    /// In the middle the instance is to forget all it knows.
    floods: bool,
    /// Rows of this key alone, as JSON.
    only: Option<String>,
    stock: bool,
    /// All calls are made twice.
    twice: bool,
}

/// What an operator puts out in one round.
#[derive(Default)]
struct Kept {
    records: Vec<(PortIndex, RecordBatch)>,
    refused: Vec<String>,
}

impl Output for Kept {
    fn emit(&mut self, port: PortIndex, record: StreamRecord) -> volley_api::Result<()> {
        self.records.push((port, record.compact().expect("a selection of its own rows").batch));
        Ok(())
    }

    fn reject(&mut self, input: &StreamRecord, rejects: Vec<RowReject>) -> volley_api::Result<()> {
        let text = |reject: RowReject| format!("{} {}", reject.code, texts(&input.batch.slice(reject.row, 1))[0]);
        self.refused.extend(rejects.into_iter().map(text));
        Ok(())
    }
}

/// The rows without those of keys that flooded, which are not asked about.
fn short(subject: &Subject<'_>, batch: &RecordBatch) -> RecordBatch {
    let columns: Vec<&StringArray> =
        subject.sample.keys.iter().filter_map(|key| batch.column_by_name(key)?.as_string_opt::<i32>()).collect();
    let is_short = |row: usize| columns.iter().all(|column| column.value(row).len() <= KEY_BYTES_MAX);
    let kept = (0..batch.num_rows()).map(|row| Some(is_short(row))).collect();
    arrow::compute::filter_record_batch(batch, &kept).expect("a bit for each row")
}

/// What came out, by the columns of the key as JSON, in the order in which it came; and what was said of times.
struct Run {
    by_key: BTreeMap<String, Vec<String>>,
    late: Option<String>,
}

fn said(error: volley_api::Error) -> String {
    error.to_string()
}

fn key_columns(subject: &Subject<'_>, batch: &RecordBatch) -> Option<RecordBatch> {
    let places: Option<Vec<usize>> = subject.sample.keys.iter().map(|key| batch.schema().index_of(key).ok()).collect();
    batch.project(&places?).ok()
}

/// The keys of rows as JSON; none where the columns are not there.
fn keys(subject: &Subject<'_>, batch: &RecordBatch) -> Vec<String> {
    key_columns(subject, batch).map_or_else(|| vec![String::new(); batch.num_rows()], |keys| texts(&keys))
}

/// An operator that goes on from the state of another.
fn restarted(
    subject: &Subject<'_>,
    mut operator: Box<dyn Operator>,
    at: Watermark,
) -> Result<Box<dyn Operator>, String> {
    let mut taken: Vec<Taken> = Vec::new();
    let mut restored = OperatorState { watermark: Some(at), ..OperatorState::default() };
    for mut part in operator.snapshot().map_err(said)? {
        let files = part.snapshot.files().map_err(said)?;
        let copied = volley_test_contract::taken(part.subtask, &part.layout, part.format, &files);
        restored.keyed.entry(part.name.to_owned()).or_default().push(copied.part.clone());
        taken.push(copied);
    }
    drop(operator);
    crate::stateless::operator(subject, Crossing::Direct, restored)
}

/// Rows with keys of a megabyte each; none where no column of the key is a text.
fn flood(subject: &Subject<'_>, round: usize) -> Option<RecordBatch> {
    let rows = subject.sample.rows(round * ROUND + ROUND - 1, 1);
    let schema = rows.schema();
    let place = subject.sample.keys.iter().find_map(|key| {
        let place = schema.index_of(key).ok()?;
        (schema.field(place).data_type() == &DataType::Utf8).then_some(place)
    })?;
    let many = arrow::array::UInt32Array::from(vec![0; 65]);
    let mut columns: Vec<ArrayRef> =
        rows.columns().iter().map(|column| arrow::compute::take(column, &many, None)).collect::<Result<_, _>>().ok()?;
    let long = StringArray::from_iter_values((0..65).map(|number| format!("{number:060000}").repeat(18)));
    columns[place] = std::sync::Arc::new(long);
    RecordBatch::try_new(schema, columns).ok()
}

fn run(subject: &Subject<'_>, how: &How) -> Result<Run, String> {
    let crossing = if how.stock { Crossing::Stock } else { Crossing::Direct };
    let options = if how.twice { subject.twice() } else { subject.options(crossing) };
    let factory = PluginFactory::new(Arc::clone(&subject.plugin), options);
    let metrics = factory.metrics();
    let mut operator = made(subject, factory, OperatorState::default())?;
    let mut run = Run { by_key: BTreeMap::new(), late: None };
    for round in 0..ROWS / ROUND {
        let mut kept = Kept::default();
        let first = round * ROUND;
        let at_once = how.at_once.unwrap_or(ROUND);
        for start in (first..first + ROUND).step_by(at_once) {
            let mut batch = subject.sample.rows(start, at_once.min(first + ROUND - start));
            if let Some(only) = &how.only {
                let of_key = keys(subject, &batch).iter().map(|key| Some(key == only)).collect();
                batch = arrow::compute::filter_record_batch(&batch, &of_key).map_err(|error| error.to_string())?;
            }
            if batch.num_rows() > 0 {
                operator.process(subject.record(start, batch), &mut kept).map_err(said)?;
            }
        }
        let at_ms = i64::try_from(first + ROUND - 1).unwrap_or(0) * STEP_MS;
        let watermark = Watermark::AtMs(at_ms);
        let before = kept.records.len();
        operator.on_watermark(watermark, &mut kept).map_err(said)?;
        run.late = run.late.or_else(|| late(subject, &kept.records[before..], at_ms));
        if how.floods
            && round == FLOODED
            && let Some(batch) = flood(subject, round)
        {
            // What comes of them is not asked for. No call may have the keys of all.
            for (offset, rows) in [(0, 32), (32, batch.num_rows() - 32)] {
                let part = subject.record(first + ROUND - 1, batch.slice(offset, rows));
                operator.process(part, &mut Kept::default()).map_err(said)?;
            }
        }
        run.keep(subject, kept)?;
        if how.restarts {
            operator = restarted(subject, operator, watermark)?;
        }
    }
    let mut kept = Kept::default();
    operator.on_watermark(Watermark::End, &mut kept).map_err(said)?;
    operator.finish(&mut kept).map_err(said)?;
    run.keep(subject, kept)?;
    never_differed(&metrics)?;
    Ok(run)
}

/// A row that came with a watermark, though it is of a later time.
fn late(subject: &Subject<'_>, records: &[(usize, RecordBatch)], at_ms: i64) -> Option<String> {
    let name = subject.sample.event_time.as_ref()?;
    for (port, batch) in records {
        let Some(column) = batch.column_by_name(name) else { continue };
        let times = arrow::compute::cast(column, &DataType::Int64).ok()?;
        let times = times.as_primitive::<arrow::datatypes::Int64Type>();
        if let Some(row) = (0..times.len()).find(|row| times.is_valid(*row) && times.value(*row) > at_ms) {
            return Some(format!("at the watermark {at_ms}, port {port} has {}", texts(&batch.slice(row, 1))[0]));
        }
    }
    None
}

impl Run {
    fn keep(&mut self, subject: &Subject<'_>, kept: Kept) -> Result<(), String> {
        if let Some(stopped) = kept.refused.iter().find(|refused| refused.starts_with("plugin-")) {
            return Err(format!("it fails on a row or a timer: {stopped}"));
        }
        for (port, batch) in kept.records {
            let batch = short(subject, &batch);
            for (key, row) in keys(subject, &batch).into_iter().zip(texts(&batch)) {
                self.by_key.entry(key).or_default().push(format!("{port}: {row}"));
            }
        }
        for refused in kept.refused.into_iter().filter(|refused| refused.len() <= KEY_BYTES_MAX) {
            self.by_key.entry("refused".to_owned()).or_default().push(refused);
        }
        Ok(())
    }

    /// All that came, key by key. Rows without a key have no order among each other, and neither have ports.
    fn listed(&self) -> Vec<String> {
        let mut all = Vec::new();
        for (key, rows) in &self.by_key {
            let mut rows = rows.clone();
            if key.is_empty() {
                rows.sort_unstable();
            } else {
                rows.sort_by(|one, other| one.split_once(':').map(|s| s.0).cmp(&other.split_once(':').map(|s| s.0)));
            }
            all.extend(rows);
        }
        all
    }
}

fn compare(subject: &Subject<'_>, what: &str, how: &How) -> Result<(), String> {
    let due = run(subject, &How::default())?.listed();
    if due.is_empty() {
        return Err("nothing comes out at all: the sample shows nothing".to_owned());
    }
    same(what, &run(subject, how)?.listed(), &due)
}

fn calls_can_be_cut(subject: &Subject<'_>) -> Result<(), String> {
    for at_once in [1, 7] {
        compare(subject, &format!("with {at_once} rows at a time"), &How { at_once: Some(at_once), ..How::default() })?;
    }
    Ok(())
}

fn memory_may_go(subject: &Subject<'_>) -> Result<(), String> {
    compare(subject, "with a fresh instance after every watermark", &How { restarts: true, ..How::default() })
}

fn keys_can_be_forgotten(subject: &Subject<'_>) -> Result<(), String> {
    compare(subject, "with all keys forgotten in the middle", &How { floods: true, ..How::default() })
}

fn keys_are_independent(subject: &Subject<'_>) -> Result<(), String> {
    let all = run(subject, &How::default())?;
    if all.by_key.contains_key("") {
        // Rows that do not say whose they are.
        return Ok(());
    }
    for key in all.by_key.keys().filter(|key| *key != "refused").take(4) {
        let alone = run(subject, &How { only: Some(key.clone()), ..How::default() })?;
        let none = Vec::new();
        let (found, due) = (alone.by_key.get(key).unwrap_or(&none), &all.by_key[key]);
        same(&format!("with rows of the key {key} alone"), found, due)?;
    }
    Ok(())
}

fn timers_keep_time(subject: &Subject<'_>) -> Result<(), String> {
    run(subject, &How::default())?.late.map_or(Ok(()), Err)
}

fn crossings_agree(subject: &Subject<'_>) -> Result<(), String> {
    compare(subject, "by the stock way", &How { stock: true, ..How::default() })
}

fn calls_are_repeatable(subject: &Subject<'_>) -> Result<(), String> {
    for at_once in [None, Some(7)] {
        compare(subject, "with all calls made twice", &How { twice: true, at_once, ..How::default() })?;
    }
    Ok(())
}
