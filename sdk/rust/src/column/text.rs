//! Views over text and bytes.

use super::{Column, ColumnError};
use crate::DataType;
use crate::bits::Bits;
use crate::offsets::Offsets;

/// Text of a Utf8 or LargeUtf8 column.
#[derive(Debug, Clone, Copy)]
pub struct Strings<'a> {
    /// The values of all rows, checked once.
    text: &'a str,
    offsets: Offsets<'a>,
    nulls: Option<Bits<'a>>,
}

/// Bytes of a Binary, LargeBinary or FixedSizeBinary column.
#[derive(Debug, Clone, Copy)]
pub struct Bytes<'a> {
    data: &'a [u8],
    ends: Ends<'a>,
    nulls: Option<Bits<'a>>,
}

#[derive(Debug, Clone, Copy)]
enum Ends<'a> {
    Offsets(Offsets<'a>),
    /// So many bytes per row, so many rows.
    Fixed(usize, usize),
}

impl<'a> Strings<'a> {
    fn rows(&self) -> usize {
        self.offsets.rows()
    }

    #[inline]
    fn value(&self, row: usize) -> &'a str {
        // Not by index: that would bring the text of a better message into every component.
        self.text.get(self.offsets.range(row)).expect("texts lie in the column, between characters")
    }
}

impl<'a> Bytes<'a> {
    fn rows(&self) -> usize {
        match self.ends {
            Ends::Offsets(offsets) => offsets.rows(),
            Ends::Fixed(_, rows) => rows,
        }
    }

    #[inline]
    fn value(&self, row: usize) -> &'a [u8] {
        match self.ends {
            Ends::Offsets(offsets) => &self.data[offsets.range(row)],
            Ends::Fixed(width, _) => &self.data[row * width..][..width],
        }
    }
}

macro_rules! text_view {
    ($($view:ident => $value:ty),*) => {$(
        impl<'a> $view<'a> {
            /// Number of rows.
            #[must_use]
            pub fn len(&self) -> usize {
                self.rows()
            }

            /// Whether there is no row.
            #[must_use]
            pub fn is_empty(&self) -> bool {
                self.len() == 0
            }

            /// Whether the row has no value.
            #[inline]
            #[must_use]
            pub fn is_null(&self, row: usize) -> bool {
                self.nulls.is_some_and(|nulls| !nulls.get(row))
            }

            /// The value of the row, `None` if it has none.
            ///
            /// # Panics
            /// When there is no such row.
            #[inline]
            #[must_use]
            pub fn get(&self, row: usize) -> Option<$value> {
                (!self.is_null(row)).then(|| self.value(row))
            }

            /// The rows in order.
            #[inline]
            pub fn iter(&self) -> impl ExactSizeIterator<Item = Option<$value>> + use<'a> {
                let view = *self;
                (0..view.len()).map(move |row| view.get(row))
            }
        }
    )*};
}

text_view!(Strings => &'a str, Bytes => &'a [u8]);

impl<'a> Column<'a> {
    /// The text of a Utf8 or LargeUtf8 column.
    ///
    /// That it is UTF-8 is checked here, once for all rows: a nanosecond for a few bytes.
    ///
    /// # Errors
    /// [`ColumnError::Type`] when the column is of another type.
    pub fn as_str(&self) -> Result<Strings<'a>, ColumnError> {
        if !matches!(self.data_type(), DataType::Utf8 | DataType::LargeUtf8) {
            return Err(self.mismatch("Utf8"));
        }
        let text = std::str::from_utf8(self.store().data());
        let text = text.map_err(|_| ColumnError::Broken { column: self.name().to_owned(), found: "not UTF-8" })?;
        Ok(Strings { text, offsets: self.offsets(), nulls: self.nulls() })
    }

    /// The bytes of a Binary, LargeBinary or FixedSizeBinary column.
    ///
    /// # Errors
    /// [`ColumnError::Type`] when the column is of another type.
    pub fn as_bytes(&self) -> Result<Bytes<'a>, ColumnError> {
        let (store, (start, len)) = (self.store(), self.range());
        let (data, ends) = match self.data_type() {
            DataType::Binary | DataType::LargeBinary => (store.data(), Ends::Offsets(self.offsets())),
            DataType::FixedSizeBinary(width) => {
                let width = usize::try_from(*width).unwrap_or_default();
                (&store.values()[start * width..][..len * width], Ends::Fixed(width, len))
            }
            _ => return Err(self.mismatch("Binary")),
        };
        Ok(Bytes { data, ends, nulls: self.nulls() })
    }
}
