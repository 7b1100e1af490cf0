//! What the tasks of a job talk to: their reports queue up for the coordinator.

use tokio::sync::mpsc;
use volley_api::{EpochListener, TaskReport};

use super::ask::Asked;

/// What a coordinator hears.
#[derive(Debug)]
pub(super) enum Heard {
    Started(u32),
    Report(TaskReport),
    Asked(Asked),
}

/// Takes the reports of all tasks. There are as many at once as tasks times epochs in flight, of which there is one.
#[derive(Debug)]
pub struct Listener(mpsc::UnboundedSender<Heard>);

impl Listener {
    pub(super) fn new(say: mpsc::UnboundedSender<Heard>) -> Self {
        Self(say)
    }

    fn say(&self, heard: Heard) {
        // A coordinator that has gone wants to hear nothing more: the job is over.
        drop(self.0.send(heard));
    }
}

impl EpochListener for Listener {
    fn started(&self, tasks: u32) {
        self.say(Heard::Started(tasks));
    }

    fn report(&self, report: TaskReport) {
        self.say(Heard::Report(report));
    }
}
