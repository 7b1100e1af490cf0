//! An operator in the making: a core module in text, with the exports that the canonical ABI gives the contract.

use std::borrow::Cow;

use arrow::datatypes::Schema;
use volley_ipc::encode_schema;

use crate::component::component;
use crate::state::{Declared, Kept};

/// Where canned data begins in a guest's memory.
pub const DATA_START: usize = 1024;

/// A component in the making. The bodies are instructions of the text format.
///
/// Text or data that does not fit together panics: a test's guest is part of the test.
#[derive(Debug, Clone)]
pub struct Guest {
    kind: Cow<'static, str>,
    data: Vec<u8>,
    reads: Vec<String>,
    outputs: Vec<(String, Vec<u8>, bool)>,
    imports: String,
    functions: String,
    process: Option<String>,
    encode: String,
    open: Option<String>,
    describe: Option<String>,
    states: Vec<Declared>,
    on_timers: Option<String>,
    on_watermark: Option<String>,
    forget: String,
    snapshot: Option<SnapshotBodies>,
    realloc: Option<String>,
    close: String,
    post_return: String,
    heap: Option<usize>,
    pages: u32,
    wasi: bool,
}

/// What a process does that holds state itself; where nothing is said it has none, takes any and brings none over. Each leaves
/// a pointer to its result.
#[derive(Debug, Clone, Default)]
pub struct SnapshotBodies {
    /// `snapshot`; without parameters.
    pub snapshot: Option<String>,
    /// `restore`. Parameters: `$parts`, `$count`.
    pub restore: Option<String>,
    /// `can-migrate`. Parameters: `$states`, `$count`.
    pub can_migrate: Option<String>,
    /// `migrate`. Parameters: those of the declaration, then `$ptr` and `$len` of the rows.
    pub migrate: Option<String>,
}

impl Guest {
    /// An operator of `kind` (`map`, `filter`, `flat-map`, `process`, `scalar`, `codec`) that reads these columns.
    #[must_use]
    pub fn new(kind: impl Into<Cow<'static, str>>, reads: &[&str]) -> Self {
        Self {
            kind: kind.into(),
            data: Vec::new(),
            reads: reads.iter().map(|name| (*name).to_owned()).collect(),
            outputs: Vec::new(),
            imports: String::new(),
            functions: String::new(),
            process: None,
            encode: "unreachable".to_owned(),
            open: None,
            describe: None,
            states: Vec::new(),
            on_timers: None,
            on_watermark: None,
            forget: String::new(),
            snapshot: None,
            realloc: None,
            close: String::new(),
            post_return: String::new(),
            heap: None,
            pages: 16,
            wasi: false,
        }
    }

    /// Adds an output.
    #[must_use]
    pub fn output(self, name: &str, schema: &Schema, replaces: bool) -> Self {
        let schema = encode_schema(schema).expect("encodes");
        self.output_of(name, schema, replaces)
    }

    /// Adds an output whose schema is any bytes.
    #[must_use]
    pub fn output_of(mut self, name: &str, schema: Vec<u8>, replaces: bool) -> Self {
        self.outputs.push((name.to_owned(), schema, replaces));
        self
    }

    /// Adds imports.
    #[must_use]
    pub fn imports(mut self, text: &str) -> Self {
        self.imports.push_str(text);
        self
    }

    /// Adds functions, globals or a start function.
    #[must_use]
    pub fn functions(mut self, text: &str) -> Self {
        self.functions.push_str(text);
        self
    }

    /// What `open` does instead of answering with the binding; leaves a pointer, or traps.
    #[must_use]
    pub fn open(mut self, body: &str) -> Self {
        self.open = Some(body.to_owned());
        self
    }

    /// What the function of the kind does. Parameters: `$ptr`, `$len` of the message. A local `$i` is free for use.
    /// Leaves a pointer to the result (see [`Guest::filtered`] and its like).
    #[must_use]
    pub fn process(mut self, body: &str) -> Self {
        self.process = Some(body.to_owned());
        self
    }

