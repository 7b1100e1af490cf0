//! How `format` is written: a name, or `plugin: { … }`, which whoever opens the source or sink reads.

use std::borrow::Cow;
use std::fmt;

use schemars::{JsonSchema, SchemaGenerator};
use serde::de::value::StrDeserializer;
use serde::de::{self, IgnoredAny, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};

use crate::FileFormat;

/// The key of a codec.
const PLUGIN: &str = "plugin";

/// Reads a format where there is one.
pub(crate) fn read<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<FileFormat>, D::Error> {
    deserializer.deserialize_any(FormatVisitor)
}

struct FormatVisitor;

impl<'de> Visitor<'de> for FormatVisitor {
    type Value = Option<FileFormat>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "one of {}, or `plugin: {{ component: … }}`", FileFormat::NAMES)
    }

    fn visit_str<E: de::Error>(self, name: &str) -> Result<Self::Value, E> {
        FileFormat::deserialize(StrDeserializer::new(name)).map(Some)
    }

    fn visit_unit<E: de::Error>(self) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_none<E: de::Error>(self) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut found = None;
        while let Some(key) = map.next_key::<String>()? {
            if key != PLUGIN {
                return Err(de::Error::unknown_field(&key, &[PLUGIN]));
            }
            map.next_value::<IgnoredAny>()?;
            found = Some(FileFormat::Plugin);
        }
        found.map(Some).ok_or_else(|| de::Error::missing_field(PLUGIN))
    }
}

/// The schema of `format`.
pub(crate) struct Schema;

impl JsonSchema for Schema {
    fn schema_name() -> Cow<'static, str> {
        "FormatOption".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> schemars::Schema {
        let name = generator.subschema_for::<FileFormat>();
        let codec = serde_json::json!({
            "description": "A codec: a WebAssembly component that reads and writes frames of bytes.",
            "type": "object",
            "required": ["component"],
            "additionalProperties": false,
            "properties": {
                "component": {
                    "description": "The path of the component, relative to the pipeline file.",
                    "type": "string",
                    "minLength": 1,
                },
                "config": { "description": "What the codec is opened with: whatever its author documents. Default: nothing." },
                "limits": { "description": "What each instance may use, as for a plugin.", "type": "object" },
                "grants": {
                    "description": "What it may see and reach, as for a plugin. Default: all columns, and no server.",
                    "type": "object",
                    "additionalProperties": false,
                    "properties": {
                        "columns": {
                            "anyOf": [
                                { "const": "all" },
                                { "type": "array", "items": { "type": "string", "minLength": 1 }, "uniqueItems": true },
                            ],
                        },
                        "http": { "type": "array", "items": { "type": "string" } },
                    },
                },
                "on_error": { "const": "fail" },
                "trust": { "description": "As for a plugin. Default: `untrusted`.", "enum": ["untrusted", "trusted"] },
            },
        });
        schemars::json_schema!({ "anyOf": [
            name,
            { "type": "object", "required": [PLUGIN], "additionalProperties": false, "properties": { PLUGIN: codec } },
        ] })
    }
}
