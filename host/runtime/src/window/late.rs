//! Rows that come after the window that they belong to has gone.

use std::sync::{Arc, LazyLock};

use arrow::array::{ArrayRef, Int64Array, RecordBatch, TimestampMillisecondArray, UInt32Array};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use volley_api::{OutputPort, OutputTime, PortName, Result, StreamRecord, dead_letter};

use super::factory::time_type;
use super::input::internal;
use super::{WINDOW_END, WINDOW_START};

/// A late row: when it should have been there, and what stopped it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct LateRow {
    /// Index in the record.
    pub(crate) row: u32,
    pub(crate) time_ms: i64,
    /// The last window that it would have been part of.
    pub(crate) start_ms: i64,
    pub(crate) end_ms: i64,
}

/// The columns of a window's late output: `event_data` (the whole row as JSON), `event_time`, `watermark`, `window_start`,
/// `window_end` (of the last window that the row would have been part of) and `lateness_ms` (how far the watermark was
/// ahead of the row).
#[must_use]
pub fn late_schema() -> SchemaRef {
    static SCHEMA: LazyLock<SchemaRef> = LazyLock::new(|| {
        let field = |name: &str, data_type: DataType| Field::new(name, data_type, false);
        let times = ["event_time", "watermark", WINDOW_START, WINDOW_END].map(|name| field(name, time_type()));
        let mut fields = vec![field("event_data", DataType::Utf8)];
        fields.extend(times);
        fields.push(field("lateness_ms", DataType::Int64));
        Arc::new(Schema::new(fields))
    });
    Arc::clone(&SCHEMA)
}

pub(crate) fn port(name: PortName) -> OutputPort {
    OutputPort { event_time: OutputTime::None, ..OutputPort::new(name, late_schema()) }
}

/// The late rows of a compacted record as rows of [`late_schema`].
pub(crate) fn rows(record: &StreamRecord, late: &[LateRow], watermark_ms: i64) -> Result<RecordBatch> {
    let indices = UInt32Array::from_iter_values(late.iter().map(|late| late.row));
    let rows = record.take(&indices).map_err(internal)?;
    let data = dead_letter::rows_as_json(&rows.batch).map_err(internal)?;
    let times = |time: fn(&LateRow) -> i64| -> ArrayRef {
        Arc::new(TimestampMillisecondArray::from_iter_values(late.iter().map(time)).with_timezone("UTC"))
    };
    let watermark = TimestampMillisecondArray::from_value(watermark_ms, late.len()).with_timezone("UTC");
    let lateness = Int64Array::from_iter_values(late.iter().map(|late| watermark_ms.saturating_sub(late.time_ms)));
    RecordBatch::try_new(
        late_schema(),
        vec![
            data,
            times(|late| late.time_ms),
            Arc::new(watermark),
            times(|late| late.start_ms),
            times(|late| late.end_ms),
            Arc::new(lateness),
        ],
    )
    .map_err(internal)
}
