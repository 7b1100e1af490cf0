//! Aggregates that are plugins, as the runtime drives aggregates (design §4.4).
//!
//! All aggregators of one instance of an operator share an instance of the plugin, in a [`session`](session::Session): a group
//! of the plugin is a group of one of them. The plugin holds deltas only. They are given up when there is input of some
//! megabytes, and when an aggregator needs its state; until then the host keeps the rows, so that a call that fails costs no
//! more than another try, and finds the row that is to blame. Pieces of state wait in the host until somebody asks for
//! them; then those of one group are merged.

mod aggregator;
mod calls;
mod kept;
mod merge;
mod numbers;
mod pieces;
mod recover;
mod refuse;
mod session;
mod trail;
mod twice;

use std::sync::{Arc, Mutex, PoisonError};

use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use volley_api::{
    AggregateBinding, Aggregator, AggregatorFactory, AggregatorPool, AggregatorRole, EventTimeColumn, OperatorContext,
    OperatorIdentity,
};

use self::aggregator::Pool;
use self::session::Session;
use crate::bind::Bound;
use crate::input::PluginInput;
use crate::inspect::PluginKind;
use crate::instances::Instances;
use crate::metrics::PluginMetrics;
use crate::options::PluginOptions;
use crate::plugin::{Plugin, config_text};
use crate::{Error, Result};

/// Bytes of input, or of the numbers of its groups, after which an instance gives up its deltas: 4 MiB.
pub const DELTA_BYTES_MAX: usize = 4 << 20;

/// Bytes of the records that these rows are of, all columns counted, after which it does so too: 64 MiB.
pub(crate) const RECORDS_BYTES_MAX: usize = 64 << 20;

/// The one column of state: the plugin's own columns, or null for a group that has none since all its rows were refused.
const STATE: &str = "state";

/// One plugin of the kind aggregate with its options and the keys of its groups: makes the aggregators of a plan.
#[derive(Debug)]
pub struct PluginAggregates {
    plugin: Arc<Plugin>,
    options: PluginOptions,
    keys: Vec<String>,
    metrics: Arc<PluginMetrics>,
    /// The last binding, to hold the instances to.
    bound: Mutex<Option<(PluginInput, Bound)>>,
}

impl PluginAggregates {
    /// Aggregates of the rows that agree in `keys`; nothing runs yet.
    ///
    /// # Errors
    /// When the plugin is of another kind.
    pub fn new(plugin: Arc<Plugin>, options: PluginOptions, keys: Vec<String>) -> Result<Self> {
        plugin.expect(&[PluginKind::Aggregate], "by key and window go aggregates")?;
        Ok(Self { plugin, options, keys, metrics: Arc::default(), bound: Mutex::new(None) })
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
    fn input(&self, schema: &SchemaRef, event_time: Option<&EventTimeColumn>) -> Result<PluginInput> {
        let (keys, event_time) = (self.keys.clone(), event_time.cloned());
        let input = PluginInput { keys, event_time, ..PluginInput::new(Arc::clone(schema)) };
        self.options.grants.apply(&self.plugin, input).inspect_err(|error| self.count(error))
    }

    fn known(&self, input: &PluginInput) -> Option<Bound> {
        let bound = self.bound.lock().unwrap_or_else(PoisonError::into_inner);
        bound.as_ref().filter(|(bound_to, _)| bound_to == input).map(|(_, bound)| bound.clone())
    }

    fn count(&self, error: &Error) {
        if let Some(violation) = error.violation() {
            self.metrics.violation(violation);
        }
    }
}

fn state_of(bound: &Bound) -> SchemaRef {
    bound.state.clone().unwrap_or_else(|| Arc::new(Schema::empty()))
}

impl AggregatorFactory for PluginAggregates {
    fn label(&self) -> String {
        format!("plugin {} ({})", self.plugin.name(), self.plugin.info().kind)
    }

    fn bind(&self, input: &SchemaRef, event_time: Option<&EventTimeColumn>) -> volley_api::Result<AggregateBinding> {
        let input = self.input(input, event_time)?;
        let bound = match self.known(&input) {
            Some(bound) => bound,
            None => {
                let bound = self.plugin.bind_fresh(&config_text(&self.options.config), &input, &self.options.limits);
                let bound = bound.inspect_err(|error| self.count(error))?;
                *self.bound.lock().unwrap_or_else(PoisonError::into_inner) = Some((input, bound.clone()));
                bound
            }
        };
        let state = DataType::Struct(state_of(&bound).fields().clone());
        Ok(AggregateBinding {
            results: bound.ports[0].own.fields().iter().cloned().collect(),
            state: vec![Arc::new(Field::new(STATE, state, true))],
            reads: bound.read_names,
            is_order_free: true,
        })
    }

    fn create(&self, _: &SchemaRef, _: Option<&EventTimeColumn>) -> volley_api::Result<Box<dyn Aggregator>> {
        Err(volley_api::Error::internal("aggregates that are plugins are made by their pool"))
    }

    fn pool(
        &self,
        context: &OperatorContext,
        role: AggregatorRole,
        input: &SchemaRef,
    ) -> volley_api::Result<Option<Box<dyn AggregatorPool>>> {
        let bound_to = self.input(&context.input, context.event_time.as_ref())?;
        let expected = self.known(&bound_to);
        let instances = Instances::start(&self.plugin, &self.options, &self.metrics, context, bound_to, expected);
        let instances = instances.inspect_err(|error| self.count(error))?;
        let columns = instances.bound().read_names.iter().map(|name| input.index_of(name));
        let columns = columns.collect::<std::result::Result<_, _>>().map_err(Error::from)?;
        let session = Session::new(instances, context.clone(), self.options.on_error, role, columns);
        Ok(Some(Box::new(Pool::new(session))))
    }

    fn is_repeatable(&self) -> bool {
        self.plugin.info().is_closed()
    }

    fn can_reject(&self) -> bool {
        true
    }

    fn identity(&self) -> OperatorIdentity {
        OperatorIdentity { digest: Some(self.plugin.info().digest.as_str().into()) }
    }
}
