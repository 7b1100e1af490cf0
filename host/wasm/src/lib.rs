//! Runs operators that arrive as WebAssembly components: load, check, compile, cache, limit, call.
//!
//! [`PluginEngine`] is one per process; [`Plugin`] is one component, checked and compiled; [`PluginFactory`] is that
//! component with a configuration and limits, as the [`volley_api::OperatorFactory`] that a plan knows. Each subtask
//! gets an instance in a store of its own, kept for the job's life. Batches cross by a
//! [path](crate::path) behind a trait; what comes back passes `volley-ipc`.
//!
//! This crate must not know connectors, expressions, tasks, state backends or the pipeline file. All unsafe code of
//! the boundary stands in `src/abi/`, each piece with its proof.

mod abi;
mod again;
mod aggregate;
mod bind;
mod bind_keys;
mod bind_state;
mod bind_values;
mod cache;
mod calls;
mod codec;
mod compile;
mod contract;
mod engine;
mod error;
mod factory;
mod grants;
mod guest;
mod held;
mod hooks;
mod http;
mod imports;
mod input;
mod inspect;
mod instances;
mod keyed;
mod limits;
mod metrics;
mod operator;
mod options;
mod path;
mod places;
mod plugin;
mod quarantine;
mod refusals;
mod repro;
mod scalar;
mod store;
mod text;
mod ticks;
mod trap;
mod twice;
mod violation;

pub use aggregate::{DELTA_BYTES_MAX, PluginAggregates};
pub use bind::PORTS_MAX;
pub use cache::default_cache_dir;
pub use codec::PluginCodec;
pub use compile::{CompileIn, CompileLimits, compile_worker};
pub use engine::{EngineSettings, PluginEngine, PoolMisses, PoolSettings, Trust};
pub use error::{Error, Result};
pub use factory::PluginFactory;
pub use grants::Grants;
pub use held::{PARTS_MAX, SNAPSHOT_FAILURES_MAX};
pub use http::{
    AddressKind, HttpAllowance, HttpAnswer, HttpFailure, HttpMethod, HttpRequest, HttpResponse, HttpTransport,
    InvalidOrigin, Origin, kind_of_address,
};
#[cfg(feature = "http")]
pub use http::{HttpClient, HttpClientSettings, Lookup};
pub use imports::emitter::EMITS_PER_CALL_MAX;
pub use imports::log::{BYTES_PER_CALL_MAX as LOG_BYTES_PER_CALL_MAX, LINES_PER_CALL_MAX as LOG_LINES_PER_CALL_MAX};
pub use input::PluginInput;
pub use inspect::{COMPONENT_BYTES_MAX, PluginInfo, PluginKind};
pub use keyed::{
    KEYS_LIVE_MAX, STATE_BYTES_PER_CALL_MAX, STATE_ENTRIES_PER_CALL_MAX, STATE_ENTRIES_PER_KEY_MAX,
    STATE_READ_BYTES_PER_CALL_MAX, STATE_VALUE_BYTES_MAX, STATES_MAX, TIMERS_AFTER_END_MAX, TIMERS_MAX,
    TIMERS_PER_CALL_MAX, TIMERS_PER_KEY_MAX, TIMERS_PER_WATERMARK_MAX,
};
pub use limits::HostLimits;
pub use metrics::{Histogram, METRICS, Metric, MetricsSnapshot, NAMES_MAX as METRIC_NAMES_MAX, PluginMetrics};
pub use operator::{CALL_BYTES_MAX, CALL_ROWS_MAX, RETRIES_MAX, RETRY_WAIT_MS_MAX};
pub use options::{Crossing, DETERMINISM_SAMPLE, OnError, OnNoValue, PluginLimits, PluginOptions};
pub use plugin::{Description, Determinism, Plugin, PluginBinding, PluginPort};
pub use repro::{REPRO_BUNDLES_MAX, REPRO_BYTES_MAX, ReplayOptions, Replayed, Repro, replay};
pub use scalar::PluginScalar;
pub use trap::{Trap, TrapFrame, TrapReason};
pub use violation::Violation;
