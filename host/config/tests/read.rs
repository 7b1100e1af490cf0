//! Sections read into structs of every shape, and the errors when they do not fit.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::collections::{BTreeMap, HashMap};
use std::num::NonZeroU32;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use support::parse;
use volley_config::{Action, ByteCount, ConfigError, Section, TimeSpan};

#[derive(Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct All {
    text: String,
    letter: char,
    flag: bool,
    tiny: u8,
    signed: i32,
    large: i128,
    float: f32,
    maybe: Option<u32>,
    several: Vec<u16>,
    pair: (String, i64),
    map: BTreeMap<String, f64>,
    counts: HashMap<u32, bool>,
    unit: (),
    kind: Kind,
    size: ByteCount,
    wait: Option<TimeSpan>,
    inner: Option<Inner>,
    wrapped: Wrapped,
    choice: Choice,
}

#[derive(Debug, PartialEq, Deserialize, Default)]
struct Wrapped(u32);

#[derive(Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
struct Inner {
    needed: NonZeroU32,
}

#[derive(Debug, PartialEq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Kind {
    Plain,
    OneValue(u32),
    Two(u8, u8),
    Named { x: u8 },
}

#[derive(Debug, PartialEq, Deserialize)]
#[serde(untagged)]
enum Choice {
    One(String),
    Many(Vec<String>),
}

impl Default for All {
    fn default() -> Self {
        Self {
            text: String::new(),
            letter: ' ',
            flag: false,
            tiny: 0,
            signed: 0,
            large: 0,
            float: 0.0,
            maybe: None,
            several: vec![],
            pair: (String::new(), 0),
            map: BTreeMap::new(),
            counts: HashMap::new(),
            unit: (),
            kind: Kind::Plain,
            size: ByteCount(0),
            wait: None,
            inner: None,
            wrapped: Wrapped(0),
            choice: Choice::One(String::new()),
        }
    }
}

/// The text as the block of a plugin's configuration, which starts on line 8 at column 9.
fn section(text: &str) -> Section {
    let indented = text.replace('\n', "\n        ");
    let file = format!(
        "name: a
sources: {{i: {{file: {{path: x}}}}}}
sinks: {{o: {{from: p, memory: }}}}
operators:
  p:
    from: i
    plugin:
      component: x
      config:
        {indented}
"
    );
    let spec = parse(&file).unwrap_or_else(|errors| panic!("{}", errors.report()));
    let Action::Plugin(plugin) = &spec.operators[0].action else { panic!() };
    let plugin = &plugin.plugin;
    plugin.config.clone()
}

fn read<T: DeserializeOwned>(text: &str) -> Result<T, ConfigError> {
    section(text).read()
}

/// The error without the file's name and the part of the path that all share.
fn error(text: &str) -> String {
    let error = read::<All>(text).unwrap_err().to_string();
    error.replace("p.yaml:", "").replace("operators.p.plugin.config", "C")
}

#[test]
fn every_type_is_read() {
    let all: All = read(
        "text: 12.50
letter: x
flag: true
tiny: 0xff
signed: -5
large: 7
float: 1
maybe: 3
several: [1, 2]
pair: [a, -1]
map: { a: 1, b: .5 }
counts: { 1: true }
unit: ~
kind: { named: { x: 1 } }
size: 64MiB
wait: 200ms
inner:
  needed: 1
wrapped: 5
choice: [a, b]",
    )
    .unwrap();
    let expected = All {
        text: "12.50".to_owned(),
        letter: 'x',
        flag: true,
        tiny: 255,
        signed: -5,
        large: 7,
        float: 1.0,
        maybe: Some(3),
        several: vec![1, 2],
        pair: ("a".to_owned(), -1),
        map: [("a".to_owned(), 1.0), ("b".to_owned(), 0.5)].into(),
        counts: [(1, true)].into(),
        unit: (),
        kind: Kind::Named { x: 1 },
        size: ByteCount::mebibytes(64),
        wait: Some(TimeSpan(std::time::Duration::from_millis(200))),
        inner: Some(Inner { needed: NonZeroU32::MIN }),
        wrapped: Wrapped(5),
        choice: Choice::Many(vec!["a".to_owned(), "b".to_owned()]),
    };
    assert_eq!(all, expected);
    assert_eq!(read::<All>("~").unwrap(), All::default());
    assert_eq!(read::<All>("maybe:\ninner: null").unwrap(), All::default());
}

#[test]
fn enumerations_have_every_form() {
    for (text, kind) in [
        ("kind: plain", Kind::Plain),
        ("kind: { plain: }", Kind::Plain),
        ("kind: { one_value: 3 }", Kind::OneValue(3)),
        ("kind: { two: [1, 2] }", Kind::Two(1, 2)),
    ] {
        assert_eq!(read::<All>(text).unwrap(), All { kind, ..All::default() }, "{text}");
    }
}

