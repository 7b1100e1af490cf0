//! Guests that trap or would never end: each stops the job with plugin, function, reason and place.

use std::error::Error as _;
use std::time::Duration;

use volley_api::ErrorKind;
use volley_wasm::{
    CompileIn, EngineSettings, HostLimits, Plugin, PluginEngine, PluginInput, PluginLimits, Trap, TrapReason, Violation,
};

use crate::guest::Guest;
use crate::harness::{Setup, input_schema, load};

const FOREVER: &str = "(loop $forever (br $forever)) unreachable";

fn filter(body: &str) -> Guest {
    Guest::new("filter", &["x"]).process(body)
}

fn short() -> Setup {
    let limits = PluginLimits {
        deadline: Duration::from_millis(20),
        open_deadline: Duration::from_millis(20),
        ..PluginLimits::default()
    };
    Setup { limits, ..Setup::default() }
}

fn trap(setup: &Setup, component: &[u8]) -> Trap {
    let error = setup.error(component);
    assert_eq!(error.kind(), ErrorKind::Plugin, "{error}");
    let Some(volley_wasm::Error::Trap(trap)) = error.source().and_then(|cause| cause.downcast_ref()) else {
        panic!("not a trap: {error}");
    };
    assert_eq!(error.to_string(), trap.to_string());
    (**trap).clone()
}

#[test]
fn a_panic_is_reported_with_its_last_words_and_the_place() {
    let mut guest = Guest::new("filter", &["x"])
        .imports(r#"(import "volley:operator/log@0.1.0" "log" (func $log (param i32 i32 i32)))"#)
        .functions("(func $boom (i32.store (i32.const 16) (i32.const 1)) unreachable)");
    let [address, length] = guest.list(b"panicked at src/lib.rs:7:9: oh no", 33);
    let body = format!("(call $log (i32.const 4) (i32.const {address}) (i32.const {length})) (call $boom) unreachable");
    let component = guest.process(&body).build();
    let trap = trap(&Setup::default(), &component);
    assert_eq!(trap.reason, TrapReason::Unreachable);
    assert_eq!((trap.function.as_str(), trap.operator.as_deref()), ("filter", Some("node")));
    let frame = &trap.frames[0];
    assert_eq!(frame.function.as_deref(), Some("boom"));
    let offset = frame.code_offset.expect("known");
    // i32.store align=4 offset=0, unreachable, end: counted from the start of the component, to the instruction.
    assert_eq!(component[offset - 3..offset + 2], [0x36, 0x02, 0x00, 0x00, 0x0b]);
    let text = trap.to_string();
    for part in [
        "operator `node`",
        "plugin canned",
        "`filter`",
        "oh no",
        &format!("code offset {offset:#x} in function boom"),
        &format!("`volley plugin where FILE.wasm {offset:#x}`"),
    ] {
        assert!(text.contains(part), "{text} lacks {part}");
    }
}

#[test]
fn the_usual_faults_have_words() {
    let reason = |body: &str, functions: &str| trap(&short(), &filter(body).functions(functions).build()).reason;
    assert_eq!(reason("(i32.load (i32.const -8))", ""), TrapReason::OutOfBounds);
    assert_eq!(reason("(call $deep) (i32.const 0)", "(func $deep (call $deep))"), TrapReason::StackOverflow);
    let divided = reason("(i32.div_u (i32.const 1) (local.get $i))", "");
    assert_eq!(divided, TrapReason::Arithmetic("wasm trap: integer divide by zero".into()));
    let lost = reason("(i32.const -16)", "");
    assert_eq!(lost, TrapReason::Other("pointer out of bounds of memory".into()));
}

#[test]
fn endless_loops_meet_their_deadline_wherever_they_are() {
    let deadline = |guest: Guest, function: &str| {
        let trap = trap(&short(), &guest.build());
        assert!(matches!(&trap.reason, TrapReason::Deadline(words) if words.ends_with("is 20 ms")));
        assert_eq!(trap.function, function);
        trap.to_string()
    };
    let text = deadline(filter(FOREVER), "filter");
    assert!(text.contains("`limits.deadline` (--deadline) is 20 ms"), "{text}");
    deadline(filter("unreachable").open(FOREVER), "open");
    deadline(filter("unreachable").functions("(func $start (loop $l (br $l))) (start $start)"), "instantiate");
    let mut guest = Guest::new("filter", &["x"]);
    let result = guest.filtered(&[0], &[]);
    deadline(guest.process(&format!("(i32.const {result})")).close("(loop $l (br $l))"), "close");
}

#[test]
fn memory_has_a_limit_from_the_start() {
    let grow = "(loop $more (br_if $more (i32.ne (memory.grow (i32.const 16)) (i32.const -1)))) unreachable";
    let trap = trap(&Setup::default(), &filter(grow).build());
    let limit = 64 << 20;
    assert!(
        matches!(trap.reason, TrapReason::Memory { wanted_bytes, limit_bytes } if wanted_bytes > limit && limit_bytes == limit),
        "{trap}"
    );
    assert!(trap.to_string().contains(&format!("`limits.memory` is {limit} (--memory)")), "{trap}");
    let limits = PluginLimits { memory_bytes_max: 1 << 20, ..PluginLimits::default() };
    let setup = Setup { limits, ..Setup::default() };
    let error = setup.error(&filter("unreachable").pages(17).build()).to_string();
    assert!(error.contains("memory limit reached") && error.contains("instantiate"), "{error}");
}

#[test]
fn a_refused_growth_that_the_guest_survives_is_no_trap() {
    let mut guest = Guest::new("filter", &["x"]);
    let result = guest.filtered(&[0b111], &[]);
    let body = format!("(drop (memory.grow (i32.const 60000))) (i32.const {result})");
    let collected = Setup::default().run(&guest.process(&body).build(), crate::harness::input(3)).expect("survives");
    assert_eq!(collected.numbers(0, "x"), [0, 1, 2]);
}

#[test]
fn imports_are_refused_while_binding() {
    let now = r#"(import "volley:operator/clock@0.1.0" "now-ms" (func $now (result i64)))"#;
    let guest = filter("unreachable").imports(now).open("(drop (call $now)) unreachable");
    let error = load(&guest.build())
        .expect("loads")
        .bind(&serde_json::Value::Null, &PluginInput::new(input_schema()), &PluginLimits::default())
        .expect_err("not while binding")
        .to_string();
    assert!(error.contains("clock.now-ms") && error.contains("`open`"), "{error}");
}

#[test]
fn all_plugins_together_have_a_budget() {
    let with = |limits: HostLimits| {
        let settings = EngineSettings { cache_dir: None, limits, ..EngineSettings::new(CompileIn::ThisProcess) };
        let engine = PluginEngine::new(&settings).expect("starts");
        let plugin = Plugin::from_bytes(&engine, "canned", &filter("unreachable").build()).expect("loads");
        plugin.bind(&serde_json::Value::Null, &PluginInput::new(input_schema()), &PluginLimits::default())
    };
    let error = with(HostLimits { memory_bytes_max: 1 << 19, ..HostLimits::default() }).expect_err("1 MiB is too much");
    assert_eq!(error.kind(), ErrorKind::Config);
    assert_eq!(error.violation(), Some(Violation::HostBudget));
    assert!(error.to_string().contains("1048576 bytes of memory for all plugins together"), "{error}");
    let error = with(HostLimits { instances_max: 0, ..HostLimits::default() }).expect_err("none at all");
    assert!(error.to_string().contains("1 instances of all plugins together"), "{error}");
    assert!(with(HostLimits::default()).is_ok());
}
