//! Which types have values that Rust has a type for.

use bytemuck::Pod;

use crate::{DataType, IntervalUnit};

/// A type whose values lie in a column one behind the other.
///
/// The integers, `f32`, `f64`, and `i128` for decimals.
pub trait Fixed: Sealed + Pod + Copy + Default + Send + Sync + std::fmt::Debug + PartialEq + 'static {
    /// Whether the values of a column of this type are of ours, whatever they mean.
    #[doc(hidden)]
    fn holds(data_type: &DataType) -> bool;
}

/// Keeps [`Fixed`] to the types listed here.
#[doc(hidden)]
pub trait Sealed {}

macro_rules! fixed {
    ($($native:ty => $types:pat),* $(,)?) => {$(
        impl Sealed for $native {}

        impl Fixed for $native {
            fn holds(data_type: &DataType) -> bool {
                matches!(data_type, $types)
            }
        }
    )*};
}

fixed! {
    i8 => DataType::Int8,
    i16 => DataType::Int16,
    i32 => DataType::Int32 | DataType::Date32 | DataType::Time32(_) | DataType::Interval(IntervalUnit::YearMonth),
    i64 => DataType::Int64 | DataType::Date64 | DataType::Time64(_) | DataType::Timestamp(..) | DataType::Duration(_),
    u8 => DataType::UInt8,
    u16 => DataType::UInt16,
    u32 => DataType::UInt32,
    u64 => DataType::UInt64,
    f32 => DataType::Float32,
    f64 => DataType::Float64,
    i128 => DataType::Decimal128(..),
}
