//! The engines of a process, with their frozen configuration, and the way from bytes to compiled code.

mod config;
#[cfg(test)]
mod frozen;
mod pair;
mod pool;

use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

pub(crate) use config::{config, validate};
pub(crate) use pair::{EnginePair, LinkedEngine, Placed, is_pool_full};
pub(crate) use pool::{CORE_PARTS_MAX, TABLE_ELEMENTS_MAX};
pub use pool::{PoolMisses, PoolSettings};

use crate::cache::{Cache, CacheKey, default_cache_dir};
use crate::compile::{self, CompileIn, CompileLimits, Problem};
use crate::http::HttpTransport;
use crate::limits::{HostBudget, HostLimits};
use crate::quarantine::Quarantine;
use crate::ticks::Ticks;
use crate::{Error, Result};

/// How far a plugin's code is trusted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Trust {
    /// A stranger's code: a call that runs too long is stopped, and results are the same on every processor. The default.
    #[default]
    Untrusted,
    /// The operator of the host vouches for the code: nothing looks at the time that a call takes (`limits.deadline`
    /// does not hold, an endless loop ends with the process), and the payload of a NaN is the processor's. Tight
    /// loops run faster for it. Memory and output stay limited, and the sandbox is the same. Honoured only where
    /// [`EngineSettings::allow_trusted`] is set.
    Trusted,
}

impl Trust {
    /// `untrusted` or `trusted`, as in a pipeline file.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Untrusted => "untrusted",
            Self::Trusted => "trusted",
        }
    }
}

/// Settings of the engine, from the host and never from a pipeline file.
#[derive(Debug, Clone)]
pub struct EngineSettings {
    /// Where compiled components are kept; `None` compiles anew in each process. A folder that cannot be made or that
    /// others can write to is not used, and the log says so. Default: [`default_cache_dir`].
    pub cache_dir: Option<PathBuf>,
    /// Where components are compiled. Has no default: who embeds the engine knows which program can be the child.
    pub compile: CompileIn,
    /// What compiling one component may take, in a child process.
    pub compile_limits: CompileLimits,
    /// Whether plugins may be loaded as [`Trust::Trusted`]. Default: no.
    pub allow_trusted: bool,
    /// Size of the pool that instances come from.
    pub pool: PoolSettings,
    /// What all plugins may use together.
    pub limits: HostLimits,
    /// What sends the requests of plugins that are granted any. Default: nothing, and such plugins are not loaded.
    pub http: Option<Arc<dyn HttpTransport>>,
}

impl EngineSettings {
    /// The defaults, with components compiled there.
    #[must_use]
    pub fn new(compile: CompileIn) -> Self {
        Self {
            cache_dir: default_cache_dir(),
            compile,
            compile_limits: CompileLimits::default(),
            allow_trusted: false,
            pool: PoolSettings::default(),
            limits: HostLimits::default(),
            http: None,
        }
    }
}

/// Wasmtime, configured once, with the host's imports and the cache of compiled components. One per process.
///
/// Behind it stand up to four engines, each started when a plugin needs it first: for code that is trusted and code that
/// is not, with instances from a pool and, where that does not fit, on demand.
pub struct PluginEngine {
    settings: EngineSettings,
    pairs: Mutex<Pairs>,
    cache: Option<Cache>,
    ticks: Arc<Ticks>,
    /// Held while a component is compiled: one at a time, since compiling uses every processor by itself and as much
    /// memory as [`CompileLimits::memory_bytes`] allows.
    compiling: Mutex<()>,
    quarantine: Quarantine,
    budget: Arc<HostBudget>,
}

#[derive(Default)]
struct Pairs {
    untrusted: Option<Arc<EnginePair>>,
    trusted: Option<Arc<EnginePair>>,
}

impl PluginEngine {
    /// Starts the tick thread, which ends with this value; engines start with the first plugin.
    ///
    /// # Errors
    /// When no thread can be started.
    pub fn new(settings: &EngineSettings) -> Result<Arc<Self>> {
        let cache = settings.cache_dir.as_deref().and_then(|folder| match Cache::open(folder) {
            Ok(cache) => Some(cache),
            Err(error) => {
                tracing::warn!(folder = %folder.display(), %error, "compiled plugins are not cached");
                None
            }
        });
        let ticks = Arc::new(Ticks::start().map_err(|error| Error::Engine(error.to_string()))?);
        Ok(Arc::new(Self {
            settings: settings.clone(),
            pairs: Mutex::default(),
            cache,
            ticks,
            compiling: Mutex::default(),
            quarantine: Quarantine::default(),
            budget: Arc::new(HostBudget::new(settings.limits)),
        }))
    }

