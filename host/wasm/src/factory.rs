//! A plugin as the plan knows it.

use std::sync::{Arc, Mutex, PoisonError};

use arrow::datatypes::SchemaRef;
use volley_api::{Operator, OperatorBinding, OperatorContext, OperatorFactory, OperatorIdentity};

use crate::bind::Bound;
use crate::guest::Guest;
use crate::imports::random::Random;
use crate::metrics::PluginMetrics;
use crate::operator::PluginOperator;
use crate::options::PluginOptions;
use crate::plugin::{Plugin, config_text};
use crate::store::JobParts;

/// One plugin with its options: makes the operator of a plan, and an instance for each subtask.
#[derive(Debug)]
pub struct PluginFactory {
    plugin: Arc<Plugin>,
    options: PluginOptions,
    metrics: Arc<PluginMetrics>,
    /// The last binding, to hold the instances to.
    bound: Mutex<Option<(SchemaRef, Bound)>>,
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

    fn config(&self) -> String {
        config_text(&self.options.config)
    }
}

impl OperatorFactory for PluginFactory {
    fn label(&self) -> String {
        format!("plugin {} ({})", self.plugin.name(), self.plugin.info().kind)
    }

    fn bind(&self, input: &SchemaRef) -> volley_api::Result<OperatorBinding> {
        let bound = self.plugin.bind_fresh(&self.config(), input, &self.options.limits)?;
        let binding = bound.to_operator_binding();
        *self.bound.lock().unwrap_or_else(PoisonError::into_inner) = Some((Arc::clone(input), bound));
        Ok(binding)
    }

    fn create(&self, context: OperatorContext) -> volley_api::Result<Box<dyn Operator>> {
        let job = JobParts {
            metrics: Arc::clone(&self.metrics),
            clock: Arc::clone(&context.clock),
            random: Random::new(context.seeds, context.node.clone(), context.subtask),
            task: Some((context.node.to_string(), context.subtask.index)),
            crossing: self.options.crossing,
        };
        let mut guest = Guest::instantiate(&self.plugin, &self.options.limits, job)?;
        let bound = guest.open(&self.config(), &context.input)?;
        let expected = self.bound.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some((input, expected)) = expected
            && input == context.input
            && expected != bound
        {
            let problem = "it is not pure: the same configuration and input gave another binding before".to_owned();
            return Err(guest.broke("open", problem).into());
        }
        Ok(Box::new(PluginOperator::new(guest, bound, self.options.on_error, context)))
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
