//! What a row of state can be in Rust: one value, or a tuple of them.

use crate::column::{Column, ColumnError};
use crate::row::{Argument, Cells, Output};
use crate::{Array, Batch, DataType};

/// A type that a column of state is made of and read as.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be a value of state",
    label = "not a type that state is made of",
    note = "use bool, i8…i64, u8…u64, f32, f64, String, Vec<u8>, Option of one of them, or a tuple of them"
)]
pub trait StateValue: Output {
    /// Holds the column while rows are read.
    type Reader<'a>;

    /// Prepares a column.
    ///
    /// # Errors
    /// [`ColumnError::Type`] when the column is of another type.
    fn reader(column: Column<'_>) -> Result<Self::Reader<'_>, ColumnError>;

    /// The value at a row, if it has one.
    fn value(reader: &Self::Reader<'_>, row: usize) -> Option<Self>;
}

macro_rules! plain {
    ($($value:ty),*) => {$(
        impl StateValue for $value {
            type Reader<'a> = <$value as Argument<'a>>::Reader;

            fn reader(column: Column<'_>) -> Result<Self::Reader<'_>, ColumnError> {
                <$value as Argument<'_>>::reader(column)
            }

            #[inline]
            fn value(reader: &Self::Reader<'_>, row: usize) -> Option<Self> {
                <$value as Argument<'_>>::read(reader, row)
            }
        }
    )*};
}

plain! { bool, i8, i16, i32, i64, u8, u16, u32, u64, f32, f64 }

impl StateValue for String {
    type Reader<'a> = crate::column::Strings<'a>;

    fn reader(column: Column<'_>) -> Result<Self::Reader<'_>, ColumnError> {
        column.as_str()
    }

    fn value(reader: &Self::Reader<'_>, row: usize) -> Option<Self> {
        reader.get(row).map(str::to_owned)
    }
}

impl StateValue for Vec<u8> {
    type Reader<'a> = crate::column::Bytes<'a>;

    fn reader(column: Column<'_>) -> Result<Self::Reader<'_>, ColumnError> {
        column.as_bytes()
    }

    fn value(reader: &Self::Reader<'_>, row: usize) -> Option<Self> {
        reader.get(row).map(<[u8]>::to_vec)
    }
}

impl<T: StateValue> StateValue for Option<T> {
    type Reader<'a> = T::Reader<'a>;

    fn reader(column: Column<'_>) -> Result<Self::Reader<'_>, ColumnError> {
        T::reader(column)
    }

    #[inline]
    fn value(reader: &Self::Reader<'_>, row: usize) -> Option<Self> {
        Some(T::value(reader, row))
    }
}

/// A row of state.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be a row of state",
    label = "not a row of state",
    note = "use bool, i8…i64, u8…u64, f32, f64, String, Vec<u8>, Option of one of them, or a tuple of up to six of them"
)]
pub trait StateRow: Sized {
    /// Collects rows.
    type Builders;

    /// The types of the columns as the component announces them.
    const TYPES: &'static [&'static str];

    /// The types of the columns.
    fn data_types() -> Vec<DataType>;

    /// No rows yet.
    fn builders() -> Self::Builders;

    /// Adds a row.
    fn push_row(self, builders: &mut Self::Builders);

    /// The columns.
    fn finish(builders: Self::Builders) -> Vec<Array>;

    /// The rows of a batch; those without a value where there has to be one are `None`.
    ///
    /// # Errors
    /// [`ColumnError`] when the columns are others.
    fn read(batch: &Batch<'_>) -> Result<Vec<Option<Self>>, ColumnError>;
}

macro_rules! single {
    ($($value:ty),*) => {$(
        impl StateRow for $value {
            type Builders = <($value,) as Cells>::Builders;
            const TYPES: &'static [&'static str] = <($value,) as Cells>::TYPES;

            fn data_types() -> Vec<DataType> {
                <($value,) as Cells>::data_types()
            }

            fn builders() -> Self::Builders {
                <($value,) as Cells>::builders()
            }

            fn push_row(self, builders: &mut Self::Builders) {
                Cells::push((self,), builders);
            }

            fn finish(builders: Self::Builders) -> Vec<Array> {
                <($value,) as Cells>::finish(builders)
            }

            fn read(batch: &Batch<'_>) -> Result<Vec<Option<Self>>, ColumnError> {
                let reader = <$value as StateValue>::reader(batch.at(0))?;
                Ok((0..batch.len()).map(|row| <$value as StateValue>::value(&reader, row)).collect())
            }
        }
    )*};
}

single! { bool, i8, i16, i32, i64, u8, u16, u32, u64, f32, f64, String, Vec<u8> }

macro_rules! tuples {
    ($(($($value:ident $index:tt),+);)*) => {$(
        impl<$($value: StateValue),+> StateRow for ($($value,)+) {
            type Builders = <Self as Cells>::Builders;
            const TYPES: &'static [&'static str] = <Self as Cells>::TYPES;

            fn data_types() -> Vec<DataType> {
                <Self as Cells>::data_types()
            }

            fn builders() -> Self::Builders {
                <Self as Cells>::builders()
            }

            fn push_row(self, builders: &mut Self::Builders) {
                Cells::push(self, builders);
            }

            fn finish(builders: Self::Builders) -> Vec<Array> {
                <Self as Cells>::finish(builders)
            }

            fn read(batch: &Batch<'_>) -> Result<Vec<Option<Self>>, ColumnError> {
                let readers = ($($value::reader(batch.at($index))?,)+);
                let row = |row| Some(($($value::value(&readers.$index, row)?,)+));
                Ok((0..batch.len()).map(row).collect())
            }
        }
    )*};
}

tuples! {
    (A 0);
    (A 0, B 1);
    (A 0, B 1, C 2);
    (A 0, B 1, C 2, D 3);
    (A 0, B 1, C 2, D 3, E 4);
    (A 0, B 1, C 2, D 3, E 4, F 5);
}
