//! A small tree of scalars, lists and mappings, each with its place in the text.

use std::collections::HashMap;

use serde_json::Value;

use crate::error::{Problem, quoted};
use crate::place::Position;

/// Lists and mappings inside each other: no pipeline needs more, and everything that walks a tree may recurse.
pub(crate) const DEPTH_MAX: usize = 64;
/// Keys and values in one document.
pub(crate) const NODES_MAX: usize = 100_000;

/// A value and where it stands.
#[derive(Debug, Clone)]
pub(crate) struct Node {
    pub(crate) kind: NodeKind,
    pub(crate) at: Option<Position>,
}

/// The three shapes of a value.
#[derive(Debug, Clone)]
pub(crate) enum NodeKind {
    Scalar(Scalar),
    Sequence(Vec<Node>),
    Mapping(Vec<Entry>),
}

/// A key and its value. Keys are unique in their mapping.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    pub(crate) key: String,
    pub(crate) at: Option<Position>,
    pub(crate) value: Node,
}

/// A text, of which only plain ones can mean a number, a truth value or nothing.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Scalar {
    pub(crate) text: String,
    /// Written without quotes.
    pub(crate) plain: bool,
    /// As it stood in the file, when something was substituted into it.
    pub(crate) written: Option<String>,
}

/// What a plain scalar means by the core schema of YAML 1.2.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Core<'a> {
    Null,
    Bool(bool),
    Unsigned(u64),
    Negative(i64),
    Float(f64),
    Text(&'a str),
}

impl Scalar {
    pub(crate) fn plain(text: impl Into<String>) -> Self {
        Self { text: text.into(), plain: true, written: None }
    }

    pub(crate) fn quoted(text: impl Into<String>) -> Self {
        Self { text: text.into(), plain: false, written: None }
    }

    /// The meaning: of a plain scalar by its text, of a quoted one the text itself.
    pub(crate) fn core(&self) -> Core<'_> {
        if self.plain { self.meaning() } else { Core::Text(&self.text) }
    }

    /// The meaning for a reader that wants a number or a truth value: there `"${N}"`, which must be quoted inside
    /// braces, means what the substituted text means.
    pub(crate) fn core_wanted(&self) -> Core<'_> {
        if self.plain || self.written.is_some() { self.meaning() } else { Core::Text(&self.text) }
    }

    /// A substituted value is never nothing: a password may be empty, or `~`.
    fn meaning(&self) -> Core<'_> {
        match plain_meaning(&self.text) {
            Core::Null if self.written.is_some() => Core::Text(&self.text),
            meaning => meaning,
        }
    }
}

/// The core schema of YAML 1.2: <https://yaml.org/spec/1.2.2/#1032-tag-resolution>.
pub(crate) fn plain_meaning(text: &str) -> Core<'_> {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Core::Null,
        "true" | "True" | "TRUE" => return Core::Bool(true),
        "false" | "False" | "FALSE" => return Core::Bool(false),
        ".inf" | ".Inf" | ".INF" | "+.inf" | "+.Inf" | "+.INF" => return Core::Float(f64::INFINITY),
        "-.inf" | "-.Inf" | "-.INF" => return Core::Float(f64::NEG_INFINITY),
        ".nan" | ".NaN" | ".NAN" => return Core::Float(f64::NAN),
        _ => {}
    }
    let radix = |digits: &str, radix| {
        let all = !digits.is_empty() && digits.chars().all(|c| c.is_digit(radix));
        all.then(|| u64::from_str_radix(digits, radix).ok()).flatten()
    };
    if let Some(number) = text.strip_prefix("0o").and_then(|digits| radix(digits, 8)) {
        return Core::Unsigned(number);
    }
    if let Some(number) = text.strip_prefix("0x").and_then(|digits| radix(digits, 16)) {
        return Core::Unsigned(number);
    }
    decimal(text).unwrap_or(Core::Text(text))
}

fn decimal(text: &str) -> Option<Core<'_>> {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    if !unsigned.starts_with(|c: char| c.is_ascii_digit() || c == '.') {
        return None;
    }
    if unsigned.bytes().all(|b| b.is_ascii_digit()) {
        if let Ok(number) = text.parse::<u64>() {
            return Some(Core::Unsigned(number));
        }
        if let Ok(number) = text.parse::<i64>() {
            return Some(Core::Negative(number));
        }
    }
    // Only the characters of a float, so that `inf` and `nan`, which Rust reads too, stay text.
    let float_like = unsigned.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'.' | b'e' | b'E' | b'+' | b'-'));
    float_like.then(|| text.parse::<f64>().ok()).flatten().map(Core::Float)
}

impl Node {
    pub(crate) fn empty_mapping(at: Option<Position>) -> Self {
        Self { kind: NodeKind::Mapping(Vec::new()), at }
    }

