//! The simulated tasks: each reads rows and writes them to sinks, and passes barriers when it gets to them.

use std::collections::VecDeque;

use volley_api::{Committable, Epoch};

use super::outside::{Row, staged};

/// How large the job is.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Size {
    pub(super) tasks: u8,
    /// Rows of each task.
    pub(super) rows: u8,
    pub(super) sinks: usize,
}

impl Size {
    /// The rows of a sink when the tasks have read that far.
    pub(super) fn rows_of(&self, sink: usize, positions: &[u8]) -> Vec<Row> {
        let rows = (0_u8..).zip(positions).flat_map(|(task, read)| (0..*read).map(move |row| (task, row)));
        rows.filter(|(_, row)| usize::from(*row) % self.sinks == sink).collect()
    }
}

/// A task.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Task {
    pub(super) read: u8,
    /// Rows up to here are staged or committed.
    prepared: u8,
    /// The first epoch that it has not passed.
    pub(super) next: Epoch,
    /// Barriers on their way to it.
    pub(super) barriers: VecDeque<Epoch>,
    pub(super) has_finished: bool,
}

impl Task {
    /// A task that goes on from a row.
    pub(super) fn at(read: u8, next: Epoch) -> Self {
        Self { read, prepared: read, next, barriers: VecDeque::new(), has_finished: false }
    }

    /// Stages what it has read.
    pub(super) fn prepare(&mut self, task: u8, epoch: Epoch, incarnation: u64, size: &Size) -> Vec<Committable> {
        let rows = std::mem::replace(&mut self.prepared, self.read)..self.read;
        let of = |sink| -> Vec<Row> {
            rows.clone().filter(|row| usize::from(*row) % size.sinks == sink).map(|row| (task, row)).collect()
        };
        let by_sink = (0..size.sinks).map(|sink| (sink, of(sink))).filter(|(_, rows)| !rows.is_empty());
        by_sink.map(|(sink, rows)| staged(incarnation, sink, task.into(), epoch, &rows)).collect()
    }
}
