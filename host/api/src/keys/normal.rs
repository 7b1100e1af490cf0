//! The normal form of single values, as frozen bytes and as columns.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, PrimitiveArray};
use arrow::compute::take;
use arrow::datatypes::{
    ArrowPrimitiveType, DataType, Float16Type, Float32Type, Float64Type, IntervalDayTime, IntervalMonthDayNano, i256,
};
use half::f16;

use crate::{Error, Result};

/// The same keys as values in one normal form: of floats 0.0 for −0.0 and one NaN, of dictionaries their values. Other
/// columns come back as they are, and so do floats that are normal already: the same `Arc`.
///
/// Rows whose keys are equal under [`KeyHasher`](crate::KeyHasher) have equal bits here, and the other way round; `Utf8`,
/// `LargeUtf8` and `Utf8View` stay what they are.
///
/// # Errors
/// When a dictionary of texts cannot be unpacked because they are more than its value type holds, 2 GiB.
pub fn normalize_keys(column: &ArrayRef) -> Result<ArrayRef> {
    match column.data_type() {
        DataType::Dictionary(_, _) => {
            let dictionary = column.as_any_dictionary();
            let values = normalize_keys(dictionary.values())?;
            take(&values, dictionary.keys(), None).map_err(|error| {
                let rows = column.len();
                Error::data(format!("cannot unpack a dictionary column of {rows} rows to key by it")).caused_by(error)
            })
        }
        DataType::Float16 => Ok(normalize_floats::<Float16Type>(column)),
        DataType::Float32 => Ok(normalize_floats::<Float32Type>(column)),
        DataType::Float64 => Ok(normalize_floats::<Float64Type>(column)),
        _ => Ok(Arc::clone(column)),
    }
}

fn normalize_floats<T>(column: &ArrayRef) -> ArrayRef
where
    T: ArrowPrimitiveType,
    T::Native: Float,
{
    let floats = column.as_primitive::<T>();
    if floats.values().iter().all(|value| value.is_normal_form()) {
        return Arc::clone(column);
    }
    let normal: PrimitiveArray<T> = floats.unary(Float::normal_form);
    Arc::new(normal)
}

/// Floats have several values that are one key.
trait Float: Copy {
    /// −0.0 as 0.0, every NaN as one.
    fn normal_form(self) -> Self;

    /// Whether it is in normal form.
    fn is_normal_form(self) -> bool;
}

/// The NaN is written as bits: Rust does not promise those of its constants, and these are frozen.
macro_rules! float {
    ($float:ty, $zero:expr, $nan_bits:literal) => {
        impl Float for $float {
            #[inline]
            fn normal_form(self) -> Self {
                if self.is_nan() {
                    <$float>::from_bits($nan_bits)
                } else if self == $zero {
                    $zero
                } else {
                    self
                }
            }

            #[inline]
            fn is_normal_form(self) -> bool {
                self.normal_form().to_bits() == self.to_bits()
            }
        }

        impl KeyValue for $float {
            type Tagged = [u8; 1 + size_of::<$float>()];

            #[inline]
            fn tagged(self) -> Self::Tagged {
                tag(self.normal_form().to_bits().to_le_bytes())
            }
        }
    };
}

float!(f16, f16::ZERO, 0x7e00);
float!(f32, 0.0, 0x7fc0_0000);
float!(f64, 0.0, 0x7ff8_0000_0000_0000);

/// A value of fixed width as part of a normalised key.
pub(super) trait KeyValue: Copy {
    /// The byte 1 and the value.
    type Tagged: AsRef<[u8]>;

    /// The bytes that the value gives to a key.
    fn tagged(self) -> Self::Tagged;
}

macro_rules! key_value {
    ($($native:ty),+) => {$(
        impl KeyValue for $native {
            type Tagged = [u8; 1 + size_of::<$native>()];

            #[inline]
            fn tagged(self) -> Self::Tagged {
                tag(self.to_le_bytes())
            }
        }
    )+};
}

key_value!(i8, i16, i32, i64, i128, i256, u8, u16, u32, u64);

impl KeyValue for bool {
    type Tagged = [u8; 2];

    #[inline]
    fn tagged(self) -> [u8; 2] {
        [1, u8::from(self)]
    }
}

impl KeyValue for IntervalDayTime {
    type Tagged = [u8; 9];

    fn tagged(self) -> [u8; 9] {
        let mut tagged = [1; 9];
        tagged[1..5].copy_from_slice(&self.days.to_le_bytes());
        tagged[5..].copy_from_slice(&self.milliseconds.to_le_bytes());
        tagged
    }
}

impl KeyValue for IntervalMonthDayNano {
    type Tagged = [u8; 17];

    fn tagged(self) -> [u8; 17] {
        let mut tagged = [1; 17];
        tagged[1..5].copy_from_slice(&self.months.to_le_bytes());
        tagged[5..9].copy_from_slice(&self.days.to_le_bytes());
        tagged[9..].copy_from_slice(&self.nanoseconds.to_le_bytes());
        tagged
    }
}

/// The byte 1 in front of a value.
#[inline(always)]
fn tag<const WIDTH: usize, const TAGGED: usize>(value: [u8; WIDTH]) -> [u8; TAGGED] {
    const { assert!(TAGGED == WIDTH + 1) }
    let mut tagged = [1; TAGGED];
    tagged[1..].copy_from_slice(&value);
    tagged
}
