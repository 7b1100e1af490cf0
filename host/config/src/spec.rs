//! The pipeline as read: names, edges and settings checked, expressions and connector options still unread.
//!
//! Each struct is written out (`Serialize`) in the form of the pipeline file, and the JSON Schema of the file comes from
//! these structs too, so their comments are the manual.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::num::NonZeroU32;
use std::sync::Arc;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::ser::SerializeMap;
use serde::{Deserialize, Serialize, Serializer};
use volley_api::{NodeName, PortName};

use crate::grants::GrantsSpec;
use crate::job::{CheckpointSpec, RestartSpec, StateSpec};
use crate::keyed::{AggregateSpec, DedupeSpec, EventTimeSpec, Names, WindowSpec, names};
use crate::limits::LimitsSpec;
use crate::place::{Document, Located, Place};
use crate::section::Section;
use crate::units::TimeSpan;

/// The most instances of a node: each is a thread, and keyed state will be dealt out in 256 key groups.
pub const PARALLELISM_MAX: u32 = 256;
/// The most rows in a batch.
pub const BATCH_ROWS_MAX: u32 = 1 << 20;

/// A Volley pipeline: sources, operators and sinks, joined by `from`.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct PipelineSpec {
    /// The job's name: `[a-z][a-z0-9_-]*`, at most 64 bytes.
    #[serde(serialize_with = "as_text")]
    #[schemars(with = "String", regex(pattern = "^[a-z][a-z0-9_-]{0,63}$"))]
    pub name: NodeName,
    /// How many instances each node has unless it says otherwise: 1 to 256. Default 1.
    #[schemars(default = "one", range(min = 1, max = 256))]
    pub parallelism: NonZeroU32,
    /// How many rows a source puts into a batch at most: 1 to 1,048,576. By default each source decides.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 1_048_576))]
    pub batch_rows: Option<NonZeroU32>,
    /// A source says at least this often how far event time has come, if it has: 0s (after every batch) to 1h.
    /// Default: 200ms.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub watermark_interval: Option<TimeSpan>,
    /// Checkpoints. Default: none; the job keeps nothing, and commits its output at its end.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "CheckpointSpec", default)]
    pub checkpoint: Option<CheckpointSpec>,
    /// Where windows and other keyed operators keep what they know.
    #[serde(skip_serializing_if = "StateSpec::is_empty")]
    #[schemars(default)]
    pub state: StateSpec,
    /// What becomes of a job that fails for a reason that may pass.
    #[serde(skip_serializing_if = "RestartSpec::is_empty")]
    #[schemars(default)]
    pub restart: RestartSpec,
    /// Functions that expressions of `filter`, `select` and `with_columns` may call beside the built-in ones, by name:
    /// `[a-z][a-z0-9_]*`, at most 64 bytes.
    #[serde(serialize_with = "functions_by_name", skip_serializing_if = "Vec::is_empty")]
    #[schemars(with = "BTreeMap<String, FunctionSpec>", default)]
    pub functions: Vec<FunctionSpec>,
    /// Where rows come from, by name. At least one.
    #[serde(serialize_with = "by_name")]
    #[schemars(with = "BTreeMap<String, SourceSpec>", extend("minProperties" = 1))]
    pub sources: Vec<SourceSpec>,
    /// What happens to rows on the way, by name.
    #[serde(serialize_with = "by_name", skip_serializing_if = "Vec::is_empty")]
    #[schemars(with = "BTreeMap<String, OperatorSpec>", default)]
    pub operators: Vec<OperatorSpec>,
    /// Where rows go, by name. At least one.
    #[serde(serialize_with = "by_name")]
    #[schemars(with = "BTreeMap<String, SinkSpec>", extend("minProperties" = 1))]
    pub sinks: Vec<SinkSpec>,
}

pub(crate) fn one() -> NonZeroU32 {
    NonZeroU32::MIN
}

fn no_config() -> Section {
    Section::empty(&Place::root(Arc::new(Document { name: "default".to_owned(), text: None })))
}

/// A source: one connector and its options.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct SourceSpec {
    /// The key that the source stands under, and where it stands.
    #[serde(skip)]
    pub name: Located<NodeName>,
    /// How many instances read splits side by side: 1 to 256. Default: the pipeline's.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 256))]
    pub parallelism: Option<NonZeroU32>,
    /// The event time of its rows. Default: they have none, and no window of time can read them.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "EventTimeSpec", default)]
    pub event_time: Option<EventTimeSpec>,
    /// The connector: its kind is the key, its options the value.
    #[serde(flatten)]
    #[schemars(skip)]
    pub connector: ConnectorSection,
}

