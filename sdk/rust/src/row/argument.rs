//! What a row-wise function can take: for each type, which columns it reads and how.

use bytemuck::Pod;

use super::types::{Date, Decimal, TimestampMicros, TimestampMillis, TimestampNanos, TimestampSeconds};
use crate::column::{Bools, Bytes, Column, ColumnError, Strings, Values};
use crate::kernels::TURN;
use crate::layout::Layout;
use crate::{DataType, TimeUnit, float16};

/// A type that an argument of a row-wise function may have. Columns of a narrower type are widened where nothing is
/// lost; 64-bit integers are taken for `f64` too, rounded beyond 2^53.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be an argument of a row-wise function",
    label = "not a type that a column is read as",
    note = "use bool, i8…i64, u8…u64, f32, f64, &str, &[u8], Date, Decimal<P, S>, TimestampMillis (or Seconds, Micros, Nanos), or Option of one of them for a column with nulls",
    note = "lists, structs and other types are read batch-wise: implement `MapOperator`, `FilterOperator` or `FlatMapOperator`"
)]
pub trait Argument<'a>: Sized {
    /// Holds the column while rows are read.
    type Reader;

    /// The type as the component announces it, in Arrow's words.
    const TYPE: &'static str;

    /// The columns that are taken, for error messages.
    const WANTED: &'static str;

    /// Whether a column of this type is taken.
    fn accepts(data_type: &DataType) -> bool;

    /// Prepares a column.
    ///
    /// # Errors
    /// [`ColumnError::Type`] when [`Argument::accepts`] is false of its type.
    fn reader(column: Column<'a>) -> Result<Self::Reader, ColumnError>;

    /// The argument at a row; `None` when the row has no value and the type has no place for that.
    fn read(reader: &Self::Reader, row: usize) -> Option<Self>;

    /// The arguments at the eight rows from row `8 * turn` on: so a loop has to look for nulls once in eight rows.
    #[doc(hidden)]
    #[inline(always)]
    fn read_eight(reader: &Self::Reader, turn: usize) -> [Option<Self>; TURN] {
        std::array::from_fn(|at| Self::read(reader, turn * TURN + at))
    }
}

/// A null is `None`; the function decides.
impl<'a, T: Argument<'a>> Argument<'a> for Option<T> {
    type Reader = T::Reader;
    const TYPE: &'static str = T::TYPE;
    const WANTED: &'static str = T::WANTED;

    fn accepts(data_type: &DataType) -> bool {
        matches!(data_type, DataType::Null) || T::accepts(data_type)
    }

    fn reader(column: Column<'a>) -> Result<Self::Reader, ColumnError> {
        T::reader(column)
    }

    #[inline]
    fn read(reader: &Self::Reader, row: usize) -> Option<Self> {
        Some(T::read(reader, row))
    }

    #[inline(always)]
    fn read_eight(reader: &Self::Reader, turn: usize) -> [Option<Self>; TURN] {
        T::read_eight(reader, turn).map(Some)
    }
}

macro_rules! integer_arguments {
    ($($native:ty = $exact:ident, from $($narrow:ident $small:ty),*;)*) => {$(
        impl<'a> Argument<'a> for $native {
            type Reader = Values<'a, $native>;
            const TYPE: &'static str = stringify!($exact);
            const WANTED: &'static str = concat!(stringify!($exact) $(, " or ", stringify!($narrow))*);

            fn accepts(data_type: &DataType) -> bool {
                matches!(data_type, DataType::$exact $(| DataType::$narrow)*)
            }

            fn reader(column: Column<'a>) -> Result<Self::Reader, ColumnError> {
                let values = match column.data_type() {
                    DataType::$exact => column.fixed::<$native>(),
                    $(DataType::$narrow => column.widened(|value: $small| <$native>::from(value)),)*
                    _ => None,
                };
                values.ok_or_else(|| column.mismatch(<Self as Argument<'a>>::WANTED))
            }

            #[inline]
            fn read(reader: &Self::Reader, row: usize) -> Option<Self> {
                reader.get(row)
            }

            #[inline(always)]
            fn read_eight(reader: &Self::Reader, turn: usize) -> [Option<Self>; TURN] {
                reader.eight(turn)
            }
        }
    )*};
}

integer_arguments! {
    i8 = Int8, from;
    i16 = Int16, from Int8 i8, UInt8 u8;
    i32 = Int32, from Int16 i16, Int8 i8, UInt16 u16, UInt8 u8;
    i64 = Int64, from Int32 i32, Int16 i16, Int8 i8, UInt32 u32, UInt16 u16, UInt8 u8;
    u8 = UInt8, from;
    u16 = UInt16, from UInt8 u8;
    u32 = UInt32, from UInt16 u16, UInt8 u8;
    u64 = UInt64, from UInt32 u32, UInt16 u16, UInt8 u8;
}

/// Any integer or float as `f64`.
#[inline]
pub(crate) fn read_f64<'a>(column: Column<'a>) -> Option<Values<'a, f64>> {
    if matches!(column.data_type(), DataType::Float64) {
        return Some(column.values());
    }
    let mut values = vec![0.0; column.len()];
    match column.data_type() {
        DataType::Int64 => widen(column, &mut values, |value: i64| value as f64),
        DataType::Int32 => widen(column, &mut values, |value: i32| f64::from(value)),
        DataType::Float32 => widen(column, &mut values, |value: f32| f64::from(value)),
        _ => widen_rare(column, &mut values)?,
    }
    Some(Values::owned(values, column.nulls()))
}

