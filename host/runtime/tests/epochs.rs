//! A job that reports its epochs can be broken off at any of them and begun again: with what was prepared up to an epoch
//! committed, and the splits where the epoch left them, every row comes out once, at any parallelism.

mod common;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use common::{Fate, Step, name, numbers, plan, port, sorted};
use proptest::prelude::*;
use volley_api::{
    Committable, Epoch, EpochListener, JobRun, JobState, Sink, SplitId, SplitPosition, SplitState, TaskEvent, TaskPart,
    TaskReport,
};
use volley_connector_memory::MemorySink;
use volley_runtime::{EpochOptions, JobHandle, JobOptions, PhysicalPlan};

const ROWS: i64 = 20_000;

/// Keeps what tasks report.
#[derive(Debug, Default)]
struct Notes(Mutex<Kept>);

#[derive(Debug, Default)]
struct Kept {
    tasks: u32,
    reports: Vec<TaskReport>,
}

impl EpochListener for Notes {
    fn started(&self, tasks: u32) {
        self.0.lock().expect("no panic").tasks = tasks;
    }

    fn report(&self, report: TaskReport) {
        self.0.lock().expect("no panic").reports.push(report);
    }
}

impl Notes {
    /// What an epoch consists of once every task has passed it or finished: where splits stand, and what was prepared.
    fn complete(&self, epoch: Epoch) -> Option<(JobState, Vec<Committable>)> {
        let kept = self.0.lock().expect("no panic");
        let mut state = JobState::default();
        let mut output = Vec::new();
        for task in 0..kept.tasks {
            let reports = kept.reports.iter().filter(|report| report.task.0 == task);
            let is_last =
                |report: &&TaskReport| [TaskEvent::Finished, TaskEvent::Passed(epoch)].contains(&report.event);
            let all: Vec<&TaskReport> = reports.collect();
            // What comes after the barrier is of the next epoch.
            let last = all.iter().position(is_last)?;
            let (reports, last) = (&all[..=last], all[last]);
            for part in reports.iter().flat_map(|report| &report.parts) {
                if let TaskPart::Output(committable) = part {
                    output.push(committable.clone());
                }
            }
            for part in &last.parts {
                if let TaskPart::Split { source, split, position } = part {
                    let splits = state.splits.entry(source.clone()).or_insert_with(BTreeMap::new);
                    splits.insert(split.clone(), SplitState { position: position.clone(), reached_ms: None });
                }
            }
        }
        Some((state, output))
    }

    async fn wait_for(&self, epoch: Epoch) -> (JobState, Vec<Committable>) {
        loop {
            if let Some(complete) = self.complete(epoch) {
                return complete;
            }
            tokio::time::sleep(Duration::from_micros(200)).await;
        }
    }
}

/// Two inputs, one read by fewer readers than there are subtasks, that are united and filtered into one sink.
fn pipeline(parallelism: u32, sink: Arc<dyn Sink>) -> PhysicalPlan {
    let mut plan = plan(parallelism);
    plan.add_source(name("many"), numbers(ROWS, 7, 5), None).expect("a source");
    plan.add_source(name("one"), numbers(ROWS, 900, 1), None).expect("a source");
    let step = Step::factory(|x| if x % 3 == 0 { Fate::Drop } else { Fate::Keep });
    plan.add_operator(name("step"), vec![port("many"), port("one")], step, None).expect("an operator");
    plan.add_sink(name("out"), vec![port("step")], sink, None).expect("a sink");
    plan.check().expect("a plan").chain()
}

async fn started(
    parallelism: u32,
    sink: &MemorySink,
    notes: &Arc<Notes>,
    first: u64,
    restored: Option<JobState>,
    until: Option<JobState>,
) -> JobHandle {
    let options = JobOptions {
        channel_items_max: 2,
        epochs: Some(EpochOptions {
            listener: notes.clone(),
            first_epoch: Epoch(first),
            run: JobRun { job: "test".into(), incarnation: first },
            restored: restored.map(Arc::new),
            until: until.map(Arc::new),
        }),
        ..JobOptions::default()
    };
    volley_runtime::start(pipeline(parallelism, Arc::new(sink.clone())), options).await.expect("starts")
}

