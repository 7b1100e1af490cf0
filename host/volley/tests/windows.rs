//! Keyed streams and windows.

mod common;

use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use common::{batch, collected, refused, some_rows, sorted, stream};
use volley::prelude::*;
use volley::{MemorySink, StateBackend};
use volley_api::{KeyedState, StateContext};
use volley_state::MemoryBackend;

const SECOND: Duration = Duration::from_secs(1);

fn timed(env: &StreamExecutionEnvironment) -> DataStream {
    stream(env).with_watermarks(WatermarkStrategy::bounded_out_of_orderness("at", Duration::ZERO))
}

#[test]
fn aggregates_by_key_come_at_the_end() {
    for parallelism in [1, 3] {
        let env = StreamExecutionEnvironment::new().set_parallelism(parallelism);
        let sums = stream(&env).key_by(["who"]).aggregate_expr([
            sum("amount").alias("total"),
            count(),
            count_of("amount").filter(col("amount").gt(lit(1))).alias("large"),
        ]);
        assert_eq!(collected(&sums), ["ann 4 2 1", "bob null 1 0", "cid 4 1 1"]);
    }
    let env = StreamExecutionEnvironment::new();
    let written = stream(&env).key_by(["who"]).aggregate_expr(["max(at) AS last_at"]);
    assert_eq!(collected(&written), ["ann 1500", "bob 500", "cid 2500"]);
}

#[test]
fn windows_of_every_kind() {
    let env = StreamExecutionEnvironment::new().set_parallelism(2).set_state_memory(64 << 20);
    let by_who = timed(&env).key_by(["who"]);
    let at = |second: u32, ms: u32| {
        format!("1970-01-01T00:00:0{second}{}Z", if ms == 0 { String::new() } else { format!(".{ms}") })
    };
    let tumbling = by_who.window(Tumbling::of(2 * SECOND)).aggregate_expr([count()]);
    let (zero, two, four) = (at(0, 0), at(2, 0), at(4, 0));
    assert_eq!(
        collected(&tumbling),
        [format!("ann {zero} {two} 2"), format!("bob {zero} {two} 1"), format!("cid {two} {four} 1")]
    );
    let sliding = by_who.window(Sliding::of(2 * SECOND, SECOND)).aggregate_expr([count()]);
    assert_eq!(collected(&sliding).len(), 7);
    let ends = by_who.window(Tumbling::of(2 * SECOND)).aggregate_expr([first("amount"), last("amount")]);
    assert!(collected(&ends)[0].ends_with(" 1 3"));
    let session = by_who.window(Session::with_gap(SECOND)).aggregate_expr([count()]);
    assert_eq!(collected(&session).len(), 4);
    let counted = by_who.window(Count::of(1)).aggregate_expr([max("amount")]);
    assert_eq!(collected(&counted), ["ann 1", "ann 3", "bob null", "cid 4"]);
}

/// A job in which event time comes as far as each row before the next one follows.
fn row_by_row() -> StreamExecutionEnvironment {
    StreamExecutionEnvironment::new().set_watermark_interval(Duration::ZERO).set_batch_rows(1)
}

/// Rows of which the last but one comes long after its window.
fn late(env: &StreamExecutionEnvironment) -> DataStream {
    let batches = [("a", 500), ("a", 9000), ("a", 700), ("b", 9500)].map(|(who, at)| batch(&[(who, Some(1), at)]));
    env.from_batches(some_rows().schema(), batches.to_vec())
        .with_watermarks(WatermarkStrategy::bounded_out_of_orderness("at", Duration::ZERO))
}

#[test]
fn late_rows_leave_by_a_side_output() {
    let env = row_by_row();
    let tag = OutputTag::new("late_rows");
    let results =
        late(&env).key_by(["who"]).window(Tumbling::of(SECOND)).side_output_late_data(&tag).aggregate_expr([count()]);
    let late = collected(&results.side_output(&tag));
    assert_eq!(late.len(), 1, "{late:?}");
    assert!(late[0].starts_with("{\"who\":\"a\",\"amount\":1,\"at\":700}"), "{late:?}");
    assert_eq!(collected(&results).len(), 3);
    results.discard();
    let error = env.execute_blocking("job").expect_err("unread").to_string();
    assert!(error.contains("nobody reads `window-1.late_rows`"), "{error}");
}

#[test]
fn late_rows_of_all_windows_go_to_one_sink() {
    let env = row_by_row();
    let sink = MemorySink::new();
    let seen = sink.handle();
    let by_who = late(&env).with_late_data_sink("late", sink).filter_expr("amount = 1").key_by(["who"]);
    let mut results = Vec::new();
    for size in [SECOND, 2 * SECOND] {
        let out = MemorySink::new();
        results.push(out.handle());
        by_who.window(Tumbling::of(size)).aggregate_expr([count()]).to_sink(format!("out-{}", size.as_secs()), out);
    }
    by_who.window(Count::of(10)).aggregate_expr([count()]).discard();
    env.execute_blocking("two-windows").expect("runs");
    assert_eq!(seen.num_rows(), 2);
    assert!(results.iter().all(|out| out.num_rows() == 3));
}

