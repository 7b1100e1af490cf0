//! The JSON Schema against the reader: what one accepts, the other accepts.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use schemars::{JsonSchema, Schema, schema_for};
use serde_json::{Map, Value, json};
use support::{GOOD, KNOWN, WINDOWS, parse};
use volley_config::{from_json, pipeline_schema};

/// Options of a connector.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
#[allow(dead_code, reason = "only its schema is used")]
struct FileOptions {
    path: String,
    format: Option<Format>,
    #[schemars(default)]
    nested: Option<Box<FileOptions>>,
}

/// A source's format.
#[derive(JsonSchema)]
#[schemars(rename_all = "snake_case")]
#[allow(dead_code, reason = "only its schema is used")]
enum Format {
    Csv,
    Jsonl,
    Parquet,
}

mod memory {
    use super::{JsonSchema, Schema, schema_for};

    /// Not the `Format` of the file connector.
    #[derive(JsonSchema)]
    #[schemars(rename_all = "snake_case")]
    #[allow(dead_code, reason = "only its schema is used")]
    enum Format {
        Rows,
    }

    #[derive(JsonSchema)]
    #[schemars(deny_unknown_fields)]
    #[allow(dead_code, reason = "only its schema is used")]
    struct MemoryOptions {
        format: Option<Format>,
    }

    pub(super) fn schema() -> Schema {
        schema_for!(MemoryOptions)
    }
}

fn schema() -> Value {
    let file = || schema_for!(FileOptions);
    let sources = [("file", file()), ("generate", true.into())];
    pipeline_schema(&sources, &[("file", file()), ("memory", memory::schema())])
}

/// A good sample as JSON, as the host would print it.
fn good(sample: &str) -> Value {
    serde_json::to_value(parse(sample).unwrap()).unwrap()
}

#[test]
fn the_samples_fit() {
    check(&schema(), &good(GOOD)).unwrap();
    check(&schema(), &good(WINDOWS)).unwrap();
}

/// Changes one value of a sample: `path` is a JSON pointer whose last part may be new.
fn changed(sample: &str, path: &str, value: Value) -> Value {
    let mut document = good(sample);
    let (parent, key) = path.rsplit_once('/').unwrap();
    document.pointer_mut(parent).expect(path)[key] = value;
    document
}

/// Whether schema and reader both take a sample with that change, or both refuse it.
fn agree(schema: &Value, sample: &str, path: &str, value: &Value, fits: bool) {
    let document = changed(sample, path, value.clone());
    let by_schema = check(schema, &document);
    let by_reader = from_json(&document, "test", &KNOWN);
    assert_eq!(by_schema.is_ok(), fits, "schema: {path} = {value}: {by_schema:?}");
    assert_eq!(by_reader.is_ok(), fits, "reader: {path} = {value}: {by_reader:?}");
}

