//! One node within a chain's subtask, and the slots and outlets behind it.

use std::sync::Arc;
use std::time::Instant;

use volley_api::{
    CheckpointBarrier, Combined, NodeName, Operator, OperatorIdentity, OriginDirectory, Output, Result, StreamRecord,
    SubtaskId, TaskPart, Watermark,
};

use super::outlet::Outlet;
use super::output::SlotOutput;
use super::replay::Ending;
use super::source::{Read, SourceSlot};
use super::{Polled, SplitStatus};
use crate::Error;
use crate::coalesce::Coalescer;
use crate::metrics::NodeMetrics;
use crate::plan::Align;
use crate::time::{Control, Inputs};

/// Where an edge leads.
pub(crate) struct Target {
    pub(crate) to: Place,
    pub(crate) align: Option<Arc<Align>>,
}

pub(crate) enum Place {
    /// A slot of the same chain, always behind the one that the edge leaves.
    Slot {
        index: usize,
        /// Which of the slot's inputs the edge is.
        input: usize,
    },
    /// Index of an outlet of the subtask.
    Outlet(usize),
}

/// A node within a chain's subtask.
pub(crate) struct Slot {
    pub(crate) logic: Logic,
    pub(crate) coalescer: Option<Coalescer>,
    pub(crate) wiring: Wiring,
    /// How far event time has come on its inputs: edges of the chain, and lanes of its channel.
    pub(crate) inputs: Inputs,
}

pub(crate) enum Logic {
    Source(Box<SourceSlot>),
    Operator(Box<dyn Operator>),
}

