//! One expression over one schema: planned once, evaluated for each batch.

use std::fmt;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, BooleanArray, RecordBatch, RecordBatchOptions, new_empty_array};
use arrow::buffer::{BooleanBuffer, MutableBuffer};
use arrow::compute;
use arrow::datatypes::{DataType, Field, SchemaRef};
use arrow::util::bit_util;
use arrow::util::display::array_value_to_string;
use datafusion_common::DataFusionError;
use datafusion_physical_expr::PhysicalExpr;
use datafusion_sql::sqlparser::ast::Expr as SyntaxTree;

use crate::call_site;
use crate::error::{Error, Result};
use crate::given::Functions;
use crate::plan::{self, Plan};
use crate::wording::{cut, reason};

/// The most columns whose values an error shows.
const VALUES_SHOWN: usize = 8;
/// The most characters of a value that an error shows.
const VALUE_CHARS_SHOWN: usize = 60;
/// With at most one live row in so many, the live rows are gathered before an evaluation; with more, evaluating the
/// others too is cheaper than moving data.
pub(crate) const SPARSE_ROWS_PER_LIVE_ROW: usize = 4;

/// A SQL expression over the columns of one schema. Cheap to clone.
///
/// ```
/// use std::sync::Arc;
/// use arrow::array::{ArrayRef, Int64Array, RecordBatch};
/// use volley_expr::Expression;
///
/// let x: ArrayRef = Arc::new(Int64Array::from(vec![Some(1), None, Some(3)]));
/// let batch = RecordBatch::try_from_iter([("x", x)])?;
/// let doubled = Expression::parse("x * 2", &batch.schema())?;
/// assert_eq!(doubled.reads(), ["x"]);
/// assert_eq!(&*doubled.evaluate(&batch)?, &Int64Array::from(vec![Some(2), None, Some(6)]));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct Expression {
    sql: Arc<str>,
    plan: Arc<Plan>,
}

impl fmt::Debug for Expression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Expression").field("sql", &self.sql).field("data_type", &self.plan.data_type).finish()
    }
}

impl Expression {
    /// Reads and plans an expression over the columns of `schema`. All that can be known without rows is checked
    /// here, down to constants that cannot be evaluated.
    ///
    /// # Errors
    /// [`Error::Syntax`], [`Error::TooLarge`], [`Error::UnknownColumn`], [`Error::UnknownFunction`], [`Error::Refused`],
    /// [`Error::Type`] and [`Error::Constant`], each naming the expression.
    pub fn parse(sql: &str, schema: &SchemaRef) -> Result<Self> {
        Self::parse_with(sql, schema, &Functions::default())
    }

    /// As [`Expression::parse`], where the expression may also call these functions. Each call has an instance of its own.
    ///
    /// # Errors
    /// As [`Expression::parse`], and [`Error::Function`] when a function refuses its arguments.
    pub fn parse_with(sql: &str, schema: &SchemaRef, functions: &Functions) -> Result<Self> {
        Self::ready(sql, plan::plan(sql, schema, functions)?)
    }

    /// As [`Expression::parse`], of a part of the text `sql` that has been read already: what is said of the part names
    /// the whole text, and places in it. Call it on a deep stack.
    pub(crate) fn of_tree(sql: &str, tree: SyntaxTree, schema: &SchemaRef, functions: &Functions) -> Result<Self> {
        Self::ready(sql, plan::plan_tree(sql, tree, schema, functions)?)
    }

    fn ready(sql: &str, plan: Plan) -> Result<Self> {
        let expression = Self { sql: sql.into(), plan: Arc::new(plan) };
        if expression.plan.reads.is_empty() && !is_volatile(&expression.plan.physical) {
            // It has one outcome for all rows; when that is a failure, now is the time to say so.
            let one_row = expression.read_columns(&[], 1)?;
            if let Err(error) = expression.try_narrow(&one_row) {
                if let Some(call) = call_site::found(&error) {
                    return Err(call.while_planning(sql));
                }
                return Err(Error::Constant { sql: sql.into(), reason: reason(&error) });
            }
        }
        Ok(expression)
    }

    /// The text that it was read from.
    #[must_use]
    pub fn sql(&self) -> &str {
        &self.sql
    }

    /// The type of its result.
    #[must_use]
    pub fn data_type(&self) -> &DataType {
        &self.plan.data_type
    }

    /// Whether its result may have nulls.
    #[must_use]
    pub fn nullable(&self) -> bool {
        self.plan.nullable
    }

