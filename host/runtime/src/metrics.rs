//! Counters of a running job, and a snapshot of them for progress and reports.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use serde::{Deserialize, Serialize};
use volley_api::Watermark;

/// Counters of one node, shared by its subtasks.
#[derive(Debug)]
pub(crate) struct NodeMetrics {
    pub(crate) rows_in: AtomicU64,
    pub(crate) rows_out: AtomicU64,
    pub(crate) rows_rejected: AtomicU64,
    pub(crate) rows_late: AtomicU64,
    pub(crate) progress_units: AtomicU64,
    /// How far the event time of each subtask has come.
    watermarks_ms: Vec<AtomicI64>,
    /// Windows of each subtask that have rows and have put nothing out.
    windows_pending: Vec<AtomicU64>,
}

/// Stands for a watermark that has not come yet.
const NO_WATERMARK: i64 = i64::MIN;
/// Stands for the end of event time.
const END: i64 = i64::MAX;
/// Stands for a subtask that has not spoken of windows.
const NO_WINDOWS: u64 = u64::MAX;

impl NodeMetrics {
    pub(crate) fn new(subtasks: u32) -> Self {
        Self {
            rows_in: AtomicU64::new(0),
            rows_out: AtomicU64::new(0),
            rows_rejected: AtomicU64::new(0),
            rows_late: AtomicU64::new(0),
            progress_units: AtomicU64::new(0),
            watermarks_ms: (0..subtasks).map(|_| AtomicI64::new(NO_WATERMARK)).collect(),
            windows_pending: (0..subtasks).map(|_| AtomicU64::new(NO_WINDOWS)).collect(),
        }
    }

    pub(crate) fn set_watermark(&self, subtask: usize, watermark: Watermark) {
        let ms = match watermark {
            Watermark::AtMs(ms) => ms,
            Watermark::End => END,
        };
        if let Some(at) = self.watermarks_ms.get(subtask) {
            at.store(ms, Ordering::Relaxed);
        }
    }

    /// The watermark of the subtask that is furthest behind, of those that have not ended.
    pub(crate) fn watermark_ms(&self) -> Option<i64> {
        let open = self.watermarks_ms.iter().map(|at| at.load(Ordering::Relaxed)).filter(|at| *at != END);
        open.min().filter(|at| *at != NO_WATERMARK)
    }

    pub(crate) fn set_pending(&self, subtask: usize, windows: usize) {
        if let Some(pending) = self.windows_pending.get(subtask) {
            pending.store(windows as u64, Ordering::Relaxed);
        }
    }

    /// The sum over the subtasks that have spoken of windows; `None` when none has.
    pub(crate) fn windows_pending(&self) -> Option<u64> {
        let told = self.windows_pending.iter().map(|pending| pending.load(Ordering::Relaxed));
        told.filter(|pending| *pending != NO_WINDOWS).reduce(|sum, pending| sum + pending)
    }

    pub(crate) fn add(counter: &AtomicU64, amount: usize) {
        counter.fetch_add(amount as u64, Ordering::Relaxed);
    }
}

/// What a node is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum NodeRole {
    /// Rows come from it.
    Source,
    /// Rows pass through it.
    Operator,
    /// Rows go to it.
    Sink,
}

/// What a node has done so far.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct NodeProgress {
    /// The node's name.
    pub name: String,
    /// What it is for.
    pub role: NodeRole,
    /// Rows that came in (0 for a source).
    pub rows_in: u64,
    /// Rows that went out, over all declared ports (0 for a sink).
    pub rows_out: u64,
    /// Rows that it refused; for a source, records that it could not read.
    pub rows_rejected: u64,
    /// Rows that came after their window had gone; they are not among the rejected ones.
    pub rows_late: u64,
    /// Windows that have rows and have put nothing out yet, over all instances; `None` for nodes without windows, and
    /// before the first row or watermark. Where an instance keeps so many windows of time in memory at the most, it tells of no
    /// more.
    pub windows_pending: Option<u64>,
    /// How far event time has come, in milliseconds since the Unix epoch, in the instance that is furthest behind; `None`
    /// without event time, before the first watermark, and after the end.
    pub watermark_ms: Option<i64>,
    /// How full the channel before the node is, from 0 to 1, in the fullest of its instances; `None` for nodes that are
    /// called directly.
    pub queue_fill: Option<f64>,
    /// How far a source has read, in the unit of its splits; 0 for other nodes.
    pub progress_units: u64,
    /// How much a source has to read in all, where that is known.
    pub size_units: Option<u64>,
    /// Whether a sink is read from an `errors` port only.
    pub dead_letters: bool,
}

/// What a job has done so far, node by node in stream order.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct JobProgress {
    /// The nodes.
    pub nodes: Vec<NodeProgress>,
}

impl JobProgress {
    /// Rows read from all sources, without records that could not be read.
    #[must_use]
    pub fn rows_read(&self) -> u64 {
        self.sum(NodeRole::Source, |node| node.rows_out)
    }

    /// Rows written to all sinks but those that hold refused rows.
    #[must_use]
    pub fn rows_written(&self) -> u64 {
        self.sum(NodeRole::Sink, |node| if node.dead_letters { 0 } else { node.rows_in })
    }

    /// Rows refused anywhere, and records that could not be read.
    #[must_use]
    pub fn rows_rejected(&self) -> u64 {
        self.nodes.iter().map(|node| node.rows_rejected).sum()
    }

    /// Rows that came after their windows had gone.
    #[must_use]
    pub fn rows_late(&self) -> u64 {
        self.nodes.iter().map(|node| node.rows_late).sum()
    }

    /// Windows that have rows and have put nothing out yet.
    #[must_use]
    pub fn windows_pending(&self) -> u64 {
        self.nodes.iter().filter_map(|node| node.windows_pending).sum()
    }

    /// How much of all sources has been read, from 0 to 1; `None` when a source does not know its size.
    #[must_use]
    pub fn fraction_read(&self) -> Option<f64> {
        let sources = || self.nodes.iter().filter(|node| node.role == NodeRole::Source);
        let size: u64 = sources().map(|node| node.size_units).sum::<Option<u64>>()?;
        let done: u64 = sources().map(|node| node.progress_units).sum();
        #[expect(clippy::cast_precision_loss, reason = "a share for a progress bar")]
        let fraction = if size == 0 { 1.0 } else { (done as f64 / size as f64).min(1.0) };
        Some(fraction)
    }

    fn sum(&self, role: NodeRole, count: fn(&NodeProgress) -> u64) -> u64 {
        self.nodes.iter().filter(|node| node.role == role).map(count).sum()
    }
}
