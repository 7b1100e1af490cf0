//! The pipeline of a command line without a file: one source, one plugin, a sink, and perhaps one for refused rows.

use std::sync::Arc;

use serde_json::{Map, Value, json};

use crate::error::{ConfigError, ConfigErrors, Findings};
use crate::limits::LimitsSpec;
use crate::parse::parse;
use crate::place::{Document, Place};
use crate::section::View;
use crate::spec::{OnError, PipelineSpec, Trust};
use crate::tree::{Node, NodeKind, Scalar};
use crate::{KnownConnectors, from_json};

/// What errors name in place of a file.
const ORIGIN: &str = "command line";
/// How deep `--set a.b.c=1` may reach.
const SET_DEPTH_MAX: usize = 16;

/// A connector's kind and its options as JSON.
pub type ConnectorOptions = (String, Value);

/// `volley-host --plugin x.wasm --input F --output G --errors E --set key=value …`
#[derive(Debug, Clone)]
pub struct SinglePlugin {
    /// The path of the component.
    pub component: String,
    /// The plugin's configuration; see [`set`].
    pub config: Map<String, Value>,
    /// What the plugin may use.
    pub limits: LimitsSpec,
    /// What happens to rows that the plugin refuses. With `dead_letter`, `errors` must be there.
    pub on_error: OnError,
    /// How far the plugin's code is trusted.
    pub trust: Trust,
    /// The columns that the plugin may see; none for all.
    pub columns: Option<Vec<String>>,
    /// The servers that the plugin may send requests to.
    pub http: Vec<String>,
    /// How many instances each node has; none for the default.
    pub parallelism: Option<u32>,
    /// How many rows a batch has at most; none for the source's own choice.
    pub batch_rows: Option<u32>,
    /// Where rows come from: the node `input`.
    pub input: ConnectorOptions,
    /// Where the plugin's main output goes: the node `output`.
    pub output: ConnectorOptions,
    /// Where rows go that the plugin or the source refused: the node `errors`. None: nowhere, so such a row stops the job,
    /// or is skipped when `on_error` says so.
    pub errors: Option<ConnectorOptions>,
    /// Where the plugin's side outputs go, by port: nodes `side-<port>`.
    pub sides: Vec<(String, ConnectorOptions)>,
}

impl SinglePlugin {
    /// The pipeline file that does the same: nodes `input`, `plugin`, `output` and `errors`.
    #[must_use]
    pub fn document(&self) -> Value {
        let mut document = json!({
            "name": "command-line",
            "sources": { "input": { self.input.0.as_str(): self.input.1 } },
            "operators": {
                "plugin": {
                    "from": "input",
                    "plugin": {
                        "component": self.component,
                        "config": self.config,
                        "limits": self.limits,
                        "on_error": self.on_error,
                        "trust": self.trust,
                        "grants": {},
                    },
                },
            },
            "sinks": { "output": { "from": "plugin", self.output.0.as_str(): self.output.1 } },
        });
        if let Some((kind, options)) = &self.errors {
            document["sinks"]["errors"] = json!({ "from": ["input.errors", "plugin.errors"], kind.as_str(): options });
        }
        for (port, (kind, options)) in &self.sides {
            document["sinks"][format!("side-{port}")] =
                json!({ "from": format!("plugin.{port}"), kind.as_str(): options });
        }
        let grants = &mut document["operators"]["plugin"]["plugin"]["grants"];
        if let Some(columns) = &self.columns {
            grants["columns"] = json!(columns);
        }
        if !self.http.is_empty() {
            grants["http"] = json!(self.http);
        }
        for (key, value) in [("parallelism", self.parallelism), ("batch_rows", self.batch_rows)] {
            if let Some(value) = value {
                document[key] = value.into();
            }
        }
        document
    }

