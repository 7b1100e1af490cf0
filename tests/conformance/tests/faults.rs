//! Components that break one promise each: the suite says which.

use arrow::array::{ArrayRef, BinaryArray, Int64Array, RecordBatch};
use arrow::datatypes::{DataType, Field, Schema};
use std::sync::Arc;
use volley_test_conformance::{Sample, Verdict, check};
use volley_test_guests::{Guest, SumGuest, words_to_bytes};

fn numbers(name: &str) -> Schema {
    Schema::new(vec![Field::new(name, DataType::Int64, false)])
}

fn verdict(component: &[u8], sample: &str) -> Verdict {
    check(component, &Sample::parse(sample).expect("a sample"))
}

/// Fails unless a promise with these words was broken, seen by an example with those.
#[track_caller]
fn breaks(verdict: &Verdict, promise: &str, seen: &str) {
    let found = verdict.broken.iter().any(|broken| broken.promise.contains(promise) && broken.seen.contains(seen));
    assert!(found, "no `{promise}` with `{seen}` among {:#?}", verdict.broken);
}

const NUMBERS: &str = "columns = ['x: Int64!']";

/// A filter whose bitmap is of these bytes, again and again, after `before` was done.
fn filter(before: &str, byte: &str) -> Vec<u8> {
    let mut guest = Guest::new("filter", &["x"]).functions("(global $calls (mut i32) (i32.const 0))");
    let answer = guest.filtered(&[], &[]);
    let bitmap = guest.put(&[0; 1_100]);
    guest
        .process(&format!(
            "(global.set $calls (i32.add (global.get $calls) (i32.const 1)))
             {before}
             (local.set $i (i32.const 0))
             (memory.fill (i32.const {bitmap}) {byte} (i32.const 1100))
             (i32.store offset=8 (i32.const {answer}) (i32.const {bitmap}))
             ;; As many bytes as rows need: messages of one column are its numbers behind a header of less than 512 bytes.
             (i32.store offset=12 (i32.const {answer}) (i32.div_u (i32.add (call $count (local.get $ptr)) (i32.const 7))
               (i32.const 8)))
             (i32.const {answer})"
        ))
        .functions(COUNT)
        .build()
}

/// Rows of a batch message: its root table is a Message, whose header is a RecordBatch, whose first field is `length`.
const COUNT: &str = "
  (func $count (param $ptr i32) (result i32) (local $table i32) (local $field i32)
    (local.set $table (i32.add (i32.add (local.get $ptr) (i32.const 8)) (i32.load offset=8 (local.get $ptr))))
    (local.set $field (i32.load16_u offset=8 (i32.sub (local.get $table) (i32.load (local.get $table)))))
    (local.set $table (i32.add (local.get $table) (local.get $field)))
    (local.set $table (i32.add (local.get $table) (i32.load (local.get $table))))
    (local.set $field (i32.load16_u offset=4 (i32.sub (local.get $table) (i32.load (local.get $table)))))
    (i32.load (i32.add (local.get $table) (local.get $field))))";

#[test]
fn a_filter_that_keeps_all_rows_keeps_its_promises() {
    let good = verdict(&filter("", "(i32.const 255)"), NUMBERS);
    assert_eq!(good.broken, []);
    assert!(good.kept.len() >= 7, "{:?}", good.kept);
}

#[test]
fn a_filter_that_goes_by_places_or_by_calls_is_found_out() {
    // The first of every eight rows, whatever is in it.
    let by_place = verdict(&filter("", "(i32.const 1)"), NUMBERS);
    breaks(&by_place, "does not depend on the batch", "opposite order");
    breaks(&by_place, "a batch of one row", "in batches of");
    // All rows of every second call.
    let by_call = "(i32.and (i32.sub (i32.const 0) (i32.and (global.get $calls) (i32.const 1))) (i32.const 255))";
    let by_call = verdict(&filter("", by_call), NUMBERS);
    breaks(&by_call, "what came before", "behind another batch");
    breaks(&by_call, "as deterministic as", "gave something else the second time");
}

