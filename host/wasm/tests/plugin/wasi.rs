//! WASI: every function of the interfaces that are granted is there, and none does anything.

use std::fmt::Write as _;

use volley_wasm::{PluginInput, PluginLimits};
use wit_parser::WorldItem;
use wit_parser::abi::{AbiVariant, WasmType};

use crate::guest::{Guest, world};
use crate::harness::{Setup, input, input_schema, load};

/// Imports of the text format by the names that the guests below call them by.
const IMPORTS: &str = r#"
  (import "wasi:clocks/wall-clock@0.2.12" "now" (func $wall (param i32)))
  (import "wasi:clocks/monotonic-clock@0.2.12" "now" (func $monotonic (result i64)))
  (import "wasi:clocks/monotonic-clock@0.2.12" "subscribe-duration" (func $after (param i64) (result i32)))
  (import "wasi:io/poll@0.2.12" "[method]pollable.ready" (func $ready (param i32) (result i32)))
  (import "wasi:io/poll@0.2.12" "[method]pollable.block" (func $block (param i32)))
  (import "wasi:io/poll@0.2.12" "poll" (func $poll (param i32 i32 i32)))
  (import "wasi:io/poll@0.2.12" "[resource-drop]pollable" (func $drop-pollable (param i32)))
  (import "wasi:io/streams@0.2.12" "[method]input-stream.read" (func $read (param i32 i64 i32)))
  (import "wasi:io/streams@0.2.12" "[method]output-stream.check-write" (func $check (param i32 i32)))
  (import "wasi:io/streams@0.2.12" "[method]output-stream.write" (func $write (param i32 i32 i32 i32)))
  (import "wasi:io/streams@0.2.12" "[resource-drop]output-stream" (func $drop-output (param i32)))
  (import "wasi:random/random@0.2.12" "get-random-u64" (func $random (result i64)))
  (import "wasi:random/random@0.2.12" "get-random-bytes" (func $bytes (param i64 i32)))
  (import "wasi:cli/environment@0.2.12" "get-environment" (func $environment (param i32)))
  (import "wasi:cli/environment@0.2.12" "get-arguments" (func $arguments (param i32)))
  (import "wasi:cli/stdin@0.2.12" "get-stdin" (func $stdin (result i32)))
  (import "wasi:cli/stdout@0.2.12" "get-stdout" (func $stdout (result i32)))
  (import "wasi:cli/stderr@0.2.12" "get-stderr" (func $stderr (result i32)))
  (import "wasi:cli/terminal-stdout@0.2.12" "get-terminal-stdout" (func $terminal (param i32)))
  (import "wasi:cli/exit@0.2.12" "exit" (func $exit (param i32)))
  (import "wasi:filesystem/preopens@0.2.12" "get-directories" (func $directories (param i32)))
"#;

/// A trap unless a condition holds.
const CHECK: &str = "(func $holds (param i32) (if (i32.eqz (local.get 0)) (then unreachable)))";

fn guest() -> Guest {
    Guest::new("filter", &["x"]).wasi().imports(IMPORTS).functions(CHECK)
}

/// A filter that does this for each batch, and keeps the first row.
fn doing(mut guest: Guest, body: &str) -> Vec<u8> {
    let result = guest.filtered(&[0b001], &[]);
    guest.process(&format!("{body} (i32.const {result})")).build()
}

fn runs(component: &[u8]) {
    let collected = Setup::default().run(component, input(3)).expect("runs");
    assert_eq!(collected.rows[0].1.batch.num_rows(), 1);
}

fn fails(component: &[u8]) -> String {
    Setup::default().error(component).to_string()
}

#[test]
fn every_function_of_the_granted_interfaces_is_linked() {
    let (resolve, world) = world("filter", true);
    let mut imports = String::new();
    let mut functions = 0;
    for (key, item) in &resolve.worlds[world].imports {
        let WorldItem::Interface { id, .. } = item else { continue };
        let interface = resolve.name_world_key(key);
        for function in resolve.interfaces[*id].functions.values().filter(|_| interface.starts_with("wasi:")) {
            let signature = resolve.wasm_signature(AbiVariant::GuestImport, function);
            let words = |types: &[WasmType]| types.iter().map(|word| format!(" {}", text(*word))).collect::<String>();
            let (params, results) = (words(&signature.params), words(&signature.results));
            let name = &function.name;
            writeln!(imports, "(import \"{interface}\" \"{name}\" (func (param{params}) (result{results})))")
                .expect("a string takes all text");
            functions += 1;
        }
    }
    assert!(functions > 70, "{functions} functions: is WASI there at all?");
    let plugin = load(&Guest::new("filter", &["x"]).wasi().imports(&imports).build()).expect("loads");
    assert_eq!(plugin.info().imports.iter().filter(|name| name.starts_with("wasi:")).count(), 20, "all of them");
    plugin.describe(&PluginLimits::default()).expect("instantiates");
}

fn text(word: WasmType) -> &'static str {
    match word {
        WasmType::I32 | WasmType::Pointer | WasmType::Length => "i32",
        WasmType::I64 | WasmType::PointerOrI64 => "i64",
        WasmType::F32 => "f32",
        WasmType::F64 => "f64",
    }
}

