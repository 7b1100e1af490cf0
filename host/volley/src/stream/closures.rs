//! What closures over batches make of a stream.

use std::sync::Arc;

use arrow::array::{BooleanArray, RecordBatch};
use arrow::datatypes::SchemaRef;

use super::DataStream;
use crate::ClosureResult;
use crate::graph::Kind;
use crate::operator::{FilterFn, FlatMapFn, MapFn};

/// Closures run on the threads of the job, and one closure serves all instances of the node. An error or a panic in it
/// stops the job.
impl DataStream {
    /// The rows for which the closure says true, by one answer for each row; null is false.
    ///
    /// ```
    /// # use volley::prelude::*;
    /// use arrow::array::{AsArray, BooleanArray, Int64Array};
    /// use arrow::compute::kernels::cmp;
    ///
    /// # fn late(flights: &DataStream) -> DataStream {
    /// flights.filter(|batch| {
    ///     let delay = batch.column_by_name("dep_delay").ok_or("no column `dep_delay`")?;
    ///     Ok(cmp::gt(delay, &Int64Array::new_scalar(15))?)
    /// })
    /// # }
    /// ```
    pub fn filter(&self, keep: impl Fn(&RecordBatch) -> ClosureResult<BooleanArray> + Send + Sync + 'static) -> Self {
        self.then("filter", Kind::Operator(Arc::new(FilterFn::new(keep))))
    }

    /// What the closure makes of each batch: a batch of `schema`, with as many rows, each in the place of the row that it
    /// was made of. How rows are cut into batches may differ from run to run.
    pub fn map(
        &self,
        schema: impl Into<SchemaRef>,
        map: impl Fn(RecordBatch) -> ClosureResult<RecordBatch> + Send + Sync + 'static,
    ) -> Self {
        self.then("map", Kind::Operator(Arc::new(MapFn::new(schema.into(), map))))
    }

    /// What the closure makes of each batch: any number of batches of `schema`, with any number of rows. Rows that are
    /// refused below it do not say which record of a source they came from.
    pub fn flat_map(
        &self,
        schema: impl Into<SchemaRef>,
        map: impl Fn(RecordBatch) -> ClosureResult<Vec<RecordBatch>> + Send + Sync + 'static,
    ) -> Self {
        self.then("flat-map", Kind::Operator(Arc::new(FlatMapFn::new(schema.into(), map))))
    }
}
