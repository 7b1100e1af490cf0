//! One component, checked and compiled: everything short of an instance.

use std::fmt;
use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::sync::{Arc, OnceLock};

use arrow::datatypes::SchemaRef;
use sha2::{Digest, Sha256};
use wasmtime::component::{Component, ComponentExportIndex, InstancePre};

use crate::abi::deserialize::Artefact;
use crate::bind::{self, Bound};
use crate::cache::hex;
use crate::compile::Problem;
use crate::contract::{self, WriteMode};
use crate::engine::{EnginePair, LinkedEngine, Placed, PluginEngine, Trust};
use crate::guest::Guest;
use crate::input::PluginInput;
use crate::inspect::{self, COMPONENT_BYTES_MAX, ExportNames, PluginInfo, PluginKind, Surface};
use crate::options::PluginLimits;
use crate::store::{HostState, JobParts};
use crate::violation::Violation;
use crate::{Error, Result};

/// The function of a codec that writes.
pub(crate) const ENCODE: &str = "encode";

/// The shown part of a digest.
const SHORT_DIGEST_BYTES: usize = 12;

/// How a plugin is called in messages.
#[derive(Debug, Clone)]
pub(crate) struct Who {
    /// The file's name without its ending.
    pub(crate) name: String,
    /// SHA-256 in hex.
    pub(crate) digest: String,
    /// The file as it was given.
    pub(crate) file: Option<String>,
}

impl Who {
    pub(crate) fn short_digest(&self) -> &str {
        self.digest.get(..SHORT_DIGEST_BYTES).unwrap_or(&self.digest)
    }
}

impl fmt::Display for Who {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "plugin {} ({})", self.name, self.short_digest())
    }
}

/// What a plugin says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Description {
    /// Its own name, for people; not an identity.
    pub name: String,
    /// Its own version.
    pub version: String,
    /// What its results depend on.
    pub determinism: Determinism,
}

/// What a plugin says that its results depend on, beside configuration, input and state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Determinism {
    /// Nothing: the same call gives the same, always.
    Deterministic,
    /// What its imports answered: a call to which they answer the same gives the same.
    Replayable,
    /// Anything else.
    Nondeterministic,
}

impl From<contract::Determinism> for Determinism {
    fn from(declared: contract::Determinism) -> Self {
        match declared {
            contract::Determinism::Deterministic => Self::Deterministic,
            contract::Determinism::Replayable => Self::Replayable,
            contract::Determinism::Nondeterministic => Self::Nondeterministic,
        }
    }
}

/// What a plugin agrees to for one configuration and one input schema.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PluginBinding {
    /// Names of the input columns that cross to the plugin.
    pub reads: Vec<String>,
    /// The outputs, main first.
    pub outputs: Vec<PluginPort>,
}

/// One output of a bound plugin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PluginPort {
    /// Its name.
    pub name: String,
    /// Whether the plugin's columns are the whole output (`replace`), or join those of the input (`append`) or of the key
    /// (`keyed`).
    pub replaces: bool,
    /// The columns that the plugin writes. None for a filter.
    pub writes: SchemaRef,
    /// All columns that leave through the port.
    pub schema: SchemaRef,
}

/// A component that has passed all checks and is ready to be instantiated. Cheap to share; holds no instance.
pub struct Plugin {
    engine: Arc<PluginEngine>,
    pair: Arc<EnginePair>,
    who: Who,
    info: PluginInfo,
    names: ExportNames,
    /// None where its parts are larger than the pool's slots, or there is no pool.
    pooled: Option<Ready>,
    /// For what does not go into the pool; made when it is needed first.
    on_demand: OnceLock<Ready>,
}

/// What an instance has said before its first batch.
pub(crate) struct Introduced {
    pub(crate) description: Description,
    pub(crate) bound: Bound,
}

/// A component in one engine, its imports linked: an instance is one step away.
pub(crate) struct Ready {
    pub(crate) instance_pre: InstancePre<HostState>,
    pub(crate) exports: Exports,
}

