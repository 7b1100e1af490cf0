//! How a job keeps its state and what it does after a failure, as the pipeline file says it.

use std::num::NonZeroU32;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::place::Located;
use crate::units::{ByteCount, TimeSpan};

/// The keys of `state`.
pub(crate) const STATE_KEYS: [&str; 3] = ["backend", "location", "memory"];
/// The keys of `restart`.
pub(crate) const RESTART_POLICY_KEYS: [&str; 4] = ["strategy", "attempts", "delay", "max_delay"];

/// Less holds no window worth the name; more is more than machines have.
pub(crate) const STATE_MEMORY_LIMITS: (ByteCount, ByteCount) = (ByteCount::mebibytes(1), ByteCount(1 << 44));
/// From after every batch to so rarely that windows seem stuck.
pub(crate) const WATERMARK_LIMITS: (TimeSpan, TimeSpan) = (TimeSpan(Duration::ZERO), TimeSpan(HOUR));
/// A pause before the next try.
pub(crate) const DELAY_LIMITS: (TimeSpan, TimeSpan) = (TimeSpan(Duration::from_millis(1)), TimeSpan(HOUR));
/// The most tries.
pub(crate) const ATTEMPTS_MAX: u32 = 1_000_000;

const HOUR: Duration = Duration::from_secs(3600);

/// Where windows and other keyed operators keep what they know.
#[derive(Debug, Clone, Default, PartialEq, Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct StateSpec {
    /// What keeps it. Default: `memory`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub backend: Option<Located<StateBackendKind>>,
    /// The folder of a backend on disk, relative to the pipeline file.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1))]
    pub location: Option<Located<String>>,
    /// The most memory that the windows of each instance may take: 1MiB to 16TiB. A job that needs more fails. Default: 1GiB.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory: Option<ByteCount>,
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