    /// What `encode` of a codec does, instead of crashing. Parameters: `$ptr`, `$len` of the rows; leaves a pointer.
    #[must_use]
    pub fn encode(mut self, body: &str) -> Self {
        self.encode = body.to_owned();
        self
    }

    /// Declares a state of kind `value` with these columns, version 1. Only a process has any.
    #[must_use]
    pub fn state(self, name: &str, values: &Schema) -> Self {
        self.state_of(name, &Kept::Value, values)
    }

    /// The same of any kind.
    #[must_use]
    pub fn state_of(mut self, name: &str, kind: &Kept<'_>, values: &Schema) -> Self {
        self.states.push(Declared::new(name, kind, values));
        self
    }

    /// What `on-timers` of a process does instead of nothing. Parameters: `$timers`, `$count`; leaves a pointer.
    #[must_use]
    pub fn on_timers(mut self, body: &str) -> Self {
        self.on_timers = Some(body.to_owned());
        self
    }

    /// What `on-watermark` of a process does instead of nothing. Parameters: `$has_ended`, `$at_ms`; leaves a pointer.
    #[must_use]
    pub fn on_watermark(mut self, body: &str) -> Self {
        self.on_watermark = Some(body.to_owned());
        self
    }

    /// What `forget` of a process does.
    #[must_use]
    pub fn forget(mut self, body: &str) -> Self {
        self.forget = body.to_owned();
        self
    }

    /// Exports `snapshot`. Only a process can.
    #[must_use]
    pub fn snapshot(mut self, bodies: SnapshotBodies) -> Self {
        self.snapshot = Some(bodies);
        self
    }

    /// What `describe` does instead of answering `canned`, `1.2.3`; leaves a pointer, or traps.
    #[must_use]
    pub fn describe(mut self, body: &str) -> Self {
        self.describe = Some(body.to_owned());
        self
    }

    /// What `cabi_realloc` does instead of handing out memory. Parameters: `$old`, `$old_size`, `$align`, `$size`.
    #[must_use]
    pub fn realloc(mut self, body: &str) -> Self {
        self.realloc = Some(body.to_owned());
        self
    }

    /// What the function that follows each call does before it forgets what was allocated. Parameter: `$result`.
    #[must_use]
    pub fn post_return(mut self, body: &str) -> Self {
        self.post_return = body.to_owned();
        self
    }

    /// What `close` does.
    #[must_use]
    pub fn close(mut self, body: &str) -> Self {
        self.close = body.to_owned();
        self
    }

    /// Pages of memory to begin with; 16 unless told.
    #[must_use]
    pub fn pages(mut self, pages: u32) -> Self {
        self.pages = pages;
        self
    }

    /// Where allocation begins; right behind the canned data unless told.
    #[must_use]
    pub fn heap(mut self, address: usize) -> Self {
        self.heap = Some(address);
        self
    }

    /// Lets it import WASI. Only filters can.
    #[must_use]
    pub fn wasi(mut self) -> Self {
        self.wasi = true;
        self
    }

    /// Puts bytes into the guest's memory; gives their address.
    pub fn put(&mut self, bytes: &[u8]) -> u32 {
        let padding = self.data.len().next_multiple_of(8) - self.data.len();
        self.data.extend(std::iter::repeat_n(0, padding));
        let address = DATA_START + self.data.len();
        self.data.extend(bytes);
        u32::try_from(address).expect("small")
    }

    /// Puts a message into the guest's memory, aligned as the contract asks; gives its address.
    pub fn put_aligned(&mut self, bytes: &[u8]) -> u32 {
        // The data begins at a multiple of 64 itself.
        self.data.resize(self.data.len().next_multiple_of(64), 0);
        self.put(bytes)
    }

    /// A list or string in memory: address and length.
    pub fn list(&mut self, bytes: &[u8], elements: usize) -> [u32; 2] {
        [self.put(bytes), u32::try_from(elements).expect("small")]
    }

    /// A string in memory: address and length.
    pub fn text(&mut self, text: &str) -> [u32; 2] {
        self.list(text.as_bytes(), text.len())
    }