    /// Names of the columns that it reads, in the schema's order. Columns that make no difference (`x * 0 IS NULL`
    /// over an `x` without nulls) may be left out.
    #[must_use]
    pub fn reads(&self) -> Vec<String> {
        self.plan.reads_schema.fields().iter().map(|field| field.name().clone()).collect()
    }

    /// Index of the column that it stands for, when it is nothing but a column's name.
    #[must_use]
    pub fn column(&self) -> Option<usize> {
        self.plan.column
    }

    /// A field of that name for its result. A column that is only renamed keeps its metadata.
    #[must_use]
    pub fn field(&self, name: &str) -> Field {
        match (self.plan.column, self.plan.reads_schema.fields().first()) {
            (Some(_), Some(field)) => field.as_ref().clone().with_name(name),
            _ => Field::new(name, self.plan.data_type.clone(), self.plan.nullable),
        }
    }

    /// Evaluates it for every row of a batch of the schema that it was parsed for.
    ///
    /// # Errors
    /// [`Error::Evaluate`] when there is no result for some row; the message names the first such row.
    pub fn evaluate(&self, batch: &RecordBatch) -> Result<ArrayRef> {
        if let Some(column) = self.plan.column.and_then(|column| batch.columns().get(column)) {
            return Ok(Arc::clone(column));
        }
        if let Some(compared) = self.compared(batch) {
            return Ok(compared);
        }
        let narrow = self.narrow(batch)?;
        self.try_narrow(&narrow).or_else(|error| match self.final_failure(&error) {
            Some(error) => Err(error),
            None => self.evaluate_in_parts(&narrow, 0),
        })
    }

    /// Its result where it is a comparison that cannot fail.
    fn compared(&self, batch: &RecordBatch) -> Option<ArrayRef> {
        let column = batch.columns().get(*self.plan.reads.first()?)?;
        self.plan.comparison.as_ref()?.evaluate(column)
    }

    #[cfg(test)]
    pub(crate) fn is_comparison(&self) -> bool {
        self.plan.comparison.is_some()
    }

    /// Evaluates it for every row at once: an error says only that smaller parts are worth trying.
    pub(crate) fn try_evaluate(&self, batch: &RecordBatch) -> Result<Option<ArrayRef>> {
        Ok(self.try_narrow(&self.narrow(batch)?).ok())
    }

    /// Evaluates a condition for every row: the bits of those for which it is true, null being false.
    pub(crate) fn condition(&self, batch: &RecordBatch) -> Result<BooleanBuffer> {
        self.bits(&self.evaluate(batch)?)
    }

    /// Evaluates a condition for the live rows alone: one bit for each row of the batch, clear for the others.
    pub(crate) fn condition_of_live(&self, batch: &RecordBatch, live: &BooleanBuffer) -> Result<BooleanBuffer> {
        let narrow = self.narrow(batch)?;
        let live_rows = live.count_set_bits();
        if live_rows * SPARSE_ROWS_PER_LIVE_ROW > live.len()
            && let Ok(array) = self.try_narrow(&narrow)
        {
            return Ok(&self.bits(&array)? & live);
        }
        // Either few rows are live, or a row that is not live may be what cannot be evaluated.
        let keep = BooleanArray::new(live.clone(), None);
        let gathered = compute::filter_record_batch(&narrow, &keep).map_err(|error| self.internal(&error))?;
        let array = self.try_narrow(&gathered).or_else(|_| self.evaluate_in_parts(&gathered, 0));
        let array = array.map_err(|error| error.at_row(|row| live.set_indices().nth(row).unwrap_or(row)))?;
        Ok(scatter(&self.bits(&array)?, live))
    }

    fn bits(&self, array: &ArrayRef) -> Result<BooleanBuffer> {
        let Some(array) = array.as_any().downcast_ref::<BooleanArray>() else {
            let found = array.data_type().to_string();
            return Err(Error::NotBoolean { sql: self.sql.to_string(), found });
        };
        Ok(match array.nulls() {
            Some(nulls) => array.values() & nulls.inner(),
            None => array.values().clone(),
        })
    }

    fn narrow(&self, batch: &RecordBatch) -> Result<RecordBatch> {
        let columns = batch.columns();
        if let Some(&beyond) = self.plan.reads.last().filter(|&&last| last >= columns.len()) {
            let columns = columns.len();
            let reason = format!(
                "it reads column {beyond} of a batch that has {columns}: over the columns that are read alone, \
                 use Projection::over_reads"
            );
            return Err(self.internal(&reason));
        }
        let columns: Vec<ArrayRef> = self.plan.reads.iter().map(|&column| Arc::clone(&columns[column])).collect();
        self.read_columns(&columns, batch.num_rows())
    }

