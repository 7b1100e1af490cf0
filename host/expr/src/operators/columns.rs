//! `select` and `with_columns`: other columns for the same rows.

use std::sync::Arc;

use arrow::array::{RecordBatch, RecordBatchOptions};
use arrow::datatypes::SchemaRef;
use arrow::error::ArrowError;
use volley_api::{
    Operator, OperatorBinding, OperatorContext, OperatorFactory, Output, OutputPort, PortName, Replayed, Result,
    StreamRecord, StreamType,
};

use super::{Place, label, replayed};
use crate::expression::SPARSE_ROWS_PER_LIVE_ROW;
use crate::wording::as_identifier;
use crate::{Functions, Projection};

/// Makes operators that put out the columns of a list alone, in its order.
#[derive(Debug, Clone)]
pub struct SelectFactory {
    items: Vec<(String, String)>,
    functions: Functions,
}

impl SelectFactory {
    /// A selection of columns, each a name and the SQL expression that makes it. See [`crate::SelectItem`] for
    /// items that are written as one text.
    #[must_use]
    pub fn new(items: Vec<(String, String)>) -> Self {
        Self { items, functions: Functions::default() }
    }

    /// The same columns, whose expressions may call these functions.
    #[must_use]
    pub fn with_functions(self, functions: Functions) -> Self {
        Self { functions, ..self }
    }
}

impl OperatorFactory for SelectFactory {
    fn label(&self) -> String {
        let items = self.items.iter().map(|(name, sql)| match as_identifier(name) {
            name if name == sql.trim() => name,
            name => format!("{sql} AS {name}"),
        });
        label("select", &items.collect::<Vec<_>>().join(", "))
    }

    fn bind(&self, input: &SchemaRef) -> Result<OperatorBinding> {
        let projection = Projection::select_with(&self.items, input, &self.functions)?;
        Ok(OperatorBinding::single(projection.schema(), projection.reads().to_vec()))
    }

    fn bind_stream(&self, input: &StreamType) -> Result<OperatorBinding> {
        bind(&Projection::select_with(&self.items, &input.schema, &self.functions)?, input)
    }

    fn replayed(&self, _: &StreamType) -> Replayed {
        replayed(&self.functions, self.items.iter().map(|(_, sql)| sql.as_str()))
    }

    fn create(&self, context: OperatorContext) -> Result<Box<dyn Operator>> {
        let place = Place::of(&context);
        let functions = self.functions.at_work(&context);
        let projection = Projection::select_with(&self.items, &context.input, &functions)
            .map_err(|error| place.error(error, None))?;
        let read = projection.over_reads().map_err(|error| place.error(error, None))?;
        Ok(Box::new(Columns { place, gathered: Gathered::new(&projection, read), projection, functions }))
    }
}

/// Makes operators that add columns to those of the input, or replace them where they stand.
#[derive(Debug, Clone)]
pub struct WithColumnsFactory {
    items: Vec<(String, String)>,
    functions: Functions,
}

impl WithColumnsFactory {
    /// Columns to add or replace, each a name and the SQL expression that makes it. The expressions see the columns
    /// of the input, not each other.
    #[must_use]
    pub fn new(items: Vec<(String, String)>) -> Self {
        Self { items, functions: Functions::default() }
    }

    /// The same columns, whose expressions may call these functions.
    #[must_use]
    pub fn with_functions(self, functions: Functions) -> Self {
        Self { functions, ..self }
    }
}

impl OperatorFactory for WithColumnsFactory {
    fn label(&self) -> String {
        let items = self.items.iter().map(|(name, sql)| format!("{} = {sql}", as_identifier(name)));
        label("with_columns", &items.collect::<Vec<_>>().join(", "))
    }

    fn bind(&self, input: &SchemaRef) -> Result<OperatorBinding> {
        let projection = Projection::with_columns_with(&self.items, input, &self.functions)?;
        Ok(OperatorBinding::single(projection.schema(), projection.reads().to_vec()))
    }

