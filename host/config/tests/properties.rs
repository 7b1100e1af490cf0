//! Properties of the reader: no text makes it panic, and values survive the way through the tree.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use proptest::collection::{hash_map, vec};
use proptest::prelude::*;
use serde_json::{Map, Value};
use support::parse;
use volley_config::Section;

/// Pieces of YAML and of pipeline files, so that random texts get past the first line.
const PIECES: [&str; 42] = [
    "name",
    "sources",
    "operators",
    "sinks",
    "from",
    "file",
    "plugin",
    "select",
    "a",
    "b",
    ": ",
    ":",
    "\n",
    "\n  ",
    "\n    ",
    "- ",
    "{",
    "}",
    "[",
    "]",
    ",",
    "\"",
    "'",
    "|",
    ">",
    "&a ",
    "*a",
    "<<",
    "!t ",
    "!!str ",
    "---",
    "...",
    "#",
    "? ",
    "%",
    "@",
    "`",
    "${FOUR}",
    "${",
    "\t",
    "\u{feff}",
    "1",
];

fn yaml_like() -> impl Strategy<Value = String> {
    vec(prop::sample::select(PIECES.as_slice()), 0..60).prop_map(|pieces| pieces.concat())
}

fn json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_filter("JSON has no infinity", |x| x.is_finite()).prop_map(Value::from),
        any::<String>().prop_map(|text| Value::from(text.replace('\u{feff}', " "))),
    ];
    leaf.prop_recursive(4, 48, 6, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..6).prop_map(Value::from),
            hash_map("[ -~]{0,12}", inner, 0..6).prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

/// The value as the configuration of a plugin in a pipeline file written as JSON, which is YAML too.
fn through_a_file(config: &Value) -> Value {
    let escaped = escape(config);
    let text = format!(
        "{{name: a, sources: {{i: {{file: {{path: x}}}}}}, sinks: {{o: {{from: p, memory: }}}},
        operators: {{p: {{from: i, plugin: {{component: x, config: {escaped} }}}}}}}}"
    );
    let spec = parse(&text).unwrap_or_else(|errors| panic!("{}\n{text}", errors.report()));
    let volley_config::Action::Plugin(plugin) = &spec.operators[0].action else { panic!() };
    let plugin = &plugin.plugin;
    plugin.config.to_json().unwrap()
}

fn escape(value: &Value) -> Value {
    match value {
        Value::String(text) => Value::String(text.replace("${", "$${")),
        Value::Array(items) => items.iter().map(escape).collect(),
        Value::Object(map) => map.iter().map(|(key, value)| (key.clone(), escape(value))).collect::<Map<_, _>>().into(),
        other => other.clone(),
    }
}

/// `1.0` and `1e19` come back as the numbers that YAML means by their letters, so numbers compare by value.
fn same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => a == b || a.as_f64() == b.as_f64(),
        (Value::Array(a), Value::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b)),
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len() && a.iter().all(|(key, a)| b.get(key).is_some_and(|b| same(a, b)))
        }
        _ => a == b,
    }
}

proptest! {
    // Failures are kept as tests of their own, not as seeds.
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_text_gives_a_spec_or_errors(text in any::<String>()) {
        if let Err(errors) = parse(&text) {
            prop_assert!(!errors.report().is_empty());
        }
    }

    #[test]
    fn yaml_like_text_gives_a_spec_or_errors(text in yaml_like()) {
        if let Err(errors) = parse(&text) {
            prop_assert!(!errors.errors().is_empty());
            prop_assert!(!errors.report().is_empty());
        }
    }

    #[test]
    fn a_good_file_with_a_piece_changed_gives_a_spec_or_errors(
        sample in prop::sample::select([support::GOOD, support::WINDOWS].as_slice()),
        at in any::<prop::sample::Index>(),
        length in 0_usize..20,
        piece in prop::sample::select(PIECES.as_slice()),
    ) {
        let mut text = sample.to_owned();
        let start = at.index(text.len());
        text.replace_range(start..(start + length).min(text.len()), piece);
        if let Err(errors) = parse(&text) {
            prop_assert!(!errors.report().is_empty());
        }
    }

    #[test]
    fn values_survive_the_way_through_a_file(value in json()) {
        let seen = through_a_file(&value);
        prop_assert!(same(&seen, &value), "{value} became {seen}");
    }

    #[test]
    fn values_survive_a_section(value in json()) {
        let section = Section::from_json(&value, "test").unwrap();
        prop_assert!(same(&section.to_json().unwrap(), &value));
        prop_assert!(same(&section.read::<Value>().unwrap(), &value));
        prop_assert!(same(&serde_json::to_value(&section).unwrap(), &value));
    }
}
