//! Several named expressions over one schema: what `select` and `with_columns` make of a batch.

use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, RecordBatchOptions};
use arrow::datatypes::{FieldRef, Schema, SchemaRef};

use volley_api::{EventTimeColumn, OutputTime};

use crate::Expression;
use crate::error::{Error, Result};
use crate::given::Functions;
use crate::plan;

/// The most columns that one projection makes.
const COLUMNS_MAX: usize = 4096;

/// The columns that named expressions make of a batch. Planned once; cheap to clone.
#[derive(Debug, Clone)]
pub struct Projection {
    input: SchemaRef,
    output: SchemaRef,
    reads: Vec<String>,
    columns: Vec<Column>,
    functions: Functions,
}

/// Where a column of the output comes from.
#[derive(Debug, Clone)]
enum Column {
    /// A column of the input, as it is.
    Passed(usize),
    /// An expression.
    Computed(Expression),
}

impl Projection {
    /// A projection to the columns of `items` (name, expression) alone, in that order.
    ///
    /// # Errors
    /// Those of [`Expression::parse`]; [`Error::Columns`] for no item, or two of one name.
    pub fn select(items: &[(String, String)], input: &SchemaRef) -> Result<Self> {
        Self::select_with(items, input, &Functions::default())
    }

    /// As [`Projection::select`], where the expressions may also call these functions.
    ///
    /// # Errors
    /// As [`Projection::select`].
    pub fn select_with(items: &[(String, String)], input: &SchemaRef, functions: &Functions) -> Result<Self> {
        check_names(items)?;
        let columns = items.iter().map(|(_, sql)| Expression::parse_with(sql, input, functions).map(Column::Computed));
        let columns: Vec<Column> = columns.collect::<Result<_>>()?;
        let names = items.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>();
        Ok(Self::new(input, &names, columns, functions))
    }

    /// A projection to all columns of the input and those of `items` (name, expression): a column of the same name is
    /// replaced where it stands, others follow behind. The expressions see the columns of the input, not each other.
    ///
    /// # Errors
    /// As [`Projection::select`].
    pub fn with_columns(items: &[(String, String)], input: &SchemaRef) -> Result<Self> {
        Self::with_columns_with(items, input, &Functions::default())
    }

    /// As [`Projection::with_columns`], where the expressions may also call these functions.
    ///
    /// # Errors
    /// As [`Projection::select`].
    pub fn with_columns_with(items: &[(String, String)], input: &SchemaRef, functions: &Functions) -> Result<Self> {
        check_names(items)?;
        let mut names: Vec<&str> = input.fields().iter().map(|field| field.name().as_str()).collect();
        let mut columns: Vec<Column> = (0..names.len()).map(Column::Passed).collect();
        for (name, sql) in items {
            let column = Column::Computed(Expression::parse_with(sql, input, functions)?);
            match names.iter().position(|known| known == name) {
                Some(at) => columns[at] = column,
                None => {
                    names.push(name);
                    columns.push(column);
                }
            }
        }
        Ok(Self::new(input, &names, columns, functions))
    }

    fn new(input: &SchemaRef, names: &[&str], columns: Vec<Column>, functions: &Functions) -> Self {
        let fields: Vec<FieldRef> = names
            .iter()
            .zip(&columns)
            .map(|(name, column)| match column {
                Column::Passed(index) => Arc::clone(&input.fields()[*index]),
                Column::Computed(expression) => Arc::new(expression.field(name)),
            })
            .collect();
        let computed = columns.iter().filter_map(|column| match column {
            Column::Computed(expression) => Some(expression.reads()),
            Column::Passed(_) => None,
        });
        let reads: HashSet<String> = computed.flatten().collect();
        let reads = input.fields().iter().map(|field| field.name()).filter(|name| reads.contains(*name)).cloned();
        let output = Arc::new(Schema::new_with_metadata(fields, input.metadata().clone()));
        Self { input: Arc::clone(input), output, reads: reads.collect(), columns, functions: functions.clone() }
    }

    /// The same projection over the columns that its expressions read alone, in the order of [`Projection::reads`]:
    /// for inputs that need not make the others.
    ///
    /// # Errors
    /// Those of [`Expression::parse`], which a parsed projection does not meet.
    ///
    /// # Panics
    /// For a projection that passes other columns on, as [`Projection::with_columns`] makes.
    pub fn over_reads(&self) -> Result<Self> {
        let indices: BTreeSet<usize> = self.reads.iter().filter_map(|name| self.input.index_of(name).ok()).collect();
        let input = plan::project(&self.input, &indices.into_iter().collect::<Vec<_>>());
        let items = self.output.fields().iter().zip(&self.columns).map(|(field, column)| match column {
            Column::Computed(expression) => (field.name().clone(), expression.sql().to_owned()),
            Column::Passed(_) => panic!("a projection that passes columns on reads them all"),
        });
        let narrow = Self::select_with(&items.collect::<Vec<_>>(), &input, &self.functions)?;
        // With the metadata of the whole input's schema.
        Ok(Self { output: self.schema(), ..narrow })
    }

