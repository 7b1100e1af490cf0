//! The pipeline file: YAML text into checked structs, with errors that name the line and the fix.
//!
//! [`load`] and [`parse`] read a file, [`SinglePlugin`] makes the same structs from a command line, [`pipeline_schema`]
//! describes the file to an editor. What is checked here needs no schema and no file but this one: keys, types, limits,
//! names, edges, ports, cycles. A connector's options stay a [`Section`] until the connector's own struct reads it;
//! expressions and paths stay text with their [`Place`], so that whoever compiles or opens them can still point at the
//! line.
//!
//! This crate knows `volley-api` alone. It must not know a connector, DataFusion or WebAssembly.
#![forbid(unsafe_code)]

mod check;
mod cli_form;
mod de;
mod error;
mod fields;
mod grants;
mod graph;
mod interpolate;
mod job;
mod keyed;
mod limits;
mod parse;
mod place;
mod read_functions;
mod read_job;
mod read_keyed;
mod read_spec;
mod schema;
mod section;
mod spec;
mod suggest;
mod tree;
mod units;

use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::sync::Arc;

pub use cli_form::{ConnectorOptions, SinglePlugin, set};
pub use error::{ConfigError, ConfigErrors, Problem};
pub use grants::{ColumnsGrant, GrantsSpec};
pub use interpolate::{Environment, ProcessEnvironment};
pub use job::{CheckpointSpec, RestartSpec, RestartStrategy, StateBackendKind, StateSpec};
pub use keyed::{
    AggregateSpec, DedupeSpec, EventTimeSpec, SlidingSpec, Strategy, WatermarkSpec, WindowKind, WindowSpec,
};
pub use limits::{LimitsSpec, RestartsSpec};
pub use place::{Located, Place, Position};
pub use read_functions::plugin_format;
pub use read_spec::KnownConnectors;
pub use schema::pipeline_schema;
pub use section::Section;
pub use spec::{
    Action, BATCH_ROWS_MAX, ConnectorSection, FunctionSpec, InputRef, NamedExpression, NamedExpressions, NodeIndex,
    OnError, OnNoValue, OperatorSpec, PARALLELISM_MAX, PipelineSpec, PluginAction, PluginSpec, Select, SinkSpec,
    SourceSpec, Trust,
};
pub use suggest::{Unknown, nearest};
pub use units::{ByteCount, TimeSpan};

use error::Findings;
use place::Document;
use section::View;
use tree::Node;

/// Reads and checks the pipeline file at `path`, with `${…}` from this process and the file's folder.
///
/// # Errors
/// When the file cannot be read or is not UTF-8, and everything that [`parse`] finds.
pub fn load(path: &Path, known: &KnownConnectors<'_>) -> volley_api::Result<PipelineSpec> {
    let name = path.display().to_string();
    let unreadable = |error: std::io::Error| {
        volley_api::Error::config(format!("cannot read the pipeline file {name}: {error}")).caused_by(error)
    };
    let mut bytes = Vec::new();
    let bytes_max = parse::TEXT_BYTES_MAX as u64 + 1;
    File::open(path).and_then(|file| file.take(bytes_max).read_to_end(&mut bytes)).map_err(unreadable)?;
    let text = String::from_utf8(bytes).map_err(|error| {
        let good = error.utf8_error().valid_up_to();
        let line = 1 + error.as_bytes()[..good].iter().filter(|&&byte| byte == b'\n').count();
        volley_api::Error::config(format!("{name}:{line}: this is not UTF-8 text"))
    })?;
    let folder = path.parent().unwrap_or(Path::new(""));
    Ok(parse(&text, &name, known, &ProcessEnvironment::new(folder))?)
}

/// Reads and checks the text of a pipeline file. `origin` is the name that errors show, `known` what the host was built
/// with, `environment` where `${…}` gets its values from.
///
/// # Errors
/// Everything that is wrong and can be found in one go, in the order of the lines.
pub fn parse(
    text: &str,
    origin: &str,
    known: &KnownConnectors<'_>,
    environment: &dyn Environment,
) -> Result<PipelineSpec, ConfigErrors> {
    let document = Arc::new(Document { name: origin.to_owned(), text: Some(text.to_owned()) });
    let mut findings = Findings::default();
    let mut tree = parse::parse(&document, &mut findings)?;
    let root = Place::root(document);
    interpolate::interpolate(&mut tree, &root, environment, &mut findings);
    read(&tree, &root, known, findings)
}

/// Reads and checks a pipeline that a program has put together in the form of the file. Nothing is substituted; errors
/// name `origin` and the path of keys, and no line.
///
/// # Errors
/// Everything that is wrong and can be found in one go.
pub fn from_json(
    document: &serde_json::Value,
    origin: &str,
    known: &KnownConnectors<'_>,
) -> Result<PipelineSpec, ConfigErrors> {
    let root = Place::root(Arc::new(Document { name: origin.to_owned(), text: None }));
    let tree = Node::from_json(document).map_err(|problem| root.problem(problem))?;
    read(&tree, &root, known, Findings::default())
}

fn read(
    tree: &Node,
    root: &Place,
    known: &KnownConnectors<'_>,
    mut findings: Findings,
) -> Result<PipelineSpec, ConfigErrors> {
    let Some(draft) = read_spec::read_spec(&View::root(tree, root), known, &mut findings) else {
        // Nothing comes back only after an error was noted.
        findings.finish(())?;
        return Err(root.error("the pipeline could not be read").into());
    };
    check::check(&draft, root, &mut findings);
    findings.finish(draft.spec)
}
