//! Owned columns and batches: what builders make, what a map returns, what tests feed.

use std::fmt;

use crate::buffer::Buffer;
use crate::build::Validity;
use crate::column::Column;
use crate::memory::per_thread;
use crate::store::Store;
use crate::{Batch, DataType, Field, Schema};

/// One column of values, without a name. Made by the builders in [`build`](crate::build). A clone copies the values.
#[derive(Clone)]
pub struct Array {
    data_type: DataType,
    data: ArrayData,
}

/// The values of an array as they lie in memory; which parts there are, the type's layout says.
#[derive(Clone, Default)]
pub(crate) struct ArrayData {
    pub(crate) len: usize,
    pub(crate) null_count: usize,
    pub(crate) validity: Buffer,
    /// Values, bits, offsets or keys.
    pub(crate) values: Buffer,
    /// What offsets of text and bytes point into.
    pub(crate) data: Buffer,
    pub(crate) children: Vec<Array>,
}

impl ArrayData {
    /// No values yet: so many rows, some of them without one.
    pub(crate) fn of(len: usize, validity: Validity) -> Self {
        let (null_count, validity) = validity.into_parts();
        Self { len, null_count, validity, ..Self::default() }
    }
}

impl Array {
    pub(crate) fn new(data_type: DataType, data: ArrayData) -> Self {
        Self { data_type, data }
    }

    pub(crate) fn data(&self) -> &ArrayData {
        &self.data
    }

    /// The type of the values.
    #[must_use]
    pub fn data_type(&self) -> &DataType {
        &self.data_type
    }

    /// Number of rows.
    #[must_use]
    pub fn len(&self) -> usize {
        self.data.len
    }

    /// Whether there is no row.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// A view of the values; `name` stands in its error messages.
    #[must_use]
    pub fn column<'a>(&'a self, name: &'a str) -> Column<'a> {
        Column::new(name, &self.data_type, Store::Array(&self.data))
    }
}

/// Same type, same values, nulls at the same rows.
impl PartialEq for Array {
    fn eq(&self, other: &Self) -> bool {
        self.column("").same(&other.column(""))
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

    /// The columns, in the schema's order, to be given on.
    #[must_use]
    pub fn into_columns(self) -> Vec<Array> {
        self.columns
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
        Batch::of_arrays(&self.schema, &self.columns, self.rows)
    }
}

impl fmt::Debug for RecordBatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        crate::display::table(f, &self.schema, &self.columns, self.rows)
    }
}

/// At most this many lists of columns wait for their next use.
const SPARES_MAX: usize = 8;

per_thread! {
    /// Lists of columns whose columns are gone.
    fn with_spares() -> Vec<Vec<Array>> = Vec::new();
}

/// A list of these columns, in memory that was used before.
#[doc(hidden)]
pub fn collect<const N: usize>(columns: [Array; N]) -> Vec<Array> {
    let mut list = with_spares(Vec::pop).flatten().unwrap_or_default();
    list.extend(columns);
    list
}

/// The list is done with; its memory may be used again.
pub(crate) fn spare(mut columns: Vec<Array>) {
    columns.clear();
    // Only while the thread ends there are no spares; then the memory goes.
    let _ = with_spares(|spares| {
        if columns.capacity() > 0 && spares.len() < SPARES_MAX {
            spares.push(columns);
        }
    });
}
