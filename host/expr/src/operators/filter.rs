//! `filter`: keeps the rows for which a condition is true.

use arrow::datatypes::{DataType, SchemaRef};
use volley_api::{
    Operator, OperatorBinding, OperatorContext, OperatorFactory, Output, Replayed, Result, StreamRecord, StreamType,
};

use super::{Place, label, replayed};
use crate::{Error, Expression, Functions};

/// Makes operators that keep the rows for which an expression is true; false and null are dropped.
///
/// Data is not moved: the record's selection is narrowed. A row that is not live is never the reason of a failure.
#[derive(Debug, Clone)]
pub struct FilterFactory {
    sql: String,
    functions: Functions,
}

impl FilterFactory {
    /// A filter by a SQL condition, which is checked when the input is known.
    #[must_use]
    pub fn new(sql: impl Into<String>) -> Self {
        Self { sql: sql.into(), functions: Functions::default() }
    }

    /// The same filter, whose condition may call these functions.
    #[must_use]
    pub fn with_functions(self, functions: Functions) -> Self {
        Self { functions, ..self }
    }

    fn parse(&self, input: &SchemaRef, functions: &Functions) -> crate::Result<Expression> {
        let expression = Expression::parse_with(&self.sql, input, functions)?;
        match expression.data_type() {
            DataType::Boolean => Ok(expression),
            other => Err(Error::NotBoolean { sql: self.sql.clone(), found: other.to_string() }),
        }
    }
}

impl OperatorFactory for FilterFactory {
    fn label(&self) -> String {
        label("filter", &self.sql)
    }

    fn bind(&self, input: &SchemaRef) -> Result<OperatorBinding> {
        Ok(OperatorBinding::single(input.clone(), self.parse(input, &self.functions)?.reads()))
    }

    fn replayed(&self, _: &StreamType) -> Replayed {
        replayed(&self.functions, [self.sql.as_str()])
    }

    fn create(&self, context: OperatorContext) -> Result<Box<dyn Operator>> {
        let place = Place::of(&context);
        let functions = self.functions.at_work(&context);
        let condition = self.parse(&context.input, &functions).map_err(|error| place.error(error, None))?;
        Ok(Box::new(Filter { place, condition, functions }))
    }
}

struct Filter {
    place: Place,
    condition: Expression,
    functions: Functions,
}

impl Operator for Filter {
    fn process(&mut self, record: StreamRecord, output: &mut dyn Output) -> Result<()> {
        let keep = match &record.selection {
            None => self.condition.condition(&record.batch),
            Some(live) => self.condition.condition_of_live(&record.batch, live),
        };
        let keep = keep.map_err(|error| self.place.error(error, record.origins.as_ref()))?;
        output.emit(0, record.narrow(&keep))
    }

    fn finish(&mut self, _output: &mut dyn Output) -> Result<()> {
        self.functions.close().map_err(|error| error.within(format_args!("node `{}`", self.place.node)))
    }
}
