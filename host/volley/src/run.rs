//! From a graph to a job, and to its end.

use std::sync::Arc;

use arrow::array::RecordBatch;
use tokio::runtime::{Builder, Handle};
use volley_api::{Error, Result};
use volley_connector_memory::MemorySink;
use volley_runtime::{JobHandle, JobReport, PlanView};
use volley_state::MemoryBackend;

use crate::compose::{Unread, checked};
use crate::graph::{Graph, Kind, Port};

/// What the sink of `collect` is called, unless the program calls something so.
const COLLECTED: &str = "collect";

/// The plan as it stands, drawn; outputs that nobody reads yet are part of it.
pub(crate) fn explain(graph: &Graph) -> Result<PlanView> {
    Ok(checked(graph, Unread::Shown)?.chain().view())
}

pub(crate) async fn start(graph: Graph, unread: Unread) -> Result<JobHandle> {
    let mut options = graph.settings.options.clone();
    options.state = match &graph.settings.state {
        Some(backend) => Arc::clone(backend),
        None => Arc::new(MemoryBackend::new(graph.settings.state_bytes_max)),
    };
    let plan = tokio::task::spawn_blocking(move || Ok::<_, Error>(checked(&graph, unread)?.chain())).await;
    let plan = plan.map_err(|error| Error::internal(format!("checking the plan: {error}")))??;
    volley_runtime::start(plan, options).await
}

pub(crate) async fn execute(graph: Graph) -> Result<JobReport> {
    start(graph, Unread::Refused).await?.wait().await
}

/// Runs the graph with one more sink, which keeps what comes out of `port`.
pub(crate) async fn collect(mut graph: Graph, port: Port) -> Result<Vec<RecordBatch>> {
    let sink = MemorySink::new();
    let handle = sink.handle();
    let mut name = COLLECTED.to_owned();
    while graph.nodes.iter().any(|node| node.name == name) {
        name.push('_');
    }
    graph.add(name, Kind::Sink(Arc::new(sink)), vec![port]);
    start(graph, Unread::LeftOut).await?.wait().await?;
    Ok(handle.take())
}

/// Waits for a job on a runtime made for it.
pub(crate) fn block_on<T>(job: impl Future<Output = Result<T>>) -> Result<T> {
    if Handle::try_current().is_ok() {
        return Err(Error::config(
            "a blocking call within an async runtime would stop one of its threads: await the method without `_blocking`",
        ));
    }
    let runtime = Builder::new_multi_thread().enable_all().thread_name("volley-io").build();
    let runtime = runtime.map_err(|error| Error::external("no async runtime can be started").caused_by(error))?;
    runtime.block_on(job)
}
