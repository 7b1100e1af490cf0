//! Where rows leave a chain's thread: to the subtasks of another chain, or to the writers of a sink.

use arrow::array::RecordBatch;
use volley_api::{CheckpointBarrier, Error, Result, StreamRecord, memory_bytes};

use super::combining::{Combining, Dealt};
use super::{Message, cancelled};
use crate::channel::{Closed, Sender};
use crate::partition::Partitioner;
use crate::time::Control;

/// What travels to a sink's writer.
pub(crate) enum WriterMessage {
    /// Compacted rows.
    Rows(RecordBatch),
    /// An epoch ends.
    Barrier(CheckpointBarrier),
    /// One of the writer's producers has no more.
    End,
}

/// Rows are held back for others of the same input up to this many bytes; a receiver's bound on bytes sees them when they
/// are sent.
const HELD_BYTES_MAX: usize = 1 << 20;
/// And up to this many records.
const HELD_RECORDS_MAX: usize = 8;

/// One edge out of a chain's subtask.
///
/// What the chain makes of the messages that it has at hand is sent together, so that the receiver's thread is woken once
/// for all of it: a wake costs as much as filtering a batch of thousands of rows.
pub(crate) struct Outlet {
    receivers: Receivers,
    routing: Routing,
    /// Compacted rows, each with its bytes and the receiver that it is for.
    held: Vec<(StreamRecord, usize, usize)>,
    held_bytes: usize,
    /// What takes rows before they are dealt out by key, where that may pay.
    combining: Option<Combining>,
}

/// The subtasks that an outlet feeds.
pub(crate) enum Receivers {
    Chain(Vec<Sender<Message>>),
    Sink(Vec<Sender<WriterMessage>>),
}

/// Which of them a row goes to.
pub(crate) enum Routing {
    /// Records in turn.
    Turn(usize),
    /// Each row by its key.
    Key(Box<Partitioner>),
}

impl Receivers {
    fn len(&self) -> usize {
        match self {
            Self::Chain(subtasks) => subtasks.len(),
            Self::Sink(writers) => writers.len(),
        }
    }
}

impl Outlet {
    pub(crate) fn new(receivers: Receivers, routing: Routing, combining: Option<Combining>) -> Self {
        Self { receivers, routing, held: Vec::new(), held_bytes: 0, combining }
    }

    /// Takes rows to be sent on, compacted as sinks and other chains want them: at the next [`Outlet::flush`], or at once
    /// when too much is held.
    pub(crate) fn send(&mut self, record: StreamRecord) -> Result<()> {
        let Some(combining) = &mut self.combining else { return self.route(record) };
        let (rows, combined) = combining.take(record)?;
        self.send_both(rows, combined)
    }

    fn send_both(&mut self, rows: Vec<StreamRecord>, combined: Dealt) -> Result<()> {
        self.send_combined(combined)?;
        rows.into_iter().try_for_each(|rows| self.route(rows))
    }

    fn send_combined(&mut self, combined: Dealt) -> Result<()> {
        let Receivers::Chain(subtasks) = &self.receivers else {
            return Err(Error::internal("rows were combined in front of a sink"));
        };
        for (combined, receiver) in combined {
            let bytes = memory_bytes(&combined.batch);
            subtasks[receiver].send_blocking(Message::Combined(combined), bytes).map_err(|Closed| cancelled())?;
        }
        Ok(())
    }

    fn route(&mut self, record: StreamRecord) -> Result<()> {
        let receivers = self.receivers.len();
        match &mut self.routing {
            Routing::Turn(next) => {
                let gather = |error| Error::internal("rows cannot be gathered").caused_by(error);
                let record = record.compact().map_err(gather)?;
                let turn = *next % receivers;
                *next = next.wrapping_add(1);
                self.hold(record, turn)
            }
            Routing::Key(partitioner) => {
                for (part, receiver) in partitioner.partition(record)? {
                    self.hold(part, receiver)?;
                }
                Ok(())
            }
        }
    }

    fn hold(&mut self, record: StreamRecord, receiver: usize) -> Result<()> {
        let bytes = record.memory_bytes();
        self.held.push((record, bytes, receiver));
        self.held_bytes += bytes;
        if self.held.len() >= HELD_RECORDS_MAX * self.receivers.len() || self.held_bytes >= HELD_BYTES_MAX {
            self.flush()?;
        }
        Ok(())
    }

    /// Sends what is held.
    pub(crate) fn flush(&mut self) -> Result<()> {
        self.held_bytes = 0;
        for (record, bytes, receiver) in self.held.drain(..) {
            let sent = match &self.receivers {
                Receivers::Chain(subtasks) => subtasks[receiver].send_blocking(Message::Record(record), bytes),
                Receivers::Sink(writers) => writers[receiver].send_blocking(WriterMessage::Rows(record.batch), bytes),
            };
            sent.map_err(|Closed| cancelled())?;
        }
        Ok(())
    }

    /// Sends what is held, and a control element to every receiver. Writers of sinks learn of barriers alone.
    pub(crate) fn control(&mut self, control: Control) -> Result<()> {
        if let Some(combining) = &mut self.combining {
            let (rows, combined) = combining.before(control)?;
            self.send_both(rows, combined)?;
        }
        self.flush()?;
        match (&self.receivers, control) {
            (Receivers::Chain(subtasks), _) => to_all(subtasks, || Message::Control(control)),
            (Receivers::Sink(writers), Control::Barrier(barrier)) => {
                to_all(writers, || WriterMessage::Barrier(barrier))
            }
            (Receivers::Sink(_), Control::Watermark(_) | Control::Idle | Control::Active) => Ok(()),
        }
    }

    /// Sends what is held, and tells every receiver that this producer has no more.
    pub(crate) fn end(&mut self) -> Result<()> {
        if let Some(combining) = &mut self.combining {
            let (rows, combined) = combining.rest()?;
            self.send_both(rows, combined)?;
        }
        self.flush()?;
        match &self.receivers {
            Receivers::Chain(subtasks) => to_all(subtasks, || Message::End),
            Receivers::Sink(writers) => to_all(writers, || WriterMessage::End),
        }
    }
}

fn to_all<T>(receivers: &[Sender<T>], make: impl Fn() -> T) -> Result<()> {
    receivers.iter().try_for_each(|receiver| receiver.send_blocking(make(), 0)).map_err(|Closed| cancelled())
}
