//! What tasks have reported and no epoch has stored yet.

use std::collections::BTreeMap;

use volley_api::{Committable, Epoch, Error, Result, TaskEvent, TaskId, TaskPart, TaskReport};

use crate::protocol::Fact;
use crate::store::TakenParts;

/// Reports by epoch, and what finished tasks left, which belongs to every later epoch too.
#[derive(Debug, Default)]
pub(super) struct Parts {
    passed: BTreeMap<Epoch, BTreeMap<TaskId, Vec<TaskPart>>>,
    finished: BTreeMap<TaskId, Left>,
    /// Reports of epochs up to this one are nobody's any more.
    abandoned: Option<Epoch>,
}

/// What a finished task left.
#[derive(Debug)]
enum Left {
    /// Splits, times, output: nothing that has a file.
    Fresh(Vec<TaskPart>),
    Stored(TakenParts),
}

/// What is stored of an epoch.
#[derive(Debug, Default)]
pub(super) struct OfEpoch {
    pub(super) passed: Vec<Vec<TaskPart>>,
    pub(super) finished: Vec<(TaskId, Vec<TaskPart>)>,
    pub(super) carried: Vec<TakenParts>,
}

impl Parts {
    /// Keeps the parts of a report, and gives the fact that it is.
    pub(super) fn take(&mut self, TaskReport { task, event, parts }: TaskReport) -> Result<Fact> {
        let output: Vec<Committable> = parts.iter().filter_map(output).cloned().collect();
        match event {
            TaskEvent::Passed(epoch) => {
                if self.abandoned.is_none_or(|abandoned| abandoned < epoch) {
                    self.passed.entry(epoch).or_default().insert(task, parts);
                }
                Ok(Fact::TaskPassed { task, epoch, output })
            }
            TaskEvent::Finished => {
                if copies(&parts).len() < parts.len() {
                    return Err(Error::internal(format!("task {} left keyed state behind at its end", task.0)));
                }
                self.finished.insert(task, Left::Fresh(parts));
                Ok(Fact::TaskFinished { task, output })
            }
        }
    }

    /// What makes up an epoch. Snapshots are given away.
    pub(super) fn of(&mut self, epoch: Epoch) -> OfEpoch {
        let passed = self.passed.remove(&epoch).unwrap_or_default();
        let mut of = OfEpoch::default();
        // What a task leaves at its end is of no epoch that it passed before.
        for (task, left) in self.finished.iter().filter(|(task, _)| !passed.contains_key(task)) {
            match left {
                Left::Fresh(parts) => of.finished.push((*task, copies(parts))),
                Left::Stored(parts) => of.carried.push(parts.clone()),
            }
        }
        of.passed = passed.into_values().collect();
        of
    }

    /// What finished tasks left is in the store now.
    pub(super) fn stored(&mut self, finished: Vec<(TaskId, TakenParts)>) {
        self.finished.extend(finished.into_iter().map(|(task, parts)| (task, Left::Stored(parts))));
    }

    /// Nobody stores this epoch, nor those before it.
    pub(super) fn abandon(&mut self, epoch: Epoch) {
        self.abandoned = self.abandoned.max(Some(epoch));
        self.passed.retain(|passed, _| *passed > epoch);
    }
}

fn output(part: &TaskPart) -> Option<&Committable> {
    match part {
        TaskPart::Output(committable) => Some(committable),
        _ => None,
    }
}

/// Those parts that are values, and no snapshots.
fn copies(parts: &[TaskPart]) -> Vec<TaskPart> {
    let copy = |part: &TaskPart| match part {
        TaskPart::Split { source, split, position } => {
            Some(TaskPart::Split { source: source.clone(), split: split.clone(), position: position.clone() })
        }
        TaskPart::SplitTime { source, split, reached_ms } => {
            Some(TaskPart::SplitTime { source: source.clone(), split: split.clone(), reached_ms: *reached_ms })
        }
        TaskPart::Watermark { node, subtask, watermark } => {
            Some(TaskPart::Watermark { node: node.clone(), subtask: *subtask, watermark: *watermark })
        }
        TaskPart::Output(committable) => Some(TaskPart::Output(committable.clone())),
        TaskPart::Keyed(_) => None,
    };
    parts.iter().filter_map(copy).collect()
}
