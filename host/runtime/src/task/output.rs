//! The output through which an operator calls what is behind it.

use volley_api::{Output, PortIndex, Result, RowReject, StreamRecord, dead_letter};

use super::Polled;
use super::slot::{Downstream, Wiring};
use crate::Error;
use crate::metrics::NodeMetrics;

/// The ports of one slot.
pub(super) struct SlotOutput<'a> {
    wiring: &'a Wiring,
    downstream: Downstream<'a>,
}

impl<'a> SlotOutput<'a> {
    pub(super) fn new(wiring: &'a Wiring, downstream: Downstream<'a>) -> Self {
        Self { wiring, downstream }
    }

    /// Sends the records that a source could not read to its `errors` port, or fails when nobody reads that.
    pub(super) fn refuse_polled(&mut self, polled: &Polled) -> Result<()> {
        let rejects = &polled.batch.rejects;
        let Some(first) = rejects.first() else { return Ok(()) };
        let wiring = self.wiring;
        NodeMetrics::add(&wiring.metrics.rows_rejected, rejects.len());
        if wiring.errors.is_empty() {
            return Err(Error::UnreadReject { node: wiring.node.clone(), message: first.message.clone() }.into());
        }
        let rows = dead_letter::from_source(&wiring.node, &polled.split, rejects);
        let rows = rows.map_err(|source| wiring.arrow(source))?;
        self.downstream.deliver(&wiring.errors, rows.into(), wiring)
    }

    /// Sends rows that the host itself refuses to the `errors` port, or fails when nobody reads that.
    pub(super) fn refuse_rows(&mut self, rows: &StreamRecord, rejects: Vec<RowReject>) -> Result<()> {
        if let (true, Some(first)) = (self.wiring.errors.is_empty(), rejects.first()) {
            let origin = rows.origins.as_ref().and_then(|origins| self.wiring.origins.describe(origins.get(first.row)));
            let place = origin.map_or_else(String::new, |origin| format!("{origin}: "));
            let message = format!("{place}{}", first.message);
            return Err(Error::UnreadReject { node: self.wiring.node.clone(), message }.into());
        }
        self.reject(rows, rejects)
    }
}

impl Output for SlotOutput<'_> {
    fn emit(&mut self, port: PortIndex, record: StreamRecord) -> Result<()> {
        let rows = record.num_rows();
        if rows == 0 {
            return Ok(());
        }
        NodeMetrics::add(&self.wiring.metrics.rows_out, rows);
        self.downstream.deliver(&self.wiring.ports[port], record, self.wiring)
    }

    fn count_late(&mut self, rows: usize) {
        NodeMetrics::add(&self.wiring.metrics.rows_late, rows);
    }

    fn set_pending(&mut self, windows: usize) {
        self.wiring.metrics.set_pending(self.wiring.subtask.index as usize, windows);
    }

    fn reject(&mut self, input: &StreamRecord, rejects: Vec<RowReject>) -> Result<()> {
        if rejects.is_empty() {
            return Ok(());
        }
        let wiring = self.wiring;
        NodeMetrics::add(&wiring.metrics.rows_rejected, rejects.len());
        if wiring.errors.is_empty() {
            return Ok(());
        }
        let rows = dead_letter::from_rows(&wiring.node, &wiring.identity, &wiring.origins, input, &rejects);
        let rows = rows.map_err(|source| wiring.arrow(source))?;
        self.downstream.deliver(&wiring.errors, rows.into(), wiring)
    }
}
