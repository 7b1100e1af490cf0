//! Timers: of any time that there is, dropped when they crash or are refused, and set anew while they fire.

use volley_api::{Operator, Watermark};
use volley_wasm::{Crossing, OnError};

use crate::{NOTHING, Seen, input, operator, remembers};

/// Registers a timer for the first key of a call, at that time, in the domain of that number.
fn timer(at_ms: i64, domain: u8) -> String {
    format!(
        "(i32.store (i32.const %timer) (i32.load (local.get $groups)))
         (i64.store offset=8 (i32.const %timer) (i64.const {at_ms}))
         (i32.store8 offset=16 (i32.const %timer) (i32.const {domain}))
         (call $register (i32.const %timer) (i32.const 1) (i32.const %answer)) %check"
    )
}

fn lenient(guest: &[u8]) -> Box<dyn Operator> {
    operator(guest, Crossing::Direct, OnError::DeadLetter)
}

/// What is reported of a timer of the first name.
fn reported(code: &str, at_ms: i64) -> (String, String) {
    (code.to_owned(), format!(r#"{{"name":"name 0","timer_at_ms":{at_ms},"timer_tag":0}}"#))
}

#[test]
fn one_that_crashes_is_dropped_and_its_key_reported() {
    let guest = remembers(-1, &timer(5, 0), "unreachable", "");
    let mut strict = operator(&guest, Crossing::Direct, OnError::Fail);
    let mut seen = Seen::default();
    strict.process(input(0), &mut seen).expect("no timer has fired");
    let error = strict.on_watermark(Watermark::AtMs(5), &mut seen).expect_err("it crashes").to_string();
    assert!(error.contains("trapped in `on-timers`") && error.contains("\"name\":\"name 0\""), "{error}");
    let mut lenient = lenient(&guest);
    let mut seen = Seen::default();
    lenient.process(input(0), &mut seen).expect("no timer has fired");
    lenient.on_watermark(Watermark::AtMs(4), &mut seen).expect("it is not due");
    assert!(seen.refused.is_empty());
    lenient.on_watermark(Watermark::AtMs(5), &mut seen).expect("goes on");
    assert_eq!(seen.refused, [reported("plugin-unreachable", 5)]);
    lenient.on_watermark(Watermark::End, &mut seen).expect("there is no timer left");
    assert_eq!(seen.refused.len(), 1);
    // Its keys have other numbers for the fresh instance, and state is still theirs.
    let mut seen = Seen::default();
    lenient.process(input(1_000), &mut seen).expect("goes on");
    assert_eq!(seen.rows[7], (1_007, Some(7)));
}

#[test]
fn an_instance_that_refuses_timers_goes_on_with_the_numbers_that_it_knows() {
    // A call with one row has the name 7, which was the eighth to come: any other number is a crash.
    let numbers = "(if (i32.eq (local.get $group_count) (i32.const 1))
        (then (if (i32.ne (i32.load (local.get $groups)) (i32.const 7)) (then unreachable))))";
    let guest = remembers(-1, &format!("{} {numbers}", timer(5, 0)), "(i32.const %rejected)", "");
    let mut operator = lenient(&guest);
    let mut seen = Seen::default();
    operator.process(input(0), &mut seen).expect("no timer has fired");
    operator.on_watermark(Watermark::AtMs(5), &mut seen).expect("goes on");
    assert_eq!(seen.refused, [reported("reject-batch", 5)]);
    let mut seen = Seen::default();
    operator.process(input(1_000).slice(7, 1), &mut seen).expect("goes on");
    assert_eq!((seen.rows, seen.refused), (vec![(1_007, Some(7))], vec![]));
}

#[test]
fn of_the_clock_one_that_crashes_is_due_no_more() {
    // It is 1,234 by the clock.
    let mut operator = lenient(&remembers(-1, &timer(5, 1), "unreachable", ""));
    let mut seen = Seen::default();
    assert_eq!(operator.time_due_in(), None);
    operator.process(input(0), &mut seen).expect("no timer has fired");
    assert!(operator.time_due_in().is_some_and(|span| span.is_zero()));
    operator.on_time(&mut seen).expect("goes on");
    assert_eq!(seen.refused, [reported("plugin-unreachable", 5)]);
    assert_eq!(operator.time_due_in(), None, "the operator would be called without end");
    operator.on_watermark(Watermark::End, &mut seen).expect("there is no timer left");
    assert_eq!(seen.refused.len(), 1);
}

#[test]
fn of_the_clock_those_that_wait_at_the_end_do_not_fire() {
    let mut operator = lenient(&remembers(-1, &timer(5_000, 1), "unreachable", ""));
    let mut seen = Seen::default();
    operator.process(input(0), &mut seen).expect("no timer has fired");
    assert_eq!(operator.time_due_in().map(|span| span.as_millis()), Some(3_766));
    operator.on_watermark(Watermark::End, &mut seen).expect("none of them is called");
    assert_eq!(seen.refused, []);
}

/// Whoever fires is reported, since it crashes.
#[test]
fn a_time_that_has_passed_fires_with_the_next_watermark_and_the_last_of_all_times_at_the_end() {
    const FARTHEST: i64 = 1 << 52;
    for (at_ms, fires) in [(5, Watermark::AtMs(101)), (-FARTHEST, Watermark::AtMs(101)), (FARTHEST, Watermark::End)] {
        let mut operator = lenient(&remembers(-1, &timer(at_ms, 0), "unreachable", ""));
        let mut seen = Seen::default();
        operator.on_watermark(Watermark::AtMs(100), &mut seen).expect("there is no timer");
        operator.process(input(0), &mut seen).expect("no timer has fired");
        assert_eq!(seen.refused, [], "{at_ms}");
        for watermark in [Watermark::AtMs(101), Watermark::AtMs(FARTHEST - 1), Watermark::End] {
            let before = seen.refused.len();
            operator.on_watermark(watermark, &mut seen).expect("goes on");
            assert_eq!(seen.refused.len() > before, watermark == fires, "{at_ms} at {watermark:?}");
        }
        assert_eq!(seen.refused, [reported("plugin-unreachable", at_ms)]);
    }
}

#[test]
fn beyond_all_times_a_timer_is_refused_with_the_limit() {
    for at_ms in [i64::MIN, i64::MAX, (1 << 52) + 1] {
        let mut operator = lenient(&remembers(-1, &timer(at_ms, 0), NOTHING, ""));
        let error = operator.process(input(0), &mut Seen::default()).expect_err("it gives up").to_string();
        // The plugin is told; this one takes it for fatal.
        assert!(error.contains("refused"), "{error}");
    }
}

/// Sets itself again, ten milliseconds later; crashes at 25 or behind it, which is how a test sees it.
const AGAIN: &str = "
  (if (i64.ge_s (i64.load offset=8 (local.get $timers)) (i64.const 25)) (then unreachable))
  (i64.store offset=8 (local.get $timers) (i64.add (i64.const 10) (i64.load offset=8 (local.get $timers))))
  (call $register (local.get $timers) (local.get $count) (i32.const %answer)) %check
  (i32.const %unit)";

#[test]
fn what_is_set_for_later_while_timers_fire_fires_in_its_turn_also_at_the_end() {
    for watermarks in [vec![Watermark::End], vec![Watermark::AtMs(15), Watermark::End], vec![Watermark::AtMs(30)]] {
        let mut operator = lenient(&remembers(-1, &timer(5, 0), AGAIN, ""));
        let mut seen = Seen::default();
        operator.process(input(0), &mut seen).expect("no timer has fired");
        for watermark in &watermarks {
            operator.on_watermark(*watermark, &mut seen).expect("goes on");
        }
        assert_eq!(seen.refused, [reported("plugin-unreachable", 25)], "{watermarks:?}");
    }
}
