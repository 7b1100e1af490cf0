//! A good pipeline file: what its structs hold, where things stand, and that it survives being written out.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::num::NonZeroU32;

use serde_json::json;
use support::{FileOptions, Fixed, Format, GOOD, KNOWN, parse};
use volley_api::{NodeName, PortName};
use volley_config::{
    Action, ByteCount, LimitsSpec, NodeIndex, OnError, PipelineSpec, Position, RestartsSpec, Select, SinglePlugin,
    Trust, from_json,
};

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct NoOptions {}

fn good() -> PipelineSpec {
    parse(GOOD).unwrap_or_else(|errors| panic!("{}", errors.report()))
}

fn action<'a>(spec: &'a PipelineSpec, name: &str) -> &'a Action {
    &spec.operators.iter().find(|operator| operator.name.as_str() == name).expect(name).action
}

#[test]
fn settings_and_order() {
    let spec = good();
    assert_eq!(spec.name.as_str(), "delays-by-carrier");
    assert_eq!(spec.parallelism.get(), 2);
    assert_eq!(spec.batch_rows.unwrap().get(), 4096);
    assert_eq!(spec.sources[0].parallelism, None);
    assert_eq!(spec.sources[1].parallelism.unwrap().get(), 1);
    let names: Vec<&str> = spec.operators.iter().map(|operator| operator.name.as_str()).collect();
    assert_eq!(names, ["departed", "both", "enriched", "shorter", "renamed", "wider"]);
    let from: Vec<String> = spec.sinks.iter().flat_map(|sink| &sink.from).map(ToString::to_string).collect();
    assert_eq!(from, ["wider", "enriched.errors", "flights.errors", "enriched.short"]);
    let least = "{name: a, sources: {i: {file: {path: x}}}, parallelism: ~, sinks: {o: {from: i, memory: }}}";
    let least = parse(least).unwrap();
    assert_eq!((least.parallelism.get(), least.batch_rows), (1, None));
}

#[test]
fn actions_are_read() {
    let spec = good();
    let Action::Plugin(plugin) = action(&spec, "enriched") else { panic!() };
    let plugin = &plugin.plugin;
    assert_eq!(*plugin.component, "plugins/enrich-flight.wasm");
    assert_eq!(plugin.component.place.path(), "operators.enriched.plugin.component");
    assert_eq!(plugin.component.place.position(), Some(Position { line: 18, column: 18 }));
    assert_eq!(
        plugin.config.to_json().unwrap(),
        json!({ "threshold": 15, "names": ["a", "1"], "password": "hunter2" })
    );
    assert_eq!(plugin.limits.memory, Some(ByteCount::mebibytes(64)));
    assert_eq!(plugin.limits.deadline.unwrap().0.as_millis(), 200);
    let RestartsSpec { max, within } = plugin.limits.restarts;
    assert_eq!((max.map(NonZeroU32::get), within.map(|within| within.0.as_secs())), (Some(100), Some(600)));
    assert_eq!(plugin.on_error, OnError::DeadLetter);
    assert_eq!(plugin.trust, Trust::Untrusted);
    let Action::Filter(filter) = action(&spec, "departed") else { panic!() };
    assert_eq!(**filter, *"dep_delay IS NOT NULL");
    let Action::Select(Select::Items(items)) = action(&spec, "shorter") else { panic!() };
    assert_eq!(*items[1], "distance * 1.609 AS km");
    let Action::Select(Select::Named(columns)) = action(&spec, "renamed") else { panic!() };
    let columns: Vec<(&str, &str)> = columns.0.iter().map(|c| (c.name.as_str(), c.sql.as_str())).collect();
    assert_eq!(columns, [("who", "carrier"), ("far", "km > 1000"), ("one", "1")]);
    assert_eq!(*action(&spec, "both"), Action::Union {});
}

#[test]
fn connectors_read_their_own_options() {
    let spec = good();
    assert_eq!(spec.sources[0].connector.kind, "file");
    let options: FileOptions = spec.sources[0].connector.options.read().unwrap();
    assert_eq!(
        options,
        FileOptions { path: "data/flights-*.csv".to_owned(), format: Some(Format::Csv), header: false }
    );
    let place = spec.sources[0].connector.options.place_of("format");
    assert_eq!(place.to_string(), "p.yaml:7:52: sources.flights.file.format");
    let error = place.error("no such format");
    let frame = "7 |     file: { path: \"${DATA}/flights-*.csv\", format: csv }\n  |                                                    ^";
    assert_eq!(error.report(), format!("p.yaml:7:52: sources.flights.file.format: no such format\n{frame}"));
    let bare = parse("{name: a, sources: {i: {file: {path: x}}}, sinks: {o: {from: i, memory: }}}").unwrap();
    assert_eq!(bare.sinks[0].connector.options.to_json().unwrap(), json!(null));
    bare.sinks[0].connector.options.read::<NoOptions>().unwrap();
}

#[test]
fn written_out_it_reads_the_same_and_shows_no_secret() {
    let spec = good();
    let text = serde_json::to_string_pretty(&spec).unwrap();
    assert!(!text.contains("hunter2"), "{text}");
    assert!(text.contains("${file:secrets/password}"), "{text}");
    assert_eq!(parse(&text).unwrap(), spec);
}

