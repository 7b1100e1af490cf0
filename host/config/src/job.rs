//! How a job keeps its state and what it does after a failure, as the pipeline file says it.

use std::num::NonZeroU32;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::place::Located;
use crate::units::{ByteCount, TimeSpan};

/// The keys of `state`.
pub(crate) const STATE_KEYS: [&str; 5] = ["backend", "location", "memory", "max_cache_entries", "max_pending_windows"];
/// The most entries or windows that a bound on them can be: more than memory holds is none.
pub(crate) const STATE_COUNT_MAX: u32 = 1_000_000_000;
/// The keys of `checkpoint`.
pub(crate) const CHECKPOINT_KEYS: [&str; 7] =
    ["location", "interval", "min_pause", "timeout", "tolerable_failures", "retain", "pending_epochs"];
/// The keys of `restart`.
pub(crate) const RESTART_POLICY_KEYS: [&str; 4] = ["strategy", "attempts", "delay", "max_delay"];

/// Less holds no window worth the name; more is more than machines have.
pub(crate) const STATE_MEMORY_LIMITS: (ByteCount, ByteCount) = (ByteCount::mebibytes(1), ByteCount(1 << 44));
/// From after every batch to so rarely that windows seem stuck.
pub(crate) const WATERMARK_LIMITS: (TimeSpan, TimeSpan) = (TimeSpan(Duration::ZERO), TimeSpan(HOUR));
/// From as often as a local disk can to once a day.
pub(crate) const INTERVAL_LIMITS: (TimeSpan, TimeSpan) = (TimeSpan(Duration::from_millis(10)), TimeSpan(DAY));
/// A pause between two checkpoints.
pub(crate) const MIN_PAUSE_LIMITS: (TimeSpan, TimeSpan) = (TimeSpan(Duration::ZERO), TimeSpan(DAY));
/// How long a checkpoint may take.
pub(crate) const TIMEOUT_LIMITS: (TimeSpan, TimeSpan) = (TimeSpan(Duration::from_millis(100)), TimeSpan(DAY));
/// With fewer, a damaged one could leave nothing to go back to.
pub(crate) const RETAIN_LIMITS: (u32, u32) = (3, 10_000);
/// The most failures in a row that a job may shrug off.
pub(crate) const TOLERABLE_LIMITS: (u32, u32) = (0, 1_000_000);
/// The most epochs that may wait for their commit.
pub(crate) const PENDING_EPOCHS_MAX: u32 = 1_000;
/// A pause before the next try.
pub(crate) const DELAY_LIMITS: (TimeSpan, TimeSpan) = (TimeSpan(Duration::from_millis(1)), TimeSpan(HOUR));
/// The most tries.
pub(crate) const ATTEMPTS_MAX: u32 = 1_000_000;

const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(86_400);

/// Checkpoints: what lets a job go on after a failure without losing or repeating a row. A pipeline without them keeps
/// nothing, and commits its output at its end.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct CheckpointSpec {
    /// Where they are kept: a folder, relative to the pipeline file, or the URL of a folder in an object store
    /// (`s3://bucket/prefix`), for hosts that were built with it.
    #[schemars(length(min = 1))]
    pub location: Located<String>,
    /// From the beginning of one to that of the next: 10ms to 1d. Default: 10s.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub interval: Option<TimeSpan>,
    /// From the end of one to the beginning of the next, at least: 0s to 1d. Default: 0s.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min_pause: Option<TimeSpan>,
    /// One that takes longer is given up: 100ms to 1d. Default: 10m.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeout: Option<TimeSpan>,
    /// How many in a row may fail before the job does: 0 to 1,000,000. Default: 3.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 1_000_000))]
    pub tolerable_failures: Option<u32>,
    /// How many are kept: 3 to 10,000. Default: 3.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 3, max = 10_000))]
    pub retain: Option<u32>,
    /// How many may wait for their output to be committed before sources pause: 1 to 1,000. Default: 3.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 1_000))]
    pub pending_epochs: Option<NonZeroU32>,
}

/// Where windows and other keyed operators keep what they know.
#[derive(Debug, Clone, Default, PartialEq, Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct StateSpec {
    /// What keeps it. Default: `memory`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub backend: Option<Located<StateBackendKind>>,
    /// The folder of a backend on disk, relative to the pipeline file. What it holds is of no use without the checkpoints.
    /// Default: `state` beside the checkpoints, where those are in a folder.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1))]
    pub location: Option<Located<String>>,
    /// In memory: the most that the windows of each instance may take; a job that needs more fails. On disk: what all caches
    /// and buffers may take together. 1MiB to 16TiB. Default: 1GiB in memory, 256MiB on disk.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory: Option<ByteCount>,
    /// On disk: how many entries of each state of each instance stay in memory in front of it, beside what `memory` allows: 1 to
    /// 1,000,000,000. No effect in memory. Default: as many as `memory` has room for.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 1_000_000_000))]
    pub max_cache_entries: Option<NonZeroU32>,
    /// How many windows each instance keeps at hand; what is more waits in the state, the latest first, and is found there when
    /// it is due: 1 to 1,000,000,000. Default: as many as `memory` has room for.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 1_000_000_000))]
    pub max_pending_windows: Option<NonZeroU32>,
}

impl StateSpec {
    pub(crate) fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// What keeps keyed state.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum StateBackendKind {
    /// The memory of the process.
    #[default]
    Memory,
    /// RocksDB, in a folder; for hosts that were built with the feature `rocksdb`.
    Rocksdb,
}

/// What becomes of a job that fails for a reason that may pass.
#[derive(Debug, Clone, Default, PartialEq, Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct RestartSpec {
    /// Whether and when it is started again. Default: `none`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub strategy: Option<Located<RestartStrategy>>,
    /// How often: 1 to 1,000,000. For `fixed_delay` and `exponential`. Default: 3.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 1_000_000))]
    pub attempts: Option<NonZeroU32>,
    /// The pause before the first try: 1ms to 1h. For `fixed_delay` and `exponential`. Default: 1s.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub delay: Option<TimeSpan>,
    /// The longest pause: from `delay` to 1h. For `exponential`. Default: 1m.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_delay: Option<TimeSpan>,
}

impl RestartSpec {
    pub(crate) fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// Whether and when a failed job is started again.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RestartStrategy {
    /// Never.
    #[default]
    None,
    /// After the same pause each time.
    FixedDelay,
    /// After a pause that doubles each time.
    Exponential,
}
