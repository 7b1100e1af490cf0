//! Guests that fail on some rows: those rows alone are blamed, however the rows were batched.

use std::time::Duration;

use arrow::array::{Array, ArrayRef, Int64Array, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Schema};
use proptest::prelude::*;
use std::sync::Arc;
use volley_api::{ErrorKind, OriginColumn, Positions, StreamRecord};
use volley_ipc::encode_batch;
use volley_wasm::{OnError, PluginLimits, Violation};

use crate::guest::Guest;
use crate::harness::{Collected, Setup, input, input_schema};

/// The value of `x` on which the guests here fail.
const POISON: i64 = 666;

/// A record of these values of `x`, from position `100 + first` on.
fn record(values: &[i64], first: usize) -> StreamRecord {
    let numbers: ArrayRef = Arc::new(Int64Array::from(values.to_vec()));
    let names: ArrayRef = Arc::new(StringArray::from_iter_values(values.iter().map(|x| format!("row {x}"))));
    let batch = RecordBatch::try_new(input_schema(), vec![numbers, names]).expect("fits");
    let positions = Positions::From(100 + i64::try_from(first).expect("small"));
    StreamRecord::new(batch).with_origins(OriginColumn::of_split(0, 0, &positions, values.len()))
}

/// Where a message of `x` alone says how many rows it has: found by comparing two of them.
fn rows_at() -> usize {
    let message = |rows: i64| {
        let column: ArrayRef = Arc::new(Int64Array::from_iter_values(0..rows));
        encode_batch(&RecordBatch::try_from_iter_with_nullable([("x", column, true)]).expect("fits")).expect("encodes")
    };
    let (one, other) = (message(5), message(6));
    one.iter().zip(&other).position(|(one, other)| one != other).expect("they differ")
}

/// A filter that keeps every row. `$x` is the value of a row, `$rows` how many there are; `row` is run for each.
fn filter(row: &str) -> Guest {
    let mut guest = Guest::new("filter", &["x"]);
    let bitmap = guest.put(&[0xff; 1_024]);
    let result = guest.put(&[0; 24]);
    let answer = format!(
        "(i32.store offset=8 (i32.const {result}) (i32.const {bitmap}))
         (i32.store offset=12 (i32.const {result}) (i32.shr_u (i32.add (local.get $rows) (i32.const 7)) (i32.const 3)))
         (i32.const {result})"
    );
    guest.process(&for_each_row(row, &answer))
}

/// Runs `row` for each row of a message of `x`, and then gives the answer.
fn for_each_row(row: &str, answer: &str) -> String {
    format!(
        "(local $rows i32) (local $x i64) (local $at i32)
         (local.set $rows (i32.load (i32.add (local.get $ptr) (i32.const {rows_at}))))
         (local.set $at (i32.add (i32.add (local.get $ptr) (i32.const 8)) (i32.load offset=4 (local.get $ptr))))
         (block $done (loop $next
           (br_if $done (i32.ge_u (local.get $i) (local.get $rows)))
           (local.set $x (i64.load (i32.add (local.get $at) (i32.shl (local.get $i) (i32.const 3)))))
           {row}
           (local.set $i (i32.add (local.get $i) (i32.const 1)))
           (br $next)))
         {answer}",
        rows_at = rows_at(),
    )
}

fn trapping() -> Vec<u8> {
    filter(&format!("(if (i64.eq (local.get $x) (i64.const {POISON})) (then unreachable))")).build()
}

fn policy(on_error: OnError) -> Setup {
    Setup { on_error, ..Setup::default() }
}

#[test]
fn a_guilty_row_goes_to_the_dead_letters_and_its_neighbours_do_not() {
    let values = [0, 1, POISON, 3, 4, 5, POISON, 7];
    let collected = policy(OnError::DeadLetter).run(&trapping(), record(&values, 0)).expect("goes on");
    assert_eq!(collected.numbers(0, "x"), [0, 1, 3, 4, 5, 7]);
    assert_eq!(collected.positions(0), [100, 101, 103, 104, 105, 107]);
    assert_eq!(collected.rejected_rows(), [2, 6]);
    let reject = &collected.rejects[0];
    assert_eq!(reject.code, "plugin-unreachable");
    assert!(reject.message.contains("plugin canned") && reject.message.contains("code offset 0x"), "{reject:?}");
    let skipped = policy(OnError::Skip);
    let skipped = Setup { errors_attached: false, ..skipped }.run(&trapping(), record(&values, 0)).expect("goes on");
    assert_eq!(skipped.numbers(0, "x"), [0, 1, 3, 4, 5, 7]);
}

#[test]
fn a_job_that_stops_names_the_row() {
    for setup in [policy(OnError::Fail), Setup { errors_attached: false, ..policy(OnError::DeadLetter) }] {
        let error = setup.run(&trapping(), record(&[1, 2, POISON, 4], 0)).expect_err("stops");
        assert_eq!(error.kind(), ErrorKind::Plugin);
        for part in ["`unreachable`", "source flights, a.csv, position 102", r#"{"x":666,"name":"row 666"}"#] {
            assert!(error.to_string().contains(part), "{error} lacks {part}");
        }
    }
}