/// Where a component keeps the functions that the host calls.
pub(crate) struct Exports {
    pub(crate) describe: ComponentExportIndex,
    pub(crate) open: ComponentExportIndex,
    pub(crate) close: ComponentExportIndex,
    /// The function of the kind; of an aggregate: `update`; of a codec, that which reads.
    pub(crate) process: ComponentExportIndex,
    /// What an aggregate has besides.
    pub(crate) aggregate: Option<AggregateExports>,
    /// What a process has besides.
    pub(crate) keyed: Option<KeyedExports>,
    /// The function of a codec that writes.
    pub(crate) encode: Option<ComponentExportIndex>,
    /// What an operator has that holds state itself.
    pub(crate) snapshot: Option<SnapshotExports>,
}

/// The other functions of an aggregate.
pub(crate) struct AggregateExports {
    pub(crate) merge: ComponentExportIndex,
    pub(crate) drain: ComponentExportIndex,
    pub(crate) evaluate: ComponentExportIndex,
}

/// The functions of the interface `snapshot`.
pub(crate) struct SnapshotExports {
    pub(crate) snapshot: ComponentExportIndex,
    pub(crate) restore: ComponentExportIndex,
    pub(crate) can_migrate: ComponentExportIndex,
    pub(crate) migrate: ComponentExportIndex,
}

/// The other functions of a process.
pub(crate) struct KeyedExports {
    pub(crate) on_timers: ComponentExportIndex,
    pub(crate) on_watermark: ComponentExportIndex,
    pub(crate) forget: ComponentExportIndex,
}

impl Plugin {
    /// Reads, checks and compiles the component in a file. None of its code runs.
    ///
    /// Compiling takes about a second per megabyte the first time on a machine, and milliseconds from the cache. The code
    /// is [`Trust::Untrusted`].
    ///
    /// # Errors
    /// When the file cannot be read, or as [`Plugin::from_bytes`].
    pub fn load(engine: &Arc<PluginEngine>, path: &Path) -> Result<Arc<Self>> {
        Self::load_as(engine, path, Trust::Untrusted)
    }

    /// As [`Plugin::load`], with so much trust.
    ///
    /// # Errors
    /// As [`Plugin::load`], and when the host does not allow plugins to be trusted.
    pub fn load_as(engine: &Arc<PluginEngine>, path: &Path, trust: Trust) -> Result<Arc<Self>> {
        let read = |source| Error::Read { path: path.display().to_string(), source };
        let mut bytes = Vec::new();
        let file = File::open(path).map_err(read)?;
        file.take(COMPONENT_BYTES_MAX as u64 + 1).read_to_end(&mut bytes).map_err(read)?;
        let name = path.file_stem().map_or_else(|| "plugin".into(), |stem| stem.to_string_lossy());
        Self::new(engine, &name, Some(path.display().to_string()), &bytes, trust)
    }

    /// Checks and compiles a component that is in memory. `name` is how messages call it.
    ///
    /// # Errors
    /// When the bytes are not a component, or it exports no operator of a known world, or it imports what is not
    /// granted: the message names it.
    pub fn from_bytes(engine: &Arc<PluginEngine>, name: &str, bytes: &[u8]) -> Result<Arc<Self>> {
        Self::from_bytes_as(engine, name, bytes, Trust::Untrusted)
    }

    /// As [`Plugin::from_bytes`], with so much trust.
    ///
    /// # Errors
    /// As [`Plugin::from_bytes`], and when the host does not allow plugins to be trusted.
    pub fn from_bytes_as(engine: &Arc<PluginEngine>, name: &str, bytes: &[u8], trust: Trust) -> Result<Arc<Self>> {
        Self::new(engine, name, None, bytes, trust)
    }

