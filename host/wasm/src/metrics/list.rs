//! The metrics of plugins: names, units, meanings, and how they get on the page.

use std::borrow::Cow;
use std::sync::Arc;

use volley_api::{Clock, SystemClock};
use volley_telemetry::{Collect, Description, Exposition, Kind, Unit, Value};

use super::{Metric, PluginMetrics};
use crate::plugin::Plugin;
use crate::violation::Violation;

/// Of every metric: the node, the plugin's name and the first twelve digits of its digest.
const LABELS: &[&str] = &["operator", "plugin", "digest"];

/// What the names of a plugin's own metrics begin with.
const CUSTOM: &str = "volley_plugin_custom_";

/// The bounds of the times of calls: 1, 2 and 5 of each power of ten, from a microsecond to ten seconds.
pub(super) const CALL_NANOS: &[u64] = &[
    1_000,
    2_000,
    5_000,
    10_000,
    20_000,
    50_000,
    100_000,
    200_000,
    500_000,
    1_000_000,
    2_000_000,
    5_000_000,
    10_000_000,
    20_000_000,
    50_000_000,
    100_000_000,
    200_000_000,
    500_000_000,
    1_000_000_000,
    2_000_000_000,
    5_000_000_000,
    10_000_000_000,
];

/// The metrics of every plugin. Its own stand beside them, under `volley_plugin_custom_` and the name it gives them.
pub static METRICS: &[Description] = &[
    CALLS,
    CALL_TIME,
    ROWS_IN,
    ROWS_OUT,
    ROWS_REJECTED,
    CPU_TIME,
    BYTES_COPIED,
    MEMORY,
    VIOLATIONS,
    RESTARTS,
    QUARANTINED,
    HTTP_REQUESTS,
];

const fn counter(unit: Unit, name: &'static str, help: &'static str) -> Description {
    Description::new(Kind::Counter, unit, name, LABELS, help)
}

const CALLS: Description = counter(
    Unit::Count,
    "volley_plugin_calls_total",
    "Calls on batches; those that failed and those made again count too.",
);
const CALL_TIME: Description = Description::new(
    Kind::Histogram,
    Unit::Seconds,
    "volley_plugin_call_duration_seconds",
    LABELS,
    "Time of one call on a batch by the wall clock, from handing over the batch to having its result.",
);
const ROWS_IN: Description = counter(Unit::Count, "volley_plugin_rows_in_total", "Rows that came to the operator.");
const ROWS_OUT: Description =
    counter(Unit::Count, "volley_plugin_rows_out_total", "Rows that left the operator, over all ports but errors.");
const ROWS_REJECTED: Description = counter(
    Unit::Count,
    "volley_plugin_rows_rejected_total",
    "Rows that were refused, or blamed for a failure, and did not stop the job.",
);
const CPU_TIME: Description = counter(
    Unit::Seconds,
    "volley_plugin_cpu_seconds_total",
    "CPU time of the operator's threads in the plugin and in crossing to it and back, without the operators after it. \
     Read for each of the first 16 records of a subtask and for every 32nd after them, which stands for those between by \
     its rows.",
);
const BYTES_COPIED: Description = Description::new(
    Kind::Counter,
    Unit::Bytes,
    "volley_plugin_bytes_copied_total",
    &["operator", "plugin", "digest", "direction"],
    "Bytes of batches and bitmaps copied into instances (in) and out of them (out).",
);
const MEMORY: Description = Description::new(
    Kind::Gauge,
    Unit::Bytes,
    "volley_plugin_memory_bytes",
    LABELS,
    "Linear memory of all instances of the operator.",
);
const VIOLATIONS: Description = Description::new(
    Kind::Counter,
    Unit::Count,
    "volley_plugin_violations_total",
    &["operator", "plugin", "digest", "reason"],
    "What the plugin did wrong, by reason: traps, broken promises, limits, and what was dropped without stopping it.",
);
const RESTARTS: Description =
    counter(Unit::Count, "volley_plugin_restarts_total", "Instances that took the place of one that had failed.");
const QUARANTINED: Description = Description::new(
    Kind::Gauge,
    Unit::Count,
    "volley_plugin_quarantined",
    LABELS,
    "1 while the plugin is not started again because it failed too often, else 0.",
);

const HTTP_REQUESTS: Description = Description::new(
    Kind::Counter,
    Unit::Count,
    "volley_plugin_http_requests_total",
    &["operator", "plugin", "digest", "outcome"],
    "Requests that the plugin sent to servers: answered (whatever the status), or failed (denied, no answer, a limit).",
);

/// The numbers of one operator's plugin, under its labels.
pub(super) struct Shown {
    metrics: Arc<PluginMetrics>,
    operator: String,
    plugin: Arc<Plugin>,
}