#[test]
fn what_was_asked_of_one_call_only_is_asked_of_smaller_ones() {
    // More than four rows at once are too many for it: nobody is guilty, and no policy is needed.
    let component = filter("(if (i32.gt_u (local.get $rows) (i32.const 4)) (then unreachable))").build();
    let collected = policy(OnError::Fail).run(&component, input(23)).expect("in smaller calls");
    assert_eq!(collected.numbers(0, "x"), (0..23).collect::<Vec<_>>());
    assert!(collected.rejects.is_empty());
}

#[test]
fn a_size_that_fails_is_not_tried_again_and_again() {
    // As above, with more rows than the restart budget has instances.
    let component = filter("(if (i32.gt_u (local.get $rows) (i32.const 4)) (then unreachable))").build();
    let collected = policy(OnError::Fail).run(&component, input(8_000)).expect("in smaller calls");
    assert_eq!(collected.numbers(0, "x"), (0..8_000).collect::<Vec<_>>());
}

#[test]
fn what_goes_in_and_comes_back_counts_as_transfer() {
    // Some 40 bytes a row go in: all of them are too many for one call, and fewer are not.
    let component = filter("").build();
    let limits = PluginLimits { transfer_bytes_max: 4_096, ..PluginLimits::default() };
    let collected = Setup { limits, ..policy(OnError::Fail) }.run(&component, input(1_000)).expect("in smaller calls");
    assert_eq!(collected.numbers(0, "x").len(), 1_000);
    let limits = PluginLimits { transfer_bytes_max: 256, ..PluginLimits::default() };
    let error = Setup { limits, ..policy(OnError::Fail) }.run(&component, input(3)).expect_err("not even one row");
    assert!(error.to_string().contains("`limits.transfer` is 256"), "{error}");
}

#[test]
fn a_row_without_end_is_blamed_for_its_deadline() {
    let row = format!("(if (i64.eq (local.get $x) (i64.const {POISON})) (then (loop $on (br $on))))");
    let limits = PluginLimits { deadline: Duration::from_millis(15), ..PluginLimits::default() };
    let setup = Setup { limits, ..policy(OnError::DeadLetter) };
    let collected = setup.run(&filter(&row).build(), record(&[1, POISON, 3], 0)).expect("goes on");
    assert_eq!((collected.numbers(0, "x"), collected.rejected_rows()), (vec![1, 3], vec![1]));
    assert_eq!(collected.rejects[0].code, "plugin-deadline");
}

#[test]
fn broken_promises_about_a_row_are_its_own_too() {
    // A bitmap too short, as soon as the row is there.
    let row = format!("(if (i64.eq (local.get $x) (i64.const {POISON})) (then (local.set $rows (i32.const 0))))");
    let component = filter(&row).build();
    let values = [1, 2, 3, POISON];
    let collected = policy(OnError::DeadLetter).run(&component, record(&values, 0)).expect("goes on");
    assert_eq!((collected.numbers(0, "x"), collected.rejected_rows()), (vec![1, 2, 3], vec![3]));
    assert_eq!(collected.rejects[0].code, "plugin-bad-bitmap");
    let error = policy(OnError::Fail).run(&component, record(&values, 0)).expect_err("stops");
    assert!(error.to_string().contains("broke the contract in `filter`: a bitmap of 0 bytes"), "{error}");
}

#[test]
fn failures_are_counted_and_too_many_of_them_quarantine_the_plugin() {
    // A component of its own: the quarantine is the engine's, which all tests share.
    let component =
        filter(&format!("(if (i64.eq (local.get $x) (i64.const {POISON})) (then (unreachable) (nop)))")).build();
    let limits = PluginLimits { restarts_max: 9, ..PluginLimits::default() };
    let setup = Setup { limits, ..policy(OnError::DeadLetter) };
    let factory = setup.factory(&component).expect("loads");
    let mut operator = setup.create(&factory).expect("created");
    let mut neighbour = setup.create(&factory).expect("created");
    let mut output = Collected::default();
    operator.process(record(&[1, 2, POISON, 4], 0), &mut output).expect("within the budget");
    let seen = factory.metrics().snapshot();
    // Failed: the four rows, the right two, row 2 alone, and again.
    assert_eq!((seen.violations[&Violation::Unreachable], seen.restarts), (4, 4));
    let error = operator.process(record(&[POISON; 4], 4), &mut output).expect_err("too many");
    assert!(error.to_string().contains("quarantined after 9 failures within 60 s (`limits.restarts`)"), "{error}");
    assert_eq!(factory.metrics().snapshot().violations[&Violation::Quarantined], 1);
    let error = setup.create(&setup.factory(&component).expect("loads")).map(drop).expect_err("still quarantined");
    assert!(error.to_string().contains("quarantined for another 300 s"), "{error}");
    // One that was already running goes on, until it would have to be started again.
    neighbour.process(record(&[1, 2], 8), &mut output).expect("nothing happened to it");
    let error = neighbour.process(record(&[POISON], 10), &mut output).expect_err("no fresh instance");
    assert!(error.to_string().contains("quarantined for another 300 s"), "{error}");
}

