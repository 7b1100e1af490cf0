//! The rows that a window puts out.

use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, RecordBatch, TimestampMillisecondArray};
use arrow::datatypes::SchemaRef;
use volley_api::{Output, Result, StreamRecord};

use super::input::internal;

/// Rows of one record of results: what leaves is cut like what comes from a source.
const RECORD_ROWS_MAX: usize = 8192;

/// A batch in pieces of that size.
pub(super) fn in_records(batch: &RecordBatch) -> impl Iterator<Item = RecordBatch> {
    let rows = batch.num_rows();
    (0..rows).step_by(RECORD_ROWS_MAX).map(move |first| batch.slice(first, RECORD_ROWS_MAX.min(rows - first)))
}

/// When the windows of some results begin and end: one for all rows, or one for each.
pub(crate) enum Bounds {
    /// Windows without time.
    None,
    Same {
        start_ms: i64,
        end_ms: i64,
    },
    Each {
        starts_ms: Vec<i64>,
        ends_ms: Vec<i64>,
    },
}

/// Results of a number of keys.
pub(crate) struct Results {
    pub(crate) keys: Vec<ArrayRef>,
    pub(crate) bounds: Bounds,
    pub(crate) values: Vec<ArrayRef>,
    pub(crate) revisions: Option<Vec<i64>>,
}

impl Results {
    /// Puts them out by the main port.
    pub(crate) fn emit(self, schema: &SchemaRef, output: &mut dyn Output) -> Result<()> {
        let rows = self.keys.first().map_or(0, |column| column.len());
        if rows == 0 {
            return Ok(());
        }
        let times =
            |times: Vec<i64>| -> ArrayRef { Arc::new(TimestampMillisecondArray::from(times).with_timezone("UTC")) };
        let mut columns = self.keys;
        let times_of = match self.bounds {
            Bounds::None => None,
            Bounds::Same { start_ms, end_ms } => {
                columns.extend([times(vec![start_ms; rows]), times(vec![end_ms; rows])]);
                Some((end_ms - 1, end_ms - 1))
            }
            Bounds::Each { starts_ms, ends_ms } => {
                let least = ends_ms.iter().min().map(|end| end - 1);
                let greatest = ends_ms.iter().max().map(|end| end - 1);
                columns.extend([times(starts_ms), times(ends_ms)]);
                least.zip(greatest)
            }
        };
        columns.extend(self.values);
        columns.extend(self.revisions.map(|revisions| -> ArrayRef { Arc::new(Int64Array::from(revisions)) }));
        let batch = RecordBatch::try_new(Arc::clone(schema), columns).map_err(internal)?;
        for batch in in_records(&batch) {
            let mut record = StreamRecord::new(batch);
            (record.min_event_time, record.max_event_time) = times_of.unzip();
            output.emit(0, record)?;
        }
        Ok(())
    }
}
