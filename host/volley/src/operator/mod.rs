//! Closures over batches as operators.

mod filter;
mod flat_map;
mod map;

use std::error::Error as StdError;
use std::sync::Arc;

use arrow::array::{Int64Array, RecordBatch, RecordBatchOptions};
use arrow::compute;
use arrow::datatypes::{FieldRef, SchemaRef};
use arrow::error::ArrowError;
use volley_api::{Error, EventTimeColumn, NodeName, OperatorContext, Result, StreamRecord};

pub(crate) use filter::FilterFn;
pub(crate) use flat_map::FlatMapFn;
pub(crate) use map::MapFn;

/// What closures give back: `?` takes errors of Arrow, of Volley, and of everything else that is an error.
///
/// An error stops the job. One of Volley's own keeps its kind; every other is taken for one of the data.
pub type ClosureResult<T> = std::result::Result<T, Box<dyn StdError + Send + Sync>>;

/// Where a closure runs.
struct Place {
    node: NodeName,
    event_time: Option<EventTimeColumn>,
}

impl Place {
    fn new(context: &OperatorContext) -> Self {
        Self { node: context.node.clone(), event_time: context.event_time.clone() }
    }

    /// Something that the closure did wrong.
    fn wrong(&self, message: String) -> Error {
        Error::data(message).within(format_args!("node `{}`", self.node))
    }

    /// The closure's own error.
    fn failed(&self, error: Box<dyn StdError + Send + Sync>) -> Error {
        let error = match error.downcast::<Error>() {
            Ok(error) => *error,
            Err(error) => Error::data(error.to_string()).caused_by(error),
        };
        error.within(format_args!("node `{}`", self.node))
    }

    fn compact(&self, record: StreamRecord) -> Result<StreamRecord> {
        record.compact().map_err(|error| {
            let error = Error::internal("rows cannot be gathered").caused_by(error);
            error.within(format_args!("node `{}`", self.node))
        })
    }

    /// A batch that the closure made, of the schema that it was declared with.
    fn fit(&self, batch: RecordBatch, schema: &SchemaRef) -> Result<RecordBatch> {
        fit(batch, schema).map_err(|error| error.within(format_args!("node `{}`", self.node)))
    }

    /// The record with the bounds of the times that its rows have now: the closure may have changed them.
    fn timed(&self, mut record: StreamRecord) -> StreamRecord {
        let column = self.event_time.as_ref();
        let column = column.filter(|column| record.batch.column_by_name(&column.name).is_some());
        // A column of that name and another type is no event time any more.
        let times: Option<Int64Array> = column.and_then(|column| column.ms(&record.batch).ok());
        record.min_event_time = times.as_ref().and_then(compute::min);
        record.max_event_time = times.as_ref().and_then(compute::max);
        record
    }
}

/// A batch with the declared schema in place of its own, which may say less of nulls and nothing of metadata.
pub(crate) fn fit(batch: RecordBatch, schema: &SchemaRef) -> Result<RecordBatch> {
    if Arc::ptr_eq(batch.schema_ref(), schema) {
        return Ok(batch);
    }
    let same = |(found, declared): (&FieldRef, &FieldRef)| {
        found.name() == declared.name() && found.data_type() == declared.data_type()
    };
    let (found, declared) = (batch.schema_ref().fields(), schema.fields());
    if found.len() != declared.len() || !found.iter().zip(declared).all(same) {
        return Err(Error::data(format!(
            "a batch has the columns {}, and {} were declared",
            columns(batch.schema_ref()),
            columns(schema)
        )));
    }
    let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    let fitted = RecordBatch::try_new_with_options(Arc::clone(schema), batch.columns().to_vec(), &options);
    fitted
        .map_err(|error: ArrowError| Error::data("a batch does not fit the schema that was declared").caused_by(error))
}

fn columns(schema: &SchemaRef) -> String {
    let columns: Vec<String> =
        schema.fields().iter().map(|field| format!("{}: {}", field.name(), field.data_type())).collect();
    format!("({})", columns.join(", "))
}

/// The names of all columns: a closure may look at any of them.
fn all_columns(schema: &SchemaRef) -> Vec<String> {
    schema.fields().iter().map(|field| field.name().clone()).collect()
}