#[test]
fn order_and_readers() {
    let backwards = "
name: a
sources: { i: { file: { path: x } } }
operators:
  third: { from: second, filter: a }
  second: { from: first, filter: a }
  first: { from: i, filter: a }
sinks: { o: { from: [third, first], memory: } }";
    let spec = parse(backwards).unwrap();
    let names: Vec<&str> = spec.topological_order().into_iter().map(|node| spec.name_of(node).as_str()).collect();
    assert_eq!(names, ["i", "first", "second", "third", "o"]);
    let first = NodeName::new("first").unwrap();
    let readers: Vec<NodeIndex> = spec.readers(&first, &PortName::main()).collect();
    assert_eq!(readers, [NodeIndex::Operator(1), NodeIndex::Sink(0)]);
    assert_eq!(spec.readers(&first, &PortName::errors()).count(), 0);
}

#[test]
fn long_chains_need_no_deep_stack() {
    let mut text = "name: a\nsources: { n0: { file: { path: x } } }\noperators:\n".to_owned();
    for n in (1..=8_000).rev() {
        text += &format!("  n{n}: {{ from: n{}, filter: a }}\n", n - 1);
    }
    text += "sinks: { o: { from: n8000, memory: } }\n";
    let spec = parse(&text).unwrap();
    assert_eq!(spec.topological_order()[1], NodeIndex::Operator(7_999));
}

#[test]
fn substituted_values_stay_values() {
    let text = r#"
name: a
parallelism: ${FOUR}
sources: { i: { parallelism: "${FOUR}", file: { path: "${EVIL}" } } }
operators:
  p: { from: i, plugin: { component: x, config: { plain: "${FOUR}", escaped: "$${FOUR}" } } }
sinks: { o: { from: p, memory: } }"#;
    let spec = parse(text).unwrap();
    assert_eq!(spec.parallelism.get(), 4);
    assert_eq!(spec.sources[0].parallelism.unwrap().get(), 4);
    let options: FileOptions = spec.sources[0].connector.options.read().unwrap();
    assert_eq!(options.path, "x }\nsinks: {}\n");
    let Action::Plugin(plugin) = action(&spec, "p") else { panic!() };
    let plugin = &plugin.plugin;
    assert_eq!(plugin.config.to_json().unwrap(), json!({ "plain": "4", "escaped": "${FOUR}" }));
}

fn single(errors: bool) -> SinglePlugin {
    SinglePlugin {
        component: "x.wasm".to_owned(),
        config: json!({ "threshold": 15 }).as_object().unwrap().clone(),
        limits: LimitsSpec { memory: Some(ByteCount::mebibytes(1)), ..LimitsSpec::default() },
        on_error: if errors { OnError::DeadLetter } else { OnError::Fail },
        trust: if errors { Trust::Trusted } else { Trust::Untrusted },
        columns: None,
        http: Vec::new(),
        parallelism: Some(3),
        batch_rows: None,
        input: ("file".to_owned(), json!({ "path": "-", "format": "csv" })),
        output: ("file".to_owned(), json!({ "path": "out.${X}" })),
        errors: errors.then(|| ("memory".to_owned(), json!({}))),
        sides: if errors { vec![("empty".to_owned(), ("memory".to_owned(), json!({})))] } else { Vec::new() },
    }
}

#[test]
fn a_command_line_makes_the_same_structs() {
    let spec = single(true).spec(&KNOWN).unwrap();
    let text = r#"
name: command-line
parallelism: 3
sources: { input: { file: { path: "-", format: csv } } }
operators:
  plugin:
    from: input
    plugin: { component: x.wasm, config: { threshold: 15 }, limits: { memory: 1MiB }, on_error: dead_letter, trust: trusted }
sinks:
  output: { from: plugin, file: { path: "out.$${X}" } }
  errors: { from: [input.errors, plugin.errors], memory: {} }
  side-empty: { from: plugin.empty, memory: {} }"#;
    assert_eq!(spec, parse(text).unwrap());
    assert_eq!(single(false).spec(&KNOWN).unwrap().sinks.len(), 1);
    let wrong = SinglePlugin { parallelism: Some(0), ..single(false) };
    let message = wrong.spec(&KNOWN).unwrap_err().to_string();
    assert_eq!(message, "command line: parallelism: expected a whole number from 1 to 256, found `0`");
    let unknown: Result<FileOptions, _> =
        from_json(&single(true).document(), "x", &KNOWN).unwrap().sinks[1].connector.options.read();
    assert_eq!(unknown.unwrap_err().to_string(), "x: sinks.errors.memory: the key `path` is missing");
}

#[test]
fn a_file_is_loaded_with_its_folder() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("p.yaml");
    let load = || volley_config::load(&path, &KNOWN);
    let missing = load().unwrap_err();
    assert_eq!(missing.kind(), volley_api::ErrorKind::Config);
    assert!(missing.to_string().contains("p.yaml"), "{missing}");
    std::fs::write(folder.path().join("name"), "from-a-file\n").unwrap();
    let text = "name: \"${file:name}\"\nsources: {i: {file: {path: x}}}\nsinks: {o: {from: i, memory: }}\n";
    std::fs::write(&path, text).unwrap();
    assert_eq!(load().unwrap().name.as_str(), "from-a-file");
    std::fs::write(&path, b"name: a\nsources: \xff\n").unwrap();
    assert!(load().unwrap_err().to_string().ends_with("p.yaml:2: this is not UTF-8 text"));
    std::fs::write(&path, vec![b'#'; 2 * 1024 * 1024]).unwrap();
    assert!(load().unwrap_err().to_string().contains("at most 1048576"));
}

#[test]
fn the_environment_is_asked_by_name() {
    // `Fixed` does not know HOME: what the process has is never used unasked.
    let error = volley_config::parse("name: \"${HOME}\"", "p.yaml", &KNOWN, &Fixed).unwrap_err();
    assert!(error.to_string().contains("`HOME` is not set"), "{error}");
}
