//! Where a stream ends: in a sink, in the program's own hands, or in a drawing.

use std::sync::Arc;

use arrow::array::RecordBatch;
use volley_api::{Result, Sink};
use volley_connector_memory::DiscardSink;
use volley_runtime::PlanView;

use super::{DataStream, DataStreamSink};
use crate::graph::Kind;
use crate::run;

impl DataStream {
    /// Writes the stream to a sink.
    pub fn to_sink(&self, name: impl Into<String>, sink: impl Sink + 'static) -> DataStreamSink {
        let sink = Kind::Sink(Arc::new(sink));
        let node = self.graph.lock().add(name.into(), sink, vec![self.port.clone()]);
        DataStreamSink::new(self.graph.clone(), node)
    }

    /// Drops the rows, knowingly: an output that nobody reads is refused.
    pub fn discard(&self) -> DataStreamSink {
        let sink = Kind::Sink(Arc::new(DiscardSink::new()));
        let node = self.graph.lock().add_numbered("discard", sink, vec![self.port.clone()]);
        DataStreamSink::new(self.graph.clone(), node)
    }

    /// Runs the job and gives the rows of this stream. The environment's sinks run too; streams that lead to no sink are
    /// left out, and side outputs that nobody reads are dropped.
    ///
    /// All rows are held in memory. Their order is that of the source where nothing on the way is parallel.
    ///
    /// # Errors
    /// What is wrong with the plan, with the name of the node, or what went wrong while it ran.
    ///
    /// # Panics
    /// Outside a tokio runtime with time and I/O enabled.
    pub async fn collect(&self) -> Result<Vec<RecordBatch>> {
        let graph = self.graph.lock().clone();
        run::collect(graph, self.port.clone()).await
    }

    /// As [`collect`](Self::collect), for programs without an async runtime: the calling thread waits.
    ///
    /// # Errors
    /// As [`collect`](Self::collect), and within an async runtime.
    pub fn collect_blocking(&self) -> Result<Vec<RecordBatch>> {
        run::block_on(self.collect())
    }

    /// The checked plan of the whole job so far; see
    /// [`StreamExecutionEnvironment::explain`](crate::StreamExecutionEnvironment::explain).
    ///
    /// # Errors
    /// What is wrong with the plan, with the name of the node.
    pub fn explain(&self) -> Result<PlanView> {
        self.environment().explain()
    }
}
