//! Guests that do as agreed: rows, selections, side outputs, refused rows and every policy for them.

use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, RecordBatch};
use arrow::buffer::BooleanBuffer;
use arrow::datatypes::{DataType, Field, Schema};
use volley_api::{ErrorKind, OperatorFactory};
use volley_ipc::encode_batch;
use volley_wasm::{CALL_ROWS_MAX, Metric, OnError, RETRIES_MAX};

use crate::guest::{Guest, words_to_bytes};
use crate::harness::{Collected, Setup, input, numbers_schema};

/// Answers a map's call with the very message that came: the column `x` under its new name.
const ECHO: &str = "(i32.store offset=8 (global.get $answer) (local.get $ptr))
    (i32.store offset=12 (global.get $answer) (local.get $len))
    (global.get $answer)";

fn echo(column: &str, replaces: bool, rejects: &[(u32, &str, &str)]) -> Vec<u8> {
    let mut guest = Guest::new("map", &["x"]).output("out", &numbers_schema(column), replaces);
    let answer = guest.mapped(&[], rejects);
    guest.functions(&format!("(global $answer i32 (i32.const {answer}))")).process(ECHO).build()
}

fn filtered(bitmap: &[u8], rejects: &[(u32, &str, &str)]) -> Vec<u8> {
    let mut guest = Guest::new("filter", &["x"]);
    let result = guest.filtered(bitmap, rejects);
    guest.process(&format!("(i32.const {result})")).build()
}

fn failing(case: u32, retry_ms: u32) -> Vec<u8> {
    let mut guest = Guest::new("filter", &["x"]);
    let result = guest.failure(case, "no good", retry_ms);
    guest.process(&format!("(i32.const {result})")).build()
}

fn with(on_error: OnError, errors_attached: bool) -> Setup {
    Setup { on_error, errors_attached, ..Setup::default() }
}

#[test]
fn a_filter_narrows_and_refused_rows_go_aside() {
    let component = filtered(&[0b1111_1011], &[(1, "odd", "one is odd")]);
    let collected = Setup::default().run(&component, input(4)).expect("runs");
    assert_eq!(collected.numbers(0, "x"), [0, 3]);
    assert_eq!(collected.positions(0), [100, 103]);
    assert_eq!(collected.rejected_rows(), [1]);
    assert_eq!((&*collected.rejects[0].code, &*collected.rejects[0].message), ("odd", "one is odd"));
}

#[test]
fn plugins_see_only_live_rows() {
    let component = filtered(&[0b01], &[]);
    let record = input(5).narrow(&BooleanBuffer::from(vec![false, false, true, false, true]));
    let collected = Setup::default().run(&component, record).expect("runs");
    assert_eq!(collected.numbers(0, "x"), [2]);
}

#[test]
fn a_filter_that_keeps_nothing_emits_nothing() {
    let collected = Setup::default().run(&filtered(&[0], &[]), input(4)).expect("runs");
    assert!(collected.rows.is_empty() && collected.rejects.is_empty());
}

#[test]
fn a_map_appends_or_takes_the_place_of_columns() {
    let collected = Setup::default().run(&echo("y", false, &[]), input(3)).expect("runs");
    let batch = &collected.rows[0].1.batch;
    assert_eq!(
        batch.schema().fields().iter().map(|field| field.name().as_str()).collect::<Vec<_>>(),
        ["x", "name", "y"]
    );
    assert_eq!(collected.numbers(0, "y"), [0, 1, 2]);
    let collected = Setup::default().run(&echo("x", false, &[]), input(3)).expect("runs");
    assert_eq!(collected.rows[0].1.batch.num_columns(), 2);
}

#[test]
fn a_map_may_replace_all_columns_and_refuse_rows() {
    let collected = Setup::default().run(&echo("z", true, &[(0, "a", ""), (2, "b", "")]), input(4)).expect("runs");
    assert_eq!(collected.rows[0].1.batch.num_columns(), 1);
    assert_eq!(collected.numbers(0, "z"), [1, 3]);
    assert_eq!(collected.positions(0), [101, 103]);
    assert_eq!(collected.rejected_rows(), [0, 2]);
}

