//! Runs operators in native tests, over batches written down in the test.
//!
//! Rows go through the same encoding as between host and component, and the output is put together as a host does
//! it: untouched columns carried along, refused rows left out.

use serde_json::Value;
use thiserror::Error;

use crate::bits::Bits;
use crate::buffer::Buffer;
use crate::build::Builder;
use crate::column::Column;
use crate::gather::{self, gather};
use crate::row::Output;
use crate::runner::{
    Answer, Bound, CodecRunner, FilterRunner, FlatMapRunner, MapRunner, RejectedRows, Runner as _, ScalarRunner,
};
use crate::wire::{self, Frame};
use crate::{
    Array, CodecOperator, DataType, Failure, Field, FilterOperator, FlatMapOperator, Framing, MapOperator,
    NullHandling, OpenError, RecordBatch, Reject, ScalarOperator, Schema, WriteMode,
};

mod aggregate;
pub(crate) mod process;

pub use aggregate::{AggregateOutcome, Aggregation, aggregate};
pub use process::Process;
pub use serde_json::json;

/// An operator refused to open, or a whole call failed.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum TestError {
    /// `open` refused.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The call failed.
    #[error(transparent)]
    Call(#[from] Failure),
}

/// What became of a batch.
#[derive(Debug, Clone, PartialEq)]
pub struct Outcome {
    /// The rows of the main output.
    pub output: RecordBatch,
    /// The refused rows, by their index in the input, ascending.
    pub rejects: Vec<(u32, Reject)>,
}

/// What became of a batch in a flat-map.
#[derive(Debug, Clone, PartialEq)]
pub struct FlatOutcome {
    /// The rows of each port, in the order of the binding.
    pub outputs: Vec<(String, RecordBatch)>,
    /// The refused rows, by their index in the input, ascending.
    pub rejects: Vec<(u32, Reject)>,
}

impl FlatOutcome {
    /// The rows of the port of that name.
    ///
    /// # Panics
    /// When there is no such port.
    #[must_use]
    pub fn port(&self, name: &str) -> &RecordBatch {
        let port = self.outputs.iter().find(|(port, _)| port == name);
        let names: Vec<&str> = self.outputs.iter().map(|(port, _)| port.as_str()).collect();
        &port.unwrap_or_else(|| panic!("no port `{name}` among {names:?}")).1
    }
}

/// Runs a map over a batch. `config` is what the pipeline file would say: `json!({ "key": 1 })`.
///
/// # Errors
/// [`TestError`] when the operator refuses to open or the call fails.
pub fn map<Op: MapOperator>(config: Value, input: &RecordBatch) -> Result<Outcome, TestError> {
    let crossed = Crossed::new(input)?;
    let mut runner = MapRunner::<Op>::open(&config.to_string(), &crossed.schema_message()?)?;
    let message = crossed.message(&runner.bound)?;
    let (answer, rejects) = runner.map(&message)?;
    let answer = match answer {
        Answer::Same => message,
        Answer::Written(answer) => answer.to_vec(),
    };
    let kept = crossed.kept(|_| true, &rejects);
    let output = crossed.output(&runner.bound, 0, &answer, &kept, &kept)?;
    runner.close();
    Ok(Outcome { output, rejects })
}

/// Runs a filter over a batch; the output is the rows that stay.
///
/// # Errors
/// [`TestError`] when the operator refuses to open or the call fails.
pub fn filter<Op: FilterOperator>(config: Value, input: &RecordBatch) -> Result<Outcome, TestError> {
    let crossed = Crossed::new(input)?;
    let mut runner = FilterRunner::<Op>::open(&config.to_string(), &crossed.schema_message()?)?;
    let (bitmap, rejects) = runner.filter(&crossed.message(&runner.bound)?)?;
    let keep = Bits::new(bitmap, 0, input.len());
    let kept = crossed.kept(|row| keep.get(row), &rejects);
    let output = batch(crossed.carried(&kept), kept.len());
    runner.close();
    Ok(Outcome { output, rejects })
}

