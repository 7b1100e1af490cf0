//! Where a program begins: settings of the job, and its sources.

use std::num::{NonZeroU32, NonZeroUsize};
use std::sync::Arc;
use std::time::Duration;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use volley_api::{Result, Source, StateBackend};
use volley_connector_memory::MemorySource;
use volley_runtime::{JobHandle, JobOptions, JobReport, PlanView};
use volley_wasm::PluginEngine;

use crate::DataStream;
use crate::compose::Unread;
use crate::graph::{Graph, Kind, Shared};
use crate::iter_source::IterSource;
use crate::run;

/// One job in the making: its settings and its sources. Streams that come from it remember it; clones are the same one.
///
/// Nothing is checked or run before [`execute`](Self::execute), [`explain`](Self::explain) and their like: what is wrong is
/// said there, with the name of the node.
#[derive(Debug, Clone)]
pub struct StreamExecutionEnvironment {
    graph: Shared,
}

impl Default for StreamExecutionEnvironment {
    fn default() -> Self {
        Self::new()
    }
}

impl StreamExecutionEnvironment {
    /// A job without nodes, with the default settings.
    #[must_use]
    pub fn new() -> Self {
        Self { graph: Shared::new() }
    }

    fn with(self, set: impl FnOnce(&mut Graph)) -> Self {
        set(&mut self.graph.lock());
        self
    }

    /// What the job is called where it is not started under another name. Default: `job`.
    #[must_use]
    pub fn set_job_name(self, name: impl Into<String>) -> Self {
        let name = name.into();
        self.with(|graph| graph.settings.name = name)
    }

    /// How many instances every node has that does not say otherwise. Default: 1.
    #[must_use]
    pub fn set_parallelism(self, parallelism: u32) -> Self {
        self.with(|graph| match NonZeroU32::new(parallelism) {
            Some(parallelism) => graph.settings.parallelism = parallelism,
            None => graph.complain(None, "the parallelism of the job is 0: it has to be 1 at least"),
        })
    }

    /// How often at least a source says how far event time has come. Zero: after every batch. Default: 200 ms.
    #[must_use]
    pub fn set_watermark_interval(self, interval: Duration) -> Self {
        self.with(|graph| graph.settings.options.watermark_interval = interval)
    }

    /// The most rows of a batch as a source gives it, which small ones are joined up to. Results do not depend on it, except for
    /// which rows are late. Default: 8,192.
    #[must_use]
    pub fn set_batch_rows(self, rows: usize) -> Self {
        self.with(|graph| match NonZeroUsize::new(rows) {
            Some(rows) => graph.settings.options.read.batch_rows_max = rows,
            None => graph.complain(None, "batches of 0 rows hold nothing: the number has to be 1 at least"),
        })
    }

    /// The most memory that the state of one instance of a node may take, in bytes: its windows, or the keys that it has seen. A
    /// job that needs more fails. Default: 1 GiB. It is what `state: { memory: ... }` sets in a pipeline file.
    #[must_use]
    pub fn set_state_memory(self, bytes: usize) -> Self {
        self.with(|graph| graph.settings.state_bytes_max = bytes)
    }

    /// Where keyed state is kept, in place of memory: a `RocksBackend` of `volley-state`, say, for more than fits there.
    #[must_use]
    pub fn set_state_backend(self, backend: impl StateBackend + 'static) -> Self {
        self.with(|graph| graph.settings.state = Some(Arc::new(backend)))
    }

    /// Everything else that a job is started with: clock, seed, sizes of channels. It takes the place of what other setters have
    /// said of the same. Where it keeps state is not looked at: that is in memory.
    #[must_use]
    pub fn set_options(self, options: JobOptions) -> Self {
        self.with(|graph| graph.settings.options = options)
    }

    /// The engine that plugins are loaded into. Default: one that all environments share and that **compiles components in
    /// this process, without limits**. A program that loads strangers' components gives one that compiles in a child
    /// ([`volley_wasm::CompileIn::Child`]).
    #[must_use]
    pub fn set_plugin_engine(self, engine: Arc<PluginEngine>) -> Self {
        self.with(|graph| graph.settings.plugins = Some(engine))
    }