    /// The pipeline, read and checked like that of a file. Nothing is substituted: the shell has done that.
    ///
    /// # Errors
    /// Everything that would be wrong with [`SinglePlugin::document`]; errors name `command line` in place of a file.
    pub fn spec(&self, known: &KnownConnectors<'_>) -> Result<PipelineSpec, ConfigErrors> {
        from_json(&self.document(), ORIGIN, known)
    }
}

/// Puts one `--set key=value` into `config`; dots in the key reach into mappings.
///
/// The value means what it would mean in a pipeline file without quotes: `15` is a number, `true` a truth value, `hello`
/// a text. What begins with `[`, `{`, `"` or `'` is read as YAML: `[1, 2]`, `"15"`.
///
/// # Errors
/// When there is no `=`, the key is empty or reaches into something that is no mapping, or the YAML is not.
pub fn set(config: &mut Map<String, Value>, assignment: &str) -> Result<(), ConfigError> {
    let refused = |message: String| command_line().error(format!("--set {assignment}: {message}"));
    let (key, value) =
        assignment.split_once('=').ok_or_else(|| refused("there is no `=`; write `--set key=value`".to_owned()))?;
    let value = value_of(value).map_err(|error| refused(error.to_string()))?;
    let keys: Vec<&str> = key.split('.').collect();
    if keys.iter().any(|key| key.is_empty()) || keys.len() > SET_DEPTH_MAX {
        return Err(refused(format!("`{key}` is not a key: write `key` or `outer.inner`")));
    }
    let (last, outer) = keys.split_last().expect("a split text has one part at least");
    let mut map = config;
    for key in outer {
        let inner = map.entry(*key).or_insert_with(|| json!({}));
        map = inner.as_object_mut().ok_or_else(|| refused(format!("`{key}` is already set, and no mapping")))?;
    }
    map.insert((*last).to_owned(), value);
    Ok(())
}

fn command_line() -> Place {
    Place::root(Arc::new(Document { name: ORIGIN.to_owned(), text: None }))
}

fn value_of(text: &str) -> Result<Value, ConfigErrors> {
    if text.is_empty() {
        return Ok(Value::String(String::new()));
    }
    let document = Arc::new(Document { name: "the value".to_owned(), text: Some(text.to_owned()) });
    let mut findings = Findings::default();
    let node = if text.starts_with(['[', '{', '"', '\'']) {
        parse(&document, &mut findings)?
    } else {
        Node { kind: NodeKind::Scalar(Scalar::plain(text)), at: None }
    };
    let value = View::root(&node, &Place::root(document)).section().to_json()?;
    findings.finish(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn set_reads_values_as_a_file_would() {
        let mut config = Map::new();
        for assignment in [
            "threshold=15",
            "strict=true",
            "name=hello = world",
            "text=\"15\"",
            "list=[1, a]",
            "empty=",
            "none=null",
            "a.b=1",
            "a.c=2",
            "url=http://x/?a=b#c",
            "threshold=16",
        ] {
            set(&mut config, assignment).unwrap();
        }
        let expected = json!({
            "threshold": 16, "strict": true, "name": "hello = world", "text": "15", "list": [1, "a"], "empty": "",
            "none": null, "a": { "b": 1, "c": 2 }, "url": "http://x/?a=b#c",
        });
        assert_eq!(Value::Object(config), expected);
    }

    #[test]
    fn set_refuses_what_it_cannot_mean() {
        let mut config = Map::new();
        set(&mut config, "a=1").unwrap();
        for (assignment, part) in [
            ("threshold", "there is no `=`"),
            ("=1", "`` is not a key"),
            ("a..b=1", "`a..b` is not a key"),
            ("a.b=1", "`a` is already set"),
            ("x=[1", "not YAML"),
            ("x=.nan", "no form in JSON"),
        ] {
            let message = set(&mut config, assignment).unwrap_err().to_string();
            assert!(message.starts_with(&format!("command line: --set {assignment}: ")), "{message}");
            assert!(message.contains(part), "{message}");
        }
    }
}
