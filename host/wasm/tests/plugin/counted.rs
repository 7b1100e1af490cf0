//! What is counted of a plugin that runs: calls, rows, bytes, and memory until it is given back.

use volley_api::OperatorFactory;
use volley_telemetry::Registry;
use volley_wasm::{CALL_ROWS_MAX, Crossing, OnError};

use crate::guest::Guest;
use crate::harness::{Collected, Setup, input, input_schema};

/// Four rows: the second is refused, the third is not kept.
fn component() -> Vec<u8> {
    let mut guest = Guest::new("filter", &["x"]);
    let result = guest.filtered(&[0b1111_1011], &[(1, "odd", "one is odd")]);
    guest.process(&format!("(i32.const {result})")).build()
}

#[test]
fn a_call_counts_its_rows_and_bytes_by_either_crossing() {
    for crossing in [Crossing::Direct, Crossing::Stock] {
        let setup = Setup { crossing, ..Setup::default() };
        let factory = setup.factory(&component()).expect("loads");
        let mut operator = setup.create(&factory).expect("created");
        let (metrics, mut output) = (factory.metrics(), Collected::default());
        assert!(metrics.snapshot().memory_bytes.is_multiple_of(65_536) && metrics.snapshot().memory_bytes > 0);
        for _ in 0..2 {
            operator.process(input(4), &mut output).expect("runs");
        }
        operator.finish(&mut output).expect("closes");
        let seen = metrics.snapshot();
        assert_eq!((seen.calls, seen.rows_in, seen.rows_out, seen.rows_rejected), (2, 8, 4, 2));
        assert_eq!(seen.bytes_out, 2, "a bitmap of a byte each");
        assert!((2 * 4 * 8..2 * 1_024).contains(&seen.bytes_in), "numbers and a header: {seen:?}");
        assert_eq!((seen.restarts, seen.violations.len()), (0, 0));
        drop(operator);
        assert_eq!(metrics.snapshot().memory_bytes, 0, "given back");
    }
}

#[test]
fn a_call_that_traps_counts_and_so_does_the_instance_after_it() {
    let guest = Guest::new("filter", &["x"]);
    let setup = Setup { on_error: OnError::Skip, errors_attached: false, ..Setup::default() };
    let factory = setup.factory(&guest.process("unreachable").build()).expect("loads");
    let mut operator = setup.create(&factory).expect("created");
    operator.process(input(1), &mut Collected::default()).expect("the row is skipped");
    let seen = factory.metrics().snapshot();
    assert_eq!((seen.rows_in, seen.rows_out, seen.rows_rejected), (1, 0, 1));
    assert_eq!(seen.calls, seen.violations.values().sum::<u64>(), "each of them failed: {seen:?}");
    assert!(seen.calls >= 2 && seen.restarts == seen.calls - 1, "{seen:?}");
}

#[test]
fn a_long_record_takes_several_calls_and_its_rows_count_once() {
    let setup = Setup::default();
    let mut guest = Guest::new("filter", &["x"]);
    let first = guest.filtered(&[0; CALL_ROWS_MAX / 8], &[]);
    let second = guest.filtered(&[1], &[]);
    let choose = format!(
        "(if (result i32) (global.get $again) (then (i32.const {second}))
         (else (global.set $again (i32.const 1)) (i32.const {first})))"
    );
    let component = guest.functions("(global $again (mut i32) (i32.const 0))").process(&choose).build();
    let factory = setup.factory(&component).expect("loads");
    let mut operator = setup.create(&factory).expect("created");
    operator.process(input(CALL_ROWS_MAX + 1), &mut Collected::default()).expect("runs");
    let seen = factory.metrics().snapshot();
    assert_eq!((seen.calls, seen.rows_in, seen.rows_out), (2, CALL_ROWS_MAX as u64 + 1, 1));
}

#[test]
fn a_page_shows_the_plugin_under_operator_name_and_digest() {
    let setup = Setup::default();
    let factory = setup.factory(&component()).expect("loads");
    let registry = Registry::default();
    factory.metrics().register(&registry, "far", factory.plugin());
    factory.bind(&input_schema()).expect("binds");
    let mut operator = setup.create(&factory).expect("created");
    operator.process(input(4), &mut Collected::default()).expect("runs");
    let (page, digest) = (registry.render(), &factory.plugin().info().digest[..12]);
    let line = format!("volley_plugin_rows_in_total{{operator=\"far\",plugin=\"canned\",digest=\"{digest}\"}} 4\n");
    assert!(page.contains(&line), "no {line} in {page}");
    assert!(page.contains("reason=\"unreachable\"} 0\n"), "{page}");
}
