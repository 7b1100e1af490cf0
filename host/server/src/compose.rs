//! From a pipeline as written to a logical plan of real sources, operators and sinks: the composition root.

use std::num::NonZeroU32;
use std::path::Path;
use std::sync::Arc;

use volley_api::{Error, NodeName, OperatorFactory, Result, ScalarFunctionFactory};
use volley_config::{Action, InputRef, NamedExpressions, OperatorSpec, PipelineSpec, PluginAction, Select};
use volley_expr::{FilterFactory, Functions, SelectFactory, SelectItem, UnionFactory, WithColumnsFactory};
use volley_runtime::{CheckedPlan, LogicalPlan, PortRef};
use volley_telemetry::Registry;
use volley_wasm::{PluginAggregates, PluginFactory, PluginKind};

use crate::checkpoints;
use crate::connectors;
use crate::keyed;
use crate::plugins::Plugins;
use crate::preview::Preview;
use crate::restart;
use crate::streams;

/// What a plan is composed with, apart from the pipeline.
pub(crate) struct Surroundings<'a> {
    /// What relative paths are relative to: the folder of the pipeline file.
    pub(crate) folder: &'a Path,
    /// Takes the place of the pipeline's own parallelism.
    pub(crate) parallelism: Option<NonZeroU32>,
    /// How many rows of each sink to remember.
    pub(crate) preview_rows: usize,
    /// Where plugins are loaded.
    pub(crate) plugins: &'a Plugins,
    /// Where the numbers of plugins are shown.
    pub(crate) registry: &'a Registry,
}

/// A plan, and what will be shown of its sinks at the end.
pub(crate) struct Composed {
    /// The plan.
    pub(crate) plan: LogicalPlan,
    /// The first rows of each sink, in the order of the file; empty when none were asked for.
    pub(crate) previews: Vec<(NodeName, Preview)>,
}

/// Opens every part of a pipeline and puts them together. Moves no row.
pub(crate) async fn compose(spec: &PipelineSpec, around: &Surroundings<'_>) -> Result<Composed> {
    streams::check(spec)?;
    keyed::check(spec)?;
    let functions = functions(spec, around)?;
    let parallelism = around.parallelism.unwrap_or(spec.parallelism);
    let mut plan = LogicalPlan::new(spec.name.as_str(), parallelism);
    let mut previews = Vec::new();
    for node in &spec.sources {
        let source = connectors::source(node, around).await;
        let source = source.map_err(|error| located(error, node.connector.options.place()))?;
        restart::check_source(spec, &node.name, source.replay())?;
        checkpoints::check_source(spec, &node.name, source.replay())?;
        plan.add_source(node.name.value.clone(), source, node.parallelism)?;
        if let Some(event_time) = &node.event_time {
            plan.set_event_time(&node.name, keyed::event_time(event_time));
            plan.set_place(&node.name, event_time.place.to_string());
        }
    }
    for node in &spec.operators {
        let factory = operator(node, spec, around, &functions).map_err(|error| located(error, &node.name.place))?;
        plan.add_operator(node.name.value.clone(), ports(&node.from), factory, node.parallelism)?;
        plan.set_place(&node.name, place_of(node));
    }
    for node in &spec.sinks {
        let sink = connectors::sink(node, around);
        let mut sink = sink.map_err(|error| located(error, node.connector.options.place()))?;
        restart::check_sink(spec, node, sink.guarantee())?;
        checkpoints::check_sink(spec, node, &*sink)?;
        checkpoints::warn_of_sink(spec, node, sink.guarantee());
        if around.preview_rows > 0 {
            let preview = Preview::new(around.preview_rows);
            sink = preview.watch(sink);
            previews.push((node.name.value.clone(), preview));
        }
        plan.add_sink(node.name.value.clone(), ports(&node.from), sink, node.parallelism)?;
        plan.set_place(&node.name, node.connector.options.place().to_string());
    }
    Ok(Composed { plan, previews })
}

/// Checks a composed plan, and that nobody's rows are dropped in silence.
pub(crate) fn check(plan: LogicalPlan, spec: &PipelineSpec) -> Result<CheckedPlan> {
    let checked = plan.check()?;
    let Some(unread) = checked.unread_outputs().into_iter().next() else { return Ok(checked) };
    let node = spec.operators.iter().find(|node| node.name.value == unread.node);
    let error = Error::config(format!(
        "nobody reads `{unread}`: its rows would be lost in silence; attach a sink (`discard: {{}}` drops them \
         knowingly; on the command line: --side {}=FILE)",
        unread.port
    ));
    Err(match node {
        Some(node) => error.within(&node.name.place),
        None => error,
    })
}

