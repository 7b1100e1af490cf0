//! The tree into the spec: every key is known, every value has its type, and as many errors as possible are gathered.

use std::collections::HashSet;
use std::num::NonZeroU32;

use serde::de::DeserializeOwned;
use volley_api::{NodeName, PortName};

use crate::error::{ConfigError, Findings, Problem};
use crate::limits::{
    BYTES_LIMITS, LIMIT_KEYS, LimitsSpec, MEMORY_LIMITS, RESTART_KEYS, RESTARTS_MAX, ROWS_MAX, RestartsSpec,
    TABLE_ELEMENTS_MAX, TIME_LIMITS,
};
use crate::place::{Located, Place};
use crate::section::{Field, Section, View};
use crate::spec::{
    Action, BATCH_ROWS_MAX, ConnectorSection, InputRef, NamedExpression, NamedExpressions, OperatorSpec,
    PARALLELISM_MAX, PipelineSpec, PluginSpec, Select, SinkSpec, SourceSpec, one,
};
use crate::suggest::Unknown;

/// The kinds of connector that the host was built with, in the order in which errors list them.
#[derive(Debug, Clone, Copy)]
pub struct KnownConnectors<'a> {
    /// What may stand in a source.
    pub sources: &'a [&'a str],
    /// What may stand in a sink.
    pub sinks: &'a [&'a str],
}

const PIPELINE_KEYS: [&str; 6] = ["name", "parallelism", "batch_rows", "sources", "operators", "sinks"];
const ACTION_KEYS: [&str; 5] = ["filter", "select", "with_columns", "plugin", "union"];
const PLUGIN_KEYS: [&str; 5] = ["component", "config", "limits", "on_error", "trust"];
/// Keys of the pipeline file that belong to features which this version does not have.
const UNSUPPORTED_KEYS: [&str; 7] = ["checkpoint", "state", "event_time", "key_by", "window", "aggregate", "dedupe"];

/// The most output columns of one node.
const COLUMNS_MAX: usize = 10_000;

/// What could be read. With errors, nodes may be missing.
pub(crate) struct Draft {
    pub(crate) spec: PipelineSpec,
    /// Sources and operators that have errors.
    pub(crate) broken: HashSet<NodeName>,
    /// Sinks that have errors.
    pub(crate) broken_sinks: HashSet<NodeName>,
}

/// Reads a whole document.
pub(crate) fn read_spec(root: &View<'_>, known: &KnownConnectors<'_>, findings: &mut Findings) -> Option<Draft> {
    let mut fields = Fields::new(root, &PIPELINE_KEYS, findings)?;
    let name = fields.required("name").and_then(|view| node_name(&view, fields.findings));
    let parallelism = fields.bounded("parallelism", PARALLELISM_MAX);
    let batch_rows = fields.bounded("batch_rows", BATCH_ROWS_MAX);
    let sections = [fields.required("sources"), fields.get("operators"), fields.required("sinks")];
    let (mut broken, mut broken_sinks) = (HashSet::new(), HashSet::new());
    let [sources, operators, sinks] = sections;
    let sources = nodes(sources, &mut broken, findings, |node, findings| source(node, known, findings));
    let operators = nodes(operators, &mut broken, findings, operator);
    let sinks = nodes(sinks, &mut broken_sinks, findings, |node, findings| sink(node, known, findings));
    // Without a name there are errors already, so this one is never seen.
    let name = name.or_else(|| NodeName::new("unnamed").ok())?;
    let parallelism = parallelism.unwrap_or_else(one);
    Some(Draft {
        spec: PipelineSpec { name, parallelism, batch_rows, sources, operators, sinks },
        broken,
        broken_sinks,
    })
}

/// The keys of a mapping, each known.
struct Fields<'a, 'f> {
    view: View<'a>,
    fields: Vec<Field<'a>>,
    /// Keys that were left out because nobody knows them, each by the known one that was probably meant.
    left_out: Vec<Option<String>>,
    findings: &'f mut Findings,
}

