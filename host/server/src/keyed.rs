//! Event time, windows and state as the pipeline file has them, in the terms of the runtime.

use std::num::{NonZeroU32, NonZeroUsize};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use volley_api::{AggregatorFactory, EventTimeColumn, Result, StateBackend};
use volley_config::{
    AggregateSpec, ByteCount, DedupeSpec, EventTimeSpec, PipelineSpec, SlidingSpec, StateBackendKind, StateSpec,
    WatermarkSpec, WindowKind, WindowSpec,
};
use volley_expr::{Aggregates, Functions};
use volley_runtime::{DedupeFactory, EventTime, WatermarkStrategy, Window, WindowFactory};
use volley_state::MemoryBackend;
#[cfg(feature = "rocksdb")]
use volley_state::{RocksBackend, RocksOptions};

#[cfg(feature = "rocksdb")]
use crate::checkpoints;

/// Memory of one instance of a keyed operator, unless the pipeline says otherwise.
const MEMORY: ByteCount = ByteCount::mebibytes(1024);
/// Memory for all state on disk together, unless the pipeline says otherwise.
#[cfg(feature = "rocksdb")]
const MEMORY_ON_DISK: ByteCount = ByteCount::mebibytes(256);

/// Refuses what this build does not have, though the pipeline file can say it.
pub(crate) fn check(spec: &PipelineSpec) -> Result<()> {
    if cfg!(feature = "rocksdb") {
        return Ok(());
    }
    if let Some(backend) = spec.state.backend.as_ref().filter(|backend| backend.value == StateBackendKind::Rocksdb) {
        let message = "state on disk comes with the feature `rocksdb`, which this build does not have: \
                       write `backend: memory`";
        return Err(backend.place.error(message).into());
    }
    Ok(())
}

/// The event time of a source's rows.
pub(crate) fn event_time(spec: &EventTimeSpec) -> EventTime {
    let strategy = match &spec.watermark {
        WatermarkSpec::MaxOutOfOrderness(span) => WatermarkStrategy::BoundedOutOfOrderness(span.0),
        WatermarkSpec::Strategy(volley_config::Strategy::Monotonous) => WatermarkStrategy::Monotonous,
        WatermarkSpec::WatermarkColumn(column) => WatermarkStrategy::Column(column.value.clone()),
    };
    EventTime {
        column: EventTimeColumn::new(&spec.column),
        strategy,
        idle_after: spec.idle_after.map(|span| span.0),
        ordered: spec.ordered,
    }
}

/// Aggregates over windows.
pub(crate) fn windows(spec: &AggregateSpec, state: &StateSpec, functions: &Functions) -> WindowFactory {
    let keys = spec.key_by.iter().map(|key| key.value.clone()).collect();
    let results = spec.aggregate.0.iter().map(|result| (result.name.clone(), result.sql.value.clone())).collect();
    windowed(keys, spec.window.as_ref(), Arc::new(Aggregates::new(results).with_functions(functions)), state)
}

/// Any aggregates over windows.
pub(crate) fn windowed(
    keys: Vec<String>,
    window: Option<&WindowSpec>,
    aggregates: Arc<dyn AggregatorFactory>,
    state: &StateSpec,
) -> WindowFactory {
    let lateness = window.and_then(|window| window.allowed_lateness).map_or(Duration::ZERO, |span| span.0);
    let kind = window.map_or(Window::Global, |window| cut(window.kind));
    let factory = WindowFactory::new(keys, kind, aggregates)
        .with_allowed_lateness(lateness)
        .with_memory_limit(memory_bytes(state))
        .with_max_cache_entries(entries(state.max_cache_entries))
        .with_max_pending_windows(entries(state.max_pending_windows));
    match window.and_then(|window| window.late.clone()) {
        Some(port) => factory.with_late_port(port),
        None => factory,
    }
}

/// The first row of each key within a stretch of time.
pub(crate) fn dedupe(spec: &DedupeSpec, state: &StateSpec) -> DedupeFactory {
    let by = spec.by.iter().map(|key| key.value.clone()).collect();
    DedupeFactory::new(by, spec.within.0)
        .with_memory_limit(memory_bytes(state))
        .with_max_cache_entries(entries(state.max_cache_entries))
}

fn cut(kind: WindowKind) -> Window {
    match kind {
        WindowKind::Tumbling(size) => Window::Tumbling { size: size.0 },
        WindowKind::Sliding(SlidingSpec { size, slide }) => Window::Sliding { size: size.0, slide: slide.0 },
        WindowKind::Session(gap) => Window::Session { gap: gap.0 },
        WindowKind::Count(rows) => Window::Count { rows: u64::from(rows.get()) },
    }
}

/// Where keyed state is kept.
pub(crate) fn state(spec: &PipelineSpec, folder: &Path) -> Result<Arc<dyn StateBackend>> {
    match spec.state.backend.as_ref().map(|backend| backend.value) {
        None | Some(StateBackendKind::Memory) => Ok(Arc::new(MemoryBackend::new(memory_bytes(&spec.state)))),
        Some(StateBackendKind::Rocksdb) => on_disk(spec, folder),
    }
}

/// State in RocksDB, in the job's folder.
#[cfg(feature = "rocksdb")]
fn on_disk(spec: &PipelineSpec, folder: &Path) -> Result<Arc<dyn StateBackend>> {
    let folder = checkpoints::state_folder(spec, folder)?.join("rocksdb");
    let memory = spec.state.memory.unwrap_or(MEMORY_ON_DISK).0;
    let options = RocksOptions::new(usize::try_from(memory).unwrap_or(usize::MAX));
    Ok(Arc::new(RocksBackend::new(folder, options)?))
}

#[cfg(not(feature = "rocksdb"))]
fn on_disk(spec: &PipelineSpec, _: &Path) -> Result<Arc<dyn StateBackend>> {
    check(spec)?;
    Err(volley_api::Error::internal("state on disk was not refused"))
}

/// A number of the pipeline file as the runtime counts.
fn entries(number: Option<NonZeroU32>) -> Option<NonZeroUsize> {
    number.and_then(|number| NonZeroUsize::try_from(number).ok())
}

fn memory_bytes(spec: &StateSpec) -> usize {
    usize::try_from(spec.memory.unwrap_or(MEMORY).0).unwrap_or(usize::MAX)
}
