//! The numbers of a job's checkpoints on the page of metrics.

use volley_checkpoint::coordinator::{Asker, CheckpointProgress};
use volley_telemetry::{Description, Exposition, Kind, Registry, Unit, Value};

/// There is one job.
const NO_LABELS: &[&str] = &[];

static METRICS: [Description; 5] = [
    Description::new(
        Kind::Counter,
        Unit::Count,
        "volley_checkpoints_completed_total",
        NO_LABELS,
        "Checkpoints that became complete since the job was started last.",
    ),
    Description::new(
        Kind::Counter,
        Unit::Count,
        "volley_checkpoints_abandoned_total",
        NO_LABELS,
        "Checkpoints that were given up since the job was started last.",
    ),
    Description::new(
        Kind::Gauge,
        Unit::Milliseconds,
        "volley_checkpoint_duration_ms",
        NO_LABELS,
        "How long the last complete checkpoint took, from its barrier to its manifest.",
    ),
    Description::new(
        Kind::Gauge,
        Unit::Bytes,
        "volley_checkpoint_bytes",
        NO_LABELS,
        "How many bytes of state were stored for the last complete checkpoint; those that were there before do not count.",
    ),
    Description::new(
        Kind::Gauge,
        Unit::Count,
        "volley_checkpoints_waiting_commits",
        NO_LABELS,
        "Complete checkpoints whose output is not committed yet.",
    ),
];

/// Puts the checkpoints of a start of the job on the page.
pub(crate) fn watch_checkpoints(asker: Asker, registry: &Registry) {
    registry.add(move |into: &mut Exposition| show(&asker.progress(), into));
}

fn show(progress: &CheckpointProgress, into: &mut Exposition) {
    let [completed, abandoned, duration_ms, bytes, waiting] = &METRICS;
    into.add(completed, &[], Value::Whole(progress.completed));
    into.add(abandoned, &[], Value::Whole(progress.abandoned));
    into.add(waiting, &[], Value::Whole(progress.waiting as u64));
    if let Some(last) = &progress.last {
        into.add(duration_ms, &[], Value::Float(last.took.as_secs_f64() * 1_000.0));
        into.add(bytes, &[], Value::Whole(last.new_bytes));
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
