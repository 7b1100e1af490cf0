//! What a task says of its epochs, to whoever makes checkpoints of it.

use std::sync::Arc;

use volley_api::{Epoch, EpochListener, TaskEvent, TaskId, TaskPart, TaskReport};

/// The voice of one task; silent in a job that takes no checkpoints.
#[derive(Debug, Clone)]
pub(crate) struct Reporter {
    listener: Option<Arc<dyn EpochListener>>,
    task: TaskId,
}

impl Reporter {
    pub(crate) fn new(listener: Option<Arc<dyn EpochListener>>, task: TaskId) -> Self {
        Self { listener, task }
    }

    /// Whether anybody listens.
    pub(crate) fn is_heard(&self) -> bool {
        self.listener.is_some()
    }

    /// A barrier has passed.
    pub(crate) fn passed(&self, epoch: Epoch, parts: Vec<TaskPart>) {
        self.report(TaskEvent::Passed(epoch), parts);
    }

    /// The task has done its work.
    pub(crate) fn finished(&self, parts: Vec<TaskPart>) {
        self.report(TaskEvent::Finished, parts);
    }

    fn report(&self, event: TaskEvent, parts: Vec<TaskPart>) {
        if let Some(listener) = &self.listener {
            listener.report(TaskReport { task: self.task, event, parts });
        }
    }
}
