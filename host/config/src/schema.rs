//! The JSON Schema of the pipeline file, for editors and for `volley-host schema`.

use schemars::{Schema, SchemaGenerator};
use serde_json::{Map, Value, json};

use crate::spec::PipelineSpec;

/// The schema of the whole file. Each connector brings its kind and the schema of its options
/// (`schemars::schema_for!(Options)`).
///
/// A `${VAR}` in the place of a number does not fit the schema, though the host accepts it.
#[must_use]
pub fn pipeline_schema(sources: &[(&str, Schema)], sinks: &[(&str, Schema)]) -> Value {
    let root = SchemaGenerator::default().into_root_schema_for::<PipelineSpec>();
    let mut root = root.to_value();
    add_connectors(&mut root, "SourceSpec", "source", sources);
    add_connectors(&mut root, "SinkSpec", "sink", sinks);
    only_one_action(&mut root);
    for section in ["sources", "operators", "sinks"] {
        root["properties"][section]["propertyNames"] = json!({ "pattern": "^[a-z][a-z0-9_-]{0,63}$" });
    }
    root["properties"]["functions"]["propertyNames"] = json!({ "pattern": "^[a-z][a-z0-9_]{0,63}$" });
    root["title"] = "Volley pipeline".into();
    root
}

/// That an aggregate has no key of its own makes the choice of actions one of any; an operator has exactly one.
fn only_one_action(root: &mut Value) {
    if let Some(operator) = root["$defs"]["OperatorSpec"].as_object_mut()
        && let Some(choice) = operator.remove("anyOf")
    {
        operator.insert("oneOf".to_owned(), choice);
    }
}

/// Makes each kind a property of `node` whose schema stands in the root's definitions; exactly one of them is there.
fn add_connectors(root: &mut Value, node: &str, side: &str, connectors: &[(&str, Schema)]) {
    let mut choice = Vec::with_capacity(connectors.len());
    for (kind, schema) in connectors {
        let name = format!("{side}_{kind}");
        for (name, definition) in definitions(&name, schema.as_value().clone()) {
            root["$defs"][name] = definition;
        }
        root["$defs"][node]["properties"][*kind] = json!({ "$ref": format!("#/$defs/{name}") });
        choice.push(json!({ "required": [kind] }));
    }
    if !choice.is_empty() {
        root["$defs"][node]["oneOf"] = choice.into();
    }
}

/// The schema under `name`, and its own definitions under names that begin with it, so that two connectors may each have
/// a `Format`.
fn definitions(name: &str, mut schema: Value) -> Map<String, Value> {
    let mut all = Map::new();
    let mut inner = Value::Null;
    if let Some(schema) = schema.as_object_mut() {
        schema.remove("$schema");
        inner = schema.remove("$defs").unwrap_or_default();
    }
    rename_references(&mut schema, name);
    all.insert(name.to_owned(), schema);
    if let Value::Object(inner) = inner {
        for (key, mut definition) in inner {
            rename_references(&mut definition, name);
            all.insert(format!("{name}_{key}"), definition);
        }
    }
    all
}

/// Schemas are made from Rust types, whose nesting bounds the recursion.
fn rename_references(schema: &mut Value, name: &str) {
    match schema {
        Value::Object(map) => {
            if let Some(Value::String(reference)) = map.get_mut("$ref") {
                if let Some(key) = reference.strip_prefix("#/$defs/") {
                    *reference = format!("#/$defs/{name}_{key}");
                } else if reference == "#" {
                    *reference = format!("#/$defs/{name}");
                }
            }
            map.values_mut().for_each(|value| rename_references(value, name));
        }
        Value::Array(items) => items.iter_mut().for_each(|value| rename_references(value, name)),
        _ => {}
    }
}
