//! A closure that says which rows are kept.

use std::fmt;
use std::sync::Arc;

use arrow::array::{Array, BooleanArray, RecordBatch};
use arrow::datatypes::SchemaRef;
use volley_api::{Operator, OperatorBinding, OperatorContext, OperatorFactory, Output, Result, StreamRecord};

use super::{ClosureResult, Place, all_columns};

type Function = dyn Fn(&RecordBatch) -> ClosureResult<BooleanArray> + Send + Sync;

/// Makes operators that keep the rows for which a closure says true.
#[derive(Clone)]
pub(crate) struct FilterFn(Arc<Function>);

impl FilterFn {
    pub(crate) fn new(keep: impl Fn(&RecordBatch) -> ClosureResult<BooleanArray> + Send + Sync + 'static) -> Self {
        Self(Arc::new(keep))
    }
}

impl fmt::Debug for FilterFn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FilterFn")
    }
}

impl OperatorFactory for FilterFn {
    fn label(&self) -> String {
        "filter by a closure".to_owned()
    }

    fn bind(&self, input: &SchemaRef) -> Result<OperatorBinding> {
        Ok(OperatorBinding::single(Arc::clone(input), all_columns(input)))
    }

    fn create(&self, context: OperatorContext) -> Result<Box<dyn Operator>> {
        Ok(Box::new(Filter { keep: Arc::clone(&self.0), place: Place::new(&context) }))
    }
}

struct Filter {
    keep: Arc<Function>,
    place: Place,
}

impl Operator for Filter {
    fn process(&mut self, record: StreamRecord, output: &mut dyn Output) -> Result<()> {
        let record = self.place.compact(record)?;
        let keep = (self.keep)(&record.batch).map_err(|error| self.place.failed(error))?;
        let rows = record.batch.num_rows();
        if keep.len() != rows {
            let message = format!("the closure gave {} answers for {rows} rows", keep.len());
            return Err(self.place.wrong(message));
        }
        // Null is false, as in SQL.
        let live = match keep.nulls() {
            Some(valid) => keep.values() & valid.inner(),
            None => keep.values().clone(),
        };
        output.emit(0, record.narrow(&live))
    }
}
