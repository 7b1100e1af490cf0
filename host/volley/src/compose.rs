//! From what a program has said to the logical plan that the pipeline file builds too.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use volley_api::{Error, NodeName, OperatorFactory, PortName, Result};
use volley_runtime::{CheckedPlan, LogicalPlan, PortRef, Window, WindowFactory};
use volley_wasm::{
    CompileIn, EngineSettings, Plugin, PluginAggregates, PluginEngine, PluginFactory, PluginKind, PluginOptions,
};

use crate::graph::{Graph, Kind, Node, PluginWindow, Port};

/// What becomes of outputs that nobody reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unread {
    /// They are part of the plan: it is only looked at.
    Shown,
    /// They are refused, as in a pipeline file: their rows would be lost in silence.
    Refused,
    /// What leads to no sink is left out: another stream is looked at.
    LeftOut,
}

/// Builds and checks the plan. May load plugins and run their code, so it has no place on a worker of an async runtime.
pub(crate) fn checked(graph: &Graph, unread: Unread) -> Result<CheckedPlan> {
    if let Some(problem) = graph.problems.first() {
        let error = Error::config(problem.message.clone());
        return Err(match problem.node {
            Some(node) => error.within(&graph.nodes[node].name),
            None => error,
        });
    }
    let plan = compose(graph, &kept(graph, unread))?.check()?;
    if unread == Unread::Refused
        && let Some(port) = plan.unread_outputs().into_iter().next()
    {
        return Err(Error::config(format!(
            "nobody reads `{port}`: its rows would be lost in silence; attach a sink (`discard` drops them knowingly)"
        )));
    }
    Ok(plan)
}

/// Which nodes are part of the plan.
fn kept(graph: &Graph, unread: Unread) -> Vec<bool> {
    let mut kept: Vec<bool> =
        graph.nodes.iter().map(|node| unread != Unread::LeftOut || matches!(node.kind, Kind::Sink(_))).collect();
    // Sinks for late rows stand before the windows that they read, so one pass may not be enough.
    let mut grows = true;
    while std::mem::take(&mut grows) {
        for (index, node) in graph.nodes.iter().enumerate() {
            if kept[index] {
                for input in &node.inputs {
                    grows |= !std::mem::replace(&mut kept[input.node], true);
                }
            }
        }
    }
    kept
}

fn compose(graph: &Graph, kept: &[bool]) -> Result<LogicalPlan> {
    let mut plan = LogicalPlan::new(graph.settings.name.as_str(), graph.settings.parallelism);
    let nodes = || graph.nodes.iter().zip(kept).filter(|(_, kept)| **kept).map(|(node, _)| node);
    // As in a pipeline file: sources, then operators, then sinks.
    for node in nodes() {
        if let Kind::Source(source) = &node.kind {
            let name = name_of(node)?;
            plan.add_source(name.clone(), Arc::clone(source), node.parallelism)?;
            if let Some(event_time) = &node.event_time {
                plan.set_event_time(&name, event_time.clone());
            }
        }
    }
    for node in nodes() {
        let factory = match &node.kind {
            Kind::Operator(factory) => Arc::clone(factory),
            Kind::Window(window) => Arc::new(window.clone().with_memory_limit(graph.settings.state_bytes_max)),
            Kind::Dedupe(dedupe) => Arc::new(dedupe.clone().with_memory_limit(graph.settings.state_bytes_max)),
            Kind::Plugin(path, options, keys) => {
                plugin(graph, path, options, keys).map_err(|error| error.within(&node.name))?
            }
            Kind::PluginWindow(path, options, window) => {
                let plugin = loaded(graph.settings.plugins.as_ref(), path);
                let windowed = plugin.and_then(|plugin| windowed(graph, plugin, options, window));
                windowed.map_err(|error| error.within(&node.name))?
            }
            Kind::Source(_) | Kind::Sink(_) | Kind::Broken => continue,
        };
        plan.add_operator(name_of(node)?, inputs_of(graph, node)?, factory, node.parallelism)?;
    }
    for node in nodes() {
        if let Kind::Sink(sink) = &node.kind {
            if node.inputs.is_empty() {
                let message = "it takes the late rows of windows, and there is no window below that would give it any";
                return Err(Error::config(message).within(&node.name));
            }
            plan.add_sink(name_of(node)?, inputs_of(graph, node)?, Arc::clone(sink), node.parallelism)?;
        }
    }
    Ok(plan)
}

fn name_of(node: &Node) -> Result<NodeName> {
    NodeName::new(&node.name).map_err(|error| Error::config(error.to_string()))
}

fn inputs_of(graph: &Graph, node: &Node) -> Result<Vec<PortRef>> {
    let port = |port: &Port| {
        let name = PortName::new(&port.name).map_err(|error| Error::config(error.to_string()).within(&node.name))?;
        Ok(PortRef { node: name_of(&graph.nodes[port.node])?, port: name })
    };
    node.inputs.iter().map(port).collect()
}

/// A plugin as its world has it: an aggregate is driven by a window, all others by themselves.
fn plugin(graph: &Graph, path: &Path, options: &PluginOptions, keys: &[String]) -> Result<Arc<dyn OperatorFactory>> {
    let plugin = loaded(graph.settings.plugins.as_ref(), path)?;
    if plugin.info().kind == PluginKind::Aggregate && !keys.is_empty() {
        let (keys, window, allowed_lateness) = (keys.to_vec(), Window::Global, Duration::ZERO);
        return windowed(graph, plugin, options, &PluginWindow { keys, window, allowed_lateness, late: None });
    }
    Ok(Arc::new(PluginFactory::new(plugin, options.clone()).with_keys(keys.to_vec())))
}

fn windowed(
    graph: &Graph,
    plugin: Arc<Plugin>,
    options: &PluginOptions,
    window: &PluginWindow,
) -> Result<Arc<dyn OperatorFactory>> {
    let keys = window.keys.clone();
    let aggregates = PluginAggregates::new(plugin, options.clone(), keys.clone()).map_err(Error::from)?;
    let factory = WindowFactory::new(keys, window.window, Arc::new(aggregates))
        .with_allowed_lateness(window.allowed_lateness)
        .with_memory_limit(graph.settings.state_bytes_max);
    Ok(Arc::new(match &window.late {
        Some(port) => factory.with_late_port(port.clone()),
        None => factory,
    }))
}

fn loaded(engine: Option<&Arc<PluginEngine>>, path: &Path) -> Result<Arc<Plugin>> {
    let engine = engine.map_or_else(shared_engine, |engine| Ok(Arc::clone(engine)))?;
    Plugin::load(&engine, path).map_err(Error::from)
}

/// The engine of all environments that were given none; it lives as long as one of their plugins.
fn shared_engine() -> Result<Arc<PluginEngine>> {
    static SHARED: Mutex<Weak<PluginEngine>> = Mutex::new(Weak::new());
    let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(engine) = shared.upgrade() {
        return Ok(engine);
    }
    // A program that embeds Volley has no other program of its own build that could compile for it.
    let engine = PluginEngine::new(&EngineSettings::new(CompileIn::ThisProcess)).map_err(Error::from)?;
    *shared = Arc::downgrade(&engine);
    Ok(engine)
}
