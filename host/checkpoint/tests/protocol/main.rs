//! The epoch protocol in single scenarios, by its public face: what it decides, fact by fact.
#![allow(clippy::unwrap_used, reason = "a panic is how a test reports, in its helpers too")]

mod facts;

use std::collections::BTreeSet;

use volley_api::{CommitStatus, Epoch, ErrorKind, TaskId};
use volley_checkpoint::protocol::{
    CommitAnswer, Decision, End, EpochFailure, Fact, Failure, Found, LookUpAnswer, Protocol, Restored, Settings,
    StartError,
};

use facts::*;

/// Takes a job of one task through an epoch without output.
fn empty_epoch(protocol: &mut Protocol, at_ms: u64, epoch: u64) -> Vec<Decision> {
    assert_eq!(protocol.step(at_ms, Fact::TimePassed), [inject(epoch)]);
    let fact = Fact::TaskPassed { task: TaskId(0), epoch: Epoch(epoch), output: Vec::new() };
    assert_eq!(protocol.step(at_ms, fact), [store(epoch)]);
    assert_eq!(protocol.step(at_ms, durable(epoch)), [manifest(epoch, &[], false)]);
    protocol.step(at_ms, written(epoch))
}

#[test]
fn an_epoch_goes_from_barrier_to_commit() {
    let mut protocol = started(settings(), 2);
    assert_eq!(protocol.wake_at_ms(), Some(INTERVAL_MS));
    assert_eq!(protocol.step(999, Fact::TimePassed), []);
    assert_eq!(protocol.step(1_000, Fact::TimePassed), [inject(1)]);
    assert_eq!(protocol.step(1_001, passed(1, 1)), []);
    assert_eq!(protocol.step(1_002, passed(0, 1)), [store(1)]);
    let both = [output(0, 1), output(1, 1)];
    assert_eq!(protocol.step(1_003, durable(1)), [manifest(1, &both, false)]);
    let [first, second] = both;
    let commits = [complete(1, false), Decision::Commit(first), Decision::Commit(second)];
    assert_eq!(protocol.step(1_004, written(1)), commits);
    assert_eq!(protocol.waiting_epochs(), 1);
    assert_eq!(protocol.step(1_005, committed(0, 1)), []);
    assert_eq!(protocol.step(1_005, committed(1, 1)), []);
    assert_eq!((protocol.waiting_epochs(), protocol.wake_at_ms()), (0, Some(2_000)));
}

#[test]
fn what_a_task_leaves_after_a_barrier_belongs_to_the_next_epoch() {
    let mut protocol = started(settings(), 1);
    protocol.step(1_000, Fact::TimePassed);
    assert_eq!(protocol.step(1_000, passed(0, 1)), [store(1)]);
    assert_eq!(protocol.step(1_000, finished(0, vec![output(0, 2)])), []);
    // Not the final one, although all tasks have finished.
    assert_eq!(protocol.step(1_000, durable(1)), [manifest(1, &[output(0, 1)], false)]);
    let decisions = protocol.step(1_000, written(1));
    assert_eq!(decisions, [complete(1, false), Decision::Commit(output(0, 1)), store(2)]);
    assert_eq!(protocol.step(1_000, durable(2)), [manifest(2, &[output(0, 1), output(0, 2)], true)]);
    // The commit of 2 waits for that of 1.
    assert_eq!(protocol.step(1_000, written(2)), [complete(2, true)]);
    assert_eq!(protocol.step(1_000, committed(0, 1)), [Decision::Commit(output(0, 2))]);
    assert_eq!(protocol.step(1_000, committed(0, 2)), [Decision::Done(End::Finished)]);
    assert!(protocol.has_ended());
}

