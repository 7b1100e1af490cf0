//! What the host keeps beside one instance: limits, and the state of its imports.

use std::sync::Arc;

use volley_api::{Clock, SystemClock};
use wasmtime::{Engine, Store};

use crate::held::Tape;
use crate::http::side::{Grant, HttpSide};
use crate::imports::emitter::Emitter;
use crate::imports::log::{Log, LogRate};
use crate::imports::random::Random;
use crate::imports::wasi::Wasi;
use crate::keyed::Keyed;
use crate::limits::{Deadline, HostBudget, Limiter, Transfer};
use crate::metrics::PluginMetrics;
use crate::options::{Crossing, PluginLimits};
use crate::plugin::Who;

/// Bytes of texts (rejects, names) that one call may give back beside its batches.
const TEXT_BYTES_MAX: usize = 16 << 20;

/// Which export is running, and so which imports may be called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Instantiation, `describe`, `open`, `forget`, and the functions of `snapshot`: only `log`, and WASI, which is inert.
    Binding,
    /// A batch, timers or a watermark are being processed: everything.
    Batch,
    /// `close`: everything but `emit`.
    Closing,
}

/// The host's side of one instance.
pub(crate) struct HostState {
    pub(crate) phase: Phase,
    pub(crate) limiter: Limiter,
    pub(crate) transfer: Transfer,
    /// What [`lift_bytes_max`] came to.
    pub(crate) lift_bytes_max: usize,
    pub(crate) deadline: Deadline,
    pub(crate) log: Log,
    pub(crate) metrics: Arc<PluginMetrics>,
    pub(crate) clock: Arc<dyn Clock>,
    /// The time of the call under way, once it was asked for.
    pub(crate) now_ms: Option<u64>,
    pub(crate) random: Random,
    pub(crate) emitter: Emitter,
    pub(crate) http: HttpSide,
    /// Keys, states and timers, while a call of a process operator runs.
    pub(crate) keyed: Option<Box<Keyed>>,
    /// What the host answers in the call under way: noted, or given once more.
    pub(crate) tape: Tape,
    /// Whether answers of servers are kept for the call under way alone.
    pub(crate) notes_http: bool,
    pub(crate) wasi: Wasi,
}

impl HostState {
    /// An import other than `log` was called: is this the time for it?
    pub(crate) fn require_batch_or_close(&self, import: &'static str) -> wasmtime::Result<()> {
        if self.phase == Phase::Binding { Err(NotNow { import, rule: "only `log` may be" }.into()) } else { Ok(()) }
    }
}

/// An import was called where the contract forbids it.
#[derive(Debug, thiserror::Error)]
#[error("`{import}` was called where {rule}")]
pub(crate) struct NotNow {
    import: &'static str,
    rule: &'static str,
}

impl NotNow {
    /// Something was called that is only for batches and timers.
    pub(crate) fn outside_a_batch(import: &'static str) -> Self {
        Self { import, rule: "neither a batch nor timers are processed" }
    }

    /// State or timers were called, and no key is under way.
    pub(crate) fn without_key(import: &'static str) -> Self {
        Self { import, rule: "no key is under way: it is for `process` and `on-timers`" }
    }
}

/// What an instance that runs in a job has, and one that only binds has not.
#[derive(Clone)]
pub(crate) struct JobParts {
    pub(crate) metrics: Arc<PluginMetrics>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) random: Random,
    /// Node and index of the subtask, for the log.
    pub(crate) task: Option<(String, u32)>,
    /// What the subtask may write to the log, through all its instances.
    pub(crate) log_rate: Arc<LogRate>,
    /// How batches cross.
    pub(crate) crossing: Crossing,
    /// Whom it may send requests to.
    pub(crate) http: Option<Grant>,
    /// Its lines go nowhere.
    pub(crate) is_muted: bool,
}

impl Default for JobParts {
    fn default() -> Self {
        let (metrics, clock) = (Arc::new(PluginMetrics::default()), Arc::new(SystemClock));
        let (log_rate, crossing) = (Arc::default(), Crossing::default());
        Self { metrics, clock, random: Random::default(), task: None, log_rate, crossing, http: None, is_muted: false }
    }
}

/// Bytes that the results of one call may have: the output, and texts (rejects) beside it.
pub(crate) fn lift_bytes_max(limits: &PluginLimits) -> usize {
    limits.output_bytes_max.saturating_add(limits.output_bytes_max.min(TEXT_BYTES_MAX)).min(limits.transfer_bytes_max)
}

/// A fresh store with its limits in place.
pub(crate) fn new_store(
    engine: &Engine,
    budget: &Arc<HostBudget>,
    limits: &PluginLimits,
    who: &Who,
    job: JobParts,
) -> Store<HostState> {
    let state = HostState {
        phase: Phase::Binding,
        limiter: Limiter::new(limits, budget, job.metrics.memory()),
        transfer: Transfer::new(limits),
        lift_bytes_max: lift_bytes_max(limits),
        deadline: Deadline::default(),
        log: Log::new(who, job.task, job.log_rate).muted(job.is_muted),
        metrics: job.metrics,
        clock: job.clock,
        now_ms: None,
        random: job.random,
        emitter: Emitter::new(limits),
        http: HttpSide::new(limits, job.http),
        keyed: None,
        tape: Tape::Off,
        notes_http: false,
        wasi: Wasi::default(),
    };
    let mut store = Store::new(engine, state);
    store.limiter(|state| &mut state.limiter);
    store.epoch_deadline_callback(|mut context| context.data_mut().deadline.on_tick());
    store.set_hostcall_fuel(lift_bytes_max(limits));
    store
}