/// An operator: it reads `from` and does exactly one thing.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct OperatorSpec {
    /// The key that the operator stands under, and where it stands.
    #[serde(skip)]
    pub name: Located<NodeName>,
    /// What it reads.
    #[serde(serialize_with = "inputs")]
    #[schemars(with = "Inputs")]
    pub from: Vec<InputRef>,
    /// How many instances it has: 1 to 256. Default: the pipeline's.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 256))]
    pub parallelism: Option<NonZeroU32>,
    /// The one thing that it does.
    #[serde(flatten)]
    pub action: Action,
}

/// A sink: it reads `from` and hands the rows to one connector.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct SinkSpec {
    /// The key that the sink stands under, and where it stands.
    #[serde(skip)]
    pub name: Located<NodeName>,
    /// What it reads.
    #[serde(serialize_with = "inputs")]
    #[schemars(with = "Inputs")]
    pub from: Vec<InputRef>,
    /// How many instances write side by side: 1 to 256. Default: the pipeline's.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 256))]
    pub parallelism: Option<NonZeroU32>,
    /// The connector: its kind is the key, its options the value.
    #[serde(flatten)]
    #[schemars(skip)]
    pub connector: ConnectorSection,
}

/// A connector's kind (`file`, `generate`) and its options, which only the connector can read.
#[derive(Debug, Clone, PartialEq)]
pub struct ConnectorSection {
    /// The key: one of the kinds that the host knows.
    pub kind: String,
    /// The value.
    pub options: Section,
}

impl Serialize for ConnectorSection {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(1))?;
        map.serialize_entry(&self.kind, &self.options)?;
        map.end()
    }
}

/// An output of a node, as named in `from`: `name` (its main output) or `name.port`.
#[derive(Clone)]
pub struct InputRef {
    /// The node that is read.
    pub node: NodeName,
    /// Its output.
    pub port: PortName,
    /// Where the reference stands.
    pub place: Place,
}

impl fmt::Display for InputRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.node.fmt(f)?;
        if self.port == PortName::main() { Ok(()) } else { write!(f, ".{}", self.port) }
    }
}

impl fmt::Debug for InputRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "InputRef({self})")
    }
}

impl PartialEq for InputRef {
    fn eq(&self, other: &Self) -> bool {
        self.node == other.node && self.port == other.port
    }
}

/// The one thing that an operator does.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// Keeps the rows for which this SQL expression is true (not false, not null).
    Filter(#[schemars(with = "Expression")] Located<String>),
    /// Replaces the columns: a list of SQL items (`carrier`, `distance * 1.609 AS km`), or new name: SQL expression.
    Select(Select),
    /// Adds columns, or replaces those of the same name: name: SQL expression. The expressions see the columns as they
    /// were.
    WithColumns(#[schemars(with = "BTreeMap<String, Expression>", extend("minProperties" = 1))] NamedExpressions),
    /// Only unites what it reads: columns by name, types equal. Every node may read a list; this one does nothing else.
    #[schemars(with = "Nothing")]
    Union {},
    /// Keeps the first row of each key, and drops those whose event time is near that of one that was kept.
    Dedupe(DedupeSpec),
    /// Aggregates the rows of each key, within windows.
    #[serde(untagged)]
    Aggregate(Box<AggregateSpec>),
    /// Runs a WebAssembly component.
    #[serde(untagged)]
    Plugin(Box<PluginAction>),
}

impl Action {
    /// The key that it stands under.
    #[must_use]
    pub fn key(&self) -> &'static str {
        match self {
            Self::Filter(_) => "filter",
            Self::Select(_) => "select",
            Self::WithColumns(_) => "with_columns",
            Self::Plugin(_) => "plugin",
            Self::Union {} => "union",
            Self::Dedupe(_) => "dedupe",
            Self::Aggregate(_) => "aggregate",
        }
    }
}

/// The columns of a `select`, in order.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Select {
    /// SQL select items: an expression that may end in `AS name`.
    Items(Vec<Located<String>>),
    /// Name: expression.
    Named(NamedExpressions),
}

impl JsonSchema for Select {
    fn schema_name() -> Cow<'static, str> {
        "Select".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let one = generator.subschema_for::<Expression>();
        json_schema!({ "anyOf": [
            { "type": "array", "items": one, "minItems": 1 },
            { "type": "object", "additionalProperties": one, "minProperties": 1 },
        ] })
    }
}

/// Columns with the expressions that make them, in order.
#[derive(Debug, Clone, PartialEq)]
pub struct NamedExpressions(pub Vec<NamedExpression>);