#[test]
fn long_records_take_several_calls_and_give_the_same_rows() {
    let rows = CALL_ROWS_MAX * 2 + 5;
    let component = echo("y", false, &[(3, "third", "of each call")]);
    let collected = Setup::default().run(&component, input(rows)).expect("runs");
    assert_eq!(collected.rejected_rows(), [3, CALL_ROWS_MAX + 3, 2 * CALL_ROWS_MAX + 3]);
    let wanted: Vec<i64> = (0..).take(rows).filter(|x| x % i64::try_from(CALL_ROWS_MAX).expect("small") != 3).collect();
    assert_eq!(collected.numbers(0, "y"), wanted);
    assert_eq!(collected.positions(0), wanted.iter().map(|x| x + 100).collect::<Vec<_>>());
}

#[test]
fn calls_are_bounded_in_bytes_too() {
    let mut setup = Setup::default();
    setup.limits.memory_bytes_max = 4 << 16;
    let mut guest = Guest::new("map", &["x"]).output("out", &numbers_schema("y"), false).pages(2);
    let answer = guest.mapped(&[], &[(0, "first", "of each call")]);
    let component = guest.functions(&format!("(global $answer i32 (i32.const {answer}))")).process(ECHO).build();
    let collected = setup.run(&component, input(CALL_ROWS_MAX)).expect("runs");
    // An eighth of the memory is 32 KiB: 4,096 numbers and no room for a header.
    assert_eq!(collected.rejected_rows(), [0, 2048, 4096, 6144]);
    assert_eq!(collected.numbers(0, "y").len(), CALL_ROWS_MAX - 4);
}

#[test]
fn what_stands_at_a_refused_row_is_ignored() {
    let numbers = |nulls_at: usize| -> Vec<u8> {
        let column: ArrayRef =
            Arc::new((0..3).map(|row| (row != nulls_at).then_some(row as i64)).collect::<Int64Array>());
        let batch = RecordBatch::try_from_iter_with_nullable([("y", column, true)]).expect("one column");
        encode_batch(&batch).expect("encodes")
    };
    let component = |nulls_at: usize, rejects: &[(u32, &str, &str)]| {
        let strict = Schema::new(vec![Field::new("y", DataType::Int64, false)]);
        let mut guest = Guest::new("map", &["x"]).output("out", &strict, false);
        let answer = guest.mapped(&numbers(nulls_at), rejects);
        guest.process(&format!("(i32.const {answer})")).build()
    };
    for nulls_at in [1, 7] {
        let component = component(nulls_at, &[(1, "odd", "")]);
        let collected = Setup::default().run(&component, input(3)).expect("the null stands at the refused row");
        assert_eq!(collected.numbers(0, "y"), [0, 2]);
        assert_eq!(collected.numbers(0, "x"), [0, 2]);
        assert_eq!((collected.positions(0), collected.rejected_rows()), (vec![100, 102], vec![1]));
        assert!(!collected.rows[0].1.batch.schema().field(2).is_nullable());
    }
    for rejects in [&[(0, "even", "")][..], &[]] {
        let error = Setup::default().error(&component(1, rejects));
        assert_eq!(error.kind(), ErrorKind::Plugin);
        assert!(error.to_string().contains("non-nullable"), "{error}");
    }
}

#[test]
fn rows_that_carry_their_parents_leave_in_records_of_bounded_size() {
    let rows = CALL_ROWS_MAX + 100;
    let column: ArrayRef = Arc::new(Int64Array::from_iter_values((0..).take(rows)));
    let batch = RecordBatch::try_from_iter_with_nullable([("y", column, true)]).expect("one column");
    let message = encode_batch(&batch).expect("encodes");
    let emit = r#"(import "volley:operator/emitter@0.1.0" "emit" (func $emit (param i32 i32 i32 i32 i32 i32)))"#;
    let mut guest = Guest::new("flat-map", &["x"]).output("out", &numbers_schema("y"), false).imports(emit).pages(4);
    let answer = guest.put(&[0; 16]);
    let parents = guest.list(&words_to_bytes(&vec![1; rows]), rows);
    let batch = guest.list(&message, message.len());
    let done = guest.emitted(&[]);
    let body = format!(
        "(call $emit (i32.const 0) (i32.const {}) (i32.const {}) (i32.const {}) (i32.const {}) (i32.const {answer}))
         (i32.const {done})",
        parents[0], parents[1], batch[0], batch[1]
    );
    let collected = Setup::default().run(&guest.process(&body).build(), input(3)).expect("runs");
    let sizes: Vec<usize> = collected.rows.iter().map(|(_, record)| record.batch.num_rows()).collect();
    assert_eq!(sizes, [CALL_ROWS_MAX, 100]);
    assert_eq!(collected.numbers(0, "y"), (0..).take(rows).collect::<Vec<i64>>());
    assert_eq!(collected.numbers(0, "x"), vec![1; rows]);
}

