//! A plugin as the plan knows it.

use std::sync::{Arc, Mutex, PoisonError};

use arrow::datatypes::SchemaRef;
use volley_api::{Operator, OperatorBinding, OperatorContext, OperatorFactory, OperatorIdentity, StreamType};

use crate::Error;
use crate::bind::Bound;
use crate::input::PluginInput;
use crate::inspect::PluginKind;
use crate::instances::Instances;
use crate::metrics::PluginMetrics;
use crate::operator::PluginOperator;
use crate::options::PluginOptions;
use crate::plugin::{Plugin, config_text};

/// One plugin with its options: makes the operator of a plan, and an instance for each subtask.
#[derive(Debug)]
pub struct PluginFactory {
    plugin: Arc<Plugin>,
    options: PluginOptions,
    metrics: Arc<PluginMetrics>,
    /// The last binding, to hold the instances to.
    bound: Mutex<Option<(PluginInput, Bound)>>,
}

impl PluginFactory {
    /// A factory; nothing runs yet.
    #[must_use]
    pub fn new(plugin: Arc<Plugin>, options: PluginOptions) -> Self {
        Self { plugin, options, metrics: Arc::default(), bound: Mutex::new(None) }
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

    fn count(&self, error: &Error) {
        if let Some(violation) = error.violation() {
            self.metrics.violation(violation);
        }
    }
}

impl OperatorFactory for PluginFactory {
    fn label(&self) -> String {
        format!("plugin {} ({})", self.plugin.name(), self.plugin.info().kind)
    }

    fn bind(&self, input: &SchemaRef) -> volley_api::Result<OperatorBinding> {
        let schema = Arc::clone(input);
        self.bind_stream(&StreamType { schema, event_time: None, is_bounded: true, is_revised: false })
    }

    fn bind_stream(&self, input: &StreamType) -> volley_api::Result<OperatorBinding> {
        let kinds = [PluginKind::Map, PluginKind::Filter, PluginKind::FlatMap];
        self.plugin.expect(&kinds, "an operator runs a map, a filter or a flat-map")?;
        let input = PluginInput::of_stream(input, &[]);
        let bound = self.plugin.bind_fresh(&config_text(&self.options.config), &input, &self.options.limits);
        let bound = bound.inspect_err(|error| self.count(error))?;
        let binding = bound.to_operator_binding();
        *self.bound.lock().unwrap_or_else(PoisonError::into_inner) = Some((input, bound));
        Ok(binding)
    }

    fn create(&self, context: OperatorContext) -> volley_api::Result<Box<dyn Operator>> {
        let bound = self.bound.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let event_time = context.event_time.clone();
        let input = PluginInput { schema: Arc::clone(&context.input), keys: Vec::new(), event_time };
        let expected = bound.filter(|(bound_to, _)| *bound_to == input).map(|(_, bound)| bound);
        let instances = Instances::start(&self.plugin, &self.options, &self.metrics, &context, input, expected);
        let instances = instances.inspect_err(|error| self.count(error))?;
        Ok(Box::new(PluginOperator::new(instances, self.options.on_error, context)))
    }

    fn wants_coalesced_input(&self) -> bool {
        true
    }

    fn can_reject(&self) -> bool {
        true
    }

    fn identity(&self) -> OperatorIdentity {
        OperatorIdentity { digest: Some(self.plugin.info().digest.as_str().into()) }
    }
}
