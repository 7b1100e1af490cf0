//! The check that every input must pass: an error, or data that the host can use.

use std::sync::Arc;

use arrow::array::{Array, RecordBatch, UInt32Array};
use arrow::compute::{concat_batches, take};
use arrow::datatypes::SchemaRef;
use arrow::util::display::{ArrayFormatter, FormatOptions};
use volley_ipc::{Error, GateLimits, decode_batch, decode_schema};

use crate::input::{self, INPUT_BYTES_MAX};

/// What a batch may cost: little, so that its limits are met often.
pub const LIMITS: GateLimits =
    GateLimits { bytes_max: INPUT_BYTES_MAX, rows_max: 1 << 12, logical_bytes_max: 4 * INPUT_BYTES_MAX };

/// The most rows that are printed.
const PRINTED_ROWS_MAX: usize = 8;

/// The most bytes of values that are put together and printed.
const USED_BYTES_MAX: usize = 1 << 20;

/// What became of an input.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Refused for its frame: nothing in it was looked at.
    Unread(String),
    /// Refused for what is in it.
    Refused(String),
    /// Let through, and good.
    Passed,
}

/// Runs an input of the batch target.
///
/// # Panics
/// When the gate does, or lets a batch through that is not valid, not within [`LIMITS`], or that Arrow cannot use.
#[must_use]
pub fn batch(input: &[u8]) -> Verdict {
    let Some((schema, message)) = input::read(input) else { return Verdict::Unread("no choice".to_owned()) };
    match decode_batch(&message, schema, &LIMITS) {
        Ok(batch) => {
            inspect(&batch, schema);
            exercise(&batch);
            Verdict::Passed
        }
        Err(error) => refused(&error),
    }
}

/// Runs an input of the schema target.
///
/// # Panics
/// When the gate does, or lets a schema through of which no batch can be made.
#[must_use]
pub fn schema(input: &[u8]) -> Verdict {
    match decode_schema(input) {
        Ok(schema) => {
            let none = RecordBatch::new_empty(Arc::new(schema));
            inspect(&none, &none.schema());
            exercise(&none);
            let wire = volley_ipc::wire_schema(&none.schema()).expect("a schema that passed is in wire form");
            assert_eq!(wire.fields(), none.schema().fields(), "its own wire form");
            Verdict::Passed
        }
        Err(error) => refused(&error),
    }
}

fn refused(error: &Error) -> Verdict {
    match error {
        Error::TooManyBytes { .. } | Error::Envelope(_) | Error::Flatbuffer(_) => Verdict::Unread(error.to_string()),
        _ => Verdict::Refused(error.to_string()),
    }
}

/// What the gate promises.
fn inspect(batch: &RecordBatch, schema: &SchemaRef) {
    assert_eq!(&batch.schema(), schema, "the schema that was agreed");
    assert!(batch.num_rows() <= LIMITS.rows_max, "{} rows", batch.num_rows());
    let mut bytes = 0;
    for (column, field) in batch.columns().iter().zip(schema.fields()) {
        assert_eq!((column.data_type(), column.len()), (field.data_type(), batch.num_rows()));
        assert!(field.is_nullable() || column.null_count() == 0, "nulls where there may be none");
        let data = column.to_data();
        data.validate_full().expect("only valid data gets through");
        bytes += data.get_slice_memory_size().expect("every type has a size");
    }
    // An empty column has an offset that no message needs to bring.
    let offsets = 8 * volley_ipc::FIELDS_MAX;
    assert!(bytes <= LIMITS.logical_bytes_max + offsets, "{bytes} bytes got through");
}

/// What the host does with any batch: nothing of it may panic.
fn exercise(batch: &RecordBatch) {
    assert!(batch.columns().iter().zip(batch.columns()).all(|(a, b)| a == b), "equal to itself");
    let widest = batch.columns().iter().map(|column| column.get_array_memory_size()).sum::<usize>();
    if widest > USED_BYTES_MAX {
        return;
    }
    let twice = concat_batches(&batch.schema(), [batch, batch]).expect("one schema");
    assert_eq!(twice.num_rows(), 2 * batch.num_rows());
    let rows = u32::try_from(batch.num_rows()).expect("few");
    let backwards = UInt32Array::from_iter_values((0..rows).rev());
    let options = FormatOptions::default().with_display_error(true);
    for column in batch.columns() {
        let column = take(column, &backwards, None).expect("rows that are there");
        let formatter = ArrayFormatter::try_new(column.as_ref(), &options).expect("every type has a text");
        for row in 0..column.len().min(PRINTED_ROWS_MAX) {
            let _ = formatter.value(row).to_string();
        }
    }
}