/// The functions that expressions of the pipeline may call beside the built-in ones.
fn functions(spec: &PipelineSpec, around: &Surroundings<'_>) -> Result<Functions> {
    let mut given: Vec<(String, Arc<dyn ScalarFunctionFactory>)> = Vec::with_capacity(spec.functions.len());
    for function in &spec.functions {
        // One at a time, so that what is wrong with a name is told where it stands.
        Functions::check_name(&function.name).map_err(|error| located(error.into(), &function.name.place))?;
        let made = around.plugins.scalar(function, around.folder);
        let made = made.map_err(|error| located(error, &function.component.place))?;
        made.metrics().register(around.registry, &format!("functions.{}", *function.name), made.plugin());
        given.push((function.name.value.clone(), Arc::new(made)));
    }
    Ok(Functions::new(given)?)
}

fn operator(
    node: &OperatorSpec,
    spec: &PipelineSpec,
    around: &Surroundings<'_>,
    functions: &Functions,
) -> Result<Arc<dyn OperatorFactory>> {
    Ok(match &node.action {
        Action::Filter(sql) => Arc::new(FilterFactory::new(sql.value.clone()).with_functions(functions.clone())),
        Action::Select(Select::Named(columns)) => {
            Arc::new(SelectFactory::new(named(columns)).with_functions(functions.clone()))
        }
        Action::Select(Select::Items(items)) => {
            let items = items.iter().map(|item| SelectItem::parse(item).map(|item| (item.name, item.sql)));
            let items = items.collect::<Result<_, _>>().map_err(Error::from)?;
            Arc::new(SelectFactory::new(items).with_functions(functions.clone()))
        }
        Action::WithColumns(columns) => {
            Arc::new(WithColumnsFactory::new(named(columns)).with_functions(functions.clone()))
        }
        Action::Plugin(action) => plugin(node, action, spec, around)?,
        Action::Union {} => Arc::new(UnionFactory),
        Action::Dedupe(dedupe) => Arc::new(keyed::dedupe(dedupe, &spec.state)),
        Action::Aggregate(keyed) => Arc::new(keyed::windows(keyed, &spec.state, functions)),
    })
}

/// A component as its world has it: an aggregate is driven by a window, all others by themselves.
fn plugin(
    node: &OperatorSpec,
    action: &PluginAction,
    spec: &PipelineSpec,
    around: &Surroundings<'_>,
) -> Result<Arc<dyn OperatorFactory>> {
    let (plugin, options) = around.plugins.opened(&action.plugin, around.folder)?;
    let keys: Vec<String> = action.key_by.iter().map(|key| key.value.clone()).collect();
    let (kind, name) = (plugin.info().kind, node.name.value.as_str());
    if kind == PluginKind::Aggregate && !keys.is_empty() {
        let aggregates = PluginAggregates::new(plugin, options, keys.clone()).map_err(Error::from)?;
        aggregates.metrics().register(around.registry, name, aggregates.plugin());
        return Ok(Arc::new(keyed::windowed(keys, action.window.as_ref(), Arc::new(aggregates), &spec.state)));
    }
    if action.window.is_some() {
        let message = format!("{} is a {kind}, and windows are for aggregates: leave out `window`", plugin.name());
        return Err(Error::config(message));
    }
    let factory = PluginFactory::new(plugin, options).with_keys(keys);
    factory.metrics().register(around.registry, name, factory.plugin());
    Ok(Arc::new(factory))
}

fn named(columns: &NamedExpressions) -> Vec<(String, String)> {
    columns.0.iter().map(|column| (column.name.clone(), column.sql.value.clone())).collect()
}

fn ports(from: &[InputRef]) -> Vec<PortRef> {
    from.iter().map(|input| PortRef { node: input.node.clone(), port: input.port.clone() }).collect()
}

/// Where an operator was written: its one action, or the node itself.
fn place_of(node: &OperatorSpec) -> String {
    match &node.action {
        Action::Filter(sql) => sql.place.to_string(),
        Action::Plugin(plugin) => plugin.plugin.component.place.to_string(),
        _ => node.name.place.to_string(),
    }
}

/// Puts the place in front of an error, unless it already says where.
fn located(error: Error, place: &volley_config::Place) -> Error {
    if error.to_string().starts_with(place.origin()) { error } else { error.within(place) }
}
