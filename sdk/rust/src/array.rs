//! Owned columns and batches: what builders make, what a map returns, what tests feed.

use std::fmt;

use arrow_array::{Array as _, ArrayRef};

use crate::column::Column;
use crate::{Batch, DataType, Field, Schema};

/// One column of values, without a name. Made by the builders in [`build`](crate::build). Cheap to clone.
#[derive(Clone)]
pub struct Array {
    data_type: DataType,
    inner: ArrayRef,
}

impl Array {
    pub(crate) fn new(data_type: DataType, inner: ArrayRef) -> Self {
        Self { data_type, inner }
    }

    pub(crate) fn inner(&self) -> &ArrayRef {
        &self.inner
    }

    /// The type of the values.
    #[must_use]
    pub fn data_type(&self) -> &DataType {
        &self.data_type
    }

    /// Number of rows.
    #[must_use]
    pub fn len(&self) -> usize {
        self.inner.len()
    }

    /// Whether there is no row.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// A view of the values; `name` stands in its error messages.
    #[must_use]
    pub fn column<'a>(&'a self, name: &'a str) -> Column<'a> {
        Column::new(name, &self.data_type, &self.inner)
    }
}

/// Same type, same values, nulls at the same rows.
impl PartialEq for Array {
    fn eq(&self, other: &Self) -> bool {
        self.data_type == other.data_type && self.inner.as_ref() == other.inner.as_ref()
    }
}

impl fmt::Debug for Array {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ", self.data_type)?;
        let column = self.column("");
        f.debug_list().entries((0..self.len()).map(|row| column.cell(row))).finish()
    }
}

/// Named columns of equal length. Its `Debug` form is a table, so that a failed `assert_eq!` can be read.
#[derive(Clone, PartialEq)]
pub struct RecordBatch {
    schema: Schema,
    columns: Vec<Array>,
    rows: usize,
}

impl RecordBatch {
    /// A batch of these columns, each of which may hold nulls.
    ///
    /// # Panics
    /// When the columns differ in length. See [`RecordBatch::with_rows`] for a batch without columns.
    pub fn new<N: Into<String>>(columns: impl IntoIterator<Item = (N, Array)>) -> Self {
        let (fields, columns): (Vec<Field>, Vec<Array>) =
            columns.into_iter().map(|(name, array)| (Field::new(name, array.data_type.clone()), array)).unzip();
        let rows = columns.first().map_or(0, Array::len);
        Self::with_rows(Schema::new(fields), columns, rows)
    }

    /// A batch of `rows` rows; `columns` may be empty.
    ///
    /// # Panics
    /// When the columns do not fit `schema` or `rows`.
    #[must_use]
    pub fn with_rows(schema: Schema, columns: Vec<Array>, rows: usize) -> Self {
        assert_eq!(schema.len(), columns.len(), "as many columns as fields");
        for (field, column) in schema.fields().iter().zip(&columns) {
            assert_eq!(column.len(), rows, "rows of column `{}`", field.name);
            assert_eq!(column.data_type, field.data_type, "type of column `{}`", field.name);
        }
        Self { schema, columns, rows }
    }

    /// Names and types of the columns.
    #[must_use]
    pub fn schema(&self) -> &Schema {
        &self.schema
    }

    /// Number of rows.
    #[must_use]
    pub fn len(&self) -> usize {
        self.rows
    }

    /// Whether there is no row.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rows == 0
    }

    /// The columns, in the schema's order.
    #[must_use]
    pub fn columns(&self) -> &[Array] {
        &self.columns
    }

    /// A view of the column of that name.
    #[must_use]
    pub fn column(&self, name: &str) -> Option<Column<'_>> {
        let index = self.schema.index_of(name)?;
        Some(self.columns[index].column(&self.schema.fields()[index].name))
    }

    /// The batch as an operator sees it.
    #[must_use]
    pub fn view(&self) -> Batch<'_> {
        Batch::new(&self.schema, self.columns.iter().map(Array::inner), self.rows)
    }
}

impl fmt::Debug for RecordBatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        crate::display::table(f, &self.schema, &self.columns, self.rows)
    }
}