    fn new(
        engine: &Arc<PluginEngine>,
        name: &str,
        file: Option<String>,
        bytes: &[u8],
        trust: Trust,
    ) -> Result<Arc<Self>> {
        let shown = file.clone().unwrap_or_else(|| name.to_owned());
        let not_a_component = |problem: String| Error::NotAComponent { path: shown.clone(), problem };
        inspect::check_bytes(bytes).map_err(not_a_component)?;
        let digest = hex(&Sha256::digest(bytes));
        let who = Who { name: name.to_owned(), digest: digest.clone(), file };
        if !engine.allows(trust) {
            return Err(Error::TrustNotAllowed { plugin: who.to_string() });
        }
        let load =
            |(violation, problem): (Violation, String)| Error::Load { plugin: who.to_string(), violation, problem };
        let damaged = |reason: String| {
            not_a_component(format!("it is truncated, damaged or uses a feature that is off: {reason}"))
        };
        // What is not an operator, or asks for too much, is refused before any time goes into compiling it.
        let surface = Surface::read(bytes).map_err(damaged)?;
        let (info, names) = inspect::check(surface, digest.clone(), bytes.len() as u64).map_err(load)?;
        let pair = engine.pair(trust)?;
        let placed = engine.compile(&pair, bytes, &digest, name).map_err(|problem| match problem {
            Problem::Refused(reason) => damaged(reason),
            Problem::Stopped(reason) => load((Violation::CompileLimit, reason)),
            Problem::Host(reason) => Error::Engine(reason),
        })?;
        let Placed { engine: home, component, pooled } = placed;
        let ready = Ready::new(home, &component, &names, info.kind).map_err(load)?;
        let (pooled, on_demand) = if pooled { (Some(ready), OnceLock::new()) } else { (None, OnceLock::from(ready)) };
        Ok(Arc::new(Self { engine: Arc::clone(engine), pair, who, info, names, pooled, on_demand }))
    }

    /// What can be told of it without running it.
    #[must_use]
    pub fn info(&self) -> &PluginInfo {
        &self.info
    }

    /// How messages call it: the file's name without its ending, or the name given.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.who.name
    }

    /// Asks a fresh instance who it is.
    ///
    /// # Errors
    /// When it traps, or declares keyed state that its world does not have, or that is none.
    pub fn describe(&self, limits: &PluginLimits) -> Result<Description> {
        Guest::instantiate(self, limits, JobParts::default())?.describe()
    }

    /// Binds a fresh instance to a configuration and an input, and says what it agrees to.
    ///
    /// # Errors
    /// When it refuses, traps, or agrees to what the contract does not allow.
    pub fn bind(
        &self,
        config: &serde_json::Value,
        input: &PluginInput,
        limits: &PluginLimits,
    ) -> Result<PluginBinding> {
        let bound = self.bind_fresh(&config_text(config), input, limits)?;
        let port = |port: bind::BoundPort| PluginPort {
            name: port.name.to_string(),
            replaces: port.mode == WriteMode::Replace,
            writes: port.own,
            schema: port.schema,
        };
        Ok(PluginBinding { reads: bound.read_names, outputs: bound.ports.into_iter().map(port).collect() })
    }

    pub(crate) fn bind_fresh(&self, config: &str, input: &PluginInput, limits: &PluginLimits) -> Result<Bound> {
        let mut guest = Guest::instantiate(self, limits, JobParts::default())?;
        guest.describe()?;
        guest.open(config, input)
    }

    /// What a fresh instance says of itself, and what it agrees to.
    pub(crate) fn introduce(&self, config: &str, input: &PluginInput, limits: &PluginLimits) -> Result<Introduced> {
        let mut guest = Guest::instantiate(self, limits, JobParts::default())?;
        let description = guest.describe()?;
        Ok(Introduced { description, bound: guest.open(config, input)? })
    }

    /// Refuses a component of a kind that has another place; `wanted` says what is due, for the message.
    ///
    /// # Errors
    /// When it is of none of these kinds; the message says where its own place is.
    pub fn expect(&self, kinds: &[PluginKind], wanted: &str) -> Result<()> {
        if kinds.contains(&self.info.kind) {
            return Ok(());
        }
        Err(Error::WrongPlace { plugin: self.who.to_string(), kind: self.info.kind, wanted: wanted.to_owned() })
    }

    pub(crate) fn engine(&self) -> &PluginEngine {
        &self.engine
    }

    pub(crate) fn who(&self) -> &Who {
        &self.who
    }

    /// The component as the pool takes it; `None` when an instance with these limits does not go there.
    pub(crate) fn pooled(&self, limits: &PluginLimits) -> Option<&Ready> {
        let ready =
            self.pooled.as_ref().filter(|_| self.pair.pool_holds(limits.memory_bytes_max, limits.table_elements_max));
        if ready.is_none() {
            self.pair.count_too_large();
        }
        ready
    }

    /// The component as the engine without a pool takes it.
    pub(crate) fn on_demand(&self) -> Result<&Ready> {
        if self.on_demand.get().is_none()
            && let Some(pooled) = &self.pooled
        {
            let problem = |error: wasmtime::Error| Error::engine(&error);
            let engine = self.pair.on_demand().map_err(problem)?;
            let artefact = Artefact::of(pooled.instance_pre.component()).map_err(problem)?;
            let component = artefact.component(engine.wasmtime()).map_err(problem)?;
            let ready = Ready::new(engine, &component, &self.names, self.info.kind)
                .map_err(|(violation, problem)| Error::Load { plugin: self.who.to_string(), violation, problem })?;
            // Two threads may get here at once; what one of them made is dropped again.
            let _ = self.on_demand.set(ready);
        }
        self.on_demand.get().ok_or_else(|| Error::Engine("a component was not kept".to_owned()))
    }

    /// The pool had no slot left for an instance.
    pub(crate) fn count_pool_full(&self) {
        self.pair.count_full(&self.who.name);
    }
}