/// What surrounds a node: its name, its counters, and where its ports lead.
pub(crate) struct Wiring {
    pub(crate) node: NodeName,
    pub(crate) subtask: SubtaskId,
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
        let (slot, mut downstream) = self.split(index);
        let Some(coalescer) = &mut slot.coalescer else { return slot.process(record, downstream) };
        for ready in coalescer.push(record).map_err(|source| slot.wiring.arrow(source))? {
            slot.process(ready, downstream.reborrow())?;
        }
        Ok(())
    }

    /// Hands a slot what stands for rows.
    pub(crate) fn merge(&mut self, index: usize, combined: Combined) -> Result<()> {
        let (slot, downstream) = self.split(index);
        let Logic::Operator(operator) = &mut slot.logic else { unreachable!("no edge leads to a source") };
        NodeMetrics::add(&slot.wiring.metrics.rows_in, combined.rows);
        operator.merge(combined, &mut SlotOutput::new(&slot.wiring, downstream))
    }

    /// Hands a slot what its coalescer still holds.
    pub(crate) fn flush(&mut self, index: usize) -> Result<()> {
        let (slot, downstream) = self.split(index);
        slot.flush(downstream)
    }

    /// Ends a slot: nothing reaches it any more.
    pub(crate) fn finish(&mut self, index: usize) -> Result<()> {
        let (slot, mut downstream) = self.split(index);
        slot.flush(downstream.reborrow())?;
        match &mut slot.logic {
            Logic::Source(_) => Ok(()),
            Logic::Operator(operator) => operator.finish(&mut SlotOutput::new(&slot.wiring, downstream)),
        }
    }

    /// Takes in one poll of a source.
    pub(crate) fn polled(&mut self, index: usize, polled: Polled) -> Result<()> {
        let (slot, mut downstream) = self.split(index);
        let Logic::Source(source) = &mut slot.logic else { unreachable!("readers feed sources") };
        let split = polled.split_number;
        if let Some(control) = source.active(split) {
            slot.wiring.pass(control, downstream.reborrow())?;
        }
        let mut output = SlotOutput::new(&slot.wiring, downstream);
        output.refuse_polled(&polled)?;
        let within = |error: volley_api::Error| error.within(&slot.wiring.node);
        let Some(Read { record, refused }) = source.read(polled).map_err(within)? else { return Ok(()) };
        if let Some((rows, rejects)) = refused {
            output.refuse_rows(&rows, rejects)?;
        }
        // What it says of event time is worked out first, since the rows go away; it is told after them.
        source.rows(split, &record).map_err(within)?;
        output.emit(0, record)?;
        self.tell_time(index, Instant::now())
    }

    /// Takes in what became of a split.
    pub(crate) fn split_status(&mut self, index: usize, split: u32, status: SplitStatus) -> Result<()> {
        let (slot, _) = self.split(index);
        if let Logic::Source(source) = &mut slot.logic {
            source.status(split, status);
        }
        self.tell_time(index, Instant::now())
    }

    /// Lets a source say how far event time has come, if the time for that is; and an operator do what it waits for.
    pub(crate) fn tell_time(&mut self, index: usize, now: Instant) -> Result<()> {
        let (slot, downstream) = self.split(index);
        let source = match &mut slot.logic {
            Logic::Source(source) => source,
            Logic::Operator(operator) => return operator.on_time(&mut SlotOutput::new(&slot.wiring, downstream)),
        };
        match source.tell(now) {
            Some(control) => slot.wiring.pass(control, downstream),
            None => Ok(()),
        }
    }

    /// Takes in what one input of a slot says of event time.
    pub(crate) fn control(&mut self, index: usize, input: usize, control: Control) -> Result<()> {
        let (slot, downstream) = self.split(index);
        match slot.inputs.take(input, control) {
            Some(control) => slot.pass(control, downstream),
            None => Ok(()),
        }
    }

    /// Takes in that one input of a slot has ended.
    pub(crate) fn end_input(&mut self, index: usize, input: usize) -> Result<()> {
        let (slot, downstream) = self.split(index);
        match slot.inputs.end(input) {
            Some(control) => slot.pass(control, downstream),
            None => Ok(()),
        }
    }

    /// Ends event time for a slot that nothing leads to: a source without a split for this subtask.
    pub(crate) fn end_if_unfed(&mut self, index: usize) -> Result<()> {
        let (slot, downstream) = self.split(index);
        match slot.inputs.end_if_none() {
            Some(control) => slot.pass(control, downstream),
            None => Ok(()),
        }
    }

    /// Ends an epoch for a slot, after those before it.
    pub(crate) fn barrier(&mut self, index: usize, barrier: CheckpointBarrier) -> Result<()> {
        let (slot, mut downstream) = self.split(index);
        slot.flush(downstream.reborrow())?;
        match &mut slot.logic {
            Logic::Source(_) => Ok(()),
            Logic::Operator(operator) => operator.on_barrier(barrier, &mut SlotOutput::new(&slot.wiring, downstream)),
        }
    }

    /// Brings a slot to where a replay ends, after those before it; whether it is over.
    pub(crate) fn bring_to(&mut self, index: usize, ending: Ending) -> Result<bool> {
        let (slot, mut downstream) = self.split(index);
        slot.flush(downstream.reborrow())?;
        let watermark = match ending {
            Ending::Alive(watermark) => watermark.filter(|watermark| Some(*watermark) > slot.inputs.watermark()),
            Ending::Over => Some(Watermark::End),
        };
        let Logic::Operator(operator) = &mut slot.logic else { return Ok(false) };
        if let Some(watermark) = watermark {
            operator.on_watermark(watermark, &mut SlotOutput::new(&slot.wiring, downstream.reborrow()))?;
            slot.inputs.restore(Some(watermark));
        }
        if ending == Ending::Over {
            operator.finish(&mut SlotOutput::new(&slot.wiring, downstream))?;
        }
        Ok(ending == Ending::Over)
    }

    /// What a checkpoint keeps of a slot, whose epoch has just ended.
    pub(crate) fn snapshot(&mut self, index: usize) -> Result<Vec<TaskPart>> {
        let (slot, _) = self.split(index);
        slot.snapshot()
    }

    pub(super) fn reborrow(&mut self) -> Downstream<'_> {
        Downstream { slots: self.slots, base: self.base, outlets: self.outlets }
    }

    /// Sends a record to each target; the last gets the record itself.
    pub(super) fn deliver(&mut self, targets: &[Target], record: StreamRecord, wiring: &Wiring) -> Result<()> {
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
            Place::Slot { index, .. } => self.push(index, record),
            Place::Outlet(index) => self.outlets[index].send(record),
        }
    }
}