    fn bind_stream(&self, input: &StreamType) -> Result<OperatorBinding> {
        bind(&Projection::with_columns_with(&self.items, &input.schema, &self.functions)?, input)
    }

    fn replayed(&self, _: &StreamType) -> Replayed {
        replayed(&self.functions, self.items.iter().map(|(_, sql)| sql.as_str()))
    }

    fn create(&self, context: OperatorContext) -> Result<Box<dyn Operator>> {
        let place = Place::of(&context);
        let functions = self.functions.at_work(&context);
        let projection = Projection::with_columns_with(&self.items, &context.input, &functions)
            .map_err(|error| place.error(error, None))?;
        let gathered = Gathered::new(&projection, projection.clone());
        Ok(Box::new(Columns { place, gathered, projection, functions }))
    }
}

fn bind(projection: &Projection, input: &StreamType) -> Result<OperatorBinding> {
    let port = OutputPort {
        event_time: projection.event_time(input.event_time.as_ref()),
        ..OutputPort::new(PortName::main(), projection.schema())
    };
    Ok(OperatorBinding { outputs: vec![port], reads: projection.reads().to_vec() })
}

struct Columns {
    place: Place,
    projection: Projection,
    gathered: Gathered,
    functions: Functions,
}

/// The same projection over the live rows alone, gathered from the columns that it needs.
struct Gathered {
    /// Over those columns.
    projection: Projection,
    /// Their indices in the input.
    columns: Vec<usize>,
    /// Whether gathering them moves hardly more than gathering what is made of them.
    is_light: bool,
}

impl Gathered {
    fn new(whole: &Projection, needed: Projection) -> Self {
        let (from, input) = (whole.input(), needed.input());
        let columns = input.fields().iter().filter_map(|field| from.index_of(field.name()).ok()).collect();
        Self { columns, is_light: needed.reads_lightly(), projection: needed }
    }

    fn of_live(&self, record: StreamRecord) -> std::result::Result<StreamRecord, ArrowError> {
        let columns = self.columns.iter().map(|&column| Arc::clone(record.batch.column(column))).collect();
        let options = RecordBatchOptions::new().with_row_count(Some(record.batch.num_rows()));
        let needed = RecordBatch::try_new_with_options(self.projection.input(), columns, &options)?;
        record.with_columns_of(needed).compact()
    }
}

impl Operator for Columns {
    fn process(&mut self, record: StreamRecord, output: &mut dyn Output) -> Result<()> {
        if record.selection.is_none() || self.projection.is_free() {
            return self.evaluate(&self.projection, record, output);
        }
        // A row that is not live may be what cannot be evaluated, and must not fail the job. Its value is not needed:
        // where that is cheap, the live rows are gathered first, and otherwise when evaluating all has not worked.
        let is_sparse = record.num_rows() * SPARSE_ROWS_PER_LIVE_ROW <= record.batch.num_rows();
        if !is_sparse
            && !self.gathered.is_light
            && let Some(batch) =
                self.projection.try_evaluate(&record.batch).map_err(|error| self.place.error(error, None))?
        {
            return output.emit(0, record.with_columns_of(batch));
        }
        let record = self.gathered.of_live(record).map_err(|error| {
            volley_api::Error::internal("rows cannot be gathered").caused_by(error).within(&self.place.node)
        })?;
        self.evaluate(&self.gathered.projection, record, output)
    }

    fn finish(&mut self, _output: &mut dyn Output) -> Result<()> {
        self.functions.close().map_err(|error| error.within(format_args!("node `{}`", self.place.node)))
    }
}

impl Columns {
    fn evaluate(&self, projection: &Projection, record: StreamRecord, output: &mut dyn Output) -> Result<()> {
        let batch = projection.evaluate(&record.batch);
        let batch = batch.map_err(|error| self.place.error(error, record.origins.as_ref()))?;
        output.emit(0, record.with_columns_of(batch))
    }
}
