//! A scalar as expressions know it.

mod running;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use arrow::datatypes::SchemaRef;
use volley_api::{ScalarBinding, ScalarContext, ScalarFunction, ScalarFunctionFactory};

use self::running::Running;
use crate::bind::Bound;
use crate::calls::{Calls, operator_context};
use crate::contract::NullHandling;
use crate::input::PluginInput;
use crate::inspect::PluginKind;
use crate::instances::Instances;
use crate::metrics::PluginMetrics;
use crate::options::{OnNoValue, PluginOptions};
use crate::plugin::{Determinism, Plugin, config_text};
use crate::{Error, Result};

/// One scalar with its options: binds and makes an instance for each place where an expression calls it.
#[derive(Debug)]
pub struct PluginScalar {
    plugin: Arc<Plugin>,
    options: PluginOptions,
    on_no_value: OnNoValue,
    metrics: Arc<PluginMetrics>,
    /// What was agreed on for each list of arguments: an expression is planned more than once.
    bound: Mutex<HashMap<SchemaRef, (ScalarBinding, Bound)>>,
}

impl PluginScalar {
    /// A function; nothing runs yet. Of `options`, the policy is that of operators and has no meaning here.
    #[must_use]
    pub fn new(plugin: Arc<Plugin>, options: PluginOptions, on_no_value: OnNoValue) -> Self {
        Self { plugin, options, on_no_value, metrics: Arc::default(), bound: Mutex::default() }
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

    fn agreed(&self, arguments: &SchemaRef) -> Result<(ScalarBinding, Bound)> {
        let mut known = self.bound.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(agreed) = known.get(arguments) {
            return Ok(agreed.clone());
        }
        self.plugin.expect(&[PluginKind::Scalar], "an expression calls a scalar")?;
        let input = self.options.grants.apply(&self.plugin, PluginInput::new(Arc::clone(arguments)))?;
        let introduced = self.plugin.introduce(&config_text(&self.options.config), &input, &self.options.limits)?;
        let bound = introduced.bound;
        let result = bound.ports[0].own.field(0);
        let may_see_null = arguments.fields().iter().any(|field| field.is_nullable());
        let binding = ScalarBinding {
            data_type: result.data_type().clone(),
            nullable: result.is_nullable()
                || self.on_no_value == OnNoValue::Null
                || (bound.nulls == Some(NullHandling::Propagate) && may_see_null),
            is_deterministic: introduced.description.determinism == Determinism::Deterministic,
        };
        known.insert(Arc::clone(arguments), (binding.clone(), bound.clone()));
        Ok((binding, bound))
    }

    fn counted<T>(&self, outcome: Result<T>) -> Result<T> {
        outcome.inspect_err(|error| {
            if let Some(violation) = Error::violation(error) {
                self.metrics.violation(violation);
            }
        })
    }
}

impl ScalarFunctionFactory for PluginScalar {
    fn label(&self) -> String {
        self.plugin.who().to_string()
    }

    fn bind(&self, arguments: &SchemaRef) -> volley_api::Result<ScalarBinding> {
        Ok(self.counted(self.agreed(arguments))?.0)
    }

    fn is_repeatable(&self) -> bool {
        self.plugin.info().is_closed()
    }

    fn create(&self, arguments: &SchemaRef, context: ScalarContext) -> volley_api::Result<Box<dyn ScalarFunction>> {
        let (_, bound) = self.counted(self.agreed(arguments))?;
        let node = context.node.clone();
        let input = PluginInput::new(Arc::clone(arguments));
        let context =
            operator_context(context.node, context.subtask, Arc::clone(arguments), context.clock, context.seeds);
        let instances = Instances::start(&self.plugin, &self.options, &self.metrics, &context, input, Some(bound));
        let calls = Calls::new(self.counted(instances)?, node, PluginKind::Scalar.function());
        Ok(Box::new(Running::new(calls, self.on_no_value)))
    }
}
