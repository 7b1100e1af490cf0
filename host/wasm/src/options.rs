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
    /// The same for instantiation, `describe` and `open`. Default: 10 s.
    pub open_deadline: Duration,
    /// Bytes that one call may put out, all batches together. Default: 64 MiB.
    pub output_bytes_max: usize,
    /// Rows that one call may put out, all ports together. Default: 1,048,576.
    pub output_rows_max: usize,
}

impl Default for PluginLimits {
    fn default() -> Self {
        Self {
            memory_bytes_max: 64 << 20,
            deadline: Duration::from_secs(1),
            open_deadline: Duration::from_secs(10),
            output_bytes_max: 64 << 20,
            output_rows_max: 1 << 20,
        }
    }
}

/// What becomes of rows that a plugin refuses (`on_error`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OnError {
    /// The job stops, unless somebody reads the operator's `errors` port: then refused rows go there. A batch refused
    /// as a whole always stops the job. The default.
    #[default]
    Fail,
    /// Refused rows go to the `errors` port, those of a batch refused as a whole with the code `reject-batch`.
    /// Without a reader of that port it means the same as [`OnError::Fail`]: nothing is dropped in silence.
    DeadLetter,
    /// Refused rows, and batches refused as a whole, are counted and left out; a reader of the `errors` port sees them.
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
}
