//! The rows of one call, as columns that the operator may look at.

use crate::column::{Column, ColumnError};
use crate::layout::Place;
use crate::store::Store;
use crate::wire::Frame;
use crate::{Array, Failure, Schema};

/// The rows of one call: the columns that the operator's binding reads, in that order, and at least one row.
#[derive(Clone)]
pub struct Batch<'a> {
    schema: &'a Schema,
    source: Source<'a>,
    rows: usize,
}

/// Where the columns lie.
#[derive(Clone, Copy)]
enum Source<'a> {
    Message(&'a Frame<'a>, &'a [Place]),
    Arrays(&'a [Array]),
}

impl<'a> Batch<'a> {
    /// The columns of a message, whose places are known.
    pub(crate) fn of_message(schema: &'a Schema, frame: &'a Frame<'a>, places: &'a [Place]) -> Self {
        Self { schema, source: Source::Message(frame, places), rows: frame.rows }
    }

    /// Columns that were built.
    pub(crate) fn of_arrays(schema: &'a Schema, columns: &'a [Array], rows: usize) -> Self {
        Self { schema, source: Source::Arrays(columns), rows }
    }

    /// Names and types of the columns.
    #[must_use]
    pub fn schema(&self) -> &'a Schema {
        self.schema
    }

    /// Number of rows.
    #[must_use]
    pub fn len(&self) -> usize {
        self.rows
    }

    /// Whether there is no row. The host never sends such a batch.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rows == 0
    }

    /// The column at `index` of the binding's `reads`.
    ///
    /// # Panics
    /// When the binding reads fewer columns.
    #[must_use]
    pub fn at(&self, index: usize) -> Column<'a> {
        let field = &self.schema.fields()[index];
        let store = match self.source {
            Source::Message(frame, places) => Store::Message(frame, places[index]),
            Source::Arrays(columns) => Store::Array(columns[index].data()),
        };
        Column::new(&field.name, &field.data_type, store)
    }

    /// The column of that name.
    ///
    /// # Errors
    /// [`ColumnError::Unknown`] when the binding does not read it. It turns into a fatal [`Failure`] with `?`.
    pub fn column(&self, name: &str) -> Result<Column<'a>, ColumnError> {
        let index = self.schema.index_of(name).ok_or_else(|| ColumnError::Unknown { column: name.to_owned() })?;
        Ok(self.at(index))
    }

    /// All columns.
    pub fn columns(&self) -> impl Iterator<Item = Column<'a>> + '_ {
        (0..self.schema.len()).map(|index| self.at(index))
    }
}

/// A column that is missing or of another type in the middle of a job is a defect of the operator: it cannot go on.
impl From<ColumnError> for Failure {
    fn from(error: ColumnError) -> Self {
        Self::Fatal(format!("{error}"))
    }
}