/// Runs a flat-map over a batch.
///
/// # Errors
/// [`TestError`] when the operator refuses to open or the call fails.
pub fn flat_map<Op: FlatMapOperator>(config: Value, input: &RecordBatch) -> Result<FlatOutcome, TestError> {
    let crossed = Crossed::new(input)?;
    let mut runner = FlatMapRunner::<Op>::open(&config.to_string(), &crossed.schema_message()?)?;
    let message = crossed.message(&runner.bound)?;
    let mut emitted: Vec<(usize, Vec<u32>, Vec<u8>)> = Vec::new();
    let rejects = runner.flat_map(&message, &mut |port, parents, message| {
        emitted.push((port as usize, parents.to_vec(), message.to_vec()));
        Ok(())
    })?;
    let mut outputs = Vec::new();
    for (index, port) in runner.bound.binding.ports.iter().enumerate() {
        let batches = emitted.iter().filter(|(port, ..)| *port == index);
        let batches = batches.map(|(_, parents, message)| {
            let of_kept = |at: &usize| !rejects.iter().any(|(row, _)| *row == parents[*at]);
            let rows: Vec<usize> = (0..parents.len()).filter(of_kept).collect();
            let parents: Vec<usize> = rows.iter().map(|row| parents[*row] as usize).collect();
            crossed.output(&runner.bound, index, message, &rows, &parents)
        });
        let batches: Vec<RecordBatch> = batches.collect::<Result<_, TestError>>()?;
        outputs.push((port.name.clone(), joined(&crossed.empty(&runner.bound, index)?, &batches)));
    }
    runner.close();
    Ok(FlatOutcome { outputs, rejects })
}

/// Calls a scalar for every row of a batch whose columns are the arguments, whatever their names; gives one column.
///
/// As a host does, it puts the nulls in itself where the function does not want to see them.
///
/// # Errors
/// [`TestError`] when the function refuses its arguments, or a row: a host would try with fewer rows.
pub fn scalar<Op: ScalarOperator>(config: Value, arguments: &RecordBatch) -> Result<Array, TestError> {
    let columns = arguments.columns().iter().enumerate();
    let fields = columns.map(|(index, column)| Field::new(format!("arg{index}"), column.data_type().clone()));
    let named = RecordBatch::with_rows(Schema::new(fields), arguments.columns().to_vec(), arguments.len());
    let crossed = Crossed::new(&named)?;
    let mut runner = ScalarRunner::<Op>::open(&config.to_string(), &crossed.schema_message()?)?;
    let is_null = |row: usize| arguments.columns().iter().any(|column| column.column("").is_null(row));
    let known: Vec<usize> = match Op::NULLS {
        NullHandling::See => (0..arguments.len()).collect(),
        NullHandling::Propagate => (0..arguments.len()).filter(|row| !is_null(*row)).collect(),
    };
    let result = runner.bound.wires[0].schema.clone();
    let mut values = gather(&result.fields()[0].data_type, &[], &[]);
    if !known.is_empty() {
        let (fields, columns): (Vec<Field>, Vec<Array>) = crossed.carried(&known).into_iter().unzip();
        let message = written(&Schema::new(fields), &columns, known.len())?;
        let answer = runner.call(&message)?.to_vec();
        values = read(&result, &answer)?.remove(0);
    }
    runner.close();
    if known.len() == arguments.len() {
        return Ok(values);
    }
    // What is known where it is, and the null of a column of one elsewhere.
    let mut next = 0;
    let nothing = nulls(&result.fields()[0].data_type)?;
    let rows: Vec<gather::Row> = (0..arguments.len())
        .map(|row| {
            if known.get(next) == Some(&row) {
                next += 1;
                (0, next - 1)
            } else {
                (1, 0)
            }
        })
        .collect();
    Ok(gather(&result.fields()[0].data_type, &[values.column(""), nothing.column("")], &rows))
}

/// A column of one null.
fn nulls(data_type: &DataType) -> Result<Array, TestError> {
    use crate::build::{BinaryBuilder, BooleanBuilder, Float64Builder, Int64Builder, StringBuilder};
    fn null(mut builder: impl Builder) -> Array {
        builder.push_null();
        builder.finish()
    }
    Ok(match data_type {
        DataType::Int64 => null(Int64Builder::new()),
        DataType::Float64 => null(Float64Builder::new()),
        DataType::Boolean => null(BooleanBuilder::new()),
        DataType::Utf8 => null(StringBuilder::new()),
        DataType::Binary => null(BinaryBuilder::new()),
        other => return Err(broken(format!("a null of type {other} in a test: give the function no nulls"))),
    })
}

/// What a codec made of frames.
#[derive(Debug, Clone, PartialEq)]
pub struct DecodedOutcome {
    /// The rows of all frames.
    pub rows: RecordBatch,
    /// For each row the frame that it came from.
    pub frames: Vec<u32>,
    /// What cannot be read, by the frame.
    pub rejects: Vec<(u32, Reject)>,
    /// The bytes that are left of the last frame.
    pub rest_bytes: usize,
}

