//! How much one row may become: what a call put out, by the row that it came from.
//!
//! A limit on the mean of a call would let a row through that has modest neighbours and blame the same row alone. So the
//! limits hold for each row, and a call is only looked at row by row when it put out more than one row may become.

use arrow::array::RecordBatch;
use volley_api::RowReject;

use super::weigh::row_bytes;
use super::{Part, PluginOperator, rows_of};
use crate::imports::emitter::Emission;
use crate::violation::Violation;
use crate::{Error, Result};

impl PluginOperator {
    /// A map's columns: row for row what the rows that came in have become. What stands at refused rows is ignored.
    pub(super) fn check_mapped(&self, own: &RecordBatch, message_bytes: usize, rejects: &[RowReject]) -> Result<()> {
        if message_bytes <= self.instances.limits().bytes_per_row_max {
            return Ok(());
        }
        let mut bytes = row_bytes(own);
        rows_of(rejects).for_each(|row| bytes[row] = 0);
        self.check_bytes(&bytes)
    }

    /// A flat-map's emissions, each row counted to its parent, refused or not: what the host had to take counts.
    pub(super) fn check_emitted(&self, part: Part, emissions: &[Emission]) -> Result<()> {
        let limits = self.instances.limits();
        let rows: usize = emissions.iter().map(|emission| emission.parents.len()).sum();
        if rows > limits.rows_per_row_max {
            let mut rows = vec![0_usize; part.rows];
            for parent in emissions.iter().flat_map(|emission| emission.parents.values()) {
                rows[*parent as usize] += 1;
            }
            self.check(&rows, limits.rows_per_row_max, "rows", "rows_per_row")?;
        }
        let bytes: usize = emissions.iter().map(|emission| emission.message_bytes).sum();
        if bytes > limits.bytes_per_row_max {
            let mut bytes = vec![0_usize; part.rows];
            for emission in emissions {
                for (parent, more) in emission.parents.values().iter().zip(row_bytes(&emission.batch)) {
                    bytes[*parent as usize] += more;
                }
            }
            self.check_bytes(&bytes)?;
        }
        Ok(())
    }

    fn check_bytes(&self, bytes: &[usize]) -> Result<()> {
        self.check(bytes, self.instances.limits().bytes_per_row_max, "bytes", "bytes_per_row")
    }

    fn check(&self, of_rows: &[usize], limit: usize, what: &str, name: &str) -> Result<()> {
        let Some(seen) = of_rows.iter().copied().max().filter(|seen| *seen > limit) else { return Ok(()) };
        let problem = format!("{seen} {what} for one row; the limit is {limit} (`limits.{name}`)");
        Err(self.too_much(Violation::Amplification, problem))
    }

    /// The error for a limit that a call has passed.
    pub(super) fn too_much(&self, violation: Violation, problem: String) -> Error {
        let (operator, plugin) = (self.context.node.to_string(), self.instances.who().to_string());
        Error::Limit { operator, plugin, function: self.kind_name().to_owned(), violation, problem }
    }
}
