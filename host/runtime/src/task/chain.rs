//! A chain's thread: takes messages from its channel and drives its slots until every lane has ended.

use std::time::{Duration, Instant};

use volley_api::CheckpointBarrier;
use volley_fail_point::planted;

use super::outlet::Outlet;
use super::replay::Ending;
use super::report::Reporter;
use super::slot::{Downstream, Slot};
use super::{Message, Stopped, hit};
use crate::channel::{Received, Receiver};
use crate::stages::StageLatency;
use crate::time::Control;

/// Where a lane of the chain's channel leads.
#[derive(Debug, Clone, Copy)]
pub(crate) struct LaneInto {
    pub(crate) slot: usize,
    /// Which of the slot's inputs it is.
    pub(crate) input: usize,
}

/// One subtask of a chain.
pub(crate) struct ChainTask {
    pub(crate) slots: Vec<Slot>,
    pub(crate) lanes: Vec<LaneInto>,
    pub(crate) outlets: Vec<Outlet>,
    pub(crate) receiver: Receiver<Message>,
    /// How long rows may wait in a coalescer for others.
    pub(crate) linger: Duration,
    /// Its part in checkpoints.
    pub(crate) reporter: Reporter,
    /// What its slots come to at the barrier, where this is a replay.
    pub(crate) endings: Option<Vec<Ending>>,
    /// How long its messages take, counted together with the other subtasks of the chain.
    pub(crate) latency: StageLatency,
    /// How long barriers hold it up, likewise.
    pub(crate) barriers: StageLatency,
}

/// A chain at work.
struct Running {
    task: ChainTask,
    /// Lanes that have not ended.
    open: usize,
    /// The barrier that has come from some lanes and not from others, and from how many.
    aligning: Option<(CheckpointBarrier, usize)>,
}

impl ChainTask {
    /// Runs to the end of the input.
    pub(crate) fn run(self) -> Result<(), Stopped> {
        let open = self.lanes.len();
        Running { task: self, open, aligning: None }.run()
    }

    fn all(&mut self) -> Downstream<'_> {
        Downstream::all(&mut self.slots, &mut self.outlets)
    }

    fn holds_rows_back(&self) -> bool {
        self.slots.iter().any(Slot::holds_rows_back)
    }

    fn flush(&mut self) -> Result<(), Stopped> {
        for index in 0..self.slots.len() {
            self.all().flush(index)?;
        }
        Ok(())
    }

    /// Lets sources say how far event time has come, where the time for that is.
    fn tell_time(&mut self, now: Instant) -> Result<(), Stopped> {
        for index in 0..self.slots.len() {
            if self.slots[index].is_time_due(now) {
                self.all().tell_time(index, now)?;
            }
        }
        Ok(())
    }

    fn time_due_at(&self) -> Option<Instant> {
        self.slots.iter().filter_map(Slot::time_due_at).min()
    }
}

impl Running {
    fn run(mut self) -> Result<(), Stopped> {
        // Since when rows have been held back: others that keep coming must not keep them for ever.
        let mut held_since: Option<Instant> = None;
        for index in 0..self.task.slots.len() {
            self.task.all().end_if_unfed(index)?;
        }
        while self.open > 0 {
            let flush_at = held_since.map(|since| since + self.task.linger);
            let time_at = self.task.time_due_at();
            let received = self.task.receiver.recv_blocking(flush_at.into_iter().chain(time_at).min());
            // The clock is read here and, after a message, at the end: reading it costs as much as a small message.
            let now = Instant::now();
            let is_message = match received {
                Received::Item(lane, message) => {
                    self.take(lane, message)?;
                    true
                }
                Received::TimedOut => false,
                Received::Closed => return Err(Stopped::Cancelled),
            };
            if flush_at.is_some_and(|at| at <= now) {
                self.task.flush()?;
                held_since = None;
            }
            if time_at.is_some() {
                self.task.tell_time(now)?;
            }
            if !self.task.receiver.has_taken() {
                self.task.outlets.iter_mut().try_for_each(Outlet::flush)?;
            }
            held_since = if self.task.holds_rows_back() { held_since.or(Some(now)) } else { None };
            if is_message {
                self.task.latency.observe(now.elapsed());
            }
        }
        // Slots stand in stream order, so what one puts out at its end still reaches those behind it.
        for index in 0..self.task.slots.len() {
            self.task.all().finish(index)?;
        }
        self.task.outlets.iter_mut().try_for_each(Outlet::end)?;
        // Whatever it knew has been put out.
        self.task.reporter.finished(Vec::new());
        Ok(())
    }

    fn take(&mut self, lane: usize, message: Message) -> Result<(), Stopped> {
        let LaneInto { slot, input } = self.task.lanes[lane];
        match message {
            Message::Polled(polled) => self.task.all().polled(slot, polled)?,
            Message::Split(split, status) => self.task.all().split_status(slot, split, status)?,
            Message::Record(record) => self.task.all().push(slot, record)?,
            Message::Combined(combined) => self.task.all().merge(slot, combined)?,
            Message::Control(Control::Barrier(barrier)) => self.align(lane, barrier)?,
            Message::Control(control) => self.task.all().control(slot, input, control)?,
            Message::End => {
                self.open -= 1;
                self.task.all().end_input(slot, input)?;
                self.complete_alignment()?;
            }
        }
        Ok(())
    }

    /// Holds a lane back from its barrier on, until the barrier has come from every lane that has not ended: what is
    /// behind it belongs to the next epoch.
    fn align(&mut self, lane: usize, barrier: CheckpointBarrier) -> Result<(), Stopped> {
        let (aligning, arrived) = self.aligning.get_or_insert((barrier, 0));
        if *aligning != barrier {
            let (found, expected) = (barrier.epoch, aligning.epoch);
            let message = format!("the barrier of epoch {found} came while that of epoch {expected} was awaited");
            return Err(volley_api::Error::internal(message).into());
        }
        *arrived += 1;
        hit("chain-aligning")?;
        if !planted("skip-alignment") {
            self.task.receiver.hold(lane);
        }
        self.complete_alignment()
    }

    fn complete_alignment(&mut self) -> Result<(), Stopped> {
        let Some((barrier, arrived)) = self.aligning else { return Ok(()) };
        if arrived < self.open {
            return Ok(());
        }
        self.aligning = None;
        self.task.receiver.release_all();
        let aligned = Instant::now();
        hit("chain-aligned")?;
        let mut parts = Vec::new();
        for index in 0..self.task.slots.len() {
            let ending = self.task.endings.as_ref().map(|endings| endings[index]);
            if let Some(ending) = ending
                && self.task.all().bring_to(index, ending)?
            {
                continue;
            }
            self.task.all().barrier(index, barrier)?;
            if self.task.reporter.is_heard() {
                parts.extend(self.task.all().snapshot(index)?);
                hit("chain-snapshot")?;
            }
        }
        self.task.outlets.iter_mut().try_for_each(|outlet| outlet.control(Control::Barrier(barrier)))?;
        self.task.barriers.observe(aligned.elapsed());
        self.task.reporter.passed(barrier.epoch, parts);
        Ok(hit("chain-passed")?)
    }
}
