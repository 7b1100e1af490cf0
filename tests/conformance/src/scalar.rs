//! What a function promises: the value of a row depends on its arguments.

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, UInt32Array};
use arrow::compute::take_record_batch;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use volley_api::{ScalarFunction, ScalarFunctionFactory, ScalarOutcome};
use volley_wasm::{Crossing, OnNoValue, PluginMetrics, PluginOptions, PluginScalar};

use crate::Promise;
use crate::compare::same;
use crate::host::{REPEATABLE, Subject, never_differed, scalar_context, texts};

pub(crate) const PROMISES: &[Promise] = &[
    ("a value does not depend on how rows are cut into calls", calls_can_be_cut),
    ("a value does not depend on the other rows, nor on what came before", rows_are_independent),
    ("arguments that are part of a larger batch are arguments like others", takes_slices),
    ("each way across the boundary gives the same", crossings_agree),
    (REPEATABLE, calls_are_repeatable),
];

/// Rows: as many as cross in one call, and fewer.
const MANY: usize = 8_192;
const SOME: usize = 300;

/// The columns of the sample as arguments.
pub(crate) fn arguments(subject: &Subject<'_>) -> SchemaRef {
    let fields = subject.sample.schema();
    let argument = |(place, field): (usize, &Arc<Field>)| {
        Field::new(format!("arg{place}"), field.data_type().clone(), field.is_nullable())
    };
    Arc::new(Schema::new(fields.fields().iter().enumerate().map(argument).collect::<Vec<_>>()))
}

/// A function at one place, whose arguments are the columns of the sample.
struct Place {
    function: Box<dyn ScalarFunction>,
    arguments: SchemaRef,
    result: Field,
    metrics: Arc<PluginMetrics>,
}

impl Place {
    fn new(subject: &Subject<'_>, crossing: Crossing) -> Result<Self, String> {
        Self::with(subject, subject.options(crossing))
    }

    fn with(subject: &Subject<'_>, options: PluginOptions) -> Result<Self, String> {
        let arguments = arguments(subject);
        let scalar = PluginScalar::new(Arc::clone(&subject.plugin), options, OnNoValue::Null);
        let binding = scalar.bind(&arguments).map_err(|error| error.to_string())?;
        let function = scalar.create(&arguments, scalar_context()).map_err(|error| error.to_string())?;
        let result = Field::new("value", binding.data_type, true);
        Ok(Self { function, arguments, result, metrics: scalar.metrics() })
    }

    fn arguments(&self, subject: &Subject<'_>, first: usize, count: usize) -> RecordBatch {
        let rows = subject.sample.rows(first, count);
        RecordBatch::try_new(Arc::clone(&self.arguments), rows.columns().to_vec()).expect("the same columns")
    }

    /// The values of rows as JSON.
    fn call(&mut self, arguments: &RecordBatch) -> Result<Vec<String>, String> {
        let values: ArrayRef = match self.function.call(arguments).map_err(|error| error.to_string())? {
            ScalarOutcome::Values(values) => values,
            ScalarOutcome::NotTogether(error) => return Err(format!("it has no values for rows: {error}")),
        };
        let schema = Arc::new(Schema::new(vec![self.result.clone()]));
        let batch = RecordBatch::try_new(schema, vec![values]).map_err(|error| error.to_string())?;
        if batch.num_rows() != arguments.num_rows() || self.result.data_type() == &DataType::Null {
            return Err(format!("{} values for {} rows", batch.num_rows(), arguments.num_rows()));
        }
        Ok(texts(&batch))
    }
}

fn calls_can_be_cut(subject: &Subject<'_>) -> Result<(), String> {
    let mut place = Place::new(subject, Crossing::Direct)?;
    let all = place.arguments(subject, 0, MANY);
    let due = place.call(&all)?;
    for (rows, at_once) in [(MANY, 1_000), (SOME, 1), (SOME, 7)] {
        let mut found = Vec::new();
        for first in (0..rows).step_by(at_once) {
            found.extend(place.call(&all.slice(first, at_once.min(rows - first)))?);
        }
        same(&format!("with {at_once} rows at a time"), &found, &due[..rows])?;
    }
    place.function.close().map_err(|error| error.to_string())
}

fn rows_are_independent(subject: &Subject<'_>) -> Result<(), String> {
    let mut place = Place::new(subject, Crossing::Direct)?;
    let all = place.arguments(subject, 0, SOME);
    let due = place.call(&all)?;
    same("called again", &place.call(&all)?, &due)?;
    let backwards = UInt32Array::from_iter_values((0..u32::try_from(SOME).unwrap_or(0)).rev());
    let reversed = take_record_batch(&all, &backwards).map_err(|error| error.to_string())?;
    let mut found = place.call(&reversed)?;
    found.reverse();
    same("with rows in the opposite order", &found, &due)
}

fn takes_slices(subject: &Subject<'_>) -> Result<(), String> {
    let mut place = Place::new(subject, Crossing::Direct)?;
    let due = place.call(&place.arguments(subject, 3, 45))?;
    let part = place.arguments(subject, 0, SOME).slice(3, 45);
    same("as a part of a larger batch", &place.call(&part)?, &due)
}

fn crossings_agree(subject: &Subject<'_>) -> Result<(), String> {
    let call = |crossing| {
        let mut place = Place::new(subject, crossing)?;
        let arguments = place.arguments(subject, 0, SOME);
        place.call(&arguments)
    };
    same("by the stock way", &call(Crossing::Stock)?, &call(Crossing::Direct)?)
}

fn calls_are_repeatable(subject: &Subject<'_>) -> Result<(), String> {
    let mut place = Place::with(subject, subject.twice())?;
    let all = place.arguments(subject, 0, SOME);
    for first in (0..SOME).step_by(50) {
        place.call(&all.slice(first, 50))?;
    }
    never_differed(&place.metrics)
}
