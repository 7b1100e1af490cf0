//! A codec as connectors know it.

mod decode;
mod encode;

use std::sync::{Arc, Mutex, PoisonError};

use arrow::datatypes::{Schema, SchemaRef};
use volley_api::{CodecContext, CodecFactory, FrameDecoder, FrameEncoder};

use self::decode::Decoder;
use self::encode::Encoder;
use crate::bind::Bound;
use crate::calls::{Calls, operator_context};
use crate::input::PluginInput;
use crate::inspect::PluginKind;
use crate::instances::Instances;
use crate::metrics::PluginMetrics;
use crate::options::PluginOptions;
use crate::plugin::{ENCODE, Plugin, config_text};
use crate::{Error, Result};

/// One codec with its options: makes the instances that read splits or write rows.
#[derive(Debug)]
pub struct PluginCodec {
    plugin: Arc<Plugin>,
    options: PluginOptions,
    metrics: Arc<PluginMetrics>,
    /// What was agreed on last, and for which columns.
    bound: Mutex<Option<(SchemaRef, Bound)>>,
}

impl PluginCodec {
    /// A codec; nothing runs yet. Of `options`, the policy is that of operators and has no meaning here.
    #[must_use]
    pub fn new(plugin: Arc<Plugin>, options: PluginOptions) -> Self {
        Self { plugin, options, metrics: Arc::default(), bound: Mutex::default() }
    }

    /// The plugin.
    #[must_use]
    pub fn plugin(&self) -> &Arc<Plugin> {
        &self.plugin
    }

    /// Where the instances' numbers come together, for as long as anyone holds it.
    #[must_use]
    pub fn metrics(&self) -> Arc<PluginMetrics> {
        Arc::clone(&self.metrics)
    }

    /// The rows as far as they are granted.
    fn input(&self, rows: &SchemaRef) -> Result<PluginInput> {
        let input = PluginInput::new(Arc::clone(rows));
        self.options.grants.apply(&self.plugin, input).inspect_err(|error| self.count(error))
    }

    fn agreed(&self, rows: &SchemaRef) -> Result<Bound> {
        let mut last = self.bound.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, bound)) = last.as_ref().filter(|(known, _)| known == rows) {
            return Ok(bound.clone());
        }
        self.plugin.expect(&[PluginKind::Codec], "a format is a codec")?;
        let input = self.input(rows)?;
        let bound = self.plugin.introduce(&config_text(&self.options.config), &input, &self.options.limits);
        let bound = bound.inspect_err(|error| self.count(error))?.bound;
        *last = Some((Arc::clone(rows), bound.clone()));
        Ok(bound)
    }

    fn calls(&self, rows: &SchemaRef, context: CodecContext, function: &'static str) -> Result<Calls> {
        let bound = self.agreed(rows)?;
        let node = context.node.clone();
        let context = operator_context(context.node, context.subtask, Arc::clone(rows), context.clock, context.seeds);
        let input = self.input(rows)?;
        let instances = Instances::start(&self.plugin, &self.options, &self.metrics, &context, input, Some(bound));
        Ok(Calls::new(instances.inspect_err(|error| self.count(error))?, node, function))
    }

    fn count(&self, error: &Error) {
        if let Some(violation) = error.violation() {
            self.metrics.violation(violation);
        }
    }
}

/// The input of a codec that is to read.
fn no_columns() -> SchemaRef {
    Arc::new(Schema::empty())
}

impl CodecFactory for PluginCodec {
    fn label(&self) -> String {
        self.plugin.who().to_string()
    }

    fn decoded_schema(&self) -> volley_api::Result<SchemaRef> {
        Ok(Arc::clone(&self.agreed(&no_columns())?.ports[0].own))
    }

    fn decoder(&self, context: CodecContext) -> volley_api::Result<Box<dyn FrameDecoder>> {
        Ok(Box::new(Decoder::new(self.calls(&no_columns(), context, PluginKind::Codec.function())?)))
    }

    fn check_rows(&self, rows: &SchemaRef) -> volley_api::Result<()> {
        self.agreed(rows)?;
        Ok(())
    }

    fn encoder(&self, rows: &SchemaRef, context: CodecContext) -> volley_api::Result<Box<dyn FrameEncoder>> {
        Ok(Box::new(Encoder::new(self.calls(rows, context, ENCODE)?)))
    }
}
