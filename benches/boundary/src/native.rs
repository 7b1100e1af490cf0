//! The same operators natively: with arrow-rs, as anybody would write them.

use std::sync::Arc;

use arrow::array::{AsArray, Int64Array, RecordBatch};
use arrow::compute::filter;
use arrow::compute::kernels::{cmp, numeric};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use arrow::error::ArrowError;
use volley_api::{Operator, Output, Result, StreamRecord};

use crate::data::Shape;

/// Keeps rows with `a > 100`; gives `b`, `a * 2 + 1` and `c`, or `a * 2 + 1` and the text.
pub(crate) struct FilterProject {
    shape: Shape,
    output: SchemaRef,
}

impl FilterProject {
    pub(crate) fn new(shape: Shape) -> Self {
        let field = |name: &str, data_type| Field::new(name, data_type, false);
        let output = Arc::new(Schema::new(match shape {
            Shape::Numbers => {
                vec![field("b", DataType::Int64), field("a2", DataType::Int64), field("c", DataType::Int64)]
            }
            Shape::Text => vec![field("a2", DataType::Int64), field("t", DataType::Utf8)],
        }));
        Self { shape, output }
    }

    fn apply(&self, batch: &RecordBatch) -> Result<RecordBatch, ArrowError> {
        let a = batch.column(0);
        let keep = cmp::gt(a, &Int64Array::new_scalar(100))?;
        let a = filter(a, &keep)?;
        let doubled = numeric::mul_wrapping(&a, &Int64Array::new_scalar(2))?;
        let a2 =
            numeric::add_wrapping(&doubled.as_primitive::<arrow::datatypes::Int64Type>(), &Int64Array::new_scalar(1))?;
        let columns = match self.shape {
            Shape::Numbers => vec![filter(batch.column(1), &keep)?, a2, filter(batch.column(2), &keep)?],
            Shape::Text => vec![a2, filter(batch.column(1), &keep)?],
        };
        RecordBatch::try_new(Arc::clone(&self.output), columns)
    }
}

impl Operator for FilterProject {
    fn process(&mut self, record: StreamRecord, output: &mut dyn Output) -> Result<()> {
        let batch = self.apply(&record.batch).map_err(|error| volley_api::Error::internal(error.to_string()))?;
        output.emit(0, StreamRecord { batch, ..record })
    }
}
