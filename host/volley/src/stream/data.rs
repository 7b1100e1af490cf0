//! A stream of rows: what is said of the node that it comes from, and what can be attached to it.

use std::borrow::Borrow;
use std::path::PathBuf;
use std::sync::Arc;

use volley_api::{OperatorFactory, Sink};
use volley_expr::UnionFactory;
use volley_runtime::Window;
use volley_wasm::PluginOptions;

use super::{KeyedStream, OutputTag};
use crate::graph::{Kind, Port, Shared};
use crate::{StreamExecutionEnvironment, WatermarkStrategy};

/// An output of a source or an operator: rows of one schema.
///
/// Methods that take `&self` attach something to the stream, any number of times; each reader gets every row. Methods that
/// take `self` say something of the node that the stream comes from: its name, its parallelism, its event time.
///
/// What needs a key is said of a [`KeyedStream`], which [`key_by`](Self::key_by) makes.
#[derive(Debug, Clone)]
#[must_use = "a stream that nothing reads is refused when the job is run"]
pub struct DataStream {
    pub(super) graph: Shared,
    pub(super) port: Port,
    /// The sink that takes the late rows of windows below.
    pub(super) late: Option<usize>,
}

impl DataStream {
    /// The main output of a node.
    pub(crate) fn of(graph: Shared, node: usize) -> Self {
        Self { graph, port: Port::main(node), late: None }
    }

    /// A stream of what an operator makes of this one.
    pub(super) fn then(&self, kind_name: &'static str, kind: Kind) -> Self {
        let node = self.graph.lock().add_numbered(kind_name, kind, vec![self.port.clone()]);
        self.below(node)
    }

    /// As [`DataStream::then`], where the operator may be one that cannot be made.
    pub(super) fn try_then(&self, kind_name: &'static str, kind: volley_api::Result<Kind>) -> Self {
        match kind {
            Ok(kind) => self.then(kind_name, kind),
            Err(error) => {
                let broken = self.then(kind_name, Kind::Broken);
                broken.graph.lock().complain(Some(broken.port.node), error.to_string());
                broken
            }
        }
    }

    /// The main output of a node that reads this stream.
    pub(super) fn below(&self, node: usize) -> Self {
        Self { graph: self.graph.clone(), port: Port::main(node), late: self.late }
    }

    /// The environment that the stream belongs to.
    #[must_use]
    pub fn environment(&self) -> StreamExecutionEnvironment {
        StreamExecutionEnvironment::of(self.graph.clone())
    }

    /// Names the node: a lower-case letter, then letters, digits, `_` or `-`, unique in the job. Its state is kept under the
    /// name, so every node with state should have one; without, it is called by its kind and a number, `filter-1`, which
    /// changes when another filter is added before it.
    pub fn uid(self, name: impl Into<String>) -> Self {
        self.graph.lock().nodes[self.port.node].name = name.into();
        self
    }

    /// How many instances the node has. Default: as many as the job says.
    pub fn set_parallelism(self, parallelism: u32) -> Self {
        self.graph.lock().set_parallelism(self.port.node, parallelism);
        self
    }

    /// Gives the rows event time. Stands directly behind a source, since watermarks follow from the splits that it reads;
    /// anywhere else it is refused when the plan is checked.
    pub fn with_watermarks(self, strategy: WatermarkStrategy) -> Self {
        let mut graph = self.graph.lock();
        let node = self.port.node;
        if matches!(graph.nodes[node].kind, Kind::Source(_)) && self.port == Port::main(node) {
            graph.nodes[node].event_time = Some(strategy.into_event_time());
        } else if !matches!(graph.nodes[node].kind, Kind::Broken) {
            graph.complain(
                Some(node),
                "with_watermarks stands directly behind a source, not behind an operator or a side output: watermarks \
                 follow from what is read, and pass operators by themselves",
            );
        }
        drop(graph);
        self
    }

    /// A sink for the late rows of all windows below that say nothing else
    /// ([`side_output_late_data`](crate::WindowedKeyedStream::side_output_late_data)). The rows have the columns of
    /// [`volley_runtime::late_schema`]. Without any, late rows are counted and dropped.
    pub fn with_late_data_sink(mut self, name: impl Into<String>, sink: impl Sink + 'static) -> Self {
        self.late = Some(self.graph.lock().add(name.into(), Kind::Sink(Arc::new(sink)), Vec::new()));
        self
    }

    /// What an operator of your own makes of the stream. One that has keys gets the rows of each key together
    /// ([`OperatorFactory::keys`]).
    pub fn apply_operator(&self, operator: Arc<dyn OperatorFactory>) -> Self {
        self.then("operator", Kind::Operator(operator))
    }

    /// What a WebAssembly operator makes of the stream: the component in that file, with that configuration. A row that it
    /// refuses goes to [`errors`](Self::errors) where that is read, and stops the job otherwise.
    pub fn plugin(&self, component: impl Into<PathBuf>, config: serde_json::Value) -> Self {
        self.plugin_with(component, PluginOptions { config, ..PluginOptions::default() })
    }

    /// As [`plugin`](Self::plugin), with limits and a policy for refused rows.
    pub fn plugin_with(&self, component: impl Into<PathBuf>, options: PluginOptions) -> Self {
        self.then("plugin", Kind::Plugin(component.into(), Box::new(options), Vec::new()))
    }

    /// The rows of both streams. Columns are matched by name; their types must be equal.
    pub fn union(&self, other: impl Borrow<Self>) -> Self {
        let other = other.borrow();
        let union = Kind::Operator(Arc::new(UnionFactory));
        let mut graph = self.graph.lock();
        if !self.graph.is(&other.graph) {
            let node = graph.add_numbered("union", Kind::Broken, vec![self.port.clone()]);
            graph.complain(Some(node), "the two streams belong to different environments, which are jobs of their own");
            drop(graph);
            return self.below(node);
        }
        let node = graph.add_numbered("union", union, vec![self.port.clone(), other.port.clone()]);
        drop(graph);
        Self { late: self.late.or(other.late), ..self.below(node) }
    }

    /// A side output of the node.
    pub fn side_output(&self, tag: impl Borrow<OutputTag>) -> Self {
        let port = Port { node: self.port.node, name: tag.borrow().name().to_owned() };
        Self { port, ..self.clone() }
    }

    /// The rows that the node refused, with the reasons: [`volley_api::dead_letter::schema`]. Sources, plugins and windows by
    /// event time have this output.
    pub fn errors(&self) -> Self {
        self.side_output(OutputTag::new("errors"))
    }

    /// The stream, with all rows of one key together. A key is one column or more; nulls are a key like any other.
    pub fn key_by<C: Into<String>>(&self, columns: impl IntoIterator<Item = C>) -> KeyedStream {
        KeyedStream::new(self.clone(), columns.into_iter().map(Into::into).collect())
    }

    /// Whether windows of that kind have late rows.
    pub(super) fn has_late_rows(window: Window) -> bool {
        matches!(window, Window::Tumbling { .. } | Window::Sliding { .. } | Window::Session { .. })
    }
}
