//! States of row-wise aggregates: structs whose fields are columns.

use super::output::Output;
use super::types::{Date, TimestampMicros, TimestampMillis, TimestampNanos, TimestampSeconds};
use crate::column::{Bools, Bytes, Lists, Strings, Values};
use crate::kernels::TURN;
use crate::{Array, Batch, Column, ColumnError, Failure, Schema};

/// What `#[derive(AggregateState)]` makes of a struct: it is what an aggregate knows of one group, and each field is a column of
/// the state. Its default is what is known of a group without rows.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not the state of an aggregate",
    label = "not a state",
    note = "put #[derive(Default, volley_sdk::AggregateState)] on the struct"
)]
pub trait AggregateState: Default + Sized + 'static {
    /// Holds the columns while states are read.
    type Readers<'a>;

    /// Names and types of the columns.
    fn schema() -> Schema;

    /// The columns of states, in order; what is left of the states means nothing.
    fn columns(states: &mut [Self]) -> Vec<Array>;

    /// Prepares columns.
    ///
    /// # Errors
    /// When a column is not of its field's type: the states are another operator's.
    fn readers<'a>(states: &Batch<'a>) -> Result<Self::Readers<'a>, Failure>;

    /// The state of a row.
    fn load(readers: &Self::Readers<'_>, row: usize) -> Self;

    /// The states of the eight rows from row `8 * turn` on.
    #[doc(hidden)]
    #[inline(always)]
    fn load_eight(readers: &Self::Readers<'_>, turn: usize) -> [Self; TURN] {
        std::array::from_fn(|at| Self::load(readers, turn * TURN + at))
    }
}

/// There is a state for each of so many groups. What is beyond goes: it is of a call that failed.
#[inline(never)]
pub fn grow_states<S: AggregateState>(states: &mut Vec<S>, groups_total: usize) {
    states.resize_with(groups_total, S::default);
}

/// A type that a field of a state may have.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be a field of an aggregate's state",
    label = "not a type that a state is made of",
    note = "use bool, i8…i64, u8…u64, f32, f64, String, Vec<u8>, Date, TimestampMillis (or Seconds, Micros, Nanos), a Vec of a number of two bytes or more, or Option of one of them"
)]
pub trait StateField: Output + Default {
    /// Holds the column while values are read.
    type Reader<'a>;

    /// Prepares a column.
    ///
    /// # Errors
    /// [`ColumnError::Type`] when it is not of this type.
    fn reader(column: Column<'_>) -> Result<Self::Reader<'_>, ColumnError>;

    /// The value of a row; the default where there is none, which no state of this type has.
    fn load(reader: &Self::Reader<'_>, row: usize) -> Self;

    /// The values of the eight rows from row `8 * turn` on.
    #[doc(hidden)]
    #[inline(always)]
    fn load_eight(reader: &Self::Reader<'_>, turn: usize) -> [Self; TURN] {
        std::array::from_fn(|at| Self::load(reader, turn * TURN + at))
    }

    /// The value, of a state that is needed no more.
    #[doc(hidden)]
    #[inline]
    fn give(&mut self) -> Self {
        std::mem::take(self)
    }
}

/// Numbers: nothing has to be left in the place of one that is given.
macro_rules! number_fields {
    ($($field:ty => $method:ident;)*) => {$(
        impl StateField for $field {
            type Reader<'a> = Values<'a, $field>;

            fn reader(column: Column<'_>) -> Result<Self::Reader<'_>, ColumnError> {
                column.$method()
            }

            #[inline]
            fn load(reader: &Self::Reader<'_>, row: usize) -> Self {
                reader.get(row).unwrap_or_default()
            }

            #[inline(always)]
            fn load_eight(reader: &Self::Reader<'_>, turn: usize) -> [Self; TURN] {
                reader.eight(turn).map(Option::unwrap_or_default)
            }

            #[inline]
            fn give(&mut self) -> Self {
                *self
            }
        }
    )*};
}

number_fields! {
    i8 => as_i8;
    i16 => as_i16;
    i32 => as_i32;
    i64 => as_i64;
    u8 => as_u8;
    u16 => as_u16;
    u32 => as_u32;
    u64 => as_u64;
    f32 => as_f32;
    f64 => as_f64;
}

macro_rules! plain_fields {
    ($($field:ty => $view:ty, $method:ident, $value:ident => $made:expr;)*) => {$(
        impl StateField for $field {
            type Reader<'a> = $view;

            fn reader(column: Column<'_>) -> Result<Self::Reader<'_>, ColumnError> {
                column.$method()
            }

            #[inline]
            fn load(reader: &Self::Reader<'_>, row: usize) -> Self {
                reader.get(row).map(|$value| $made).unwrap_or_default()
            }
        }
    )*};
}

plain_fields! {
    bool => Bools<'a>, as_bool, value => value;
    Date => Values<'a, i32>, as_date32, value => Self(value);
    String => Strings<'a>, as_str, value => value.to_owned();
    Vec<u8> => Bytes<'a>, as_bytes, value => value.to_vec();
}

macro_rules! read_fields {
    ($($field:ty),*) => {$(
        impl StateField for $field {
            type Reader<'a> = Values<'a, i64>;

            fn reader(column: Column<'_>) -> Result<Self::Reader<'_>, ColumnError> {
                column.read::<Self>()
            }

            #[inline]
            fn load(reader: &Self::Reader<'_>, row: usize) -> Self {
                Self(reader.get(row).unwrap_or_default())
            }
        }
    )*};
}

read_fields!(TimestampSeconds, TimestampMillis, TimestampMicros, TimestampNanos);

macro_rules! list_fields {
    ($($item:ty => $method:ident;)*) => {$(
        impl StateField for Vec<$item> {
            type Reader<'a> = (Lists<'a>, Values<'a, $item>);

            fn reader(column: Column<'_>) -> Result<Self::Reader<'_>, ColumnError> {
                let lists = column.as_list()?;
                let items = lists.items().$method()?;
                Ok((lists, items))
            }

            #[inline]
            fn load((lists, items): &Self::Reader<'_>, row: usize) -> Self {
                items.values()[lists.range(row)].to_vec()
            }
        }
    )*};
}

list_fields! {
    i16 => as_i16;
    i32 => as_i32;
    i64 => as_i64;
    u16 => as_u16;
    u32 => as_u32;
    u64 => as_u64;
    f32 => as_f32;
    f64 => as_f64;
}

/// A null is `None`.
impl<T: StateField> StateField for Option<T> {
    type Reader<'a> = (Column<'a>, T::Reader<'a>);

    fn reader(column: Column<'_>) -> Result<Self::Reader<'_>, ColumnError> {
        Ok((column, T::reader(column)?))
    }

    #[inline]
    fn load((column, values): &Self::Reader<'_>, row: usize) -> Self {
        (!column.is_null(row)).then(|| T::load(values, row))
    }
}