#[test]
fn time_is_the_contracts_and_nothing_sleeps() {
    let in_a_batch = "
      (call $wall (i32.const 0))
      (call $holds (i64.eq (i64.load (i32.const 0)) (i64.const 1)))
      (call $holds (i32.eq (i32.load (i32.const 8)) (i32.const 234000000)))
      (call $holds (i64.eq (call $monotonic) (i64.const 1234000000)))
      (call $holds (i64.eq (call $monotonic) (i64.const 1234001000)))
      ;; An hour from the next reading on.
      (local.set $i (call $after (i64.const 3600000000000)))
      (call $holds (i32.eqz (call $ready (local.get $i))))
      (call $block (local.get $i))
      (call $holds (call $ready (local.get $i)))
      (call $drop-pollable (local.get $i))
      (call $holds (i64.eq (call $monotonic) (i64.const 3601234003000)))
      ;; Of two, the earlier is ready first.
      (i32.store (i32.const 16) (call $after (i64.const 9000000000)))
      (i32.store (i32.const 20) (call $after (i64.const 5000000000)))
      (call $poll (i32.const 16) (i32.const 2) (i32.const 24))
      (call $holds (i32.eq (i32.load (i32.const 28)) (i32.const 1)))
      (call $holds (i32.eq (i32.load (i32.load (i32.const 24))) (i32.const 1)))";
    runs(&doing(guest(), in_a_batch));
}

#[test]
fn opening_sees_neither_time_nor_chance_of_its_own() {
    let numbers =
        [1_u64, 2].map(|step| volley_api::split_mix_64(step.wrapping_mul(0x9e37_79b9_7f4a_7c15)).cast_signed());
    let body = format!(
        "(call $wall (i32.const 0))
         (call $holds (i64.eqz (i64.load (i32.const 0))))
         (call $holds (i64.lt_u (call $monotonic) (i64.const 1000000)))
         (call $holds (i64.eq (call $random) (i64.const {})))
         (call $holds (i64.eq (call $random) (i64.const {})))",
        numbers[0], numbers[1]
    );
    let mut guest = guest();
    let address = guest.open_error(2, "all as it should be");
    let plugin = load(&guest.open(&format!("{body} (i32.const {address})")).build()).expect("loads");
    let answer = plugin.bind(&serde_json::Value::Null, &PluginInput::new(input_schema()), &PluginLimits::default());
    assert!(answer.expect_err("it says so").to_string().contains("all as it should be"));
}

#[test]
fn there_are_no_files_no_arguments_no_environment_no_terminal_no_input() {
    let nothing = "
      (call $environment (i32.const 0)) (call $holds (i32.eqz (i32.load (i32.const 4))))
      (call $arguments (i32.const 0)) (call $holds (i32.eqz (i32.load (i32.const 4))))
      (call $directories (i32.const 0)) (call $holds (i32.eqz (i32.load (i32.const 4))))
      (call $terminal (i32.const 0)) (call $holds (i32.eqz (i32.load8_u (i32.const 0))))
      ;; An error, and of its two cases the second: closed.
      (call $read (call $stdin) (i64.const 10) (i32.const 0))
      (call $holds (i32.eq (i32.load8_u (i32.const 0)) (i32.const 1)))
      (call $holds (i32.eq (i32.load8_u (i32.const 4)) (i32.const 1)))";
    runs(&doing(guest(), nothing));
}

#[test]
fn standard_error_becomes_lines_that_explain_a_trap() {
    let mut guest = guest();
    let [first, _] = guest.list(b"Traceback\nValueError: x", 0);
    let [second, _] = guest.list(b" is \x1b[31mred", 0);
    let body = format!(
        "(local.set $i (call $stderr))
         (call $check (local.get $i) (i32.const 0))
         (call $holds (i64.eq (i64.load (i32.const 8)) (i64.const 4096)))
         (call $write (local.get $i) (i32.const {first}) (i32.const 23) (i32.const 0))
         (call $write (local.get $i) (i32.const {second}) (i32.const 12) (i32.const 0))
         (call $write (call $stdout) (i32.const {first}) (i32.const 23) (i32.const 0))
         unreachable"
    );
    let error = fails(&doing(guest, &body));
    assert!(error.contains("ValueError: x is \\u{1b}[31mred"), "{error}");
}

#[test]
fn what_wasi_forbids_traps_with_its_reason() {
    for (body, reason) in [
        ("(call $exit (i32.const 1))", "it called `exit` with status 1"),
        ("(call $exit (i32.const 0))", "it called `exit` with status 0"),
        (
            "(call $bytes (i64.const 65537) (i32.const 0))",
            "`get-random-bytes`: 65537 bytes at once; the limit is 65536",
        ),
        ("(call $poll (i32.const 0) (i32.const 0) (i32.const 0))", "`poll`: it was given nothing to wait for"),
        (
            "(call $write (call $stdout) (i32.const 0) (i32.const 4097) (i32.const 0))",
            "4097 bytes at once; `check-write` permits 4096",
        ),
        ("(loop $again (drop (call $stdout)) (br $again))", "it holds 1024 handles"),
        ("(loop $again (drop (call $stdin)) (br $again))", "it holds 1024 handles"),
        ("(loop $again (drop (call $after (i64.const 1))) (br $again))", "it holds 1024 handles"),
    ] {
        let error = fails(&doing(guest(), body));
        assert!(error.contains(reason), "{body}: {error}");
    }
}

#[test]
fn handles_that_are_dropped_come_back() {
    let body = "(loop $again
        (call $drop-output (call $stdout))
        (call $drop-pollable (call $after (i64.const 1)))
        (local.set $i (i32.add (local.get $i) (i32.const 1)))
        (br_if $again (i32.lt_u (local.get $i) (i32.const 10000))))";
    runs(&doing(guest(), body));
}