#[test]
fn output_of_an_abandoned_epoch_joins_the_next_also_when_it_comes_late() {
    let mut protocol = started(Settings { timeout_ms: 500, ..settings() }, 2);
    protocol.step(1_000, Fact::TimePassed);
    protocol.step(1_000, passed(0, 1));
    assert_eq!(protocol.wake_at_ms(), Some(1_500));
    let why = EpochFailure::NotPassed { timeout_ms: 500, waiting_for: vec![TaskId(1)] };
    assert_eq!(protocol.step(1_500, Fact::TimePassed), [Decision::Abandon { epoch: Epoch(1), why }]);
    assert_eq!(protocol.step(2_000, Fact::TimePassed), [inject(2)]);
    assert_eq!(protocol.step(2_001, passed(1, 1)), []);
    assert_eq!(protocol.step(2_002, passed(1, 2)), []);
    assert_eq!(protocol.step(2_003, passed(0, 2)), [store(2)]);
    let all = [output(0, 1), output(1, 1), output(0, 2), output(1, 2)];
    assert_eq!(protocol.step(2_004, durable(2)), [manifest(2, &all, false)]);
    let [first, second, ..] = all;
    // Nothing of epoch 1 is removed while its output waits.
    let commits = [complete(2, false), Decision::Commit(first), Decision::Commit(second)];
    assert_eq!(protocol.step(2_005, written(2)), commits);
    protocol.step(2_006, committed(0, 1));
    let decisions = protocol.step(2_007, committed(1, 1));
    let removal = Decision::Remove { epochs: vec![Epoch(1)] };
    assert_eq!(decisions, [Decision::Commit(output(0, 2)), Decision::Commit(output(1, 2)), removal]);
}

#[test]
fn a_manifest_that_may_be_there_is_ordered_again_as_it_was() {
    let mut protocol = started(settings(), 1);
    protocol.step(1_000, Fact::TimePassed);
    protocol.step(1_000, passed(0, 1));
    protocol.step(1_000, durable(1));
    protocol.step(1_000, written(1));
    protocol.step(2_000, Fact::TimePassed);
    protocol.step(2_000, passed(0, 2));
    let order = [manifest(2, &[output(0, 1), output(0, 2)], false)];
    assert_eq!(protocol.step(2_000, durable(2)), order);
    assert_eq!(protocol.step(2_000, Fact::ManifestUnknown { epoch: Epoch(2), why: "reset".to_owned() }), []);
    assert_eq!(protocol.step(2_001, committed(0, 1)), []);
    assert_eq!(protocol.wake_at_ms(), Some(2_010));
    assert_eq!(protocol.step(2_010, Fact::TimePassed), order);
}

#[test]
fn data_is_stored_again_in_the_epoch_if_that_may_help() {
    let mut protocol = started(settings(), 1);
    protocol.step(1_000, Fact::TimePassed);
    protocol.step(1_000, passed(0, 1));
    assert_eq!(protocol.step(1_000, not_stored(1, true)), []);
    assert_eq!(protocol.step(1_010, Fact::TimePassed), [store(1)]);
    assert_eq!(protocol.step(1_010, not_stored(1, true)), []);
    // Pauses double.
    assert_eq!(protocol.wake_at_ms(), Some(1_030));
    assert_eq!(protocol.step(1_030, Fact::TimePassed), [store(1)]);
    assert_eq!(protocol.step(1_030, not_stored(1, false)), [abandoned_since_not_stored(1)]);
}

#[test]
fn failures_in_a_row_fail_the_job_and_a_success_forgives_them() {
    let mut protocol = started(Settings { tolerable_failures: 1, ..settings() }, 1);
    let fail = |protocol: &mut Protocol, epoch: u64| {
        assert_eq!(protocol.step(epoch * 1_000, Fact::TimePassed), [inject(epoch)]);
        let fact = Fact::TaskPassed { task: TaskId(0), epoch: Epoch(epoch), output: Vec::new() };
        protocol.step(epoch * 1_000, fact);
        protocol.step(epoch * 1_000, not_stored(epoch, false))
    };
    assert_eq!(fail(&mut protocol, 1), [abandoned_since_not_stored(1)]);
    let removal = Decision::Remove { epochs: vec![Epoch(1)] };
    assert_eq!(empty_epoch(&mut protocol, 2_000, 2), [complete(2, false), removal]);
    assert_eq!(fail(&mut protocol, 3), [abandoned_since_not_stored(3)]);
    let decisions = fail(&mut protocol, 4);
    let [Decision::Abandon { .. }, Decision::Fail(failure)] = &decisions[..] else { panic!("{decisions:?}") };
    assert_eq!(
        failure.to_string(),
        "2 checkpoints in a row have failed, and `tolerable_failures` is 1; the last was epoch 4: its data could not be \
         stored: no space"
    );
    assert_eq!(protocol.step(9_000, Fact::TimePassed), []);
    assert_eq!(protocol.wake_at_ms(), None);
}