/// Decodes frames in one call.
///
/// # Errors
/// [`TestError`] when the codec refuses to open or the call fails.
pub fn decode<Op: CodecOperator>(
    config: Value,
    framing: Framing,
    frames: &[&[u8]],
    end: bool,
) -> Result<DecodedOutcome, TestError> {
    let no_columns = wire::write_schema(&Schema::new([])).map_err(broken)?;
    let mut runner = CodecRunner::<Op>::open(&config.to_string(), &no_columns)?;
    let mut column = crate::build::BinaryBuilder::new();
    frames.iter().for_each(|frame| column.push(frame));
    let schema = Schema::new([Field::new("frame", DataType::Binary)]);
    let message = written(&schema, &[column.finish()], frames.len())?;
    let (rows, frames, rejects, rest_bytes) = runner.decode(framing, &message, end)?;
    let rows = rows.to_vec();
    let schema = runner.bound.wires[0].schema.clone();
    let columns = read(&schema, &rows)?;
    runner.close();
    Ok(DecodedOutcome { rows: RecordBatch::with_rows(schema, columns, frames.len()), frames, rejects, rest_bytes })
}

/// Encodes a batch in one call; gives the frames with their first rows, and the refused rows.
///
/// # Errors
/// [`TestError`] when the codec refuses to open or the call fails.
#[allow(clippy::type_complexity, reason = "frames and rejects, each with a row")]
pub fn encode<Op: CodecOperator>(
    config: Value,
    rows: &RecordBatch,
) -> Result<(Vec<(u32, Vec<u8>)>, Vec<(u32, Reject)>), TestError> {
    let crossed = Crossed::new(rows)?;
    let mut runner = CodecRunner::<Op>::open(&config.to_string(), &crossed.schema_message()?)?;
    let message = crossed.message(&runner.bound)?;
    let (frames, firsts, rejects) = runner.encode(&message)?;
    let schema = Schema::new([Field::new("frame", DataType::Binary)]);
    let column = read(&schema, frames)?.remove(0);
    let bytes = column.column("").as_bytes().map_err(broken)?;
    let frames = firsts.into_iter().enumerate().map(|(at, row)| (row, bytes.get(at).unwrap_or_default().to_vec()));
    let frames = frames.collect();
    runner.close();
    Ok((frames, rejects))
}

/// The input as it crosses the boundary.
struct Crossed {
    /// What the operator is opened with.
    schema: Schema,
    columns: Vec<Array>,
    rows: usize,
}

impl Crossed {
    fn new(input: &RecordBatch) -> Result<Self, TestError> {
        let schema = input.schema().unpacked();
        let message = written(&schema, input.columns(), input.len())?;
        Ok(Self { columns: read(&schema, &message)?, schema, rows: input.len() })
    }

    fn schema_message(&self) -> Result<Vec<u8>, TestError> {
        wire::write_schema(&self.schema).map_err(broken)
    }

    /// The columns of the binding.
    fn message(&self, bound: &Bound) -> Result<Vec<u8>, TestError> {
        let places = bound.binding.reads.iter().map(|name| self.schema.index_of(name));
        let places: Vec<usize> = places.map(|place| place.expect("the binding was checked")).collect();
        let schema = Schema::new(places.iter().map(|place| self.schema.fields()[*place].clone()));
        let columns: Vec<Array> = places.iter().map(|place| self.columns[*place].clone()).collect();
        written(&schema, &columns, self.rows)
    }

    /// The rows that neither the operator nor its rejects leave out.
    fn kept(&self, keep: impl Fn(usize) -> bool, rejects: &RejectedRows) -> Vec<usize> {
        let rejected = |row: usize| rejects.iter().any(|(other, _)| *other as usize == row);
        (0..self.rows).filter(|row| keep(*row) && !rejected(*row)).collect()
    }

    /// Columns of the input at these rows.
    fn carried(&self, rows: &[usize]) -> Vec<(Field, Array)> {
        taken(&self.schema, &self.columns, rows)
    }

    /// A port's output: the `rows` of the message that was written, beside the input's `parents` in mode append.
    fn output(
        &self,
        bound: &Bound,
        port: usize,
        message: &[u8],
        rows: &[usize],
        parents: &[usize],
    ) -> Result<RecordBatch, TestError> {
        let schema = &bound.wires[port].schema;
        let own = taken(schema, &read(schema, message)?, rows);
        Ok(self.beside(bound, port, own, parents))
    }

    /// A port's output without rows.
    fn empty(&self, bound: &Bound, port: usize) -> Result<RecordBatch, TestError> {
        let fields = bound.wires[port].schema.fields().iter();
        let own = fields.map(|field| (field.clone(), gather(&field.data_type, &[], &[]))).collect();
        Ok(self.beside(bound, port, own, &[]))
    }

