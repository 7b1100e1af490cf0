//! Builders of columns: push values and nulls row by row, then `finish`.
//!
//! | column type | builder |
//! |---|---|
//! | integers, `Float32`, `Float64` | [`Int8Builder`] … [`UInt64Builder`], [`Float32Builder`], [`Float64Builder`] |
//! | `Float16` | [`Float16Builder`] |
//! | `Boolean` | [`BooleanBuilder`] |
//! | `Date32`, `Time32` | [`Int32Builder::date32`], [`Int32Builder::time32`] |
//! | `Date64`, `Time64`, `Timestamp`, `Duration` | [`Int64Builder::date64`], `time64`, `timestamp`, `duration` |
//! | `Decimal128`, `Decimal256` | [`Decimal128Builder::decimal`], [`Decimal256Builder`] |
//! | `Utf8`, `LargeUtf8` | [`StringBuilder`] |
//! | `Binary`, `LargeBinary`, `FixedSizeBinary` | [`BinaryBuilder`] |
//! | `List`, `Struct`, `Dictionary` | [`ListBuilder`], [`StructBuilder`], [`DictionaryBuilder`] |

mod fixed;
mod nested;
mod text;

pub use fixed::{
    BooleanBuilder, Decimal128Builder, Decimal256Builder, FixedBuilder, Float16Builder, Float32Builder, Float64Builder,
    Int8Builder, Int16Builder, Int32Builder, Int64Builder, UInt8Builder, UInt16Builder, UInt32Builder, UInt64Builder,
};
pub use nested::{DictionaryBuilder, ListBuilder, StructBuilder};
pub use text::{BinaryBuilder, StringBuilder};

use crate::bits::BitsBuilder;
use crate::buffer::Buffer;
use crate::kernels::TURN;
use crate::{Array, DataType};

/// What all builders have in common.
pub trait Builder {
    /// The type of the column under construction.
    fn data_type(&self) -> DataType;

    /// Rows so far.
    fn len(&self) -> usize;

    /// Whether there is no row yet.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// One row without a value.
    fn push_null(&mut self);

    /// Makes room for so many more rows, where that saves anything.
    #[doc(hidden)]
    #[inline]
    fn reserve(&mut self, _rows: usize) {}

    /// The column.
    fn finish(self) -> Array;
}

/// Which rows have a value; costs nothing until the first null.
#[derive(Debug, Clone, Default)]
pub(crate) struct Validity {
    bits: Option<BitsBuilder>,
    nulls: usize,
}

impl Validity {
    /// The row after `rows` others has a value.
    #[inline]
    pub(crate) fn push_valid(&mut self) {
        if let Some(bits) = &mut self.bits {
            bits.push(true);
        }
    }

    /// The next eight rows have values.
    #[inline]
    pub(crate) fn push_valid_eight(&mut self) {
        if let Some(bits) = &mut self.bits {
            (0..TURN).for_each(|_| bits.push(true));
        }
    }

    /// The row after `rows` others has none.
    #[inline]
    pub(crate) fn push_null(&mut self, rows: usize) {
        if self.bits.is_none() {
            self.begin(rows);
        }
        if let Some(bits) = &mut self.bits {
            bits.push(false);
        }
        self.nulls += 1;
    }

    /// All rows so far have a value.
    #[cold]
    #[inline(never)]
    fn begin(&mut self, rows: usize) {
        self.bits = Some(BitsBuilder::filled(rows, true));
    }

    /// How many rows have no value, and the bitmap of those that have one.
    pub(crate) fn into_parts(self) -> (usize, Buffer) {
        (self.nulls, self.bits.map(BitsBuilder::into_buffer).unwrap_or_default())
    }
}