#[test]
fn schema_and_reader_agree() {
    let schema = schema();
    for (path, value, fits) in [
        ("/parallelism", json!(256), true),
        ("/parallelism", json!(257), false),
        ("/parallelism", json!(0), false),
        ("/batch_rows", json!(null), true),
        ("/batch_rows", json!(2_000_000), false),
        ("/checkpoint", json!({}), false),
        ("/checkpoint", json!({ "location": "c" }), true),
        ("/checkpoint", json!({ "location": "" }), false),
        ("/checkpoint", json!({ "location": "c", "retain": 2 }), false),
        ("/checkpoint", json!({ "location": "c", "retain": 3, "tolerable_failures": 0 }), true),
        ("/checkpoint", json!({ "location": "c", "pending_epochs": 0 }), false),
        ("/checkpoint", json!({ "location": "c", "every": "1s" }), false),
        ("/nmae", json!("a"), false),
        ("/name", json!(["a"]), false),
        ("/sources", json!({}), false),
        ("/sources", json!([]), false),
        ("/sources/flights/event_time", json!({}), false),
        ("/sources/flights/generate", json!({}), false),
        ("/sources/flights", json!({}), false),
        ("/sources/flights", json!({ "memory": {} }), false),
        ("/sources/flights/parallelism", json!(8), true),
        ("/operators/departed/filter", json!(true), true),
        ("/operators/departed/filter", json!(["a"]), false),
        ("/operators/departed/select", json!(["a"]), false),
        ("/operators/departed/key_by", json!(["a"]), false),
        ("/operators/departed/from", json!([]), false),
        ("/operators/departed/from", json!(["flights"]), true),
        ("/operators/departed/from", json!(["flights", "flights"]), false),
        ("/operators/departed", json!({ "from": "flights" }), false),
        ("/operators/departed", json!({ "filter": "a" }), false),
        ("/operators/both/union", json!({ "a": 1 }), false),
        ("/operators/both/union", json!(null), true),
        ("/operators/shorter/select", json!([]), false),
        ("/operators/shorter/select", json!({ "a": 1 }), true),
        ("/operators/shorter/select", json!({}), false),
        ("/operators/wider/with_columns", json!({}), false),
        ("/operators/wider/with_columns", json!(["a"]), false),
        ("/operators/enriched/plugin/component", json!(""), false),
        ("/operators/enriched/plugin/config", json!([1]), true),
        ("/operators/enriched/plugin/extra", json!(1), false),
        ("/operators/enriched/plugin/on_error", json!("skip"), true),
        ("/operators/enriched/plugin/on_error", json!("stop"), false),
        ("/operators/enriched/plugin/trust", json!("trusted"), true),
        ("/operators/enriched/plugin/trust", json!(true), false),
        ("/operators/enriched/plugin/limits/memory", json!(1 << 20), true),
        ("/operators/enriched/plugin/limits/deadline", json!(null), true),
        ("/operators/enriched/plugin/limits/fuel", json!(1), false),
        ("/operators/enriched/plugin/limits/open_deadline", json!("20s"), true),
        ("/operators/enriched/plugin/limits/output", json!("1MiB"), true),
        ("/operators/enriched/plugin/limits/output_rows", json!(1 << 24), true),
        ("/operators/enriched/plugin/limits/output_rows", json!((1 << 24) + 1), false),
        ("/operators/enriched/plugin/limits/rows_per_row", json!(0), false),
        ("/operators/enriched/plugin/limits/bytes_per_row", json!("1GiB"), true),
        ("/operators/enriched/plugin/limits/transfer", json!("256MiB"), true),
        ("/operators/enriched/plugin/limits/table_elements", json!(10_000_001), false),
        ("/operators/enriched/plugin/limits/restarts", json!({}), true),
        ("/operators/enriched/plugin/limits/restarts", json!({ "max": 3, "within": "1m" }), true),
        ("/operators/enriched/plugin/limits/restarts", json!({ "max": 0 }), false),
        ("/operators/enriched/plugin/limits/restarts", json!({ "every": "1m" }), false),
        ("/sinks", json!({}), false),
        ("/sinks/short/from", json!(["enriched.short", "enriched"]), true),
        ("/sinks/short/generate", json!({}), false),
    ] {
        agree(&schema, GOOD, path, &value, fits);
    }
}

