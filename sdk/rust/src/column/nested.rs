//! Views over columns made of columns: lists, structs, dictionaries.

use super::{Column, ColumnError, Values};
use crate::bits::Bits;
use crate::layout::Layout;
use crate::offsets::Offsets;
use crate::{DataType, Field};

/// A list of values per row, of a List, LargeList, FixedSizeList or Map column.
#[derive(Clone)]
pub struct Lists<'a> {
    ends: Ends<'a>,
    items: Column<'a>,
    nulls: Option<Bits<'a>>,
}

#[derive(Debug, Clone, Copy)]
enum Ends<'a> {
    Offsets(Offsets<'a>),
    /// The first item, so many per row, so many rows.
    Fixed(usize, usize, usize),
}

impl Ends<'_> {
    #[inline]
    fn range(&self, row: usize) -> std::ops::Range<usize> {
        match self {
            Self::Offsets(offsets) => offsets.range(row),
            Self::Fixed(first, size, rows) => {
                assert!(row < *rows, "row {row} of {rows}");
                first + row * size..first + (row + 1) * size
            }
        }
    }
}

impl<'a> Lists<'a> {
    /// Number of rows.
    #[must_use]
    pub fn len(&self) -> usize {
        match self.ends {
            Ends::Offsets(offsets) => offsets.rows(),
            Ends::Fixed(_, _, rows) => rows,
        }
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
        let range = self.ends.range(row);
        Some(self.items.slice(range.start, range.len()))
    }

    /// Where the items of the row stand in [`Lists::items`]; empty for a row without a list. A typed view of all
    /// items and this range are quicker than a view per row.
    #[must_use]
    pub fn range(&self, row: usize) -> std::ops::Range<usize> {
        if self.is_null(row) {
            return 0..0;
        }
        self.ends.range(row)
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
    /// The lists of a List, LargeList or FixedSizeList column; the entries of a Map column, which are structs of key and
    /// value.
    ///
    /// # Errors
    /// [`ColumnError::Type`] when the column is of another type.
    pub fn as_list(&self) -> Result<Lists<'a>, ColumnError> {
        let (start, len) = self.range();
        let ends = match Layout::of(self.data_type()) {
            Layout::List(_) => Ends::Offsets(self.offsets()),
            Layout::FixedList(size) => Ends::Fixed(start * size, size, len),
            _ => return Err(self.mismatch("List")),
        };
        let items = self.child(0).ok_or_else(|| self.mismatch("List"))?;
        Ok(Lists { ends, items, nulls: self.nulls() })
    }

    /// The columns inside a Struct column.
    ///
    /// # Errors
    /// [`ColumnError::Type`] when the column is of another type.
    pub fn as_struct(&self) -> Result<Structs<'a>, ColumnError> {
        let DataType::Struct(fields) = self.data_type() else {
            return Err(self.mismatch("Struct"));
        };
        let (start, len) = self.range();
        let columns = (0..fields.len()).filter_map(|index| Some(self.child(index)?.slice(start, len))).collect();
        Ok(Structs { fields, columns, nulls: self.nulls(), len })
    }

    /// Keys and values of a Dictionary column.
    ///
    /// # Errors
    /// [`ColumnError::Type`] when the column is of another type.
    pub fn as_dictionary(&self) -> Result<Dictionary<'a>, ColumnError> {
        match (self.data_type(), self.store()) {
            (DataType::Dictionary(of), crate::store::Store::Array(data)) if data.children.len() == 1 => {
                let values = Column::new("value", of, crate::store::Store::Array(data.children[0].data()));
                Ok(Dictionary { keys: self.values(), values })
            }
            _ => Err(self.mismatch("Dictionary")),
        }
    }
}