#[test]
fn sources_pause_while_too_many_epochs_wait() {
    let mut protocol = started(Settings { pending_epochs_max: 2, ..settings() }, 1);
    for epoch in [1, 2] {
        assert_eq!(protocol.step(epoch * 1_000, Fact::TimePassed), [inject(epoch)]);
        protocol.step(epoch * 1_000, passed(0, epoch));
        protocol.step(epoch * 1_000, durable(epoch));
        let decisions = protocol.step(epoch * 1_000, written(epoch));
        assert_eq!(decisions.contains(&Decision::PauseSources), epoch == 2);
    }
    assert_eq!(protocol.wake_at_ms(), None);
    assert_eq!(protocol.step(60_000, Fact::CheckpointAsked { is_savepoint: true }), []);
    let decisions = protocol.step(60_001, committed(0, 1));
    assert_eq!(decisions, [Decision::Commit(output(0, 2)), Decision::ResumeSources, inject(3)]);
}

#[test]
fn a_lost_answer_is_looked_up_until_it_is_known() {
    let mut protocol = started(Settings { commit_attempts_max: 2, ..settings() }, 1);
    protocol.step(1_000, Fact::TimePassed);
    protocol.step(1_000, passed(0, 1));
    protocol.step(1_000, durable(1));
    protocol.step(1_000, written(1));
    let look_up = [Decision::LookUp(output(0, 1))];
    assert_eq!(protocol.step(1_000, lost(0, 1)), look_up);
    assert_eq!(protocol.step(1_000, looked_up(0, 1, CommitStatus::Unknown)), []);
    assert_eq!(protocol.step(1_010, Fact::TimePassed), look_up);
    let failed = LookUpAnswer::Failed { why: "down".to_owned(), is_retryable: true };
    assert_eq!(protocol.step(1_010, Fact::LookUpAnswered { id: id(0, 1), answer: failed }), []);
    assert_eq!(protocol.step(1_029, Fact::TimePassed), []);
    assert_eq!(protocol.step(1_030, Fact::TimePassed), look_up);
    assert_eq!(protocol.step(1_030, looked_up(0, 1, CommitStatus::NotCommitted)), []);
    assert_eq!(protocol.step(1_040, Fact::TimePassed), [Decision::Commit(output(0, 1))]);
    assert_eq!(protocol.step(1_040, lost(0, 1)), look_up);
    let decisions = protocol.step(1_040, looked_up(0, 1, CommitStatus::NotCommitted));
    let why = "reset".to_owned();
    assert_eq!(decisions, [Decision::Fail(Failure::CommitNeverTook { id: id(0, 1), attempts: 2, why })]);
}

#[test]
fn a_refused_commit_fails_the_job_and_nothing_is_aborted() {
    let mut protocol = started(settings(), 1);
    protocol.step(1_000, Fact::TimePassed);
    protocol.step(1_000, passed(0, 1));
    protocol.step(1_000, durable(1));
    protocol.step(1_000, written(1));
    let answer = CommitAnswer::Refused { why: "the table is gone".to_owned() };
    let failure = Failure::CommitRefused { id: id(0, 1), why: "the table is gone".to_owned() };
    let error = volley_api::Error::from(failure.clone());
    assert_eq!(protocol.step(1_000, Fact::CommitAnswered { id: id(0, 1), answer }), [Decision::Fail(failure)]);
    assert_eq!(protocol.step(1_000, committed(0, 1)), []);
    assert_eq!(error.kind(), ErrorKind::External);
    assert_eq!(
        error.to_string(),
        "epoch 1 of sink `sink`, writer 0: the commit was refused: the table is gone; the output stays staged, and is \
         committed when the job is started again"
    );
}