#[test]
fn what_fails_on_a_row_or_binds_by_whim_is_found_out() {
    let crash = verdict(&filter("unreachable", "(i32.const 255)"), NUMBERS);
    // A host gives it up.
    breaks(&crash, "a batch of one row", "is quarantined after 60 failures");
    let none = check(b"no component", &Sample::parse(NUMBERS).expect("a sample"));
    assert_eq!(none.kind, None);
    breaks(&none, "a component that a host loads", "not a WebAssembly component");
    let mut guest = Guest::new("filter", &["x"]);
    let refusal = guest.open_error(1, "not today");
    let refuses = guest.open(&format!("(i32.const {refusal})")).build();
    breaks(&verdict(&refuses, NUMBERS), "`open` is pure", "not today");
}

const SUMS: &str = "columns = ['x: Int64!', 'k: Utf8']\nkeys = ['k']";

fn sums(guest: SumGuest) -> Verdict {
    verdict(&guest.build(), SUMS)
}

#[test]
fn an_honest_aggregate_keeps_its_promises() {
    let good = sums(SumGuest::default());
    assert_eq!(good.broken, []);
    assert!(good.kept.len() >= 10, "{:?}", good.kept);
}

#[test]
fn aggregates_that_lose_or_invent_are_found_out() {
    let good = SumGuest::default;
    // States but the first are lost.
    let merges = SumGuest { merge: "(if (local.get $i) (then (local.set $v (i64.const 0))))".into(), ..good() };
    breaks(&sums(merges), "merges to the same in any order", "has");
    // What `evaluate` says depends on how often it was asked.
    let evaluates = SumGuest {
        evaluate: "(local.set $v (i64.add (local.get $v) (i64.extend_i32_u (global.get $calls))))".into(),
        ..good()
    };
    let evaluates = sums(evaluates);
    breaks(&evaluates, "`evaluate` changes nothing", "evaluated again");
    breaks(&evaluates, "as deterministic as", "gave something else the second time");
    // The first row of every call counts twice.
    let updates = SumGuest {
        update: "(if (i32.eqz (local.get $i)) (then (local.set $v (i64.mul (local.get $v) (i64.const 2)))))".into(),
        ..good()
    };
    let updates = sums(updates);
    breaks(&updates, "in calls of any size", "rows at a time");
    breaks(&updates, "in any order", "has");
    // A rejected row is added all the same.
    let rejects = SumGuest {
        update: "(if (i64.lt_s (local.get $v) (i64.const -500)) (then (call $add (i32.load (i32.add (local.get $gs) \
                 (i32.mul (local.get $i) (i32.const 4)))) (local.get $v))))"
            .into(),
        reject: Some("(i64.lt_s (local.get $v) (i64.const -500))".into()),
        ..good()
    };
    breaks(&sums(rejects), "a rejected row was not added", "rows rejected");
    let crash = sums(SumGuest { merge: "unreachable".into(), ..good() });
    breaks(&crash, "merges to the same", "trapped in `merge`");
}

/// A process that emits for each row a number of its own making: `body` leaves it on the stack for the row `$i`.
fn process(body: &str, forget: &str) -> Vec<u8> {
    const IMPORTS: &str = r#"
  (import "volley:operator/emitter@0.1.0" "emit" (func $emit (param i32 i32 i32 i32 i32 i32)))"#;
    let column: ArrayRef = Arc::new(Int64Array::from(vec![0]));
    let message = RecordBatch::try_new(Arc::new(numbers("n")), vec![column]).expect("one column");
    let message = volley_ipc::encode_batch(&message).expect("encodes");
    let mut guest = Guest::new("process", &["x"])
        .output("out", &numbers("n"), false)
        .imports(IMPORTS)
        .functions(
            "(global $seen (mut i64) (i64.const 0)) (func $known (param $group i32) (result i32)
            (i32.add (i32.const 0x80000) (i32.mul (i32.and (local.get $group) (i32.const 4095)) (i32.const 8))))",
        )
        .pages(64);
    let bytes = u32::try_from(message.len()).expect("small");
    let message = guest.put_aligned(&message);
    let number = message + bytes - 64;
    let parent = guest.put(&words_to_bytes(&[0]));
    let answer = guest.put(&[0; 32]);
    let done = guest.emitted(&[]);
    guest
        .heap(0x100000)
        .forget(forget)
        .process(&format!(
            "(block $end (loop $rows
               (br_if $end (i32.ge_u (local.get $i) (local.get $group_count)))
               (i32.store (i32.const {parent}) (local.get $i))
               (i64.store (i32.const {number}) {body})
               (call $emit (i32.const 0) (i32.const {parent}) (i32.const 1) (i32.const {message}) (i32.const {bytes})
                 (i32.const {answer}))
               (if (i32.load8_u (i32.const {answer})) (then unreachable))
               (local.set $i (i32.add (local.get $i) (i32.const 1))) (br $rows)))
             (i32.const {done})"
        ))
        .build()
}

