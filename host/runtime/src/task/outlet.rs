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

/// One edge out of a chain's subtask.
pub(crate) struct Outlet {
    runtime: Handle,
    receivers: Receivers,
    next: usize,
}

/// The subtasks that an outlet feeds, in turn if there are several.
pub(crate) enum Receivers {
    Chain { inlet: usize, subtasks: Vec<Sender<Message>> },
    Sink(Vec<Sender<WriterMessage>>),
}

impl Outlet {
    pub(crate) fn new(runtime: Handle, receivers: Receivers) -> Self {
        Self { runtime, receivers, next: 0 }
    }

    /// Sends rows on. Sinks and other chains see compacted rows.
    pub(crate) fn send(&mut self, record: StreamRecord) -> Result<()> {
        let bytes = record.memory_bytes();
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
        sent.map_err(|_| cancelled())
    }

    /// Tells every receiver that this producer has no more.
    pub(crate) fn end(&self) -> Result<()> {
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