/// A column and the SQL expression that makes it.
#[derive(Debug, Clone, PartialEq)]
pub struct NamedExpression {
    /// The new column's name.
    pub name: String,
    /// The expression.
    pub sql: Located<String>,
}

impl Serialize for NamedExpressions {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|column| (&column.name, &column.sql)))
    }
}

/// Runs a WebAssembly component: `plugin`; `key_by` where it works on the rows of a key; and `window` where it aggregates them.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct PluginAction {
    /// The columns of the key, a name or a list: for a component of the world `process` or `aggregate`, which has to have one,
    /// and for no other.
    #[serde(skip_serializing_if = "Vec::is_empty", serialize_with = "names")]
    #[schemars(with = "Names", default)]
    pub key_by: Vec<Located<String>>,
    /// How the rows of a key are cut into windows: for a component of the world `aggregate`. Default: one window for all of
    /// them, which ends with the input.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "WindowSpec", default)]
    pub window: Option<WindowSpec>,
    /// The component.
    pub plugin: PluginSpec,
}

/// A WebAssembly component, its configuration and its limits.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct PluginSpec {
    /// The path of the component, relative to the pipeline file.
    #[schemars(length(min = 1))]
    pub component: Located<String>,
    /// What the plugin is opened with: whatever its author documents. Default: nothing.
    #[schemars(with = "serde_json::Value", default = "no_config")]
    pub config: Section,
    /// What each instance may use.
    #[serde(skip_serializing_if = "LimitsSpec::is_empty")]
    #[schemars(default)]
    pub limits: LimitsSpec,
    /// What happens to rows that the plugin refuses while nobody reads its `errors` port, and to batches that it refuses
    /// as a whole. Default: `fail`.
    #[schemars(default)]
    pub on_error: OnError,
    /// How far the plugin's code is trusted. `trusted` is honoured only by a host that was started with
    /// `--allow-trusted`. Default: `untrusted`.
    #[serde(skip_serializing_if = "Trust::is_untrusted")]
    #[schemars(default)]
    pub trust: Trust,
    /// What it may see and reach.
    #[serde(skip_serializing_if = "GrantsSpec::is_default")]
    #[schemars(default)]
    pub grants: GrantsSpec,
    /// One of so many calls is made a second time, in a fresh instance, to see whether the plugin is as deterministic as it
    /// says: 0 (none) to 1,000,000. What differs is counted and logged. Default: 256.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(max = 1_000_000))]
    pub determinism_sample: Option<u32>,
}

/// A function for expressions: a WebAssembly component, its configuration and its limits.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct FunctionSpec {
    /// The key that the function stands under, and where it stands.
    #[serde(skip)]
    pub name: Located<String>,
    /// The path of the component, relative to the pipeline file.
    #[schemars(length(min = 1))]
    pub component: Located<String>,
    /// What the function is opened with: whatever its author documents. Default: nothing.
    #[schemars(with = "serde_json::Value", default = "no_config")]
    pub config: Section,
    /// What each instance may use. An expression has one for each place that calls the function, in each subtask.
    #[serde(skip_serializing_if = "LimitsSpec::is_empty")]
    #[schemars(default)]
    pub limits: LimitsSpec,
    /// What happens to rows for which the function has no value. Default: `fail`.
    #[schemars(with = "OnNoValueOrNull", default)]
    pub on_error: OnNoValue,
    /// How far the function's code is trusted. Default: `untrusted`.
    #[serde(skip_serializing_if = "Trust::is_untrusted")]
    #[schemars(default)]
    pub trust: Trust,
    /// The servers that it may ask (`http`); it sees its arguments, and no columns. Default: none.
    #[serde(skip_serializing_if = "GrantsSpec::is_default")]
    #[schemars(default)]
    pub grants: GrantsSpec,
    /// One of so many calls is made a second time, in a fresh instance, to see whether the function is as deterministic as
    /// it says: 0 (none) to 1,000,000. What differs is counted and logged. Default: 256.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(max = 1_000_000))]
    pub determinism_sample: Option<u32>,
}

/// What happens to rows for which a function has no value: that it refuses, or that make it trap, exceed a limit or break
/// the contract.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum OnNoValue {
    /// The job stops, with the function, the row and the reason; unless the expression leaves the row out.
    #[default]
    Fail,
    /// The value is null, and the row is counted.
    Null,
}

/// The schema of `on_error` of a function, which YAML lets be written as `null` without quotes.
struct OnNoValueOrNull;

impl JsonSchema for OnNoValueOrNull {
    fn schema_name() -> Cow<'static, str> {
        "OnNoValue".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "`fail`: the job stops at a row for which the function has no value. `null`: the value is null.",
            "enum": ["fail", "null", null],
        })
    }
}

