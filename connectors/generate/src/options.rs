//! The options of a generator, as they stand in a pipeline file.

use std::borrow::Cow;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{Deserializer, Error as _, MapAccess, Visitor};
use serde::{Deserialize, Serialize, Serializer};

use crate::error::{Error, Result};

/// The most splits: each has a reader and a place in every checkpoint.
pub(crate) const SPLITS_MAX: u32 = 1024;
/// The most rows: they are numbered by a BIGINT from 0.
pub(crate) const ROWS_MAX: u64 = i64::MAX as u64;
/// The highest rate, in rows per second, far beyond what a machine makes.
pub(crate) const RATE_MAX: f64 = 1e9;
/// The most columns.
const COLUMNS_MAX: usize = 4096;

/// Makes rows up: the same ones at every run.
///
/// Each row has a number `n` (BIGINT, from 0) and ten random numbers `u0` to `u9` (DOUBLE, at least 0 and less
/// than 1), out of which the expressions of `columns` make the row.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct GenerateOptions {
    /// How many rows there are in all. Default: it goes on until it is stopped.
    #[schemars(range(max = 9_223_372_036_854_775_807_u64))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rows: Option<u64>,
    /// Rows per second, all splits together. Default: as fast as they are taken.
    #[schemars(range(max = 1e9))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rate: Option<f64>,
    /// Another seed gives other random numbers. Default: 0.
    #[serde(default)]
    pub seed: u64,
    /// How many parts there are that can be read at the same time: 1 to 1024. Row `n` is in part `n` modulo `splits`;
    /// which rows there are does not depend on it. Default: 4.
    #[serde(default = "default_splits")]
    #[schemars(range(min = 1, max = 1024))]
    pub splits: u32,
    /// The columns, in order: for each its name and the SQL expression over `n` and `u0` to `u9` that makes it, for
    /// example `user_id: "CAST(u0 * 100000 AS BIGINT)"`.
    pub columns: ColumnList,
}

fn default_splits() -> u32 {
    4
}

impl GenerateOptions {
    /// Options with defaults for everything but the columns.
    #[must_use]
    pub fn new(columns: ColumnList) -> Self {
        Self { rows: None, rate: None, seed: 0, splits: default_splits(), columns }
    }

    /// Checks each option against its range.
    ///
    /// # Errors
    /// [`Error::Splits`], [`Error::Rows`] and [`Error::Rate`].
    pub fn check(&self) -> Result<()> {
        if !(1..=SPLITS_MAX).contains(&self.splits) {
            return Err(Error::Splits(self.splits));
        }
        if let Some(rows) = self.rows.filter(|&rows| rows > ROWS_MAX) {
            return Err(Error::Rows(rows));
        }
        match self.rate {
            Some(rate) if !(rate > 0.0 && rate <= RATE_MAX) => Err(Error::Rate(rate)),
            _ => Ok(()),
        }
    }
}

/// Columns by name, each with its SQL expression, in the order in which they are written. Names do not repeat.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ColumnList(Vec<(String, String)>);

impl ColumnList {
    /// Takes a list of names and expressions.
    ///
    /// # Errors
    /// A sentence, when the list is empty, has more than 4,096 items, or a name twice.
    pub fn new(columns: Vec<(String, String)>) -> Result<Self, String> {
        if columns.is_empty() {
            return Err("there is no column: name at least one".into());
        }
        if columns.len() > COLUMNS_MAX {
            return Err(format!("there are {} columns, and {COLUMNS_MAX} are the most", columns.len()));
        }
        let mut names: Vec<&str> = columns.iter().map(|(name, _)| name.as_str()).collect();
        names.sort_unstable();
        match names.windows(2).find(|pair| pair[0] == pair[1]) {
            Some(pair) => Err(format!("the column `{}` is given twice", pair[0])),
            None => Ok(Self(columns)),
        }
    }

