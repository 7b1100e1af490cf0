//! What a pipeline grants a plugin, as the file says it: the columns that it may see, the servers that it may ask.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Serialize, Serializer};

use crate::error::{Findings, Problem};
use crate::fields::Fields;
use crate::place::Located;
use crate::section::View;

/// The keys of `grants`, in the order of [`GrantsSpec`].
const GRANT_KEYS: [&str; 2] = ["columns", "http"];
/// What stands in place of a list for all columns.
const ALL: &str = "all";
/// The most columns that a list grants.
const COLUMNS_MAX: usize = 10_000;
/// The most servers.
const SERVERS_MAX: usize = 1_000;

/// What a plugin may see and reach beyond its world. What reaches out of the host is refused unless it stands here.
#[derive(Debug, Clone, Default, PartialEq, Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct GrantsSpec {
    /// The columns that it may see, by name, or `all`. Of no other it is told the name, and none enters its memory; those that
    /// it leaves as they are pass by it. Default: `all`, of which those enter that it asks for.
    #[serde(skip_serializing_if = "ColumnsGrant::is_all")]
    #[schemars(with = "Columns", default)]
    pub columns: ColumnsGrant,
    /// The servers that it may send requests to, each with scheme, host and port: `https://api.example.com:443`. No pattern,
    /// no path. Redirects are not followed, and addresses of private networks not reached. Default: none, and a plugin that
    /// imports `http` is not loaded.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(with = "Vec<String>", default)]
    pub http: Vec<Located<String>>,
}

impl GrantsSpec {
    /// Whether it is the default, which is not written out.
    pub(crate) fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

/// The columns that a plugin may see.
#[derive(Debug, Clone, Default, PartialEq)]
pub enum ColumnsGrant {
    /// All of them.
    #[default]
    All,
    /// These, and perhaps none.
    Named(Vec<Located<String>>),
}

impl ColumnsGrant {
    fn is_all(&self) -> bool {
        *self == Self::All
    }
}

impl Serialize for ColumnsGrant {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::All => serializer.serialize_str(ALL),
            Self::Named(names) => serializer.collect_seq(names),
        }
    }
}

/// The schema of `columns`.
struct Columns;

impl JsonSchema for Columns {
    fn schema_name() -> Cow<'static, str> {
        "Columns".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "`all`, or a list of columns.",
            "anyOf": [
                { "const": ALL },
                { "type": "array", "items": { "type": "string", "minLength": 1 }, "uniqueItems": true },
            ]
        })
    }
}

/// Reads `grants`.
pub(crate) fn grants(view: &View<'_>, findings: &mut Findings) -> Option<GrantsSpec> {
    let mut fields = Fields::new(view, &GRANT_KEYS, findings)?;
    let columns = fields.get("columns").and_then(|view| columns(&view, &mut fields)).unwrap_or_default();
    let http = fields.get("http").and_then(|view| list(&view, &mut fields, "servers", SERVERS_MAX)).unwrap_or_default();
    Some(GrantsSpec { columns, http })
}

fn columns(view: &View<'_>, fields: &mut Fields<'_, '_>) -> Option<ColumnsGrant> {
    if view.items().is_some() {
        return list(view, fields, "columns", COLUMNS_MAX).map(ColumnsGrant::Named);
    }
    let text: Option<String> = view.read().ok();
    if text.as_deref() == Some(ALL) {
        return Some(ColumnsGrant::All);
    }
    let error = view.expected("`all`, or a list of columns such as `[a, b]`");
    fields.findings.note(Err(error))
}

/// Texts in which none stands twice.
fn list(view: &View<'_>, fields: &mut Fields<'_, '_>, what: &'static str, max: usize) -> Option<Vec<Located<String>>> {
    let Some(views) = view.items() else {
        let error = view.expected(&format!("a list of {what}"));
        return fields.findings.note(Err(error));
    };
    if views.len() > max {
        fields.findings.push(&view.place, Problem::TooMuch { what, seen: views.len(), max });
        return None;
    }
    let mut texts: Vec<Located<String>> = Vec::with_capacity(views.len());
    for view in &views {
        let text = fields.text(view)?;
        if texts.contains(&text) {
            fields.findings.push(&view.place, Problem::Value(format!("`{}` stands here twice", text.value)));
            return None;
        }
        texts.push(text);
    }
    Some(texts)
}
