//! Jobs from start to commit: the same rows at every parallelism, refused rows, failures, stops.

mod common;

use std::num::{NonZeroU32, NonZeroUsize};
use std::sync::Arc;

use common::{Event, Fate, Scripted, Step, name, numbers, plan, port, sorted, texts};
use proptest::prelude::*;

use volley_api::{ErrorKind, JobSteering, ReadOptions, Source};
use volley_connector_memory::{MemoryHandle, MemorySink};
use volley_runtime::{JobHandle, JobOptions, JobReport, LogicalPlan, NodeRole};

fn sink(plan: &mut LogicalPlan, node: &str, inputs: &[&str]) -> MemoryHandle {
    let sink = MemorySink::new();
    let handle = sink.handle();
    let inputs = inputs.iter().map(|input| port(input)).collect();
    plan.add_sink(name(node), inputs, Arc::new(sink), None).expect("a fresh name");
    handle
}

fn source(plan: &mut LogicalPlan, node: &str, source: Arc<dyn Source>) {
    plan.add_source(name(node), source, None).expect("a fresh name");
}

fn step(plan: &mut LogicalPlan, node: &str, input: &str, parallelism: Option<u32>, fate: fn(i64) -> Fate) {
    let parallelism = parallelism.and_then(NonZeroU32::new);
    plan.add_operator(name(node), vec![port(input)], Step::factory(fate), parallelism).expect("a fresh name");
}

async fn start(plan: LogicalPlan, options: JobOptions) -> JobHandle {
    volley_runtime::start(plan.check().expect("a good plan").chain(), options).await.expect("starts")
}

async fn run(plan: LogicalPlan) -> volley_api::Result<JobReport> {
    start(plan, JobOptions::default()).await.wait().await
}

fn thirds(x: i64) -> Fate {
    [Fate::Keep, Fate::Aside, Fate::Drop][usize::try_from(x % 3).expect("0 to 2")]
}

