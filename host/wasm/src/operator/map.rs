//! Maps: the plugin's columns, row for row beside or instead of the input's.

use arrow::array::BooleanBufferBuilder;
use arrow::buffer::{BooleanBuffer, Buffer};
use volley_api::StreamRecord;
use volley_ipc::decode_batch;

use super::{Part, PluginOperator};
use crate::Result;
use crate::text::visible;

impl PluginOperator {
    /// The output of one call: gated, put together, without the refused rows.
    pub(super) fn mapped(
        &self,
        record: &StreamRecord,
        part: Part,
        message: &Buffer,
        rejected: &[usize],
    ) -> Result<StreamRecord> {
        let port = &self.bound.ports[0];
        let own = decode_batch(message, &port.own, &self.gate_limits(part.rows))
            .map_err(|error| self.broke("map", visible(&error.to_string(), 1 << 10)))?;
        if own.num_rows() != part.rows {
            return Err(self.broke("map", format!("{} rows for {}", own.num_rows(), part.rows)));
        }
        let input = record.slice(part.offset, part.rows);
        let batch = port.compose(&input.batch, &own)?;
        let mapped = input.with_columns_of(batch);
        Ok(if rejected.is_empty() { mapped } else { mapped.narrow(&all_but(part.rows, rejected)) })
    }
}

/// One bit per row, set for all but those.
pub(super) fn all_but(rows: usize, rejected: &[usize]) -> BooleanBuffer {
    let mut bits = BooleanBufferBuilder::new(rows);
    bits.append_n(rows, true);
    rejected.iter().for_each(|row| bits.set_bit(*row, false));
    bits.build()
}
