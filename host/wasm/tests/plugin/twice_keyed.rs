//! Calls of processes that are made twice: nothing that the second writes is stored, and what it reads is what the first read.

use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, RecordBatch};
use volley_api::{
    NodeName, Operator, OperatorContext, OperatorFactory, OriginDirectory, SeedSource, StreamType, SubtaskId, Watermark,
};
use volley_ipc::encode_batch;
use volley_test_guests::SnapshotBodies;
use volley_wasm::{Plugin, PluginFactory, PluginOptions, Violation};

use crate::guest::{Guest, words_to_bytes};
use crate::harness::{Collected, Ticking, input, input_schema, load, numbers_schema};
use crate::memory::Memory;
use crate::twice::{CALLS, CHANCE, DETERMINISTIC, NONDETERMINISTIC, NOTHING, REPLAYABLE, TIME, says};
use crate::twice_values::{asking, with_a_server};

/// Rows of a record, each of a key of its own.
const ROWS: usize = 8;

const IMPORTS: &str = r#"
  (import "volley:operator/emitter@0.1.0" "emit" (func $emit (param i32 i32 i32 i32 i32 i32)))
  (import "volley:operator/state@0.1.0" "get" (func $get (param i32 i32 i32 i32)))
  (import "volley:operator/state@0.1.0" "put" (func $put (param i32 i32 i32 i32 i32 i32)))
  (import "volley:operator/timers@0.1.0" "register" (func $register (param i32 i32 i32)))"#;

/// What depends on what it should not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// Rows that `process` emits.
    Rows,
    /// What it writes to state.
    State,
    /// The time of a timer that it registers.
    Timer,
    /// Rows that `on-timers` emits.
    OnTimers,
    /// Rows that `on-watermark` emits.
    OnWatermark,
}

const PLACES: [Place; 5] = [Place::Rows, Place::State, Place::Timer, Place::OnTimers, Place::OnWatermark];

/// A process that emits what it knew of its keys, remembers `x` for them, and sets a timer. `holds`: it holds state itself, how
/// often `$bits` was called.
fn process(declared: u32, bits: &str, place: Place, holds: bool) -> Vec<u8> {
    process_of(Guest::new("process", &["x"]), declared, bits, place, holds)
}

fn process_of(guest: Guest, declared: u32, bits: &str, place: Place, holds: bool) -> Vec<u8> {
    let mut guest = guest.output("out", &numbers_schema("known"), true).imports(IMPORTS);
    let parents: Vec<u32> = (0..).take(ROWS).collect();
    let parents = guest.put(&words_to_bytes(&parents));
    let answer = guest.put(&[0; 32]);
    let timer = guest.put(&[0; 24]);
    let (done, refused, unit) = (guest.emitted(&[]), guest.failure(2, "refused", 0), guest.put(&[0; 24]));
    let column: ArrayRef = Arc::new(Int64Array::from(vec![7]));
    let row = encode_batch(&RecordBatch::try_from_iter_with_nullable([("known", column, true)]).expect("one column"));
    let row = row.expect("encodes");
    // The number is what is last in the message, padded to 64 bytes.
    let (row, row_bytes) = (guest.put_aligned(&row), row.len());
    let number = row as usize + row_bytes - 64;
    let check = format!("(if (i32.load8_u (i32.const {answer})) (then (return (i32.const {refused}))))");
    let of = |here: Place| if here == place { "(i64.extend_i32_u (call $bits))" } else { "(i64.const 11)" };
    let emits = |here: Place| {
        format!(
            "(i64.store (i32.const {number}) {})
             (call $emit (i32.const 0) (i32.const {parents}) (i32.const {}) (i32.const {row}) (i32.const {row_bytes})
               (i32.const {answer})) {check}",
            of(here),
            // Of a watermark rows come from nothing.
            u32::from(here != Place::OnWatermark)
        )
    };
    let body = format!(
        "{emit}
         (call $get (i32.const 0) (local.get $groups) (local.get $group_count) (i32.const {answer})) {check}
         (call $emit (i32.const 0) (i32.const {parents}) (local.get $group_count)
           (i32.load (i32.const {at_values})) (i32.load (i32.const {at_length})) (i32.const {answer})) {check}
         (i64.store (i32.sub (i32.add (local.get $ptr) (local.get $len)) (i32.const 64)) {state})
         (call $put (i32.const 0) (local.get $groups) (local.get $group_count) (local.get $ptr) (local.get $len)
           (i32.const {answer})) {check}
         (i32.store (i32.const {timer}) (i32.load (local.get $groups)))
         (i64.store offset=8 (i32.const {timer}) {at_ms})
         (call $register (i32.const {timer}) (i32.const 1) (i32.const {answer})) {check}
         (i32.const {done})",
        emit = emits(Place::Rows),
        at_values = answer + 12,
        at_length = answer + 16,
        state = of(Place::State),
        at_ms = of(Place::Timer),
    );
    let mut guest = says(guest.state("seen", &numbers_schema("known")), declared, bits)
        .process(&body)
        .on_timers(&format!("{} (i32.const {unit})", emits(Place::OnTimers)))
        .on_watermark(&format!("{} (i32.const {unit})", emits(Place::OnWatermark)));
    if holds {
        let bytes = guest.put(&[0; 8]);
        let part = guest.put(&words_to_bytes(&[0, 3, bytes, 1]));
        let parts = guest.put(&words_to_bytes(&[0, 0, part, 1]));
        guest = guest.snapshot(SnapshotBodies {
            snapshot: Some(format!("(i32.store8 (i32.const {bytes}) (global.get $calls)) (i32.const {parts})")),
            restore: Some(format!(
                "(global.set $calls (i32.load8_u (i32.load offset=8 (local.get $parts)))) (i32.const {unit})"
            )),
            ..SnapshotBodies::default()
        });
    }
    guest.build()
}