fn block_on<F: Future>(future: F) -> F::Output {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("runtime")
        .block_on(future)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn the_same_rows_at_every_parallelism_batch_size_and_number_of_splits(
        rows in 0_i64..3000,
        batch_rows in 1_usize..500,
        read_rows in 1_usize..500,
        splits in 1_usize..5,
        parallelism in 1_u32..5,
        inner in 1_u32..5,
        channel_items_max in 1_usize..4,
    ) {
        let mut plan = plan(parallelism);
        source(&mut plan, "numbers", numbers(rows, batch_rows, splits));
        step(&mut plan, "first", "numbers", Some(inner), |_| Fate::Keep);
        step(&mut plan, "second", "first", None, thirds);
        let kept = sink(&mut plan, "kept", &["second"]);
        let aside = sink(&mut plan, "set-aside", &["second.aside"]);
        let options = JobOptions {
            read: ReadOptions { batch_rows_max: NonZeroUsize::new(read_rows).expect("not zero") },
            channel_items_max,
            channel_bytes_max: 4096,
            ..JobOptions::default()
        };
        let report = block_on(async { start(plan, options).await.wait().await }).expect("ends well");
        prop_assert_eq!(sorted(&kept.batches()), (0..rows).filter(|x| x % 3 == 0).collect::<Vec<_>>());
        prop_assert_eq!(sorted(&aside.batches()), (0..rows).filter(|x| x % 3 == 1).collect::<Vec<_>>());
        prop_assert_eq!(report.progress.rows_read(), rows as u64);
        prop_assert_eq!(report.progress.rows_written(), (0..rows).filter(|x| x % 3 != 2).count() as u64);
        prop_assert!(!report.stopped_early);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn order_is_kept_within_one_subtask() {
    let mut plan = plan(1);
    source(&mut plan, "numbers", numbers(5000, 37, 1));
    step(&mut plan, "all", "numbers", None, |_| Fate::Keep);
    let out = sink(&mut plan, "out", &["all"]);
    run(plan).await.expect("ends well");
    let in_order: Vec<i64> = out.batches().iter().flat_map(|batch| sorted(std::slice::from_ref(batch))).collect();
    assert_eq!(in_order, (0..5000).collect::<Vec<_>>());
}

#[tokio::test(flavor = "multi_thread")]
async fn refused_rows_arrive_with_their_origin() {
    let mut plan = plan(2);
    source(&mut plan, "numbers", numbers(10, 10, 1));
    step(&mut plan, "judge", "numbers", None, |x| if x == 7 { Fate::Reject } else { Fate::Keep });
    let out = sink(&mut plan, "out", &["judge"]);
    let dead = sink(&mut plan, "dead", &["judge.errors"]);
    let report = run(plan).await.expect("refused rows are no failure");
    assert_eq!(out.num_rows(), 9);
    let dead = dead.batches();
    assert_eq!(texts(&dead, "operator"), ["judge"]);
    assert_eq!(texts(&dead, "source"), ["numbers"]);
    assert_eq!(texts(&dead, "row"), [r#"{"x":7}"#]);
    assert_eq!((report.progress.rows_rejected(), report.progress.rows_written()), (1, 9));
    let sinks: Vec<bool> =
        report.progress.nodes.iter().filter(|node| node.role == NodeRole::Sink).map(|node| node.dead_letters).collect();
    assert_eq!(sinks, [false, true]);
}

fn with_a_bad_record() -> Arc<dyn Source> {
    let script = vec![Event::Rows(vec![1, 2]), Event::Idle, Event::Reject("1,2,3"), Event::Rows(vec![3])];
    Arc::new(Scripted { script, ends: true })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bad_record_fails_the_job_when_nobody_takes_it() {
    let mut plan = plan(1);
    source(&mut plan, "lines", with_a_bad_record());
    let out = sink(&mut plan, "out", &["lines"]);
    let error = run(plan).await.expect_err("line 2 is bad");
    assert_eq!(error.kind(), ErrorKind::Data);
    assert!(error.to_string().starts_with("script line 2: bad (to keep such records"), "{error}");
    assert!(error.to_string().contains("attach a sink to `lines.errors`"), "{error}");
    assert_eq!(out.num_rows(), 0, "nothing of a failed job is visible");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bad_record_goes_to_the_errors_output() {
    let mut plan = plan(1);
    source(&mut plan, "lines", with_a_bad_record());
    let out = sink(&mut plan, "out", &["lines"]);
    let dead = sink(&mut plan, "dead", &["lines.errors"]);
    run(plan).await.expect("somebody takes it");
    assert_eq!(sorted(&out.batches()), [1, 2, 3]);
    assert_eq!(texts(&dead.batches(), "row"), ["1,2,3"]);
    assert_eq!(texts(&dead.batches(), "code"), ["malformed"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_failure_is_the_cause_and_nothing_is_visible() {
    for (fate, kind) in [(Fate::Fail, ErrorKind::Data), (Fate::Panic, ErrorKind::Internal)] {
        let mut plan = plan(3);
        source(&mut plan, "numbers", numbers(100_000, 100, 3));
        let fate: fn(i64) -> Fate = if fate == Fate::Fail {
            |x| if x == 60_000 { Fate::Fail } else { Fate::Keep }
        } else {
            |x| if x == 60_000 { Fate::Panic } else { Fate::Keep }
        };
        step(&mut plan, "fragile", "numbers", None, fate);
        let out = sink(&mut plan, "out", &["fragile"]);
        let error = run(plan).await.expect_err("row 60,000");
        assert_eq!(error.kind(), kind, "{}", error.report());
        assert!(error.report().contains("told to"), "{}", error.report());
        assert_eq!(out.num_rows(), 0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failure_ends_a_job_whose_other_sources_never_would() {
    let mut plan = plan(1);
    source(&mut plan, "endless", Arc::new(Scripted { script: Vec::new(), ends: false }));
    source(&mut plan, "numbers", numbers(10, 10, 1));
    step(&mut plan, "fragile", "numbers", None, |_| Fate::Fail);
    sink(&mut plan, "out", &["fragile", "endless"]);
    assert_eq!(run(plan).await.expect_err("fails").to_string(), "told to fail");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_commits_what_was_read() {
    let mut plan = plan(2);
    source(&mut plan, "endless", Arc::new(Scripted { script: vec![Event::Rows(vec![5, 6, 7])], ends: false }));
    step(&mut plan, "all", "endless", None, |_| Fate::Keep);
    let out = sink(&mut plan, "out", &["all"]);
    let job = start(plan, JobOptions::default()).await;
    let control = job.control();
    while job.progress().rows_written() < 3 {
        tokio::task::yield_now().await;
    }
    assert_eq!(out.num_rows(), 0, "not before the commit");
    control.end();
    let report = job.wait().await.expect("a clean end");
    assert!(report.stopped_early);
    assert_eq!(sorted(&out.batches()), [5, 6, 7]);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_output_feeds_several_readers() {
    let mut plan = plan(2);
    source(&mut plan, "numbers", numbers(100, 7, 2));
    step(&mut plan, "even", "numbers", None, |x| if x % 2 == 0 { Fate::Keep } else { Fate::Drop });
    step(&mut plan, "large", "numbers", None, |x| if x >= 50 { Fate::Keep } else { Fate::Drop });
    let both = sink(&mut plan, "both", &["even", "large"]);
    let even = sink(&mut plan, "only-even", &["even"]);
    run(plan).await.expect("ends well");
    assert_eq!(even.num_rows(), 50);
    assert_eq!(both.num_rows(), 100);
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_that_were_read_survive_a_stop_under_back_pressure() {
    let mut plan = plan(1);
    let script = (0..200).map(|x| Event::Rows(vec![x])).collect();
    source(&mut plan, "endless", Arc::new(Scripted { script, ends: false }));
    step(&mut plan, "all", "endless", None, |_| Fate::Keep);
    let out = sink(&mut plan, "out", &["all"]);
    let options = JobOptions { channel_items_max: 1, ..JobOptions::default() };
    let job = start(plan, options).await;
    while job.progress().nodes[0].progress_units < 50 {
        tokio::task::yield_now().await;
    }
    job.stop();
    let report = job.wait().await.expect("a clean end");
    let read = report.progress.nodes[0].progress_units as i64;
    assert_eq!(sorted(&out.batches()), (0..read).collect::<Vec<_>>(), "each poll gave one row");
    assert!(!report.cut_short, "an endless source is never cut short");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bounded_source_that_is_stopped_is_cut_short() {
    let mut plan = plan(1);
    let script = vec![Event::Rows(vec![1]); 1].into_iter().chain(vec![Event::Idle; 1_000_000]).collect();
    source(&mut plan, "slow", Arc::new(Scripted { script, ends: true }));
    let out = sink(&mut plan, "out", &["slow"]);
    let job = start(plan, JobOptions::default()).await;
    while job.progress().rows_written() < 1 {
        tokio::task::yield_now().await;
    }
    job.stop();
    assert!(job.wait().await.expect("a clean end").cut_short);
    assert_eq!(sorted(&out.batches()), [1]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_that_is_broken_off_leaves_nothing() {
    let mut plan = plan(2);
    source(&mut plan, "endless", Arc::new(Scripted { script: vec![Event::Rows(vec![5, 6, 7])], ends: false }));
    step(&mut plan, "all", "endless", None, |_| Fate::Keep);
    let out = sink(&mut plan, "out", &["all"]);
    let job = start(plan, JobOptions::default()).await;
    while job.progress().rows_written() < 3 {
        tokio::task::yield_now().await;
    }
    job.abort();
    let error = job.wait().await.expect_err("broken off");
    assert_eq!(error.kind(), ErrorKind::Cancelled);
    assert_eq!(out.num_rows(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_do_not_linger_while_others_keep_coming() {
    let mut plan = plan(1);
    // After the first row nothing but rows that a filter drops: the operator behind it must still see the first soon.
    let script = vec![Event::Rows(vec![0])].into_iter().chain((0..1_000_000).map(|_| Event::Rows(vec![1]))).collect();
    source(&mut plan, "busy", Arc::new(Scripted { script, ends: false }));
    let filter = Step { fate: |x| if x == 0 { Fate::Keep } else { Fate::Drop }, coalesce: false };
    plan.add_operator(name("filter"), vec![port("busy")], Arc::new(filter), None).expect("a fresh name");
    step(&mut plan, "patient", "filter", None, |_| Fate::Keep);
    sink(&mut plan, "out", &["patient"]);
    let job = start(plan, JobOptions::default()).await;
    while job.progress().rows_written() < 1 {
        assert!(job.progress().nodes[0].progress_units < 900_000, "the first row is held back for ever");
        tokio::task::yield_now().await;
    }
    job.abort();
    assert_eq!(job.wait().await.expect_err("broken off").kind(), ErrorKind::Cancelled);
}
