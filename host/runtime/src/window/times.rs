//! The event times of a windowed operator's rows; what becomes of rows without one, and of those that are late.

use arrow::array::{Array, Int64Array, RecordBatch};
use volley_api::{EventTimeColumn, EventTimes, NodeName, OperatorContext, Output, Result, RowReject, StreamRecord};

use super::WindowFactory;
use super::factory::Planned;
use super::input::internal;
use super::late::{self, LateRow};
use crate::Error;

/// Index of the late output among an operator's ports.
const LATE_PORT: usize = 1;

/// Reads event times.
pub(crate) struct Times {
    node: NodeName,
    column: Option<EventTimeColumn>,
    errors_attached: bool,
    late_port: bool,
}

impl Times {
    pub(crate) fn new(planned: &Planned, factory: &WindowFactory, context: &OperatorContext) -> Self {
        Self {
            node: context.node.clone(),
            column: planned.event_time.clone(),
            errors_attached: context.errors_attached,
            late_port: factory.late.is_some(),
        }
    }

    /// The event time of each row, null where a row has none: it was refused. `rows` are those of `record`, compacted.
    pub(crate) fn of(&self, record: &StreamRecord, rows: &RecordBatch, output: &mut dyn Output) -> Result<EventTimes> {
        let Some(column) = &self.column else {
            return Err(volley_api::Error::internal("this window has no time"));
        };
        let times = column.times(rows)?;
        if times.ms.null_count() > 0 {
            self.refuse(record, &times.ms, &column.name, output)?;
        }
        Ok(times)
    }

    fn refuse(&self, record: &StreamRecord, times: &Int64Array, column: &str, output: &mut dyn Output) -> Result<()> {
        let message = format!("event time `{column}` is null or more than 2^52 milliseconds from 1970");
        if !self.errors_attached {
            return Err(Error::RefusedRow { node: self.node.clone(), message }.into());
        }
        let rejects = (0..times.len()).filter(|&row| times.is_null(row));
        let rejects = rejects.map(|row| RowReject { row, code: "event-time".to_owned(), message: message.clone() });
        let rejects = rejects.collect();
        output.reject(&record.clone().compact().map_err(internal)?, rejects)
    }

    /// Sends late rows to their port, where there is one.
    pub(crate) fn put_aside(
        &self,
        record: &StreamRecord,
        late: &mut [LateRow],
        watermark_ms: Option<i64>,
        output: &mut dyn Output,
    ) -> Result<()> {
        output.count_late(late.len());
        if !self.late_port || late.is_empty() {
            return Ok(());
        }
        late.sort_unstable_by_key(|late| late.row);
        let record = record.clone().compact().map_err(internal)?;
        output.emit(LATE_PORT, late::rows(&record, late, watermark_ms.unwrap_or(i64::MIN))?.into())
    }
}