/// A store with epochs 3 to 7, of which 7 is restored with output of 6 and 7, and 8 was never complete.
fn found(is_final: bool) -> Found {
    Found {
        next_epoch: Epoch(9),
        complete: (3..8).map(Epoch).collect(),
        savepoints: BTreeSet::from([Epoch(4)]),
        pinned: BTreeSet::from([Epoch(5)]),
        incomplete: BTreeSet::from([Epoch(8)]),
        restored: Some(Restored { epoch: Epoch(7), pending: vec![output(0, 6), output(0, 7)], is_final }),
    }
}

#[test]
fn what_was_restored_is_looked_up_first_and_stays_in_manifests() {
    let mut protocol = Protocol::new(settings(), &found(false)).unwrap();
    let look_ups = [Decision::LookUp(output(0, 6)), Decision::LookUp(output(0, 7))];
    assert_eq!(protocol.step(0, Fact::TasksKnown { tasks: 1 }), look_ups);
    assert_eq!(protocol.step(0, looked_up(0, 7, CommitStatus::NotCommitted)), []);
    protocol.step(1_000, Fact::TimePassed);
    protocol.step(1_000, passed(0, 9));
    let all = [output(0, 6), output(0, 7), output(0, 9)];
    assert_eq!(protocol.step(1_000, durable(9)), [manifest(9, &all, false)]);
    // Three epochs wait now. Of 3 to 9 the newest three, a savepoint, a pinned epoch and what commits need are kept.
    let removal = Decision::Remove { epochs: vec![Epoch(3), Epoch(8)] };
    assert_eq!(protocol.step(1_000, written(9)), [complete(9, false), Decision::PauseSources, removal]);
    let decisions = protocol.step(1_000, looked_up(0, 6, CommitStatus::NotCommitted));
    assert_eq!(decisions, [Decision::Commit(output(0, 6))]);
    let decisions = protocol.step(1_000, committed(0, 6));
    assert_eq!(decisions, [Decision::Commit(output(0, 7)), Decision::ResumeSources]);
    assert_eq!(protocol.step(1_000, committed(0, 7)), [Decision::Commit(output(0, 9))]);
}

#[test]
fn pinned_epochs_are_removed_when_unpinned_and_savepoints_never() {
    let mut protocol = Protocol::new(settings(), &Found { restored: None, ..found(false) }).unwrap();
    protocol.step(0, Fact::TasksKnown { tasks: 1 });
    assert_eq!(protocol.step(0, Fact::Unpinned(Epoch(5))), []);
    protocol.step(0, Fact::Pinned(Epoch(6)));
    let removal = |epochs: &[u64]| Decision::Remove { epochs: epochs.iter().copied().map(Epoch).collect() };
    assert_eq!(empty_epoch(&mut protocol, 1_000, 9), [complete(9, false), removal(&[3, 5, 8])]);
    // A removal that failed is asked for again with the next complete epoch.
    assert_eq!(protocol.step(1_000, Fact::CleanedUp { is_complete: false }), []);
    assert_eq!(empty_epoch(&mut protocol, 2_000, 10), [complete(10, false), removal(&[3, 5, 8])]);
    assert_eq!(protocol.step(2_000, Fact::CleanedUp { is_complete: true }), []);
    assert_eq!(protocol.step(2_000, Fact::Unpinned(Epoch(6))), [removal(&[6])]);
}

#[test]
fn a_job_that_had_finished_settles_its_output_and_is_done() {
    let mut protocol = Protocol::new(settings(), &found(true)).unwrap();
    assert_eq!(protocol.step(0, Fact::TimePassed).len(), 2);
    assert_eq!(protocol.step(0, looked_up(0, 6, CommitStatus::Committed)), []);
    assert_eq!(protocol.step(0, looked_up(0, 7, CommitStatus::NotCommitted)), [Decision::Commit(output(0, 7))]);
    assert_eq!(protocol.step(0, committed(0, 7)), [Decision::Done(End::Finished)]);
}

