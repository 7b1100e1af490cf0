//! Calls of functions and formats that fail are kept, and fail again in the same way.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, BinaryArray, Int64Array, RecordBatch};
use arrow::datatypes::SchemaRef;
use volley_api::{
    CodecContext, CodecFactory, FrameDecoder, FrameEncoder, Framing, ManualClock, NodeName, ScalarContext,
    ScalarFunction, ScalarFunctionFactory, ScalarOutcome, SeedSource, SubtaskId,
};
use volley_ipc::encode_batch;
use volley_wasm::{OnNoValue, Plugin, PluginCodec, PluginScalar};

use crate::guest::{Guest, words_to_bytes};
use crate::harness::{engine, numbers_schema};
use crate::repro::{Place, bundle};

/// An argument, and a message, that guests here trap at.
const POISON: i64 = i64::from_le_bytes(*b"poisoned");

/// Instructions that trap where the poison stands in a message, at a multiple of eight bytes.
fn traps_at_poison() -> String {
    format!(
        "(local.set $i (local.get $ptr))
         (loop $next
           (if (i64.eq (i64.load (local.get $i)) (i64.const {POISON})) (then unreachable))
           (local.set $i (i32.add (local.get $i) (i32.const 8)))
           (br_if $next (i32.lt_u (i32.add (local.get $i) (i32.const 7)) (i32.add (local.get $ptr) (local.get $len)))))"
    )
}

fn column(name: &str, numbers: &[i64]) -> RecordBatch {
    let column: ArrayRef = Arc::new(Int64Array::from(numbers.to_vec()));
    RecordBatch::try_new(Arc::new(numbers_schema(name)), vec![column]).expect("one column")
}

fn node() -> NodeName {
    NodeName::new("node").expect("a name")
}

/// A function of one row: 7, after these instructions.
fn seven(before: &str) -> Vec<u8> {
    let mut guest = Guest::new("scalar", &["arg0"]).output("out", &numbers_schema("y"), true);
    let message = encode_batch(&column("y", &[7])).expect("encodes");
    let at = guest.put_aligned(&message);
    let answer = guest.put(&words_to_bytes(&[0, 0, at, u32::try_from(message.len()).expect("small")]));
    guest.process(&format!("{before} (i32.const {answer})")).build()
}

fn function(place: &Place, on_no_value: OnNoValue) -> Box<dyn ScalarFunction> {
    let plugin = Plugin::load(engine(), &place.component).expect("loads");
    let scalar = PluginScalar::new(plugin, place.options(), on_no_value);
    let arguments: SchemaRef = Arc::new(numbers_schema("arg0"));
    scalar.bind(&arguments).expect("binds");
    let (clock, seeds) = (Arc::new(ManualClock::at(1_234)), SeedSource::new(1));
    let subtask = SubtaskId { index: 1, parallelism: 3 };
    scalar.create(&arguments, ScalarContext { node: node(), subtask, clock, seeds }).expect("starts")
}

#[test]
fn a_row_that_a_function_traps_at_is_kept_when_it_is_alone() {
    let place = Place::of(&seven(&traps_at_poison()));
    let mut function = function(&place, OnNoValue::Fail);
    let mut called = |numbers: &[i64]| match function.call(&column("arg0", numbers)).expect("a fresh instance answers")
    {
        ScalarOutcome::Values(_) => None,
        ScalarOutcome::NotTogether(error) => Some(error.to_string()),
    };
    let error = called(&[1, POISON]).expect("one of them");
    assert!(!error.contains("replay") && place.bundles().is_empty(), "an expression asks for fewer: {error}");
    assert_eq!(called(&[1]), None);
    let error = called(&[POISON]).expect("this one");
    assert!(error.contains("volley plugin replay") && error.contains("node-1-0"), "{error}");
    let replayed = place.again();
    assert!(replayed.is_same() && replayed.before.starts_with("trap in call: unreachable; at 0x"), "{replayed:?}");
    assert_eq!((replayed.operator.clone(), &*replayed.function), (("node".to_owned(), 1, 3), "call"));
    let mended = place.again_by(&seven(""));
    assert!(!mended.is_same() && mended.error_now.is_none(), "{mended:?}");
}