#[test]
fn schema_and_reader_agree_on_event_time_and_windows() {
    let schema = schema();
    let window = |name: &str| format!("/operators/{name}/window");
    for (path, value, fits) in [
        ("/watermark_interval".to_owned(), json!("200ms"), true),
        ("/watermark_interval".to_owned(), json!(null), true),
        ("/state".to_owned(), json!({ "backend": "rocksdb", "location": "state" }), true),
        ("/state".to_owned(), json!({ "backend": "disk" }), false),
        ("/state/size".to_owned(), json!("1GiB"), false),
        ("/state/max_cache_entries".to_owned(), json!(1), true),
        ("/state/max_cache_entries".to_owned(), json!(0), false),
        ("/state/max_pending_windows".to_owned(), json!(1_000_000_000), true),
        ("/state/max_pending_windows".to_owned(), json!(1_000_000_001), false),
        ("/state/max_pending_windows".to_owned(), json!("7"), false),
        ("/restart".to_owned(), json!({ "strategy": "none" }), true),
        ("/restart".to_owned(), json!({ "strategy": "always" }), false),
        ("/restart/attempts".to_owned(), json!(0), false),
        ("/state".to_owned(), json!({ "backend": null, "location": null, "memory": null }), true),
        ("/sources/flights/event_time".to_owned(), json!(null), false),
        ("/sources/flights/event_time".to_owned(), json!("time_hour"), false),
        ("/sources/flights/event_time".to_owned(), json!({ "column": "t" }), false),
        ("/sources/flights/event_time".to_owned(), json!({ "max_out_of_orderness": "1s" }), false),
        ("/sources/flights/event_time/strategy".to_owned(), json!("monotonous"), false),
        ("/sources/ordered/event_time/strategy".to_owned(), json!("sorted"), false),
        ("/sources/ordered/event_time/late".to_owned(), json!("1s"), false),
        ("/sources/marked/event_time/watermark_column".to_owned(), json!(""), false),
        ("/sources/marked/event_time/ordered".to_owned(), json!(false), true),
        ("/operators/hourly/key_by".to_owned(), json!("carrier"), true),
        ("/operators/hourly/key_by".to_owned(), json!([]), false),
        ("/operators/hourly/key_by".to_owned(), json!(["a", "a"]), false),
        ("/operators/hourly/aggregate".to_owned(), json!({}), false),
        ("/operators/hourly/aggregate".to_owned(), json!(["count(*)"]), false),
        ("/operators/hourly/filter".to_owned(), json!("true"), false),
        ("/operators/all".to_owned(), json!({ "from": "marked", "aggregate": { "n": "count(*)" } }), false),
        ("/operators/all".to_owned(), json!({ "from": "marked", "key_by": "a" }), false),
        ("/operators/all".to_owned(), json!({ "from": "marked", "filter": "a", "key_by": "a" }), false),
        (window("all"), json!({ "tumbling": "1d" }), true),
        (window("all"), json!({}), false),
        (window("all"), json!(null), false),
        (window("all"), json!({ "tumbling": null }), false),
        (window("all"), json!({ "count": null }), false),
        (window("all"), json!({ "tumbling": "1d", "late": null }), true),
        (window("all"), json!("1h"), false),
        (window("all"), json!({ "tumbling": "1d", "session": "1d" }), false),
        (window("all"), json!({ "tumbling": "1d", "allowed_lateness": "1h" }), true),
        (window("all"), json!({ "tumbling": "1d", "latenes": "1h" }), false),
        (window("all"), json!({ "sliding": { "size": "1h" } }), false),
        (window("all"), json!({ "sliding": { "size": "1h", "slide": "1h" } }), true),
        (window("all"), json!({ "sliding": { "size": "1h", "slide": "1h", "step": 1 } }), false),
        (window("all"), json!({ "count": 1 }), true),
        (window("all"), json!({ "count": 0 }), false),
        (window("all"), json!({ "count": 1_000_000_001 }), false),
        ("/operators/once/dedupe".to_owned(), json!({ "by": "a", "within": "1h" }), true),
        ("/operators/once/dedupe".to_owned(), json!({ "by": "a" }), false),
        ("/operators/once/dedupe".to_owned(), json!(["a"]), false),
    ] {
        agree(&schema, WINDOWS, &path, &value, fits);
    }
}

#[test]
fn connectors_keep_their_own_definitions() {
    let schema = schema();
    for (path, value, fits) in [
        ("/sources/flights/file/format", json!("jsonl"), true),
        ("/sources/flights/file/format", json!("rows"), false),
        ("/sources/flights/file/extra", json!(1), false),
        ("/sources/flights/file/nested", json!({ "path": "x", "nested": { "path": "y" } }), true),
        ("/sources/flights/file/nested", json!({ "path": "x", "nested": { "paht": "y" } }), false),
        ("/sinks/short/memory/format", json!("rows"), true),
        ("/sinks/short/memory/format", json!("csv"), false),
    ] {
        assert_eq!(check(&schema, &changed(GOOD, path, value.clone())).is_ok(), fits, "{path} = {value}");
    }
    assert_eq!(schema["$schema"], "https://json-schema.org/draft/2020-12/schema");
    for section in ["sources", "operators", "sinks"] {
        assert_eq!(schema["properties"][section]["propertyNames"]["pattern"], "^[a-z][a-z0-9_-]{0,63}$");
    }
}

