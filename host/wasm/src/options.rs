//! What the pipeline file says about one plugin: configuration, limits, policy.

use std::time::Duration;

/// What one instance of a plugin may use. The same values hold for every subtask.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PluginLimits {
    /// Bytes of linear memory, all memories of an instance together (`limits.memory`). Default: 64 MiB, which holds
    /// any Rust plugin; interpreters (Python, JavaScript) need more.
    pub memory_bytes_max: usize,
    /// CPU time of the calling thread that one call on a batch may take (`limits.deadline`); `close` too. Counted
    /// from the first tick within the call, so it is kept to within two ticks of 5 ms. Default: 1 s, with room for
    /// an interpreter that spends 100 µs on each of 8,192 rows.
    pub deadline: Duration,
    /// The same for instantiation, `describe` and `open` (`limits.open_deadline`). Default: 10 s.
    pub open_deadline: Duration,
    /// Bytes that one call may put out, all batches together (`limits.output`). Default: 64 MiB.
    pub output_bytes_max: usize,
    /// Rows that one call may put out, all ports together (`limits.output_rows`). Default: 1,048,576.
    pub output_rows_max: usize,
    /// Rows that one row may become, on all ports together (`limits.rows_per_row`). Default: 65,536.
    pub rows_per_row_max: usize,
    /// Bytes that the values of those rows may have (`limits.bytes_per_row`). Default: 16 MiB.
    pub bytes_per_row_max: usize,
    /// Bytes that may cross in one call, both ways together: batches, names, messages, lines (`limits.transfer`).
    /// Default: 128 MiB.
    pub transfer_bytes_max: usize,
    /// Elements of each table (`limits.table_elements`). Default: 100,000, which holds an interpreter.
    pub table_elements_max: usize,
    /// Fresh instances that may take the place of failed ones within `restarts_within` (`limits.restarts`). One more,
    /// and the plugin is quarantined. Default: 1,024, some hundred guilty rows.
    pub restarts_max: usize,
    /// Default: 60 s.
    pub restarts_within: Duration,
}

impl Default for PluginLimits {
    fn default() -> Self {
        Self {
            memory_bytes_max: 64 << 20,
            deadline: Duration::from_secs(1),
            open_deadline: Duration::from_secs(10),
            output_bytes_max: 64 << 20,
            output_rows_max: 1 << 20,
            rows_per_row_max: 1 << 16,
            bytes_per_row_max: 16 << 20,
            transfer_bytes_max: 128 << 20,
            table_elements_max: 100_000,
            restarts_max: 1_024,
            restarts_within: Duration::from_secs(60),
        }
    }
}

/// What becomes of rows that a plugin refuses, or that make it fail (`on_error`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OnError {
    /// The job stops, unless somebody reads the operator's `errors` port: then refused rows go there. A batch refused
    /// as a whole, and a row that makes the plugin trap or exceed a limit, always stop the job. The default.
    #[default]
    Fail,
    /// Refused rows go to the `errors` port: those of a batch refused as a whole with the code `reject-batch`, those
    /// that make the plugin fail with `plugin-` and the reason, as in `plugin-unreachable`. Without a reader of that port
    /// it means the same as [`OnError::Fail`]: nothing is dropped in silence.
    DeadLetter,
    /// All these rows are counted and left out; a reader of the `errors` port sees them.
    Skip,
}

/// How batches cross to a guest and back. No pipeline file sets it: results are the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Crossing {
    /// One copy in and one copy out. The default.
    #[default]
    Direct,
    /// By arrow-ipc's encoder and wasmtime's own lists: the oracle of tests, and the fallback.
    Stock,
}

/// What the pipeline file says about one plugin.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct PluginOptions {
    /// Handed to the plugin's `open` as JSON text; null counts as `{}`. Default: null.
    pub config: serde_json::Value,
    /// Bounds on each instance.
    pub limits: PluginLimits,
    /// What becomes of refused rows.
    pub on_error: OnError,
    /// How batches cross. Default: direct.
    pub crossing: Crossing,
    /// Where bundles of failed calls go, which [`replay`](crate::replay) makes again; all operators of a job share one.
    /// Bundles have rows and state of the job in them. Default: none are written.
    pub repro: Option<std::sync::Arc<crate::Repro>>,
}