#[test]
fn a_row_that_becomes_null_for_a_trap_is_kept() {
    let place = Place::of(&seven(&traps_at_poison()));
    let mut function = function(&place, OnNoValue::Null);
    let ScalarOutcome::Values(values) = function.call(&column("arg0", &[1, POISON])).expect("goes on") else {
        panic!("null stands for what has no value")
    };
    assert_eq!(&*values, &Int64Array::from(vec![Some(7), None]) as &dyn Array);
    let replayed = place.again();
    assert!(replayed.is_same() && replayed.before.starts_with("trap in call"), "{replayed:?}");
    assert_eq!(bundle(&place.only())["call"]["parents"]["rows"], 1);
}

#[test]
fn what_a_function_gives_against_the_contract_is_compared() {
    // One value for two rows.
    let place = Place::of(&seven(""));
    let mut function = function(&place, OnNoValue::Fail);
    let error = function.call(&column("arg0", &[1, 2])).expect_err("too few").to_string();
    assert!(error.contains("1 rows for 2") && error.contains("volley plugin replay"), "{error}");
    let replayed = place.again();
    assert!(replayed.is_same() && replayed.before.starts_with("returned, sha256 "), "{replayed:?}");
    assert!(!place.again_by(&seven(&traps_at_poison())).same_component());
}

