//! Views over text and bytes.

use arrow_array::cast::AsArray;
use arrow_array::{Array as _, BinaryArray, FixedSizeBinaryArray, LargeBinaryArray, LargeStringArray, StringArray};

use super::{Column, ColumnError};

/// Text of a Utf8 or LargeUtf8 column.
#[derive(Debug, Clone, Copy)]
pub struct Strings<'a> {
    array: Text<'a>,
    start: usize,
    len: usize,
}

#[derive(Debug, Clone, Copy)]
enum Text<'a> {
    Small(&'a StringArray),
    Large(&'a LargeStringArray),
}

/// Bytes of a Binary, LargeBinary or FixedSizeBinary column.
#[derive(Debug, Clone, Copy)]
pub struct Bytes<'a> {
    array: Blob<'a>,
    start: usize,
    len: usize,
}

#[derive(Debug, Clone, Copy)]
enum Blob<'a> {
    Small(&'a BinaryArray),
    Large(&'a LargeBinaryArray),
    Fixed(&'a FixedSizeBinaryArray),
}

impl<'a> Strings<'a> {
    #[inline]
    fn value(&self, at: usize) -> Option<&'a str> {
        match self.array {
            Text::Small(array) => (!array.is_null(at)).then(|| array.value(at)),
            Text::Large(array) => (!array.is_null(at)).then(|| array.value(at)),
        }
    }
}

impl<'a> Bytes<'a> {
    #[inline]
    fn value(&self, at: usize) -> Option<&'a [u8]> {
        match self.array {
            Blob::Small(array) => (!array.is_null(at)).then(|| array.value(at)),
            Blob::Large(array) => (!array.is_null(at)).then(|| array.value(at)),
            Blob::Fixed(array) => (!array.is_null(at)).then(|| array.value(at)),
        }
    }
}

macro_rules! text_view {
    ($($view:ident => $value:ty),*) => {$(
        impl<'a> $view<'a> {
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

            /// Whether the row has no value.
            #[must_use]
            pub fn is_null(&self, row: usize) -> bool {
                self.get(row).is_none()
            }

            /// The value of the row, `None` if it has none.
            ///
            /// # Panics
            /// When there is no such row.
            #[inline]
            #[must_use]
            pub fn get(&self, row: usize) -> Option<$value> {
                assert!(row < self.len, "row {row} of {}", self.len);
                self.value(self.start + row)
            }

            /// The rows in order.
            pub fn iter(&self) -> impl ExactSizeIterator<Item = Option<$value>> + use<'a> {
                let view = *self;
                (0..view.len).map(move |row| view.get(row))
            }
        }
    )*};
}

text_view!(Strings => &'a str, Bytes => &'a [u8]);

impl<'a> Column<'a> {
    /// The text of a Utf8 or LargeUtf8 column.
    ///
    /// # Errors
    /// [`ColumnError::Type`] when the column is of another type.
    pub fn as_str(&self) -> Result<Strings<'a>, ColumnError> {
        let small = self.array().as_string_opt::<i32>().map(Text::Small);
        let array = small
            .or_else(|| self.array().as_string_opt::<i64>().map(Text::Large))
            .ok_or_else(|| self.mismatch("Utf8"))?;
        let (start, len) = self.range();
        Ok(Strings { array, start, len })
    }

    /// The bytes of a Binary, LargeBinary or FixedSizeBinary column.
    ///
    /// # Errors
    /// [`ColumnError::Type`] when the column is of another type.
    pub fn as_bytes(&self) -> Result<Bytes<'a>, ColumnError> {
        let small = self.array().as_binary_opt::<i32>().map(Blob::Small);
        let array = small
            .or_else(|| self.array().as_binary_opt::<i64>().map(Blob::Large))
            .or_else(|| self.array().as_fixed_size_binary_opt().map(Blob::Fixed))
            .ok_or_else(|| self.mismatch("Binary"))?;
        let (start, len) = self.range();
        Ok(Bytes { array, start, len })
    }
}
