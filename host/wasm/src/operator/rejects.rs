//! Refused rows: checked against the contract, then dealt with as the policy says.

use arrow::array::AsArray;
use volley_api::{RowReject, StreamRecord, dead_letter};

use super::{Input, Part, PluginOperator};
use crate::contract::Reject;
use crate::guest::MESSAGE_BYTES_MAX;
use crate::options::OnError;
use crate::refusals::{CODE_BYTES_MAX, REJECT_BATCH};
use crate::text::{cut, visible};
use crate::violation::Violation;
use crate::{Error, Result};

/// What is shown of a refused row, in bytes.
const ROW_BYTES_MAX: usize = 512;

impl PluginOperator {
    /// The refused rows of one part by their indices within it, or an error where nobody takes them.
    pub(super) fn take_rejects(&self, input: &Input, part: Part, rejects: Vec<Reject>) -> Result<Vec<RowReject>> {
        let mut rows: Vec<RowReject> = Vec::with_capacity(rejects.len().min(part.rows));
        for reject in rejects {
            let row = usize::try_from(reject.row).unwrap_or(usize::MAX);
            if row >= part.rows {
                let problem = format!("it rejects row {row} of a batch of {} rows", part.rows);
                return Err(self.broke(Violation::BadRejects, problem));
            }
            if let Some(last) = rows.last().map(|last| last.row).filter(|last| *last >= row) {
                let problem = format!("it rejects row {row} after row {last}: rejects ascend");
                return Err(self.broke(Violation::BadRejects, problem));
            }
            let reject = RowReject {
                row,
                code: cut(&reject.code, CODE_BYTES_MAX).to_owned(),
                message: cut(&reject.message, MESSAGE_BYTES_MAX).to_owned(),
            };
            if !self.may_go_on() {
                return Err(self.rejected_row(&part.of(&input.record), part, &reject));
            }
            rows.push(reject);
        }
        Ok(rows)
    }

    /// All rows of a part, refused together, or an error where nobody takes them.
    pub(super) fn reject_batch(&self, part: Part, message: &str) -> Result<Vec<RowReject>> {
        if self.on_error == OnError::Fail || !self.may_go_on() {
            return Err(Error::RejectedBatch {
                operator: self.context.node.to_string(),
                plugin: self.instances.who().to_string(),
                rows: part.rows,
                message: visible(message, MESSAGE_BYTES_MAX),
            });
        }
        let message = cut(message, MESSAGE_BYTES_MAX);
        let reject = |row| RowReject { row, code: REJECT_BATCH.to_owned(), message: message.to_owned() };
        Ok((0..part.rows).map(reject).collect())
    }

    /// Whether a refused row leaves the job running: somebody reads it, or the policy says to skip it.
    pub(super) fn may_go_on(&self) -> bool {
        self.context.errors_attached || self.on_error == OnError::Skip
    }

    /// `rows` are those of the part.
    fn rejected_row(&self, rows: &StreamRecord, part: Part, reject: &RowReject) -> Error {
        Error::RejectedRow {
            operator: self.context.node.to_string(),
            code: visible(&reject.code, CODE_BYTES_MAX),
            message: visible(&reject.message, MESSAGE_BYTES_MAX),
            place: self.place(rows, part, reject.row),
            row: self.shown(rows, reject.row),
        }
    }

    /// Where a row of a part came from, in words.
    pub(super) fn place(&self, rows: &StreamRecord, part: Part, row: usize) -> String {
        let origin = rows.origins.as_ref().map(|origins| origins.get(row));
        let named = origin.and_then(|origin| Some((origin, self.context.origins.resolve(origin)?)));
        named.map_or_else(
            || format!("row {} of its batch", part.offset + row),
            |(origin, (source, split))| format!("source {source}, {split}, position {}", origin.position),
        )
    }

    /// A row as JSON text, cut.
    pub(super) fn shown(&self, rows: &StreamRecord, row: usize) -> String {
        visible(&row_as_json(rows, row), ROW_BYTES_MAX)
    }
}

fn row_as_json(record: &StreamRecord, row: usize) -> String {
    match dead_letter::rows_as_json(&record.batch.slice(row, 1)) {
        Ok(text) => text.as_string::<i32>().value(0).to_owned(),
        Err(error) => format!("(not shown: {error})"),
    }
}
