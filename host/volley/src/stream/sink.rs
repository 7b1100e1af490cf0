//! The end of a stream.

use volley_api::Result;
use volley_runtime::{JobReport, PlanView};

use crate::StreamExecutionEnvironment;
use crate::graph::Shared;

/// A sink that a stream is written to.
#[derive(Debug, Clone)]
pub struct DataStreamSink {
    graph: Shared,
    node: usize,
}

impl DataStreamSink {
    pub(super) fn new(graph: Shared, node: usize) -> Self {
        Self { graph, node }
    }

    /// Names the node.
    pub fn uid(self, name: impl Into<String>) -> Self {
        self.graph.lock().nodes[self.node].name = name.into();
        self
    }

    /// How many writers it has at most; the sink may allow fewer. Default: as many as the job says.
    pub fn set_parallelism(self, writers: u32) -> Self {
        self.graph.lock().set_parallelism(self.node, writers);
        self
    }

    /// The environment that the sink belongs to.
    #[must_use]
    pub fn environment(&self) -> StreamExecutionEnvironment {
        StreamExecutionEnvironment::of(self.graph.clone())
    }

    /// Runs the whole job; see [`StreamExecutionEnvironment::execute`].
    ///
    /// # Errors
    /// As there.
    ///
    /// # Panics
    /// As there.
    pub async fn execute(&self, name: impl Into<String>) -> Result<JobReport> {
        self.environment().execute(name).await
    }

    /// As [`execute`](Self::execute), for programs without an async runtime: the calling thread waits.
    ///
    /// # Errors
    /// As [`StreamExecutionEnvironment::execute_blocking`].
    pub fn execute_blocking(&self, name: impl Into<String>) -> Result<JobReport> {
        self.environment().execute_blocking(name)
    }

    /// The checked plan of the whole job; see [`StreamExecutionEnvironment::explain`].
    ///
    /// # Errors
    /// What is wrong with the plan, with the name of the node.
    pub fn explain(&self) -> Result<PlanView> {
        self.environment().explain()
    }
}