/// A flat-map with a side output: parents 2, 0, 0 on `out` (append), 1 on `side` (replace).
fn exploding(rejects: &[(u32, &str, &str)]) -> Vec<u8> {
    let numbers = |values: Vec<i64>| {
        let column: ArrayRef = Arc::new(Int64Array::from(values));
        encode_batch(&RecordBatch::try_from_iter_with_nullable([("y", column, true)]).expect("one column"))
            .expect("encodes")
    };
    let emit = r#"(import "volley:operator/emitter@0.1.0" "emit" (func $emit (param i32 i32 i32 i32 i32 i32)))"#;
    let mut guest = Guest::new("flat-map", &["x"])
        .output("out", &numbers_schema("y"), false)
        .output("side", &numbers_schema("y"), true)
        .imports(emit);
    let answer = guest.put(&[0; 16]);
    let mut body = String::new();
    for (port, parents, values) in [(0, vec![2], vec![7]), (0, vec![0, 0], vec![8, 9]), (1, vec![1], vec![5])] {
        let parents = guest.list(&words_to_bytes(&parents), parents.len());
        let message = numbers(values);
        let batch = guest.list(&message, message.len());
        body.push_str(&format!(
            "(call $emit (i32.const {port}) (i32.const {}) (i32.const {}) (i32.const {}) (i32.const {}) \
             (i32.const {answer}))",
            parents[0], parents[1], batch[0], batch[1]
        ));
    }
    let done = guest.emitted(rejects);
    guest.process(&format!("{body} (i32.const {done})")).build()
}

#[test]
fn a_flat_map_carries_the_columns_and_origins_of_parents() {
    let collected = Setup::default().run(&exploding(&[]), input(3)).expect("runs");
    assert_eq!(collected.numbers(0, "y"), [7, 8, 9]);
    assert_eq!(collected.numbers(0, "x"), [2, 0, 0]);
    assert_eq!(collected.positions(0), [102, 100, 100]);
    assert_eq!(collected.rows.len(), 2, "emits of one port and call become one record");
    assert_eq!(collected.rows[1].1.batch.num_columns(), 1);
    assert_eq!((collected.numbers(1, "y"), collected.positions(1)), (vec![5], vec![101]));
}

#[test]
fn what_was_emitted_for_a_refused_row_is_dropped() {
    let collected = Setup::default().run(&exploding(&[(0, "zero", ""), (1, "one", "")]), input(3)).expect("runs");
    assert_eq!(collected.numbers(0, "y"), [7]);
    assert!(collected.numbers(1, "y").is_empty());
    assert_eq!(collected.rejected_rows(), [0, 1]);
}

#[test]
fn refused_rows_without_a_reader_follow_the_policy() {
    let component = filtered(&[0b111], &[(1, "odd", "one\nis odd")]);
    for policy in [OnError::Fail, OnError::DeadLetter] {
        let error = with(policy, false).error(&component);
        assert_eq!(error.kind(), ErrorKind::Data);
        let text = error.to_string();
        for part in [
            "operator `node`",
            "odd: one\\nis odd",
            "source flights, a.csv, position 101",
            r#"{"x":1,"name":"row 1"}"#,
            "`node.errors` (--errors FILE",
            "`on_error: skip` (--on-error skip)",
        ] {
            assert!(text.contains(part), "{text} lacks {part}");
        }
    }
    let collected = with(OnError::Skip, false).run(&component, input(3)).expect("skips");
    assert_eq!((collected.numbers(0, "x"), collected.rejected_rows()), (vec![0, 2], vec![1]));
}

