//! A closure that makes any rows of a batch.

use std::fmt;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use volley_api::{Operator, OperatorBinding, OperatorContext, OperatorFactory, Output, Result, StreamRecord};

use super::{ClosureResult, Place, all_columns};

type Function = dyn Fn(RecordBatch) -> ClosureResult<Vec<RecordBatch>> + Send + Sync;

/// Makes operators that put out the batches that a closure makes of one. Where a row came from is not known below it, since
/// the closure does not say.
#[derive(Clone)]
pub(crate) struct FlatMapFn {
    schema: SchemaRef,
    map: Arc<Function>,
}

impl FlatMapFn {
    pub(crate) fn new(
        schema: SchemaRef,
        map: impl Fn(RecordBatch) -> ClosureResult<Vec<RecordBatch>> + Send + Sync + 'static,
    ) -> Self {
        Self { schema, map: Arc::new(map) }
    }
}

impl fmt::Debug for FlatMapFn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FlatMapFn").field("schema", &self.schema).finish_non_exhaustive()
    }
}

impl OperatorFactory for FlatMapFn {
    fn label(&self) -> String {
        "flat_map by a closure".to_owned()
    }

    fn bind(&self, input: &SchemaRef) -> Result<OperatorBinding> {
        Ok(OperatorBinding::single(Arc::clone(&self.schema), all_columns(input)))
    }

    fn create(&self, context: OperatorContext) -> Result<Box<dyn Operator>> {
        Ok(Box::new(FlatMap { to: self.clone(), place: Place::new(&context) }))
    }
}

struct FlatMap {
    to: FlatMapFn,
    place: Place,
}

impl Operator for FlatMap {
    fn process(&mut self, record: StreamRecord, output: &mut dyn Output) -> Result<()> {
        let record = self.place.compact(record)?;
        let trace = record.trace;
        for made in (self.to.map)(record.batch).map_err(|error| self.place.failed(error))? {
            if made.num_rows() > 0 {
                let made = self.place.fit(made, &self.to.schema)?;
                output.emit(0, self.place.timed(StreamRecord { trace, ..StreamRecord::new(made) }))?;
            }
        }
        Ok(())
    }
}
