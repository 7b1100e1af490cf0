//! A batch of rows with what travels beside it.

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, RecordBatch, UInt32Array};
use arrow::buffer::BooleanBuffer;
use arrow::compute;
use arrow::datatypes::{DataType, SchemaRef};
use arrow::error::ArrowError;

use crate::{OriginColumn, gather};

/// Identifies the trace that a record belongs to (W3C Trace Context).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RecordTraceContext {
    /// 16 bytes, never all zero.
    pub trace_id: [u8; 16],
    /// 8 bytes, never all zero.
    pub span_id: [u8; 8],
    /// Whether the trace is being recorded.
    pub sampled: bool,
}

/// A batch of rows: 1 or more, of which `selection` tells the live ones.
///
/// Operators treat all live rows. Filters narrow the selection without moving data; plugins, exchanges and sinks see
/// compacted rows ([`StreamRecord::compact`]). What travels beside the columns — origins, event-time bounds, trace —
/// follows the rows through every method here, so an operator that only uses these cannot lose it.
#[derive(Debug, Clone)]
pub struct StreamRecord {
    /// The columns.
    pub batch: RecordBatch,
    /// One bit per row of `batch`, set where the row is live; `None` when all are.
    pub selection: Option<BooleanBuffer>,
    /// Where each row of `batch` came from; present while an errors output is attached below the source.
    pub origins: Option<OriginColumn>,
    /// The least event time in milliseconds of the rows (a bound: it may be lower); `None` without event time.
    pub min_event_time: Option<i64>,
    /// The greatest event time in milliseconds of the rows (a bound: it may be higher); `None` without event time.
    pub max_event_time: Option<i64>,
    /// The trace of the record, if it has one.
    pub trace: Option<RecordTraceContext>,
}

impl StreamRecord {
    /// All rows of a batch, with nothing beside them.
    #[must_use]
    pub fn new(batch: RecordBatch) -> Self {
        Self { batch, selection: None, origins: None, min_event_time: None, max_event_time: None, trace: None }
    }

    /// The same record with the origins of its rows.
    #[must_use]
    pub fn with_origins(mut self, origins: OriginColumn) -> Self {
        debug_assert_eq!(origins.len(), self.batch.num_rows());
        self.origins = Some(origins);
        self
    }

    /// The schema of the columns.
    #[must_use]
    pub fn schema(&self) -> SchemaRef {
        self.batch.schema()
    }

    /// How many rows are live.
    #[must_use]
    pub fn num_rows(&self) -> usize {
        self.selection.as_ref().map_or(self.batch.num_rows(), BooleanBuffer::count_set_bits)
    }

    /// Narrows the selection to the rows that are live and whose bit in `keep` is set. Moves no data.
    ///
    /// # Panics
    /// When `keep` has not one bit for each row of `batch` (live or not).
    #[must_use]
    pub fn narrow(mut self, keep: &BooleanBuffer) -> Self {
        assert_eq!(keep.len(), self.batch.num_rows(), "one bit for each row");
        self.selection = Some(match self.selection {
            Some(selection) => &selection & keep,
            None => keep.clone(),
        });
        self
    }

    /// The same live rows in a batch without a selection. Free when all rows are live.
    ///
    /// # Errors
    /// Those of Arrow's `filter`.
    pub fn compact(self) -> Result<Self, ArrowError> {
        let Some(selection) = self.selection else { return Ok(self) };
        if selection.count_set_bits() == selection.len() {
            return Ok(Self { selection: None, ..self });
        }
        let batch = gather::live_rows(&self.batch, &selection)?;
        let keep = BooleanArray::new(selection, None);
        Ok(Self {
            batch,
            origins: self.origins.map(|origins| origins.filter(&keep)).transpose()?,
            selection: None,
            ..self
        })
    }

    /// The given rows of a compacted record, in that order; repeats are allowed.
    ///
    /// # Errors
    /// When an index is out of bounds.
    ///
    /// # Panics
    /// When the record has a selection.
    pub fn take(&self, rows: &UInt32Array) -> Result<Self, ArrowError> {
        assert!(self.selection.is_none(), "take needs a compacted record");
        let batch = if self.batch.num_columns() == 0 {
            let schema = self.batch.schema();
            let options = arrow::array::RecordBatchOptions::new().with_row_count(Some(rows.len()));
            RecordBatch::try_new_with_options(schema, Vec::new(), &options)?
        } else {
            compute::take_record_batch(&self.batch, rows)?
        };
        let origins = self.origins.as_ref().map(|origins| origins.take(rows)).transpose()?;
        Ok(Self { batch, origins, ..self.clone() })
    }

    /// `length` rows of a compacted record from `offset` on, without a copy.
    ///
    /// # Panics
    /// When the record has a selection, or the range is out of bounds.
    #[must_use]
    pub fn slice(&self, offset: usize, length: usize) -> Self {
        assert!(self.selection.is_none(), "slice needs a compacted record");
        Self {
            batch: self.batch.slice(offset, length),
            origins: self.origins.as_ref().map(|origins| origins.slice(offset, length)),
            ..self.clone()
        }
    }

