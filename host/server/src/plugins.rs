//! Loads the components that a pipeline names, each once, and makes operators of them.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::Value;
use volley_api::{Error, Result};
use volley_config::{OnError, PluginSpec};
use volley_wasm::{EngineSettings, Plugin, PluginEngine, PluginFactory, PluginLimits, PluginOptions};

/// The components of a job, compiled for this machine.
pub(crate) struct Plugins {
    engine: Arc<PluginEngine>,
    loaded: Mutex<HashMap<PathBuf, Arc<Plugin>>>,
}

impl Plugins {
    /// Makes the engine that all plugins of this process share.
    pub(crate) fn new() -> Result<Self> {
        let engine = PluginEngine::new(&EngineSettings::default()).map_err(Error::from)?;
        Ok(Self { engine, loaded: Mutex::default() })
    }

    /// The operator that a pipeline's `plugin:` describes; paths are relative to `folder`.
    pub(crate) fn factory(&self, spec: &PluginSpec, folder: &Path) -> Result<PluginFactory> {
        let plugin = self.load(&folder.join(spec.component.value.as_str()))?;
        let mut limits = PluginLimits::default();
        if let Some(memory) = spec.limits.memory {
            limits.memory_bytes_max = usize::try_from(memory.0).unwrap_or(usize::MAX);
        }
        if let Some(deadline) = spec.limits.deadline {
            limits.deadline = deadline.0;
        }
        let config = match spec.config.to_json()? {
            Value::Null => Value::Object(serde_json::Map::new()),
            config => config,
        };
        let on_error = match spec.on_error {
            OnError::Fail => volley_wasm::OnError::Fail,
            OnError::DeadLetter => volley_wasm::OnError::DeadLetter,
            OnError::Skip => volley_wasm::OnError::Skip,
        };
        Ok(PluginFactory::new(plugin, PluginOptions { config, limits, on_error, ..PluginOptions::default() }))
    }

    fn load(&self, path: &Path) -> Result<Arc<Plugin>> {
        let mut loaded = self.loaded.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(plugin) = loaded.get(path) {
            return Ok(Arc::clone(plugin));
        }
        let plugin = Plugin::load(&self.engine, path).map_err(Error::from)?;
        loaded.insert(path.to_owned(), Arc::clone(&plugin));
        Ok(plugin)
    }
}
