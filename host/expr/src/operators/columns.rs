//! `select` and `with_columns`: other columns for the same rows.

use arrow::datatypes::SchemaRef;
use volley_api::{Operator, OperatorBinding, OperatorContext, OperatorFactory, Output, Result, StreamRecord};

use super::{Place, label};
use crate::Projection;
use crate::expression::SPARSE_ROWS_PER_LIVE_ROW;
use crate::wording::as_identifier;

/// Makes operators that put out the columns of a list alone, in its order.
#[derive(Debug, Clone)]
pub struct SelectFactory {
    items: Vec<(String, String)>,
}

impl SelectFactory {
    /// A selection of columns, each a name and the SQL expression that makes it. See [`crate::SelectItem`] for
    /// items that are written as one text.
    #[must_use]
    pub fn new(items: Vec<(String, String)>) -> Self {
        Self { items }
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
        let projection = Projection::select(&self.items, input)?;
        Ok(OperatorBinding::single(projection.schema(), projection.reads().to_vec()))
    }

    fn create(&self, context: OperatorContext) -> Result<Box<dyn Operator>> {
        let place = Place::of(&context);
        let projection = Projection::select(&self.items, &context.input).map_err(|error| place.error(error, None))?;
        Ok(Box::new(Columns { place, projection }))
    }
}

/// Makes operators that add columns to those of the input, or replace them where they stand.
#[derive(Debug, Clone)]
pub struct WithColumnsFactory {
    items: Vec<(String, String)>,
}

impl WithColumnsFactory {
    /// Columns to add or replace, each a name and the SQL expression that makes it. The expressions see the columns
    /// of the input, not each other.
    #[must_use]
    pub fn new(items: Vec<(String, String)>) -> Self {
        Self { items }
    }
}

impl OperatorFactory for WithColumnsFactory {
    fn label(&self) -> String {
        let items = self.items.iter().map(|(name, sql)| format!("{} = {sql}", as_identifier(name)));
        label("with_columns", &items.collect::<Vec<_>>().join(", "))
    }

    fn bind(&self, input: &SchemaRef) -> Result<OperatorBinding> {
        let projection = Projection::with_columns(&self.items, input)?;
        Ok(OperatorBinding::single(projection.schema(), projection.reads().to_vec()))
    }

    fn create(&self, context: OperatorContext) -> Result<Box<dyn Operator>> {
        let place = Place::of(&context);
        let projection =
            Projection::with_columns(&self.items, &context.input).map_err(|error| place.error(error, None))?;
        Ok(Box::new(Columns { place, projection }))
    }
}

struct Columns {
    place: Place,
    projection: Projection,
}

impl Operator for Columns {
    fn process(&mut self, record: StreamRecord, output: &mut dyn Output) -> Result<()> {
        // A row that is not live may be what cannot be evaluated, and must not fail the job. Its value is not needed,
        // so with few live rows they are gathered at once, and otherwise when evaluating all of them has not worked.
        let fails_for_live_rows_alone = record.selection.is_none() || self.projection.is_free();
        if !fails_for_live_rows_alone {
            if record.num_rows() * SPARSE_ROWS_PER_LIVE_ROW > record.batch.num_rows()
                && let Some(batch) =
                    self.projection.try_evaluate(&record.batch).map_err(|error| self.place.error(error, None))?
            {
                return output.emit(0, record.with_columns_of(batch));
            }
            let record = record.compact().map_err(|error| {
                volley_api::Error::internal("rows cannot be gathered").caused_by(error).within(&self.place.node)
            })?;
            return self.evaluate(record, output);
        }
        self.evaluate(record, output)
    }
}

impl Columns {
    fn evaluate(&self, record: StreamRecord, output: &mut dyn Output) -> Result<()> {
        let batch = self.projection.evaluate(&record.batch);
        let batch = batch.map_err(|error| self.place.error(error, record.origins.as_ref()))?;
        output.emit(0, record.with_columns_of(batch))
    }
}