impl Ready {
    fn new(
        engine: &LinkedEngine,
        component: &Component,
        names: &ExportNames,
        kind: PluginKind,
    ) -> Result<Self, (Violation, String)> {
        let exports = Exports::find(component, names, kind);
        let exports = exports.map_err(|problem| (Violation::UnknownWorld, problem))?;
        // An interface is granted as a whole: what differs from it is not.
        let instance_pre = engine.linker().instantiate_pre(component);
        let instance_pre = instance_pre.map_err(|error| (Violation::ImportNotGranted, format!("{error:#}")))?;
        Ok(Self { instance_pre, exports })
    }
}

impl Exports {
    fn find(component: &Component, names: &ExportNames, kind: PluginKind) -> Result<Self, String> {
        let find = |interface: &str, function: &str| {
            let instance = component.get_export_index(None, interface);
            let index = instance.and_then(|instance| component.get_export_index(Some(&instance), function));
            index.ok_or_else(|| format!("its {interface} has no function `{function}`"))
        };
        let aggregate = match kind {
            PluginKind::Aggregate => Some(AggregateExports {
                merge: find(&names.kind, "merge")?,
                drain: find(&names.kind, "drain")?,
                evaluate: find(&names.kind, "evaluate")?,
            }),
            _ => None,
        };
        let keyed = match kind {
            PluginKind::Process => Some(KeyedExports {
                on_timers: find(&names.kind, "on-timers")?,
                on_watermark: find(&names.kind, "on-watermark")?,
                forget: find(&names.kind, "forget")?,
            }),
            _ => None,
        };
        let snapshot = match &names.snapshot {
            Some(interface) => Some(SnapshotExports {
                snapshot: find(interface, "snapshot")?,
                restore: find(interface, "restore")?,
                can_migrate: find(interface, "can-migrate")?,
                migrate: find(interface, "migrate")?,
            }),
            None => None,
        };
        Ok(Self {
            describe: find(&names.lifecycle, "describe")?,
            open: find(&names.lifecycle, "open")?,
            close: find(&names.lifecycle, "close")?,
            process: find(&names.kind, kind.function())?,
            aggregate,
            keyed,
            encode: if kind == PluginKind::Codec { Some(find(&names.kind, ENCODE)?) } else { None },
            snapshot,
        })
    }
}

/// The configuration as the plugin gets it.
pub(crate) fn config_text(config: &serde_json::Value) -> String {
    if config.is_null() { "{}".to_owned() } else { config.to_string() }
}

impl fmt::Debug for Plugin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Plugin").field("who", &self.who).field("info", &self.info).finish_non_exhaustive()
    }
}