    /// The same rows with other columns: `batch` has row for row the same rows as the present one.
    ///
    /// # Panics
    /// When the numbers of rows differ.
    #[must_use]
    pub fn with_columns_of(self, batch: RecordBatch) -> Self {
        assert_eq!(batch.num_rows(), self.batch.num_rows(), "other columns for the same rows");
        Self { batch, ..self }
    }

    /// Several compacted records of one schema as one, in order. The trace is the first one's; event-time bounds are
    /// joined; origins are kept when every part has them.
    ///
    /// # Errors
    /// Those of Arrow's `concat_batches`: no parts, other schemas, or more than fits in memory.
    ///
    /// # Panics
    /// When a part has a selection.
    pub fn concat(parts: &[Self]) -> Result<Self, ArrowError> {
        let [first, rest @ ..] = parts else {
            return Err(ArrowError::InvalidArgumentError("concat needs at least one record".into()));
        };
        if rest.is_empty() {
            return Ok(first.clone());
        }
        assert!(parts.iter().all(|part| part.selection.is_none()), "concat needs compacted records");
        let batch = compute::concat_batches(&first.schema(), parts.iter().map(|part| &part.batch))?;
        let origins: Option<Vec<_>> = parts.iter().map(|part| part.origins.as_ref()).collect();
        Ok(Self {
            batch,
            selection: None,
            origins: origins.map(|origins| OriginColumn::concat(&origins)).transpose()?,
            min_event_time: parts.iter().filter_map(|part| part.min_event_time).min(),
            max_event_time: parts.iter().filter_map(|part| part.max_event_time).max(),
            trace: first.trace,
        })
    }

    /// Bytes of memory that the columns take, for bounds on queues: see [`memory_bytes`].
    #[must_use]
    pub fn memory_bytes(&self) -> usize {
        memory_bytes(&self.batch)
    }
}

/// Bytes of memory that the columns of a batch take: of a slice its share, of string and binary views the text too.
#[must_use]
pub fn memory_bytes(batch: &RecordBatch) -> usize {
    let of_column = |column: &ArrayRef| {
        if let (Some(bytes), None) = (column.data_type().primitive_width(), column.nulls()) {
            return bytes * column.len();
        }
        let share = column.to_data().get_slice_memory_size();
        let views = match column.data_type() {
            DataType::Utf8View => column.as_string_view().total_buffer_bytes_used(),
            DataType::BinaryView => column.as_binary_view().total_buffer_bytes_used(),
            _ => 0,
        };
        share.map_or_else(|_| column.get_array_memory_size(), |share| share + views)
    };
    batch.columns().iter().map(of_column).sum()
}

impl From<RecordBatch> for StreamRecord {
    fn from(batch: RecordBatch) -> Self {
        Self::new(batch)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    use arrow::array::{Int64Array, StringViewArray};
    use arrow::datatypes::Int64Type;

    use crate::Positions;

    fn record(values: Vec<i64>) -> StreamRecord {
        let rows = values.len();
        let column: ArrayRef = Arc::new(Int64Array::from(values));
        StreamRecord::new(RecordBatch::try_from_iter([("x", column)]).expect("one column"))
            .with_origins(OriginColumn::of_split(0, 0, &Positions::From(1), rows))
    }

    fn values(record: &StreamRecord) -> Vec<i64> {
        record.batch.column(0).as_primitive::<Int64Type>().values().to_vec()
    }

    #[test]
    fn narrowing_twice_keeps_the_common_rows_and_their_origins() {
        let record = record(vec![1, 2, 3, 4])
            .narrow(&BooleanBuffer::from(vec![true, true, false, true]))
            .narrow(&BooleanBuffer::from(vec![false, true, true, true]));
        assert_eq!(record.num_rows(), 2);
        let record = record.compact().expect("same lengths");
        assert_eq!(values(&record), [2, 4]);
        let origins = record.origins.as_ref().expect("kept");
        assert_eq!((origins.get(0).position, origins.get(1).position), (2, 4));
    }

    #[test]
    fn take_slice_and_concat_carry_origins() {
        let record = record(vec![10, 20, 30]);
        let taken = record.take(&UInt32Array::from(vec![2, 2, 0])).expect("in bounds");
        assert_eq!(values(&taken), [30, 30, 10]);
        let joined = StreamRecord::concat(&[taken.slice(1, 2), record]).expect("one schema");
        assert_eq!(values(&joined), [30, 10, 10, 20, 30]);
        assert_eq!(joined.origins.expect("kept").get(0).position, 3);
    }

    #[test]
    fn memory_of_a_slice_is_its_share() {
        let record = record((0..1000).collect());
        assert!(record.slice(0, 10).memory_bytes() < 200);
        assert!(record.memory_bytes() >= 8000);
        let views: ArrayRef = Arc::new(StringViewArray::from_iter_values(["x".repeat(10_000)]));
        let batch = RecordBatch::try_from_iter([("text", views)]).expect("one column");
        assert!(memory_bytes(&batch) >= 10_000);
    }
}
