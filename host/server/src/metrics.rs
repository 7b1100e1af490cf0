//! `--metrics ADDR`: the numbers of a job's nodes, and the page on which they and those of its plugins are read.

mod checkpoints;

use std::sync::{Arc, Mutex, PoisonError};

use volley_api::{Clock, Error, Result, SystemClock};
use volley_runtime::{JobHandle, JobProgress, NodeRole, StageProgress};
use volley_telemetry::{
    Collect, Description, Exposition, HistogramSnapshot, Kind, MetricsAddress, Registry, Server, Unit, Value,
};

use crate::output::tell;

pub(crate) use checkpoints::watch_checkpoints;

const LABELS: &[&str] = &["node", "role"];

const fn rows(name: &'static str, help: &'static str) -> Description {
    Description::new(Kind::Counter, Unit::Count, name, LABELS, help)
}

const NODE: &[&str] = &["node"];

const fn rows_of(name: &'static str, help: &'static str) -> Description {
    Description::new(Kind::Counter, Unit::Count, name, NODE, help)
}

/// The metrics of every node: what came, what left, what was refused, how far event time is, how full queues are; and how
/// long messages take in a chain.
static METRICS: [Description; 11] = [
    rows("volley_records_processed_total", "Rows that came to an operator or a sink, or were read by a source."),
    rows("volley_records_emitted_total", "Rows that left a source or an operator, over all ports but errors."),
    rows("volley_records_rejected_total", "Rows that a node refused; of a source, records that could not be read."),
    rows_of("volley_source_records_polled_total", "Rows that a source was read."),
    rows_of("volley_sink_records_written_total", "Rows that were handed to a sink."),
    rows_of("volley_records_late_total", "Rows that came after the windows that they belong to had gone."),
    Description::new(
        Kind::Gauge,
        Unit::Milliseconds,
        "volley_watermark_lag_ms",
        NODE,
        "How far the watermark of a node is behind the clock.",
    ),
    Description::new(
        Kind::Gauge,
        Unit::Count,
        "volley_channel_utilization",
        NODE,
        "How full the channel before a node is, from 0 to 1.",
    ),
    Description::new(
        Kind::Gauge,
        Unit::Count,
        "volley_window_pending_size",
        NODE,
        "Windows that have rows and have put nothing out yet.",
    ),
    Description::new(
        Kind::Histogram,
        Unit::Milliseconds,
        "volley_stage_latency_ms",
        NODE,
        "How long a chain, named by its first node, takes for a message and for handing on what it made of it.",
    ),
    Description::new(
        Kind::Histogram,
        Unit::Seconds,
        "volley_checkpoint_sync_seconds",
        NODE,
        "How long a checkpoint holds a chain up, named by its first node: from when its barrier is there until it is handed on.",
    ),
];

/// Serves the page for as long as the value lives, and says where on standard error.
pub(crate) async fn serve(address: MetricsAddress, registry: &Registry) -> Result<Server> {
    let server = Server::start(address, registry).await;
    let server = server.map_err(|error| Error::external("no metrics can be served").caused_by(error))?;
    tell(&format!("metrics: http://{}/metrics", server.address()));
    Ok(server)
}

/// What the page shows: the numbers of one start of the job, of which there may be several.
pub(crate) struct Shown(Arc<Mutex<Registry>>);

impl Shown {
    /// Nothing yet, and the registry of the page.
    pub(crate) fn new() -> (Self, Registry) {
        let (shown, page) = (Arc::new(Mutex::new(Registry::default())), Registry::default());
        let present = Arc::clone(&shown);
        page.add(move |into: &mut Exposition| {
            let present = present.lock().unwrap_or_else(PoisonError::into_inner).clone();
            present.collect(into);
        });
        (Self(shown), page)
    }

    /// Shows another registry from now on.
    pub(crate) fn show(&self, registry: &Registry) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = registry.clone();
    }
}

/// Puts the job's nodes on the page.
pub(crate) fn watch(job: &JobHandle, registry: &Registry) {
    let (progress, stages, barriers) = (job.watcher(), job.stage_watcher(), job.barrier_watcher());
    registry.add(move |into: &mut Exposition| {
        let now_ms = i64::try_from(SystemClock.now_ms()).unwrap_or(i64::MAX);
        show(&progress(), now_ms, into);
        let [.., latency_ms, sync_seconds] = &METRICS;
        stages().into_iter().for_each(|stage| show_stage(latency_ms, stage, into));
        barriers().into_iter().for_each(|stage| show_stage(sync_seconds, stage, into));
    });
}

fn show(progress: &JobProgress, now_ms: i64, into: &mut Exposition) {
    let [
        processed_total,
        emitted_total,
        rejected_total,
        polled_total,
        written_total,
        late_total,
        lag_ms,
        utilization,
        pending,
        ..,
    ] = &METRICS;
    for node in &progress.nodes {
        let (role, processed, emitted) = match node.role {
            NodeRole::Source => ("source", node.rows_out, Some(node.rows_out)),
            NodeRole::Operator => ("operator", node.rows_in, Some(node.rows_out)),
            NodeRole::Sink => ("sink", node.rows_in, None),
        };
        let labels = [node.name.as_str(), role];
        into.add(processed_total, &labels, Value::Whole(processed));
        if let Some(emitted) = emitted {
            into.add(emitted_total, &labels, Value::Whole(emitted));
        }
        into.add(rejected_total, &labels, Value::Whole(node.rows_rejected));
        let node_alone = [node.name.as_str()];
        match node.role {
            NodeRole::Source => into.add(polled_total, &node_alone, Value::Whole(node.rows_out)),
            NodeRole::Operator => into.add(late_total, &node_alone, Value::Whole(node.rows_late)),
            NodeRole::Sink => into.add(written_total, &node_alone, Value::Whole(node.rows_in)),
        }
        if let Some(watermark_ms) = node.watermark_ms {
            #[expect(clippy::cast_precision_loss, reason = "a gauge for people")]
            into.add(lag_ms, &node_alone, Value::Float(now_ms.saturating_sub(watermark_ms) as f64));
        }
        if let Some(fill) = node.queue_fill {
            into.add(utilization, &node_alone, Value::Float(fill));
        }
        if let Some(windows) = node.windows_pending {
            into.add(pending, &node_alone, Value::Whole(windows));
        }
    }
}

fn show_stage(metric: &'static Description, stage: StageProgress, into: &mut Exposition) {
    let StageProgress { node, bounds_ns, counts, sum_ns } = stage;
    into.add(metric, &[&node], Value::Histogram(HistogramSnapshot { bounds: bounds_ns, counts, sum: sum_ns }));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_keeps_the_habits_of_the_format() {
        let problems: Vec<String> = METRICS.iter().filter_map(Description::problem).collect();
        assert!(problems.is_empty(), "{problems:?}");
    }
}
