//! How far the tasks of the job have come: which epochs they have passed, and which have finished.

use volley_api::{Epoch, TaskId};

use super::Failure;

/// How far one task has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
struct Reached {
    passed: Option<Epoch>,
    has_finished: bool,
}

impl Reached {
    fn has_passed(self, epoch: Epoch) -> bool {
        self.passed.is_some_and(|passed| passed >= epoch)
    }
}

/// The tasks of the job; none before they are known.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub(super) struct Tasks(Option<Vec<Reached>>);

impl Tasks {
    /// Takes their number.
    pub(super) fn known(&mut self, tasks: u32) -> Result<(), Failure> {
        if let Some(before) = &self.0 {
            let problem = format!("the job's tasks were counted twice: {} and {tasks}", before.len());
            return Err(Failure::BrokenReport { task: TaskId(0), problem });
        }
        self.0 = Some((0..tasks).map(|_| Reached::default()).collect());
        Ok(())
    }

    pub(super) fn are_known(&self) -> bool {
        self.0.is_some()
    }

    /// Takes a report that a barrier has passed; `begun` is the newest whose barrier was injected.
    pub(super) fn passed(&mut self, task: TaskId, epoch: Epoch, begun: Option<Epoch>) -> Result<(), Failure> {
        let reached = self.running(task)?;
        let problem = match (reached.passed, begun) {
            (Some(passed), _) if passed >= epoch => format!("it reports epoch {epoch} after epoch {passed}"),
            (_, Some(begun)) if epoch <= begun => {
                reached.passed = Some(epoch);
                return Ok(());
            }
            _ => format!("it reports epoch {epoch}, whose barrier was not injected by this run"),
        };
        Err(Failure::BrokenReport { task, problem })
    }

    /// Takes a report that a task has finished. Gives the lowest epoch that what it leaves may belong to.
    pub(super) fn finished(&mut self, task: TaskId) -> Result<Epoch, Failure> {
        let reached = self.running(task)?;
        reached.has_finished = true;
        Ok(reached.passed.map_or(Epoch(0), |passed| Epoch(passed.0.saturating_add(1))))
    }

    fn running(&mut self, task: TaskId) -> Result<&mut Reached, Failure> {
        let tasks = self.0.as_deref_mut().unwrap_or_default();
        let (count, broken) = (tasks.len(), |problem| Err(Failure::BrokenReport { task, problem }));
        match tasks.get_mut(task.0 as usize) {
            Some(reached) if reached.has_finished => broken("it reports after it has finished".to_owned()),
            Some(reached) => Ok(reached),
            None => broken(format!("it reports, but the job has {count} tasks, counted from 0")),
        }
    }

    /// Those that have neither passed the epoch nor finished.
    pub(super) fn missing(&self, epoch: Epoch) -> impl Iterator<Item = TaskId> {
        let tasks = self.0.as_deref().unwrap_or_default();
        let missing = tasks.iter().zip(0..).filter(move |(task, _)| !task.has_finished && !task.has_passed(epoch));
        missing.map(|(_, index)| TaskId(index))
    }

    pub(super) fn have_all_finished(&self) -> bool {
        self.0.as_ref().is_some_and(|tasks| tasks.iter().all(|task| task.has_finished))
    }

    /// Whether nothing comes after this epoch: all tasks have finished, and what they left belongs to it. What a task
    /// leaves that had passed it belongs to the next.
    pub(super) fn end_with(&self, epoch: Epoch) -> bool {
        self.0.as_ref().is_some_and(|tasks| tasks.iter().all(|task| task.has_finished && !task.has_passed(epoch)))
    }
}
