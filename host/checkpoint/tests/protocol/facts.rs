//! Facts and decisions in a word each.

use bytes::Bytes;
use volley_api::{CommitStatus, Committable, Epoch, JobRun, NodeName, TaskId};
use volley_checkpoint::protocol::{
    CommitAnswer, CommittableId, Decision, EpochFailure, Fact, Found, LookUpAnswer, ManifestOrder, Protocol, Settings,
};

pub(crate) const INTERVAL_MS: u64 = 1_000;

pub(crate) fn settings() -> Settings {
    Settings { retry_pause_ms: 10, ..Settings::every(INTERVAL_MS) }
}

/// A protocol of that many tasks, at time 0.
pub(crate) fn started(settings: Settings, tasks: u32) -> Protocol {
    let mut protocol = Protocol::new(settings, &Found::nothing()).unwrap();
    assert_eq!(protocol.step(0, Fact::TasksKnown { tasks }), []);
    protocol
}

pub(crate) fn output(task: u32, epoch: u64) -> Committable {
    let (run, sink) = (JobRun { job: "job".into(), incarnation: 1 }, NodeName::new("sink").unwrap());
    Committable { run, sink, subtask: task, epoch: Epoch(epoch), token: Bytes::from_static(b"token") }
}

pub(crate) fn id(task: u32, epoch: u64) -> CommittableId {
    CommittableId::of(&output(task, epoch))
}

pub(crate) fn passed(task: u32, epoch: u64) -> Fact {
    Fact::TaskPassed { task: TaskId(task), epoch: Epoch(epoch), output: vec![output(task, epoch)] }
}

pub(crate) fn finished(task: u32, output: Vec<Committable>) -> Fact {
    Fact::TaskFinished { task: TaskId(task), output }
}

pub(crate) fn durable(epoch: u64) -> Fact {
    Fact::DataDurable { epoch: Epoch(epoch) }
}

pub(crate) fn not_stored(epoch: u64, is_retryable: bool) -> Fact {
    Fact::DataNotStored { epoch: Epoch(epoch), why: "no space".to_owned(), is_retryable }
}

pub(crate) fn written(epoch: u64) -> Fact {
    Fact::ManifestComplete { epoch: Epoch(epoch) }
}

pub(crate) fn committed(task: u32, epoch: u64) -> Fact {
    Fact::CommitAnswered { id: id(task, epoch), answer: CommitAnswer::Committed }
}

pub(crate) fn lost(task: u32, epoch: u64) -> Fact {
    Fact::CommitAnswered { id: id(task, epoch), answer: CommitAnswer::Lost { why: "reset".to_owned() } }
}

pub(crate) fn looked_up(task: u32, epoch: u64, status: CommitStatus) -> Fact {
    Fact::LookUpAnswered { id: id(task, epoch), answer: LookUpAnswer::Status(status) }
}

pub(crate) fn inject(epoch: u64) -> Decision {
    Decision::InjectBarrier { epoch: Epoch(epoch) }
}

pub(crate) fn store(epoch: u64) -> Decision {
    Decision::StoreParts { epoch: Epoch(epoch) }
}

pub(crate) fn manifest(epoch: u64, pending: &[Committable], is_final: bool) -> Decision {
    let epoch = Epoch(epoch);
    Decision::WriteManifest(ManifestOrder { epoch, pending: pending.to_vec(), is_final, is_savepoint: false })
}

pub(crate) fn complete(epoch: u64, is_final: bool) -> Decision {
    Decision::Completed { epoch: Epoch(epoch), is_final, is_savepoint: false }
}

pub(crate) fn abandoned_since_not_stored(epoch: u64) -> Decision {
    Decision::Abandon { epoch: Epoch(epoch), why: EpochFailure::NotStored("no space".to_owned()) }
}
