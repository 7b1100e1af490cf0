//! The guests, as operators that a bench drives itself.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use volley_api::{
    AggregatorFactory, AggregatorPool, AggregatorRole, NodeName, Operator, OperatorContext, OperatorFactory,
    OriginDirectory, SeedSource, SubtaskId, SystemClock,
};
use volley_wasm::{
    CompileIn, Crossing, EngineSettings, Plugin, PluginAggregates, PluginEngine, PluginFactory, PluginOptions, Trust,
};

/// The components under test.
pub(crate) struct Guests {
    pub(crate) folder: PathBuf,
    /// What all of them run in.
    pub(crate) engine: Arc<PluginEngine>,
    pub(crate) filter_project: Arc<Plugin>,
    pub(crate) identity: Arc<Plugin>,
    pub(crate) celsius: Arc<Plugin>,
    pub(crate) sum_avg: Arc<Plugin>,
    pub(crate) quantile_sketch: Arc<Plugin>,
    pub(crate) running_total: Arc<Plugin>,
    /// The same without ticks.
    pub(crate) trusted: Arc<Plugin>,
}

impl Guests {
    pub(crate) fn load(folder: &Path) -> Result<Self, Box<dyn Error>> {
        let settings = EngineSettings { allow_trusted: true, ..EngineSettings::new(CompileIn::ThisProcess) };
        let engine = PluginEngine::new(&settings)?;
        let load = |name: &str| Plugin::load(&engine, &folder.join(name));
        let trusted = Plugin::load_as(&engine, &folder.join("filter-project.wasm"), Trust::Trusted)?;
        Ok(Self {
            folder: folder.to_owned(),
            filter_project: load("filter-project.wasm")?,
            identity: load("identity.wasm")?,
            celsius: load("celsius.wasm")?,
            sum_avg: load("sum-avg.wasm")?,
            quantile_sketch: load("quantile-sketch.wasm")?,
            running_total: load("running-total.wasm")?,
            trusted,
            engine,
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
    factory.create(context(input))
}

/// Aggregators of a plugin, bound to an input.
pub(crate) fn aggregators(
    plugin: &Arc<Plugin>,
    input: &SchemaRef,
    config: serde_json::Value,
) -> volley_api::Result<Box<dyn AggregatorPool>> {
    let options = PluginOptions { config, ..PluginOptions::default() };
    let factory = PluginAggregates::new(Arc::clone(plugin), options, vec!["key".to_owned()])?;
    factory.bind(input, None)?;
    let pool = factory.pool(&context(input), AggregatorRole::Operator, input)?;
    pool.ok_or_else(|| volley_api::Error::internal("plugins have a pool"))
}

/// Where an operator under test is at work.
pub(crate) fn context(input: &SchemaRef) -> OperatorContext {
    OperatorContext {
        node: NodeName::new("bench").expect("a name"),
        subtask: SubtaskId::SINGLE,
        input: Arc::clone(input),
        event_time: None,
        state: Arc::new(volley_api::NoState),
        restored: Default::default(),
        errors_attached: false,
        clock: Arc::new(SystemClock),
        seeds: SeedSource::new(0),
        origins: OriginDirectory::new(),
    }
}
