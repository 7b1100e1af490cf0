//! Calls that are made twice: who lies about what its results depend on is found, and nobody else.

use volley_api::OperatorFactory;
use volley_wasm::{PluginFactory, PluginOptions, Violation};

use crate::guest::{Guest, words_to_bytes};
use crate::harness::{Collected, Setup, input, load, numbers_schema};

/// The cases of `determinism`.
pub(crate) const DETERMINISTIC: u32 = 0;
pub(crate) const REPLAYABLE: u32 = 1;
pub(crate) const NONDETERMINISTIC: u32 = 2;

pub(crate) const RANDOM: &str = r#"(import "volley:operator/random@0.1.0" "next-u64" (func $random (result i64)))"#;
pub(crate) const CLOCK: &str = r#"(import "volley:operator/clock@0.1.0" "now-ms" (func $now (result i64)))"#;

/// What the bitmap of eight rows is made of: the host's chance, its time, the number of calls that the instance has seen,
/// nothing at all.
pub(crate) const CHANCE: &str = "(i32.wrap_i64 (call $random))";
pub(crate) const TIME: &str = "(i32.wrap_i64 (i64.xor (call $now) (i64.shr_u (call $now) (i64.const 8))))";
pub(crate) const CALLS: &str = "(global.set $calls (i32.add (global.get $calls) (i32.const 1))) (global.get $calls)";
pub(crate) const NOTHING: &str = "(i32.const 0x5a)";

/// Has a guest say that it is so deterministic, and gives it a function `$bits` that is made so.
pub(crate) fn says(mut guest: Guest, declared: u32, bits: &str) -> Guest {
    let (name, version) = (guest.text("liar"), guest.text("1.0.0"));
    let states = guest.describes_states();
    let description =
        guest.put(&words_to_bytes(&[name[0], name[1], version[0], version[1], declared, states[0], states[1]]));
    guest
        .imports(RANDOM)
        .imports(CLOCK)
        .functions("(global $calls (mut i32) (i32.const 0))")
        .functions(&format!("(func $bits (result i32) {bits})"))
        .describe(&format!("(i32.const {description})"))
}

/// A filter that says that it is so deterministic, and makes its bitmap so.
fn filter(declared: u32, bits: &str) -> Vec<u8> {
    let mut guest = Guest::new("filter", &["x"]);
    let result = guest.filtered(&[0], &[]);
    let body = format!("(i32.store8 (i32.load offset=8 (i32.const {result})) (call $bits)) (i32.const {result})");
    says(guest, declared, bits).process(&body).build()
}

fn factory(component: &[u8], sample: u32) -> PluginFactory {
    let options = PluginOptions { determinism_sample: sample, ..PluginOptions::default() };
    PluginFactory::new(load(component).expect("loads"), options)
}

/// How often a plugin is found to lie in so many calls.
fn found(component: &[u8], sample: u32, calls: usize) -> u64 {
    let factory = factory(component, sample);
    let mut operator = Setup::default().create(&factory).expect("starts");
    let mut collected = Collected::default();
    for _ in 0..calls {
        operator.process(input(8), &mut collected).expect("the job goes on");
    }
    operator.finish(&mut collected).expect("ends");
    let snapshot = factory.metrics().snapshot();
    assert_eq!(snapshot.calls, calls as u64, "second calls are nobody's");
    assert_eq!((snapshot.restarts, snapshot.rows_in), (0, 8 * calls as u64));
    snapshot.violations.get(&Violation::Nondeterminism).copied().unwrap_or(0)
}

#[test]
fn who_says_deterministic_must_not_use_chance_or_time() {
    assert!(found(&filter(DETERMINISTIC, CHANCE), 1, 20) >= 18, "two draws may be the same");
    assert!(found(&filter(DETERMINISTIC, TIME), 1, 5) >= 5);
    assert_eq!(found(&filter(DETERMINISTIC, NOTHING), 1, 5), 0);
}

#[test]
fn who_says_replayable_may_use_what_the_host_answers() {
    for bits in [CHANCE, TIME, NOTHING] {
        assert_eq!(found(&filter(REPLAYABLE, bits), 1, 20), 0, "{bits}");
    }
}

#[test]
fn who_keeps_something_between_calls_is_found() {
    // The first call of an instance is the same in another.
    assert_eq!(found(&filter(REPLAYABLE, CALLS), 1, 5), 4);
    assert_eq!(found(&filter(DETERMINISTIC, CALLS), 1, 5), 4);
}

#[test]
fn who_promises_nothing_is_not_held_to_it() {
    assert_eq!(found(&filter(NONDETERMINISTIC, CALLS), 1, 5), 0);
}

#[test]
fn the_sample_is_as_large_as_asked() {
    assert_eq!(found(&filter(REPLAYABLE, CALLS), 4, 16), 4);
    assert_eq!(found(&filter(REPLAYABLE, CALLS), 0, 16), 0);
    assert_eq!(found(&filter(REPLAYABLE, CALLS), 256, 16), 0);
}

#[test]
fn maps_and_flat_maps_are_compared_value_by_value() {
    // Each answers with its input's message, and puts the number of its calls into the first value.
    let schema = numbers_schema("y");
    let mut guest = Guest::new("map", &["x"]).output("out", &schema, false);
    let answer = guest.mapped(&[], &[(5, "odd", "")]);
    let body = "(global.set $calls (i32.add (global.get $calls) (i32.const 1)))
        (i64.store (i32.sub (i32.add (local.get $ptr) (local.get $len)) (i32.const 64)) (i64.extend_i32_u (global.get $calls)))
        (i32.store offset=8 (global.get $answer) (local.get $ptr))
        (i32.store offset=12 (global.get $answer) (local.get $len))
        (global.get $answer)";
    let component = guest
        .functions(&format!("(global $answer i32 (i32.const {answer})) (global $calls (mut i32) (i32.const 0))"))
        .process(body)
        .build();
    assert_eq!(found(&component, 1, 4), 3);
}

#[test]
fn the_result_is_that_of_the_first_call() {
    let component = filter(REPLAYABLE, CALLS);
    let rows = |sample: u32| {
        let mut collected = Collected::default();
        let factory = factory(&component, sample);
        factory.bind(&crate::harness::input_schema()).expect("binds");
        let mut operator = Setup::default().create(&factory).expect("starts");
        for _ in 0..6 {
            operator.process(input(8), &mut collected).expect("runs");
        }
        collected.numbers(0, "x")
    };
    assert_eq!(rows(1), rows(0));
}
