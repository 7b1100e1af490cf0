//! One node within a chain's subtask, and the output through which it calls the nodes behind it.

use std::sync::Arc;

use volley_api::{
    NodeName, Operator, OperatorIdentity, OriginColumn, OriginDirectory, Output, PortIndex, Result, RowReject,
    StreamRecord, dead_letter,
};

use super::Polled;
use super::outlet::Outlet;
use crate::Error;
use crate::coalesce::Coalescer;
use crate::metrics::NodeMetrics;
use crate::plan::Align;

/// Where an edge leads.
pub(crate) struct Target {
    pub(crate) to: Place,
    pub(crate) align: Option<Arc<Align>>,
}

pub(crate) enum Place {
    /// Index of a slot of the same chain, always greater than that of the slot it leaves.
    Slot(usize),
    /// Index of an outlet of the subtask.
    Outlet(usize),
}

/// A node within a chain's subtask.
pub(crate) struct Slot {
    pub(crate) logic: Logic,
    pub(crate) coalescer: Option<Coalescer>,
    pub(crate) wiring: Wiring,
}

pub(crate) enum Logic {
    Source { needs_origins: bool },
    Operator(Box<dyn Operator>),
}

/// What surrounds a node: its name, its counters, and where its ports lead.
pub(crate) struct Wiring {
    pub(crate) node: NodeName,
    pub(crate) identity: OperatorIdentity,
    pub(crate) origins: OriginDirectory,
    pub(crate) metrics: Arc<NodeMetrics>,
    /// The targets of each declared port.
    pub(crate) ports: Vec<Vec<Target>>,
    pub(crate) errors: Vec<Target>,
}

/// The slots and outlets behind a slot.
pub(crate) struct Downstream<'a> {
    slots: &'a mut [Slot],
    /// Index of the first of `slots` within the chain.
    base: usize,
    outlets: &'a mut [Outlet],
}

impl<'a> Downstream<'a> {
    /// All slots of a subtask.
    pub(crate) fn all(slots: &'a mut [Slot], outlets: &'a mut [Outlet]) -> Self {
        Self { slots, base: 0, outlets }
    }

    /// A slot, and what is behind it.
    fn split(&mut self, index: usize) -> (&mut Slot, Downstream<'_>) {
        let (before, behind) = self.slots.split_at_mut(index - self.base + 1);
        let slot = before.last_mut().expect("at least one slot is before the split");
        (slot, Downstream { slots: behind, base: index + 1, outlets: self.outlets })
    }

    /// Hands a record to a slot, through its coalescer where it has one.
    pub(crate) fn push(&mut self, index: usize, record: StreamRecord) -> Result<()> {
        let (slot, downstream) = self.split(index);
        let Some(coalescer) = &mut slot.coalescer else { return slot.process(record, downstream) };
        let mut downstream = downstream;
        for ready in coalescer.push(record).map_err(|source| slot.wiring.arrow(source))? {
            slot.process(ready, downstream.reborrow())?;
        }
        Ok(())
    }

    /// Hands a slot what its coalescer still holds.
    pub(crate) fn flush(&mut self, index: usize) -> Result<()> {
        let (slot, downstream) = self.split(index);
        let held = slot.coalescer.as_mut().map(Coalescer::flush).transpose();
        match held.map_err(|source| slot.wiring.arrow(source))?.flatten() {
            Some(record) => slot.process(record, downstream),
            None => Ok(()),
        }
    }

    /// Ends a slot: nothing reaches it any more.
    pub(crate) fn finish(&mut self, index: usize) -> Result<()> {
        self.flush(index)?;
        let (slot, downstream) = self.split(index);
        match &mut slot.logic {
            Logic::Source { .. } => Ok(()),
            Logic::Operator(operator) => operator.finish(&mut SlotOutput { wiring: &slot.wiring, downstream }),
        }
    }

    /// Takes in one poll of a source.
    pub(crate) fn polled(&mut self, index: usize, polled: Polled) -> Result<()> {
        let (slot, downstream) = self.split(index);
        let needs_origins = matches!(slot.logic, Logic::Source { needs_origins: true });
        let mut output = SlotOutput { wiring: &slot.wiring, downstream };
        output.refuse_polled(&polled)?;
        let rows = polled.batch.batch.num_rows();
        if rows == 0 {
            return Ok(());
        }
        let mut record = StreamRecord::new(polled.batch.batch);
        if needs_origins {
            let positions = &polled.batch.positions;
            let origins = OriginColumn::of_split(polled.source_number, polled.split_number, positions, rows);
            record = record.with_origins(origins);
        }
        output.emit(0, record)
    }

    fn reborrow(&mut self) -> Downstream<'_> {
        Downstream { slots: self.slots, base: self.base, outlets: self.outlets }
    }

    /// Sends a record to each target; the last gets the record itself.
    fn deliver(&mut self, targets: &[Target], record: StreamRecord, wiring: &Wiring) -> Result<()> {
        let Some((last, others)) = targets.split_last() else { return Ok(()) };
        for target in others {
            self.deliver_to(target, record.clone(), wiring)?;
        }
        self.deliver_to(last, record, wiring)
    }

    fn deliver_to(&mut self, target: &Target, record: StreamRecord, wiring: &Wiring) -> Result<()> {
        let record = match &target.align {
            Some(align) => align.apply(record).map_err(|source| wiring.arrow(source))?,
            None => record,
        };
        match target.to {
            Place::Slot(index) => self.push(index, record),
            Place::Outlet(index) => {
                let record = record.compact().map_err(|source| wiring.arrow(source))?;
                self.outlets[index].send(record)
            }
        }
    }
}

impl Slot {
    fn process(&mut self, record: StreamRecord, downstream: Downstream<'_>) -> Result<()> {
        let Logic::Operator(operator) = &mut self.logic else {
            unreachable!("no edge leads to a source");
        };
        NodeMetrics::add(&self.wiring.metrics.rows_in, record.num_rows());
        operator.process(record, &mut SlotOutput { wiring: &self.wiring, downstream })
    }
}

impl Wiring {
    fn arrow(&self, source: arrow::error::ArrowError) -> volley_api::Error {
        Error::Arrow { node: self.node.clone(), source }.into()
    }
}

struct SlotOutput<'a> {
    wiring: &'a Wiring,
    downstream: Downstream<'a>,
}

impl SlotOutput<'_> {
    /// Sends the records that a source could not read to its `errors` port, or fails when nobody reads that.
    fn refuse_polled(&mut self, polled: &Polled) -> Result<()> {
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
