//! Views over columns made of columns: lists, structs, dictionaries.

use arrow_array::cast::AsArray;
use arrow_array::types::Int32Type;

use super::{Column, ColumnError, Values};
use crate::bits::Bits;
use crate::{DataType, Field};

/// A list of values per row, of a List or LargeList column.
#[derive(Clone)]
pub struct Lists<'a> {
    offsets: Offsets<'a>,
    items: Column<'a>,
    nulls: Option<Bits<'a>>,
}

/// One offset more than there are rows.
#[derive(Debug, Clone, Copy)]
enum Offsets<'a> {
    Small(&'a [i32]),
    Large(&'a [i64]),
}

impl Offsets<'_> {
    fn len(&self) -> usize {
        match self {
            Self::Small(offsets) => offsets.len(),
            Self::Large(offsets) => offsets.len(),
        }
    }

    #[inline]
    fn at(&self, index: usize) -> usize {
        // The reader has checked that offsets are positive and lie within the items.
        match self {
            Self::Small(offsets) => offsets[index] as usize,
            Self::Large(offsets) => offsets[index] as usize,
        }
    }
}

impl<'a> Lists<'a> {
    /// Number of rows.
    #[must_use]
    pub fn len(&self) -> usize {
        self.offsets.len() - 1
    }

    /// Whether there is no row.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether the row has no list.
    #[must_use]
    pub fn is_null(&self, row: usize) -> bool {
        self.nulls.is_some_and(|nulls| !nulls.get(row))
    }

    /// The items of the row as a column of their own, `None` if the row has no list.
    ///
    /// # Panics
    /// When there is no such row.
    #[must_use]
    pub fn get(&self, row: usize) -> Option<Column<'a>> {
        if self.is_null(row) {
            return None;
        }
        let (start, end) = (self.offsets.at(row), self.offsets.at(row + 1));
        Some(self.items.slice(start, end - start))
    }

    /// Where the items of the row stand in [`Lists::items`]; empty for a row without a list. A typed view of all
    /// items and this range are quicker than a view per row.
    #[must_use]
    pub fn range(&self, row: usize) -> std::ops::Range<usize> {
        if self.is_null(row) {
            return 0..0;
        }
        self.offsets.at(row)..self.offsets.at(row + 1)
    }

    /// The items of all rows, one behind the other.
    #[must_use]
    pub fn items(&self) -> Column<'a> {
        self.items
    }

    /// The rows in order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = Option<Column<'a>>> + '_ {
        (0..self.len()).map(|row| self.get(row))
    }
}

/// Several columns under one name.
#[derive(Clone)]
pub struct Structs<'a> {
    fields: &'a [Field],
    columns: Vec<Column<'a>>,
    nulls: Option<Bits<'a>>,
    len: usize,
}

impl<'a> Structs<'a> {
    /// Number of rows.
    #[must_use]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there is no row.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Whether the row has no struct at all; what its columns hold there means nothing.
    #[must_use]
    pub fn is_null(&self, row: usize) -> bool {
        self.nulls.is_some_and(|nulls| !nulls.get(row))
    }

    /// Names and types of the columns inside.
    #[must_use]
    pub fn fields(&self) -> &'a [Field] {
        self.fields
    }

    /// The column of that name inside.
    ///
    /// # Errors
    /// [`ColumnError::Unknown`] when there is none.
    pub fn field(&self, name: &str) -> Result<Column<'a>, ColumnError> {
        self.columns
            .iter()
            .find(|column| column.name() == name)
            .copied()
            .ok_or_else(|| ColumnError::Unknown { column: name.to_owned() })
    }
}

/// Values stored once, with a key per row. Only a column that was built natively is one: dictionaries cross the
/// boundary unpacked.
#[derive(Clone)]
pub struct Dictionary<'a> {
    keys: Values<'a, i32>,
    values: Column<'a>,
}

impl<'a> Dictionary<'a> {
    /// Per row, where its value stands in [`Dictionary::values`]; `None` for a row without a value.
    #[must_use]
    pub fn keys(&self) -> &Values<'a, i32> {
        &self.keys
    }

    /// The distinct values.
    #[must_use]
    pub fn values(&self) -> Column<'a> {
        self.values
    }

    /// Number of rows.
    #[must_use]
    pub fn len(&self) -> usize {
        self.keys.len()
    }

    /// Whether there is no row.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// Whether the row has no value.
    #[must_use]
    pub fn is_null(&self, row: usize) -> bool {
        self.keys.is_null(row)
    }

    /// The row's value, as a column of one row; `None` if it has none.
    #[must_use]
    pub fn get(&self, row: usize) -> Option<Column<'a>> {
        let key = self.keys.get(row)?;
        Some(self.values.slice(usize::try_from(key).ok()?, 1))
    }

    /// The rows in order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = Option<Column<'a>>> + '_ {
        (0..self.len()).map(|row| self.get(row))
    }
}

impl<'a> Column<'a> {
    /// The lists of a List or LargeList column.
    ///
    /// # Errors
    /// [`ColumnError::Type`] when the column is of another type.
    pub fn as_list(&self) -> Result<Lists<'a>, ColumnError> {
        let (DataType::List(item) | DataType::LargeList(item)) = self.data_type() else {
            return Err(self.mismatch("List"));
        };
        let (start, len) = self.range();
        let rows = start..start + len + 1;
        let (offsets, items) = if let Some(list) = self.array().as_list_opt::<i32>() {
            (Offsets::Small(&list.offsets()[rows]), list.values())
        } else if let Some(list) = self.array().as_list_opt::<i64>() {
            (Offsets::Large(&list.offsets()[rows]), list.values())
        } else {
            return Err(self.mismatch("List"));
        };
        Ok(Lists { offsets, items: Column::new(&item.name, &item.data_type, items), nulls: self.nulls() })
    }

    /// The columns inside a Struct column.
    ///
    /// # Errors
    /// [`ColumnError::Type`] when the column is of another type.
    pub fn as_struct(&self) -> Result<Structs<'a>, ColumnError> {
        let (DataType::Struct(fields), Some(array)) = (self.data_type(), self.array().as_struct_opt()) else {
            return Err(self.mismatch("Struct"));
        };
        let (start, len) = self.range();
        let columns = fields
            .iter()
            .zip(array.columns())
            .map(|(field, inner)| Column::new(&field.name, &field.data_type, inner).slice(start, len))
            .collect();
        Ok(Structs { fields, columns, nulls: self.nulls(), len })
    }

    /// Keys and values of a Dictionary column.
    ///
    /// # Errors
    /// [`ColumnError::Type`] when the column is of another type.
    pub fn as_dictionary(&self) -> Result<Dictionary<'a>, ColumnError> {
        let array = self.array().as_dictionary_opt::<Int32Type>();
        let (DataType::Dictionary(value), Some(array)) = (self.data_type(), array) else {
            return Err(self.mismatch("Dictionary"));
        };
        let (start, len) = self.range();
        Ok(Dictionary {
            keys: Values::borrowed(&array.keys().values()[start..start + len], self.nulls()),
            values: Column::new("value", value, array.values()),
        })
    }
}
