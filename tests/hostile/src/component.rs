//! From a case to the bytes of its file: the code is put into an operator that does all else as it should.
//!
//! What a guest's code may use, beside the names of [`Guest`]:
//! - functions that it may define: `$on_start`, `$on_describe`, `$on_open`, `$on_process`, `$on_close`, `$on_realloc`,
//!   `$on_post_return`, and of a process `$on_timers`, `$on_watermark` and `$on_forget`, and (any of these makes it one that
//!   holds state itself) `$on_snapshot`, `$on_restore`, `$on_can_migrate` and `$on_migrate`, called in the place of what a good
//!   operator does, with the same parameters and results; and `$lie`, called before the canned message is given away, to
//!   change it
//!   (in a codec `$on_process` is `decode`, or `encode` where it writes, and the numbers of a row's frame, or of a frame's first
//!   row, are at `$done`, behind the message)
//! - globals: `$message`, `$message_bytes` (the canned message) and the addresses of its numbers (`$at_rows`, `$at_body`,
//!   `$at_node0`, `$at_buffer1`, …); `$done`, `$reject_batch`, `$retry`, `$fatal`, `$open_failed` (addresses
//!   of results); where rows are emitted `$parents`, `$answer` (room for one of the host's) and `$unit` (success without a
//!   value)
//! - states by their places: those of `states` first, then `maps`, `lists` and `sums`
//! - functions: `$rows` (of a message), `$keep_all`, `$set_output`, `$set_rejects`, `$poisoned`; in a flat-map `$emit_message`
//! - memory from 32 KiB to 64 KiB, which nobody else touches

use arrow::datatypes::Schema;
use volley_test_guests::{Guest, Kept, SnapshotBodies, component as wrap, words_to_bytes};

use crate::case::{Case, case};
use crate::directives::{Directives, Drive};
use crate::message::{self, Canned};
use crate::text::expand;

/// The value of `x` in the poisoned row.
pub const POISON: i64 = 0x0070_6f69_736f_6e00;

/// Where a guest's own memory begins, and where the heap does.
const OWN_START: usize = 32 << 10;
const HEAP_START: usize = 64 << 10;

