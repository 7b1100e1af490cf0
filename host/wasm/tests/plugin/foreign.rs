//! Operators that other toolchains made (`tests/guests`): one filter in each language, one answer from all of them.

use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use arrow::array::{ArrayRef, AsArray, Int64Array, RecordBatch, StringArray};
use arrow::datatypes::Int64Type;
use volley_api::{ErrorKind, OriginColumn, Positions, StreamRecord};
use volley_wasm::{
    CompileIn, EngineSettings, Plugin, PluginEngine, PluginFactory, PluginInput, PluginKind, PluginLimits,
    PluginOptions,
};

use crate::harness::{Collected, Setup, input_schema};

/// Compiled components are kept between runs: a Python one takes a quarter of a minute and more.
static ENGINE: LazyLock<Arc<PluginEngine>> = LazyLock::new(|| {
    let cache = std::env::var_os("VOLLEY_CACHE")
        .map(PathBuf::from)
        .unwrap_or_else(|| PathBuf::from(std::env::var_os("HOME").expect("HOME is set")).join(".cache/volley"));
    let cache_dir = Some(cache.join("guests/aot"));
    PluginEngine::new(&EngineSettings { cache_dir, ..EngineSettings::new(CompileIn::ThisProcess) }).expect("starts")
});

/// A component that `scripts/guests` made.
fn component(name: &str) -> PathBuf {
    let folder = std::env::var_os("VOLLEY_TEST_GUESTS")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../build/guests"), PathBuf::from);
    let path = folder.join(format!("{name}.wasm"));
    assert!(path.is_file(), "{} is missing: run scripts/guests", path.display());
    path
}

/// Room for an interpreter.
fn limits() -> PluginLimits {
    PluginLimits { memory_bytes_max: 256 << 20, deadline: Duration::from_secs(10), ..PluginLimits::default() }
}

/// Rows with these `x`, from position 100 on.
fn rows(x: &[Option<i64>]) -> StreamRecord {
    let names: ArrayRef = Arc::new(StringArray::from_iter_values((0..x.len()).map(|row| format!("row {row}"))));
    let batch = RecordBatch::try_new(input_schema(), vec![Arc::new(Int64Array::from(x.to_vec())), names]);
    StreamRecord::new(batch.expect("fits")).with_origins(OriginColumn::of_split(0, 0, &Positions::From(100), x.len()))
}

fn kept(collected: &Collected) -> Vec<i64> {
    let column = |record: &StreamRecord| record.batch.column(0).as_primitive::<Int64Type>().values().to_vec();
    collected.rows.iter().flat_map(|(_, record)| column(record)).collect()
}

/// Runs a component over some batches and holds it to the golden output.
fn check(name: &str, imports_wasi: bool) {
    let plugin = Plugin::load(&ENGINE, &component(name)).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(plugin.info().kind, PluginKind::Filter);
    assert_eq!(plugin.info().imports.iter().any(|import| import.starts_with("wasi:")), imports_wasi);
    let description = plugin.describe(&limits()).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!((description.name.as_str(), description.version.as_str()), ("keep-above", "0.1.0"));
    let refused = plugin.bind(&serde_json::json!({"limit": "many"}), &PluginInput::new(input_schema()), &limits());
    let refused = refused.expect_err("no number");
    assert_eq!(refused.kind(), ErrorKind::Config, "{refused}");
    assert!(refused.to_string().contains("`limit`: expects a whole number"), "{refused}");

    let options =
        PluginOptions { config: serde_json::json!({"limit": 3}), limits: limits(), ..PluginOptions::default() };
    let factory = PluginFactory::new(plugin, options);
    let mut operator = Setup::default().create(&factory).unwrap_or_else(|error| panic!("{error}"));
    let mut collected = Collected::default();
    let big = i64::MAX;
    for batch in [
        rows(&[Some(4), Some(3), None, Some(-2), Some(big), Some(7), Some(0), Some(5), Some(9), Some(i64::MIN)]),
        rows(&[Some(10)]),
        rows(&[None, Some(1)]),
        rows(&[Some(5); 1000]),
    ] {
        operator.process(batch, &mut collected).unwrap_or_else(|error| panic!("{error}"));
    }
    operator.finish(&mut collected).expect("closes");
    let mut golden = vec![4, big, 7, 5, 9, 10];
    golden.extend([5; 1000]);
    assert_eq!(kept(&collected), golden);
    let rejects: Vec<String> =
        collected.rejects.iter().map(|reject| format!("{} {} {}", reject.row, reject.code, reject.message)).collect();
    assert_eq!(rejects, ["3 negative x is -2", "9 negative x is -9223372036854775808"]);
}

#[test]
fn c_runs() {
    check("keep-above-c", false);
}

#[test]
fn javascript_runs_without_wasi_and_with_it() {
    check("keep-above-javascript-stubbed", false);
    check("keep-above-javascript", true);
}

#[test]
fn python_runs_without_wasi() {
    check("keep-above-python-stubbed", false);
}

#[test]
fn python_runs_with_wasi() {
    check("keep-above-python", true);
}

#[test]
fn python_with_its_sockets_is_refused_by_their_name() {
    let error = Plugin::load(&ENGINE, &component("keep-above-python-sockets")).expect_err("no sockets").to_string();
    assert!(error.contains("it imports wasi:sockets/network@") && error.contains("--stub-wasi"), "{error}");
}