const KEYED: &str = "columns = ['x: Int64!', 'k: Utf8', 'at: Int64!']\nkeys = ['k']\nevent_time = 'at'";

/// The group of the row.
const GROUP: &str = "(i32.load (i32.add (local.get $groups) (i32.mul (local.get $i) (i32.const 4))))";

#[test]
fn a_process_that_keeps_nothing_keeps_its_promises() {
    let good = verdict(&process("(i64.const 7)", ""), KEYED);
    assert_eq!(good.broken, []);
    assert!(good.kept.len() >= 8, "{:?}", good.kept);
}

#[test]
fn processes_that_keep_what_matters_to_themselves_are_found_out() {
    // Counts the rows of each key in its own memory, by the number of the key, and forgets when it is told to.
    let count = format!(
        "(block (result i64)
           (i64.store (call $known {GROUP}) (i64.add (i64.const 1) (i64.load (call $known {GROUP}))))
           (i64.load (call $known {GROUP})))"
    );
    let forgets = "(memory.fill (i32.const 0x80000) (i32.const 0) (i32.const 32768))";
    let counts = verdict(&process(&count, forgets), KEYED);
    breaks(&counts, "its memory may go", "with a fresh instance after every watermark");
    breaks(&counts, "`forget` leaves nothing behind", "with all keys forgotten");
    // One that shows the numbers of keys themselves: they are nothing that may be seen.
    let shows = verdict(&process(&format!("(i64.extend_i32_u {GROUP})"), ""), KEYED);
    breaks(&shows, "depends on that key's rows alone", "with rows of the key");
    // And one that counts all rows of all keys.
    let all = "(block (result i64) (global.set $seen (i64.add (global.get $seen) (i64.const 1))) (global.get $seen))";
    let counts = verdict(&process(all, ""), KEYED);
    breaks(&counts, "depends on that key's rows alone", "with rows of the key");
    breaks(&counts, "as deterministic as", "gave something else the second time");
    // One that goes by the place of a row in its call.
    let places = verdict(&process("(i64.extend_i32_u (local.get $i))", ""), KEYED);
    breaks(&places, "in calls of any size", "rows at a time");
}

/// A function that gives back its argument, after `body` has changed what it will.
fn scalar(body: &str) -> Vec<u8> {
    let mut guest = Guest::new("scalar", &["arg0"]).output("out", &numbers("value"), true);
    let answer = guest.filtered(&[], &[]);
    guest
        .functions("(global $calls (mut i64) (i64.const 0))")
        .process(&format!(
            "(global.set $calls (i64.add (global.get $calls) (i64.const 1)))
             {body}
             (i32.store offset=8 (i32.const {answer}) (local.get $ptr))
             (i32.store offset=12 (i32.const {answer}) (local.get $len))
             (i32.const {answer})"
        ))
        .build()
}

/// As a function has it in SQL: an argument that may be null.
const ARGUMENT: &str = "columns = ['x: Int64']";

#[test]
fn functions_that_count_their_calls_are_found_out() {
    let good = verdict(&scalar(""), ARGUMENT);
    assert_eq!(good.broken, []);
    // The last number of a message, which need not be that of a row.
    let counts = "(i64.store (i32.sub (i32.add (local.get $ptr) (local.get $len)) (i32.const 64)) (global.get $calls))";
    let counts = verdict(&scalar(counts), ARGUMENT);
    breaks(&counts, "how rows are cut into calls", "rows at a time");
    breaks(&counts, "as deterministic as", "gave something else the second time");
}

/// The rows of the codec below.
const WHOLE: &str = "columns = ['n: Int64!']";

/// Where a codec puts the numbers of frames or rows, and its message.
const NUMBERS_AT: u32 = 1 << 20;
const MESSAGE_AT: u32 = 2 << 20;