#[test]
fn errors_have_line_column_path_and_plain_words() {
    for (text, expected) in [
        ("flag: yes", "10:15: C.flag: expected true or false, found `yes`"),
        ("tiny: 256", "10:15: C.tiny: expected a whole number from 0 to 255, found `256`"),
        ("tiny: \"1\"", "10:15: C.tiny: expected a whole number from 0 to 255, found `1`"),
        ("tiny: 1.5", "10:15: C.tiny: expected a whole number from 0 to 255, found `1.5`"),
        ("text: [a]", "10:15: C.text: expected a text, found a list"),
        ("text:", "10:9: C.text: expected a text, found nothing"),
        ("several: 1", "10:18: C.several: expected a list, found `1`"),
        ("several:\n  - 1\n  - x", "12:13: C.several.1: expected a whole number from 0 to 65535, found `x`"),
        ("pair: [a]", "10:15: C.pair: expected a tuple of size 2, found 1 values"),
        ("pair: [a, 1, 2]", "10:15: C.pair: expected a list of 2, found one of 3"),
        ("map: { a: b }", "10:19: C.map.a: expected a number, found `b`"),
        ("map: a", "10:14: C.map: expected a mapping, found `a`"),
        ("inner: 5", "10:16: C.inner: expected a mapping (`key: value`), found `5`"),
        ("inner: {}", "10:9: C.inner: the key `needed` is missing"),
        ("inner:\n  neded: 1", "11:11: C.inner: unknown key `neded`; did you mean `needed`? (known: needed)"),
        (
            "kind: plan",
            "10:15: C.kind: unknown value `plan`; did you mean `plain`? (known: plain, one_value, two, named)",
        ),
        (
            "kind: { nmed: 1 }",
            "10:17: C.kind: unknown value `nmed`; did you mean `named`? (known: plain, one_value, two, named)",
        ),
        ("kind: { plain: 1 }", "10:24: C.kind.plain: nothing may stand here"),
        ("kind: [1]", "10:15: C.kind: expected one of plain, one_value, two, named, found a list"),
        ("size: 64 apples", "10:15: C.size: `64 apples` is not a size: write one like `64MiB` or `1GB`"),
        ("wait: 200", "10:15: C.wait: `200` has no unit: write `200ms` or `200s`"),
        ("tiny: ${FOUR}x", "10:15: C.tiny: expected a whole number from 0 to 255, found `${FOUR}x`"),
        ("size: ${SECRET}", "10:15: C.size: `${SECRET}` is not a size: write one like `64MiB` or `1GB`"),
        ("flag: ${SECRET}", "10:15: C.flag: expected true or false, found `${SECRET}`"),
        ("kind: ${SECRET}", "10:15: C.kind: unknown value `${SECRET}` (known: plain, one_value, two, named)"),
    ] {
        assert_eq!(error(text), expected, "{text}");
    }
}

#[test]
fn values_of_any_shape_keep_their_types() {
    let value: Value =
        read("a: 1\nb: \"1\"\nc: [~, -2, 1.5, true, x]\nd: {}\ne: |\n  text\n  more\nf: !!str 1").unwrap();
    let expected = json!({
        "a": 1, "b": "1", "c": [null, -2, 1.5, true, "x"], "d": {}, "e": "text\nmore\n", "f": "1",
    });
    assert_eq!(value, expected);
    assert_eq!(section("a: 1").to_json().unwrap(), json!({ "a": 1 }));
}

#[test]
fn substituted_values_are_never_nothing() {
    let all: All = read("text: ${EMPTY}\nchoice: ${TILDE}\nmap: { \"${FOUR}\": \"${FOUR}\" }").unwrap();
    assert_eq!((all.text.as_str(), all.choice), ("", Choice::One("~".to_owned())));
    assert_eq!(all.map["${FOUR}"], 4.0);
    assert_eq!(
        error("maybe: ${EMPTY}"),
        "10:16: C.maybe: expected a whole number from 0 to 4294967295, found `${EMPTY}`"
    );
}

#[test]
fn sections_of_a_program_are_read_the_same() {
    let section = Section::from_json(&json!({ "tiny": 300 }), "test").unwrap();
    let error = section.read::<All>().unwrap_err();
    assert_eq!(error.to_string(), "test: tiny: expected a whole number from 0 to 255, found `300`");
    assert_eq!(error.report(), error.to_string());
    let section = Section::from_json(&json!({ "text": "null", "kind": { "one_value": 1 } }), "test").unwrap();
    let expected = All { text: "null".to_owned(), kind: Kind::OneValue(1), ..All::default() };
    assert_eq!(section.read::<All>().unwrap(), expected);
}