/// Runs until the epoch is complete everywhere, and breaks off; or to the end when the input ends before.
async fn run_until(
    parallelism: u32,
    sink: &MemorySink,
    first: u64,
    restored: Option<JobState>,
    pause: Duration,
) -> (JobState, Vec<Committable>, bool) {
    let notes = Arc::new(Notes::default());
    let job = started(parallelism, sink, &notes, first, restored, None).await;
    tokio::time::sleep(pause).await;
    job.barrier(Epoch(first));
    let complete = notes.wait_for(Epoch(first)).await;
    let is_end = complete.0.splits.values().flatten().all(|(_, split)| split.position == SplitPosition::Ended)
        && complete.0.splits.values().map(BTreeMap::len).sum::<usize>() == 6;
    job.abort();
    drop(job.wait().await);
    (complete.0, complete.1, is_end)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_row_comes_out_once_however_often_the_job_is_broken_off(steps in prop::collection::vec((1_u32..=4, 0_u64..1500), 1..6)) {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime");
        let sink = MemorySink::new();
        let out = sink.handle();
        runtime.block_on(async {
            let (mut state, mut epoch) = (None, 0);
            // Short runs, then as many as it takes.
            for (parallelism, pause_us) in steps.into_iter().chain(std::iter::repeat((3, 200_000))) {
                epoch += 1;
                let (next, output, is_end) = run_until(parallelism, &sink, epoch, state.take(), Duration::from_micros(pause_us)).await;
                for committable in &output {
                    sink.commit(committable).await.expect("committed");
                }
                if is_end {
                    break;
                }
                state = Some(next);
            }
        });
        let expected: Vec<i64> = (0..ROWS).filter(|x| x % 3 != 0).flat_map(|x| [x, x]).collect();
        prop_assert_eq!(sorted(&out.batches()), expected);
    }
    #[test]
    fn a_replay_comes_exactly_to_where_the_job_was(steps in prop::collection::vec((1_u32..=4, 0_u64..1500), 3..=3)) {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime");
        runtime.block_on(async {
            let us = |step: usize| Duration::from_micros(steps[step].1);
            let (from, ..) = run_until(steps[0].0, &MemorySink::new(), 1, None, us(0)).await;
            let (until, ..) = run_until(steps[1].0, &MemorySink::new(), 2, Some(from.clone()), us(1)).await;
            let (sink, notes) = (MemorySink::new(), Arc::new(Notes::default()));
            let job = started(steps[2].0, &sink, &notes, 3, Some(from), Some(until.clone())).await;
            let (reached, output) = notes.wait_for(Epoch(3)).await;
            prop_assert_eq!(reached.splits, until.splits);
            prop_assert!(output.is_empty(), "it put something out");
            job.abort();
            drop(job.wait().await);
            Ok(())
        })?;
    }
}

/// A folder whose files were read to their end and taken away: should one come back, it is not read again.
#[tokio::test]
async fn what_was_read_to_its_end_is_remembered_by_a_source_that_lists_nothing() {
    let ended = SplitState { position: SplitPosition::Ended, reached_ms: None };
    for parallelism in [1, 3] {
        let notes = Arc::new(Notes::default());
        let gone = SplitId::new("gone.csv");
        let restored = JobState {
            splits: BTreeMap::from([(name("none"), BTreeMap::from([(gone.clone(), ended.clone())]))]),
            ..JobState::default()
        };
        let mut plan = plan(parallelism);
        plan.add_source(name("none"), numbers(0, 1, 0), None).expect("a source");
        plan.add_sink(name("out"), vec![port("none")], Arc::new(MemorySink::new()), None).expect("a sink");
        let options = JobOptions {
            epochs: Some(EpochOptions {
                listener: notes.clone(),
                first_epoch: Epoch(5),
                run: JobRun { job: "test".into(), incarnation: 2 },
                restored: Some(Arc::new(restored)),
                until: None,
            }),
            ..JobOptions::default()
        };
        let job = volley_runtime::start(plan.check().expect("a plan").chain(), options).await.expect("starts");
        job.wait().await.expect("there is nothing to do");
        let (state, _) = notes.complete(Epoch(5)).expect("every task has finished");
        assert_eq!(state.splits.get(&name("none")).and_then(|splits| splits.get(&gone)), Some(&ended));
    }
}
