//! What a plugin may use, as the pipeline file says it: each limit with its unit, its default and its bounds.
//!
//! Defaults are those of `volley-wasm`; what stands here is only what was written. What the host allows all plugins
//! together is no matter of a pipeline.

use std::num::NonZeroU32;
use std::time::Duration;

use schemars::JsonSchema;
use serde::Serialize;

use crate::units::{ByteCount, TimeSpan};

/// The keys of `limits`, in the order of [`LimitsSpec`].
pub(crate) const LIMIT_KEYS: [&str; 14] = [
    "memory",
    "deadline",
    "open_deadline",
    "output",
    "output_rows",
    "rows_per_row",
    "bytes_per_row",
    "transfer",
    "table_elements",
    "http_requests",
    "http_bytes",
    "http_timeout",
    "http_time",
    "restarts",
];

/// The keys of `limits.restarts`.
pub(crate) const RESTART_KEYS: [&str; 2] = ["max", "within"];

/// The smallest memory that holds a WebAssembly page, and the largest that 32 bits address.
pub(crate) const MEMORY_LIMITS: (ByteCount, ByteCount) = (ByteCount(64 << 10), ByteCount(4 << 30));

/// The shortest time that can be told from none by a clock of milliseconds, and more than any call should take.
pub(crate) const TIME_LIMITS: (TimeSpan, TimeSpan) =
    (TimeSpan(Duration::from_millis(1)), TimeSpan(Duration::from_secs(3600)));

/// The smallest message has some hundred bytes; the largest is no larger than the largest memory.
pub(crate) const BYTES_LIMITS: (ByteCount, ByteCount) = (ByteCount(1 << 10), ByteCount(4 << 30));

/// The most rows that a limit can let out: their parents alone take 64 MiB.
pub(crate) const ROWS_MAX: u32 = 1 << 24;

/// The most elements of a table that a limit can let a plugin have: 80 MB of the host's memory for each table.
pub(crate) const TABLE_ELEMENTS_MAX: u32 = 10_000_000;

/// The most requests that a limit can let one call send.
pub(crate) const HTTP_REQUESTS_MAX: u32 = 65_536;

/// The most fresh instances that a budget can allow.
pub(crate) const RESTARTS_MAX: u32 = 1_000_000;

/// What each instance of a plugin may use.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct LimitsSpec {
    /// The most linear memory: 64KiB to 4GiB. Default: 64MiB.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory: Option<ByteCount>,
    /// The most time that one call may take, counted in processor time of the thread: 1ms to 1h. Default: 1s.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deadline: Option<TimeSpan>,
    /// The same for starting the plugin and opening it: 1ms to 1h. Default: 10s.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub open_deadline: Option<TimeSpan>,
    /// The most bytes that one call may put out, all batches together: 1KiB to 4GiB. Default: 64MiB.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub output: Option<ByteCount>,
    /// The most rows that one call may put out, all ports together: 1 to 16,777,216. Default: 1,048,576.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 16_777_216))]
    pub output_rows: Option<NonZeroU32>,
    /// The most rows that one row may become, on all ports together: 1 to 16,777,216. Default: 65,536.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 16_777_216))]
    pub rows_per_row: Option<NonZeroU32>,
    /// The most bytes that the values of one row may become: 1KiB to 4GiB. Default: 16MiB.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bytes_per_row: Option<ByteCount>,
    /// The most bytes that may cross in one call, both ways together: batches, names, messages, lines of the log.
    /// 1KiB to 4GiB. Default: 128MiB.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub transfer: Option<ByteCount>,
    /// The most elements of each of its tables, which hold its functions: 1 to 10,000,000. Default: 100,000.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 10_000_000))]
    pub table_elements: Option<NonZeroU32>,
    /// The most requests that one call may send: 1 to 65,536. Default: 256.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 65_536))]
    pub http_requests: Option<NonZeroU32>,
    /// The most bytes of requests and answers of one call together: 1KiB to 4GiB. Default: 16MiB.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub http_bytes: Option<ByteCount>,
    /// The most time for one request, from the look-up of its name to the last byte of its answer: 1ms to 1h. Default: 10s.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub http_timeout: Option<TimeSpan>,
    /// The most time for all requests of one call together, which does not count towards `deadline`: 1ms to 1h. Default:
    /// 30s.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub http_time: Option<TimeSpan>,
    /// How often it may fail and be started again before it is quarantined.
    #[serde(skip_serializing_if = "RestartsSpec::is_empty")]
    #[schemars(default)]
    pub restarts: RestartsSpec,
}

/// How often a plugin may fail: a fresh instance takes the place of one that trapped or exceeded a limit. One more than
/// that, and no instance of it is started in this host for a while.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct RestartsSpec {
    /// The most fresh instances of one subtask: 1 to 1,000,000. Finding one guilty row in a full batch takes about 15.
    /// Default: 1,024.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 1_000_000))]
    pub max: Option<NonZeroU32>,
    /// Within how long: 1ms to 1h. Default: 60s.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub within: Option<TimeSpan>,
}

impl LimitsSpec {
    pub(crate) fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

impl RestartsSpec {
    fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}