impl Shown {
    pub(super) fn new(metrics: &Arc<PluginMetrics>, operator: &str, plugin: &Arc<Plugin>) -> Self {
        Self { metrics: Arc::clone(metrics), operator: operator.to_owned(), plugin: Arc::clone(plugin) }
    }

    fn is_quarantined(&self) -> bool {
        let quarantine = self.plugin.engine().quarantine();
        quarantine.left_ms(&self.plugin.who().digest, SystemClock.now_ms()).is_some()
    }
}

impl Collect for Shown {
    fn collect(&self, into: &mut Exposition) {
        let who = self.plugin.who();
        show(&self.metrics, [&self.operator, &who.name, who.short_digest()], self.is_quarantined(), into);
    }
}

fn show(metrics: &PluginMetrics, labels: [&str; 3], quarantined: bool, into: &mut Exposition) {
    let [operator, plugin, digest] = labels;
    into.add(&CALL_TIME, &labels, Value::Histogram(metrics.call_time.snapshot()));
    for (description, number) in [
        (&CALLS, metrics.calls.get()),
        (&ROWS_IN, metrics.rows_in.get()),
        (&ROWS_OUT, metrics.rows_out.get()),
        (&ROWS_REJECTED, metrics.rows_rejected.get()),
        (&CPU_TIME, metrics.cpu_time.get()),
        (&MEMORY, metrics.memory_bytes.get()),
        (&RESTARTS, metrics.restarts.get()),
        (&QUARANTINED, u64::from(quarantined)),
    ] {
        into.add(description, &labels, Value::Whole(number));
    }
    for (direction, bytes) in [("in", &metrics.bytes_in), ("out", &metrics.bytes_out)] {
        into.add(&BYTES_COPIED, &[operator, plugin, digest, direction], Value::Whole(bytes.get()));
    }
    for (outcome, requests) in [("answered", &metrics.http_answered), ("failed", &metrics.http_failed)] {
        into.add(&HTTP_REQUESTS, &[operator, plugin, digest, outcome], Value::Whole(requests.get()));
    }
    // Reasons that never happened stand there with 0: an alert on an increase needs the number before the first.
    let happened = metrics.violations.snapshot();
    for violation in Violation::ALL {
        let count = happened.get(&violation).copied().unwrap_or(0);
        into.add(&VIOLATIONS, &[operator, plugin, digest, violation.as_str()], Value::Whole(count));
    }
    for (name, metric) in metrics.custom.snapshot() {
        let (kind, value) = match metric {
            Metric::Counter(sum) => (Kind::Counter, Value::Whole(sum)),
            Metric::Gauge(value) => (Kind::Gauge, Value::Float(value)),
            Metric::Histogram(seen) => (Kind::Summary, Value::Summary { count: seen.count, sum: seen.sum }),
        };
        let description = Description {
            name: Cow::Owned(format!("{CUSTOM}{name}")),
            ..Description::new(kind, Unit::Count, CUSTOM, LABELS, "Reported by the plugin itself.")
        };
        into.add(&description, &labels, value);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::CallStats;
    use super::*;
    use volley_telemetry::Registry;

    #[test]
    fn the_list_keeps_the_habits_of_the_format() {
        let problems: Vec<String> = METRICS.iter().filter_map(Description::problem).collect();
        assert!(problems.is_empty(), "{problems:?}");
    }

    #[test]
    fn a_page_is_the_golden_one() {
        let metrics = PluginMetrics::default();
        metrics.call(&CallStats { bytes_in: 800, bytes_out: 100, duration: Duration::from_micros(3) });
        metrics.call(&CallStats { bytes_in: 80, bytes_out: 10, duration: Duration::from_secs(11) });
        metrics.rows_in.add(110);
        metrics.rows_out.add(100);
        metrics.rows_rejected.add(2);
        metrics.cpu_time.add_time(Duration::from_micros(2_500));
        metrics.memory().add(65_536);
        metrics.violation(Violation::Unreachable);
        metrics.violation(Violation::Unreachable);
        metrics.restart();
        metrics.counter_add("late", 7);
        metrics.gauge_set("level", -0.5);
        metrics.histogram_record("size", 1.5);
        // A plugin's own names can clash with the names of lines that another of them makes.
        metrics.gauge_set("size_sum", 1.0);
        let metrics = Arc::new(metrics);
        let registry = Registry::default();
        let shown = Arc::clone(&metrics);
        registry.add(move |into: &mut Exposition| show(&shown, ["far", "threshold", "0123456789ab"], true, into));
        assert_eq!(registry.render(), include_str!("page.prom"));
    }
}
