//! What is refused before any code of a component runs, and the cache of compiled ones.

use std::path::Path;

use volley_api::ErrorKind;
use volley_wasm::{
    CompileIn, Description, Determinism, EngineSettings, Plugin, PluginEngine, PluginInput, PluginKind, PluginLimits,
};

use crate::guest::Guest;
use crate::harness::{engine, input_schema, load, numbers_schema};

fn filter() -> Vec<u8> {
    let mut guest = Guest::new("filter", &["x"]);
    let result = guest.filtered(&[0b101], &[]);
    guest.process(&format!("(i32.const {result})")).build()
}

fn refusal(bytes: &[u8]) -> String {
    load(bytes).expect_err("must be refused").to_string()
}

#[test]
fn other_bytes_are_refused_with_advice() {
    let module = wat::parse_str("(module)").expect("valid");
    assert!(refusal(&module).contains("this is a core module; run `volley plugin build`"));
    assert!(refusal(b"\x7fELF\x02\x01\x01").contains(".cwasm"));
    assert!(refusal(b"(component)").contains("text"));
    assert!(refusal(b"").contains("empty"));
    assert!(refusal(b"PK\x03\x04 and so on").contains("PK"));
}

#[test]
fn damaged_components_are_refused() {
    let good = filter();
    for end in [8, 20, good.len() / 2, good.len() - 1] {
        assert!(load(&good[..end]).is_err(), "{end} of {} bytes", good.len());
    }
    assert!(refusal(&good[..good.len() / 2]).contains("truncated"));
}

#[test]
fn imports_that_are_not_granted_are_named() {
    let wasi = r#"(component
      (import "wasi:sockets/tcp-create-socket@0.2.6" (instance (export "f" (func (result (option string))))))
      (instance $nothing)
      (export "volley:operator/lifecycle@0.1.0" (instance $nothing))
      (export "volley:operator/map@0.1.0" (instance $nothing)))"#;
    let error = refusal(&wat::parse_str(wasi).expect("valid"));
    assert!(error.contains("wasi:sockets/tcp-create-socket@0.2.6") && error.contains("--stub-wasi"), "{error}");
    let state = wasi.replace("wasi:sockets/tcp-create-socket@0.2.6", "volley:operator/state@0.1.0");
    assert!(refusal(&wat::parse_str(state).expect("valid")).contains("volley:operator/state@0.1.0"));
    let log = wasi.replace("wasi:sockets/tcp-create-socket@0.2.6", "volley:operator/log@0.1.0");
    let error = refusal(&wat::parse_str(log).expect("valid"));
    assert!(error.contains("its volley:operator/lifecycle@0.1.0 has no function `describe`"), "{error}");
}

#[test]
fn components_that_are_no_operator_are_refused() {
    assert!(refusal(&wat::parse_str("(component)").expect("valid")).contains("exports nothing"));
    let two = r#"(component (instance $nothing)
      (export "volley:operator/lifecycle@0.1.0" (instance $nothing))
      (export "volley:operator/filter@0.1.0" (instance $nothing))
      (export "volley:operator/map@0.1.0" (instance $nothing)))"#;
    assert!(refusal(&wat::parse_str(two).expect("valid")).contains("filter and map"));
    let next = two.replace("filter@0.1.0", "filter@0.2.0");
    assert!(refusal(&wat::parse_str(next).expect("valid")).contains("0.2.0"));
}

#[test]
fn a_plugin_tells_what_it_is() {
    let bytes = filter();
    let plugin = load(&bytes).expect("good");
    let info = plugin.info();
    assert_eq!(info.kind, PluginKind::Filter);
    assert_eq!(info.world, "volley:operator/filter-operator@0.1.0");
    assert_eq!((info.digest.len(), info.size_bytes), (64, bytes.len() as u64));
    assert!(info.exports.iter().any(|name| name == "volley:operator/filter@0.1.0"));
    let limits = PluginLimits::default();
    let description =
        Description { name: "canned".into(), version: "1.2.3".into(), determinism: Determinism::Deterministic };
    assert_eq!(plugin.describe(&limits).expect("describes"), description);
    let binding = plugin.bind(&serde_json::Value::Null, &PluginInput::new(input_schema()), &limits).expect("binds");
    assert_eq!(binding.reads, ["x"]);
    assert_eq!(binding.outputs[0].schema, input_schema());
}

#[test]
fn a_missing_file_is_named() {
    let error = Plugin::load(engine(), Path::new("no/such.wasm")).expect_err("no such file");
    assert!(error.to_string().contains("no/such.wasm"));
    assert_eq!(error.kind(), ErrorKind::External);
    let folder = tempfile::tempdir().expect("a folder");
    let error = Plugin::load(engine(), folder.path()).expect_err("a folder is not readable");
    assert_eq!(error.kind(), ErrorKind::External, "{error}");
    let path = folder.path().join("flights.csv");
    std::fs::write(&path, "a,b\n").expect("written");
    let error = Plugin::load(engine(), &path).expect_err("no component");
    assert_eq!(error.kind(), ErrorKind::Plugin, "{error}");
}

#[test]
fn the_cache_is_filled_and_used_by_the_next_engine() {
    let folder = tempfile::tempdir().expect("a folder");
    let cache_dir = Some(folder.path().join("aot"));
    let settings = EngineSettings { cache_dir, ..EngineSettings::new(CompileIn::ThisProcess) };
    let path = folder.path().join("keep.wasm");
    std::fs::write(&path, filter()).expect("written");
    for _ in 0..2 {
        let engine = PluginEngine::new(&settings).expect("starts");
        let plugin = Plugin::load(&engine, &path).expect("loads");
        assert_eq!(plugin.name(), "keep");
        plugin.describe(&PluginLimits::default()).expect("runs");
        let files = std::fs::read_dir(folder.path().join("aot")).expect("made").count();
        assert_eq!(files, 1);
    }
}

#[test]
fn refusals_of_open_keep_their_words_and_kind() {
    for (case, kind) in [(0, ErrorKind::Config), (1, ErrorKind::Config), (2, ErrorKind::Plugin)] {
        let mut guest = Guest::new("map", &[]).output("out", &numbers_schema("y"), false);
        let address = guest.open_error(case, "key `limit`: expects a text\u{1b}[0m");
        let plugin = load(&guest.open(&format!("(i32.const {address})")).build()).expect("loads");
        let error = plugin
            .bind(&serde_json::Value::Null, &PluginInput::new(input_schema()), &PluginLimits::default())
            .expect_err("refuses");
        assert_eq!(error.kind(), kind);
        assert!(error.to_string().contains("key `limit`: expects a text\\u{1b}[0m"), "{error}");
    }
}