struct Run {
    found: u64,
    collected: Collected,
}

fn start(factory: &PluginFactory) -> Box<dyn Operator> {
    let stream = StreamType { schema: input_schema(), event_time: None, is_bounded: true, is_revised: false };
    factory.bind_stream(&stream).expect("binds");
    let context = OperatorContext {
        node: NodeName::new("node").expect("a name"),
        subtask: SubtaskId::SINGLE,
        input: input_schema(),
        event_time: None,
        state: Arc::new(Memory),
        restored: Default::default(),
        errors_attached: true,
        clock: Arc::new(Ticking::default()),
        seeds: SeedSource::new(1),
        origins: OriginDirectory::new(),
    };
    factory.create(context).expect("starts")
}

/// Rounds of a record, the timers that are due, and a watermark; the keys of a record are some that came before and some new.
fn run(component: &[u8], sample: u32, rounds: usize) -> Run {
    let options = PluginOptions { determinism_sample: sample, ..PluginOptions::default() };
    driven(load(component).expect("loads"), options, rounds)
}

fn driven(plugin: Arc<Plugin>, options: PluginOptions, rounds: usize) -> Run {
    let factory = PluginFactory::new(plugin, options).with_keys(vec!["name".to_owned()]);
    let mut operator = start(&factory);
    let mut collected = Collected::default();
    for round in 0..rounds {
        let record = input(ROWS + 3 * round);
        let record = record.slice(3 * round, ROWS);
        operator.process(record, &mut collected).expect("goes on");
        let at_ms = i64::try_from(100 * round).expect("small");
        operator.on_watermark(Watermark::AtMs(at_ms), &mut collected).expect("goes on");
        if round == 1 {
            operator.snapshot().expect("a snapshot");
        }
    }
    let snapshot = factory.metrics().snapshot();
    assert_eq!((snapshot.restarts, snapshot.rows_in), (0, (ROWS * rounds) as u64));
    assert!(snapshot.violations.keys().all(|violation| *violation == Violation::Nondeterminism), "{snapshot:?}");
    Run { found: snapshot.violations.get(&Violation::Nondeterminism).copied().unwrap_or(0), collected }
}

/// How many calls in five rounds come to something else.
fn found(declared: u32, bits: &str, place: Place) -> u64 {
    run(&process(declared, bits, place, false), 1, 5).found
}

#[test]
fn processes_that_lie_are_found_wherever_it_shows() {
    for place in PLACES {
        // The first timer has the time that is told last: of five some are registered once more, and never fire.
        let all = if place == Place::OnTimers { 4..=5 } else { 5..=5 };
        for bits in [CHANCE, TIME] {
            assert!(all.contains(&found(DETERMINISTIC, bits, place)), "{place:?} {bits}");
        }
        for declared in [DETERMINISTIC, REPLAYABLE] {
            // The first call of an instance is the same in another.
            assert!((3..=4).contains(&found(declared, CALLS, place)), "{place:?}");
        }
    }
}

#[test]
fn processes_that_are_honest_are_not_reported() {
    for place in PLACES {
        for bits in [CHANCE, TIME, NOTHING] {
            assert_eq!(found(REPLAYABLE, bits, place), 0, "{place:?} {bits}");
        }
        assert_eq!(found(DETERMINISTIC, NOTHING, place), 0, "{place:?}");
        assert_eq!(found(NONDETERMINISTIC, CALLS, place), 0, "{place:?}");
    }
}