impl<'a, 'f> Fields<'a, 'f> {
    /// None, and an error noted, when it is not a mapping. Unknown keys are noted and left out.
    fn new(view: &View<'a>, known: &[&str], findings: &'f mut Findings) -> Option<Self> {
        let mut fields = findings.note(view.fields())?;
        let mut left_out = Vec::new();
        fields.retain(|field| {
            if known.contains(&field.key) {
                return true;
            }
            let problem = if UNSUPPORTED_KEYS.contains(&field.key) {
                left_out.push(None);
                Problem::Unsupported(field.key.to_owned())
            } else {
                let unknown = Unknown::new("key", field.key, known);
                left_out.push(unknown.suggestion.clone());
                Problem::Unknown(unknown)
            };
            findings.push(&view.place.at(field.view.owner.position), problem);
            false
        });
        Some(Self { view: view.clone(), fields, left_out, findings })
    }

    fn get(&self, key: &str) -> Option<View<'a>> {
        self.fields.iter().find(|field| field.key == key).map(|field| field.view.clone())
    }

    fn required(&mut self, key: &str) -> Option<View<'a>> {
        let found = self.get(key);
        let misspelt = self.left_out.iter().any(|meant| meant.as_deref() == Some(key));
        if found.is_none() && !misspelt {
            self.findings.push(&self.view.owner, Problem::Missing(key.to_owned()));
        }
        found
    }

    fn read<T: DeserializeOwned>(&mut self, key: &str) -> Option<T> {
        let view = self.get(key)?;
        self.findings.note(view.read())
    }

    /// A count from 1 to `max`; none when nothing stands there.
    fn bounded(&mut self, key: &str, max: u32) -> Option<NonZeroU32> {
        let view = self.get(key).filter(|view| !view.node.is_null())?;
        let count = view.read().ok().filter(|count: &NonZeroU32| count.get() <= max);
        if count.is_none() {
            let error = view.expected(&format!("a whole number from 1 to {max}"));
            self.findings.note::<()>(Err(error));
        }
        count
    }

    /// A size or a length of time within its bounds; none when nothing stands there.
    fn measure<T>(&mut self, key: &str, bounds: (T, T)) -> Option<T>
    where
        T: DeserializeOwned + PartialOrd + std::fmt::Display,
    {
        let view = self.get(key)?;
        let value = self.findings.note(view.read::<Option<T>>())??;
        if bounds.0 <= value && value <= bounds.1 {
            return Some(value);
        }
        let message = format!("`{value}` is not within {} and {}", bounds.0, bounds.1);
        self.findings.push(&view.place, Problem::Value(message));
        None
    }

    /// An expression or path: a text with something in it.
    fn text(&mut self, view: &View<'_>) -> Option<Located<String>> {
        let text: Located<String> = self.findings.note(view.located())?;
        if text.trim().is_empty() {
            self.findings.push(&view.place, Problem::Value("this text is empty".to_owned()));
            return None;
        }
        Some(text)
    }
}

/// A node's name and the value below it.
struct NodeView<'a> {
    name: Located<NodeName>,
    view: View<'a>,
}

