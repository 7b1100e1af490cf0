//! Loads the components that a pipeline names, each once, and makes operators of them.

use std::collections::HashMap;
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::Value;
use volley_api::{Error, Result};
use volley_config::{ByteCount, ColumnsGrant, FunctionSpec, GrantsSpec, LimitsSpec, OnError, PluginSpec, Section};
use volley_wasm::{
    CompileIn, EngineSettings, Grants, HttpTransport, OnNoValue, Origin, Plugin, PluginCodec, PluginEngine, PluginKind,
    PluginLimits, PluginOptions, PluginScalar, Repro, Trust,
};

use crate::args::{COMPILE, Host};

/// The components of a job, compiled for this machine.
pub(crate) struct Plugins {
    engine: Arc<PluginEngine>,
    loaded: Mutex<HashMap<(PathBuf, Trust), Arc<Plugin>>>,
    /// Where calls are kept that fail; one bound for all operators and restarts of the job.
    repro: Option<Arc<Repro>>,
}

impl Plugins {
    /// Makes the engine that all plugins of this process share. They are compiled by this program, started once more.
    pub(crate) fn new(host: Host) -> Result<Self> {
        let compile = CompileIn::Child { program: this_program()?, arguments: vec![COMPILE.to_owned()] };
        let settings =
            EngineSettings { allow_trusted: host.allow_trusted, http: client(host)?, ..EngineSettings::new(compile) };
        let engine = PluginEngine::new(&settings).map_err(Error::from)?;
        Ok(Self { engine, loaded: Mutex::default(), repro: None })
    }

    /// The same, that keeps calls which fail in this folder, if any.
    pub(crate) fn keeping_failed(self, folder: Option<&Path>) -> Result<Self> {
        let absolute = |folder: &Path| {
            // So that what the error says can be typed anywhere.
            std::path::absolute(folder).map_err(|error| Error::config(format!("--repro {}: {error}", folder.display())))
        };
        let folder = folder.map(absolute).transpose()?;
        Ok(Self { repro: folder.map(|folder| Arc::new(Repro::new(&folder))), ..self })
    }

    /// What runs them.
    pub(crate) fn engine(&self) -> &Arc<PluginEngine> {
        &self.engine
    }

    /// The component that a pipeline's `plugin:` names, and what it says of it; paths are relative to `folder`.
    pub(crate) fn opened(&self, spec: &PluginSpec, folder: &Path) -> Result<(Arc<Plugin>, PluginOptions)> {
        let plugin = self.load(&folder.join(spec.component.value.as_str()), spec.trust)?;
        let on_error = match spec.on_error {
            OnError::Fail => volley_wasm::OnError::Fail,
            OnError::DeadLetter => volley_wasm::OnError::DeadLetter,
            OnError::Skip => volley_wasm::OnError::Skip,
        };
        let options = self.options(&spec.config, &spec.limits, &spec.grants, spec.determinism_sample)?;
        Ok((plugin, PluginOptions { on_error, ..options }))
    }

    /// The function that an entry of a pipeline's `functions` describes.
    pub(crate) fn scalar(&self, spec: &FunctionSpec, folder: &Path) -> Result<PluginScalar> {
        let plugin = self.load(&folder.join(spec.component.value.as_str()), spec.trust)?;
        plugin.expect(&[PluginKind::Scalar], "an expression calls a scalar").map_err(Error::from)?;
        let on_no_value = match spec.on_error {
            volley_config::OnNoValue::Fail => OnNoValue::Fail,
            volley_config::OnNoValue::Null => OnNoValue::Null,
        };
        let options = self.options(&spec.config, &spec.limits, &spec.grants, spec.determinism_sample)?;
        Ok(PluginScalar::new(plugin, options, on_no_value))
    }

    /// The codec that a file's `format: { plugin: … }` describes.
    pub(crate) fn codec(&self, spec: &PluginSpec, folder: &Path) -> Result<PluginCodec> {
        let plugin = self.load(&folder.join(spec.component.value.as_str()), spec.trust)?;
        let options = self.options(&spec.config, &spec.limits, &spec.grants, spec.determinism_sample)?;
        Ok(PluginCodec::new(plugin, options))
    }

    /// What is said of every plugin, whatever its kind.
    fn options(
        &self,
        config: &Section,
        limits: &LimitsSpec,
        grants: &GrantsSpec,
        determinism_sample: Option<u32>,
    ) -> Result<PluginOptions> {
        let grants = self::grants(grants)?;
        let config = match config.to_json()? {
            Value::Null => Value::Object(serde_json::Map::new()),
            config => config,
        };
        Ok(PluginOptions {
            config,
            limits: self::limits(limits),
            grants,
            determinism_sample: determinism_sample.unwrap_or(volley_wasm::DETERMINISM_SAMPLE),
            repro: self.repro.clone(),
            ..PluginOptions::default()
        })
    }