    fn rejects(&mut self, rejects: &[(u32, &str, &str)]) -> [u32; 2] {
        let mut words = Vec::new();
        for (row, code, message) in rejects {
            words.push(*row);
            words.extend(self.text(code));
            words.extend(self.text(message));
        }
        self.list(&words_to_bytes(&words), rejects.len())
    }

    /// A filter's successful result; gives its address.
    pub fn filtered(&mut self, bitmap: &[u8], rejects: &[(u32, &str, &str)]) -> u32 {
        let (keep, rejects) = (self.list(bitmap, bitmap.len()), self.rejects(rejects));
        self.put(&words_to_bytes(&[0, 0, keep[0], keep[1], rejects[0], rejects[1]]))
    }

    /// A map's successful result with canned columns; gives its address.
    pub fn mapped(&mut self, columns: &[u8], rejects: &[(u32, &str, &str)]) -> u32 {
        self.filtered(columns, rejects)
    }

    /// A flat-map's successful result; gives its address.
    pub fn emitted(&mut self, rejects: &[(u32, &str, &str)]) -> u32 {
        let rejects = self.rejects(rejects);
        self.put(&words_to_bytes(&[0, 0, rejects[0], rejects[1]]))
    }

    /// A codec's successful result: rows, the frame of each, nothing refused and nothing left; gives its address.
    pub fn decoded(&mut self, rows: &[u8], frames: &[u32]) -> u32 {
        let (rows, frames) = (self.list(rows, rows.len()), self.list(&words_to_bytes(frames), frames.len()));
        self.put(&words_to_bytes(&[0, 0, rows[0], rows[1], frames[0], frames[1], 0, 0, 0]))
    }

    /// A codec's other successful result: frames, the first row of each, and nothing refused; gives its address.
    pub fn encoded(&mut self, frames: &[u8], rows: &[u32]) -> u32 {
        let (frames, rows) = (self.list(frames, frames.len()), self.list(&words_to_bytes(rows), rows.len()));
        self.put(&words_to_bytes(&[0, 0, frames[0], frames[1], rows[0], rows[1], 0, 0]))
    }

    /// A failure: 0 `reject-batch`, 1 `retry`, 2 `fatal`; gives its address.
    pub fn failure(&mut self, case: u32, message: &str, retry_ms: u32) -> u32 {
        let [address, length] = if case == 1 { [retry_ms, 0] } else { self.text(message) };
        self.put(&words_to_bytes(&[1, 0, case, 0, address, length]))
    }

    /// A refusal of `open`: 0 `invalid-config`, 1 `invalid-input`, 2 `failed`; gives its address.
    pub fn open_error(&mut self, case: u32, message: &str) -> u32 {
        let [address, length] = self.text(message);
        self.put(&words_to_bytes(&[1, case, address, length]))
    }

    fn binding(&mut self) -> u32 {
        let mut words = Vec::new();
        for name in self.reads.clone() {
            words.extend(self.text(&name));
        }
        let reads = self.list(&words_to_bytes(&words), self.reads.len());
        let mut words = Vec::new();
        for (name, schema, replaces) in std::mem::take(&mut self.outputs) {
            words.extend(self.text(&name));
            words.extend(self.list(&schema, schema.len()));
            words.push(u32::from(replaces));
        }
        let outputs = self.list(&words_to_bytes(&words), words.len() / 5);
        // Behind them no particulars, which have room for a case, a list and its length.
        let particulars = if self.kind == "scalar" { [1, SCALAR, PROPAGATE, 0] } else { [0; 4] };
        let [is_there, case, first, second] = particulars;
        let words = [0, reads[0], reads[1], outputs[0], outputs[1], is_there, case, first, second];
        self.put(&words_to_bytes(&words))
    }

    /// The states, as `describe` tells them: address and number. For guests that say of themselves what they are.
    pub fn describes_states(&mut self) -> [u32; 2] {
        let mut words = Vec::new();
        let declared = std::mem::take(&mut self.states);
        for state in &declared {
            words.extend(state.words(&mut |bytes| self.list(bytes, bytes.len())));
        }
        self.list(&words_to_bytes(&words), declared.len())
    }

