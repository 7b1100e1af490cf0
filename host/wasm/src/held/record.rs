//! Which component wrote a checkpoint, and which states it declared: in words that a manifest keeps, and that are read again.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use serde_json::{Value, json};
use volley_ipc::encode_schema;

use crate::contract::{MergeFunction, StateDeclaration, StateKind};
use crate::keyed::Declared;

/// What stands before the declarations.
const DECLARED: &str = "; declared ";

/// A component, as a checkpoint knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Record {
    /// Its digest.
    pub(crate) digest: String,
    /// Whether it holds state itself.
    pub(crate) holds_state: bool,
    /// The states that it declares.
    pub(crate) states: Vec<Declared>,
}

impl Record {
    /// The words.
    pub(crate) fn layout(&self) -> Arc<str> {
        let holds = if self.holds_state { "holds state itself" } else { "holds no state itself" };
        let states = Value::Array(self.states.iter().map(to_json).collect());
        format!("component {}; {holds}{DECLARED}{states}", self.digest).into()
    }

    /// What the words say; `None` when they are none of these.
    pub(crate) fn of_layout(layout: &str) -> Option<Self> {
        let (head, declared) = layout.split_once(DECLARED)?;
        let (digest, holds) = head.strip_prefix("component ")?.split_once("; ")?;
        let states: Value = serde_json::from_str(declared).ok()?;
        let states = states.as_array()?.iter().map(of_json).collect::<Option<Vec<_>>>()?;
        Some(Self { digest: digest.to_owned(), holds_state: holds == "holds state itself", states })
    }
}

/// A declaration as it crosses to a plugin.
pub(crate) fn to_contract(declared: &Declared) -> volley_ipc::Result<StateDeclaration> {
    Ok(StateDeclaration {
        name: declared.name.clone(),
        kind: declared.kind.clone(),
        map_keys: declared.map_keys.as_ref().map(|keys| encode_schema(keys)).transpose()?,
        values: encode_schema(&declared.values)?,
        version: declared.version,
        ttl_ms: declared.ttl_ms.and_then(|ms| u64::try_from(ms).ok()),
    })
}

fn to_json(declared: &Declared) -> Value {
    let columns = |schema: &SchemaRef| -> Value {
        let field = |field: &Arc<Field>| json!([field.name(), field.data_type().to_string(), field.is_nullable()]);
        schema.fields().iter().map(field).collect()
    };
    let mut state = json!({
        "name": declared.name,
        "kind": declared.kind_name(),
        "values": columns(&declared.values),
        "version": declared.version,
    });
    if let StateKind::Merge(functions) = &declared.kind {
        state["functions"] = functions.iter().map(|function| json!(word(*function))).collect();
    }
    if let Some(keys) = &declared.map_keys {
        state["map_keys"] = columns(keys);
    }
    if let Some(ttl_ms) = declared.ttl_ms {
        state["ttl_ms"] = json!(ttl_ms);
    }
    state
}

fn of_json(state: &Value) -> Option<Declared> {
    let columns = |columns: &Value| -> Option<SchemaRef> {
        let field = |field: &Value| -> Option<Field> {
            let data_type: DataType = field.get(1)?.as_str()?.parse().ok()?;
            Some(Field::new(field.get(0)?.as_str()?, data_type, field.get(2)?.as_bool()?))
        };
        let fields = columns.as_array()?.iter().map(field).collect::<Option<Vec<_>>>()?;
        Some(Arc::new(Schema::new(fields)))
    };
    let kind = match state.get("kind")?.as_str()? {
        "value" => StateKind::Value,
        "map" => StateKind::Map,
        "list" => StateKind::List,
        "merge" => {
            let functions = state.get("functions")?.as_array()?.iter();
            StateKind::Merge(functions.map(|word| of_word(word.as_str()?)).collect::<Option<_>>()?)
        }
        _ => return None,
    };
    Some(Declared {
        name: state.get("name")?.as_str()?.to_owned(),
        kind,
        map_keys: match state.get("map_keys") {
            Some(keys) => Some(columns(keys)?),
            None => None,
        },
        values: columns(state.get("values")?)?,
        version: u32::try_from(state.get("version")?.as_u64()?).ok()?,
        ttl_ms: match state.get("ttl_ms") {
            Some(ttl_ms) => Some(ttl_ms.as_i64()?),
            None => None,
        },
    })
}

fn word(function: MergeFunction) -> &'static str {
    match function {
        MergeFunction::Sum => "sum",
        MergeFunction::Min => "min",
        MergeFunction::Max => "max",
    }
}

fn of_word(word: &str) -> Option<MergeFunction> {
    [MergeFunction::Sum, MergeFunction::Min, MergeFunction::Max]
        .into_iter()
        .find(|function| self::word(*function) == word)
}

#[cfg(test)]
mod tests {
    use arrow::datatypes::TimeUnit;

    use super::*;

    #[test]
    fn what_is_written_is_read_again() {
        let schema = |fields: Vec<Field>| Arc::new(Schema::new(fields));
        let odd = Field::new("a, \"b; declared ]", DataType::Utf8, true);
        let time = Field::new("at", DataType::Timestamp(TimeUnit::Millisecond, Some("Europe/Berlin".into())), false);
        let nested = DataType::Struct(vec![Field::new("x", DataType::Decimal128(10, 2), true)].into());
        let list = Field::new("list", DataType::List(Arc::new(Field::new_list_field(nested, true))), true);
        let state = |name: &str, kind, map_keys, values, ttl_ms| Declared {
            name: name.to_owned(),
            kind,
            map_keys,
            values,
            version: 7,
            ttl_ms,
        };
        let sums = StateKind::Merge(vec![MergeFunction::Sum, MergeFunction::Max]);
        let number = |name: &str| Field::new(name, DataType::Int64, true);
        let record = Record {
            digest: "ab".repeat(32),
            holds_state: true,
            states: vec![
                state("m", StateKind::Map, Some(schema(vec![odd.clone()])), schema(vec![time, list]), Some(5)),
                state("s", sums, None, schema(vec![number("a"), number("b")]), None),
                state("v", StateKind::Value, None, schema(vec![odd]), None),
                state("l", StateKind::List, None, schema(Vec::new()), None),
            ],
        };
        assert_eq!(Record::of_layout(&record.layout()), Some(record.clone()));
        let none = Record { holds_state: false, states: Vec::new(), ..record };
        assert_eq!(&*none.layout(), format!("component {}; holds no state itself; declared []", "ab".repeat(32)));
        assert_eq!(Record::of_layout(&none.layout()), Some(none));
        assert_eq!(Record::of_layout("keys [a Int64]; value [n Int64]; version 1"), None);
    }
}