impl Slot {
    fn process(&mut self, record: StreamRecord, downstream: Downstream<'_>) -> Result<()> {
        let Logic::Operator(operator) = &mut self.logic else {
            unreachable!("no edge leads to a source");
        };
        NodeMetrics::add(&self.wiring.metrics.rows_in, record.num_rows());
        operator.process(record, &mut SlotOutput::new(&self.wiring, downstream))
    }

    fn flush(&mut self, downstream: Downstream<'_>) -> Result<()> {
        let held = self.coalescer.as_mut().map(Coalescer::flush).transpose();
        match held.map_err(|source| self.wiring.arrow(source))?.flatten() {
            Some(record) => self.process(record, downstream),
            None => Ok(()),
        }
    }

    /// Brings what the inputs say to the operator, and passes it on.
    fn pass(&mut self, control: Control, mut downstream: Downstream<'_>) -> Result<()> {
        if let Control::Watermark(watermark) = control {
            self.flush(downstream.reborrow())?;
            if let Logic::Operator(operator) = &mut self.logic {
                operator.on_watermark(watermark, &mut SlotOutput::new(&self.wiring, downstream.reborrow()))?;
            }
        }
        self.wiring.pass(control, downstream)
    }

    fn snapshot(&mut self) -> Result<Vec<TaskPart>> {
        let Wiring { node, subtask, .. } = &self.wiring;
        let operator = match &mut self.logic {
            Logic::Source(source) => return Ok(source.parts(node)),
            Logic::Operator(operator) => operator,
        };
        let keyed = operator.snapshot().map_err(|error| error.within(node))?;
        let watermark = self.inputs.watermark().map(|watermark| TaskPart::Watermark {
            node: node.clone(),
            subtask: *subtask,
            watermark,
        });
        Ok(keyed.into_iter().map(TaskPart::Keyed).chain(watermark).collect())
    }

    pub(crate) fn holds_rows_back(&self) -> bool {
        self.coalescer.as_ref().is_some_and(|coalescer| !coalescer.is_empty())
    }

    pub(crate) fn time_due_at(&self) -> Option<Instant> {
        match &self.logic {
            Logic::Source(source) => source.due_at(),
            Logic::Operator(operator) => operator.time_due_in().map(|wait| Instant::now() + wait),
        }
    }

    /// Whether the time has come that [`Slot::time_due_at`] tells.
    pub(crate) fn is_time_due(&self, now: Instant) -> bool {
        match &self.logic {
            Logic::Source(source) => source.due_at().is_some_and(|due| due <= now),
            Logic::Operator(operator) => operator.time_due_in().is_some_and(|wait| wait.is_zero()),
        }
    }
}

impl Wiring {
    pub(super) fn arrow(&self, source: arrow::error::ArrowError) -> volley_api::Error {
        Error::Arrow { node: self.node.clone(), source }.into()
    }

    /// Passes a control element to everything that reads from the node.
    fn pass(&self, control: Control, mut downstream: Downstream<'_>) -> Result<()> {
        if let Control::Watermark(watermark) = control {
            self.metrics.set_watermark(self.subtask.index as usize, watermark);
        }
        for target in self.ports.iter().flatten().chain(&self.errors) {
            match target.to {
                Place::Slot { index, input } => downstream.control(index, input, control)?,
                Place::Outlet(index) => downstream.outlets[index].control(control)?,
            }
        }
        Ok(())
    }
}