#[test]
fn a_batch_refused_as_a_whole_follows_the_policy() {
    let component = failing(0, 0);
    for setup in [with(OnError::Fail, true), with(OnError::Fail, false), with(OnError::DeadLetter, false)] {
        let error = setup.error(&component);
        assert_eq!(error.kind(), ErrorKind::Plugin);
        assert!(error.to_string().contains("refused a batch of 3 rows: no good"), "{error}");
        for part in ["`node.errors`", "--errors FILE --on-error dead-letter", "`on_error: skip` (--on-error skip)"] {
            assert!(error.to_string().contains(part), "{error} lacks {part}");
        }
    }
    for setup in [with(OnError::DeadLetter, true), with(OnError::Skip, false)] {
        let collected = setup.run(&component, input(3)).expect("goes on");
        assert!(collected.rows.is_empty());
        assert_eq!(collected.rejected_rows(), [0, 1, 2]);
        assert!(collected.rejects.iter().all(|reject| reject.code == "reject-batch" && reject.message == "no good"));
    }
}

#[test]
fn fatal_stops_the_job_with_the_plugins_words() {
    let error = with(OnError::Skip, true).error(&failing(2, 0));
    assert_eq!(error.kind(), ErrorKind::Plugin);
    assert!(error.to_string().contains("stops the job: no good"), "{error}");
}

#[test]
fn retries_are_made_and_are_bounded() {
    let error = with(OnError::Skip, true).error(&failing(1, 0));
    assert!(error.is_retryable() && error.kind() == ErrorKind::External);
    assert!(error.to_string().contains(&format!("{RETRIES_MAX} times")), "{error}");
    let mut guest = Guest::new("filter", &["x"]).functions("(global $calls (mut i32) (i32.const 0))");
    let (retry, done) = (guest.failure(1, "", 1), guest.filtered(&[0b111], &[]));
    let body = format!(
        "(global.set $calls (i32.add (global.get $calls) (i32.const 1)))
         (if (i32.lt_u (global.get $calls) (i32.const 3)) (then (return (i32.const {retry}))))
         (i32.const {done})"
    );
    let collected = Setup::default().run(&guest.process(&body).build(), input(3)).expect("at the third time");
    assert_eq!(collected.numbers(0, "x"), [0, 1, 2]);
}

#[test]
fn time_and_chance_come_from_the_host() {
    let imports = r#"
        (import "volley:operator/clock@0.1.0" "now-ms" (func $now (result i64)))
        (import "volley:operator/random@0.1.0" "next-u64" (func $random (result i64)))
        (import "volley:operator/metrics@0.1.0" "counter-add" (func $count (param i32 i32 i64)))
        (import "volley:operator/metrics@0.1.0" "gauge-set" (func $gauge (param i32 i32 f64)))"#;
    let mut guest = Guest::new("filter", &["x"]).imports(imports);
    let (time, chance) = (guest.list(b"time", 4), guest.list(b"chance", 6));
    let result = guest.filtered(&[0], &[]);
    let body = format!(
        "(call $count (i32.const {}) (i32.const 4) (call $now))
         (call $count (i32.const {}) (i32.const 6) (i64.shr_u (call $random) (i64.const 8)))
         (i32.const {result})",
        time[0], chance[0]
    );
    let close = format!("(call $gauge (i32.const {}) (i32.const 5) (f64.const 2.5))", chance[0]);
    let component = guest.process(&body).close(&close).build();
    let counted = || {
        let setup = Setup::default();
        let factory = setup.factory(&component).expect("loads");
        let mut operator = setup.create(&factory).expect("created");
        let mut output = Collected::default();
        operator.process(input(3), &mut output).expect("runs");
        operator.process(input(3), &mut output).expect("runs");
        operator.finish(&mut output).expect("closes");
        factory.metrics().snapshot()
    };
    let first = counted();
    assert_eq!(first.metrics["time"], Metric::Counter(2 * 1_234));
    assert_eq!(first.metrics["chanc"], Metric::Gauge(2.5), "close may report");
    assert_eq!(first, counted(), "a replay sees the same numbers");
}

#[test]
fn the_plan_learns_what_it_needs() {
    let factory = Setup::default().factory(&filtered(&[0], &[])).expect("loads");
    assert_eq!(factory.label(), "plugin canned (filter)");
    assert!(factory.wants_coalesced_input() && factory.can_reject());
    assert_eq!(factory.identity().digest.as_deref(), Some(factory.plugin().info().digest.as_str()));
}
