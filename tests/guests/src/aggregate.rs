//! An aggregate in the making: sums of a column of Int64 without nulls, by group, and whatever a test has it do besides.

use arrow::array::{ArrayRef, Int64Array, RecordBatch};
use arrow::datatypes::{DataType, Field, Schema};
use std::sync::Arc;
use volley_ipc::{encode_batch, encode_schema};

use crate::component::component;
use crate::operator::{DATA_START, words_to_bytes};

/// Groups that the guest has messages for: more are a trap.
pub const SUM_GROUPS_MAX: usize = 2_048;

/// Where the sums are in the guest's memory; behind them the messages that it gives back are put together.
const SUMS_AT: usize = 4 << 20;
const OUT_AT: usize = SUMS_AT + SUM_GROUPS_MAX * 8;

/// What the guest does instead of, or beside, the good thing. The bodies are instructions of the text format.
///
/// The guest reads `x: Int64`, keeps `sum: Int64` and gives `total: Int64`. Bodies know `$v` (an i64: the value of the row in
/// `update`, the state in `merge` and `evaluate`, the sum of the group in `drain`), `$i` (the row, an i32), `$n` (how many rows), the
/// globals `$groups` (since the last drain) and `$calls` (of any function so far), and the functions `$reject` (rejects the
/// row `$i`) and `$refuse` (adds nothing of it).
#[derive(Debug, Clone, Default)]
pub struct SumGuest {
    /// For each row of `update`, before it is added; what leaves 1 on the stack has it rejected. Default: `(i32.const 0)`.
    pub reject: Option<String>,
    /// For each row of `update`, before it is added.
    pub update: String,
    /// For each state of `merge`.
    pub merge: String,
    /// For each group of `drain`.
    pub drain: String,
    /// For each state of `evaluate`.
    pub evaluate: String,
    /// Leaves the address of a result of `update`, `merge`, `drain` or `evaluate` instead of what a good guest does:
    /// `(i32.const …)` of [`SumGuest::failure`], for example.
    pub instead: [Option<String>; 4],
    /// How many rows the messages of `drain` and `evaluate` have more than they should.
    pub more_rows: i32,
    /// The columns of the state, as `open` says.
    pub state: Option<Vec<u8>>,
    /// Whether `open` agrees to particulars at all; 1 is `aggregate`, as it should be, others are other worlds'.
    pub particulars: Option<u32>,
    /// Whether results replace the key.
    pub replaces: bool,
    /// Imports that bodies call.
    pub imports: String,
    /// What it says of itself: 0 `deterministic`, 1 `replayable`, 2 `nondeterministic`.
    pub determinism: u32,
}

fn numbers(name: &str) -> Schema {
    Schema::new(vec![Field::new(name, DataType::Int64, false)])
}

/// The message of so many numbers.
fn message(rows: usize) -> Vec<u8> {
    let column: ArrayRef = Arc::new(Int64Array::from(vec![0; rows]));
    encode_batch(&RecordBatch::try_new(Arc::new(numbers("n")), vec![column]).expect("one column")).expect("encodes")
}

#[derive(Default)]
struct Memory(Vec<u8>);

impl Memory {
    fn put(&mut self, bytes: &[u8]) -> u32 {
        self.0.resize(self.0.len().next_multiple_of(8), 0);
        let address = DATA_START + self.0.len();
        self.0.extend(bytes);
        u32::try_from(address).expect("small")
    }

    fn text(&mut self, text: &str) -> [u32; 2] {
        [self.put(text.as_bytes()), u32::try_from(text.len()).expect("short")]
    }

    fn list(&mut self, words: &[u32], elements: usize) -> [u32; 2] {
        [self.put(&words_to_bytes(words)), u32::try_from(elements).expect("few")]
    }
}

impl SumGuest {
    /// A failure with a message, as instructions for [`SumGuest::instead`]: 0 `reject-batch`, 1 `retry` (after no time), 2
    /// `fatal`. The message is `said so`.
    #[must_use]
    pub fn failure(case: u32) -> String {
        format!("(global.get $failure{case})")
    }

