//! Functions and formats that plugins bring, as the pipeline file has them.

use volley_config::{OnNoValue, plugin_format};

const KNOWN: volley_config::KnownConnectors<'static> =
    volley_config::KnownConnectors { sources: &["file"], sinks: &["file"] };

fn read(functions: &str, format: &str) -> Result<volley_config::PipelineSpec, String> {
    let text = format!(
        "name: p\nfunctions: {functions}\nsources: {{ in: {{ file: {{ path: a, format: {format} }} }} }}\n\
         sinks: {{ out: {{ from: in, file: {{ path: b }} }} }}\n"
    );
    let environment = volley_config::ProcessEnvironment::new(std::path::Path::new("."));
    volley_config::parse(&text, "p.yaml", &KNOWN, &environment).map_err(|errors| errors.to_string())
}

#[test]
fn functions_are_read_and_written() {
    let text = "{ c: { component: c.wasm, config: { k: 1 }, limits: { memory: 1MiB } }, \
                d: { component: d.wasm, on_error: null }, e: { component: e.wasm, on_error: \"null\" }, \
                f: { component: f.wasm, on_error: fail, trust: trusted, determinism_sample: 7 } }";
    let spec = read(text, "csv").expect("good");
    let policies: Vec<OnNoValue> = spec.functions.iter().map(|function| function.on_error).collect();
    assert_eq!(policies, [OnNoValue::Fail, OnNoValue::Null, OnNoValue::Null, OnNoValue::Fail]);
    assert_eq!(spec.functions[0].config.to_json().expect("JSON"), serde_json::json!({ "k": 1 }));
    let samples: Vec<Option<u32>> = spec.functions.iter().map(|function| function.determinism_sample).collect();
    assert_eq!(samples, [None, None, None, Some(7)]);
    let written = serde_json::to_value(&spec).expect("writes");
    let again = volley_config::from_json(&written, "again", &KNOWN).expect("reads");
    assert_eq!(again, spec);
    assert!(read("{}", "csv").expect("none").functions.is_empty());
}

#[test]
fn what_is_wrong_with_a_function_is_said() {
    for (text, part) in [
        ("{ c: {} }", "the key `component` is missing"),
        ("{ C: { component: c.wasm } }", "`C` is no name of a function"),
        ("{ c: { component: c.wasm, on_error: } }", "expected `fail` or `null`"),
        ("{ c: { component: c.wasm, on_error: nul } }", "did you mean `null`?"),
        ("{ c: { component: c.wasm, limit: {} } }", "did you mean `limits`?"),
        ("{ c: { component: c.wasm, determinism_sample: 1000001 } }", "expected a whole number from 0 to 1000000"),
        ("[c]", "expected a mapping"),
    ] {
        let error = read(text, "csv").expect_err(text);
        assert!(error.contains(part), "{text}: {error}");
    }
}

#[test]
fn formats_of_plugins_are_found_in_options() {
    let format = |text: &str| {
        let spec = read("{}", text).expect("the options are the connector's");
        plugin_format(&spec.sources[0].connector.options).map_err(|errors| errors.to_string())
    };
    assert!(format("csv").expect("a name").is_none());
    let text = "{ plugin: { component: t.wasm, config: { a: b }, determinism_sample: 3 } }";
    let spec = format(text).expect("good").expect("a plugin");
    assert_eq!((spec.component.value.as_str(), spec.determinism_sample), ("t.wasm", Some(3)));
    for (text, part) in [
        ("{ plugin: {} }", "the key `component` is missing"),
        ("{ plgin: { component: t.wasm } }", "did you mean `plugin`?"),
        ("{ plugin: { component: t.wasm, on_error: skip } }", "a format has no `on_error`"),
        ("{ plugin: { component: t.wasm, determinism_sample: -1 } }", "expected a whole number from 0 to 1000000"),
        ("{}", "the key `plugin` is missing"),
    ] {
        let error = format(text).expect_err(text);
        assert!(error.contains(part) && error.contains("p.yaml:3"), "{text}: {error}");
    }
}
