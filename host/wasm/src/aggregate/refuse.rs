//! Refused rows, and rows that make the plugin fail: what the policy makes of them.

use arrow::array::AsArray;
use volley_api::{AggregatorRole, Refused, RowReject, dead_letter};

use super::kept::Kept;
use super::session::Session;
use crate::guest::MESSAGE_BYTES_MAX;
use crate::options::OnError;
use crate::refusals::REJECT_BATCH;
use crate::text::{cut, visible};
use crate::violation::Violation;
use crate::{Error, Result};

/// What is shown of a refused row, in bytes.
const ROW_BYTES_MAX: usize = 512;

impl Session {
    /// Rows of a part are refused: by their index in it, ascending.
    pub(super) fn refuse(&mut self, part: &Kept, rejects: Vec<RowReject>) -> Result<()> {
        if let Some(first) = rejects.first().filter(|_| !self.may_go_on()) {
            return Err(Error::RejectedRow {
                operator: self.context.node.to_string(),
                code: visible(&first.code, MESSAGE_BYTES_MAX),
                message: visible(&first.message, MESSAGE_BYTES_MAX),
                place: self.place(part, first.row),
                row: shown(part, first.row),
            });
        }
        if self.role == AggregatorRole::Operator {
            self.instances.metrics().rows_rejected(rejects.len());
        }
        let of_record = |reject: RowReject| RowReject { row: part.place(reject.row), ..reject };
        let rejects = rejects.into_iter().map(of_record).collect();
        self.refused.push(Refused { rows: part.record.clone(), rejects });
        Ok(())
    }

    /// All rows of a part are refused together.
    pub(super) fn refuse_all(&mut self, part: &Kept, message: &str) -> Result<()> {
        if self.role == AggregatorRole::Operator && (self.on_error == OnError::Fail || !self.may_go_on()) {
            return Err(self.kept_call(Error::RejectedBatch {
                operator: self.context.node.to_string(),
                plugin: self.instances.who().to_string(),
                rows: part.rows(),
                message: visible(message, MESSAGE_BYTES_MAX),
            }));
        }
        self.refuse(part, every_row(part, REJECT_BATCH, cut(message, MESSAGE_BYTES_MAX)))
    }

    /// The one row of a part is guilty.
    pub(super) fn blame(&mut self, part: &Kept, violation: Violation, error: Error) -> Result<()> {
        if self.stops_at_failures() {
            let error = error.at_row(&format!("{}; row: {}", self.place(part, 0), shown(part, 0)));
            return Err(self.kept_call(error));
        }
        self.bundle(&error);
        let code = format!("plugin-{}", violation.as_str().replace('_', "-"));
        let message = cut(&error.to_string(), MESSAGE_BYTES_MAX).to_owned();
        self.refuse(part, every_row(part, &code, &message))
    }

    /// Gives all rows of a part back: somebody else has the last word on them.
    pub(super) fn give_back(&mut self, part: &Kept) {
        let rejects = every_row(part, "", "").into_iter();
        let rejects = rejects.map(|reject| RowReject { row: part.place(reject.row), ..reject }).collect();
        self.refused.push(Refused { rows: part.record.clone(), rejects });
    }

    /// Whether a refused row leaves the job running: somebody reads it, or the policy says to skip it.
    fn may_go_on(&self) -> bool {
        self.role == AggregatorRole::BeforeExchange || self.context.errors_attached || self.on_error == OnError::Skip
    }

    /// Whether a row that makes the plugin fail stops the job: the policy says so, or nobody would take the row.
    pub(super) fn stops_at_failures(&self) -> bool {
        self.role == AggregatorRole::Operator && (self.on_error == OnError::Fail || !self.may_go_on())
    }

    /// Where a row of a part came from, in words.
    fn place(&self, part: &Kept, row: usize) -> String {
        let place = part.place(row);
        let origin = part.record.origins.as_ref().map(|origins| origins.get(place));
        let named = origin.and_then(|origin| Some((origin, self.context.origins.resolve(origin)?)));
        named.map_or_else(
            || format!("row {place} of its batch"),
            |(origin, (source, split))| format!("source {source}, {split}, position {}", origin.position),
        )
    }
}

fn every_row(part: &Kept, code: &str, message: &str) -> Vec<RowReject> {
    let reject = |row| RowReject { row, code: code.to_owned(), message: message.to_owned() };
    (0..part.rows()).map(reject).collect()
}

/// A row of a part as JSON text, cut.
fn shown(part: &Kept, row: usize) -> String {
    visible(&as_json(&part.record.batch.slice(part.place(row), 1)), ROW_BYTES_MAX)
}

/// The first row of a batch as JSON text.
pub(super) fn as_json(batch: &arrow::array::RecordBatch) -> String {
    match dead_letter::rows_as_json(batch) {
        Ok(text) if !batch.columns().is_empty() => text.as_string::<i32>().value(0).to_owned(),
        Ok(_) => "{}".to_owned(),
        Err(error) => format!("(not shown: {error})"),
    }
}
