//! Slices out of arrow-rs's arrays, and arrays out of vectors.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{
    ArrowPrimitiveType, Date32Type, Date64Type, Decimal128Type, Decimal256Type, DurationMicrosecondType,
    DurationMillisecondType, DurationNanosecondType, DurationSecondType, Float32Type, Float64Type, Int8Type, Int16Type,
    Int32Type, Int64Type, Time32MillisecondType, Time32SecondType, Time64MicrosecondType, Time64NanosecondType,
    TimestampMicrosecondType, TimestampMillisecondType, TimestampNanosecondType, TimestampSecondType, UInt8Type,
    UInt16Type, UInt32Type, UInt64Type,
};
use arrow_array::{Array, ArrayRef, PrimitiveArray};
use arrow_buffer::{BooleanBuffer, NullBuffer, i256};
use arrow_schema::DataType as ArrowType;

use crate::DataType;
use crate::bits::{Bits, BitsBuilder};

/// A type whose values lie in a column one behind the other.
///
/// The integers, `f32`, `f64`, and `i128` for decimals.
pub trait Fixed: Sealed + Copy + Default + Send + Sync + std::fmt::Debug + PartialEq + 'static {
    /// The values of an arrow array that holds them, whatever it means by them.
    #[doc(hidden)]
    fn slice(array: ColumnRef<'_>) -> Option<&[Self]>;

    /// An array of the type that `data_type` names.
    #[doc(hidden)]
    fn array(data_type: &DataType, values: Vec<Self>, nulls: Option<BitsBuilder>) -> crate::Array;
}

/// Keeps [`Fixed`] to the types listed here.
#[doc(hidden)]
pub trait Sealed {}

/// An array as the views see it.
#[doc(hidden)]
#[derive(Clone, Copy)]
pub struct ColumnRef<'a>(pub(crate) &'a dyn Array);

macro_rules! fixed {
    ($($native:ty => $plain:ty | $($reading:ty),*;)*) => {$(
        impl Sealed for $native {}

        impl Fixed for $native {
            fn slice(array: ColumnRef<'_>) -> Option<&[Self]> {
                if let Some(values) = array.0.as_primitive_opt::<$plain>() {
                    return Some(values.values());
                }
                $(if let Some(values) = array.0.as_primitive_opt::<$reading>() {
                    return Some(values.values());
                })*
                None
            }

            fn array(data_type: &DataType, values: Vec<Self>, nulls: Option<BitsBuilder>) -> crate::Array {
                plain_array::<$plain>(data_type, values, nulls)
            }
        }
    )*};
}

fixed! {
    i8 => Int8Type | ;
    i16 => Int16Type | ;
    i32 => Int32Type | Date32Type, Time32SecondType, Time32MillisecondType;
    i64 => Int64Type | Date64Type, TimestampSecondType, TimestampMillisecondType, TimestampMicrosecondType,
        TimestampNanosecondType, Time64MicrosecondType, Time64NanosecondType, DurationSecondType,
        DurationMillisecondType, DurationMicrosecondType, DurationNanosecondType;
    u8 => UInt8Type | ;
    u16 => UInt16Type | ;
    u32 => UInt32Type | ;
    u64 => UInt64Type | ;
    f32 => Float32Type | ;
    f64 => Float64Type | ;
    i128 => Decimal128Type | ;
}

fn plain_array<P>(data_type: &DataType, values: Vec<P::Native>, nulls: Option<BitsBuilder>) -> crate::Array
where
    P: ArrowPrimitiveType,
{
    let plain = PrimitiveArray::<P>::new(values.into(), null_buffer(nulls));
    let arrow_type = arrow_type(data_type);
    let inner: ArrayRef = if plain.data_type() == &arrow_type {
        Arc::new(plain)
    } else {
        // The same values, read as dates, times or decimals of another precision.
        let data = plain.into_data().into_builder().data_type(arrow_type).build();
        arrow_array::make_array(data.expect("the builders pair types with values of their width"))
    };
    crate::Array::new(data_type.clone(), inner)
}

/// The arrow type of one that a builder makes.
pub(crate) fn arrow_type(data_type: &DataType) -> ArrowType {
    super::types::type_to_arrow(data_type).expect("builders make no columns of other types")
}

/// Decimals of 256 bits have no native type: low 128 bits, high 128 bits.
pub(crate) fn wide_decimals(array: &dyn Array) -> Option<&[i256]> {
    Some(array.as_primitive_opt::<Decimal256Type>()?.values())
}

/// The validity of a range of an array.
pub(crate) fn null_bits(array: &dyn Array, start: usize, len: usize) -> Option<Bits<'_>> {
    let nulls = array.nulls()?;
    Some(bits(nulls.inner()).slice(start, len))
}

/// A bitmap of arrow-rs as ours.
pub(crate) fn bits(buffer: &BooleanBuffer) -> Bits<'_> {
    Bits::new(buffer.values(), buffer.offset(), buffer.len())
}

/// A validity bitmap of ours as arrow-rs's.
pub(crate) fn null_buffer(nulls: Option<BitsBuilder>) -> Option<NullBuffer> {
    nulls.map(|nulls| NullBuffer::new(boolean_buffer(nulls)))
}

/// A bitmap of ours as arrow-rs's.
pub(crate) fn boolean_buffer(bits: BitsBuilder) -> BooleanBuffer {
    let len = bits.len();
    BooleanBuffer::new(bits.into_bytes().into(), 0, len)
}
