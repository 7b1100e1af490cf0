//! Builds components: a core module in text with the canonical ABI's exports, wrapped by `wit-component`.

use arrow::datatypes::Schema;
use volley_ipc::encode_schema;
use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::{Resolve, WorldId};

/// Where canned data begins in the guest's memory.
const DATA_START: usize = 1024;

const WIT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../wit/volley-operator@0.1.0");

/// Worlds with WASI beside the contract.
const WASI: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/wasi");

/// A component in the making. The bodies are instructions of the text format.
pub(crate) struct Guest {
    kind: &'static str,
    data: Vec<u8>,
    reads: Vec<&'static str>,
    outputs: Vec<(String, Schema, bool)>,
    imports: String,
    functions: String,
    process: Option<String>,
    open: Option<String>,
    close: String,
    pages: u32,
    wasi: bool,
}

impl Guest {
    /// An operator of `kind` (`map`, `filter`, `flat-map`) that reads these columns.
    pub(crate) fn new(kind: &'static str, reads: &[&'static str]) -> Self {
        Self {
            kind,
            data: Vec::new(),
            reads: reads.to_vec(),
            outputs: Vec::new(),
            imports: String::new(),
            functions: String::new(),
            process: None,
            open: None,
            close: String::new(),
            pages: 16,
            wasi: false,
        }
    }

    /// Adds an output.
    pub(crate) fn output(mut self, name: &str, schema: &Schema, replaces: bool) -> Self {
        self.outputs.push((name.to_owned(), schema.clone(), replaces));
        self
    }

    /// Adds imports.
    pub(crate) fn imports(mut self, text: &str) -> Self {
        self.imports.push_str(text);
        self
    }

    /// Adds functions, globals or a start function.
    pub(crate) fn functions(mut self, text: &str) -> Self {
        self.functions.push_str(text);
        self
    }

    /// What `open` does instead of answering with the binding; leaves a pointer, or traps.
    pub(crate) fn open(mut self, body: &str) -> Self {
        self.open = Some(body.to_owned());
        self
    }

    /// What the function of the kind does. Parameters: `$ptr`, `$len` of the message. A local `$i` is free for use.
    /// Leaves a pointer to the result (see [`Guest::filtered`] and its like).
    pub(crate) fn process(mut self, body: &str) -> Self {
        self.process = Some(body.to_owned());
        self
    }

    /// What `close` does.
    pub(crate) fn close(mut self, body: &str) -> Self {
        self.close = body.to_owned();
        self
    }

    /// Pages of memory to begin with; 16 unless told.
    pub(crate) fn pages(mut self, pages: u32) -> Self {
        self.pages = pages;
        self
    }

    /// Lets it import WASI. Only filters can.
    pub(crate) fn wasi(mut self) -> Self {
        self.wasi = true;
        self
    }

    /// Puts bytes into the guest's memory; gives their address.
    pub(crate) fn put(&mut self, bytes: &[u8]) -> u32 {
        let padding = self.data.len().next_multiple_of(8) - self.data.len();
        self.data.extend(std::iter::repeat_n(0, padding));
        let address = DATA_START + self.data.len();
        self.data.extend(bytes);
        u32::try_from(address).expect("small")
    }

    /// A list or string in memory: address and length.
    pub(crate) fn list(&mut self, bytes: &[u8], elements: usize) -> [u32; 2] {
        [self.put(bytes), u32::try_from(elements).expect("small")]
    }

    fn text(&mut self, text: &str) -> [u32; 2] {
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
    pub(crate) fn filtered(&mut self, bitmap: &[u8], rejects: &[(u32, &str, &str)]) -> u32 {
        let (keep, rejects) = (self.list(bitmap, bitmap.len()), self.rejects(rejects));
        self.put(&words_to_bytes(&[0, 0, keep[0], keep[1], rejects[0], rejects[1]]))
    }

    /// A map's successful result with canned columns; gives its address.
    pub(crate) fn mapped(&mut self, columns: &[u8], rejects: &[(u32, &str, &str)]) -> u32 {
        self.filtered(columns, rejects)
    }

    /// A flat-map's successful result; gives its address.
    pub(crate) fn emitted(&mut self, rejects: &[(u32, &str, &str)]) -> u32 {
        let rejects = self.rejects(rejects);
        self.put(&words_to_bytes(&[0, 0, rejects[0], rejects[1]]))
    }

    /// A failure: 0 `reject-batch`, 1 `retry`, 2 `fatal`; gives its address.
    pub(crate) fn failure(&mut self, case: u32, message: &str, retry_ms: u32) -> u32 {
        let [address, length] = if case == 1 { [retry_ms, 0] } else { self.text(message) };
        self.put(&words_to_bytes(&[1, 0, case, 0, address, length]))
    }

    /// A refusal of `open`: 0 `invalid-config`, 1 `invalid-input`, 2 `failed`; gives its address.
    pub(crate) fn open_error(&mut self, case: u32, message: &str) -> u32 {
        let [address, length] = self.text(message);
        self.put(&words_to_bytes(&[1, case, address, length]))
    }

    fn binding(&mut self) -> u32 {
        let mut words = Vec::new();
        for name in self.reads.clone() {
            words.extend(self.text(name));
        }
        let reads = self.list(&words_to_bytes(&words), self.reads.len());
        let mut words = Vec::new();
        for (name, schema, replaces) in std::mem::take(&mut self.outputs) {
            words.extend(self.text(&name));
            let schema = encode_schema(&schema).expect("encodes");
            words.extend(self.list(&schema, schema.len()));
            words.push(u32::from(replaces));
        }
        let outputs = self.list(&words_to_bytes(&words), words.len() / 5);
        self.put(&words_to_bytes(&[0, reads[0], reads[1], outputs[0], outputs[1]]))
    }

    fn description(&mut self) -> u32 {
        let (name, version) = (self.text("canned"), self.text("1.2.3"));
        self.put(&words_to_bytes(&[name[0], name[1], version[0], version[1], 8, 0]))
    }

    /// The core module's text.
    pub(crate) fn module(mut self) -> String {
        let (binding, description) = (self.binding(), self.description());
        let open = self.open.take().unwrap_or(format!("(i32.const {binding})"));
        let process = self.process.take().unwrap_or("unreachable".to_owned());
        let heap = DATA_START + self.data.len().next_multiple_of(64) + 64;
        let data: String = self.data.iter().map(|byte| format!("\\{byte:02x}")).collect();
        let (kind, pages) = (self.kind, self.pages);
        let (imports, functions, close) = (&self.imports, &self.functions, &self.close);
        format!(
            r#"(module
  {imports}
  (memory (export "memory") {pages})
  (data (i32.const {DATA_START}) "{data}")
  (global $heap (mut i32) (i32.const {heap}))
  (func $realloc (export "cabi_realloc") (param $old i32) (param $old_size i32) (param $align i32) (param $size i32)
    (result i32) (local $at i32)
    (local.set $at (i32.and (i32.add (global.get $heap) (i32.const 63)) (i32.const -64)))
    (global.set $heap (i32.add (local.get $at) (local.get $size)))
    (if (i32.gt_u (global.get $heap) (i32.mul (memory.size) (i32.const 65536)))
      (then (if (i32.eq (memory.grow (i32.add (i32.const 1)
          (i32.div_u (i32.sub (global.get $heap) (i32.mul (memory.size) (i32.const 65536))) (i32.const 65536))))
          (i32.const -1)) (then unreachable))))
    (local.get $at))
  {functions}
  (func (export "volley:operator/lifecycle@0.1.0#describe") (result i32) (i32.const {description}))
  (func (export "volley:operator/lifecycle@0.1.0#open") (param $config i32) (param $config_len i32)
    (param $schema i32) (param $schema_len i32) (result i32) (local $i i32) {open})
  (func (export "volley:operator/lifecycle@0.1.0#close") (local $i i32) {close})
  (func $process (export "volley:operator/{kind}@0.1.0#{kind}") (param $ptr i32) (param $len i32) (result i32)
    (local $i i32) {process})
  (func (export "cabi_post_volley:operator/{kind}@0.1.0#{kind}") (param i32) (global.set $heap (i32.const {heap})))
)"#
        )
    }

    /// The component.
    pub(crate) fn build(self) -> Vec<u8> {
        let (kind, wasi) = (self.kind, self.wasi);
        let text = self.module();
        let mut module = wat::parse_str(&text).unwrap_or_else(|error| panic!("{error}\n{text}"));
        let (resolve, world) = world(kind, wasi);
        embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8).expect("embeds");
        let mut encoder = ComponentEncoder::default();
        encoder.validate(true).module(&module).expect("a module of the world");
        encoder.encode().expect("a component")
    }
}

/// The world of a kind, with or without WASI.
pub(crate) fn world(kind: &str, wasi: bool) -> (Resolve, WorldId) {
    let mut resolve = Resolve::default();
    let (mut package, _) = resolve.push_dir(WIT).expect("the contract parses");
    if wasi {
        (package, _) = resolve.push_dir(WASI).expect("WASI parses");
    }
    let world = resolve.select_world(&[package], Some(&format!("{kind}-operator"))).expect("the world exists");
    (resolve, world)
}

/// Little-endian words, as a guest's memory has them.
pub(crate) fn words_to_bytes(words: &[u32]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_le_bytes()).collect()
}
