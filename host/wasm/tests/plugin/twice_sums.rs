//! Calls of aggregates that are made twice.

use std::collections::BTreeMap;

use volley_api::AggregatorRole;
use volley_test_guests::SumGuest;
use volley_wasm::Violation;

use crate::aggregate::{Groups, Setup};
use crate::twice::{CLOCK, DETERMINISTIC, NONDETERMINISTIC, RANDOM, REPLAYABLE};

/// What is added to a value: the host's chance, its time, the number of calls that the instance has seen, nothing.
const CHANCE: &str = "(call $random)";
const TIME: &str = "(call $now)";
const CALLS: &str = "(i64.extend_i32_u (global.get $calls))";
const NOTHING: &str = "(i64.const 0)";

/// The functions in which that is done.
const FUNCTIONS: [&str; 4] = ["update", "merge", "drain", "evaluate"];

fn guest(determinism: u32, more: &str, function: &str) -> SumGuest {
    let body = |of: &str| {
        if of == function { format!("(local.set $v (i64.add (local.get $v) {more}))") } else { String::new() }
    };
    SumGuest {
        update: body("update"),
        merge: body("merge"),
        drain: body("drain"),
        evaluate: body("evaluate"),
        imports: format!("{RANDOM} {CLOCK}"),
        determinism,
        ..SumGuest::default()
    }
}

/// Five drains of two aggregators, then their pieces are merged and evaluated: how often it is found to lie, and the sums.
fn run(guest: SumGuest, sample: u32, role: AggregatorRole) -> (u64, [BTreeMap<i64, i64>; 2]) {
    let (pool, metrics) = Setup { sample, role, ..Setup::default() }.pool(guest).expect("starts");
    let (mut one, mut other) = (Groups::new(&*pool), Groups::new(&*pool));
    for round in 0..5 {
        one.update(&[1, 2, 3 + round, 1], &[10, 20, 30, round], 0).expect("goes on");
        other.update(&[7, 1], &[70, 1], 4).expect("goes on");
        one.update(&[2, 9], &[round, 90], 6).expect("goes on");
        pool.settle().expect("settles");
    }
    let sums = [one.sums().expect("evaluates"), other.sums().expect("evaluates")];
    let snapshot = metrics.snapshot();
    // Three updates and a drain, five times; a merge, a drain and an evaluation of each, or two where some groups have one piece.
    assert!((26..=28).contains(&snapshot.calls), "second calls are nobody's: {}", snapshot.calls);
    assert_eq!(snapshot.restarts, 0);
    assert!(snapshot.violations.keys().all(|violation| *violation == Violation::Nondeterminism), "{snapshot:?}");
    (snapshot.violations.get(&Violation::Nondeterminism).copied().unwrap_or(0), sums)
}

fn found(determinism: u32, more: &str, function: &str) -> u64 {
    run(guest(determinism, more, function), 1, AggregatorRole::Operator).0
}

#[test]
fn aggregates_that_lie_are_found_in_each_function() {
    for function in FUNCTIONS {
        for more in [CHANCE, TIME] {
            assert!(found(DETERMINISTIC, more, function) >= 2, "{function} {more}");
        }
        for declared in [DETERMINISTIC, REPLAYABLE] {
            assert!(found(declared, CALLS, function) >= 2, "{function}");
        }
    }
}

#[test]
fn aggregates_that_are_honest_are_not_reported() {
    for function in FUNCTIONS {
        for more in [CHANCE, TIME, NOTHING] {
            assert_eq!(found(REPLAYABLE, more, function), 0, "{function} {more}");
        }
        assert_eq!(found(NONDETERMINISTIC, CALLS, function), 0, "{function}");
    }
    assert_eq!(found(DETERMINISTIC, NOTHING, "update"), 0);
}

#[test]
fn before_an_exchange_it_is_the_same() {
    let run = |determinism, sample| run(guest(determinism, CALLS, "update"), sample, AggregatorRole::BeforeExchange);
    assert!(run(REPLAYABLE, 1).0 >= 2);
    assert_eq!(run(REPLAYABLE, 1).1, run(REPLAYABLE, 0).1);
}

#[test]
fn results_are_those_of_the_first_calls_and_the_sample_is_as_large_as_asked() {
    for function in FUNCTIONS {
        let run = |sample| run(guest(REPLAYABLE, CALLS, function), sample, AggregatorRole::Operator);
        let (all, some, none) = (run(1), run(4), run(0));
        assert_eq!((&all.1, &some.1), (&none.1, &none.1), "{function}");
        assert!(none.0 == 0 && some.0 < all.0, "{function}");
    }
}