/// The head of the messages of so many rows that `message` makes, in a guest's memory, and instructions that copy it to
/// [`MESSAGE_AT`] and set the numbers in which messages differ: `numbers` has each for 9 and for 17 rows, and for `$n`.
fn head(guest: &mut Guest, message: impl Fn(usize) -> RecordBatch, numbers: &[([u32; 2], &str)]) -> (u32, String) {
    let [nine, seventeen] = [9, 17].map(|rows| volley_ipc::encode_batch(&message(rows)).expect("encodes"));
    let word = |bytes: &[u8], at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().expect("four bytes"));
    let bytes = 8 + word(&nine, 4);
    let at = guest.put_aligned(&nine[..bytes as usize]);
    let mut text = format!("(memory.copy (i32.const {MESSAGE_AT}) (i32.const {at}) (i32.const {bytes}))\n");
    for place in (0..bytes).step_by(4) {
        let pair = [&nine, &seventeen].map(|bytes| word(bytes, place as usize));
        if pair[0] != pair[1] {
            let (_, number) = numbers.iter().find(|(known, _)| *known == pair).expect("a number that is known");
            text.push_str(&format!("(i32.store (i32.const {}) {number})\n", MESSAGE_AT + place));
        }
    }
    (bytes, text)
}

/// A codec of whole numbers, eight bytes each. `decoded` may change what it has read, when `$n` rows stand at `$values`, and
/// `$rest` bytes are left.
fn codec(decoded: &str) -> Vec<u8> {
    let rows = |count: usize| {
        let column: ArrayRef = Arc::new(Int64Array::from(vec![0; count]));
        RecordBatch::try_new(Arc::new(numbers("n")), vec![column]).expect("one column")
    };
    let frames = |count: usize| {
        let column: ArrayRef = Arc::new(BinaryArray::from_iter_values(vec![[0_u8; 8]; count]));
        let schema = Schema::new(vec![Field::new("frame", DataType::Binary, false)]);
        RecordBatch::try_new(Arc::new(schema), vec![column]).expect("one column")
    };
    let mut guest = Guest::new("codec", &["n"]).output("out", &numbers("n"), true).pages(64);
    let (count, bytes, padded) = ("(local.get $n)", "(call $bytes (local.get $n))", "(call $padded (local.get $n))");
    let (read_head, read) = head(&mut guest, rows, &[([9, 17], count), ([72, 136], bytes), ([128, 192], padded)]);
    let offsets = "(i32.mul (i32.add (local.get $n) (i32.const 1)) (i32.const 4))";
    let body = format!("(i32.add (call $offsets (local.get $n)) {padded})");
    let of_frames = [
        ([9, 17], count),
        ([40, 72], offsets),
        ([64, 128], "(call $offsets (local.get $n))"),
        ([72, 136], bytes),
        ([192, 320], &body),
    ];
    let (written_head, written) = head(&mut guest, frames, &of_frames);
    let done = guest.decoded(&[], &[]);
    let no_columns = volley_ipc::encode_schema(&Schema::empty()).expect("encodes").len();
    let (read_at, written_at) = (MESSAGE_AT + read_head, MESSAGE_AT + written_head);
    let functions = format!(
        "(func $bytes (param $n i32) (result i32) (i32.mul (local.get $n) (i32.const 8)))
         (func $aligned (param $n i32) (result i32) (i32.and (i32.add (local.get $n) (i32.const 63)) (i32.const -64)))
         (func $padded (param $n i32) (result i32) (call $aligned (call $bytes (local.get $n))))
         ;; So many bytes have the offsets of so many frames.
         (func $offsets (param $n i32) (result i32)
           (call $aligned (i32.mul (i32.add (local.get $n) (i32.const 1)) (i32.const 4))))
         (func $body (param $ptr i32) (result i32)
           (i32.add (i32.add (local.get $ptr) (i32.const 8)) (i32.load offset=4 (local.get $ptr))))
         (func $number (param $i i32) (param $number i32)
           (i32.store (i32.add (i32.const {NUMBERS_AT}) (i32.mul (local.get $i) (i32.const 4))) (local.get $number)))
         (func $done (param $n i32) (param $head i32) (param $body i32) (result i32)
           (i32.store offset=8 (i32.const {done}) (i32.const {MESSAGE_AT}))
           (i32.store offset=12 (i32.const {done}) (i32.add (local.get $head) (local.get $body)))
           (i32.store offset=16 (i32.const {done}) (i32.const {NUMBERS_AT}))
           (i32.store offset=20 (i32.const {done}) (local.get $n))
           (i32.const {done}))
         (func $read (param $is_stream i32) (param $ptr i32) (param $end i32) (result i32)
           (local $n i32) (local $i i32) (local $rest i32) (local $values i32)
           (local.set $n (call $count (local.get $ptr)))
           (local.set $values (i32.add (call $body (local.get $ptr)) (call $offsets (local.get $n))))
           ;; The last offset is that of all bytes.
           (local.set $n (i32.load (i32.add (call $body (local.get $ptr)) (i32.mul (local.get $n) (i32.const 4)))))
           (local.set $rest (i32.and (local.get $n) (i32.const 7)))
           (local.set $n (i32.shr_u (local.get $n) (i32.const 3)))
           {decoded}
           {read}
           (memory.copy (i32.const {read_at}) (local.get $values) (call $bytes (local.get $n)))
           (block $all (loop $rows
             (br_if $all (i32.ge_u (local.get $i) (local.get $n)))
             (call $number (local.get $i) (select (i32.const 0) (local.get $i) (local.get $is_stream)))
             (local.set $i (i32.add (local.get $i) (i32.const 1))) (br $rows)))
           (i32.store offset=32 (i32.const {done}) (local.get $rest))
           (call $done (local.get $n) (i32.const {read_head}) (call $padded (local.get $n))))
         (func $write (param $ptr i32) (result i32) (local $n i32) (local $i i32)
           (local.set $n (call $count (local.get $ptr)))
           {written}
           (memory.copy (i32.add (i32.const {written_at}) (call $offsets (local.get $n)))
             (call $body (local.get $ptr)) (call $bytes (local.get $n)))
           (i32.store (i32.const {written_at}) (i32.const 0))
           (block $all (loop $rows
             (br_if $all (i32.ge_u (local.get $i) (local.get $n)))
             (call $number (local.get $i) (local.get $i))
             (local.set $i (i32.add (local.get $i) (i32.const 1)))
             (i32.store (i32.add (i32.const {written_at}) (i32.mul (local.get $i) (i32.const 4)))
               (call $bytes (local.get $i)))
             (br $rows)))
           (call $done (local.get $n) (i32.const {written_head}) {body}))"
    );
    guest
        .heap(0x10000)
        // Who reads is opened without columns; who writes has no output.
        .open(&format!(
            "(if (i32.eq (local.get $schema_len) (i32.const {no_columns}))
               (then (i32.store offset=8 (global.get $binding) (i32.const 0)))
               (else (i32.store offset=16 (global.get $binding) (i32.const 0))))
             (global.get $binding)"
        ))
        .functions(COUNT)
        .functions(&functions)
        .process("(call $read (local.get $framing) (local.get $ptr) (local.get $end))")
        .encode("(call $write (local.get $ptr))")
        .build()
}

