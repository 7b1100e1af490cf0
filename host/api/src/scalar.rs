//! Functions of expressions that somebody brings: one value for every row.

use std::fmt::Debug;
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch};
use arrow::datatypes::{DataType, SchemaRef};

use crate::{Clock, Error, NodeName, Result, SeedSource, SubtaskId, SystemClock};

/// What a function agrees to for one list of argument types.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScalarBinding {
    /// The type of its results.
    pub data_type: DataType,
    /// Whether a result may be null though no argument is, or though only some are.
    pub nullable: bool,
    /// Whether the same arguments always give the same result: then planners may call it once for equal arguments, or
    /// while they plan.
    pub is_deterministic: bool,
}

/// Where an instance of a function is at work.
#[derive(Debug, Clone)]
pub struct ScalarContext {
    /// The node whose expression calls it; while planning, a name of the planner's.
    pub node: NodeName,
    /// Which of the node's instances.
    pub subtask: SubtaskId,
    /// The host's time.
    pub clock: Arc<dyn Clock>,
    /// Where the instance derives its seeds from.
    pub seeds: SeedSource,
}

impl ScalarContext {
    /// For calls while planning, which belong to no running node.
    #[must_use]
    pub fn planning(node: NodeName) -> Self {
        Self { node, subtask: SubtaskId::SINGLE, clock: Arc::new(SystemClock), seeds: SeedSource::new(0) }
    }
}

/// A function as planners know it: checked for each place that calls it, then instantiated there.
pub trait ScalarFunctionFactory: Send + Sync + Debug {
    /// What it is, in a few words, for messages: `plugin celsius (0123456789ab)`.
    fn label(&self) -> String;

    /// Checks the types of the arguments, in order and under the names `arg0`, `arg1`, …, and says what comes of them.
    ///
    /// Pure: called any number of times, before the first row moves.
    ///
    /// # Errors
    /// When it takes no such arguments ([`crate::ErrorKind::Config`]), or a plugin breaks the contract
    /// ([`crate::ErrorKind::Plugin`]).
    fn bind(&self, arguments: &SchemaRef) -> Result<ScalarBinding>;

    /// Whether it gives the same for the same rows when they are read again, so that state behind it can be made again.
    /// Default: yes.
    fn is_repeatable(&self) -> bool {
        true
    }

    /// Makes the instance for one place. `arguments` is a schema that `bind` accepted.
    ///
    /// # Errors
    /// When the instance cannot be made.
    fn create(&self, arguments: &SchemaRef, context: ScalarContext) -> Result<Box<dyn ScalarFunction>>;
}

/// What became of a call.
#[derive(Debug)]
pub enum ScalarOutcome {
    /// As many values as there are rows.
    Values(ArrayRef),
    /// These rows together have no values; fewer of them may. For a single row: it has none.
    NotTogether(Error),
}

/// An instance of a function, driven by one thread at a time. It keeps nothing between calls that results depend on.
pub trait ScalarFunction: Send {
    /// The values for the rows of a batch of the arguments' columns: 1 row or more.
    ///
    /// # Errors
    /// When it can answer no call any more, with whatever rows.
    fn call(&mut self, arguments: &RecordBatch) -> Result<ScalarOutcome>;

    /// The end of a job that ends well. Default: nothing.
    ///
    /// # Errors
    /// When the function fails once more.
    fn close(&mut self) -> Result<()> {
        Ok(())
    }
}
