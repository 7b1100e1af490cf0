//! A crash in each function of each world is told by the function's name, and nothing but the call is lost. (Functions of aggregates
//! are in `aggregates`, timers, watermarks and `forget` of processes in `keyed`; what becomes of rows, in the guests.)

use std::sync::{Arc, LazyLock};

use arrow::array::{Array, ArrayRef, Int64Array, RecordBatch};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use volley_api::{CodecContext, CodecFactory, EventTimeColumn, ManualClock, NodeName, SeedSource, SubtaskId};
use volley_test_guests::Guest;
use volley_wasm::{
    CompileIn, EngineSettings, Plugin, PluginCodec, PluginEngine, PluginInput, PluginLimits, PluginOptions,
};

static ENGINE: LazyLock<Arc<PluginEngine>> = LazyLock::new(|| {
    let settings = EngineSettings { cache_dir: None, ..EngineSettings::new(CompileIn::ThisProcess) };
    PluginEngine::new(&settings).expect("starts")
});

fn load(guest: Guest) -> Arc<Plugin> {
    Plugin::from_bytes(&ENGINE, "guest", &guest.build()).expect("loads")
}

fn numbers(name: &str) -> SchemaRef {
    Arc::new(Schema::new(vec![Field::new(name, DataType::Int64, true)]))
}

#[test]
fn a_crash_in_describe_or_open_is_told_by_name_in_every_world() {
    for kind in ["map", "filter", "flat-map", "process", "scalar", "codec"] {
        let guest = || Guest::new(kind, &["x"]);
        for (function, guest) in [("describe", guest().describe("unreachable")), ("open", guest().open("unreachable"))]
        {
            let keys = if kind == "process" { vec!["x".to_owned()] } else { Vec::new() };
            let event_time = Some(EventTimeColumn::new("x"));
            let input = PluginInput { keys, event_time, ..PluginInput::new(numbers("x")) };
            let bound = load(guest).bind(&serde_json::Value::Null, &input, &PluginLimits::default());
            let error = bound.expect_err("it crashes").to_string();
            assert!(error.contains(&format!("trapped in `{function}`")), "{kind}: {error}");
            assert!(error.contains("volley plugin where FILE.wasm"), "{kind}: it says where to look: {error}");
        }
    }
}

/// A sink has nobody to give refused rows to: it stops the job, with the first of them.
#[test]
fn a_crash_while_rows_are_written_is_blamed_on_each_row_that_is_alone_with_it() {
    // Its `encode` is nothing but a crash.
    let codec = PluginCodec::new(load(Guest::new("codec", &["x"])), PluginOptions::default());
    let node = NodeName::new("node").expect("a name");
    let (clock, seeds) = (Arc::new(ManualClock::at(1_234)), SeedSource::new(1));
    let context = CodecContext { node, subtask: SubtaskId::SINGLE, clock, seeds };
    let mut encoder = codec.encoder(&numbers("x"), context).expect("opens");
    let column: ArrayRef = Arc::new(Int64Array::from(vec![7, 8]));
    let rows = RecordBatch::try_new(numbers("x"), vec![column]).expect("one column");
    let encoded = encoder.encode(&rows).expect("a fresh instance has answered");
    let refused: Vec<(usize, &str)> = encoded.rejects.iter().map(|reject| (reject.row, reject.code.as_str())).collect();
    assert_eq!(refused, [(0, "plugin-unreachable"), (1, "plugin-unreachable")]);
    assert!(encoded.rejects.iter().all(|reject| reject.message.contains("trapped in `encode`")));
    assert!(encoded.frames.is_empty(), "nothing of them is written");
    let counted = codec.metrics().snapshot().violations;
    assert!(counted.iter().any(|(reason, count)| reason.as_str() == "unreachable" && *count > 0), "{counted:?}");
}