    /// A stream of what a source reads.
    pub fn from_source(&self, name: impl Into<String>, source: impl Source + 'static) -> DataStream {
        let source = Kind::Source(Arc::new(source));
        let node = self.graph.lock().add(name.into(), source, Vec::new());
        DataStream::of(self.graph.clone(), node)
    }

    /// A stream of batches in memory, of that schema. They are read in order, by one reader.
    pub fn from_batches(&self, schema: impl Into<SchemaRef>, batches: Vec<RecordBatch>) -> DataStream {
        let source = MemorySource::new(schema.into(), vec![batches]);
        let mut graph = self.graph.lock();
        let kind = source.as_ref().map_or(Kind::Broken, |source| Kind::Source(Arc::new(source.clone())));
        let node = graph.add_numbered("memory", kind, Vec::new());
        if let Err(error) = source {
            graph.complain(Some(node), error.to_string());
        }
        drop(graph);
        DataStream::of(self.graph.clone(), node)
    }

    /// A stream of the batches that an iterator gives, of that schema, until it ends.
    ///
    /// The iterator is asked for the next batch when there is room for it, from a thread of the async runtime: it may
    /// compute, but should not wait for long. It is gone after one run, so a second one fails, and what it gave cannot be
    /// read again after a failure.
    pub fn from_iter<I>(&self, schema: impl Into<SchemaRef>, batches: I) -> DataStream
    where
        I: IntoIterator<Item = RecordBatch>,
        I::IntoIter: Send + 'static,
    {
        let source = IterSource::new(schema.into(), Box::new(batches.into_iter()));
        let node = self.graph.lock().add_numbered("iter", Kind::Source(Arc::new(source)), Vec::new());
        DataStream::of(self.graph.clone(), node)
    }

    /// Runs the job under that name, to its end.
    ///
    /// # Errors
    /// What is wrong with the plan, with the name of the node: nothing has run then. An output that nobody reads is such an
    /// error. Otherwise what the first task says that failed; nothing is visible then, unless a commit failed.
    ///
    /// # Panics
    /// Outside a tokio runtime with time and I/O enabled.
    pub async fn execute(&self, name: impl Into<String>) -> Result<JobReport> {
        let graph = self.named(name);
        run::execute(graph).await
    }

    /// As [`execute`](Self::execute), for programs without an async runtime: the calling thread waits.
    ///
    /// # Errors
    /// As [`execute`](Self::execute), and within an async runtime.
    pub fn execute_blocking(&self, name: impl Into<String>) -> Result<JobReport> {
        run::block_on(self.execute(name))
    }

    /// Starts the job under that name and does not wait for it: the handle shows its progress and stops it.
    ///
    /// # Errors
    /// As [`execute`](Self::execute), as far as it is known before the first row moves.
    ///
    /// # Panics
    /// As [`execute`](Self::execute).
    pub async fn start(&self, name: impl Into<String>) -> Result<JobHandle> {
        let graph = self.named(name);
        run::start(graph, Unread::Refused).await
    }

    /// The checked plan: it prints as a drawing, as `volley-host plan` does. Outputs that nobody reads yet are in it.
    ///
    /// Loads plugins and asks them for their columns; no row moves.
    ///
    /// # Errors
    /// What is wrong with the plan, with the name of the node.
    pub fn explain(&self) -> Result<PlanView> {
        let graph = self.graph.lock().clone();
        run::explain(&graph)
    }

    /// As [`explain`](Self::explain), as `volley-host plan --json` prints it.
    ///
    /// # Errors
    /// As [`explain`](Self::explain).
    pub fn explain_json(&self) -> Result<serde_json::Value> {
        let view = self.explain()?;
        serde_json::to_value(view).map_err(|error| volley_api::Error::internal(format!("the plan as JSON: {error}")))
    }

    fn named(&self, name: impl Into<String>) -> Graph {
        let mut graph = self.graph.lock().clone();
        graph.settings.name = name.into();
        graph
    }

    pub(crate) fn of(graph: Shared) -> Self {
        Self { graph }
    }
}
