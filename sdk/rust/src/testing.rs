//! Runs operators in native tests, over batches written down in the test.
//!
//! Rows go through the same encoding as between host and component, and the output is put together as a host does
//! it: untouched columns carried along, refused rows left out.

use std::sync::Arc;

use arrow_array::{ArrayRef, UInt32Array};
use arrow_schema::Schema as ArrowSchema;
use arrow_select::take::take;
use serde_json::Value;
use thiserror::Error;

use crate::arrow::{types, wire};
use crate::bits::Bits;
use crate::build::Builder;
use crate::row::Output;
use crate::runner::{Bound, FilterRunner, FlatMapRunner, MapRunner, RejectedRows, Runner as _};
use crate::{
    Array, Failure, Field, FilterOperator, FlatMapOperator, MapOperator, OpenError, RecordBatch, Reject, Schema,
    WriteMode,
};

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
    let (message, rejects) = runner.map(crossed.message(&runner.bound)?)?;
    let written = crossed.written(&runner.bound, 0, message)?;
    let kept = crossed.kept(|_| true, &rejects);
    let output = crossed.output(&runner.bound, 0, &written, &kept, &kept)?;
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
    let (bitmap, rejects) = runner.filter(crossed.message(&runner.bound)?)?;
    let keep = Bits::new(&bitmap, 0, input.len());
    let kept = crossed.kept(|row| keep.get(row), &rejects);
    let output = crossed.carried(&kept, |_| true)?;
    runner.close();
    Ok(Outcome { output: batch(output, kept.len()), rejects })
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
    let rejects = runner.flat_map(message, &mut |port, parents, message| {
        emitted.push((port as usize, parents.to_vec(), message));
        Ok(())
    })?;
    let mut outputs = Vec::new();
    for (index, port) in runner.bound.binding.ports.iter().enumerate() {
        let batches = emitted.iter().filter(|(port, ..)| *port == index);
        let batches = batches.map(|(_, parents, message)| {
            let written = crossed.written(&runner.bound, index, message.clone())?;
            let of_kept = |at: &u32| !rejects.iter().any(|(row, _)| *row == parents[*at as usize]);
            let rows: Vec<u32> = (0..parents.len() as u32).filter(of_kept).collect();
            let parents: Vec<u32> = rows.iter().map(|row| parents[*row as usize]).collect();
            crossed.output(&runner.bound, index, &written, &rows, &parents)
        });
        let batches: Result<Vec<RecordBatch>, TestError> = batches.collect();
        outputs.push((port.name.clone(), crossed.joined(&runner.bound, index, batches?)?));
    }
    runner.close();
    Ok(FlatOutcome { outputs, rejects })
}

/// The input as it crosses the boundary.
struct Crossed {
    schema: Arc<ArrowSchema>,
    batch: arrow_array::RecordBatch,
}

impl Crossed {
    fn new(input: &RecordBatch) -> Result<Self, TestError> {
        let schema = types::schema_to_arrow(&input.schema().unpacked()).map_err(broken)?;
        let schema = Arc::new(schema);
        let columns = input.columns().iter().map(|column| Arc::clone(column.inner()));
        let batch = wire::crossing_batch(Arc::clone(&schema), columns, input.len()).map_err(broken)?;
        Ok(Self { schema, batch })
    }

    fn schema_message(&self) -> Result<Vec<u8>, TestError> {
        wire::write_schema(&self.schema).map_err(broken)
    }

    /// The columns of the binding.
    fn message(&self, bound: &Bound) -> Result<Vec<u8>, TestError> {
        let indices = bound.binding.reads.iter().map(|name| self.schema.index_of(name));
        let indices: Vec<usize> = indices.collect::<Result<_, _>>().map_err(broken)?;
        let batch = self.batch.project(&indices).map_err(broken)?;
        wire::write_batch(&batch).map_err(broken)
    }

    /// What the operator wrote for a port.
    fn written(&self, bound: &Bound, port: usize, message: Vec<u8>) -> Result<arrow_array::RecordBatch, TestError> {
        wire::read_batch(message, &bound.port_schemas[port]).map_err(broken)
    }

    /// The rows that neither the operator nor its rejects leave out.
    fn kept(&self, keep: impl Fn(usize) -> bool, rejects: &RejectedRows) -> Vec<u32> {
        let rejected = |row: u32| rejects.iter().any(|(other, _)| *other == row);
        // Batches of tests are short.
        (0..self.batch.num_rows() as u32).filter(|row| keep(*row as usize) && !rejected(*row)).collect()
    }

    /// Columns of the input at these rows.
    fn carried(&self, rows: &[u32], wanted: impl Fn(&str) -> bool) -> Result<Vec<(Field, Array)>, TestError> {
        let schema = types::schema_from_arrow(&self.schema);
        let columns = schema.fields().iter().zip(self.batch.columns());
        let columns = columns.filter(|(field, _)| wanted(&field.name));
        columns.map(|(field, column)| taken(field, column, rows)).collect()
    }

    /// A port's output: the `rows` of what was written, beside the input's `parents` in mode append.
    fn output(
        &self,
        bound: &Bound,
        port: usize,
        written: &arrow_array::RecordBatch,
        rows: &[u32],
        parents: &[u32],
    ) -> Result<RecordBatch, TestError> {
        let port = &bound.binding.ports[port];
        let schema = port.schema.unpacked();
        let own = schema.fields().iter().zip(written.columns());
        let mut own: Vec<(Field, Array)> =
            own.map(|(field, column)| taken(field, column, rows)).collect::<Result<_, _>>()?;
        if port.writes == WriteMode::Replace {
            return Ok(batch(own, rows.len()));
        }
        let mut columns = self.carried(parents, |_| true)?;
        for (field, column) in &mut columns {
            if let Some(place) = own.iter().position(|(other, _)| other.name == field.name) {
                (*field, *column) = own.remove(place);
            }
        }
        columns.append(&mut own);
        Ok(batch(columns, rows.len()))
    }

    /// The batches of a port as one.
    fn joined(&self, bound: &Bound, port: usize, batches: Vec<RecordBatch>) -> Result<RecordBatch, TestError> {
        let nothing = wire::crossing_batch(
            Arc::clone(&bound.port_schemas[port]),
            bound.port_schemas[port].fields().iter().map(|field| arrow_array::new_empty_array(field.data_type())),
            0,
        );
        let empty = self.output(bound, port, &nothing.map_err(broken)?, &[], &[])?;
        let rows = batches.iter().map(RecordBatch::len).sum();
        let fields = empty.schema().fields().iter().enumerate();
        let columns = fields.map(|(index, field)| {
            let parts = batches.iter().map(|batch| batch.columns()[index].inner().as_ref());
            let parts: Vec<_> = parts.chain([empty.columns()[index].inner().as_ref()]).collect();
            let joined = arrow_select::concat::concat(&parts).map_err(broken)?;
            Ok((field.clone(), Array::new(field.data_type.clone(), joined)))
        });
        Ok(batch(columns.collect::<Result<Vec<_>, TestError>>()?, rows))
    }
}

fn taken(field: &Field, column: &ArrayRef, rows: &[u32]) -> Result<(Field, Array), TestError> {
    let rows = UInt32Array::from(rows.to_vec());
    let column = take(column, &rows, None).map_err(broken)?;
    Ok((field.clone(), Array::new(field.data_type.clone(), column)))
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
