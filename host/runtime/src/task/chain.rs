//! A chain's thread: takes messages from its channel and drives its slots until every inlet has ended.

use std::time::{Duration, Instant};

use tokio::runtime::Handle;

use super::outlet::Outlet;
use super::slot::{Downstream, Slot};
use super::{Message, Payload, Stopped};
use crate::channel::{Received, Receiver};

/// A way into the chain: a source, or an edge from another chain.
pub(crate) struct Inlet {
    /// The slot that it leads to.
    pub(crate) slot: usize,
    /// How many producers have not ended yet.
    pub(crate) producers: usize,
}

/// One subtask of a chain.
pub(crate) struct ChainTask {
    pub(crate) slots: Vec<Slot>,
    pub(crate) inlets: Vec<Inlet>,
    pub(crate) outlets: Vec<Outlet>,
    pub(crate) receiver: Receiver<Message>,
    pub(crate) runtime: Handle,
    /// How long rows may wait in a coalescer for others.
    pub(crate) linger: Duration,
}

impl ChainTask {
    /// Runs to the end of the input.
    pub(crate) fn run(mut self) -> Result<(), Stopped> {
        let mut open: usize = self.inlets.iter().map(|inlet| inlet.producers).sum();
        // Since when rows have been held back: others that keep coming must not keep them for ever.
        let mut held_since: Option<Instant> = None;
        while open > 0 {
            let patience = held_since.map(|since| self.linger.saturating_sub(since.elapsed()));
            match self.receiver.recv_blocking(&self.runtime, patience) {
                Received::Item(message) => open -= usize::from(self.take(message)?),
                Received::TimedOut => self.flush()?,
                Received::Closed => return Err(Stopped::Cancelled),
            }
            if held_since.is_some_and(|since| since.elapsed() >= self.linger) {
                self.flush()?;
            }
            if !self.receiver.has_taken() {
                self.outlets.iter_mut().try_for_each(Outlet::flush)?;
            }
            held_since = if self.holds_rows_back() { held_since.or_else(|| Some(Instant::now())) } else { None };
        }
        // Slots stand in stream order, so what one puts out at its end still reaches those behind it.
        for index in 0..self.slots.len() {
            Downstream::all(&mut self.slots, &mut self.outlets).finish(index)?;
        }
        self.outlets.iter_mut().try_for_each(Outlet::end)?;
        Ok(())
    }

    /// Takes in one message; true when it ended one producer.
    fn take(&mut self, message: Message) -> Result<bool, Stopped> {
        let inlet = &mut self.inlets[message.inlet];
        let mut all = Downstream::all(&mut self.slots, &mut self.outlets);
        match message.payload {
            Payload::Polled(polled) => all.polled(inlet.slot, polled)?,
            Payload::Record(record) => all.push(inlet.slot, record)?,
            Payload::End => {
                inlet.producers -= 1;
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn holds_rows_back(&self) -> bool {
        self.slots.iter().any(|slot| slot.coalescer.as_ref().is_some_and(|coalescer| !coalescer.is_empty()))
    }

    fn flush(&mut self) -> Result<(), Stopped> {
        for index in 0..self.slots.len() {
            Downstream::all(&mut self.slots, &mut self.outlets).flush(index)?;
        }
        Ok(())
    }
}
