//! Volley: the operator that a pipeline would run, driven by hand.

use std::error::Error;
use std::path::Path;

use arrow::array::RecordBatch;
use volley_api::{Operator, StreamRecord};
use volley_wasm::{CompileIn, Crossing, EngineSettings, Plugin, PluginEngine};

use super::Contestant;
use crate::data::Shape;
use crate::guest::operator;
use crate::sink::Counting;

/// The operator `filter-project`.
pub(crate) struct Volley {
    operator: Box<dyn Operator>,
}

impl Volley {
    pub(crate) fn load(plugins: &Path) -> Result<Self, Box<dyn Error>> {
        let engine = PluginEngine::new(&EngineSettings::new(CompileIn::ThisProcess))?;
        let plugin = Plugin::load(&engine, &plugins.join("filter-project.wasm"))?;
        Ok(Self { operator: operator(&plugin, &Shape::Numbers.schema(), Crossing::Direct)? })
    }
}

impl Contestant for Volley {
    fn call(&mut self, batch: &RecordBatch) -> Result<Vec<RecordBatch>, Box<dyn Error>> {
        let mut output = Counting::keeping();
        self.operator.process(StreamRecord::new(batch.clone()), &mut output)?;
        Ok(output.kept.unwrap_or_default())
    }
}