    fn description(&mut self) -> u32 {
        let (name, version) = (self.text("canned"), self.text("1.2.3"));
        let states = self.describes_states();
        self.put(&words_to_bytes(&[name[0], name[1], version[0], version[1], DETERMINISTIC, states[0], states[1]]))
    }

    /// The core module's text. Its globals `$binding` and `$description` are the addresses of what `open` and `describe`
    /// answer unless told otherwise, so that a body can do something else first.
    #[must_use]
    pub fn module(mut self) -> String {
        let (binding, description) = (self.binding(), self.description());
        // Success of a function without a value.
        let unit = self.put(&[0; 24]);
        let open = self.open.take().unwrap_or(format!("(i32.const {binding})"));
        let describe = self.describe.take().unwrap_or(format!("(i32.const {description})"));
        let process = self.process.take().unwrap_or("unreachable".to_owned());
        let heap = self.heap.unwrap_or(DATA_START + self.data.len().next_multiple_of(64) + 64);
        assert!(heap > DATA_START + self.data.len(), "{} bytes of data reach into the heap", self.data.len());
        let realloc = self.realloc.take().unwrap_or(REALLOC.to_owned());
        let data: String = self.data.iter().map(|byte| format!("\\{byte:02x}")).collect();
        let function = match &*self.kind {
            "scalar" => "call",
            "codec" => "decode",
            kind => kind,
        };
        let parameters = match &*self.kind {
            "codec" => "(param $framing i32) (param $ptr i32) (param $len i32) (param $end i32)",
            _ => "(param $ptr i32) (param $len i32)",
        };
        let process = if self.kind == "process" {
            let (on_timers, on_watermark) = (self.on_timers.take(), self.on_watermark.take());
            let nothing = || format!("(i32.const {unit})");
            let (on_timers, on_watermark) = (on_timers.unwrap_or_else(nothing), on_watermark.unwrap_or_else(nothing));
            PROCESS
                .replace("%process", &process)
                .replace("%on_timers", &on_timers)
                .replace("%on_watermark", &on_watermark)
                .replace("%forget", &self.forget)
        } else {
            let kind = &self.kind;
            format!(
                r#"(func $process (export "volley:operator/{kind}@0.1.0#{function}") {parameters} (result i32)
    (local $i i32) {process})"#
            )
        };
        let snapshot = self.snapshot.take().map_or_else(String::new, |bodies| {
            let nothing = || format!("(i32.const {unit})");
            SNAPSHOT
                .replace("%snapshot", &bodies.snapshot.unwrap_or_else(nothing))
                .replace("%restore", &bodies.restore.unwrap_or_else(nothing))
                .replace("%can_migrate", &bodies.can_migrate.unwrap_or_else(nothing))
                .replace("%migrate", &bodies.migrate.unwrap_or_else(|| "unreachable".to_owned()))
        });
        let (kind, pages) = (&self.kind, self.pages);
        let encode = match &*self.kind {
            "codec" => ENCODE.replace("%encode", &self.encode).replace("%heap", &heap.to_string()),
            _ => String::new(),
        };
        let (imports, functions, close, post_return) = (&self.imports, &self.functions, &self.close, &self.post_return);
        format!(
            r#"(module
  {imports}
  (memory (export "memory") {pages})
  (data (i32.const {DATA_START}) "{data}")
  (global $heap (mut i32) (i32.const {heap}))
  (global $binding i32 (i32.const {binding}))
  (global $description i32 (i32.const {description}))
  (func $realloc (export "cabi_realloc") (param $old i32) (param $old_size i32) (param $align i32) (param $size i32)
    (result i32) (local $at i32) {realloc})
  {functions}
  (func (export "volley:operator/lifecycle@0.1.0#describe") (result i32) {describe})
  (func (export "volley:operator/lifecycle@0.1.0#open") (param $config i32) (param $config_len i32)
    (param $schema i32) (param $schema_len i32) (param $keys i32) (param $key_count i32)
    (param $has_time i32) (param $time i32) (param $time_len i32) (param $time_offset i64)
    (result i32) (local $i i32) {open})
  (func (export "volley:operator/lifecycle@0.1.0#close") (local $i i32) {close})
  {process}
  (func (export "cabi_post_volley:operator/{kind}@0.1.0#{function}") (param $result i32)
    {post_return} (global.set $heap (i32.const {heap})))
  {encode}
  {snapshot}
)"#
        )
    }

    /// The component.
    #[must_use]
    pub fn build(self) -> Vec<u8> {
        let (kind, wasi) = (self.kind.clone(), self.wasi);
        component(&kind, wasi, &self.module())
    }
}