/// The functions of the host, by the names that `imports` uses.
const IMPORTS: [(&str, &str); 27] = [
    ("log", r#"(import "volley:operator/log@0.1.0" "log" (func $log (param i32 i32 i32)))"#),
    ("now", r#"(import "volley:operator/clock@0.1.0" "now-ms" (func $now (result i64)))"#),
    ("random", r#"(import "volley:operator/random@0.1.0" "next-u64" (func $random (result i64)))"#),
    ("count", r#"(import "volley:operator/metrics@0.1.0" "counter-add" (func $count (param i32 i32 i64)))"#),
    ("gauge", r#"(import "volley:operator/metrics@0.1.0" "gauge-set" (func $gauge (param i32 i32 f64)))"#),
    ("record", r#"(import "volley:operator/metrics@0.1.0" "histogram-record" (func $record (param i32 i32 f64)))"#),
    ("emit", r#"(import "volley:operator/emitter@0.1.0" "emit" (func $emit (param i32 i32 i32 i32 i32 i32)))"#),
    ("get", r#"(import "volley:operator/state@0.1.0" "get" (func $get (param i32 i32 i32 i32)))"#),
    ("put", r#"(import "volley:operator/state@0.1.0" "put" (func $put (param i32 i32 i32 i32 i32 i32)))"#),
    ("remove", r#"(import "volley:operator/state@0.1.0" "remove" (func $remove (param i32 i32 i32 i32)))"#),
    ("append", r#"(import "volley:operator/state@0.1.0" "append" (func $append (param i32 i32 i32 i32 i32 i32)))"#),
    ("merge", r#"(import "volley:operator/state@0.1.0" "merge" (func $merge (param i32 i32 i32 i32 i32 i32)))"#),
    ("map_get", r#"(import "volley:operator/state@0.1.0" "map-get" (func $map_get (param i32 i32 i32 i32 i32 i32)))"#),
    (
        "map_put",
        r#"(import "volley:operator/state@0.1.0" "map-put" (func $map_put (param i32 i32 i32 i32 i32 i32 i32 i32)))"#,
    ),
    (
        "map_remove",
        r#"(import "volley:operator/state@0.1.0" "map-remove" (func $map_remove (param i32 i32 i32 i32 i32 i32)))"#,
    ),
    (
        "get_entries",
        r#"(import "volley:operator/state@0.1.0" "get-entries" (func $get_entries (param i32 i32 i32 i32)))"#,
    ),
    ("register", r#"(import "volley:operator/timers@0.1.0" "register" (func $register (param i32 i32 i32)))"#),
    // WASI, which a host answers itself.
    ("exit", r#"(import "wasi:cli/exit@0.2.12" "exit" (func $exit (param i32)))"#),
    ("environment", r#"(import "wasi:cli/environment@0.2.12" "get-environment" (func $environment (param i32)))"#),
    ("arguments", r#"(import "wasi:cli/environment@0.2.12" "get-arguments" (func $arguments (param i32)))"#),
    ("folders", r#"(import "wasi:filesystem/preopens@0.2.12" "get-directories" (func $folders (param i32)))"#),
    ("stdout", r#"(import "wasi:cli/stdout@0.2.12" "get-stdout" (func $stdout (result i32)))"#),
    ("stderr", r#"(import "wasi:cli/stderr@0.2.12" "get-stderr" (func $stderr (result i32)))"#),
    (
        "write",
        r#"(import "wasi:io/streams@0.2.12" "[method]output-stream.write" (func $write (param i32 i32 i32 i32)))"#,
    ),
    (
        "after",
        r#"(import "wasi:clocks/monotonic-clock@0.2.12" "subscribe-duration" (func $after (param i64) (result i32)))"#,
    ),
    ("block", r#"(import "wasi:io/poll@0.2.12" "[method]pollable.block" (func $block (param i32)))"#),
    ("bytes", r#"(import "wasi:random/random@0.2.12" "get-random-bytes" (func $bytes (param i64 i32)))"#),
];

/// The component of a guest by its name, `folder/file`, for tests of whole programs.
///
/// # Panics
/// When there is no such guest.
#[must_use]
pub fn component(name: &str) -> Vec<u8> {
    build(&case(name))
}

/// The bytes of the file.
///
/// # Panics
/// When the case's code is not valid.
pub(crate) fn build(case: &Case) -> Vec<u8> {
    let directives = &case.directives;
    let mut bytes = if let Some(hex) = &directives.bytes {
        from_hex(hex)
    } else {
        let code = expand(&case.code);
        let is_component = code.lines().any(|line| line.starts_with("(component"));
        match () {
            () if directives.beside => beside(&case.name, &code),
            () if is_component => assemble(&case.name, &code),
            () => wrap(&directives.kind, directives.wasi, &operator(directives, &code)),
        }
    };
    if let Some(length) = directives.cut {
        assert!(length < bytes.len(), "{}: it has {} bytes, fewer than are to be left", case.name, bytes.len());
        bytes.truncate(length);
    }
    bytes
}

/// A good operator that keeps all rows, with nothing of anybody else's: what all other guests are measured by.
pub(crate) fn good() -> Vec<u8> {
    let directives = toml::from_str(r#"tries = "nothing""#).expect("the least that a case has");
    wrap("filter", false, &operator(&directives, ""))
}

/// The good process that has left the state of a checkpoint, where the case says that there is any: a row for each key.
pub(crate) fn predecessor(case: &Case) -> Option<Vec<u8>> {
    if case.directives.earlier.is_empty() {
        return None;
    }
    let directives: Directives =
        toml::from_str("tries = \"nothing\"\nkind = \"process\"").expect("the least that a case has");
    let states = case.directives.earlier.clone();
    let sends = states.first().map(|(_, columns)| columns.clone());
    let rows = case.directives.rows;
    let directives = Directives { states, sends, rows, imports: vec!["put".to_owned()], ..directives };
    let code = "(func $on_process (param $groups i32) (param $count i32) (param $ptr i32) (param $len i32) (result i32)
      (call $put (i32.const 0) (local.get $groups) (local.get $count) (global.get $message) (global.get $message_bytes)
        (global.get $answer))
      (if (i32.load8_u (global.get $answer)) (then unreachable))
      (global.get $done))";
    Some(wrap("process", false, &operator(&directives, code)))
}

fn assemble(name: &str, text: &str) -> Vec<u8> {
    wat::parse_str(text).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// The code, behind all that a good component has.
fn beside(name: &str, code: &str) -> Vec<u8> {
    let printed = wasmprinter::print_bytes(good()).expect("a good component can be printed");
    let (component, _) = printed.rsplit_once(')').expect("it ends in a parenthesis");
    assemble(name, &format!("{component}\n{code})"))
}

fn from_hex(text: &str) -> Vec<u8> {
    let byte = |pair: &str| u8::from_str_radix(pair, 16).unwrap_or_else(|error| panic!("{pair}: {error}"));
    text.split_whitespace().map(byte).collect()
}

/// The core module of an operator with the code's functions in the place of its own.
fn operator(directives: &Directives, code: &str) -> String {
    let kind = directives.kind.as_str();
    let emits = matches!(kind, "flat-map" | "process");
    let encodes = directives.drive == Drive::Encode;
    let reads: Vec<&str> = match kind {
        "scalar" => vec!["arg0"],
        "codec" if !encodes => Vec::new(),
        _ => directives.reads.iter().map(String::as_str).collect(),
    };
    let mut guest = Guest::new(kind.to_owned(), &reads).heap(HEAP_START).pages(directives.pages.unwrap_or(16));
    let column = if encodes { "frame: non-null Binary" } else { "y: Int64" };
    let writes = message::schema(&directives.writes.clone().unwrap_or_else(|| vec![column.to_owned()]));
    let gives_values = kind == "scalar" || kind == "codec";
    if kind != "filter" && !encodes {
        guest = guest.output("out", &writes, directives.replaces || gives_values);
    }
    for (name, import) in IMPORTS {
        if directives.imports.iter().any(|wanted| wanted == name) || (name == "emit" && emits) {
            guest = guest.imports(import);
        }
    }
    for (name, columns) in &directives.states {
        guest = guest.state(name, &message::schema(columns));
    }
    for (name, keys, columns) in &directives.maps {
        guest = guest.state_of(name, &Kept::Map(&message::schema(keys)), &message::schema(columns));
    }
    for (name, columns) in &directives.lists {
        guest = guest.state_of(name, &Kept::List, &message::schema(columns));
    }
    for (name, columns) in &directives.sums {
        guest = guest.state_of(name, &Kept::Merge(&vec![0; columns.len()]), &message::schema(columns));
    }
    let sends = directives.sends.as_ref().map_or(writes, |columns| message::schema(columns));
    let rows = directives.sends_rows.unwrap_or(directives.rows);
    let globals = canned(&mut guest, kind, &sends, rows);
    let is_canned =
        kind == "codec" || directives.writes.is_some() || directives.sends.is_some() || code.contains("(func $lie");
    let hooks = Hooks { code };
    let helpers = if emits { [HELPERS, EMIT].concat() } else { HELPERS.to_owned() };
    let rejects = match kind {
        _ if emits => (8, 12),
        "codec" => (24, 28),
        _ => (16, 20),
    };
    let helpers = helpers
        .replace("%rejects_at", &rejects.0.to_string())
        .replace("%count_at", &rejects.1.to_string())
        .replace("%poison", &POISON.to_string())
        .replace("%rows", &rows.to_string());
    let start = if hooks.has("on_start") { "(start $on_start)" } else { "" };
    guest = guest.functions(&format!("{globals}\n{helpers}\n{code}\n{start}"));
    let lie = if hooks.has("lie") { "(call $lie)" } else { "" };
    let default = match kind {
        "filter" => format!("{lie} (call $keep_all (local.get $ptr))"),
        "flat-map" | "process" => format!("{lie} (call $emit_message (i32.const 0))"),
        _ if is_canned => {
            format!("{lie} (call $set_output (global.get $message) (global.get $message_bytes)) (global.get $done)")
        }
        _ => "(call $set_output (local.get $ptr) (local.get $len)) (global.get $done)".to_owned(),
    };
    let process = match kind {
        "process" => hooks.call("on_process", &["groups", "group_count", "ptr", "len"]),
        "codec" if !encodes => hooks.call("on_process", &["framing", "ptr", "len", "end"]),
        _ => hooks.call("on_process", &["ptr", "len"]),
    };
    let process = process.unwrap_or(default);
    guest = if encodes { guest.encode(&process) } else { guest.process(&process) };
    if let Some(body) = hooks.call("on_timers", &["timers", "count"]) {
        guest = guest.on_timers(&body);
    }
    if let Some(body) = hooks.call("on_watermark", &["has_ended", "at_ms"]) {
        guest = guest.on_watermark(&body);
    }
    if let Some(body) = hooks.call("on_forget", &[]) {
        guest = guest.forget(&body);
    }
    let bodies = SnapshotBodies {
        snapshot: hooks.call("on_snapshot", &[]),
        restore: hooks.call("on_restore", &["parts", "count"]),
        can_migrate: hooks.call("on_can_migrate", &["states", "count"]),
        migrate: hooks.call("on_migrate", &["ptr", "len"]),
    };
    if holds_state(code) {
        guest = guest.snapshot(bodies);
    }
    if let Some(body) = hooks.call("on_open", &["config", "config_len", "schema", "schema_len"]) {
        guest = guest.open(&body);
    }
    if let Some(body) = hooks.call("on_describe", &[]) {
        guest = guest.describe(&body);
    }
    if let Some(body) = hooks.call("on_close", &[]) {
        guest = guest.close(&body);
    }
    if let Some(body) = hooks.call("on_realloc", &["old", "old_size", "align", "size"]) {
        guest = guest.realloc(&body);
    }
    if let Some(body) = hooks.call("on_post_return", &["result"]) {
        guest = guest.post_return(&body);
    }
    guest.module()
}

/// Puts the canned message and the results into memory; gives the globals that name them.
fn canned(guest: &mut Guest, kind: &str, sends: &Schema, rows: usize) -> String {
    let Canned { bytes, places } = message::canned(sends, rows);
    let message = guest.put_aligned(&bytes);
    let mut globals: Vec<(String, u32)> =
        places.into_iter().map(|(name, offset)| (name, message + u32::try_from(offset).expect("small"))).collect();
    let emits = matches!(kind, "flat-map" | "process");
    let frames: Vec<u32> = (0..).take(rows).collect();
    let done = match kind {
        _ if emits => guest.emitted(&[]),
        "codec" => guest.decoded(&[], &frames),
        _ => guest.filtered(&[], &[]),
    };
    globals.extend([
        ("message".to_owned(), message),
        ("message_bytes".to_owned(), u32::try_from(bytes.len()).expect("small")),
        ("done".to_owned(), done),
        ("reject_batch".to_owned(), guest.failure(0, "no good", 0)),
        ("retry".to_owned(), guest.failure(1, "", 0)),
        ("fatal".to_owned(), guest.failure(2, "no good", 0)),
        ("open_failed".to_owned(), guest.open_error(2, "no good")),
    ]);
    if emits {
        let parents: Vec<u32> = (0..).take(rows).collect();
        let refused = ["unknown-port", "invalid-batch", "limit-exceeded"].map(|case| guest.failure(2, case, 0));
        let refused = guest.put(&words_to_bytes(&refused));
        globals.extend([
            ("parents".to_owned(), guest.put(&words_to_bytes(&parents))),
            ("answer".to_owned(), guest.put(&[0; 32])),
            ("unit".to_owned(), guest.put(&[0; 24])),
            ("refused".to_owned(), refused),
        ]);
    }
    let end = guest.put(&[]);
    assert!(usize::try_from(end).expect("small") <= OWN_START, "canned data reaches {end}");
    let global = |(name, value): &(String, u32)| format!("(global ${name} i32 (i32.const {value}))");
    globals.iter().map(global).collect::<Vec<_>>().join("\n")
}

/// Whether a guest of this code exports `snapshot`.
pub(crate) fn holds_state(code: &str) -> bool {
    let hooks = Hooks { code };
    ["on_snapshot", "on_restore", "on_can_migrate", "on_migrate"].iter().any(|name| hooks.has(name))
}

/// Which functions the code defines.
struct Hooks<'a> {
    code: &'a str,
}

impl Hooks<'_> {
    fn has(&self, name: &str) -> bool {
        let definition = format!("(func ${name}");
        self.code.split(&definition).skip(1).any(|rest| rest.starts_with([' ', '\n', ')']))
    }

    fn call(&self, name: &str, parameters: &[&str]) -> Option<String> {
        let parameters: Vec<String> = parameters.iter().map(|name| format!("(local.get ${name})")).collect();
        self.has(name).then(|| format!("(call ${name} {})", parameters.join(" ")))
    }
}

const HELPERS: &str = "
  ;; Rows of a batch message: its root table is a Message, whose header is a RecordBatch, whose first field is `length`.
  (func $rows (param $ptr i32) (result i32) (local $table i32) (local $field i32)
    (local.set $table (i32.add (i32.add (local.get $ptr) (i32.const 8)) (i32.load offset=8 (local.get $ptr))))
    (local.set $field (i32.load16_u offset=8 (i32.sub (local.get $table) (i32.load (local.get $table)))))
    (local.set $table (i32.add (local.get $table) (local.get $field)))
    (local.set $table (i32.add (local.get $table) (i32.load (local.get $table))))
    (local.set $field (i32.load16_u offset=4 (i32.sub (local.get $table) (i32.load (local.get $table)))))
    (i32.load (i32.add (local.get $table) (local.get $field))))
  (func $set_output (param $ptr i32) (param $len i32)
    (i32.store offset=8 (global.get $done) (local.get $ptr))
    (i32.store offset=12 (global.get $done) (local.get $len)))
  (func $set_rejects (param $ptr i32) (param $count i32)
    (i32.store offset=%rejects_at (global.get $done) (local.get $ptr))
    (i32.store offset=%count_at (global.get $done) (local.get $count)))
  ;; A filter's answer that keeps each row of the message.
  (func $keep_all (param $ptr i32) (result i32) (local $bytes i32) (local $bitmap i32)
    (local.set $bytes (i32.shr_u (i32.add (call $rows (local.get $ptr)) (i32.const 7)) (i32.const 3)))
    (local.set $bitmap (call $realloc (i32.const 0) (i32.const 0) (i32.const 1) (local.get $bytes)))
    (memory.fill (local.get $bitmap) (i32.const 255) (local.get $bytes))
    (call $set_output (local.get $bitmap) (local.get $bytes))
    (global.get $done))
  ;; Whether the poisoned value is in the message.
  (func $poisoned (param $ptr i32) (param $len i32) (result i32) (local $end i32)
    (local.set $end (i32.add (local.get $ptr) (i32.and (local.get $len) (i32.const -8))))
    (loop $next
      (if (i64.eq (i64.load (local.get $ptr)) (i64.const %poison)) (then (return (i32.const 1))))
      (local.set $ptr (i32.add (local.get $ptr) (i32.const 8)))
      (br_if $next (i32.lt_u (local.get $ptr) (local.get $end))))
    (i32.const 0))";

const EMIT: &str = "
  ;; Emits the canned message; the result of the call is success, or `fatal` with the name of the error.
  (func $emit_message (param $port i32) (result i32)
    (call $emit (local.get $port) (global.get $parents) (i32.const %rows) (global.get $message)
      (global.get $message_bytes) (global.get $answer))
    (if (i32.eqz (i32.load8_u (global.get $answer))) (then (return (global.get $done))))
    (i32.load (i32.add (global.get $refused) (i32.mul (i32.load8_u offset=4 (global.get $answer)) (i32.const 4)))))";
