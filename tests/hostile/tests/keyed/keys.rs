//! More keys than an instance is to remember: their numbers are void, and what is known of them is not.

use volley_wasm::{Crossing, OnError};

use crate::{NOTHING, Seen, input_of, operator, remembers};

/// Names of a megabyte each: 64 of them are all that an instance is to remember.
fn long(from: usize, count: usize) -> Vec<String> {
    (from..from + count).map(|number| format!("{number:060000}").repeat(18)).collect()
}

/// Counts from 0 on, and forgets: a call with one row has the number 0 if and only if it has forgotten.
fn first_number_is(number: u32) -> String {
    format!(
        "(if (i32.eq (local.get $group_count) (i32.const 1))
           (then (if (i32.ne (i32.load (local.get $groups)) (i32.const {number})) (then unreachable))))"
    )
}

#[test]
fn an_instance_that_was_told_to_forget_gets_numbers_from_the_beginning_and_the_state_is_still_there() {
    let mut operator =
        operator(&remembers(-1, &first_number_is(0), NOTHING, ""), Crossing::Direct, OnError::DeadLetter);
    let mut seen = Seen::default();
    operator.process(input_of(0, long(0, 65)), &mut seen).expect("goes on");
    assert_eq!((seen.rows.len(), seen.refused.len()), (65, 0));
    let mut seen = Seen::default();
    operator.process(input_of(1_000, long(7, 1)), &mut seen).expect("goes on");
    assert_eq!((seen.rows, seen.refused), (vec![(1_000, Some(7))], vec![]));
}

#[test]
fn a_crash_while_it_forgets_costs_an_instance_and_no_row() {
    let guest = remembers(-1, &first_number_is(0), NOTHING, "unreachable");
    let mut operator = operator(&guest, Crossing::Direct, OnError::DeadLetter);
    let mut seen = Seen::default();
    operator.process(input_of(0, long(0, 65)), &mut seen).expect("goes on");
    operator.process(input_of(1_000, long(7, 1)), &mut seen).expect("goes on");
    assert_eq!((seen.rows.last(), seen.refused.len()), (Some(&(1_000, Some(7))), 0));
}