/// Reads every node of a section; those with errors are left out and named in `broken`.
fn nodes<T>(
    section: Option<View<'_>>,
    broken: &mut HashSet<NodeName>,
    findings: &mut Findings,
    read: impl Fn(&NodeView<'_>, &mut Findings) -> Option<T>,
) -> Vec<T> {
    let Some(fields) = section.and_then(|section| findings.note(section.fields())) else { return Vec::new() };
    let mut nodes = Vec::with_capacity(fields.len());
    for Field { key, view } in fields {
        let before = findings.len();
        let name = NodeName::new(key).map_err(|invalid| view.owner.problem(invalid.into()));
        let Some(name) = findings.note(name) else { continue };
        let name = Located { value: name, place: view.owner.clone(), written: None };
        match read(&NodeView { name: name.clone(), view }, findings) {
            Some(node) if findings.len() == before => nodes.push(node),
            _ => {
                broken.insert(name.value);
            }
        }
    }
    nodes
}

fn node_name(view: &View<'_>, findings: &mut Findings) -> Option<NodeName> {
    let text: String = findings.note(view.read())?;
    findings.note(NodeName::new(&text).map_err(|invalid| view.place.problem(invalid.into())))
}

fn source(node: &NodeView<'_>, known: &KnownConnectors<'_>, findings: &mut Findings) -> Option<SourceSpec> {
    let keys = [&["parallelism"], known.sources].concat();
    let mut fields = Fields::new(&node.view, &keys, findings)?;
    let parallelism = fields.bounded("parallelism", PARALLELISM_MAX);
    let connector = connector(&mut fields, known.sources)?;
    Some(SourceSpec { name: node.name.clone(), parallelism, connector })
}

fn sink(node: &NodeView<'_>, known: &KnownConnectors<'_>, findings: &mut Findings) -> Option<SinkSpec> {
    let keys = [&["from", "parallelism"], known.sinks].concat();
    let mut fields = Fields::new(&node.view, &keys, findings)?;
    let from = from(&mut fields);
    let parallelism = fields.bounded("parallelism", PARALLELISM_MAX);
    let connector = connector(&mut fields, known.sinks)?;
    Some(SinkSpec { name: node.name.clone(), from: from?, parallelism, connector })
}

fn operator(node: &NodeView<'_>, findings: &mut Findings) -> Option<OperatorSpec> {
    let keys = [&["from", "parallelism"], &ACTION_KEYS[..]].concat();
    let mut fields = Fields::new(&node.view, &keys, findings)?;
    let from = from(&mut fields);
    let parallelism = fields.bounded("parallelism", PARALLELISM_MAX);
    let action = match only(&mut fields, &ACTION_KEYS, "one node does one thing")? {
        ("filter", view) => Action::Filter(fields.text(&view)?),
        ("select", view) => Action::Select(select(&view, &mut fields)?),
        ("with_columns", view) => Action::WithColumns(named_expressions(&view, &mut fields)?),
        ("plugin", view) => Action::Plugin(Box::new(plugin(&view, fields.findings)?)),
        (_, view) => union(&view, fields.findings)?,
    };
    Some(OperatorSpec { name: node.name.clone(), from: from?, parallelism, action })
}

fn connector(fields: &mut Fields<'_, '_>, kinds: &[&str]) -> Option<ConnectorSection> {
    let (kind, view) = only(fields, kinds, "a node has one connector")?;
    Some(ConnectorSection { kind: kind.to_owned(), options: view.section() })
}

/// The one key of `choice` that is there. That none is there goes unsaid when an unknown key may have been meant.
fn only<'a>(fields: &mut Fields<'a, '_>, choice: &[&str], rule: &str) -> Option<(&'a str, View<'a>)> {
    let present: Vec<(&'a str, View<'a>)> = fields
        .fields
        .iter()
        .filter(|field| choice.contains(&field.key))
        .map(|field| (field.key, field.view.clone()))
        .collect();
    match present.as_slice() {
        [] if !fields.left_out.is_empty() => None,
        [] => {
            let message = format!("{rule}, and here is none: add one of {}", choice.join(", "));
            fields.findings.push(&fields.view.owner, Problem::Value(message));
            None
        }
        [(key, view)] => Some((key, view.clone())),
        [(first, _), (second, view), ..] => {
            let message = format!("{rule}, and here are `{first}` and `{second}`: make two nodes of it");
            fields.findings.push(&fields.view.place.at(view.owner.position), Problem::Value(message));
            None
        }
    }
}

/// `name`, `name.port`, or a list of them.
fn from(fields: &mut Fields<'_, '_>) -> Option<Vec<InputRef>> {
    let view = fields.required("from")?;
    let views = view.items().unwrap_or_else(|| vec![view.clone()]);
    let mut inputs: Vec<InputRef> = Vec::with_capacity(views.len());
    for view in &views {
        let input = fields.findings.note(input_ref(view))?;
        if inputs.contains(&input) {
            let message = format!("`{input}` stands here twice, and its rows would too");
            fields.findings.push(&view.place, Problem::Value(message));
        }
        inputs.push(input);
    }
    if inputs.is_empty() {
        fields.findings.push(&view.place, Problem::Value("the list is empty: name what is read".to_owned()));
        return None;
    }
    Some(inputs)
}