#[test]
fn a_newer_run_ends_everything() {
    let mut protocol = started(settings(), 1);
    protocol.step(1_000, Fact::TimePassed);
    protocol.step(1_000, passed(0, 1));
    assert_eq!(protocol.step(1_000, Fact::HigherIncarnation { seen: 2 }), [Decision::StopSuperseded { seen: 2 }]);
    for fact in [durable(1), written(1), Fact::TimePassed, Fact::HigherIncarnation { seen: 3 }] {
        assert_eq!(protocol.step(900_000, fact), []);
    }
}

#[test]
fn a_stop_makes_one_last_epoch_and_throws_away_what_comes_after() {
    let mut protocol = started(settings(), 2);
    assert_eq!(protocol.step(5, Fact::StopAsked { drain: false }), [inject(1)]);
    protocol.step(6, passed(0, 1));
    assert_eq!(protocol.step(7, passed(1, 1)), [store(1), Decision::PauseSources]);
    assert_eq!(protocol.step(8, finished(0, vec![output(0, 2)])), []);
    protocol.step(9, durable(1));
    let commits = [complete(1, false), Decision::Commit(output(0, 1)), Decision::Commit(output(1, 1))];
    assert_eq!(protocol.step(10, written(1)), commits);
    assert_eq!(protocol.step(11, committed(1, 1)), []);
    assert_eq!(protocol.step(12, committed(0, 1)), [Decision::Abort(output(0, 2))]);
    let done = Decision::Done(End::Stopped { at: Epoch(1), waiting: 0 });
    assert_eq!(protocol.step(13, Fact::AbortDone { id: id(0, 2) }), [done]);
}

/// Two epochs wait, as many as may: the last one begins all the same, and what a sink does not take in time is left to the
/// next run.
#[test]
fn a_stop_does_not_wait_for_a_sink_that_is_out() {
    let mut protocol = started(Settings { pending_epochs_max: 2, stop_wait_ms: 500, ..settings() }, 1);
    for epoch in [1, 2] {
        protocol.step(epoch * 1_000, Fact::TimePassed);
        protocol.step(epoch * 1_000, passed(0, epoch));
        protocol.step(epoch * 1_000, durable(epoch));
        protocol.step(epoch * 1_000, written(epoch));
    }
    assert!(protocol.awaits_commits());
    assert_eq!(protocol.step(60_000, Fact::TimePassed), []);
    assert_eq!(protocol.step(60_000, Fact::StopAsked { drain: false }), [inject(3)]);
    protocol.step(60_001, passed(0, 3));
    let all = [output(0, 1), output(0, 2), output(0, 3)];
    assert_eq!(protocol.step(60_002, durable(3)), [manifest(3, &all, false)]);
    assert_eq!(protocol.step(60_003, written(3)), [complete(3, false)]);
    assert_eq!(protocol.wake_at_ms(), Some(60_503));
    assert_eq!(protocol.step(60_400, committed(0, 1)), [Decision::Commit(output(0, 2))]);
    let done = Decision::Done(End::Stopped { at: Epoch(3), waiting: 2 });
    assert_eq!(protocol.step(60_503, Fact::TimePassed), [done]);
    assert_eq!(protocol.pending().count(), 2);
}

/// Nobody reads any more: the final epoch is made although too many wait. A stop then leaves its output to the next run.
#[test]
fn a_final_epoch_does_not_wait_for_a_sink_that_is_out() {
    let mut protocol = started(Settings { pending_epochs_max: 1, stop_wait_ms: 500, ..settings() }, 1);
    protocol.step(1_000, Fact::TimePassed);
    protocol.step(1_000, passed(0, 1));
    protocol.step(1_000, durable(1));
    protocol.step(1_000, written(1));
    assert_eq!(protocol.step(1_001, finished(0, vec![output(0, 2)])), [store(2)]);
    assert_eq!(protocol.step(1_002, durable(2)), [manifest(2, &[output(0, 1), output(0, 2)], true)]);
    assert_eq!(protocol.step(1_003, written(2)), [complete(2, true)]);
    assert_eq!((protocol.step(99_000, Fact::TimePassed), protocol.wake_at_ms()), (vec![], None));
    assert_eq!(protocol.step(99_000, Fact::StopAsked { drain: false }), []);
    let done = Decision::Done(End::Stopped { at: Epoch(2), waiting: 2 });
    assert_eq!(protocol.step(99_500, Fact::TimePassed), [done]);
}