    /// Whether nothing stands there: `key:`, `key: ~` or `key: null`.
    pub(crate) fn is_null(&self) -> bool {
        matches!(&self.kind, NodeKind::Scalar(scalar) if scalar.core() == Core::Null)
    }

    /// What stands here, for an error: a scalar as it was written, else `a list` or `a mapping`.
    pub(crate) fn found(&self) -> String {
        match &self.kind {
            NodeKind::Sequence(_) => "a list".to_owned(),
            NodeKind::Mapping(_) => "a mapping".to_owned(),
            NodeKind::Scalar(scalar) if scalar.core() == Core::Null => "nothing".to_owned(),
            NodeKind::Scalar(scalar) => quoted(scalar.written.as_deref().unwrap_or(&scalar.text)),
        }
    }

    /// A tree without places.
    ///
    /// # Errors
    /// When the value is deeper than [`DEPTH_MAX`].
    pub(crate) fn from_json(value: &Value) -> Result<Self, Problem> {
        Self::from_json_below(value, 0)
    }

    fn from_json_below(value: &Value, depth: usize) -> Result<Self, Problem> {
        if depth > DEPTH_MAX {
            return Err(Problem::TooMuch { what: "values inside values", seen: depth, max: DEPTH_MAX });
        }
        let kind = match value {
            Value::Null => NodeKind::Scalar(Scalar::plain("null")),
            Value::Bool(value) => NodeKind::Scalar(Scalar::plain(value.to_string())),
            Value::Number(value) => NodeKind::Scalar(Scalar::plain(value.to_string())),
            Value::String(value) => NodeKind::Scalar(Scalar::quoted(value)),
            Value::Array(values) => {
                let nodes = values.iter().map(|value| Self::from_json_below(value, depth + 1));
                NodeKind::Sequence(nodes.collect::<Result<_, _>>()?)
            }
            Value::Object(values) => {
                let entries = values.iter().map(|(key, value)| {
                    let value = Self::from_json_below(value, depth + 1)?;
                    Ok::<_, Problem>(Entry { key: key.clone(), at: None, value })
                });
                NodeKind::Mapping(entries.collect::<Result<_, _>>()?)
            }
        };
        Ok(Self { kind, at: None })
    }
}

/// The keys that stand a second time, each with the position of the first one, in a mapping just read.
pub(crate) fn take_duplicates(entries: &mut Vec<Entry>) -> Vec<(Entry, Option<Position>)> {
    let mut first: HashMap<String, Option<Position>> = HashMap::with_capacity(entries.len());
    let mut duplicates = Vec::new();
    let mut kept = Vec::with_capacity(entries.len());
    for entry in entries.drain(..) {
        match first.get(&entry.key) {
            Some(&at) => duplicates.push((entry, at)),
            None => {
                first.insert(entry.key.clone(), entry.at);
                kept.push(entry);
            }
        }
    }
    *entries = kept;
    duplicates
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn core_schema() {
        let core = plain_meaning;
        assert_eq!(core("~"), Core::Null);
        assert_eq!(core("yes"), Core::Text("yes"));
        assert_eq!(core("True"), Core::Bool(true));
        assert_eq!(core("007"), Core::Unsigned(7));
        assert_eq!(core("+7"), Core::Unsigned(7));
        assert_eq!(core("-7"), Core::Negative(-7));
        assert_eq!(core("18446744073709551615"), Core::Unsigned(u64::MAX));
        assert_eq!(core("18446744073709551616"), Core::Float(18_446_744_073_709_551_616.0));
        assert_eq!(core("0o17"), Core::Unsigned(15));
        assert_eq!(core("0xfF"), Core::Unsigned(255));
        assert_eq!(core("0x"), Core::Text("0x"));
        assert_eq!(core("0x+1"), Core::Text("0x+1"));
        assert_eq!(core(".5"), Core::Float(0.5));
        assert_eq!(core("5."), Core::Float(5.0));
        assert_eq!(core("-1.5e3"), Core::Float(-1500.0));
        assert_eq!(core("1e"), Core::Text("1e"));
        assert_eq!(core("."), Core::Text("."));
        assert_eq!(core("1_000"), Core::Text("1_000"));
        for text in ["inf", "nan", "-inf", "infinity", "NaN"] {
            assert_eq!(core(text), Core::Text(text));
        }
        assert_eq!(Scalar::quoted("7").core(), Core::Text("7"));
    }

    #[test]
    fn deep_json_is_refused() {
        let deep = (0..=DEPTH_MAX).fold(Value::Null, |inner, _| Value::Array(vec![inner]));
        assert!(matches!(Node::from_json(&deep), Err(Problem::TooMuch { max: DEPTH_MAX, .. })));
    }
}
