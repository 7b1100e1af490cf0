//! A source's place in a chain: what its readers polled becomes records, with origins and event time.

use std::time::Instant;

use arrow::array::{Array, Int64Array};
use volley_api::{NodeName, OriginColumn, RowReject, SplitId, StreamRecord, TaskPart};

use super::{Polled, SplitStatus};
use crate::time::{Control, SourceTime};

/// Short name of the reason for which rows without a usable event time are refused.
const EVENT_TIME_CODE: &str = "event-time";

/// Makes records of polls.
pub(crate) struct SourceSlot {
    pub(crate) needs_origins: bool,
    pub(crate) time: Option<SourceTime>,
}

/// A record, and the rows of it that are refused, which are not live any more.
pub(crate) struct Read {
    pub(crate) record: StreamRecord,
    /// All rows, where some are refused.
    pub(crate) refused: Option<(StreamRecord, Vec<RowReject>)>,
}

impl SourceSlot {
    /// The rows of a poll as a record; `None` when it brought none.
    pub(crate) fn read(&self, polled: Polled) -> volley_api::Result<Option<Read>> {
        let rows = polled.batch.batch.num_rows();
        if rows == 0 {
            return Ok(None);
        }
        let mut record = StreamRecord::new(polled.batch.batch);
        if self.needs_origins {
            let positions = &polled.batch.positions;
            let origins = OriginColumn::of_split(polled.source_number, polled.split_number, positions, rows);
            record = record.with_origins(origins);
        }
        let Some(time) = &self.time else { return Ok(Some(Read { record, refused: None })) };
        let (record, times) = time.read(record)?;
        let Some(valid) = times.nulls().filter(|nulls| nulls.null_count() > 0) else {
            return Ok(Some(Read { record, refused: None }));
        };
        let rejects = refused(&record, &times, &time.column().name);
        let refused = Some((record.clone(), rejects));
        Ok(Some(Read { record: record.narrow(valid.inner()), refused }))
    }

    pub(crate) fn status(&mut self, split: u32, status: SplitStatus) {
        let Some(time) = &mut self.time else { return };
        match status {
            SplitStatus::Opened(id) => time.opened(split, id),
            SplitStatus::Idle => time.idle(split),
            SplitStatus::Ended => time.ended(split),
        }
    }

    /// What a checkpoint keeps of it.
    pub(crate) fn parts(&self, source: &NodeName) -> Vec<TaskPart> {
        let reached = self.time.iter().flat_map(SourceTime::reached);
        let part = |(split, reached_ms): (&SplitId, i64)| TaskPart::SplitTime {
            source: source.clone(),
            split: split.clone(),
            reached_ms,
        };
        reached.map(part).collect()
    }

    pub(crate) fn active(&mut self, split: u32) -> Option<Control> {
        self.time.as_mut().and_then(|time| time.active(split))
    }

    pub(crate) fn rows(&mut self, split: u32, record: &StreamRecord) -> volley_api::Result<()> {
        self.time.as_mut().map_or(Ok(()), |time| time.rows(split, record))
    }

    pub(crate) fn due_at(&self) -> Option<Instant> {
        self.time.as_ref().and_then(SourceTime::due_at)
    }

    pub(crate) fn tell(&mut self, now: Instant) -> Option<Control> {
        self.time.as_mut().and_then(|time| time.tell(now))
    }
}

fn refused(record: &StreamRecord, times: &Int64Array, column: &str) -> Vec<RowReject> {
    let values = record.batch.column_by_name(column);
    let is_null = |row: usize| values.is_none_or(|values| values.is_null(row));
    let reject = |row| RowReject {
        row,
        code: EVENT_TIME_CODE.to_owned(),
        message: if is_null(row) {
            format!("event time `{column}` is null")
        } else {
            format!("event time `{column}` is more than 2^52 milliseconds from 1970")
        },
    };
    (0..times.len()).filter(|&row| times.is_null(row)).map(reject).collect()
}
