//! The one engine of a process, with its frozen configuration.

use std::fmt;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::Arc;

use wasmtime::component::{Component, Linker};
use wasmtime::{Config, Engine};

use crate::cache::{Cache, default_cache_dir};
use crate::limits::{HostBudget, HostLimits};
use crate::quarantine::Quarantine;
use crate::store::HostState;
use crate::ticks::Ticks;
use crate::{Error, Result, imports};

/// Bytes of stack for a guest. A chain's thread must have this and some more.
const GUEST_STACK_BYTES: usize = 512 << 10;

/// Frames of a guest's stack that are kept when it traps.
const BACKTRACE_FRAMES_MAX: NonZeroUsize = NonZeroUsize::new(32).expect("not zero");

/// Settings of the engine, from the host and never from a pipeline file.
#[derive(Debug, Clone)]
pub struct EngineSettings {
    /// Where compiled components are kept; `None` compiles anew in each process. A folder that cannot be made or that
    /// others can write to is not used, and the log says so. Default: [`default_cache_dir`].
    pub cache_dir: Option<PathBuf>,
    /// What all plugins may use together.
    pub limits: HostLimits,
}

impl Default for EngineSettings {
    fn default() -> Self {
        Self { cache_dir: default_cache_dir(), limits: HostLimits::default() }
    }
}

/// Wasmtime, configured once, with the host's imports and the cache of compiled components. One per process.
pub struct PluginEngine {
    engine: Engine,
    linker: Linker<HostState>,
    cache: Option<Cache>,
    ticks: Arc<Ticks>,
    quarantine: Quarantine,
    budget: Arc<HostBudget>,
}

impl PluginEngine {
    /// Starts the engine and its tick thread, which ends with it.
    ///
    /// # Errors
    /// When the platform lacks what the engine needs, or no thread can be started.
    pub fn new(settings: &EngineSettings) -> Result<Arc<Self>> {
        let engine = Engine::new(&config()).map_err(|error| Error::engine(&error))?;
        let linker = imports::linker(&engine).map_err(|error| Error::engine(&error))?;
        let cache = settings.cache_dir.as_deref().and_then(|folder| match Cache::open(folder, &engine) {
            Ok(cache) => Some(cache),
            Err(error) => {
                tracing::warn!(folder = %folder.display(), %error, "compiled plugins are not cached");
                None
            }
        });
        let ticks = Ticks::start(&engine).map_err(|error| Error::Engine(error.to_string()))?;
        Ok(Arc::new(Self {
            engine,
            linker,
            cache,
            ticks: Arc::new(ticks),
            quarantine: Quarantine::default(),
            budget: Arc::new(HostBudget::new(settings.limits)),
        }))
    }

    pub(crate) fn wasmtime(&self) -> &Engine {
        &self.engine
    }

    pub(crate) fn linker(&self) -> &Linker<HostState> {
        &self.linker
    }

    pub(crate) fn ticks(&self) -> &Arc<Ticks> {
        &self.ticks
    }

    pub(crate) fn quarantine(&self) -> &Quarantine {
        &self.quarantine
    }

    pub(crate) fn budget(&self) -> &Arc<HostBudget> {
        &self.budget
    }

    /// The compiled component: from the cache, or compiled now and put there.
    pub(crate) fn compile(&self, bytes: &[u8], digest: &str, name: &str) -> wasmtime::Result<Component> {
        if let Some(component) = self.cache.as_ref().and_then(|cache| cache.get(&self.engine, digest)) {
            return Ok(component);
        }
        tracing::debug!(plugin = name, bytes = bytes.len(), "compiling");
        let component = Component::from_binary(&self.engine, bytes)?;
        if let Some(cache) = &self.cache {
            cache.put(digest, &component);
        }
        Ok(component)
    }
}

impl fmt::Debug for PluginEngine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PluginEngine").field("cache", &self.cache).finish_non_exhaustive()
    }
}

/// The frozen configuration (design §7): components, ticks, and none of the proposals that a plugin has no use for.
/// Threads, exceptions and the collector are not even compiled in.
fn config() -> Config {
    let mut config = Config::new();
    config
        .wasm_component_model(true)
        .concurrency_support(false)
        .epoch_interruption(true)
        .max_wasm_stack(GUEST_STACK_BYTES)
        .wasm_backtrace_max_frames(Some(BACKTRACE_FRAMES_MAX))
        .generate_address_map(true)
        // Whether a NaN keeps its payload differs between processors; results may not.
        .cranelift_nan_canonicalization(true)
        .shared_memory(false)
        .gc_support(false)
        .wasm_shared_everything_threads(false)
        .wasm_gc(false)
        .wasm_tail_call(false)
        .wasm_relaxed_simd(false)
        .wasm_memory64(false)
        .wasm_multi_memory(false)
        .wasm_custom_page_sizes(false)
        .wasm_wide_arithmetic(false)
        .wasm_stack_switching(false)
        .wasm_component_model_error_context(false)
        .wasm_component_model_gc(false)
        .wasm_component_model_map(false)
        .wasm_component_model_memory64(false)
        .wasm_component_model_fixed_length_lists(false);
    config
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn proposals_that_are_off_are_refused() {
        let engine =
            PluginEngine::new(&EngineSettings { cache_dir: None, ..EngineSettings::default() }).expect("starts");
        let modules = [
            ("threads", "(module (memory 1 1 shared))"),
            ("memory64", "(module (memory i64 1))"),
            ("multi-memory", "(module (memory 1) (memory 1))"),
            ("tail calls", "(module (func $f (return_call $f)))"),
            ("exceptions", "(module (tag))"),
            ("gc", "(module (type (struct)))"),
            ("custom page sizes", "(module (memory 1 (pagesize 1)))"),
            (
                "relaxed simd",
                "(module (func (param v128 v128) (result v128) \
                 (i8x16.relaxed_swizzle (local.get 0) (local.get 1))))",
            ),
            (
                "wide arithmetic",
                "(module (func (param i64 i64) (result i64 i64) (i64.mul_wide_u (local.get 0) (local.get 1))))",
            ),
        ];
        for (proposal, module) in modules {
            let bytes = wat::parse_str(format!("(component (core {})", &module[1..])).expect(proposal);
            assert!(engine.compile(&bytes, "x", proposal).is_err(), "{proposal} must be refused");
        }
        let plain = wat::parse_str("(component (core module (memory 1)))").expect("valid text");
        assert!(engine.compile(&plain, "x", "plain").is_ok());
    }
}
