//! What is counted of one operator's plugin, all its subtasks together.
//!
//! Counting takes no lock: subtasks add to atomics. Only a plugin's own reports, by name, go through a mutex.

mod custom;
mod list;
mod metered;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use volley_telemetry::{Counter, Gauge, Histogram as Buckets, Registry};

use self::custom::Custom;
use crate::http::HttpAnswer;
use crate::plugin::Plugin;
use crate::violation::{Violation, Violations};

pub use self::custom::{Histogram, Metric, NAMES_MAX};
pub use self::list::METRICS;
pub(crate) use self::metered::{CpuSampler, Metered, Nowhere};

/// What one operator's plugin has done so far, all subtasks together. Times are left out: they differ from run to run.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct MetricsSnapshot {
    /// By the plugin's own name, without the prefix `volley_plugin_custom_`.
    pub metrics: BTreeMap<String, Metric>,
    /// What it did wrong, and how often: reasons that never happened are left out.
    pub violations: BTreeMap<Violation, u64>,
    /// Instances that took the place of one that had failed.
    pub restarts: u64,
    /// Calls on batches, those that failed and those made again included.
    pub calls: u64,
    /// Rows that came to the operator.
    pub rows_in: u64,
    /// Rows that left it, over all ports but `errors`.
    pub rows_out: u64,
    /// Rows that were refused and did not stop the job.
    pub rows_rejected: u64,
    /// Bytes of batches copied into instances.
    pub bytes_in: u64,
    /// Bytes of batches copied out of instances.
    pub bytes_out: u64,
    /// Bytes of linear memory that its instances have now.
    pub memory_bytes: u64,
}

/// Collects what is counted of one operator's plugin, from all its subtasks.
#[derive(Debug)]
pub struct PluginMetrics {
    custom: Custom,
    violations: Violations,
    restarts: Counter,
    calls: Counter,
    call_time: Buckets,
    rows_in: Counter,
    rows_out: Counter,
    rows_rejected: Counter,
    cpu_time: Counter,
    bytes_in: Counter,
    bytes_out: Counter,
    memory_bytes: Gauge,
    http_answered: Counter,
    http_failed: Counter,
}

/// One call on a batch, however it ended.
pub(crate) struct CallStats {
    /// Bytes that were copied into the instance.
    pub(crate) bytes_in: usize,
    /// Bytes that were copied out of it.
    pub(crate) bytes_out: usize,
    /// How long it took by the wall clock.
    pub(crate) duration: Duration,
}

impl Default for PluginMetrics {
    fn default() -> Self {
        Self {
            custom: Custom::default(),
            violations: Violations::default(),
            restarts: Counter::default(),
            calls: Counter::default(),
            call_time: Buckets::new(list::CALL_NANOS),
            rows_in: Counter::default(),
            rows_out: Counter::default(),
            rows_rejected: Counter::default(),
            cpu_time: Counter::default(),
            bytes_in: Counter::default(),
            bytes_out: Counter::default(),
            memory_bytes: Gauge::default(),
            http_answered: Counter::default(),
            http_failed: Counter::default(),
        }
    }
}

impl PluginMetrics {
    /// What became of requests that were sent together.
    pub(crate) fn http(&self, answers: &[HttpAnswer]) {
        let answered = answers.iter().flatten().count();
        self.http_answered.add(answered as u64);
        self.http_failed.add((answers.len() - answered) as u64);
    }

    /// A copy of everything as it stands.
    #[must_use]
    pub fn snapshot(&self) -> MetricsSnapshot {
        MetricsSnapshot {
            metrics: self.custom.snapshot(),
            violations: self.violations.snapshot(),
            restarts: self.restarts.get(),
            calls: self.calls.get(),
            rows_in: self.rows_in.get(),
            rows_out: self.rows_out.get(),
            rows_rejected: self.rows_rejected.get(),
            bytes_in: self.bytes_in.get(),
            bytes_out: self.bytes_out.get(),
            memory_bytes: self.memory_bytes.get(),
        }
    }

    /// Shows everything on the page of a registry from now on: see [`METRICS`]. `operator` is the node.
    pub fn register(self: &Arc<Self>, registry: &Registry, operator: &str, plugin: &Arc<Plugin>) {
        registry.add(list::Shown::new(self, operator, plugin));
    }

    /// A call on a batch has ended.
    pub(crate) fn call(&self, stats: &CallStats) {
        self.calls.add(1);
        self.call_time.observe_time(stats.duration);
        self.bytes_in.add(stats.bytes_in as u64);
        self.bytes_out.add(stats.bytes_out as u64);
    }

    /// Rows that came out, and rows that were refused, of what is no operator.
    pub(crate) fn rows(&self, out: usize, rejected: usize) {
        self.rows_out.add(out as u64);
        self.rows_rejected.add(rejected as u64);
    }

    /// Rows have come to an operator that counts them itself.
    pub(crate) fn rows_in(&self, rows: usize) {
        self.rows_in.add(rows as u64);
    }

    /// Rows have left such an operator.
    pub(crate) fn rows_out(&self, rows: usize) {
        self.rows_out.add(rows as u64);
    }

    /// Rows of such an operator were refused.
    pub(crate) fn rows_rejected(&self, rows: usize) {
        self.rows_rejected.add(rows as u64);
    }

    pub(crate) fn violation(&self, violation: Violation) {
        self.violations.count(violation);
    }

    pub(crate) fn restart(&self) {
        self.restarts.add(1);
    }

    /// Where an instance adds the memory that it takes, and takes off what it gives back.
    pub(crate) fn memory(&self) -> Gauge {
        self.memory_bytes.clone()
    }
}