#[test]
fn codecs_that_go_by_the_cut_or_lose_the_end_are_found_out() {
    let good = verdict(&codec(""), WHOLE);
    assert_eq!(good.broken, []);
    assert!(good.kept.len() >= 8, "{:?}", good.kept);
    // The last number before a cut that goes through a number is another.
    let last = "(i32.add (local.get $values) (call $bytes (i32.sub (local.get $n) (i32.const 1))))";
    let by_cut = format!(
        "(if (i32.and (i32.ne (local.get $rest) (i32.const 0)) (i32.ne (local.get $n) (i32.const 0)))
           (then (i64.store {last} (i64.add (i64.load {last}) (i64.const 1)))))"
    );
    let by_cut = verdict(&codec(&by_cut), WHOLE);
    breaks(&by_cut, "a stream that is cut into pieces", "in pieces of");
    assert!(by_cut.broken.iter().all(|broken| !broken.promise.contains("what is encoded")), "{:#?}", by_cut.broken);
    // The last record of a stream is used up, and not given.
    let swallows = "(local.set $n (i32.sub (local.get $n) (i32.and (local.get $end)
        (i32.ne (local.get $n) (i32.const 0)))))";
    breaks(&verdict(&codec(swallows), WHOLE), "what is encoded is what is decoded", "read again");
}
