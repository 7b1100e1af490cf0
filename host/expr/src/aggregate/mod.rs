//! The built-in aggregates: counts, sums, averages, extremes and sketches by group.

mod accumulator;
mod approx_distinct;
mod average;
mod bound;
mod call;
mod count;
mod create;
mod distinct;
mod extreme;
mod first_last;
mod function;
mod kind;
mod order;
mod running;
mod sketch;
mod sum;
mod variance;

use std::sync::{Arc, Mutex, PoisonError};

use arrow::datatypes::SchemaRef;
use volley_api::{AggregateBinding, Aggregator, AggregatorFactory, EventTimeColumn, Result};

use self::bound::Bound;
use self::running::Running;
use crate::given::Functions;
use crate::wording::{cut, on_one_line};

/// The most characters of a label.
const LABEL_CHARS_MAX: usize = 100;

/// Aggregates of SQL, each one call: `count(*)`, `avg(dep_delay) FILTER (WHERE dep_delay > 0)`.
///
/// The argument is an expression over the columns of the input, as [`crate::Expression`] has it. What is to be computed
/// of results goes into a `select` behind the aggregation.
///
/// | call | gives | null | NaN |
/// |---|---|---|---|
/// | `count(*)` | rows, `Int64` | | |
/// | `count(x)` | rows whose `x` is not null, `Int64` | not counted | counted |
/// | `sum(x)` | `Int64`, `UInt64`, `Float64` or `Decimal128(38, s)`; a sum beyond its type is an error | passed over | NaN |
/// | `avg(x)`, `mean` | `Float64`; of decimals a decimal with 4 more digits behind the point, cut off | passed over | NaN |
/// | `min(x)`, `max(x)` | the type of `x` | passed over | greater than every number |
/// | `first(x)`, `last(x)` | `x` of the earliest or latest row by event time | a value like any other | a value |
/// | `stddev(x)`, `var(x)` | `Float64`, of a sample: null for fewer than two values | passed over | NaN |
/// | `stddev_pop(x)`, `var_pop(x)` | `Float64`, of all there is | passed over | NaN |
/// | `count_distinct(x)`, `count(DISTINCT x)` | different values, exactly, `Int64` | not counted | all NaN are one value |
/// | `approx_distinct(x)` | about how many, `Int64`; standard error 1.6 % beyond a thousand | not counted | one value |
///
/// Behind each call may stand `FILTER (WHERE condition)`: rows for which the condition is false or null are as if they
/// had not been there, and may have no value for the argument (`sum(10 / x) FILTER (WHERE x <> 0)`).
///
/// A group without a row that counts gives null, and 0 where something is counted. −0.0 and 0.0 are one value to
/// `count_distinct` and `approx_distinct`; to `min` and `max` −0.0 is the lesser.
///
/// Integers and floats are summed in 64 bits, in order: the sum of floats may differ in its last digits with the
/// order, and the sum of integers is refused when any intermediate sum is beyond 64 bits, even if others would bring it
/// back. Rows without event time are passed over by `first` and `last`. Of rows of the same millisecond the first to arrive
/// is the first and the last to arrive is the last; state that is merged earlier arrived earlier.
///
/// Dictionaries are unpacked: `min` over a dictionary of texts is a text.
///
/// ```
/// use std::sync::Arc;
/// use arrow::array::{ArrayRef, Float64Array, RecordBatch};
/// use volley_api::AggregatorFactory;
/// use volley_expr::Aggregates;
///
/// let delay: ArrayRef = Arc::new(Float64Array::from(vec![Some(5.0), None, Some(1.0)]));
/// let batch = RecordBatch::try_from_iter([("delay", delay)])?;
/// let aggregates = Aggregates::new(vec![("mean".into(), "avg(delay)".into())]);
/// let mut aggregator = aggregates.create(&batch.schema(), None)?;
/// aggregator.update(&batch, &[0, 1, 0], 2)?;
/// let results = aggregator.evaluate(2)?;
/// assert_eq!(&*results[0], &Float64Array::from(vec![Some(3.0), None]));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Aggregates {
    items: Vec<(String, String)>,
    functions: Functions,
    /// What was made of the last input: one aggregator is made for every window, and planning takes a thread.
    bound: Mutex<Option<Arc<Bound>>>,
}

impl Aggregates {
    /// Aggregates by name and SQL, which are checked when the input is known.
    #[must_use]
    pub fn new(items: Vec<(String, String)>) -> Self {
        Self { items, functions: Functions::default(), bound: Mutex::new(None) }
    }

    /// The same aggregates, which know of these functions and refuse to call them, in words that say where to.
    #[must_use]
    pub fn with_functions(self, functions: &Functions) -> Self {
        Self { functions: functions.refused(), ..self }
    }

    fn bound(&self, input: &SchemaRef, event_time: Option<&EventTimeColumn>) -> Result<Arc<Bound>> {
        // Whoever panicked in here left the last binding whole.
        let mut last = self.bound.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(bound) = &*last
            && bound.event_time.as_ref() == event_time
            && (Arc::ptr_eq(&bound.input, input) || bound.input == *input)
        {
            return Ok(Arc::clone(bound));
        }
        let bound = Arc::new(Bound::new(&self.items, &self.functions, input, event_time)?);
        *last = Some(Arc::clone(&bound));
        Ok(bound)
    }
}

impl AggregatorFactory for Aggregates {
    fn label(&self) -> String {
        let items: Vec<String> =
            self.items.iter().map(|(name, sql)| format!("{name} = {}", on_one_line(sql))).collect();
        cut(&items.join(", "), LABEL_CHARS_MAX)
    }

    fn bind(&self, input: &SchemaRef, event_time: Option<&EventTimeColumn>) -> Result<AggregateBinding> {
        Ok(self.bound(input, event_time)?.binding())
    }

    fn create(&self, input: &SchemaRef, event_time: Option<&EventTimeColumn>) -> Result<Box<dyn Aggregator>> {
        Ok(Box::new(Running::new(self.bound(input, event_time)?)?))
    }
}