fn input_ref(view: &View<'_>) -> Result<InputRef, ConfigError> {
    let text: String = view.read()?;
    let (node, port) = text.split_once('.').map_or((text.as_str(), None), |(node, port)| (node, Some(port)));
    let invalid = |error: volley_api::InvalidName| view.place.problem(error.into());
    let node = NodeName::new(node).map_err(invalid)?;
    let port = port.map_or_else(|| Ok(PortName::main()), PortName::new).map_err(invalid)?;
    Ok(InputRef { node, port, place: view.place.clone() })
}

fn select(view: &View<'_>, fields: &mut Fields<'_, '_>) -> Option<Select> {
    let Some(items) = view.items() else { return named_expressions(view, fields).map(Select::Named) };
    check_columns(items.len(), &view.place, fields.findings)?;
    items.iter().map(|item| fields.text(item)).collect::<Option<_>>().map(Select::Items)
}

fn named_expressions(view: &View<'_>, fields: &mut Fields<'_, '_>) -> Option<NamedExpressions> {
    let columns = fields.findings.note(view.fields())?;
    check_columns(columns.len(), &view.place, fields.findings)?;
    let column = |Field { key, view }: Field<'_>| {
        if key.is_empty() {
            fields.findings.push(&view.owner, Problem::Value("a column needs a name".to_owned()));
            return None;
        }
        Some(NamedExpression { name: key.to_owned(), sql: fields.text(&view)? })
    };
    columns.into_iter().map(column).collect::<Option<_>>().map(NamedExpressions)
}

fn check_columns(count: usize, place: &Place, findings: &mut Findings) -> Option<()> {
    match count {
        0 => findings.push(place, Problem::Value("no column stands here".to_owned())),
        1..=COLUMNS_MAX => return Some(()),
        _ => findings.push(place, Problem::TooMuch { what: "columns", seen: count, max: COLUMNS_MAX }),
    }
    None
}

fn union(view: &View<'_>, findings: &mut Findings) -> Option<Action> {
    let fields = findings.note(view.fields())?;
    if !fields.is_empty() {
        let message = "`union` has no settings; write `union: {}` and list what is united in `from`";
        findings.push(&view.place, Problem::Value(message.to_owned()));
    }
    Some(Action::Union {})
}

fn plugin(view: &View<'_>, findings: &mut Findings) -> Option<PluginSpec> {
    let mut fields = Fields::new(view, &PLUGIN_KEYS, findings)?;
    let component = fields.required("component").and_then(|view| fields.text(&view));
    let config = fields.get("config").map_or_else(|| Section::empty(&view.owner), |view| view.section());
    // The plugin gets its configuration as JSON, so what JSON cannot say is refused here.
    fields.findings.note(config.to_json());
    let on_error = fields.read("on_error").unwrap_or_default();
    let trust = fields.read("trust").unwrap_or_default();
    let limits = fields.get("limits").and_then(|view| limits(&view, fields.findings)).unwrap_or_default();
    Some(PluginSpec { component: component?, config, limits, on_error, trust })
}

fn limits(view: &View<'_>, findings: &mut Findings) -> Option<LimitsSpec> {
    let mut fields = Fields::new(view, &LIMIT_KEYS, findings)?;
    Some(LimitsSpec {
        memory: fields.measure("memory", MEMORY_LIMITS),
        deadline: fields.measure("deadline", TIME_LIMITS),
        open_deadline: fields.measure("open_deadline", TIME_LIMITS),
        output: fields.measure("output", BYTES_LIMITS),
        output_rows: fields.bounded("output_rows", ROWS_MAX),
        rows_per_row: fields.bounded("rows_per_row", ROWS_MAX),
        bytes_per_row: fields.measure("bytes_per_row", BYTES_LIMITS),
        transfer: fields.measure("transfer", BYTES_LIMITS),
        table_elements: fields.bounded("table_elements", TABLE_ELEMENTS_MAX),
        restarts: fields.get("restarts").and_then(|view| restarts(&view, fields.findings)).unwrap_or_default(),
    })
}

fn restarts(view: &View<'_>, findings: &mut Findings) -> Option<RestartsSpec> {
    let mut fields = Fields::new(view, &RESTART_KEYS, findings)?;
    Some(RestartsSpec { max: fields.bounded("max", RESTARTS_MAX), within: fields.measure("within", TIME_LIMITS) })
}