    /// The component.
    ///
    /// # Panics
    /// When a body is not valid.
    #[must_use]
    #[allow(clippy::too_many_lines, reason = "it is one text")]
    pub fn build(self) -> Vec<u8> {
        let mut memory = Memory::default();
        let said = memory.text("said so");
        let failures: Vec<u32> = [[said[0], said[1]], [0, 0], [said[0], said[1]]]
            .iter()
            .zip(0..)
            .map(|(payload, case)| memory.put(&words_to_bytes(&[1, 0, case, 0, payload[0], payload[1]])))
            .collect();
        let (code, why) = (memory.text("refused"), memory.text("it was told to"));
        // All messages have one header but for three numbers; the guest patches them where two messages differ.
        let (one, two) = (message(9), message(17));
        let header = one.len() - 128;
        let differ = |at: &usize| one[*at] != two[*at];
        let places: Vec<usize> = (0..header).filter(differ).collect();
        let at = memory.put(&one[..header]);
        let reads = memory.text("x");
        let reads = memory.list(&reads, 1);
        let schema = encode_schema(&numbers("total")).expect("encodes");
        let (name, schema) = (memory.text("out"), [memory.put(&schema), u32::try_from(schema.len()).expect("small")]);
        let outputs = [name[0], name[1], schema[0], schema[1], u32::from(self.replaces)];
        let outputs = memory.list(&outputs, 1);
        let state = self.state.unwrap_or_else(|| encode_schema(&numbers("sum")).expect("encodes"));
        let state = [memory.put(&state), u32::try_from(state.len()).expect("small")];
        let particulars = match self.particulars {
            None => [1, 0, state[0], state[1]],
            Some(0) => [0; 4],
            // A process' list of keys, here an empty one.
            Some(_) => [1, 1, 8, 0],
        };
        let mut words = vec![0, reads[0], reads[1], outputs[0], outputs[1]];
        words.extend(particulars);
        let binding = memory.put(&words_to_bytes(&words));
        let (name, version) = (memory.text("sums"), memory.text("1.2.3"));
        let description =
            memory.put(&words_to_bytes(&[name[0], name[1], version[0], version[1], self.determinism, 8, 0]));
        let heap = DATA_START + memory.0.len().next_multiple_of(64) + 64;
        let data: String = memory.0.iter().map(|byte| format!("\\{byte:02x}")).collect();
        let patch = |place: &usize| patched(&one, &two, *place, header);
        let patches: String = places.iter().map(patch).collect();
        let [update, merge, drain, evaluate] =
            self.instead.map(|body| body.map_or(String::new(), |body| format!("(return {body})")));
        let reject = self.reject.unwrap_or("(i32.const 0)".to_owned());
        let (on_update, on_merge, on_drain, on_evaluate) = (self.update, self.merge, self.drain, self.evaluate);
        let (more, imports) = (self.more_rows, self.imports);
        let globals: String = failures
            .iter()
            .zip(0..)
            .map(|(at, case)| format!("(global $failure{case} i32 (i32.const {at}))\n"))
            .collect();
        let text = format!(
            r#"(module
  {imports}
  (memory (export "memory") 128)
  (data (i32.const {DATA_START}) "{data}")
  (global $start i32 (i32.const {heap}))
  (global $heap (mut i32) (i32.const {heap}))
  (global $groups (mut i32) (i32.const 0))
  (global $calls (mut i32) (i32.const 0))
  (global $rejects (mut i32) (i32.const 0))
  {globals}
  (func $realloc (export "cabi_realloc") (param i32 i32 i32) (param $size i32) (result i32) (local $at i32)
    (local.set $at (i32.and (i32.add (global.get $heap) (i32.const 63)) (i32.const -64)))
    (global.set $heap (i32.add (local.get $at) (local.get $size)))
    (if (i32.gt_u (global.get $heap) (i32.const {SUMS_AT})) (then unreachable))
    (local.get $at))
  (func (export "volley:operator/lifecycle@0.1.0#describe") (result i32) (i32.const {description}))
  (func (export "volley:operator/lifecycle@0.1.0#open") (param i32 i32 i32 i32 i32 i32 i32 i32 i32 i64) (result i32)
    (global.set $heap (global.get $start)) (i32.const {binding}))
  (func (export "volley:operator/lifecycle@0.1.0#close"))

  ;; Where the numbers of a message begin, which has so many bytes and so many rows.
  (func $body (param $ptr i32) (param $len i32) (param $n i32) (result i32)
    (i32.sub (i32.add (local.get $ptr) (local.get $len)) (call $padded (local.get $n))))
  (func $padded (param $n i32) (result i32)
    (i32.and (i32.add (i32.mul (local.get $n) (i32.const 8)) (i32.const 63)) (i32.const -64)))
  (func $sum (param $group i32) (result i32)
    (if (i32.ge_u (local.get $group) (i32.const {SUM_GROUPS_MAX})) (then unreachable))
    (i32.add (i32.const {SUMS_AT}) (i32.mul (local.get $group) (i32.const 8))))
  (func $add (param $group i32) (param $v i64)
    (loop $grow
      (if (i32.ge_u (local.get $group) (global.get $groups))
        (then (i64.store (call $sum (global.get $groups)) (i64.const 0))
          (global.set $groups (i32.add (global.get $groups) (i32.const 1))) (br $grow))))
    (i64.store (call $sum (local.get $group)) (i64.add (i64.load (call $sum (local.get $group))) (local.get $v))))
  (func $reject (param $i i32) (local $at i32)
    (local.set $at (i32.add (i32.const {REJECTS_AT}) (i32.mul (global.get $rejects) (i32.const 20))))
    (i32.store (local.get $at) (local.get $i))
    (i32.store offset=4 (local.get $at) (i32.const {code0})) (i32.store offset=8 (local.get $at) (i32.const {code1}))
    (i32.store offset=12 (local.get $at) (i32.const {why0})) (i32.store offset=16 (local.get $at) (i32.const {why1}))
    (global.set $rejects (i32.add (global.get $rejects) (i32.const 1))))
  (func $begin
    (global.set $calls (i32.add (global.get $calls) (i32.const 1))))
  (func $end (global.set $heap (global.get $start)))
  ;; The address of a result: a message of so many rows, whose numbers are in place.
  (func $message (param $n i32) (result i32)
    (memory.copy (i32.const {OUT_AT}) (i32.const {at}) (i32.const {header}))
    {patches}
    (i64.store (i32.const {RESULT_AT}) (i64.const 0))
    (i32.store (i32.const {RESULT_AT8}) (i32.const {OUT_AT}))
    (i32.store (i32.const {RESULT_AT12}) (i32.add (i32.const {header}) (call $padded (local.get $n))))
    (i32.const {RESULT_AT}))

  (func (export "volley:operator/aggregate@0.1.0#update") (param $gs i32) (param $n i32) (param $ptr i32) (param $len i32)
    (result i32) (local $i i32) (local $v i64) (local $at i32)
    (call $begin) {update}
    (global.set $rejects (i32.const 0))
    (local.set $at (call $body (local.get $ptr) (local.get $len) (local.get $n)))
    (block $done (loop $rows
      (br_if $done (i32.ge_u (local.get $i) (local.get $n)))
      (local.set $v (i64.load (i32.add (local.get $at) (i32.mul (local.get $i) (i32.const 8)))))
      {on_update}
      (if {reject}
        (then (call $reject (local.get $i))
          (call $add (i32.load (i32.add (local.get $gs) (i32.mul (local.get $i) (i32.const 4)))) (i64.const 0)))
        (else (call $add (i32.load (i32.add (local.get $gs) (i32.mul (local.get $i) (i32.const 4)))) (local.get $v))))
      (local.set $i (i32.add (local.get $i) (i32.const 1))) (br $rows)))
    (i64.store (i32.const {RESULT_AT}) (i64.const 0))
    (i32.store (i32.const {RESULT_AT8}) (i32.const {REJECTS_AT}))
    (i32.store (i32.const {RESULT_AT12}) (global.get $rejects))
    (i32.const {RESULT_AT}))
  (func (export "cabi_post_volley:operator/aggregate@0.1.0#update") (param i32) (call $end))

  (func (export "volley:operator/aggregate@0.1.0#merge") (param $gs i32) (param $n i32) (param $ptr i32) (param $len i32)
    (result i32) (local $i i32) (local $v i64) (local $at i32)
    (call $begin) {merge}
    (local.set $at (call $body (local.get $ptr) (local.get $len) (local.get $n)))
    (block $done (loop $rows
      (br_if $done (i32.ge_u (local.get $i) (local.get $n)))
      (local.set $v (i64.load (i32.add (local.get $at) (i32.mul (local.get $i) (i32.const 8)))))
      {on_merge}
      (call $add (i32.load (i32.add (local.get $gs) (i32.mul (local.get $i) (i32.const 4)))) (local.get $v))
      (local.set $i (i32.add (local.get $i) (i32.const 1))) (br $rows)))
    (i64.store (i32.const {RESULT_AT}) (i64.const 0))
    (i32.const {RESULT_AT}))
  (func (export "cabi_post_volley:operator/aggregate@0.1.0#merge") (param i32) (call $end))

  (func (export "volley:operator/aggregate@0.1.0#drain") (result i32) (local $i i32) (local $v i64) (local $n i32)
    (call $begin) {drain}
    (local.set $n (i32.add (global.get $groups) (i32.const {more})))
    (block $done (loop $rows
      (br_if $done (i32.ge_u (local.get $i) (local.get $n)))
      (local.set $v (i64.load (call $sum (local.get $i))))
      {on_drain}
      (i64.store (i32.add (i32.add (i32.const {OUT_AT}) (i32.const {header})) (i32.mul (local.get $i) (i32.const 8)))
        (local.get $v))
      (local.set $i (i32.add (local.get $i) (i32.const 1))) (br $rows)))
    (global.set $groups (i32.const 0))
    (call $message (local.get $n)))
  (func (export "cabi_post_volley:operator/aggregate@0.1.0#drain") (param i32) (call $end))

  (func (export "volley:operator/aggregate@0.1.0#evaluate") (param $ptr i32) (param $len i32) (result i32)
    (local $i i32) (local $v i64) (local $n i32) (local $at i32)
    (call $begin) {evaluate}
    (local.set $n (call $count (local.get $ptr)))
    (local.set $at (call $body (local.get $ptr) (local.get $len) (local.get $n)))
    (block $done (loop $rows
      (br_if $done (i32.ge_u (local.get $i) (local.get $n)))
      (local.set $v (i64.load (i32.add (local.get $at) (i32.mul (local.get $i) (i32.const 8)))))
      {on_evaluate}
      (i64.store (i32.add (i32.add (i32.const {OUT_AT}) (i32.const {header})) (i32.mul (local.get $i) (i32.const 8)))
        (local.get $v))
      (local.set $i (i32.add (local.get $i) (i32.const 1))) (br $rows)))
    (call $message (i32.add (local.get $n) (i32.const {more}))))
  (func (export "cabi_post_volley:operator/aggregate@0.1.0#evaluate") (param i32) (call $end))
  ;; How many rows a message has.
  (func $count (param $ptr i32) (result i32) (i32.load (i32.add (local.get $ptr) (i32.const {rows_at}))))
)"#,
            code0 = code[0],
            code1 = code[1],
            why0 = why[0],
            why1 = why[1],
            RESULT_AT8 = RESULT_AT + 8,
            RESULT_AT12 = RESULT_AT + 12,
            rows_at = places[rows_place(&one, &two, &places)],
        );
        component("aggregate", false, &text)
    }
}

/// Where results and rejects are put together.
const RESULT_AT: usize = 512;
const REJECTS_AT: usize = 6 << 20;

/// Sets one of the numbers in which messages differ: a number of rows, or of bytes.
fn patched(one: &[u8], two: &[u8], place: usize, header: usize) -> String {
    let value = |message: &[u8]| {
        u32::from_le_bytes([message[place], message[place + 1], message[place + 2], message[place + 3]])
    };
    let address = OUT_AT + place;
    let number = match (value(one), value(two)) {
        (9, 17) => "(local.get $n)".to_owned(),
        (72, 136) => "(i32.mul (local.get $n) (i32.const 8))".to_owned(),
        (128, 192) => "(call $padded (local.get $n))".to_owned(),
        other => panic!("messages differ at {place} of {header}: {other:?}"),
    };
    format!("(i32.store (i32.const {address}) {number})\n    ")
}

/// Which of the places has the number of rows.
fn rows_place(one: &[u8], two: &[u8], places: &[usize]) -> usize {
    let is_rows = |place: &usize| one[*place] == 9 && two[*place] == 17;
    places.iter().position(is_rows).expect("a message says how many rows it has")
}