/// A flat-map that emits one canned batch for a poisoned row and another for all others, each with that row as the
/// parent of all its rows.
fn emitting(poisoned: &StringArray, other: &StringArray) -> Vec<u8> {
    let emit = r#"(import "volley:operator/emitter@0.1.0" "emit" (func $emit (param i32 i32 i32 i32 i32 i32)))"#;
    let schema = Schema::new(vec![Field::new("t", DataType::Utf8, true)]);
    let mut guest = Guest::new("flat-map", &["x"]).output("out", &schema, true).imports(emit);
    let answer = guest.put(&[0; 16]);
    let done = guest.emitted(&[]);
    let mut emits = |texts: &StringArray| {
        let column: ArrayRef = Arc::new(texts.clone());
        let batch = RecordBatch::try_from_iter_with_nullable([("t", column, true)]).expect("fits");
        let [address, length] = {
            let message = encode_batch(&batch).expect("encodes");
            guest.list(&message, message.len())
        };
        let rows = texts.len();
        let parents = guest.put(&vec![0; 4 * rows]);
        let fill: String = (0..rows)
            .map(|row| {
                format!("(i32.store (i32.const {}) (local.get $i))", usize::try_from(parents).expect("small") + 4 * row)
            })
            .collect();
        format!(
            "{fill} (call $emit (i32.const 0) (i32.const {parents}) (i32.const {rows}) (i32.const {address}) \
               (i32.const {length}) (i32.const {answer}))"
        )
    };
    let (poisoned, other) = (emits(poisoned), emits(other));
    let row = format!("(if (i64.eq (local.get $x) (i64.const {POISON})) (then {poisoned}) (else {other}))");
    guest.process(&for_each_row(&row, &format!("(i32.const {done})"))).build()
}

/// What the poisoned row of a record becomes, and the others, in calls on so many rows each.
fn in_calls_of(setup: &Setup, component: &[u8], values: &[i64], rows: usize) -> (Vec<i64>, Vec<usize>, Vec<String>) {
    let mut operator = setup.operator(component).expect("created");
    let mut collected = Collected::default();
    for (call, part) in values.chunks(rows).enumerate() {
        operator.process(record(part, call * rows), &mut collected).expect("goes on");
    }
    let codes = collected.rejects.iter().map(|reject| reject.code.clone()).collect();
    (collected.positions(0), collected.rejected_rows(), codes)
}

#[test]
fn how_much_a_row_may_become_does_not_depend_on_its_neighbours() {
    let values = [0, 1, 2, POISON, 4, 5, 6, 7, 8];
    let short = StringArray::from(vec!["short"]);
    let long = StringArray::from(vec!["x".repeat(70 << 10)]);
    let cases = [
        (StringArray::from(vec!["many"; 20]), PluginLimits { rows_per_row_max: 19, ..PluginLimits::default() }),
        (long, PluginLimits { bytes_per_row_max: 64 << 10, ..PluginLimits::default() }),
    ];
    for (poisoned, limits) in cases {
        let component = emitting(&poisoned, &short);
        let setup = Setup { limits, ..policy(OnError::DeadLetter) };
        for rows in 1..=values.len() {
            let (positions, rejected, codes) = in_calls_of(&setup, &component, &values, rows);
            assert_eq!(positions, [100, 101, 102, 104, 105, 106, 107, 108], "in calls of {rows}");
            assert_eq!((rejected, codes), (vec![3], vec!["plugin-amplification".to_owned()]), "in calls of {rows}");
        }
        let allowed = Setup { limits: PluginLimits::default(), ..policy(OnError::DeadLetter) };
        assert_eq!(in_calls_of(&allowed, &component, &values, 4).0.len(), values.len() - 1 + poisoned.len());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn the_result_does_not_depend_on_how_rows_were_batched(
        poison in prop::collection::vec(prop::bool::weighted(0.15), 1..60),
        cuts in prop::collection::vec(1usize..20, 1..60),
    ) {
        let component = trapping();
        let number = |(row, poison): (usize, &bool)| if *poison { POISON } else { row as i64 };
        let values: Vec<i64> = poison.iter().enumerate().map(number).collect();
        let limits = PluginLimits { restarts_max: 10_000, ..PluginLimits::default() };
        let setup = Setup { limits, ..policy(OnError::DeadLetter) };
        let mut operator = setup.operator(&component).expect("created");
        let mut collected = Collected::default();
        let mut first = 0;
        for cut in cuts.iter().cycle() {
            let length = (*cut).min(values.len() - first);
            operator.process(record(&values[first..first + length], first), &mut collected).expect("goes on");
            first += length;
            if first == values.len() {
                break;
            }
        }
        let good: Vec<i64> = values.iter().copied().filter(|x| *x != POISON).collect();
        let bad: Vec<usize> = values.iter().enumerate().filter(|(_, x)| **x == POISON).map(|(row, _)| row).collect();
        prop_assert_eq!(collected.numbers(0, "x"), good);
        prop_assert_eq!(collected.rejected_rows(), bad);
    }
}