/// The case of `particulars` that scalars have, and their first way with nulls.
const SCALAR: u32 = 2;
const PROPAGATE: u32 = 0;

/// A codec's other function.
const ENCODE: &str = r#"(func (export "volley:operator/codec@0.1.0#encode") (param $ptr i32) (param $len i32) (result i32)
    (local $i i32) %encode)
  (func (export "cabi_post_volley:operator/codec@0.1.0#encode") (param i32) (global.set $heap (i32.const %heap)))"#;

/// The functions of a process. What it wants to know of keys is nothing, so that those parameters are always the same.
const PROCESS: &str = r#"(func $process (export "volley:operator/process@0.1.0#process")
    (param $has_keys i32) (param $first i32) (param $keys i32) (param $keys_len i32)
    (param $groups i32) (param $group_count i32) (param $ptr i32) (param $len i32) (result i32)
    (local $i i32) %process)
  (func (export "volley:operator/process@0.1.0#on-timers")
    (param $has_keys i32) (param $first i32) (param $keys i32) (param $keys_len i32)
    (param $timers i32) (param $count i32) (result i32) (local $i i32) %on_timers)
  (func (export "volley:operator/process@0.1.0#on-watermark") (param $has_ended i32) (param $at_ms i64) (result i32)
    (local $i i32) %on_watermark)
  (func (export "volley:operator/process@0.1.0#forget") %forget)"#;

/// The functions of `snapshot`. A declaration crosses in thirteen values.
const SNAPSHOT: &str = r#"(func (export "volley:operator/snapshot@0.1.0#snapshot") (result i32) %snapshot)
  (func (export "volley:operator/snapshot@0.1.0#restore") (param $parts i32) (param $count i32) (result i32) %restore)
  (func (export "volley:operator/snapshot@0.1.0#can-migrate") (param $states i32) (param $count i32) (result i32)
    %can_migrate)
  (func (export "volley:operator/snapshot@0.1.0#migrate")
    (param $name i32) (param $name_len i32) (param $kind i32) (param $functions i32) (param $function_count i32)
    (param $has_keys i32) (param $keys i32) (param $keys_len i32) (param $values i32) (param $values_len i32)
    (param $version i32) (param $has_ttl i32) (param $ttl_ms i64) (param $ptr i32) (param $len i32) (result i32)
    %migrate)"#;

/// The first case of `determinism`.
const DETERMINISTIC: u32 = 0;

/// Hands out memory from `$heap` on, 64-byte-aligned, and grows where it must.
const REALLOC: &str = "
    (local.set $at (i32.and (i32.add (global.get $heap) (i32.const 63)) (i32.const -64)))
    (global.set $heap (i32.add (local.get $at) (local.get $size)))
    (if (i32.gt_u (global.get $heap) (i32.mul (memory.size) (i32.const 65536)))
      (then (if (i32.eq (memory.grow (i32.add (i32.const 1)
          (i32.div_u (i32.sub (global.get $heap) (i32.mul (memory.size) (i32.const 65536))) (i32.const 65536))))
          (i32.const -1)) (then unreachable))))
    (local.get $at)";

/// Little-endian words, as a guest's memory has them.
#[must_use]
pub fn words_to_bytes(words: &[u32]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_le_bytes()).collect()
}