    /// The columns that it makes.
    #[must_use]
    pub fn schema(&self) -> SchemaRef {
        Arc::clone(&self.output)
    }

    /// The columns that it was planned for.
    pub(crate) fn input(&self) -> SchemaRef {
        Arc::clone(&self.input)
    }

    /// Names of the columns that its expressions read, in the order of the input.
    #[must_use]
    pub fn reads(&self) -> &[String] {
        &self.reads
    }

    /// Where event time is in its output. A column that is renamed takes it along; one that is computed anew under the same
    /// name is another time, of which nobody has said how far it has come.
    pub(crate) fn event_time(&self, input: Option<&EventTimeColumn>) -> OutputTime {
        let Some(column) = input else { return OutputTime::Kept };
        let source = |column: &Column| match column {
            Column::Passed(index) => Some(*index),
            Column::Computed(expression) => expression.column(),
        };
        let Ok(time) = self.input.index_of(&column.name) else { return OutputTime::Kept };
        let mut passed = self.output.fields().iter().zip(&self.columns).filter(|(_, made)| source(made) == Some(time));
        let names: Vec<&str> = passed.by_ref().map(|(field, _)| field.name().as_str()).collect();
        match names.first() {
            _ if names.contains(&&*column.name) => OutputTime::Kept,
            Some(name) => OutputTime::In(EventTimeColumn { name: (*name).into(), offset_ms: column.offset_ms }),
            None => OutputTime::None,
        }
    }

    /// Whether it only picks, orders and renames columns, and so can neither cost anything nor fail.
    #[must_use]
    pub fn is_free(&self) -> bool {
        self.columns.iter().all(|column| match column {
            Column::Passed(_) => true,
            Column::Computed(expression) => expression.column().is_some(),
        })
    }

    /// Whether its input is hardly more to move than its output: columns that it does not pass on as they are are numbers,
    /// and no more of them than columns that it computes.
    pub(crate) fn reads_lightly(&self) -> bool {
        let passed = self.columns.iter().filter_map(|column| match column {
            Column::Passed(index) => Some(*index),
            Column::Computed(expression) => expression.column(),
        });
        let passed: Vec<usize> = passed.collect();
        let computed = self.columns.len() - passed.len();
        let others = self.input.fields().iter().enumerate().filter(|(index, _)| !passed.contains(index));
        let others: Vec<_> = others.map(|(_, field)| field.data_type()).collect();
        others.len() <= computed && others.iter().all(|data_type| data_type.is_primitive())
    }

    /// Makes its columns of a batch of the schema that it was planned for.
    ///
    /// # Errors
    /// Those of [`Expression::evaluate`].
    pub fn evaluate(&self, batch: &RecordBatch) -> Result<RecordBatch> {
        let arrays = self.columns.iter().map(|column| match column {
            Column::Passed(index) => self.passed(batch, *index),
            Column::Computed(expression) => expression.evaluate(batch),
        });
        self.batch(arrays.collect::<Result<_>>()?, batch.num_rows())
    }

    /// As [`Projection::evaluate`], but `None` when a batch cannot be evaluated as a whole.
    pub(crate) fn try_evaluate(&self, batch: &RecordBatch) -> Result<Option<RecordBatch>> {
        let arrays = self.columns.iter().map(|column| match column {
            Column::Passed(index) => self.passed(batch, *index).map(Some),
            Column::Computed(expression) => expression.try_evaluate(batch),
        });
        match arrays.collect::<Result<Option<Vec<_>>>>()? {
            Some(arrays) => self.batch(arrays, batch.num_rows()).map(Some),
            None => Ok(None),
        }
    }

    fn passed(&self, batch: &RecordBatch, index: usize) -> Result<ArrayRef> {
        batch.columns().get(index).map(Arc::clone).ok_or_else(|| Error::Internal {
            sql: self.input.field(index).name().clone(),
            reason: format!("the batch has {} columns, {} were agreed", batch.num_columns(), self.input.fields().len()),
        })
    }

    fn batch(&self, arrays: Vec<ArrayRef>, rows: usize) -> Result<RecordBatch> {
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        RecordBatch::try_new_with_options(Arc::clone(&self.output), arrays, &options).map_err(|error| {
            let names: Vec<&str> = self.output.fields().iter().map(|field| field.name().as_str()).collect();
            Error::Internal { sql: names.join(", "), reason: error.to_string() }
        })
    }
}

/// Checks the names of a list of columns to make.
pub(crate) fn check_names(items: &[(String, String)]) -> Result<()> {
    if items.is_empty() {
        return Err(Error::Columns("there is no column in the list: name at least one".into()));
    }
    if items.len() > COLUMNS_MAX {
        let seen = items.len();
        return Err(Error::Columns(format!("the list has {seen} columns, and the limit is {COLUMNS_MAX}")));
    }
    let mut names = HashSet::new();
    for (name, _) in items {
        if name.is_empty() {
            return Err(Error::Columns("a column of the list has an empty name".into()));
        }
        if !names.insert(name) {
            return Err(Error::Columns(format!("the list has two columns named `{name}`")));
        }
    }
    Ok(())
}
