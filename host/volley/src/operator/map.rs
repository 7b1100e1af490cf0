//! A closure that makes other columns for the same rows.

use std::fmt;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use volley_api::{Operator, OperatorBinding, OperatorContext, OperatorFactory, Output, Result, StreamRecord};

use super::{ClosureResult, Place, all_columns};

type Function = dyn Fn(RecordBatch) -> ClosureResult<RecordBatch> + Send + Sync;

/// Makes operators that put out what a closure makes of a batch, row for row.
#[derive(Clone)]
pub(crate) struct MapFn {
    schema: SchemaRef,
    map: Arc<Function>,
}

impl MapFn {
    pub(crate) fn new(
        schema: SchemaRef,
        map: impl Fn(RecordBatch) -> ClosureResult<RecordBatch> + Send + Sync + 'static,
    ) -> Self {
        Self { schema, map: Arc::new(map) }
    }
}

impl fmt::Debug for MapFn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MapFn").field("schema", &self.schema).finish_non_exhaustive()
    }
}

impl OperatorFactory for MapFn {
    fn label(&self) -> String {
        "map by a closure".to_owned()
    }

    fn bind(&self, input: &SchemaRef) -> Result<OperatorBinding> {
        Ok(OperatorBinding::single(Arc::clone(&self.schema), all_columns(input)))
    }

    fn create(&self, context: OperatorContext) -> Result<Box<dyn Operator>> {
        Ok(Box::new(Map { to: self.clone(), place: Place::new(&context) }))
    }
}

struct Map {
    to: MapFn,
    place: Place,
}

impl Operator for Map {
    fn process(&mut self, record: StreamRecord, output: &mut dyn Output) -> Result<()> {
        let record = self.place.compact(record)?;
        let made = (self.to.map)(record.batch.clone()).map_err(|error| self.place.failed(error))?;
        let (found, rows) = (made.num_rows(), record.batch.num_rows());
        if found != rows {
            let message = format!("the closure made {found} rows of {rows}: a map makes as many, flat_map any number");
            return Err(self.place.wrong(message));
        }
        let made = self.place.fit(made, &self.to.schema)?;
        output.emit(0, self.place.timed(record.with_columns_of(made)))
    }
}
