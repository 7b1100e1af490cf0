//! Refused rows: checked against the contract, then dealt with as the policy says.

use arrow::array::AsArray;
use volley_api::{RowReject, StreamRecord, dead_letter};

use super::{Part, PluginOperator};
use crate::contract::Reject;
use crate::guest::MESSAGE_BYTES_MAX;
use crate::options::OnError;
use crate::text::{cut, visible};
use crate::{Error, Result};

/// The longest code that is kept, in bytes.
const CODE_BYTES_MAX: usize = 64;

/// What is shown of a refused row, in bytes.
const ROW_BYTES_MAX: usize = 512;

/// The code of rows that were refused together with their whole batch.
const REJECT_BATCH: &str = "reject-batch";

impl PluginOperator {
    /// Puts the refused rows of one part aside, or fails; gives their indices within the part.
    pub(super) fn take_rejects(
        &mut self,
        record: &StreamRecord,
        part: Part,
        rejects: Vec<Reject>,
    ) -> Result<Vec<usize>> {
        let mut rows: Vec<usize> = Vec::with_capacity(rejects.len().min(part.rows));
        for reject in rejects {
            let row = usize::try_from(reject.row).unwrap_or(usize::MAX);
            if row >= part.rows {
                return Err(self.broke_process(format!("it rejects row {row} of a batch of {} rows", part.rows)));
            }
            if let Some(last) = rows.last().filter(|last| **last >= row) {
                return Err(self.broke_process(format!("it rejects row {row} after row {last}: rejects ascend")));
            }
            rows.push(row);
            let reject = RowReject {
                row,
                code: cut(&reject.code, CODE_BYTES_MAX).to_owned(),
                message: cut(&reject.message, MESSAGE_BYTES_MAX).to_owned(),
            };
            if !self.may_go_on() {
                return Err(self.rejected_row(&record.slice(part.offset, part.rows), part, &reject));
            }
            self.rejects.push(reject);
        }
        Ok(rows)
    }

    /// Puts all rows of a part aside, or fails.
    pub(super) fn reject_batch(&mut self, part: Part, message: &str) -> Result<()> {
        if self.on_error == OnError::Fail || !self.may_go_on() {
            return Err(Error::RejectedBatch {
                operator: self.context.node.to_string(),
                plugin: self.guest.who().to_string(),
                rows: part.rows,
                message: visible(message, MESSAGE_BYTES_MAX),
            });
        }
        let message = cut(message, MESSAGE_BYTES_MAX);
        self.rejects.extend((0..part.rows).map(|row| RowReject {
            row,
            code: REJECT_BATCH.to_owned(),
            message: message.to_owned(),
        }));
        Ok(())
    }

    /// Whether a refused row leaves the job running: somebody reads it, or the policy says to skip it.
    fn may_go_on(&self) -> bool {
        self.context.errors_attached || self.on_error == OnError::Skip
    }

    fn broke_process(&self, problem: String) -> Error {
        self.broke(self.kind_name(), problem)
    }

    /// `rows` are those of the part.
    fn rejected_row(&self, rows: &StreamRecord, part: Part, reject: &RowReject) -> Error {
        let origin = rows.origins.as_ref().map(|origins| origins.get(reject.row));
        let named = origin.and_then(|origin| Some((origin, self.context.origins.resolve(origin)?)));
        let place = named.map_or_else(
            || format!("row {} of its batch", part.offset + reject.row),
            |(origin, (source, split))| format!("source {source}, {split}, position {}", origin.position),
        );
        Error::RejectedRow {
            operator: self.context.node.to_string(),
            code: visible(&reject.code, CODE_BYTES_MAX),
            message: visible(&reject.message, MESSAGE_BYTES_MAX),
            place,
            row: visible(&row_as_json(rows, reject.row), ROW_BYTES_MAX),
        }
    }
}

fn row_as_json(record: &StreamRecord, row: usize) -> String {
    match dead_letter::rows_as_json(&record.batch.slice(row, 1)) {
        Ok(text) => text.as_string::<i32>().value(0).to_owned(),
        Err(error) => format!("(not shown: {error})"),
    }
}