#[test]
fn a_late_row_within_the_lateness_counts() {
    let env = row_by_row();
    let results =
        late(&env).key_by(["who"]).window(Tumbling::of(SECOND)).allowed_lateness(60 * SECOND).aggregate_expr([count()]);
    let found = sorted(&results.collect_blocking().expect("runs"));
    assert_eq!(found.len(), 4, "{found:?}");
    assert!(found.iter().any(|row| row.starts_with("a ") && row.ends_with("2 1")), "{found:?}");
    let error = refused(&results.key_by(["who"]).aggregate_expr([count()]));
    assert!(error.contains("aggregate-1: the input repeats results"), "{error}");
}

#[test]
fn repeats_are_dropped() {
    let env = StreamExecutionEnvironment::new();
    let fresh = timed(&env).key_by(["who"]).dedupe(2 * SECOND);
    assert_eq!(collected(&fresh), ["ann 1 0", "bob null 500", "cid 4 2500"]);
    let timeless = refused(&stream(&env).key_by(["who"]).dedupe(SECOND));
    assert!(timeless.contains("dedupe-2: "), "{timeless}");
}

#[test]
fn what_cannot_be_a_window_is_refused() {
    let env = StreamExecutionEnvironment::new();
    let keyed = stream(&env).key_by(["who"]);
    for (results, wanted) in [
        (
            keyed.window(Tumbling::of(SECOND)).aggregate_expr([count()]),
            "window-1: a tumbling 1s window needs event time",
        ),
        (keyed.window(Count::of(0)).aggregate_expr([count()]).uid("none"), "none: a window of 0 rows never fires"),
        (keyed.aggregate_expr([first("amount")]), "aggregate-1: "),
        (stream(&env).key_by(["whom"]).aggregate_expr([count()]), "`whom`"),
        (stream(&env).key_by([""; 0]).aggregate_expr([count()]), "there is no key"),
    ] {
        let error = refused(&results);
        assert!(error.contains(wanted), "{error}");
    }
    let nameless = keyed.aggregate_expr([sum(col("amount") + lit(1))]);
    assert!(refused(&nameless).contains("makes a column without a name"));
    let keyed = stream(&StreamExecutionEnvironment::new()).key_by(["who"]);
    let none: [Aggregate; 0] = [];
    assert!(refused(&keyed.aggregate_expr(none)).contains("there is no aggregate"));
}

#[test]
fn too_much_state_fails_the_job() {
    let env = StreamExecutionEnvironment::new().set_state_memory(1);
    let error = refused(&stream(&env).key_by(["who"]).aggregate_expr([count()]));
    assert!(error.contains("and the limit is 1"), "{error}");
}

/// Memory that notes how many entries of each state were to be cached.
#[derive(Debug, Clone)]
struct Noting(MemoryBackend, Arc<Mutex<Vec<Option<NonZeroUsize>>>>);

impl StateBackend for Noting {
    fn label(&self) -> String {
        self.0.label()
    }

    fn format(&self) -> &'static str {
        self.0.format()
    }

    fn open(&self, context: StateContext) -> volley::Result<Box<dyn KeyedState>> {
        self.1.lock().expect("no panic").push(context.cache_entries_max);
        self.0.open(context)
    }
}

#[test]
fn few_windows_and_entries_in_memory_give_the_same_results() {
    let few = |count| NonZeroUsize::new(count).expect("some");
    let opened = Arc::new(Mutex::new(Vec::new()));
    let backend = Noting(MemoryBackend::new(1 << 30), Arc::clone(&opened));
    let windows: [volley::Window; 4] = [
        Tumbling::of(SECOND / 4).into(),
        Sliding::of(SECOND, SECOND / 4).into(),
        Session::with_gap(SECOND / 4).into(),
        Count::of(2).into(),
    ];
    for window in windows {
        let results = |env: &StreamExecutionEnvironment, bound: Option<usize>| {
            let mut keyed = timed(env).key_by(["who"]);
            if let Some(bound) = bound {
                keyed = keyed.with_max_cache_entries(few(bound));
            }
            let mut windowed = keyed.window(window);
            if let Some(bound) = bound {
                windowed = windowed.with_max_pending_windows(few(bound));
            }
            collected(&windowed.aggregate_expr([count(), last("at").alias("last_at")]))
        };
        let expected = results(&StreamExecutionEnvironment::new(), None);
        for bound in [1, 2, 7] {
            let env = StreamExecutionEnvironment::new().set_state_backend(backend.clone());
            assert_eq!(results(&env, Some(bound)), expected, "{window} with {bound}");
        }
    }
    let opened = opened.lock().expect("no panic");
    assert!(opened.contains(&Some(few(1))) && opened.contains(&Some(few(2))), "{opened:?}");
    assert!(!opened.contains(&None), "{opened:?}");
}
