//! Typed views over the columns of a batch. A view borrows the batch; making one costs nothing per row.
//!
//! Every view has `len`, `is_null(row)`, `get(row) -> Option<value>` (`None` is null) and `iter()`; those over
//! fixed-width values also have `values()`, the plain slice, in which the entries of null rows mean nothing.

mod fixed;
mod nested;
mod same;
mod scalar;
mod text;

pub use fixed::Fixed;
pub use nested::{Dictionary, Lists, Structs};
pub use scalar::{Bools, Decimals, Durations, Interval, Times, Timestamps, Values, WideDecimals};
pub use text::{Bytes, Strings};

use thiserror::Error;

use crate::DataType;
use crate::bits::{Bits, beyond};
use crate::layout::Layout;
use crate::offsets::Offsets;
use crate::row::Argument;
use crate::store::Store;

/// A column is not what the operator took it for.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ColumnError {
    /// The batch does not carry that column.
    #[error("the batch carries no column `{column}`; name it in the binding's `reads`")]
    Unknown {
        /// The name that was asked for.
        column: String,
    },
    /// The column is of another type.
    #[error("column `{column}` is {found}, wanted {wanted}")]
    Type {
        /// The column's name.
        column: String,
        /// The type that it has.
        found: DataType,
        /// What was asked for.
        wanted: String,
    },
    /// The column's bytes are not what its type says. A host sends no such column.
    #[error("column `{column}` is broken: {found}")]
    Broken {
        /// The column's name.
        column: String,
        /// What is wrong.
        found: &'static str,
    },
}

/// One column of a batch. Ask for a typed view with the `as_…` method of its type; [`Column::read`] widens as
/// row-wise functions do, [`Column::numbers`] reads any number as `f64`.
#[derive(Clone, Copy)]
pub struct Column<'a> {
    name: &'a str,
    data_type: &'a DataType,
    store: Store<'a>,
    start: usize,
    len: usize,
}

impl<'a> Column<'a> {
    pub(crate) fn new(name: &'a str, data_type: &'a DataType, store: Store<'a>) -> Self {
        Self { name, data_type, store, start: 0, len: store.len() }
    }

    /// Rows `start .. start + len` of this column.
    ///
    /// # Panics
    /// When the column has fewer rows.
    #[must_use]
    pub fn slice(&self, start: usize, len: usize) -> Self {
        if start + len > self.len {
            beyond("rows", start + len, self.len);
        }
        Self { start: self.start + start, len, ..*self }
    }

    /// The column's name.
    #[must_use]
    pub fn name(&self) -> &'a str {
        self.name
    }

    /// The column's type.
    #[must_use]
    pub fn data_type(&self) -> &'a DataType {
        self.data_type
    }

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
        *self.data_type == DataType::Null || self.nulls().is_some_and(|nulls| !nulls.get(row))
    }

    /// How many rows have no value.
    #[must_use]
    pub fn null_count(&self) -> usize {
        if *self.data_type == DataType::Null {
            return self.len;
        }
        if self.len == self.store.len() {
            return self.store.null_count();
        }
        self.nulls().map_or(0, |nulls| self.len - nulls.count_ones())
    }

    /// Values as a row-wise function with an argument of type `T` would see them, widened if need be:
    /// `column.read::<i64>()` takes every integer column that fits.
    ///
    /// # Errors
    /// [`ColumnError::Type`] when `T` does not take this column's type.
    pub fn read<T: Argument<'a>>(&self) -> Result<T::Reader, ColumnError> {
        T::reader(*self)
    }

    /// Values of any numeric column as `f64`; integers beyond 2^53 and decimals are rounded to the nearest.
    ///
    /// # Errors
    /// [`ColumnError::Type`] when the column holds no numbers.
    #[inline]
    pub fn numbers(&self) -> Result<Values<'a, f64>, ColumnError> {
        match self.data_type {
            DataType::Decimal128(..) => Ok(self.as_decimal128()?.to_f64()),
            DataType::Decimal256(..) => Ok(self.as_decimal256()?.to_f64()),
            _ => crate::row::read_f64(*self).ok_or_else(|| self.mismatch("a number")),
        }
    }

    /// One bit per row, 0 where it has no value; `None` when all rows have one.
    pub(crate) fn nulls(&self) -> Option<Bits<'a>> {
        if self.store.null_count() == 0 || *self.data_type == DataType::Null {
            return None;
        }
        Some(Bits::new(self.store.validity(), self.start, self.len))
    }

    pub(crate) fn store(&self) -> Store<'a> {
        self.store
    }

    pub(crate) fn range(&self) -> (usize, usize) {
        (self.start, self.len)
    }

    /// The values as they lie there, if the type has values of this kind, whatever they mean.
    pub(crate) fn fixed<T: Fixed>(&self) -> Option<Values<'a, T>> {
        T::holds(self.data_type).then(|| self.values())
    }

    /// The values as they lie there, which are as wide as `T`.
    pub(crate) fn values<T: bytemuck::Pod>(&self) -> Values<'a, T> {
        Values::of_bytes(self.value_bytes(size_of::<T>()), self.nulls())
    }

    /// The bytes of the values, of which each has so many.
    pub(crate) fn value_bytes(&self, width: usize) -> &'a [u8] {
        &self.store.values()[self.start * width..][..self.len * width]
    }

    /// The offsets of the rows.
    pub(crate) fn offsets(&self) -> Offsets<'a> {
        let bytes = self.store.values();
        // The buffer of an empty column may be empty too.
        let end = if self.len == 0 { self.start } else { self.start + self.len + 1 };
        match Layout::of(self.data_type) {
            Layout::Variable(8) | Layout::List(8) => {
                Offsets::Large(&bytemuck::cast_slice(&bytes[..end * size_of::<i64>()])[self.start..])
            }
            _ => Offsets::Small(&bytemuck::cast_slice(&bytes[..end * size_of::<i32>()])[self.start..]),
        }
    }

    /// The child at `index`, with all its values.
    pub(crate) fn child(&self, index: usize) -> Option<Column<'a>> {
        let (field, store) = self.store.child(self.data_type, index)?;
        Some(Column::new(&field.name, &field.data_type, store))
    }

    #[cold]
    #[inline(never)]
    pub(crate) fn mismatch(&self, wanted: &str) -> ColumnError {
        ColumnError::Type { column: self.name.to_owned(), found: self.data_type.clone(), wanted: wanted.to_owned() }
    }
}

macro_rules! plain_views {
    ($($method:ident: $native:ty = $variant:ident;)*) => {
        impl<'a> Column<'a> {$(
            #[doc = concat!("The values of a column of type ", stringify!($variant), ", exactly.")]
            ///
            /// # Errors
            /// [`ColumnError::Type`] when the column is of another type.
            pub fn $method(&self) -> Result<Values<'a, $native>, ColumnError> {
                if *self.data_type != DataType::$variant {
                    return Err(self.mismatch(stringify!($variant)));
                }
                self.fixed().ok_or_else(|| self.mismatch(stringify!($variant)))
            }
        )*}
    };
}

plain_views! {
    as_i8: i8 = Int8;
    as_i16: i16 = Int16;
    as_i32: i32 = Int32;
    as_i64: i64 = Int64;
    as_u8: u8 = UInt8;
    as_u16: u16 = UInt16;
    as_u32: u32 = UInt32;
    as_u64: u64 = UInt64;
    as_f32: f32 = Float32;
    as_f64: f64 = Float64;
    as_date32: i32 = Date32;
    as_date64: i64 = Date64;
}