    /// The names and expressions, in order.
    pub fn iter(&self) -> std::slice::Iter<'_, (String, String)> {
        self.0.iter()
    }

    /// The names and expressions, in order.
    #[must_use]
    pub fn as_slice(&self) -> &[(String, String)] {
        &self.0
    }
}

impl<'a> IntoIterator for &'a ColumnList {
    type Item = &'a (String, String);
    type IntoIter = std::slice::Iter<'a, (String, String)>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl<'de> Deserialize<'de> for ColumnList {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct InOrder;
        impl<'de> Visitor<'de> for InOrder {
            type Value = ColumnList;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("names of columns, each with a SQL expression")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<ColumnList, A::Error> {
                let mut columns = Vec::new();
                while let Some(column) = map.next_entry()? {
                    columns.push(column);
                    if columns.len() > COLUMNS_MAX {
                        break;
                    }
                }
                ColumnList::new(columns).map_err(A::Error::custom)
            }
        }
        deserializer.deserialize_map(InOrder)
    }
}

impl Serialize for ColumnList {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(name, sql)| (name, sql)))
    }
}

impl JsonSchema for ColumnList {
    fn schema_name() -> Cow<'static, str> {
        "ColumnList".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_generator: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "object", "additionalProperties": { "type": "string" }, "minProperties": 1 })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<GenerateOptions, String> {
        serde_json::from_str(text).map_err(|error| error.to_string())
    }

    #[test]
    fn columns_keep_their_order_and_defaults_are_as_documented() {
        let options = parse(r#"{ "columns": { "z": "n", "a": "u0", "m": "u1" } }"#).unwrap();
        let names: Vec<&str> = options.columns.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["z", "a", "m"]);
        assert_eq!(options, GenerateOptions::new(options.columns.clone()));
        assert_eq!((options.rows, options.rate, options.seed, options.splits), (None, None, 0, 4));
        options.check().unwrap();
        let text = serde_json::to_string(&options).unwrap();
        assert_eq!(text, r#"{"seed":0,"splits":4,"columns":{"z":"n","a":"u0","m":"u1"}}"#);
        assert_eq!(parse(&text), Ok(options));
    }

    #[test]
    fn what_is_not_possible_is_refused() {
        assert!(parse(r#"{ "columns": { "a": "n" }, "row": 1 }"#).unwrap_err().contains("unknown field `row`"));
        assert!(parse(r#"{ "columns": {} }"#).unwrap_err().contains("name at least one"));
        assert!(
            parse(r#"{ "columns": { "a": "n", "b": "n", "a": "u0" } }"#).unwrap_err().contains("`a` is given twice")
        );
        assert!(parse(r#"{ "rows": 1 }"#).unwrap_err().contains("missing field `columns`"));
        let check = |more: &str| {
            parse(&format!(r#"{{ "columns": {{ "a": "n" }}, {more} }}"#)).unwrap().check().map_err(|e| e.to_string())
        };
        assert_eq!(check(r#""splits": 0"#).unwrap_err(), "generate: splits is 0, and 1 to 1024 are possible");
        assert!(check(r#""splits": 1025"#).is_err());
        assert!(check(r#""rows": 9223372036854775808"#).is_err());
        assert!(check(r#""rate": 0"#).is_err());
        assert!(check(r#""rate": -1.5"#).is_err());
        assert!(check(r#""rate": 1e10"#).is_err());
        assert_eq!(check(r#""rate": 0.5, "rows": 0, "splits": 1024"#), Ok(()));
    }

    #[test]
    fn the_schema_documents_every_option() {
        let schema = serde_json::to_value(schemars::schema_for!(GenerateOptions)).unwrap();
        for option in ["rows", "rate", "seed", "splits", "columns"] {
            let text = schema["properties"][option]["description"].as_str();
            assert!(text.is_some_and(|text| text.len() > 20), "{option}: {text:?}");
        }
        assert_eq!(schema["additionalProperties"], false);
        assert_eq!(schema["required"], serde_json::json!(["columns"]));
    }
}
