//! `--metrics ADDR`: the numbers of a job's nodes, and the page on which they and those of its plugins are read.

use volley_api::{Error, Result};
use volley_runtime::{JobHandle, JobProgress, NodeRole};
use volley_telemetry::{Description, Exposition, Kind, MetricsAddress, Registry, Server, Unit, Value};

use crate::output::tell;

const LABELS: &[&str] = &["node", "role"];

const fn rows(name: &'static str, help: &'static str) -> Description {
    Description::new(Kind::Counter, Unit::Count, name, LABELS, help)
}

/// The metrics of every node: what came, what left, what was refused.
static METRICS: [Description; 3] = [
    rows("volley_records_processed_total", "Rows that came to an operator or a sink, or were read by a source."),
    rows("volley_records_emitted_total", "Rows that left a source or an operator, over all ports but errors."),
    rows("volley_records_rejected_total", "Rows that a node refused; of a source, records that could not be read."),
];

/// Serves the page for as long as the value lives, and says where on standard error.
pub(crate) async fn serve(address: MetricsAddress, registry: &Registry) -> Result<Server> {
    let server = Server::start(address, registry).await;
    let server = server.map_err(|error| Error::external("no metrics can be served").caused_by(error))?;
    tell(&format!("metrics: http://{}/metrics", server.address()));
    Ok(server)
}

/// Puts the job's nodes on the page.
pub(crate) fn watch(job: &JobHandle, registry: &Registry) {
    let progress = job.watcher();
    registry.add(move |into: &mut Exposition| show(&progress(), into));
}

fn show(progress: &JobProgress, into: &mut Exposition) {
    let [processed_total, emitted_total, rejected_total] = &METRICS;
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
    }
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
