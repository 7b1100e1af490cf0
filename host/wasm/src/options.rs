//! What the pipeline file says about one plugin: configuration, limits, policy.

use std::time::Duration;

use crate::grants::Grants;

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
    /// Requests that one call may send (`limits.http_requests`). Default: 256.
    pub http_requests_max: usize,
    /// Bytes of requests and answers of one call together (`limits.http_bytes`). Default: 16 MiB.
    pub http_bytes_max: usize,
    /// Time for one request, by the wall, from the look-up of its name to the last byte of its answer
    /// (`limits.http_timeout`). Default: 10 s.
    pub http_request_timeout: Duration,
    /// Time that all requests of one call may take together, by the wall (`limits.http_time`); it does not count towards
    /// `deadline`, which is of CPU time. Default: 30 s.
    pub http_call_timeout: Duration,
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
            http_requests_max: 256,
            http_bytes_max: 16 << 20,
            http_request_timeout: Duration::from_secs(10),
            http_call_timeout: Duration::from_secs(30),
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

/// What becomes of rows for which a function has no value (`on_error` of a function).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OnNoValue {
    /// The expression fails for the row, and so does the job, unless the expression leaves the row out (`CASE`, `AND`). The
    /// default.
    #[default]
    Fail,
    /// The value is null, and the row is counted as refused.
    Null,
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

/// Of how many calls one is made twice, unless told otherwise.
pub const DETERMINISM_SAMPLE: u32 = 256;

/// What the pipeline file says about one plugin.
#[derive(Debug, Clone, PartialEq)]
pub struct PluginOptions {
    /// Handed to the plugin's `open` as JSON text; null counts as `{}`. Default: null.
    pub config: serde_json::Value,
    /// Bounds on each instance.
    pub limits: PluginLimits,
    /// What becomes of refused rows.
    pub on_error: OnError,
    /// How batches cross. Default: direct.
    pub crossing: Crossing,
    /// What it may see, and whom it may ask. Default: all columns, nobody.
    pub grants: Grants,
    /// One of so many calls is made twice, to see whether the plugin is as deterministic as it says; 0: none. Of an
    /// aggregate, one of so many drains, with the calls since the one before, and one of so many evaluations. Default:
    /// [`DETERMINISM_SAMPLE`].
    pub determinism_sample: u32,
    /// Where bundles of failed calls go, which [`replay`](crate::replay) makes again; all operators of a job share one.
    /// Bundles have rows and state of the job in them. Default: none are written.
    pub repro: Option<std::sync::Arc<crate::Repro>>,
}

impl Default for PluginOptions {
    fn default() -> Self {
        Self {
            config: serde_json::Value::Null,
            limits: PluginLimits::default(),
            on_error: OnError::default(),
            crossing: Crossing::default(),
            grants: Grants::default(),
            determinism_sample: DETERMINISM_SAMPLE,
            repro: None,
        }
    }
}