/// Kinds of numbers that few columns have: one loop for all of them.
#[inline(never)]
fn widen_rare(column: Column<'_>, values: &mut [f64]) -> Option<()> {
    fn read<T: Pod>(bytes: &[u8]) -> T {
        bytemuck::pod_read_unaligned(bytes)
    }
    let convert: fn(&[u8]) -> f64 = match column.data_type() {
        DataType::Float16 => |bytes| float16::to_f32(read(bytes)).into(),
        DataType::Int8 => |bytes| read::<i8>(bytes).into(),
        DataType::Int16 => |bytes| read::<i16>(bytes).into(),
        DataType::UInt8 => |bytes| read::<u8>(bytes).into(),
        DataType::UInt16 => |bytes| read::<u16>(bytes).into(),
        DataType::UInt32 => |bytes| read::<u32>(bytes).into(),
        DataType::UInt64 => |bytes| read::<u64>(bytes) as f64,
        _ => return None,
    };
    let Layout::Fixed(width) = Layout::of(column.data_type()) else { return None };
    for (value, narrow) in values.iter_mut().zip(column.value_bytes(width).chunks_exact(width)) {
        *value = convert(narrow);
    }
    Some(())
}

/// One loop and nothing else, because there is one for each type.
#[inline]
fn widen<T: Pod>(column: Column<'_>, values: &mut [f64], convert: impl Fn(T) -> f64) {
    let narrow = column.value_bytes(size_of::<T>()).chunks_exact(size_of::<T>());
    for (value, narrow) in values.iter_mut().zip(narrow) {
        *value = convert(bytemuck::pod_read_unaligned(narrow));
    }
}

impl<'a> Argument<'a> for f64 {
    type Reader = Values<'a, f64>;
    const TYPE: &'static str = "Float64";
    const WANTED: &'static str = "Float64, another float or an integer";

    fn accepts(data_type: &DataType) -> bool {
        data_type.is_integer() || matches!(data_type, DataType::Float16 | DataType::Float32 | DataType::Float64)
    }

    #[inline]
    fn reader(column: Column<'a>) -> Result<Self::Reader, ColumnError> {
        read_f64(column).ok_or_else(|| column.mismatch(Self::WANTED))
    }

    #[inline]
    fn read(reader: &Self::Reader, row: usize) -> Option<Self> {
        reader.get(row)
    }

    #[inline(always)]
    fn read_eight(reader: &Self::Reader, turn: usize) -> [Option<Self>; TURN] {
        reader.eight(turn)
    }
}

impl<'a> Argument<'a> for f32 {
    type Reader = Values<'a, f32>;
    const TYPE: &'static str = "Float32";
    const WANTED: &'static str = "Float32 or Float16 or an integer of at most 16 bits";

    fn accepts(data_type: &DataType) -> bool {
        use DataType::{Float16, Float32, Int8, Int16, UInt8, UInt16};
        matches!(data_type, Float32 | Float16 | Int8 | Int16 | UInt8 | UInt16)
    }

    fn reader(column: Column<'a>) -> Result<Self::Reader, ColumnError> {
        let values = match column.data_type() {
            DataType::Float32 => column.fixed(),
            DataType::Float16 => Some(column.as_f16()?),
            DataType::Int8 => column.widened(|value: i8| f32::from(value)),
            DataType::Int16 => column.widened(|value: i16| f32::from(value)),
            DataType::UInt8 => column.widened(|value: u8| f32::from(value)),
            DataType::UInt16 => column.widened(|value: u16| f32::from(value)),
            _ => None,
        };
        values.ok_or_else(|| column.mismatch(Self::WANTED))
    }

