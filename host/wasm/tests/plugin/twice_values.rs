//! Calls of functions and codecs that are made twice.

use std::sync::Arc;

use arrow::array::{ArrayRef, BinaryArray, Int64Array, RecordBatch};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use volley_api::{
    CodecContext, CodecFactory, Framing, NodeName, ScalarContext, ScalarFunctionFactory, ScalarOutcome, SeedSource,
    SubtaskId,
};
use volley_ipc::encode_batch;
use volley_wasm::{
    CompileIn, EngineSettings, Grants, HttpTransport, OnNoValue, Origin, Plugin, PluginCodec, PluginEngine,
    PluginMetrics, PluginOptions, PluginScalar, Violation,
};

use crate::guest::{Guest, words_to_bytes};
use crate::harness::{Ticking, load, numbers_schema};
use crate::repro::Counting;
use crate::twice::{CALLS, CHANCE, DETERMINISTIC, NONDETERMINISTIC, NOTHING, REPLAYABLE, TIME, says};

/// Rows, or frames, of a call.
const ROWS: usize = 8;

fn options(sample: u32) -> PluginOptions {
    PluginOptions { determinism_sample: sample, ..PluginOptions::default() }
}

/// What was counted after so many calls: nothing but how many came to something else.
fn found(metrics: &PluginMetrics, calls: usize) -> u64 {
    let snapshot = metrics.snapshot();
    assert_eq!((snapshot.calls, snapshot.restarts), (calls as u64, 0), "second calls are nobody's");
    assert!(snapshot.violations.keys().all(|violation| *violation == Violation::Nondeterminism));
    snapshot.violations.get(&Violation::Nondeterminism).copied().unwrap_or(0)
}

/// A function that gives back its argument, with another first value.
fn scalar(declared: u32, bits: &str) -> Vec<u8> {
    scalar_of(Guest::new("scalar", &["arg0"]).output("out", &numbers_schema("out"), true), declared, bits)
}

fn scalar_of(mut guest: Guest, declared: u32, bits: &str) -> Vec<u8> {
    let answer = guest.mapped(&[], &[]);
    let body = format!(
        "(i64.store (i32.sub (i32.add (local.get $ptr) (local.get $len)) (i32.const 64)) (i64.extend_i32_u (call $bits)))
         (i32.store offset=8 (i32.const {answer}) (local.get $ptr))
         (i32.store offset=12 (i32.const {answer}) (local.get $len))
         (i32.const {answer})"
    );
    says(guest, declared, bits).process(&body).build()
}

/// How often a function is found to lie in so many calls, and the first values that it gave.
fn of_scalar(component: &[u8], sample: u32, calls: usize) -> (u64, Vec<i64>) {
    called(load(component).expect("loads"), options(sample), calls)
}

fn called(plugin: Arc<Plugin>, options: PluginOptions, calls: usize) -> (u64, Vec<i64>) {
    let scalar = PluginScalar::new(plugin, options, OnNoValue::Fail);
    let arguments: SchemaRef = Arc::new(numbers_schema("arg0"));
    let context = ScalarContext {
        node: NodeName::new("node").expect("a name"),
        subtask: SubtaskId::SINGLE,
        clock: Arc::new(Ticking::default()),
        seeds: SeedSource::new(1),
    };
    let mut function = scalar.create(&arguments, context).expect("starts");
    let column: ArrayRef = Arc::new(Int64Array::from_iter_values((0..).take(ROWS)));
    let batch = RecordBatch::try_new(arguments, vec![column]).expect("one column");
    let mut values = Vec::new();
    for _ in 0..calls {
        let ScalarOutcome::Values(array) = function.call(&batch).expect("goes on") else { panic!("no values") };
        values.push(array.as_any().downcast_ref::<Int64Array>().expect("numbers").value(0));
    }
    function.close().expect("ends");
    (found(&scalar.metrics(), calls), values)
}

#[test]
fn functions_that_lie_are_found_and_others_are_not() {
    let found = |declared, bits| of_scalar(&scalar(declared, bits), 1, 5).0;
    assert_eq!([CHANCE, TIME, CALLS].map(|bits| found(DETERMINISTIC, bits)), [5, 5, 4]);
    assert_eq!([CHANCE, TIME, CALLS].map(|bits| found(REPLAYABLE, bits)), [0, 0, 4]);
    assert_eq!([DETERMINISTIC, REPLAYABLE].map(|declared| found(declared, NOTHING)), [0, 0]);
    assert_eq!(found(NONDETERMINISTIC, CALLS), 0);
}

#[test]
fn the_sample_of_a_function_is_as_large_as_asked_and_its_values_are_the_first() {
    let component = scalar(REPLAYABLE, CALLS);
    let [all, some, none] = [1, 4, 0].map(|sample| of_scalar(&component, sample, 16));
    assert_eq!((all.0, some.0, none.0), (15, 4, 0));
    assert_eq!(none.1, (1..=16).collect::<Vec<_>>());
    assert_eq!((&all.1, &some.1), (&none.1, &none.1));
}

/// Makes `$bits` of the status that a server answers.
pub(crate) fn asking(mut guest: Guest) -> (Guest, String) {
    let url = guest.text("https://a.example/");
    let request = guest.put(&words_to_bytes(&[0, url[0], url[1], 0, 0, 0, 0]));
    let answers = guest.put(&words_to_bytes(&[0, 0]));
    let send = r#"(import "volley:operator/http@0.1.0" "send" (func $send (param i32 i32 i32)))"#;
    let bits = format!(
        "(call $send (i32.const {request}) (i32.const 1) (i32.const {answers}))
         (i32.load16_u offset=4 (i32.load (i32.const {answers})))"
    );
    (guest.imports(send), bits)
}

