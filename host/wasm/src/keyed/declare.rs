//! The states that a plugin declares, checked against the contract.

use std::sync::Arc;

use arrow::datatypes::{DataType, SchemaRef};
use arrow::row::{RowConverter, SortField};
use volley_ipc::decode_schema;

use super::limits::{STATES_MAX, TTL_MS_MAX};
use crate::contract::{self, MergeFunction, StateKind};
use crate::text::visible;

/// The longest name of a state, in bytes.
const NAME_BYTES_MAX: usize = 64;

/// Names that begin so are the host's own.
const OWN_PREFIX: &str = "host-";

/// A declared state, made ready for use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Declared {
    pub(crate) name: String,
    pub(crate) kind: StateKind,
    /// The columns of a map's keys.
    pub(crate) map_keys: Option<SchemaRef>,
    pub(crate) values: SchemaRef,
    pub(crate) version: u32,
    pub(crate) ttl_ms: Option<i64>,
}

/// Checks what `describe` declared; the error says what is wrong.
pub(crate) fn check(declared: Vec<contract::StateDeclaration>) -> Result<Vec<Declared>, String> {
    if declared.len() > STATES_MAX {
        return Err(format!("it declares {} states; at most {STATES_MAX} are allowed", declared.len()));
    }
    let mut states: Vec<Declared> = Vec::with_capacity(declared.len());
    for declaration in declared {
        let name = visible(&declaration.name, NAME_BYTES_MAX);
        let state = Declared::check(declaration).map_err(|problem| format!("its state `{name}`: {problem}"))?;
        if states.iter().any(|other| other.name == state.name) {
            return Err(format!("it declares two states of the name `{name}`: each has a name of its own"));
        }
        states.push(state);
    }
    Ok(states)
}

impl Declared {
    fn check(declaration: contract::StateDeclaration) -> Result<Self, String> {
        let contract::StateDeclaration { name, kind, map_keys, values, version, ttl_ms } = declaration;
        if !is_name(&name) {
            return Err(format!(
                "a name is [a-z][a-z0-9_-]*, has at most {NAME_BYTES_MAX} bytes and does not begin with `{OWN_PREFIX}`"
            ));
        }
        let map_keys = match (&kind, map_keys) {
            (StateKind::Map, Some(schema)) => {
                let keys = columns(&schema, "map keys")?;
                if keys.fields().is_empty() {
                    return Err("its map keys have no columns: a map has at least one".to_owned());
                }
                Some(keys)
            }
            (StateKind::Map, None) => return Err("it is a map and says nothing of its keys".to_owned()),
            (_, Some(_)) => return Err("it has map keys and is no map".to_owned()),
            (_, None) => None,
        };
        let values = columns(&values, "values")?;
        if let StateKind::Merge(functions) = &kind {
            check_merge(functions, &values)?;
        }
        let ttl_ms = match ttl_ms {
            None => None,
            Some(ms @ 1..=TTL_MS_MAX) => i64::try_from(ms).ok(),
            Some(ms) => return Err(format!("its time to live is {ms} ms; 1 to {TTL_MS_MAX} are allowed")),
        };
        Ok(Self { name, kind, map_keys, values, version, ttl_ms })
    }

    /// In words, how keys and values are laid out: a checkpoint of other words is refused. `keys` are those of `key_by`.
    pub(crate) fn layout(&self, keys: &str) -> Arc<str> {
        let kind = match &self.kind {
            StateKind::Value => "value".to_owned(),
            StateKind::Map => {
                format!("map by [{}] of", self.map_keys.as_ref().map_or_else(String::new, listed))
            }
            StateKind::List => "list of".to_owned(),
            StateKind::Merge(functions) => {
                let functions: Vec<&str> = functions.iter().map(|function| word(*function)).collect();
                format!("merge by {} of", functions.join(", "))
            }
        };
        let lives = if self.ttl_ms.is_some() { "; timed" } else { "" };
        let (values, version) = (listed(&self.values), self.version);
        format!("keys [{keys}]; {kind} [{values}]; version {version}{lives}; plugin-rows-1").into()
    }

    /// The kind, for messages.
    pub(crate) fn kind_name(&self) -> &'static str {
        match self.kind {
            StateKind::Value => "value",
            StateKind::Map => "map",
            StateKind::List => "list",
            StateKind::Merge(_) => "merge",
        }
    }
}

/// Columns by name and type, for layouts.
pub(crate) fn listed(schema: &SchemaRef) -> String {
    let field = |field: &arrow::datatypes::FieldRef| format!("{} {}", field.name(), field.data_type());
    schema.fields().iter().map(field).collect::<Vec<_>>().join(", ")
}

fn is_name(name: &str) -> bool {
    let rest = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'_' | b'-');
    name.len() <= NAME_BYTES_MAX
        && name.starts_with(|first: char| first.is_ascii_lowercase())
        && name.bytes().all(rest)
        && !name.starts_with(OWN_PREFIX)
}