#[test]
fn a_drain_lets_sources_end_and_finishes_the_job() {
    let mut protocol = started(settings(), 1);
    assert_eq!(protocol.step(5, Fact::StopAsked { drain: true }), [Decision::EndSources]);
    assert_eq!(protocol.step(6, finished(0, vec![output(0, 1)])), [store(1)]);
    assert_eq!(protocol.step(7, durable(1)), [manifest(1, &[output(0, 1)], true)]);
    protocol.step(8, written(1));
    assert_eq!(protocol.step(9, committed(0, 1)), [Decision::Done(End::Finished)]);
}

#[test]
fn a_savepoint_that_fails_is_made_by_the_next_epoch() {
    let mut protocol = started(settings(), 1);
    assert_eq!(protocol.step(5, Fact::CheckpointAsked { is_savepoint: true }), [inject(1)]);
    protocol.step(5, passed(0, 1));
    assert_eq!(protocol.step(5, not_stored(1, false)), [abandoned_since_not_stored(1)]);
    assert_eq!(protocol.step(15, Fact::TimePassed), [inject(2)]);
    protocol.step(15, passed(0, 2));
    let decisions = protocol.step(15, durable(2));
    let [Decision::WriteManifest(order)] = &decisions[..] else { panic!("{decisions:?}") };
    assert!(order.is_savepoint);
    assert_eq!(order.pending, [output(0, 1), output(0, 2)]);
}

#[test]
fn reports_that_no_task_makes_fail_the_job() {
    let after_one_epoch = || {
        let mut protocol = started(settings(), 2);
        protocol.step(1_000, Fact::TimePassed);
        protocol.step(1_000, passed(0, 1));
        protocol.step(1_000, finished(1, Vec::new()));
        protocol
    };
    let of_another_epoch = Fact::TaskPassed { task: TaskId(0), epoch: Epoch(2), output: vec![output(0, 1)] };
    for (fact, problem) in [
        (passed(0, 1), "task 0: it reports epoch 1 after epoch 1"),
        (passed(0, 2), "task 0: it reports epoch 2, whose barrier was not injected by this run"),
        (passed(1, 1), "task 1: it reports after it has finished"),
        (passed(2, 1), "task 2: it reports, but the job has 2 tasks, counted from 0"),
        (of_another_epoch, "task 0: it reports epoch 2, whose barrier was not injected by this run"),
        (finished(0, vec![output(0, 1)]), "task 0: it finished with output of epoch 1, which it had passed"),
        (Fact::TasksKnown { tasks: 3 }, "task 0: the job's tasks were counted twice: 2 and 3"),
    ] {
        let decisions = after_one_epoch().step(1_001, fact);
        let [Decision::Fail(failure)] = &decisions[..] else { panic!("{decisions:?}") };
        assert_eq!(failure.to_string(), problem);
        assert_eq!(volley_api::Error::from(failure.clone()).kind(), ErrorKind::Internal);
    }
}

#[test]
fn contradictions_are_refused_at_the_start() {
    let start = |settings: Settings, found: &Found| Protocol::new(settings, found).map(|_| ()).unwrap_err();
    let nothing = Found::nothing();
    let error = start(Settings { retain: 2, ..settings() }, &nothing);
    assert_eq!(error.to_string(), "2 complete checkpoints would be kept: keep at least 3");
    let error = start(Settings { pending_epochs_max: 0, ..settings() }, &nothing);
    assert_eq!(error, StartError::Zero { setting: "pending_epochs_max" });
    let error = start(settings(), &Found { next_epoch: Epoch(8), ..found(false) });
    assert_eq!(error.to_string(), "the run would begin with epoch 8, but the store has epoch 8 already");
    let pending = vec![output(0, 6), output(0, 6)];
    let restored = Some(Restored { epoch: Epoch(7), pending, is_final: false });
    let error = start(settings(), &Found { restored, ..found(false) });
    assert_eq!(error, StartError::TwoCommittables { epoch: Epoch(7), id: id(0, 6) });
}
