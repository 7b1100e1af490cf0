//! Order, sameness and hash of what is stored as a number.

use std::cmp::Ordering;

use arrow::datatypes::{ArrowNativeType, IntervalDayTime, IntervalMonthDayNano, i256};
use half::f16;
use xxhash_rust::xxh3::xxh3_64;

/// A value of fixed width. The rules for floats are told at [`super::kind::Kind`].
pub(super) trait Plain: ArrowNativeType {
    fn precedes(self, other: Self) -> bool;

    fn same(self, other: Self) -> bool;

    /// xxh3-64 of the little-endian bytes, NaN and zero each in one form.
    fn hash(self) -> u64;
}

macro_rules! integers {
    ($($native:ty),*) => {$(
        impl Plain for $native {
            fn precedes(self, other: Self) -> bool {
                self < other
            }

            fn same(self, other: Self) -> bool {
                self == other
            }

            fn hash(self) -> u64 {
                xxh3_64(&self.to_le_bytes())
            }
        }
    )*};
}

integers!(i8, i16, i32, i64, i128, u8, u16, u32, u64, i256);

macro_rules! floats {
    ($($native:ty, $nan:expr, $zero:expr);*) => {$(
        impl Plain for $native {
            fn precedes(self, other: Self) -> bool {
                match (self.is_nan(), other.is_nan()) {
                    (false, false) => self.total_cmp(&other) == Ordering::Less,
                    (is_nan, other_is_nan) => !is_nan & other_is_nan,
                }
            }

            fn same(self, other: Self) -> bool {
                self == other || self.is_nan() && other.is_nan()
            }

            fn hash(self) -> u64 {
                let normal = if self.is_nan() {
                    $nan
                } else if self == $zero {
                    $zero
                } else {
                    self
                };
                xxh3_64(&normal.to_le_bytes())
            }
        }
    )*};
}

floats!(f16, f16::NAN, f16::ZERO; f32, f32::NAN, 0.0; f64, f64::NAN, 0.0);

// Intervals have no order (is a month longer than 30 days?); that `min` and `max` refuse them is decided by type.
impl Plain for IntervalDayTime {
    fn precedes(self, _other: Self) -> bool {
        false
    }

    fn same(self, other: Self) -> bool {
        self == other
    }

    fn hash(self) -> u64 {
        let mut bytes = [0; 8];
        bytes[..4].copy_from_slice(&self.days.to_le_bytes());
        bytes[4..].copy_from_slice(&self.milliseconds.to_le_bytes());
        xxh3_64(&bytes)
    }
}

impl Plain for IntervalMonthDayNano {
    fn precedes(self, _other: Self) -> bool {
        false
    }

    fn same(self, other: Self) -> bool {
        self == other
    }

    fn hash(self) -> u64 {
        let mut bytes = [0; 16];
        bytes[..4].copy_from_slice(&self.months.to_le_bytes());
        bytes[4..8].copy_from_slice(&self.days.to_le_bytes());
        bytes[8..].copy_from_slice(&self.nanoseconds.to_le_bytes());
        xxh3_64(&bytes)
    }
}