/// A validator for the keywords that the schema uses; it refuses to run over others, so that none goes unchecked.
/// Patterns are left to editors.
fn check(root: &Value, value: &Value) -> Result<(), String> {
    fits(root, root, value).map(|_| ())
}

/// The names of the properties that the schema speaks of, or why the value does not fit.
fn fits(root: &Value, schema: &Value, value: &Value) -> Result<Vec<String>, String> {
    let keywords = match schema {
        Value::Bool(true) => return Ok(Vec::new()),
        Value::Object(keywords) => keywords,
        other => panic!("not a schema: {other}"),
    };
    let mut known: Vec<String> = Vec::new();
    for (keyword, rule) in keywords {
        let good = match keyword.as_str() {
            "type" => has_type(rule, value),
            "const" => rule == value,
            "enum" => rule.as_array().unwrap().contains(value),
            "minimum" => value.as_f64().is_none_or(|x| x >= rule.as_f64().unwrap()),
            "maximum" => value.as_f64().is_none_or(|x| x <= rule.as_f64().unwrap()),
            "minLength" => value.as_str().is_none_or(|text| text.len() as u64 >= rule.as_u64().unwrap()),
            "minItems" => value.as_array().is_none_or(|items| items.len() as u64 >= rule.as_u64().unwrap()),
            "minProperties" => value.as_object().is_none_or(|map| map.len() as u64 >= rule.as_u64().unwrap()),
            "maxProperties" => value.as_object().is_none_or(|map| map.len() as u64 <= rule.as_u64().unwrap()),
            "uniqueItems" => value.as_array().is_none_or(|all| (1..all.len()).all(|i| !all[..i].contains(&all[i]))),
            "required" => value.as_object().is_none_or(|map| has_all(map, rule)),
            "items" => value.as_array().is_none_or(|items| items.iter().all(|item| fits(root, rule, item).is_ok())),
            "anyOf" | "oneOf" => {
                let fitting: Vec<Vec<String>> =
                    rule.as_array().unwrap().iter().filter_map(|rule| fits(root, rule, value).ok()).collect();
                let good = if keyword == "oneOf" { fitting.len() == 1 } else { !fitting.is_empty() };
                known.extend(fitting.into_iter().flatten());
                good
            }
            "$ref" => {
                let target = root.pointer(rule.as_str().unwrap().strip_prefix('#').unwrap()).expect("a definition");
                known.extend(fits(root, target, value)?);
                true
            }
            "properties" => {
                for (key, rule) in rule.as_object().unwrap() {
                    if let Some(value) = value.get(key) {
                        fits(root, rule, value).map_err(|why| format!("{key}: {why}"))?;
                        known.push(key.clone());
                    }
                }
                true
            }
            "additionalProperties"
            | "unevaluatedProperties"
            | "$schema"
            | "$defs"
            | "title"
            | "description"
            | "default"
            | "format"
            | "pattern"
            | "propertyNames" => true,
            other => panic!("the test does not know the keyword {other}"),
        };
        if !good {
            return Err(format!("{value} breaks {keyword} {rule}"));
        }
    }
    let rest = keywords.get("additionalProperties").or(keywords.get("unevaluatedProperties"));
    if let (Some(rest), Value::Object(map)) = (rest, value) {
        for (key, value) in map.iter().filter(|(key, _)| !known.contains(key)) {
            if *rest == json!(false) {
                return Err(format!("{key} is not known"));
            }
            fits(root, rest, value).map_err(|why| format!("{key}: {why}"))?;
        }
    }
    Ok(known)
}

fn has_all(map: &Map<String, Value>, keys: &Value) -> bool {
    keys.as_array().unwrap().iter().all(|key| map.contains_key(key.as_str().unwrap()))
}

fn has_type(rule: &Value, value: &Value) -> bool {
    let is = |name: &Value| match name.as_str().unwrap() {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "number" => value.is_number(),
        "integer" => value.is_u64() || value.is_i64(),
        "boolean" => value.is_boolean(),
        "null" => value.is_null(),
        other => panic!("the test does not know the type {other}"),
    };
    rule.as_array().map_or_else(|| is(rule), |names| names.iter().any(is))
}