/// A host whose server counts what it is asked, and what is granted.
pub(crate) fn with_a_server(component: &[u8], sample: u32) -> (Arc<Plugin>, PluginOptions, Arc<Counting>) {
    let counting = Arc::new(Counting::default());
    let settings = EngineSettings {
        cache_dir: None,
        http: Some(Arc::clone(&counting) as Arc<dyn HttpTransport>),
        ..EngineSettings::new(CompileIn::ThisProcess)
    };
    let engine = PluginEngine::new(&settings).expect("starts");
    let grants = Grants { columns: None, http: vec![Origin::parse("https://a.example").expect("a server")] };
    let plugin = Plugin::from_bytes(&engine, "asks", component).expect("loads");
    (plugin, PluginOptions { grants, ..options(sample) }, counting)
}

#[test]
fn a_function_that_is_called_twice_asks_its_server_once() {
    let guest = Guest::new("scalar", &["arg0"]).output("out", &numbers_schema("out"), true);
    let (guest, bits) = asking(guest);
    let (plugin, options, counting) = with_a_server(&scalar_of(guest, REPLAYABLE, &bits), 1);
    assert_eq!(called(plugin, options, 3), (0, vec![201, 202, 203]));
    assert_eq!(*counting.0.lock().expect("no panic"), 3);
}

fn one_column(field: Field, column: ArrayRef) -> RecordBatch {
    RecordBatch::try_new(Arc::new(Schema::new(vec![field])), vec![column]).expect("one column")
}

/// A codec that reads all frames as one row, and writes all rows as one frame, of a number that is made so.
fn codec(declared: u32, bits: &str, writes: bool) -> Vec<u8> {
    let mut guest = Guest::new("codec", if writes { &["x"] } else { &[] });
    if !writes {
        guest = guest.output("out", &numbers_schema("n"), true);
    }
    let row = one_column(Field::new("n", DataType::Int64, true), Arc::new(Int64Array::from(vec![0])));
    let decoded = guest.decoded(&encode_batch(&row).expect("encodes"), &[0]);
    let frame = Arc::new(BinaryArray::from_iter_values([[0_u8; 8]]));
    let frame = one_column(Field::new("frame", DataType::Binary, false), frame);
    let encoded = guest.encoded(&encode_batch(&frame).expect("encodes"), &[0]);
    // The number is what is last in the message, padded to 64 bytes.
    let body = |answer: u32| {
        format!(
            "(i64.store (i32.sub (i32.add (i32.load offset=8 (i32.const {answer})) (i32.load offset=12 (i32.const {answer})))
               (i32.const 64)) (i64.extend_i32_u (call $bits)))
             (i32.const {answer})"
        )
    };
    says(guest, declared, bits).process(&body(decoded)).encode(&body(encoded)).build()
}

/// How often a codec is found to lie in so many calls, and what it gave.
fn of_codec(component: &[u8], writes: bool, sample: u32, calls: usize) -> (u64, Vec<String>) {
    let codec = PluginCodec::new(load(component).expect("loads"), options(sample));
    let context = CodecContext {
        node: NodeName::new("node").expect("a name"),
        subtask: SubtaskId::SINGLE,
        clock: Arc::new(Ticking::default()),
        seeds: SeedSource::new(1),
    };
    let mut gave = Vec::new();
    if writes {
        let rows = one_column(
            Field::new("x", DataType::Int64, true),
            Arc::new(Int64Array::from_iter_values((0..).take(ROWS))),
        );
        let mut encoder = codec.encoder(&rows.schema(), context).expect("starts");
        for _ in 0..calls {
            gave.push(format!("{:?}", encoder.encode(&rows).expect("goes on").frames));
        }
    } else {
        let frames = BinaryArray::from_iter_values([b"some bytes"]);
        let mut decoder = codec.decoder(context).expect("starts");
        for _ in 0..calls {
            gave.push(format!("{:?}", decoder.decode(Framing::Messages, &frames, false).expect("goes on").rows));
        }
    }
    (found(&codec.metrics(), calls), gave)
}

#[test]
fn codecs_that_lie_are_found_and_others_are_not() {
    for writes in [false, true] {
        let found = |declared, bits| of_codec(&codec(declared, bits, writes), writes, 1, 5).0;
        assert_eq!([CHANCE, TIME, CALLS].map(|bits| found(DETERMINISTIC, bits)), [5, 5, 4], "writes: {writes}");
        assert_eq!([CHANCE, TIME, CALLS].map(|bits| found(REPLAYABLE, bits)), [0, 0, 4], "writes: {writes}");
        assert_eq!([DETERMINISTIC, REPLAYABLE].map(|declared| found(declared, NOTHING)), [0, 0], "writes: {writes}");
        assert_eq!(found(NONDETERMINISTIC, CALLS), 0, "writes: {writes}");
    }
}

#[test]
fn the_sample_of_a_codec_is_as_large_as_asked_and_what_it_gives_is_the_first() {
    for writes in [false, true] {
        let component = codec(REPLAYABLE, CALLS, writes);
        let [all, some, none] = [1, 4, 0].map(|sample| of_codec(&component, writes, sample, 16));
        assert_eq!((all.0, some.0, none.0), (15, 4, 0), "writes: {writes}");
        assert_eq!((&all.1, &some.1), (&none.1, &none.1));
        assert_ne!(none.1[0], none.1[1]);
    }
}