/// A function of one row: what chance and the clock say.
fn by_chance() -> Vec<u8> {
    let mut guest = Guest::new("scalar", &["arg0"]).output("out", &numbers_schema("y"), true);
    let message = encode_batch(&column("y", &[7])).expect("encodes");
    let at = guest.put_aligned(&message);
    let length = u32::try_from(message.len()).expect("small");
    let (value, answer) = (at + length - 64, guest.put(&words_to_bytes(&[0, 0, at, length])));
    guest
        .imports(r#"(import "volley:operator/random@0.1.0" "next-u64" (func $random (result i64)))"#)
        .imports(r#"(import "volley:operator/clock@0.1.0" "now-ms" (func $now (result i64)))"#)
        .process(&format!("(i64.store (i32.const {value}) (i64.xor (call $random) (call $now))) (i32.const {answer})"))
        .build()
}

#[test]
fn chance_and_time_of_a_function_are_those_of_the_job() {
    let place = Place::of(&by_chance());
    let mut function = function(&place, OnNoValue::Fail);
    assert!(matches!(function.call(&column("arg0", &[1])), Ok(ScalarOutcome::Values(_))), "one row is good");
    function.call(&column("arg0", &[1, 2])).expect_err("one value for two");
    let described = bundle(&place.only());
    assert_eq!((&described["call"]["now_ms"], &described["call"]["number"]), (&1_234.into(), &2.into()));
    assert!(place.again().is_same(), "{described}");
    // With other chance it is something else.
    let path = place.only().join("bundle.json");
    let random = format!("\"random\": {}", described["call"]["random"]);
    let text = std::fs::read_to_string(&path).expect("text");
    assert!(text.contains(&random), "{random}");
    std::fs::write(&path, text.replace(&random, "\"random\": 1")).expect("writes");
    assert!(!place.again().is_same());
}

/// A format that reads the first message of a call as one row, after these instructions; writing is a trap.
fn format(before: &str) -> Vec<u8> {
    let mut guest = Guest::new("codec", &[]).output("out", &numbers_schema("y"), true);
    let message = encode_batch(&column("y", &[7])).expect("encodes");
    let answer = guest.decoded(&message, &[0]);
    guest.process(&format!("{before} (i32.const {answer})")).build()
}

fn context() -> CodecContext {
    let (clock, seeds) = (Arc::new(ManualClock::at(1_234)), SeedSource::new(1));
    CodecContext { node: node(), subtask: SubtaskId::SINGLE, clock, seeds }
}

fn decoder(place: &Place) -> Box<dyn FrameDecoder> {
    let plugin = Plugin::load(engine(), &place.component).expect("loads");
    PluginCodec::new(plugin, place.options()).decoder(context()).expect("starts")
}

#[test]
fn a_message_that_a_format_traps_at_is_kept_alone() {
    let place = Place::of(&format(&traps_at_poison()));
    let frames = BinaryArray::from_iter_values([b"harmless", b"poisoned", b"harmless"]);
    let decoded = decoder(&place).decode(Framing::Messages, &frames, false).expect("goes on");
    assert_eq!((decoded.frames, decoded.rejects.len(), decoded.rejects[0].frame), (vec![0, 2], 1, 1));
    assert!(decoded.rejects[0].message.contains("trapped in `decode`"), "{:?}", decoded.rejects);
    let replayed = place.again();
    assert!(replayed.is_same() && replayed.before.starts_with("trap in decode: unreachable; at 0x"), "{replayed:?}");
    let what = &bundle(&place.only())["call"]["what"];
    assert_eq!((&what["decode"]["framing"], &what["decode"]["end"]), (&"messages".into(), &false.into()));
    let mended = place.again_by(&format(""));
    assert!(!mended.is_same() && mended.error_now.is_none(), "{mended:?}");
}

#[test]
fn the_bytes_of_a_stream_that_stop_the_job_are_kept() {
    let place = Place::of(&format("unreachable"));
    let piece = BinaryArray::from_iter_values([b"any bytes"]);
    let error = decoder(&place).decode(Framing::Stream, &piece, true).expect_err("a trap").to_string();
    assert!(error.contains("in the 1 bytes") && error.contains("volley plugin replay"), "{error}");
    let replayed = place.again();
    assert!(replayed.is_same() && replayed.function == "decode", "{replayed:?}");
    assert_eq!(bundle(&place.only())["call"]["what"]["decode"]["framing"], "stream");
    assert!(!place.again_by(&format("")).is_same());
}

#[test]
fn a_row_that_a_format_cannot_write_is_kept_alone() {
    let writer = |functions: &str| Guest::new("codec", &["x"]).functions(functions).build();
    let place = Place::of(&writer(""));
    let plugin = Plugin::load(engine(), &place.component).expect("loads");
    let schema: SchemaRef = Arc::new(numbers_schema("x"));
    let codec = PluginCodec::new(plugin, place.options());
    let mut encoder: Box<dyn FrameEncoder> = codec.encoder(&schema, context()).expect("starts");
    let encoded = encoder.encode(&column("x", &[7])).expect("goes on");
    assert_eq!((encoded.frames.len(), encoded.rejects.len()), (0, 1));
    let replayed = place.again();
    assert!(replayed.is_same() && replayed.before.starts_with("trap in encode: unreachable; at 0x"), "{replayed:?}");
    assert_eq!((replayed.function.as_str(), &bundle(&place.only())["call"]["what"]), ("encode", &"encode".into()));
    // It traps elsewhere: what stands before it is longer.
    let other = place.again_by(&writer("(func (drop (i64.const 1)))"));
    assert!(!other.is_same() && other.now.starts_with("trap in encode"), "{other:?}");
}

#[test]
fn without_a_folder_nothing_of_them_is_kept() {
    let place = Place::of(&format("unreachable"));
    let plugin = Plugin::load(engine(), &place.component).expect("loads");
    let codec = PluginCodec::new(plugin, volley_wasm::PluginOptions::default());
    let piece = BinaryArray::from_iter_values([b"any bytes"]);
    let decoded = codec.decoder(context()).expect("starts").decode(Framing::Stream, &piece, true);
    let error = decoded.expect_err("a trap").to_string();
    assert!(!error.contains("replay") && place.bundles().is_empty(), "{error}");
}