    fn read_columns(&self, columns: &[ArrayRef], rows: usize) -> Result<RecordBatch> {
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        RecordBatch::try_new_with_options(Arc::clone(&self.plan.reads_schema), columns.to_vec(), &options)
            .map_err(|error| self.internal(&error))
    }

    fn try_narrow(&self, narrow: &RecordBatch) -> Result<ArrayRef, DataFusionError> {
        if self.plan.column.is_some() {
            return Ok(Arc::clone(narrow.column(0)));
        }
        if let Some(comparison) = &self.plan.comparison
            && let Some(compared) = comparison.evaluate(narrow.column(0))
        {
            return Ok(compared);
        }
        self.plan.physical.evaluate(narrow)?.into_array(narrow.num_rows())
    }

    /// Evaluates by halves what cannot be evaluated as a whole, so that a row counts as failed only if it fails
    /// alone. Costs as many evaluations as there are such rows, times the logarithm of the rows.
    fn evaluate_in_parts(&self, narrow: &RecordBatch, first_row: usize) -> Result<ArrayRef> {
        let rows = narrow.num_rows();
        if rows == 0 {
            return Ok(new_empty_array(&self.plan.data_type));
        }
        match self.try_narrow(narrow) {
            Ok(array) => Ok(array),
            Err(error) => {
                if let Some(error) = self.final_failure(&error) {
                    return Err(error);
                }
                if rows == 1 {
                    return Err(self.failed(narrow, first_row, &error));
                }
                let half = rows / 2;
                let first = self.evaluate_in_parts(&narrow.slice(0, half), first_row)?;
                let second = self.evaluate_in_parts(&narrow.slice(half, rows - half), first_row + half)?;
                compute::concat(&[&*first, &*second]).map_err(|error| self.internal(&error))
            }
        }
    }

    fn failed(&self, row: &RecordBatch, row_index: usize, error: &DataFusionError) -> Error {
        let schema = row.schema();
        let values: Vec<String> = schema
            .fields()
            .iter()
            .zip(row.columns())
            .take(VALUES_SHOWN)
            .map(|(field, column)| format!("{} = {}", field.name(), shown(column)))
            .collect();
        let more = if row.num_columns() > VALUES_SHOWN { ", …" } else { "" };
        if let Some(call) = call_site::found(error) {
            return call.at_row(&self.sql, row_index, &format!(" for the row with {}{more}", values.join(", ")));
        }
        let reason = reason(error);
        let fix = if reason.contains("Divide by zero") {
            "; NULLIF(…, 0) as the divisor gives null instead"
        } else if reason.contains("Cast error") || reason.contains("Cannot cast") || reason.contains("Parser error") {
            "; TRY_CAST gives null instead"
        } else {
            ""
        };
        Error::Evaluate {
            sql: self.sql.to_string(),
            row_index,
            row: format!(" for the row with {}{more}", values.join(", ")),
            reason,
            fix,
        }
    }

    /// The failure of a function that will answer no other rows either.
    fn final_failure(&self, error: &DataFusionError) -> Option<Error> {
        call_site::found(error).filter(|call| call.is_final).map(|call| call.at_no_row(&self.sql))
    }

    fn internal(&self, reason: &dyn fmt::Display) -> Error {
        Error::Internal { sql: self.sql.to_string(), reason: reason.to_string() }
    }
}

/// Whether something in it may give something else each time.
fn is_volatile(expr: &Arc<dyn PhysicalExpr>) -> bool {
    let mut waiting = vec![expr];
    while let Some(expr) = waiting.pop() {
        if expr.is_volatile_node() {
            return true;
        }
        waiting.extend(expr.children());
    }
    false
}

/// The one value of a column of one row.
fn shown(column: &ArrayRef) -> String {
    if column.is_null(0) {
        return "null".into();
    }
    let text = array_value_to_string(column, 0).unwrap_or_else(|_| "?".into());
    let text = cut(&text, VALUE_CHARS_SHOWN);
    if column.data_type().is_string() { format!("'{text}'") } else { text }
}

/// Spreads one bit for each live row over all rows.
fn scatter(bits: &BooleanBuffer, live: &BooleanBuffer) -> BooleanBuffer {
    let mut spread = MutableBuffer::from_len_zeroed(bit_util::ceil(live.len(), 8));
    for (row, bit) in live.set_indices().zip(bits) {
        if bit {
            bit_util::set_bit(spread.as_slice_mut(), row);
        }
    }
    BooleanBuffer::new(spread.into(), 0, live.len())
}
