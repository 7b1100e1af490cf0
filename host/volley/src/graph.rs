//! What a program has said so far: nodes in the order in which they were added, and what was wrong with it.

use std::collections::HashMap;
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use volley_api::{OperatorFactory, PortName, Sink, Source, StateBackend};
use volley_runtime::{DedupeFactory, EventTime, JobOptions, Window, WindowFactory};
use volley_wasm::{PluginEngine, PluginOptions};

/// Memory of the state of one instance, unless it is set: 1 GiB, as in a pipeline file.
const STATE_BYTES_MAX: usize = 1 << 30;

/// An output of a node: the index of the node, and the name of the port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Port {
    pub(crate) node: usize,
    pub(crate) name: String,
}

impl Port {
    /// The main output.
    pub(crate) fn main(node: usize) -> Self {
        Self { node, name: "out".to_owned() }
    }
}

/// What a node does.
#[derive(Debug, Clone)]
pub(crate) enum Kind {
    Source(Arc<dyn Source>),
    Operator(Arc<dyn OperatorFactory>),
    /// Completed when it is known how much memory it may take.
    Window(WindowFactory),
    /// As a window.
    Dedupe(DedupeFactory),
    /// Loaded when the plan is checked; by these keys, where there are any.
    Plugin(PathBuf, Box<PluginOptions>, Vec<String>),
    /// The same, of which a window makes an aggregate.
    PluginWindow(PathBuf, Box<PluginOptions>, Box<PluginWindow>),
    Sink(Arc<dyn Sink>),
    /// Something that was wrong from the beginning; there is a problem that says what.
    Broken,
}

/// The window around a plugin.
#[derive(Debug, Clone)]
pub(crate) struct PluginWindow {
    pub(crate) keys: Vec<String>,
    pub(crate) window: Window,
    pub(crate) allowed_lateness: Duration,
    pub(crate) late: Option<PortName>,
}

/// One node.
#[derive(Debug, Clone)]
pub(crate) struct Node {
    pub(crate) name: String,
    pub(crate) kind: Kind,
    pub(crate) inputs: Vec<Port>,
    pub(crate) parallelism: Option<NonZeroU32>,
    pub(crate) event_time: Option<EventTime>,
}

/// Something that cannot be, found while the program was still talking: it is told when the plan is checked, since chains of
/// calls have no place for errors.
#[derive(Debug, Clone)]
pub(crate) struct Problem {
    /// The node that it is about.
    pub(crate) node: Option<usize>,
    pub(crate) message: String,
}

/// What holds for the whole job.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    pub(crate) name: String,
    pub(crate) parallelism: NonZeroU32,
    pub(crate) options: JobOptions,
    pub(crate) state_bytes_max: usize,
    /// In place of memory.
    pub(crate) state: Option<Arc<dyn StateBackend>>,
    pub(crate) plugins: Option<Arc<PluginEngine>>,
}

/// All of a program's nodes, with what holds for them together.
#[derive(Debug, Clone)]
pub(crate) struct Graph {
    pub(crate) settings: Settings,
    pub(crate) nodes: Vec<Node>,
    pub(crate) problems: Vec<Problem>,
    /// How many nodes of each kind have been given a name by number.
    numbered: HashMap<&'static str, usize>,
}

impl Graph {
    fn new() -> Self {
        let settings = Settings {
            name: "job".to_owned(),
            parallelism: NonZeroU32::MIN,
            options: JobOptions::default(),
            state_bytes_max: STATE_BYTES_MAX,
            state: None,
            plugins: None,
        };
        Self { settings, nodes: Vec::new(), problems: Vec::new(), numbered: HashMap::new() }
    }

    /// Adds a node and gives its index.
    pub(crate) fn add(&mut self, name: String, kind: Kind, inputs: Vec<Port>) -> usize {
        self.nodes.push(Node { name, kind, inputs, parallelism: None, event_time: None });
        self.nodes.len() - 1
    }

    /// Adds an operator that is called by its kind and a number until it is given a name.
    pub(crate) fn add_numbered(&mut self, kind_name: &'static str, kind: Kind, inputs: Vec<Port>) -> usize {
        let number = self.numbered.entry(kind_name).or_default();
        *number += 1;
        let name = format!("{kind_name}-{number}");
        self.add(name, kind, inputs)
    }

    pub(crate) fn complain(&mut self, node: Option<usize>, message: impl Into<String>) {
        self.problems.push(Problem { node, message: message.into() });
    }

    /// Sets the parallelism of a node.
    pub(crate) fn set_parallelism(&mut self, node: usize, parallelism: u32) {
        match NonZeroU32::new(parallelism) {
            Some(parallelism) => self.nodes[node].parallelism = Some(parallelism),
            None => self.complain(Some(node), "the parallelism is 0: it has to be 1 at least"),
        }
    }
}

/// The graph that an environment and all its streams hold in common.
#[derive(Debug, Clone)]
pub(crate) struct Shared(Arc<Mutex<Graph>>);

impl Shared {
    pub(crate) fn new() -> Self {
        Self(Arc::new(Mutex::new(Graph::new())))
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, Graph> {
        // Nothing in this crate panics between two changes that belong together.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}