    fn load(&self, path: &Path, trust: volley_config::Trust) -> Result<Arc<Plugin>> {
        let trust = match trust {
            volley_config::Trust::Untrusted => Trust::Untrusted,
            volley_config::Trust::Trusted => Trust::Trusted,
        };
        let mut loaded = self.loaded.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(plugin) = loaded.get(&(path.to_owned(), trust)) {
            return Ok(Arc::clone(plugin));
        }
        let plugin = Plugin::load_as(&self.engine, path, trust).map_err(Error::from)?;
        loaded.insert((path.to_owned(), trust), Arc::clone(&plugin));
        Ok(plugin)
    }
}

/// The grants of a pipeline file.
fn grants(spec: &GrantsSpec) -> Result<Grants> {
    let columns = match &spec.columns {
        ColumnsGrant::All => None,
        ColumnsGrant::Named(names) => Some(names.iter().map(|name| name.value.clone()).collect()),
    };
    let origin = |text: &volley_config::Located<String>| {
        Origin::parse(&text.value).map_err(|error| Error::from(text.place.error(error.to_string())))
    };
    Ok(Grants { columns, http: spec.http.iter().map(origin).collect::<Result<_>>()? })
}

/// What sends the requests of plugins, by the runtime of this process.
#[cfg(feature = "http")]
fn client(host: Host) -> Result<Option<Arc<dyn HttpTransport>>> {
    let runtime = tokio::runtime::Handle::try_current()
        .map_err(|error| Error::new(volley_api::ErrorKind::Internal, format!("plugins without a runtime: {error}")))?;
    let settings = volley_wasm::HttpClientSettings { allow_private: host.http_allow_private, ..Default::default() };
    Ok(Some(Arc::new(volley_wasm::HttpClient::new(runtime, &settings).map_err(Error::from)?)))
}

/// Nothing does in a host that was built without.
#[cfg(not(feature = "http"))]
#[allow(clippy::unnecessary_wraps, reason = "the same as with the feature")]
fn client(_: Host) -> Result<Option<Arc<dyn HttpTransport>>> {
    Ok(None)
}

/// The limits of a pipeline file; what it does not say keeps its default.
fn limits(spec: &LimitsSpec) -> PluginLimits {
    let default = PluginLimits::default();
    let bytes = |bytes: Option<ByteCount>, default: usize| {
        bytes.map_or(default, |bytes| usize::try_from(bytes.0).unwrap_or(usize::MAX))
    };
    let count = |count: Option<NonZeroU32>, default: usize| {
        count.map_or(default, |count| usize::try_from(count.get()).unwrap_or(usize::MAX))
    };
    PluginLimits {
        memory_bytes_max: bytes(spec.memory, default.memory_bytes_max),
        deadline: spec.deadline.map_or(default.deadline, |time| time.0),
        open_deadline: spec.open_deadline.map_or(default.open_deadline, |time| time.0),
        output_bytes_max: bytes(spec.output, default.output_bytes_max),
        output_rows_max: count(spec.output_rows, default.output_rows_max),
        bytes_per_row_max: bytes(spec.bytes_per_row, default.bytes_per_row_max),
        rows_per_row_max: count(spec.rows_per_row, default.rows_per_row_max),
        transfer_bytes_max: bytes(spec.transfer, default.transfer_bytes_max),
        table_elements_max: count(spec.table_elements, default.table_elements_max),
        http_requests_max: count(spec.http_requests, default.http_requests_max),
        http_bytes_max: bytes(spec.http_bytes, default.http_bytes_max),
        http_request_timeout: spec.http_timeout.map_or(default.http_request_timeout, |time| time.0),
        http_call_timeout: spec.http_time.map_or(default.http_call_timeout, |time| time.0),
        restarts_max: count(spec.restarts.max, default.restarts_max),
        restarts_within: spec.restarts.within.map_or(default.restarts_within, |time| time.0),
    }
}

/// The program that is running, even when another has been put in its place meanwhile.
fn this_program() -> Result<PathBuf> {
    let running = Path::new("/proc/self/exe");
    if running.exists() {
        return Ok(running.to_owned());
    }
    std::env::current_exe().map_err(|error| {
        Error::external("cannot find the program that is running, to compile plugins with").caused_by(error)
    })
}