#[test]
fn what_is_stored_is_what_the_first_calls_wrote() {
    for place in PLACES {
        let component = process(REPLAYABLE, CALLS, place, false);
        let rows = |sample| format!("{:?}", run(&component, sample, 6).collected);
        assert_eq!(rows(1), rows(0), "{place:?}");
    }
}

#[test]
fn the_sample_of_a_process_is_as_large_as_asked() {
    let component = process(REPLAYABLE, CALLS, Place::Rows, false);
    assert_eq!(run(&component, 0, 16).found, 0);
    assert_eq!(run(&component, 256, 16).found, 0);
    // Calls are of rows, of timers and of watermarks, in turn.
    assert!((2..=8).contains(&run(&component, 4, 16).found));
}

#[test]
fn who_holds_state_itself_is_brought_to_where_it_was() {
    for place in PLACES {
        for declared in [DETERMINISTIC, REPLAYABLE] {
            assert_eq!(run(&process(declared, CALLS, place, true), 1, 5).found, 0, "{place:?}");
        }
        assert_eq!(run(&process(REPLAYABLE, CHANCE, place, true), 1, 5).found, 0, "{place:?}");
        assert!(run(&process(DETERMINISTIC, TIME, place, true), 1, 5).found >= 4, "{place:?}");
    }
}

#[test]
fn a_process_that_is_called_twice_asks_its_server_once() {
    for (place, calls) in [(Place::Rows, 5), (Place::State, 5), (Place::OnTimers, 4), (Place::OnWatermark, 5)] {
        for holds in [false, true] {
            let (guest, bits) = asking(Guest::new("process", &["x"]));
            let component = process_of(guest, REPLAYABLE, &bits, place, holds);
            let (plugin, options, counting) = with_a_server(&component, 1);
            assert_eq!(driven(plugin, options, 5).found, 0, "{place:?}");
            assert_eq!(*counting.0.lock().expect("no panic"), calls, "{place:?}");
        }
    }
}

/// Remembers what it wrote last in memory, and asks the host only where it does not know: so a fresh instance asks for more.
fn remembering() -> Vec<u8> {
    let mut guest = Guest::new("process", &["x"]).output("out", &numbers_schema("known"), true).imports(IMPORTS);
    let parents: Vec<u32> = (0..).take(ROWS).collect();
    let parents = guest.put(&words_to_bytes(&parents));
    let (answer, kept) = (guest.put(&[0; 32]), guest.put_aligned(&[0; 4_096]));
    let (done, refused) = (guest.emitted(&[]), guest.failure(2, "refused", 0));
    let check = format!("(if (i32.load8_u (i32.const {answer})) (then (return (i32.const {refused}))))");
    let body = format!(
        "(if (i32.eqz (global.get $kept)) (then
           (call $get (i32.const 0) (local.get $groups) (local.get $group_count) (i32.const {answer})) {check}
           (call $emit (i32.const 0) (i32.const {parents}) (local.get $group_count)
             (i32.load (i32.const {at_values})) (i32.load (i32.const {at_length})) (i32.const {answer})) {check})
         (else
           (call $emit (i32.const 0) (i32.const {parents}) (local.get $group_count)
             (i32.const {kept}) (global.get $kept) (i32.const {answer})) {check}))
         (memory.copy (i32.const {kept}) (local.get $ptr) (local.get $len))
         (global.set $kept (local.get $len))
         (call $put (i32.const 0) (local.get $groups) (local.get $group_count) (local.get $ptr) (local.get $len)
           (i32.const {answer})) {check}
         (i32.const {done})",
        at_values = answer + 12,
        at_length = answer + 16,
    );
    let guest = guest.state("seen", &numbers_schema("known")).functions("(global $kept (mut i32) (i32.const 0))");
    says(guest, DETERMINISTIC, NOTHING).process(&body).build()
}

#[test]
fn who_asks_for_more_since_it_remembers_nothing_is_not_reported() {
    let options = PluginOptions { determinism_sample: 1, ..PluginOptions::default() };
    let plugin = load(&remembering()).expect("loads");
    let factory = PluginFactory::new(plugin, options).with_keys(vec!["name".to_owned()]);
    let mut operator = start(&factory);
    for _ in 0..5 {
        operator.process(input(ROWS), &mut Collected::default()).expect("goes on");
    }
    let snapshot = factory.metrics().snapshot();
    assert_eq!((snapshot.calls, snapshot.violations.len()), (5, 0), "{:?}", snapshot.violations);
}