    /// How often an instance could not be made in the pool, and was allocated on demand.
    #[must_use]
    pub fn pool_misses(&self) -> PoolMisses {
        let pairs = self.pairs.lock().unwrap_or_else(PoisonError::into_inner);
        let both = [&pairs.untrusted, &pairs.trusted].into_iter().flatten().map(|pair| pair.misses());
        both.fold(PoolMisses::default(), |sum, misses| PoolMisses {
            full: sum.full + misses.full,
            too_large: sum.too_large + misses.too_large,
        })
    }

    /// Whether code that is not trusted has a pool to run in: false before the first plugin is loaded, where no pool is
    /// wanted, and where its address space could not be had.
    #[must_use]
    pub fn has_pool(&self) -> bool {
        let pairs = self.pairs.lock().unwrap_or_else(PoisonError::into_inner);
        pairs.untrusted.as_ref().is_some_and(|pair| pair.has_pool())
    }

    /// The engines for code that is trusted so far, started now if need be.
    pub(crate) fn pair(&self, trust: Trust) -> Result<Arc<EnginePair>> {
        let mut pairs = self.pairs.lock().unwrap_or_else(PoisonError::into_inner);
        let pair = match trust {
            Trust::Untrusted => &mut pairs.untrusted,
            Trust::Trusted => &mut pairs.trusted,
        };
        if let Some(pair) = pair {
            return Ok(Arc::clone(pair));
        }
        let started = EnginePair::new(trust, &self.settings.pool, &self.ticks);
        let started = Arc::new(started.map_err(|error| Error::engine(&error))?);
        *pair = Some(Arc::clone(&started));
        Ok(started)
    }

    pub(crate) fn http(&self) -> Option<&Arc<dyn HttpTransport>> {
        self.settings.http.as_ref()
    }

    pub(crate) fn allows(&self, trust: Trust) -> bool {
        trust == Trust::Untrusted || self.settings.allow_trusted
    }

    pub(crate) fn quarantine(&self) -> &Quarantine {
        &self.quarantine
    }

    pub(crate) fn budget(&self) -> &Arc<HostBudget> {
        &self.budget
    }

    pub(crate) fn ticks(&self) -> &Arc<Ticks> {
        &self.ticks
    }

    /// The component, ready to be instantiated: from the cache, or compiled now and put there.
    pub(crate) fn compile<'a>(
        &self,
        pair: &'a EnginePair,
        bytes: &[u8],
        digest: &str,
        name: &str,
    ) -> Result<Placed<'a>, Problem> {
        let engine = pair.any().map_err(|error| Problem::Host(format!("{error:#}")))?.wasmtime();
        let key = CacheKey::new(digest, engine);
        if let Some(placed) = self.cached(pair, &key, name) {
            return Ok(placed);
        }
        let _one_at_a_time = self.compiling.lock().unwrap_or_else(PoisonError::into_inner);
        // Whoever held the lock may have compiled this very component.
        if let Some(placed) = self.cached(pair, &key, name) {
            return Ok(placed);
        }
        tracing::debug!(plugin = name, bytes = bytes.len(), "compiling");
        let settings = &self.settings;
        let artefact = compile::compile(&settings.compile, &settings.compile_limits, pair.trust(), engine, bytes)?;
        if let Some(cache) = &self.cache {
            cache.put(&key, &artefact);
        }
        pair.place(&artefact, name).map_err(|error| Problem::Refused(format!("{error:#}")))
    }

    fn cached<'a>(&self, pair: &'a EnginePair, key: &CacheKey, name: &str) -> Option<Placed<'a>> {
        let artefact = self.cache.as_ref()?.get(key)?;
        pair.place(&artefact, name)
            .inspect_err(|error| {
                let error = format!("{error:#}");
                tracing::warn!(plugin = name, error, "the cached plugin does not load and is compiled again");
            })
            .ok()
    }
}

impl fmt::Debug for PluginEngine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PluginEngine").field("settings", &self.settings).finish_non_exhaustive()
    }
}
