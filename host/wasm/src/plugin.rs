//! One component, checked and compiled: everything short of an instance.

use std::fmt;
use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use sha2::{Digest, Sha256};
use wasmtime::component::{Component, ComponentExportIndex, InstancePre};

use crate::bind::{self, Bound};
use crate::cache::hex;
use crate::engine::PluginEngine;
use crate::guest::Guest;
use crate::inspect::{self, COMPONENT_BYTES_MAX, ExportNames, PluginInfo};
use crate::options::PluginLimits;
use crate::store::{HostState, JobParts};
use crate::{Error, Result};

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
    /// Whether the plugin's columns are the whole output (`replace`) or join those of the input (`append`).
    pub replaces: bool,
    /// The columns that the plugin writes. None for a filter.
    pub writes: SchemaRef,
    /// All columns that leave through the port.
    pub schema: SchemaRef,
}

/// A component that has passed all checks and is ready to be instantiated. Cheap to share; holds no instance.
pub struct Plugin {
    engine: Arc<PluginEngine>,
    who: Who,
    info: PluginInfo,
    exports: Exports,
    instance_pre: InstancePre<HostState>,
}

/// Where a component keeps the functions that the host calls.
pub(crate) struct Exports {
    pub(crate) describe: ComponentExportIndex,
    pub(crate) open: ComponentExportIndex,
    pub(crate) close: ComponentExportIndex,
    /// The function of the kind.
    pub(crate) process: ComponentExportIndex,
}

impl Plugin {
    /// Reads, checks and compiles the component in a file. None of its code runs.
    ///
    /// Compiling takes about a second per megabyte the first time on a machine, and milliseconds from the cache.
    ///
    /// # Errors
    /// When the file cannot be read, or as [`Plugin::from_bytes`].
    pub fn load(engine: &Arc<PluginEngine>, path: &Path) -> Result<Arc<Self>> {
        let read = |source| Error::Read { path: path.display().to_string(), source };
        let mut bytes = Vec::new();
        let file = File::open(path).map_err(read)?;
        file.take(COMPONENT_BYTES_MAX as u64 + 1).read_to_end(&mut bytes).map_err(read)?;
        let name = path.file_stem().map_or_else(|| "plugin".into(), |stem| stem.to_string_lossy());
        Self::new(engine, &name, Some(path.display().to_string()), &bytes)
    }

    /// Checks and compiles a component that is in memory. `name` is how messages call it.
    ///
    /// # Errors
    /// When the bytes are not a component, or it exports no operator of a known world, or it imports what is not
    /// granted: the message names it.
    pub fn from_bytes(engine: &Arc<PluginEngine>, name: &str, bytes: &[u8]) -> Result<Arc<Self>> {
        Self::new(engine, name, None, bytes)
    }

    fn new(engine: &Arc<PluginEngine>, name: &str, file: Option<String>, bytes: &[u8]) -> Result<Arc<Self>> {
        let shown = file.clone().unwrap_or_else(|| name.to_owned());
        let not_a_component = |problem: String| Error::NotAComponent { path: shown.clone(), problem };
        inspect::check_bytes(bytes).map_err(not_a_component)?;
        let digest = hex(&Sha256::digest(bytes));
        let who = Who { name: name.to_owned(), digest: digest.clone(), file };
        let component = engine.compile(bytes, &digest, name).map_err(|error| {
            not_a_component(format!("it is truncated, damaged or uses a feature that is off: {error:#}"))
        })?;
        let load = |problem: String| Error::Load { plugin: who.to_string(), problem };
        let (info, names) = inspect::check(&component, engine.wasmtime(), digest, bytes.len() as u64).map_err(load)?;
        let exports = Exports::find(&component, &names, info.kind.as_str()).map_err(load)?;
        let instance_pre = engine.linker().instantiate_pre(&component).map_err(|error| load(format!("{error:#}")))?;
        Ok(Arc::new(Self { engine: Arc::clone(engine), who, info, exports, instance_pre }))
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
    /// When it traps, or declares keyed state, which no world that this host knows has.
    pub fn describe(&self, limits: &PluginLimits) -> Result<Description> {
        Guest::instantiate(self, limits, JobParts::default())?.describe()
    }

    /// Binds a fresh instance to a configuration and an input, and says what it agrees to.
    ///
    /// # Errors
    /// When it refuses, traps, or agrees to what the contract does not allow.
    pub fn bind(&self, config: &serde_json::Value, input: &SchemaRef, limits: &PluginLimits) -> Result<PluginBinding> {
        let bound = self.bind_fresh(&config_text(config), input, limits)?;
        let port = |port: bind::BoundPort| PluginPort {
            name: port.name.to_string(),
            replaces: port.replaces,
            writes: port.own,
            schema: port.schema,
        };
        Ok(PluginBinding { reads: bound.read_names, outputs: bound.ports.into_iter().map(port).collect() })
    }

    pub(crate) fn bind_fresh(&self, config: &str, input: &SchemaRef, limits: &PluginLimits) -> Result<Bound> {
        let mut guest = Guest::instantiate(self, limits, JobParts::default())?;
        guest.describe()?;
        guest.open(config, input)
    }

    pub(crate) fn engine(&self) -> &PluginEngine {
        &self.engine
    }

    pub(crate) fn who(&self) -> &Who {
        &self.who
    }

    pub(crate) fn exports(&self) -> &Exports {
        &self.exports
    }

    pub(crate) fn instance_pre(&self) -> &InstancePre<HostState> {
        &self.instance_pre
    }
}

impl Exports {
    fn find(component: &Component, names: &ExportNames, process: &str) -> Result<Self, String> {
        let find = |interface: &str, function: &str| {
            let instance = component.get_export_index(None, interface);
            let index = instance.and_then(|instance| component.get_export_index(Some(&instance), function));
            index.ok_or_else(|| format!("its {interface} has no function `{function}`"))
        };
        Ok(Self {
            describe: find(&names.lifecycle, "describe")?,
            open: find(&names.lifecycle, "open")?,
            close: find(&names.lifecycle, "close")?,
            process: find(&names.kind, process)?,
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
