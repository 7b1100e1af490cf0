//! Where rows leave a chain's thread: to the inlets of another chain's subtasks, or to the writers of a sink.

use arrow::array::RecordBatch;
use tokio::runtime::Handle;
use volley_api::{Result, StreamRecord};

use super::{Message, Payload, cancelled};
use crate::channel::Sender;

/// What travels to a sink's writer.
pub(crate) enum WriterMessage {
    /// Compacted rows.
    Rows(RecordBatch),
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
    runtime: Handle,
    receivers: Receivers,
    next: usize,
    /// Compacted rows, with their bytes.
    held: Vec<(StreamRecord, usize)>,
    held_bytes: usize,
}

/// The subtasks that an outlet feeds, in turn if there are several.
pub(crate) enum Receivers {
    Chain { inlet: usize, subtasks: Vec<Sender<Message>> },
    Sink(Vec<Sender<WriterMessage>>),
}

impl Outlet {
    pub(crate) fn new(runtime: Handle, receivers: Receivers) -> Self {
        Self { runtime, receivers, next: 0, held: Vec::new(), held_bytes: 0 }
    }

    /// Takes rows to be sent on, compacted as sinks and other chains want them: at the next [`Outlet::flush`], or at once
    /// when too much is held.
    pub(crate) fn send(&mut self, record: StreamRecord) -> Result<()> {
        let bytes = record.memory_bytes();
        self.held.push((record, bytes));
        self.held_bytes += bytes;
        if self.held.len() >= HELD_RECORDS_MAX || self.held_bytes >= HELD_BYTES_MAX {
            self.flush()?;
        }
        Ok(())
    }

    /// Sends what is held.
    pub(crate) fn flush(&mut self) -> Result<()> {
        self.held_bytes = 0;
        for (record, bytes) in self.held.drain(..) {
            let turn = self.next;
            self.next = self.next.wrapping_add(1);
            let sent = match &self.receivers {
                Receivers::Chain { inlet, subtasks } => {
                    let message = Message { inlet: *inlet, payload: Payload::Record(record) };
                    subtasks[turn % subtasks.len()].send_blocking(&self.runtime, message, bytes)
                }
                Receivers::Sink(writers) => {
                    let message = WriterMessage::Rows(record.batch);
                    writers[turn % writers.len()].send_blocking(&self.runtime, message, bytes)
                }
            };
            sent.map_err(|_| cancelled())?;
        }
        Ok(())
    }

    /// Sends what is held, and tells every receiver that this producer has no more.
    pub(crate) fn end(&mut self) -> Result<()> {
        self.flush()?;
        let sent = match &self.receivers {
            Receivers::Chain { inlet, subtasks } => subtasks.iter().try_for_each(|subtask| {
                subtask.send_blocking(&self.runtime, Message { inlet: *inlet, payload: Payload::End }, 0)
            }),
            Receivers::Sink(writers) => {
                writers.iter().try_for_each(|writer| writer.send_blocking(&self.runtime, WriterMessage::End, 0))
            }
        };
        sent.map_err(|_| cancelled())
    }
}
