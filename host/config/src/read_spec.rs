//! The tree into the spec: every key is known, every value has its type, and as many errors as possible are gathered.

use std::collections::HashSet;

use volley_api::{NodeName, PortName};

use crate::error::{ConfigError, Findings, Problem};
use crate::fields::{Fields, only};
use crate::grants::grants;
use crate::job::WATERMARK_LIMITS;
use crate::keyed::KEY_COLUMNS_MAX;
use crate::limits::{
    BYTES_LIMITS, HTTP_REQUESTS_MAX, LIMIT_KEYS, LimitsSpec, MEMORY_LIMITS, RESTART_KEYS, RESTARTS_MAX, ROWS_MAX,
    RestartsSpec, TABLE_ELEMENTS_MAX, TIME_LIMITS,
};
use crate::place::{Located, Place};
use crate::read_functions::functions;
use crate::read_job::{self, restart, state};
use crate::read_keyed::{aggregate, beside, dedupe, event_time};
use crate::section::{Field, Section, View};
use crate::spec::{
    Action, BATCH_ROWS_MAX, ConnectorSection, InputRef, NamedExpression, NamedExpressions, OperatorSpec,
    PARALLELISM_MAX, PipelineSpec, PluginAction, PluginSpec, Select, SinkSpec, SourceSpec, one,
};

/// The kinds of connector that the host was built with, in the order in which errors list them.
#[derive(Debug, Clone, Copy)]
pub struct KnownConnectors<'a> {
    /// What may stand in a source.
    pub sources: &'a [&'a str],
    /// What may stand in a sink.
    pub sinks: &'a [&'a str],
}

const PIPELINE_KEYS: [&str; 11] = [
    "name",
    "parallelism",
    "batch_rows",
    "watermark_interval",
    "checkpoint",
    "state",
    "restart",
    "functions",
    "sources",
    "operators",
    "sinks",
];
const ACTION_KEYS: [&str; 7] = ["filter", "select", "with_columns", "plugin", "union", "dedupe", "aggregate"];
/// Keys that go with `aggregate` and are no action alone.
const AGGREGATE_PARTS: [&str; 2] = ["key_by", "window"];
const PLUGIN_KEYS: [&str; 7] = ["component", "config", "limits", "on_error", "trust", "grants", "determinism_sample"];
/// The rarest sample that makes sense.
const SAMPLE_MAX: u32 = 1_000_000;
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
    let watermark_interval = fields.measure("watermark_interval", WATERMARK_LIMITS);
    let checkpoint = fields.get("checkpoint").filter(|view| !view.node.is_null());
    let checkpoint = checkpoint.and_then(|view| read_job::checkpoint(&view, fields.findings));
    let state = fields.get("state").and_then(|view| state(&view, fields.findings)).unwrap_or_default();
    let restart = fields.get("restart").and_then(|view| restart(&view, fields.findings)).unwrap_or_default();
    let functions = fields.get("functions").map(|view| functions(&view, fields.findings)).unwrap_or_default();
    let sections = [fields.required("sources"), fields.get("operators"), fields.required("sinks")];
    let (mut broken, mut broken_sinks) = (HashSet::new(), HashSet::new());
    let [sources, operators, sinks] = sections;
    let sources = nodes(sources, &mut broken, findings, |node, findings| source(node, known, findings));
    let operators = nodes(operators, &mut broken, findings, operator);
    let sinks = nodes(sinks, &mut broken_sinks, findings, |node, findings| sink(node, known, findings));
    // Without a name there are errors already, so this one is never seen.
    let name = name.or_else(|| NodeName::new("unnamed").ok())?;
    let parallelism = parallelism.unwrap_or_else(one);
    let spec = PipelineSpec {
        name,
        parallelism,
        batch_rows,
        watermark_interval,
        checkpoint,
        state,
        restart,
        functions,
        sources,
        operators,
        sinks,
    };
    Some(Draft { spec, broken, broken_sinks })
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
    let keys = [&["parallelism", "event_time"], known.sources].concat();
    let mut fields = Fields::new(&node.view, &keys, findings)?;
    let parallelism = fields.bounded("parallelism", PARALLELISM_MAX);
    let event_time = fields.get("event_time").map(|view| event_time(&view, fields.findings));
    let connector = connector(&mut fields, known.sources)?;
    // One that was written and could not be read has left an error behind.
    Some(SourceSpec { name: node.name.clone(), parallelism, event_time: event_time.flatten(), connector })
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
    let keys = [&["from", "parallelism"], &ACTION_KEYS[..], &AGGREGATE_PARTS].concat();
    let mut fields = Fields::new(&node.view, &keys, findings)?;
    let from = from(&mut fields);
    let parallelism = fields.bounded("parallelism", PARALLELISM_MAX);
    check_aggregate_parts(&mut fields)?;
    let action = match only(&mut fields, &ACTION_KEYS, "one node does one thing", "make two nodes of it")? {
        ("filter", view) => Action::Filter(fields.text(&view)?),
        ("select", view) => Action::Select(select(&view, &mut fields)?),
        ("with_columns", view) => Action::WithColumns(named_expressions(&view, &mut fields)?),
        ("plugin", view) => {
            let keys = fields.get("key_by").map(|view| fields.column_names(&view, KEY_COLUMNS_MAX));
            // One that was written and could not be read has left an error behind.
            let key_by = keys.flatten().unwrap_or_default();
            let window = beside(&mut fields)?;
            Action::Plugin(Box::new(PluginAction { key_by, window, plugin: plugin(&view, fields.findings)? }))
        }
        ("dedupe", view) => Action::Dedupe(dedupe(&view, fields.findings)?),
        ("aggregate", view) => {
            let results = named_expressions(&view, &mut fields);
            Action::Aggregate(Box::new(aggregate(&mut fields, results)?))
        }
        (_, view) => union(&view, fields.findings)?,
    };
    Some(OperatorSpec { name: node.name.clone(), from: from?, parallelism, action })
}

