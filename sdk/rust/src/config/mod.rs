//! The configuration of an operator: JSON text to what `serde` makes of it.
//!
//! A reader of our own, because a whole JSON library with its formatting of floats is most of a small component.

mod access;
mod error;
mod text;

use serde::de::DeserializeOwned;

use crate::OpenError;
use text::Text;

/// Reads a configuration. Errors name the key: `minimum: invalid type: string "a", expected f64`.
pub(crate) fn parse<C: DeserializeOwned>(json: &str) -> Result<C, OpenError> {
    let mut text = Text::new(json);
    let config = C::deserialize(&mut text).map_err(refused)?;
    text.end().map_err(refused)?;
    Ok(config)
}

#[cold]
#[inline(never)]
fn refused(error: error::Error) -> OpenError {
    OpenError::InvalidConfig(format!("{error}"))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;
    use serde::Deserialize;
    use serde_json::Value;

    use super::*;

    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Everything {
        number: f64,
        count: u8,
        text: String,
        maybe: Option<i64>,
        #[serde(default)]
        kind: Kind,
        list: Vec<Inner>,
        by_number: BTreeMap<i32, bool>,
        pair: (char, f32),
    }

    #[derive(Debug, PartialEq, Deserialize)]
    struct Inner {
        x: i32,
    }

    #[derive(Debug, PartialEq, Default, Deserialize)]
    #[serde(rename_all = "kebab-case")]
    enum Kind {
        #[default]
        Plain,
        Sized(u32),
        Named {
            name: String,
        },
    }

    const GOOD: &str = r#" { "number": 2, "count": 7, "text": "a\n\"\u00fc\ud83d\ude00", "maybe": null,
        "kind": { "named": { "name": "n" } }, "list": [ { "x": -1 }, { "x": 2, "more": [1, {}] } ],
        "by_number": { "-3": true }, "pair": ["c", 1.5e-1] } "#;

    #[test]
    fn all_that_serde_asks_for_is_read() {
        let found: Everything = parse(GOOD).unwrap();
        let wanted = Everything {
            number: 2.0,
            count: 7,
            text: "a\n\"ü😀".into(),
            maybe: None,
            kind: Kind::Named { name: "n".into() },
            list: vec![Inner { x: -1 }, Inner { x: 2 }],
            by_number: BTreeMap::from([(-3, true)]),
            pair: ('c', 0.15),
        };
        assert_eq!(found, wanted);
        assert_eq!(parse::<Kind>("\"plain\""), Ok(Kind::Plain));
        assert_eq!(parse::<Kind>("{\"sized\":3}"), Ok(Kind::Sized(3)));
    }

    #[test]
    fn errors_name_the_key() {
        let with = |from: &str, to: &str| GOOD.replace(from, to);
        for (json, wanted) in [
            (with("\"number\": 2", "\"number\": \"a\""), "number: invalid type: string \"a\", expected f64"),
            (with("\"x\": -1", "\"x\": 1.5"), "list[0].x: invalid type: floating point number, expected i32"),
            (with("\"count\": 7", "\"count\": 300"), "count: invalid value: integer `300`, expected u8"),
            (with("\"named\"", "\"nmaed\""), "kind: unknown variant `nmaed`"),
            (with("{ \"x\": -1 }", "{}"), "list[0]: missing field `x`"),
            (with("\"maybe\"", "\"mabye\""), "unknown field `mabye`, expected one of `number`"),
            (with("\"maybe\": null", "\"maybe\": tru"), "maybe: not JSON at byte"),
            (with("[\"c\", 1.5e-1]", "[\"c\"]"), "pair: invalid length 1"),
            (with("1.5e-1] }", "1.5e-1] } x"), "not JSON at byte"),
            ("[".repeat(1000), "nested deeper than"),
        ] {
            let error = parse::<Everything>(&json).unwrap_err().to_string();
            let error = error.strip_prefix("invalid config: ").unwrap();
            assert!(
                error.starts_with(wanted) || (wanted.starts_with("nested") && error.contains("invalid type")),
                "{error}"
            );
        }
        let deep = "[".repeat(1000);
        let error = parse::<serde::de::IgnoredAny>(&deep).unwrap_err().to_string();
        assert!(error.contains("nested deeper than"), "{error}");
    }

    fn values() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<u64>().prop_map(Value::from),
            any::<i32>().prop_map(|number| Value::from(f64::from(number) / 1000.0)),
            ".*".prop_map(Value::from),
        ];
        leaf.prop_recursive(3, 20, 5, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
                prop::collection::btree_map(".*", inner, 0..5).prop_map(|map| map.into_iter().collect()),
            ]
        })
    }

    proptest! {
        #[test]
        fn what_a_library_writes_is_read_as_the_library_reads_it(value in values()) {
            prop_assert_eq!(&parse::<Value>(&value.to_string()).unwrap(), &value);
            prop_assert_eq!(&parse::<Value>(&serde_json::to_string_pretty(&value).unwrap()).unwrap(), &value);
        }

        #[test]
        fn floats_are_the_nearest(number: f64) {
            prop_assume!(number.is_finite());
            let found: f64 = parse(&format!("{number:e}")).unwrap();
            let wanted: f64 = format!("{number:e}").parse().unwrap();
            prop_assert_eq!(found.to_bits(), wanted.to_bits());
        }

        #[test]
        fn any_text_is_read_or_refused(text in ".*", json in "[\\[\\]{}\",:0-9eE+.a-z\\\\ -]*") {
            for text in [text, json] {
                let library = serde_json::from_str::<Value>(&text);
                if let Ok(ours) = parse::<Value>(&text) {
                    prop_assert!(library.is_ok(), "{} read as {}", text, ours);
                } else {
                    prop_assert!(library.is_err(), "{} refused", text);
                }
            }
        }
    }
}
