//! What checkpoints are made of: what tasks report of an epoch, and the state of a job that a checkpoint gives back.
//!
//! The runtime knows how to cut a stream into epochs and how to begin from a [`JobState`]; what makes a durable checkpoint
//! of the reports, and decides when output is committed, stands behind [`EpochListener`] (design §6).

use std::collections::BTreeMap;
use std::fmt::{self, Debug};
use std::sync::Arc;

use crate::{
    Committable, Epoch, KeyGroupRange, NodeName, SplitId, SplitOffset, StatePart, StateSnapshot, SubtaskId, Watermark,
};

/// One of the tasks of a running job, counted from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TaskId(pub u32);

/// Learns how the epochs of a job go. Called from many threads; must not block.
pub trait EpochListener: Send + Sync + Debug {
    /// The job has that many tasks. Called once, before any of them runs.
    fn started(&self, tasks: u32);

    /// What a task has to say. A task reports each epoch whose barrier reaches it, in order, and at its end that it has
    /// finished: it says nothing more then. Barriers that it has not reported by then do not reach it.
    fn report(&self, report: TaskReport);
}

/// Steers a running job. Implemented by the runtime.
pub trait JobSteering: Send + Sync + Debug {
    /// Sends the barrier that ends an epoch from every source through the whole job. Epochs must ascend.
    fn barrier(&self, epoch: Epoch);

    /// Whether sources are to read nothing for now. Barriers still pass.
    fn pause(&self, paused: bool);

    /// Lets sources end, paused or not, as if there were nothing more to read.
    fn end(&self);
}

/// What a task says.
#[derive(Debug)]
pub struct TaskReport {
    /// Which task.
    pub task: TaskId,
    /// What has happened.
    pub event: TaskEvent,
    /// What it was at the time; all that there is of it.
    pub parts: Vec<TaskPart>,
}

/// What happens to a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TaskEvent {
    /// The barrier of that epoch has passed through it.
    Passed(Epoch),
    /// It has done its work. What it leaves belongs to the first epoch that it has not passed.
    Finished,
}

/// A part of what a checkpoint keeps.
pub enum TaskPart {
    /// How far a split was read.
    Split {
        /// The source.
        source: NodeName,
        /// The split.
        split: SplitId,
        /// How far.
        position: SplitPosition,
    },
    /// The latest event time seen in a split, in milliseconds, as far as one subtask has seen it.
    SplitTime {
        /// The source.
        source: NodeName,
        /// The split.
        split: SplitId,
        /// What the split's rows allow as a watermark.
        reached_ms: i64,
    },
    /// How far event time had come for an operator's instance.
    Watermark {
        /// The operator.
        node: NodeName,
        /// The instance.
        subtask: SubtaskId,
        /// What it had been told.
        watermark: Watermark,
    },
    /// State of an operator's instance.
    Keyed(KeyedSnapshot),
    /// What a sink's writer has prepared.
    Output(Committable),
}

impl Debug for TaskPart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Split { source, split, .. } => write!(f, "split {split} of {source}"),
            Self::SplitTime { source, split, reached_ms } => write!(f, "split {split} of {source} at {reached_ms} ms"),
            Self::Watermark { node, subtask, watermark } => write!(f, "{node} ({}) at {watermark:?}", subtask.index),
            Self::Keyed(snapshot) => Debug::fmt(snapshot, f),
            Self::Output(committable) => Debug::fmt(committable, f),
        }
    }
}

/// How far a split was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SplitPosition {
    /// To here.
    At(SplitOffset),
    /// To its end.
    Ended,
}

/// One state of one operator instance at a barrier.
pub struct KeyedSnapshot {
    /// The operator.
    pub node: NodeName,
    /// The name of the state among those of the operator.
    pub name: &'static str,
    /// The instance.
    pub subtask: SubtaskId,
    /// The key groups of the instance.
    pub key_groups: KeyGroupRange,
    /// How keys and values are laid out.
    pub layout: Arc<str>,
    /// The format of the files.
    pub format: &'static str,
    /// What it was.
    pub snapshot: Box<dyn StateSnapshot>,
}

impl Debug for KeyedSnapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "state `{}` of {} ({})", self.name, self.node, self.subtask.index)
    }
}

/// Everything that a job goes on from.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct JobState {
    /// Splits that were begun, by source. Others begin at their beginning.
    pub splits: BTreeMap<NodeName, BTreeMap<SplitId, SplitState>>,
    /// Operators that had anything to keep.
    pub operators: BTreeMap<NodeName, OperatorState>,
}

/// A split as a checkpoint has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SplitState {
    /// How far it was read.
    pub position: SplitPosition,
    /// The latest event time seen in it, as a watermark in milliseconds.
    pub reached_ms: Option<i64>,
}

/// An operator as a checkpoint has it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct OperatorState {
    /// How far event time had come in all its instances.
    pub watermark: Option<Watermark>,
    /// Its states by name, each with the parts of all instances.
    pub keyed: BTreeMap<String, Vec<StatePart>>,
}