fn connector(fields: &mut Fields<'_, '_>, kinds: &[&str]) -> Option<ConnectorSection> {
    let (kind, view) = only(fields, kinds, "a node has one connector", "make two nodes of it")?;
    Some(ConnectorSection { kind: kind.to_owned(), options: view.section() })
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

pub(crate) fn plugin(view: &View<'_>, findings: &mut Findings) -> Option<PluginSpec> {
    let mut fields = Fields::new(view, &PLUGIN_KEYS, findings)?;
    let component = fields.required("component").and_then(|view| fields.text(&view));
    let config = fields.get("config").map_or_else(|| Section::empty(&view.owner), |view| view.section());
    // The plugin gets its configuration as JSON, so what JSON cannot say is refused here.
    fields.findings.note(config.to_json());
    let on_error = fields.read("on_error").unwrap_or_default();
    let trust = fields.read("trust").unwrap_or_default();
    let limits = fields.get("limits").and_then(|view| limits(&view, fields.findings)).unwrap_or_default();
    let grants = fields.get("grants").and_then(|view| grants(&view, fields.findings)).unwrap_or_default();
    let determinism_sample = determinism_sample(&mut fields);
    Some(PluginSpec { component: component?, config, limits, on_error, trust, grants, determinism_sample })
}

/// Of how many calls one is made twice, where that is said.
pub(crate) fn determinism_sample(fields: &mut Fields<'_, '_>) -> Option<u32> {
    let view = fields.get("determinism_sample")?;
    let sample = view.read().ok().filter(|sample: &u32| *sample <= SAMPLE_MAX);
    let expected = || view.expected(&format!("a whole number from 0 to {SAMPLE_MAX}"));
    fields.findings.note(sample.ok_or_else(expected))
}

pub(crate) fn limits(view: &View<'_>, findings: &mut Findings) -> Option<LimitsSpec> {
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
        http_requests: fields.bounded("http_requests", HTTP_REQUESTS_MAX),
        http_bytes: fields.measure("http_bytes", BYTES_LIMITS),
        http_timeout: fields.measure("http_timeout", TIME_LIMITS),
        http_time: fields.measure("http_time", TIME_LIMITS),
        restarts: fields.get("restarts").and_then(|view| restarts(&view, fields.findings)).unwrap_or_default(),
    })
}

fn restarts(view: &View<'_>, findings: &mut Findings) -> Option<RestartsSpec> {
    let mut fields = Fields::new(view, &RESTART_KEYS, findings)?;
    Some(RestartsSpec { max: fields.bounded("max", RESTARTS_MAX), within: fields.measure("within", TIME_LIMITS) })
}

/// None, and an error noted, when a `key_by` or `window` stands without the `aggregate` that it belongs to.
fn check_aggregate_parts(fields: &mut Fields<'_, '_>) -> Option<()> {
    let misspelt = fields.left_out.iter().flatten().any(|meant| meant == "aggregate");
    if misspelt || fields.get("aggregate").is_some() {
        return Some(());
    }
    // A window cuts the rows of a key.
    let (is_plugin, has_key) = (fields.get("plugin").is_some(), fields.get("key_by").is_some());
    let goes_with_plugin = |key: &str| is_plugin && (key == "key_by" || has_key);
    let is_part = |key: &str| AGGREGATE_PARTS.contains(&key) && !goes_with_plugin(key);
    let part = fields.fields.iter().find(|field| is_part(field.key));
    let Some(Field { key, view }) = part else { return Some(()) };
    let other = fields.fields.iter().find(|field| ACTION_KEYS.contains(&field.key));
    let message = match other {
        Some(_) if is_plugin => format!("`{key}` cuts the rows of a key: add `key_by` beside `plugin`"),
        Some(other) => format!("`{key}` goes with `aggregate`, and this is a `{}`: make two nodes of it", other.key),
        None => format!("`{key}` goes with `aggregate`: add `aggregate: {{ name: \"count(*)\" }}`"),
    };
    fields.findings.push(&fields.view.place.at(view.owner.position), Problem::Value(message));
    None
}
