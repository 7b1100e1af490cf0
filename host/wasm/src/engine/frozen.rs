//! The frozen configuration, held to its golden file, and one module per proposal that is off.
//! `UPDATE_GOLDENS=1 cargo test -p volley-wasm frozen` rewrites the file; read the difference before keeping it.

use std::path::Path;

use wasmtime_wasmparser::{Validator, WasmFeatures};

use super::config::config;
use super::{EngineSettings, PluginEngine, PoolSettings, Trust};
use crate::abi::deserialize::Artefact;
use crate::compile::CompileIn;

/// What wasmtime tells of the configurations, and of the pool.
fn seen() -> String {
    let pool = PoolSettings::default().allocation().expect("a pool is wanted");
    let (untrusted, trusted) = (config(Trust::Untrusted, None), config(Trust::Trusted, None));
    format!("untrusted: {untrusted:#?}\n\ntrusted: {trusted:#?}\n\npool: {pool:#?}\n")
}

#[test]
fn the_configuration_is_the_golden_one() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/engine/frozen.txt");
    let seen = seen();
    if std::env::var_os("UPDATE_GOLDENS").is_some() {
        std::fs::write(&file, &seen).expect("writable");
    }
    let golden = std::fs::read_to_string(&file).expect("it is in the repository");
    assert!(seen == golden, "the configuration of wasmtime is no longer that of {}:\n{seen}", file.display());
}

#[test]
fn a_pool_changes_nothing_about_compiled_code() {
    let pool = PoolSettings { instances: 1, ..PoolSettings::default() }.allocation();
    let pooled = wasmtime::Engine::new(&config(Trust::Untrusted, pool)).expect("starts");
    let on_demand = wasmtime::Engine::new(&config(Trust::Untrusted, None)).expect("starts");
    let trusted = wasmtime::Engine::new(&config(Trust::Trusted, None)).expect("starts");
    let wasm = wat::parse_str("(component (core module (memory 1)))").expect("valid text");
    let artefact = Artefact::compile(&on_demand, &wasm).expect("compiles");
    assert!(artefact.component(&pooled).is_ok());
    assert!(artefact.component(&trusted).is_err(), "code with ticks in an engine without");
}

/// A module or component that needs the proposal, by the name that wasmtime's debug form has for it.
const OFF: &[(&str, &str)] = &[
    ("threads", "(module (memory 1 1 shared))"),
    ("shared_everything_threads", "(module (global (shared i32) (i32.const 0)))"),
    ("memory64", "(module (memory i64 1))"),
    ("multi_memory", "(module (memory 1) (memory 1))"),
    ("tail_call", "(module (func $f (return_call $f)))"),
    ("exceptions", "(module (tag))"),
    ("legacy_exceptions", "(module (func try catch_all end))"),
    ("function_references", "(module (type $f (func)) (func (param (ref $f))))"),
    ("gc", "(module (type (struct)))"),
    ("gc_types", "(module (func (param externref)))"),
    ("custom_descriptors", "(module (rec (type (descriptor 1) (struct)) (type (describes 0) (struct))))"),
    ("custom_page_sizes", "(module (memory 1 (pagesize 1)))"),
    ("memory_control", "(module (memory 1) (func (memory.discard (i32.const 0) (i32.const 0))))"),
    ("compact_imports", "(module (import \"a\" (item \"b\" (func))))"),
    ("stack_switching", "(module (type $f (func)) (type (cont $f)))"),
    (
        "relaxed_simd",
        "(module (func (param v128 v128) (result v128) (i8x16.relaxed_swizzle (local.get 0) (local.get 1))))",
    ),
    (
        "wide_arithmetic",
        "(module (func (param i64 i64) (result i64 i64) (i64.mul_wide_u (local.get 0) (local.get 1))))",
    ),
    ("cm_values", "(component (import \"a\" (value $v string)) (export \"b\" (value $v)))"),
    ("cm_nested_names", "(component (import \"a:b:c/d\" (func)))"),
    ("cm_async", "(component (type (func async)))"),
    (
        "cm_async_stackful",
        "(component (core module $m (func (export \"f\"))) (core instance $i (instantiate $m))
           (func (export \"f\") async (canon lift (core func $i \"f\") async)))",
    ),
    ("cm_more_async_builtins", "(component (core func (canon subtask.cancel async)))"),
    ("cm_threading", "(component (core func (canon thread.index)))"),
    ("cm_error_context", "(component (core func (canon error-context.drop)))"),
    ("cm_fixed_length_lists", "(component (type (list u8 4)))"),
    (
        "cm_gc",
        "(component (core type $t (func)) (import \"f\" (func $f)) (core func (canon lower (func $f) gc (core-type $t))))",
    ),
    ("cm_map", "(component (type (map u32 string)))"),
    (
        "cm64",
        "(component (import \"f\" (func $f (param \"x\" string)))
           (core module $m (memory (export \"m\") i64 1)) (core instance $i (instantiate $m))
           (core func (canon lower (func $f) (memory (core memory $i \"m\")))))",
    ),
    ("cm_implements", "(component (import \"x\" (implements \"a:b/c\") (instance)))"),
    ("cm_canon_names", "(component (import \"a:b/c@1\" (version-suffix \".2.0\") (instance)))"),
];

/// Flags that no module can show: each only widens another proposal, which is on.
const SHOWN_BY_NOTHING: &[&str] = &[];

#[test]
fn every_proposal_that_is_off_has_a_module_that_is_refused() {
    let seen = format!("{:#?}", config(Trust::Untrusted, None));
    let off = seen.lines().filter_map(|line| line.trim().strip_prefix("wasm_")?.strip_suffix(": false,"));
    let unlisted: Vec<&str> =
        off.filter(|flag| !OFF.iter().any(|(name, _)| name == flag) && !SHOWN_BY_NOTHING.contains(flag)).collect();
    assert!(unlisted.is_empty(), "off, and no module shows it: {unlisted:?}");
    let settings = EngineSettings { cache_dir: None, ..EngineSettings::new(CompileIn::ThisProcess) };
    let engine = PluginEngine::new(&settings).expect("starts");
    for trust in [Trust::Untrusted, Trust::Trusted] {
        let pair = engine.pair(trust).expect("starts");
        for (proposal, text) in OFF {
            let text = text
                .strip_prefix("(module")
                .map_or((*text).to_owned(), |rest| format!("(component (core module{rest})"));
            let wasm = wat::parse_str(&text).unwrap_or_else(|error| panic!("{proposal}: {error}"));
            let valid = Validator::new_with_features(WasmFeatures::all()).validate_all(&wasm);
            valid.unwrap_or_else(|error| panic!("{proposal}: the module is wrong in itself: {error}"));
            assert!(engine.compile(&pair, &wasm, "x", proposal).is_err(), "{proposal} must be refused");
        }
        let plain = wat::parse_str("(component (core module (memory 1)))").expect("valid text");
        assert!(engine.compile(&pair, &plain, "x", "plain").is_ok());
    }
}
