//! The two engines of one degree of trust: one whose instances come from a pool, one that allocates on demand. They
//! compile alike, so code made for one runs in the other.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use wasmtime::component::{Component, Linker};
use wasmtime::{Engine, PoolConcurrencyLimitError};

use super::config::config;
use super::{PoolMisses, PoolSettings, TABLE_ELEMENTS_MAX, Trust};
use crate::abi::deserialize::Artefact;
use crate::imports;
use crate::store::HostState;
use crate::ticks::Ticks;

/// A wasmtime engine with the host's imports.
pub(crate) struct LinkedEngine {
    wasmtime: Engine,
    linker: Linker<HostState>,
}

impl LinkedEngine {
    pub(crate) fn wasmtime(&self) -> &Engine {
        &self.wasmtime
    }

    pub(crate) fn linker(&self) -> &Linker<HostState> {
        &self.linker
    }
}

/// The engines of one degree of trust.
pub(crate) struct EnginePair {
    /// None where no pool is wanted, or the address space for it cannot be had.
    pooled: Option<LinkedEngine>,
    on_demand: OnceLock<LinkedEngine>,
    trust: Trust,
    memory_bytes_max: u64,
    ticks: Arc<Ticks>,
    full: AtomicU64,
    too_large: AtomicU64,
    told: AtomicBool,
}

/// Where a component's instances live, and the component made ready for there.
pub(crate) struct Placed<'a> {
    pub(crate) engine: &'a LinkedEngine,
    pub(crate) component: Component,
    pub(crate) pooled: bool,
}

impl EnginePair {
    pub(super) fn new(trust: Trust, pool: &PoolSettings, ticks: &Arc<Ticks>) -> wasmtime::Result<Self> {
        let pair = Self {
            pooled: pool.allocation().and_then(|allocation| {
                // A limit on address space (`ulimit -v`), a small machine or strict overcommit: plugins run all the same.
                start(trust, Some(allocation), ticks)
                    .inspect_err(|error| {
                        let error = format!("{error:#}");
                        tracing::warn!(error, "no pool for plugin instances: they are allocated on demand");
                    })
                    .ok()
            }),
            on_demand: OnceLock::new(),
            trust,
            memory_bytes_max: pool.memory_bytes_max,
            ticks: Arc::clone(ticks),
            full: AtomicU64::new(0),
            too_large: AtomicU64::new(0),
            told: AtomicBool::new(false),
        };
        if pair.pooled.is_none() {
            pair.on_demand()?;
        }
        Ok(pair)
    }

    pub(crate) fn trust(&self) -> Trust {
        self.trust
    }

    /// The engine with the pool, or the other where there is none: compiling and cache keys are the same for both.
    pub(crate) fn any(&self) -> wasmtime::Result<&LinkedEngine> {
        self.pooled.as_ref().map_or_else(|| self.on_demand(), Ok)
    }

    /// The engine that allocates on demand, started when it is needed first.
    pub(crate) fn on_demand(&self) -> wasmtime::Result<&LinkedEngine> {
        if self.on_demand.get().is_none() {
            let engine = start(self.trust, None, &self.ticks)?;
            // Two threads may get here at once; the engine of one is dropped again.
            let _ = self.on_demand.set(engine);
        }
        self.on_demand.get().ok_or_else(|| wasmtime::Error::msg("the engine was not kept"))
    }

    /// Makes compiled code ready: for the pool, unless its parts are larger than the pool's slots.
    pub(crate) fn place(&self, artefact: &Artefact, plugin: &str) -> wasmtime::Result<Placed<'_>> {
        let problem = match &self.pooled {
            Some(engine) => match artefact.component(&engine.wasmtime) {
                Ok(component) => return Ok(Placed { engine, component, pooled: true }),
                Err(problem) => Some(problem),
            },
            None => None,
        };
        let engine = self.on_demand()?;
        let component = artefact.component(&engine.wasmtime)?;
        if let Some(problem) = problem {
            let problem = format!("{problem:#}");
            tracing::warn!(plugin, problem, "too large for the pool: its instances are allocated on demand");
        }
        Ok(Placed { engine, component, pooled: false })
    }

    /// Whether a memory may grow to so many bytes, and a table to so many elements, within the pool.
    pub(crate) fn pool_holds(&self, memory_bytes: usize, table_elements: usize) -> bool {
        memory_bytes as u64 <= self.memory_bytes_max && table_elements <= TABLE_ELEMENTS_MAX
    }

    /// An instance is allocated on demand because no slot is free.
    pub(crate) fn count_full(&self, plugin: &str) {
        self.full.fetch_add(1, Ordering::Relaxed);
        if self.told.swap(true, Ordering::Relaxed) {
            tracing::debug!(plugin, "the pool for plugin instances is full");
        } else {
            tracing::warn!(plugin, "the pool for plugin instances is full: further ones are allocated on demand");
        }
    }

    /// An instance is allocated on demand because it does not fit into a slot.
    pub(crate) fn count_too_large(&self) {
        if self.pooled.is_some() {
            self.too_large.fetch_add(1, Ordering::Relaxed);
        }
    }

    pub(super) fn misses(&self) -> PoolMisses {
        PoolMisses { full: self.full.load(Ordering::Relaxed), too_large: self.too_large.load(Ordering::Relaxed) }
    }

    pub(super) fn has_pool(&self) -> bool {
        self.pooled.is_some()
    }
}

/// Whether an instance could not be made because all slots are taken.
pub(crate) fn is_pool_full(error: &wasmtime::Error) -> bool {
    error.is::<PoolConcurrencyLimitError>()
}

fn start(
    trust: Trust,
    pool: Option<wasmtime::PoolingAllocationConfig>,
    ticks: &Ticks,
) -> wasmtime::Result<LinkedEngine> {
    let wasmtime = Engine::new(&config(trust, pool))?;
    let linker = imports::linker(&wasmtime)?;
    if trust == Trust::Untrusted {
        ticks.add(&wasmtime);
    }
    Ok(LinkedEngine { wasmtime, linker })
}