/// What happens to rows that a plugin refuses while nobody reads its `errors` port (they go there otherwise), to batches
/// that it refuses as a whole, and to single rows that make it trap, exceed a limit or break the contract.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OnError {
    /// The job stops, with where the row came from and the reason.
    #[default]
    Fail,
    /// Batches refused as a whole, and rows that make it fail, go to the `errors` port too, which somebody must read.
    DeadLetter,
    /// Rows and batches are left out and counted.
    Skip,
}

/// How far a plugin's code is trusted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Trust {
    /// A call that takes longer than `limits.deadline` is stopped, and results are the same on every processor.
    #[default]
    Untrusted,
    /// The code runs without looking up for a deadline: tight loops are faster, and an endless one is not stopped. Memory
    /// and output stay limited.
    Trusted,
}

impl Trust {
    /// Whether it is the default, which is not written out.
    fn is_untrusted(&self) -> bool {
        *self == Self::Untrusted
    }
}

/// Where a node stands in [`PipelineSpec`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum NodeIndex {
    /// An index into `sources`.
    Source(usize),
    /// An index into `operators`.
    Operator(usize),
    /// An index into `sinks`.
    Sink(usize),
}

impl PipelineSpec {
    /// Every `from` of operators and sinks, with the node that it belongs to.
    pub fn inputs(&self) -> impl Iterator<Item = (NodeIndex, &InputRef)> {
        let operators = self.operators.iter().enumerate().map(|(i, node)| (NodeIndex::Operator(i), &node.from));
        let sinks = self.sinks.iter().enumerate().map(|(i, node)| (NodeIndex::Sink(i), &node.from));
        operators.chain(sinks).flat_map(|(index, from)| from.iter().map(move |input| (index, input)))
    }

    /// Who reads an output, in the order of the file.
    pub fn readers<'a>(&'a self, node: &'a NodeName, port: &'a PortName) -> impl Iterator<Item = NodeIndex> + 'a {
        self.inputs().filter(move |(_, input)| input.node == *node && input.port == *port).map(|(index, _)| index)
    }

    /// A node's name.
    ///
    /// # Panics
    /// When `index` is not of this pipeline.
    #[must_use]
    pub fn name_of(&self, index: NodeIndex) -> &NodeName {
        match index {
            NodeIndex::Source(i) => &self.sources[i].name,
            NodeIndex::Operator(i) => &self.operators[i].name,
            NodeIndex::Sink(i) => &self.sinks[i].name,
        }
    }
}

/// The schema of `from`.
struct Inputs;

impl JsonSchema for Inputs {
    fn schema_name() -> Cow<'static, str> {
        "Inputs".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let one = json_schema!({ "type": "string", "pattern": "^[a-z][a-z0-9_-]*(\\.[a-z][a-z0-9_-]*)?$" });
        json_schema!({
            "description": "`name`, `name.port`, or a list of them (a union: columns by name, types equal).",
            "anyOf": [one, { "type": "array", "items": one, "minItems": 1, "uniqueItems": true }]
        })
    }
}

/// The schema of an expression: a text, of which YAML lets a number or truth value stand without quotes.
pub(crate) struct Expression;

impl JsonSchema for Expression {
    fn schema_name() -> Cow<'static, str> {
        "Expression".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "description": "A SQL expression.", "type": ["string", "number", "boolean"], "minLength": 1 })
    }
}

/// The schema of `union: {}`.
struct Nothing;

impl JsonSchema for Nothing {
    fn schema_name() -> Cow<'static, str> {
        "Nothing".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": ["object", "null"], "maxProperties": 0 })
    }
}

trait Named: Serialize {
    fn name(&self) -> &NodeName;
}

macro_rules! named {
    ($($type:ident)*) => {
        $(impl Named for $type {
            fn name(&self) -> &NodeName {
                &self.name
            }
        })*
    };
}

named! { SourceSpec OperatorSpec SinkSpec }

fn by_name<T: Named, S: Serializer>(nodes: &[T], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_map(nodes.iter().map(|node| (node.name().as_str(), node)))
}

fn functions_by_name<S: Serializer>(functions: &[FunctionSpec], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_map(functions.iter().map(|function| (function.name.as_str(), function)))
}

fn as_text<T: fmt::Display, S: Serializer>(value: &T, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(value)
}

fn inputs<S: Serializer>(from: &[InputRef], serializer: S) -> Result<S::Ok, S::Error> {
    match from {
        [one] => serializer.collect_str(one),
        several => serializer.collect_seq(several.iter().map(ToString::to_string)),
    }
}
