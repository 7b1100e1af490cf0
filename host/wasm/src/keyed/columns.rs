//! Declared columns as the bytes of state, and as the messages that cross.

use std::sync::Arc;

use arrow::array::{RecordBatch, RecordBatchOptions, UInt32Array};
use arrow::buffer::Buffer;
use arrow::compute::take_record_batch;
use arrow::datatypes::{Schema, SchemaRef};
use arrow::row::Rows;
use volley_api::{Error, Result, RowCodec};
use volley_ipc::{BatchMessage, BatchTemplate, GateLimits, decode_batch};

use crate::abi::message::Outgoing;
use crate::contract::StateError;
use crate::text::visible;

/// What the plugin is told of a batch that the gate refused, in bytes.
const PROBLEM_BYTES_MAX: usize = 1 << 10;

/// The columns of a state's values, or of a map's keys.
pub(crate) struct Columns {
    /// As they were declared.
    pub(crate) schema: SchemaRef,
    /// The same, each of which may be null: how they are given out, since a row may not be there.
    found: SchemaRef,
    codec: RowCodec,
    template: BatchTemplate,
}

/// Rows of columns as bytes: none at all where there are no columns.
pub(crate) enum RowBytes {
    Rows(Rows),
    Empty(usize),
}

impl RowBytes {
    pub(crate) fn len(&self) -> usize {
        match self {
            Self::Rows(rows) => rows.num_rows(),
            Self::Empty(rows) => *rows,
        }
    }

    pub(crate) fn row(&self, row: usize) -> &[u8] {
        match self {
            Self::Rows(rows) => rows.row(row).data(),
            Self::Empty(_) => &[],
        }
    }
}

impl Columns {
    pub(crate) fn new(schema: &SchemaRef) -> Result<Self> {
        let nullable = schema.fields().iter().map(|field| field.as_ref().clone().with_nullable(true));
        let found = Arc::new(Schema::new(nullable.collect::<Vec<_>>()));
        let template = BatchTemplate::new(&found)
            .map_err(|error| Error::internal("a state's columns cannot cross").caused_by(error))?;
        let codec = RowCodec::new(schema.fields().iter().map(|field| field.data_type()))?;
        Ok(Self { schema: Arc::clone(schema), found, codec, template })
    }

    /// Bytes that a row takes in these columns at the least, there or not.
    pub(crate) fn row_bytes_min(&self) -> usize {
        self.found.fields().iter().map(|field| field.data_type().primitive_width().unwrap_or(16).max(16)).sum()
    }

    /// A batch from a guest, which must have one row for each group.
    pub(crate) fn gate(&self, message: &Buffer, rows: usize, bytes_max: usize) -> Result<RecordBatch, StateError> {
        let limits = GateLimits { bytes_max, rows_max: rows, logical_bytes_max: bytes_max };
        let batch = decode_batch(message, &self.schema, &limits)
            .map_err(|error| StateError::InvalidBatch(visible(&error.to_string(), PROBLEM_BYTES_MAX)))?;
        if batch.num_rows() == rows {
            return Ok(batch);
        }
        Err(StateError::InvalidBatch(format!("{} rows for {rows} groups", batch.num_rows())))
    }

    pub(crate) fn rows(&self, batch: &RecordBatch) -> Result<RowBytes> {
        if batch.num_columns() == 0 {
            return Ok(RowBytes::Empty(batch.num_rows()));
        }
        self.codec.encode(batch.columns()).map(RowBytes::Rows)
    }

    /// The rows of bytes that [`Columns::rows`] made; where there are none, a row of nulls.
    pub(crate) fn batch<'a>(&self, rows: &[Option<&'a [u8]>]) -> Result<RecordBatch> {
        let count = rows.len();
        let options = RecordBatchOptions::new().with_row_count(Some(count));
        let arrow = |error| Error::internal("stored values do not fit their columns").caused_by(error);
        if self.found.fields().is_empty() {
            return RecordBatch::try_new_with_options(Arc::clone(&self.found), Vec::new(), &options).map_err(arrow);
        }
        let present: Vec<&'a [u8]> = rows.iter().flatten().copied().collect();
        let columns = self.codec.decode(present.iter().copied())?;
        let options = RecordBatchOptions::new().with_row_count(Some(present.len()));
        let batch = RecordBatch::try_new_with_options(Arc::clone(&self.found), columns, &options).map_err(arrow)?;
        if present.len() == count {
            return Ok(batch);
        }
        let mut next = 0;
        let places: UInt32Array = rows
            .iter()
            .map(|row| {
                row.map(|_| {
                    next += 1;
                    next - 1
                })
            })
            .collect();
        take_record_batch(&batch, &places).map_err(arrow)
    }

    /// A batch of [`Columns::batch`] on its way to a guest.
    pub(crate) fn message(&self, batch: &RecordBatch) -> Result<Outgoing> {
        let mut message = BatchMessage::default();
        self.template
            .fill(batch, &mut message)
            .map_err(|error| Error::internal("stored values cannot cross").caused_by(error))?;
        Ok(Outgoing(Arc::new(message)))
    }
}
