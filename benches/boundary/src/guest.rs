//! The guests, as operators that a bench drives itself.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use volley_api::{
    NodeName, Operator, OperatorContext, OperatorFactory, OriginDirectory, SeedSource, SubtaskId, SystemClock,
};
use volley_wasm::{Crossing, EngineSettings, Plugin, PluginEngine, PluginFactory, PluginOptions};

/// The components under test.
pub(crate) struct Guests {
    pub(crate) folder: PathBuf,
    pub(crate) filter_project: Arc<Plugin>,
    pub(crate) identity: Arc<Plugin>,
}

impl Guests {
    pub(crate) fn load(folder: &Path) -> Result<Self, Box<dyn Error>> {
        let engine = PluginEngine::new(&EngineSettings::default())?;
        let load = |name: &str| Plugin::load(&engine, &folder.join(name));
        Ok(Self {
            folder: folder.to_owned(),
            filter_project: load("filter-project.wasm")?,
            identity: load("identity.wasm")?,
        })
    }
}

/// An instance of a plugin, bound to an input.
pub(crate) fn operator(
    plugin: &Arc<Plugin>,
    input: &SchemaRef,
    crossing: Crossing,
) -> volley_api::Result<Box<dyn Operator>> {
    let factory = PluginFactory::new(Arc::clone(plugin), PluginOptions { crossing, ..PluginOptions::default() });
    factory.bind(input)?;
    factory.create(OperatorContext {
        node: NodeName::new("bench").expect("a name"),
        subtask: SubtaskId::SINGLE,
        input: Arc::clone(input),
        errors_attached: false,
        clock: Arc::new(SystemClock),
        seeds: SeedSource::new(0),
        origins: OriginDirectory::new(),
    })
}