    #[inline]
    fn read(reader: &Self::Reader, row: usize) -> Option<Self> {
        reader.get(row)
    }

    #[inline(always)]
    fn read_eight(reader: &Self::Reader, turn: usize) -> [Option<Self>; TURN] {
        reader.eight(turn)
    }
}

macro_rules! viewed_arguments {
    ($($argument:ty => $view:ty: $kind:literal, $wanted:literal, $accepts:pat, $method:ident;)*) => {$(
        impl<'a> Argument<'a> for $argument {
            type Reader = $view;
            const TYPE: &'static str = $kind;
            const WANTED: &'static str = $wanted;

            fn accepts(data_type: &DataType) -> bool {
                matches!(data_type, $accepts)
            }

            fn reader(column: Column<'a>) -> Result<Self::Reader, ColumnError> {
                column.$method()
            }

            #[inline]
            fn read(reader: &Self::Reader, row: usize) -> Option<Self> {
                reader.get(row)
            }
        }
    )*};
}

viewed_arguments! {
    bool => Bools<'a>: "Boolean", "Boolean", DataType::Boolean, as_bool;
    &'a str => Strings<'a>: "Utf8", "Utf8 or LargeUtf8", DataType::Utf8 | DataType::LargeUtf8, as_str;
    &'a [u8] => Bytes<'a>: "Binary", "Binary, LargeBinary or FixedSizeBinary",
        DataType::Binary | DataType::LargeBinary | DataType::FixedSizeBinary(_), as_bytes;
}

macro_rules! timestamp_arguments {
    ($($argument:ident => $unit:ident, $kind:literal;)*) => {$(
        impl<'a> Argument<'a> for $argument {
            type Reader = Values<'a, i64>;
            const TYPE: &'static str = $kind;
            const WANTED: &'static str = concat!($kind, " in any time zone");

            fn accepts(data_type: &DataType) -> bool {
                matches!(data_type, DataType::Timestamp(TimeUnit::$unit, _))
            }

            fn reader(column: Column<'a>) -> Result<Self::Reader, ColumnError> {
                let fits = Self::accepts(column.data_type()).then(|| column.fixed()).flatten();
                fits.ok_or_else(|| column.mismatch(Self::WANTED))
            }

            #[inline]
            fn read(reader: &Self::Reader, row: usize) -> Option<Self> {
                reader.get(row).map(Self)
            }

            #[inline(always)]
            fn read_eight(reader: &Self::Reader, turn: usize) -> [Option<Self>; TURN] {
                reader.eight(turn).map(|value| value.map(Self))
            }
        }
    )*};
}

timestamp_arguments! {
    TimestampSeconds => Second, "Timestamp(s)";
    TimestampMillis => Millisecond, "Timestamp(ms)";
    TimestampMicros => Microsecond, "Timestamp(µs)";
    TimestampNanos => Nanosecond, "Timestamp(ns)";
}

impl<'a> Argument<'a> for Date {
    type Reader = Values<'a, i32>;
    const TYPE: &'static str = "Date32";
    const WANTED: &'static str = "Date32";

    fn accepts(data_type: &DataType) -> bool {
        matches!(data_type, DataType::Date32)
    }

    fn reader(column: Column<'a>) -> Result<Self::Reader, ColumnError> {
        column.as_date32()
    }

    #[inline]
    fn read(reader: &Self::Reader, row: usize) -> Option<Self> {
        reader.get(row).map(Self)
    }
}

impl<'a, const P: u8, const S: i8> Argument<'a> for Decimal<P, S> {
    type Reader = Values<'a, i128>;
    const TYPE: &'static str = "Decimal128";
    const WANTED: &'static str = "Decimal128 of the scale that the function names and at most its precision";

    fn accepts(data_type: &DataType) -> bool {
        matches!(data_type, DataType::Decimal128(precision, scale) if *precision <= P && *scale == S)
    }

    fn reader(column: Column<'a>) -> Result<Self::Reader, ColumnError> {
        let fits = Self::accepts(column.data_type()).then(|| column.fixed()).flatten();
        fits.ok_or_else(|| column.mismatch(&DataType::Decimal128(P, S).to_string()))
    }

    #[inline]
    fn read(reader: &Self::Reader, row: usize) -> Option<Self> {
        reader.get(row).map(Self)
    }
}
