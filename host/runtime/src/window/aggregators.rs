//! What makes the aggregators of one instance, and what becomes of the rows that they refuse.

use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray, RecordBatch, UInt32Array};
use arrow::buffer::BooleanBuffer;
use arrow::compute::filter;
use arrow::datatypes::SchemaRef;
use volley_api::{
    Aggregator, AggregatorFactory, AggregatorPool, AggregatorRole, EventTimeColumn, OperatorContext, Output, Result,
    StreamRecord,
};

use super::input::internal;

/// Makes the aggregators of one instance of an operator, or of the combiner in front of it.
pub(crate) struct Aggregators {
    factory: Arc<dyn AggregatorFactory>,
    input: SchemaRef,
    order: Option<EventTimeColumn>,
    /// Where they share something.
    pool: Option<Box<dyn AggregatorPool>>,
    may_refuse: bool,
}

impl Aggregators {
    /// For batches of the columns of `input`.
    pub(crate) fn new(
        factory: &Arc<dyn AggregatorFactory>,
        context: &OperatorContext,
        role: AggregatorRole,
        input: &SchemaRef,
        order: Option<EventTimeColumn>,
    ) -> Result<Self> {
        let pool = factory.pool(context, role, input)?;
        let may_refuse = factory.can_reject();
        Ok(Self { factory: Arc::clone(factory), input: Arc::clone(input), order, pool, may_refuse })
    }

    /// An empty one.
    pub(crate) fn create(&self) -> Result<Box<dyn Aggregator>> {
        match &self.pool {
            Some(pool) => pool.create(),
            None => self.factory.create(&self.input, self.order.as_ref()),
        }
    }

    /// The whole rows that an update needs, where it may refuse some: `record` compacted.
    pub(crate) fn whole(&self, record: &StreamRecord) -> Result<Option<StreamRecord>> {
        self.may_refuse.then(|| record.clone().compact().map_err(internal)).transpose()
    }

    /// Makes sure that no row that was taken in can be refused any more.
    pub(crate) fn settle(&self) -> Result<()> {
        self.pool.as_ref().map_or(Ok(()), |pool| pool.settle())
    }

    /// Sends the rows that were refused since the last time to their port.
    pub(crate) fn put_out_refused(&self, output: &mut dyn Output) -> Result<()> {
        let Some(pool) = &self.pool else { return Ok(()) };
        for refused in pool.take_refused() {
            output.reject(&refused.rows, refused.rejects)?;
        }
        Ok(())
    }

    /// The rows that were refused since the last time, as rows that somebody else may try.
    pub(crate) fn take_returned(&self) -> Result<Vec<StreamRecord>> {
        let Some(pool) = &self.pool else { return Ok(Vec::new()) };
        let rows = |refused: volley_api::Refused| {
            let rows = refused.rejects.iter().map(|reject| u32::try_from(reject.row).unwrap_or(u32::MAX));
            refused.rows.take(&UInt32Array::from_iter_values(rows)).map_err(internal)
        };
        pool.take_refused().into_iter().map(rows).collect()
    }

    /// Whether some rows of a record are refused whatever group they are in. They are put out, and the others given back; `None`
    /// where no row is refused.
    ///
    /// It is for those who have to know which rows there are before they make groups of them. What else there is must be settled.
    pub(crate) fn without_refused(
        &self,
        rows: &RecordBatch,
        record: &StreamRecord,
        output: &mut dyn Output,
    ) -> Result<Option<StreamRecord>> {
        let (Some(pool), Some(whole)) = (&self.pool, self.whole(record)?) else { return Ok(None) };
        let mut trial = self.create()?;
        trial.update_of(&whole, rows, &vec![0; rows.num_rows()], 1)?;
        trial.drain(1)?;
        let refused = pool.take_refused();
        if refused.is_empty() {
            return Ok(None);
        }
        let mut keep = vec![true; whole.num_rows()];
        for refused in refused {
            for reject in &refused.rejects {
                keep[reject.row] = false;
            }
            output.reject(&refused.rows, refused.rejects)?;
        }
        whole.narrow(&BooleanBuffer::from(keep)).compact().map(Some).map_err(internal)
    }

    /// Takes the groups without results out of columns that have a row for each group.
    pub(crate) fn with_results(aggregator: &dyn Aggregator, columns: Vec<ArrayRef>) -> Result<Vec<ArrayRef>> {
        let Some(present) = aggregator.evaluated() else { return Ok(columns) };
        let present = BooleanArray::new(present.clone(), None);
        columns.iter().map(|column| filter(column, &present).map_err(internal)).collect()
    }

    /// The last call of a clean end.
    pub(crate) fn finish(&self) -> Result<()> {
        self.pool.as_ref().map_or(Ok(()), |pool| pool.finish())
    }
}