    /// The columns of a port, beside the input's at `parents` in mode append.
    fn beside(&self, bound: &Bound, port: usize, mut own: Vec<(Field, Array)>, parents: &[usize]) -> RecordBatch {
        if bound.binding.ports[port].writes == WriteMode::Replace {
            return batch(own, parents.len());
        }
        let mut columns = self.carried(parents);
        for (field, column) in &mut columns {
            if let Some(place) = own.iter().position(|(other, _)| other.name == field.name) {
                (*field, *column) = own.remove(place);
            }
        }
        columns.append(&mut own);
        batch(columns, parents.len())
    }
}

/// The message of a batch.
fn written(schema: &Schema, columns: &[Array], rows: usize) -> Result<Vec<u8>, TestError> {
    let places = wire::places(schema).map_err(|field| broken(format!("a column of type {}", field.data_type)))?;
    let template = wire::Template::new(places.last().copied().unwrap_or_default());
    let mut out = Buffer::new();
    let mut message = wire::Message::begin(&mut out, &template, rows);
    columns.iter().for_each(|column| message.column(column.column("")));
    message.finish();
    Ok(out.bytes().to_vec())
}

/// The columns of a message, copied out of it.
fn read(schema: &Schema, message: &[u8]) -> Result<Vec<Array>, TestError> {
    let mut aligned = Buffer::new();
    aligned.extend(message);
    let places = wire::places(schema).map_err(|field| broken(format!("a column of type {}", field.data_type)))?;
    let frame = Frame::open(aligned.bytes(), schema, &places).map_err(broken)?;
    let rows: Vec<gather::Row> = (0..frame.rows).map(|row| (0, row)).collect();
    let batch = crate::Batch::of_message(schema, &frame, &places);
    Ok(batch.columns().map(|column| gather(column.data_type(), &[column], &rows)).collect())
}

/// These rows of columns.
fn taken(schema: &Schema, columns: &[Array], rows: &[usize]) -> Vec<(Field, Array)> {
    let rows: Vec<gather::Row> = rows.iter().map(|row| (0, *row)).collect();
    let columns = schema.fields().iter().zip(columns);
    columns.map(|(field, array)| (field.clone(), gather(&field.data_type, &[array.column("")], &rows))).collect()
}

/// Batches of the same columns as one.
fn joined(empty: &RecordBatch, batches: &[RecordBatch]) -> RecordBatch {
    let rows: Vec<gather::Row> =
        batches.iter().enumerate().flat_map(|(part, batch)| (0..batch.len()).map(move |row| (part, row))).collect();
    let columns = empty.schema().fields().iter().enumerate().map(|(index, field)| {
        let parts: Vec<Column<'_>> = batches.iter().map(|batch| batch.columns()[index].column("")).collect();
        (field.clone(), gather(&field.data_type, &parts, &rows))
    });
    batch(columns.collect(), rows.len())
}

fn batch(columns: Vec<(Field, Array)>, rows: usize) -> RecordBatch {
    let (fields, columns): (Vec<Field>, Vec<Array>) = columns.into_iter().unzip();
    RecordBatch::with_rows(Schema::new(fields), columns, rows)
}

/// What an operator put out does not fit together; a host would stop the job.
fn broken(error: impl std::fmt::Display) -> TestError {
    TestError::Call(Failure::Fatal(error.to_string()))
}

/// What stands on the right of `=>` in [`batch!`](crate::batch): an array or vector of values, of `Option`s for
/// nulls, or a built [`Array`].
pub trait IntoColumn {
    /// The column.
    fn into_column(self) -> Array;
}

impl IntoColumn for Array {
    fn into_column(self) -> Array {
        self
    }
}

impl<T: Output, const N: usize> IntoColumn for [T; N] {
    fn into_column(self) -> Array {
        column(self)
    }
}

impl<T: Output> IntoColumn for Vec<T> {
    fn into_column(self) -> Array {
        column(self)
    }
}

fn column<T: Output>(values: impl IntoIterator<Item = T>) -> Array {
    let mut builder = T::builder();
    values.into_iter().for_each(|value| value.write(&mut builder));
    builder.finish()
}

/// Writes down a batch: `batch! { "amount" => [1.0, 2.5], "user" => [Some("ann"), None] }`.
///
/// Types follow the values: integers are Int32 unless they say `1_i64`, floats Float64, texts Utf8, a `Vec` per row
/// makes a List. A built [`Array`] stands for any other type.
#[macro_export]
macro_rules! batch {
    ($($name:expr => $values:expr),* $(,)?) => {
        $crate::RecordBatch::new([
            $((::std::string::String::from($name), $crate::testing::IntoColumn::into_column($values))),*
        ] as [(::std::string::String, $crate::Array); _])
    };
}
