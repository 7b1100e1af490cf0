//! A plugin as the plan knows it.

use std::sync::{Arc, Mutex, PoisonError};

use arrow::datatypes::SchemaRef;
use volley_api::{
    Operator, OperatorBinding, OperatorContext, OperatorFactory, OperatorIdentity, Replayed, StateView, StreamType,
};

use crate::Error;
use crate::bind::Bound;
use crate::input::PluginInput;
use crate::inspect::PluginKind;
use crate::instances::Instances;
use crate::keyed;
use crate::metrics::PluginMetrics;
use crate::operator::PluginOperator;
use crate::options::PluginOptions;
use crate::plugin::{Plugin, config_text};

/// The kinds that are operators, driven by nobody else.
const OPERATORS: [PluginKind; 4] = [PluginKind::Map, PluginKind::Filter, PluginKind::FlatMap, PluginKind::Process];

/// One plugin with its options: makes the operator of a plan, and an instance for each subtask.
#[derive(Debug)]
pub struct PluginFactory {
    plugin: Arc<Plugin>,
    options: PluginOptions,
    metrics: Arc<PluginMetrics>,
    keys: Vec<String>,
    /// The last binding, to hold the instances to.
    bound: Mutex<Option<(PluginInput, Bound)>>,
}

impl PluginFactory {
    /// A factory; nothing runs yet.
    #[must_use]
    pub fn new(plugin: Arc<Plugin>, options: PluginOptions) -> Self {
        Self { plugin, options, metrics: Arc::default(), keys: Vec::new(), bound: Mutex::new(None) }
    }

    /// Deals rows out by these columns, which only a process can have, and must.
    #[must_use]
    pub fn with_keys(mut self, keys: Vec<String>) -> Self {
        self.keys = keys;
        self
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

    /// The input as far as it is granted.
    fn granted(&self, input: PluginInput) -> Result<PluginInput, Error> {
        self.options.grants.apply(&self.plugin, input).inspect_err(|error| self.count(error))
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
        let kind = self.plugin.info().kind;
        if kind == PluginKind::Aggregate {
            let plugin = self.plugin.who().to_string();
            let message = "it is an aggregate, which goes by keys: write `key_by: [...]` beside `plugin:`, and a `window:` \
                           if it is to have one";
            return Err(Error::InvalidInput { plugin, message: message.to_owned() }.into());
        }
        self.plugin.expect(&OPERATORS, "an operator runs a map, a filter, a flat-map or a process")?;
        if kind != PluginKind::Process && !self.keys.is_empty() {
            let (plugin, keys) = (self.plugin.who(), self.keys.join(", "));
            return Err(volley_api::Error::config(format!(
                "{plugin} is a {kind}, which has no keys: leave out `key_by: {keys}` (a process and an aggregate have keys)"
            )));
        }
        let input = self.granted(PluginInput::of_stream(input, &self.keys))?;
        let bound = self.plugin.bind_fresh(&config_text(&self.options.config), &input, &self.options.limits);
        let bound = bound.inspect_err(|error| self.count(error))?;
        let binding = bound.to_operator_binding();
        *self.bound.lock().unwrap_or_else(PoisonError::into_inner) = Some((input, bound));
        Ok(binding)
    }

    fn create(&self, context: OperatorContext) -> volley_api::Result<Box<dyn Operator>> {
        let bound = self.bound.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let event_time = context.event_time.clone();
        let keys = self.keys.clone();
        let input = PluginInput { keys, event_time, ..PluginInput::new(Arc::clone(&context.input)) };
        let input = self.granted(input)?;
        let expected = bound.filter(|(bound_to, _)| *bound_to == input).map(|(_, bound)| bound);
        let instances = Instances::start(&self.plugin, &self.options, &self.metrics, &context, input, expected);
        let instances = instances.inspect_err(|error| self.count(error))?;
        Ok(Box::new(PluginOperator::new(instances, self.options.on_error, context)?))
    }

    fn replayed(&self, _: &StreamType) -> Replayed {
        let info = self.plugin.info();
        let is_by_row = matches!(info.kind, PluginKind::Map | PluginKind::Filter | PluginKind::FlatMap);
        if is_by_row && info.is_closed() { Replayed::RowByRow } else { Replayed::Otherwise }
    }

    fn keys(&self) -> Option<&[String]> {
        (!self.keys.is_empty()).then_some(&self.keys[..])
    }

    fn state_views(&self, input: &StreamType) -> volley_api::Result<Vec<StateView>> {
        let wanted = self.granted(PluginInput::of_stream(input, &self.keys))?;
        let bound = || self.bound.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let known = match bound().filter(|(bound_to, _)| *bound_to == wanted) {
            Some(known) => Some(known),
            None => {
                self.bind_stream(input)?;
                bound()
            }
        };
        let keys = known.and_then(|(_, bound)| bound.keys);
        keys.map_or(Ok(Vec::new()), |keys| keyed::views(&keys.fields, &keys.states))
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