fn columns(message: &[u8], what: &str) -> Result<SchemaRef, String> {
    let schema = decode_schema(message)
        .map_err(|error| format!("the schema of its {what}: {}", visible(&error.to_string(), 1 << 10)))?;
    for field in schema.fields() {
        if !RowConverter::supports_fields(&[SortField::new(field.data_type().clone())]) {
            let (name, data_type) = (visible(field.name(), 80), field.data_type());
            return Err(format!("the column `{name}` of its {what} is {data_type}, which state cannot hold"));
        }
    }
    Ok(Arc::new(schema))
}

fn check_merge(functions: &[MergeFunction], values: &SchemaRef) -> Result<(), String> {
    if functions.len() != values.fields().len() {
        let (functions, columns) = (functions.len(), values.fields().len());
        return Err(format!("it has {columns} columns and {functions} functions to merge them by"));
    }
    for field in values.fields() {
        if !matches!(field.data_type(), DataType::Int64 | DataType::UInt64 | DataType::Float64) {
            let (name, data_type) = (visible(field.name(), 80), field.data_type());
            return Err(format!("its column `{name}` is {data_type}; Int64, UInt64 and Float64 can be merged"));
        }
    }
    Ok(())
}

fn word(function: MergeFunction) -> &'static str {
    match function {
        MergeFunction::Sum => "sum",
        MergeFunction::Min => "min",
        MergeFunction::Max => "max",
    }
}

#[cfg(test)]
mod tests {
    use arrow::datatypes::{Field, Schema};
    use volley_ipc::encode_schema;

    use super::*;

    fn schema(columns: &[(&str, DataType)]) -> Vec<u8> {
        let fields = columns.iter().map(|(name, data_type)| Field::new(*name, data_type.clone(), true));
        encode_schema(&Schema::new(fields.collect::<Vec<_>>())).expect("encodes")
    }

    fn declaration(name: &str, kind: StateKind) -> contract::StateDeclaration {
        let values = schema(&[("n", DataType::Int64)]);
        contract::StateDeclaration { name: name.to_owned(), kind, map_keys: None, values, version: 1, ttl_ms: None }
    }

    #[test]
    fn a_layout_says_what_a_checkpoint_must_agree_in() {
        let map = contract::StateDeclaration {
            map_keys: Some(schema(&[("page", DataType::Utf8)])),
            ttl_ms: Some(5),
            ..declaration("seen", StateKind::Map)
        };
        let merge = declaration("sums", StateKind::Merge(vec![MergeFunction::Sum]));
        let states = check(vec![map, merge, declaration("last", StateKind::Value)]).expect("good");
        let layouts: Vec<Arc<str>> = states.iter().map(|state| state.layout("user Utf8")).collect();
        assert_eq!(*layouts[0], *"keys [user Utf8]; map by [page Utf8] of [n Int64]; version 1; timed; plugin-rows-1");
        assert_eq!(*layouts[1], *"keys [user Utf8]; merge by sum of [n Int64]; version 1; plugin-rows-1");
        assert_eq!(*layouts[2], *"keys [user Utf8]; value [n Int64]; version 1; plugin-rows-1");
    }

    #[test]
    fn what_the_contract_forbids_is_refused_by_name() {
        let value = || declaration("a", StateKind::Value);
        let merge = |functions| declaration("a", StateKind::Merge(functions));
        let cases = [
            (vec![value(), value()], "two states of the name `a`"),
            (vec![declaration("Aa", StateKind::Value)], "a name is [a-z]"),
            (vec![declaration("host-timers", StateKind::Value)], "does not begin with `host-`"),
            (vec![declaration("a", StateKind::Map)], "says nothing of its keys"),
            (
                vec![contract::StateDeclaration { map_keys: Some(schema(&[])), ..declaration("a", StateKind::Map) }],
                "no columns",
            ),
            (vec![contract::StateDeclaration { map_keys: Some(schema(&[])), ..value() }], "is no map"),
            (vec![contract::StateDeclaration { values: vec![1, 2, 3], ..value() }], "the schema of its values"),
            (vec![contract::StateDeclaration { ttl_ms: Some(0), ..value() }], "0 ms; 1 to"),
            (vec![contract::StateDeclaration { ttl_ms: Some(u64::MAX), ..value() }], "18446744073709551615 ms"),
            (vec![merge(vec![])], "1 columns and 0 functions"),
            (
                vec![contract::StateDeclaration {
                    values: schema(&[("t", DataType::Utf8)]),
                    ..merge(vec![MergeFunction::Sum])
                }],
                "`t` is Utf8",
            ),
            ((0..65).map(|n| declaration(&format!("a{n}"), StateKind::Value)).collect(), "65 states"),
        ];
        for (declared, words) in cases {
            let error = check(declared).expect_err(words);
            assert!(error.contains(words), "{error} should say {words}");
        }
    }
}
