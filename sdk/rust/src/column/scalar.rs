//! Views over values of fixed width: numbers, booleans, decimals, dates and times.

use std::borrow::Cow;
use std::ops::Deref;

use bytemuck::Pod;

use super::{Column, ColumnError, Fixed};
use crate::bits::Bits;
use crate::kernels::TURN;
use crate::{DataType, Int256, IntervalUnit, TimeUnit, float16};

/// Values of a fixed width.
#[derive(Debug, Clone)]
pub struct Values<'a, T: Clone> {
    values: Cow<'a, [T]>,
    nulls: Option<Bits<'a>>,
}

/// A copy of values that lie where they cannot be read in place; the SDK's own messages have none.
#[cold]
fn aligned<T: Pod>(bytes: &[u8]) -> Vec<T> {
    let mut values = vec![T::zeroed(); bytes.len() / size_of::<T>()];
    let room: &mut [u8] = bytemuck::cast_slice_mut(&mut values);
    let len = room.len();
    room.copy_from_slice(&bytes[..len]);
    values
}

impl<'a, T: Copy> Values<'a, T> {
    /// The values in these bytes. Values of 16 bytes and more may lie unaligned in a message, and are copied then.
    pub(crate) fn of_bytes(bytes: &'a [u8], nulls: Option<Bits<'a>>) -> Self
    where
        T: Pod,
    {
        let values = match bytemuck::try_cast_slice(bytes) {
            Ok(values) => Cow::Borrowed(values),
            Err(_) => Cow::Owned(aligned(bytes)),
        };
        Self { values, nulls }
    }

    pub(crate) fn owned(values: Vec<T>, nulls: Option<Bits<'a>>) -> Self {
        Self { values: Cow::Owned(values), nulls }
    }

    /// One bit per row, 0 where it has no value; `None` when all rows have one.
    #[must_use]
    pub fn validity(&self) -> Option<Bits<'a>> {
        self.nulls
    }

    /// The same rows with every value converted.
    #[inline]
    pub(crate) fn map<U: Copy>(&self, convert: impl FnMut(T) -> U) -> Values<'a, U> {
        Values { values: Cow::Owned(self.values.iter().copied().map(convert).collect()), nulls: self.nulls }
    }

    /// Number of rows.
    #[must_use]
    pub fn len(&self) -> usize {
        self.values.len()
    }

    /// Whether there is no row.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// Whether any row may have no value. `false` allows to work on [`Values::values`] alone.
    #[must_use]
    pub fn may_be_null(&self) -> bool {
        self.nulls.is_some()
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
    pub fn get(&self, row: usize) -> Option<T> {
        let value = self.values[row];
        (!self.is_null(row)).then_some(value)
    }

    /// The values of the eight rows from row `8 * turn` on.
    ///
    /// # Panics
    /// When there are not so many rows.
    #[inline(always)]
    pub(crate) fn eight(&self, turn: usize) -> [Option<T>; TURN] {
        let values = &self.values.as_chunks::<TURN>().0[turn];
        let present = self.nulls.map_or(0xff, |bits| bits.eight(turn));
        std::array::from_fn(|at| (present >> at & 1 == 1).then_some(values[at]))
    }

    /// All values as they lie in memory; the entries of rows without a value mean nothing.
    #[must_use]
    pub fn values(&self) -> &[T] {
        &self.values
    }

    /// The rows in order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = Option<T>> + '_ {
        (0..self.len()).map(|row| self.get(row))
    }
}

/// Booleans.
#[derive(Debug, Clone)]
pub struct Bools<'a> {
    values: Bits<'a>,
    nulls: Option<Bits<'a>>,
}

impl<'a> Bools<'a> {
    /// The bits of all rows; those of rows without a value mean nothing.
    #[must_use]
    pub fn bits(&self) -> Bits<'a> {
        self.values
    }

    /// One bit per row, 0 where it has no value; `None` when all rows have one.
    #[must_use]
    pub fn validity(&self) -> Option<Bits<'a>> {
        self.nulls
    }

    /// Number of rows.
    #[must_use]
    pub fn len(&self) -> usize {
        self.values.len()
    }

    /// Whether there is no row.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
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
    pub fn get(&self, row: usize) -> Option<bool> {
        let value = self.values.get(row);
        (!self.is_null(row)).then_some(value)
    }

    /// The rows in order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = Option<bool>> + '_ {
        (0..self.len()).map(|row| self.get(row))
    }
}

/// Decimals of up to 38 digits, as integers: the value is `integer / 10^scale`.
#[derive(Debug, Clone)]
pub struct Decimals<'a> {
    values: Values<'a, i128>,
    /// How many digits values have at most.
    pub precision: u8,
    /// How many of the digits stand behind the point.
    pub scale: i8,
}

impl<'a> Decimals<'a> {
    /// The values as floats, rounded to the nearest.
    #[must_use]
    pub fn to_f64(&self) -> Values<'a, f64> {
        let unit = 10f64.powi(i32::from(self.scale));
        self.values.map(|value| value as f64 / unit)
    }
}

/// Decimals of up to 76 digits, as integers: the value is `integer / 10^scale`.
#[derive(Debug, Clone)]
pub struct WideDecimals<'a> {
    values: Values<'a, Int256>,
    /// How many digits values have at most.
    pub precision: u8,
    /// How many of the digits stand behind the point.
    pub scale: i8,
}

impl<'a> WideDecimals<'a> {
    /// The values as floats, rounded.
    #[must_use]
    pub fn to_f64(&self) -> Values<'a, f64> {
        let unit = 10f64.powi(i32::from(self.scale));
        self.values.map(|value| value.to_f64() / unit)
    }
}

/// Points in time, counted from 1970-01-01T00:00:00 in `unit`.
#[derive(Debug, Clone)]
pub struct Timestamps<'a> {
    values: Values<'a, i64>,
    /// What the values count.
    pub unit: TimeUnit,
    /// The time zone; with one, values are instants in UTC, without one they are the wall clock somewhere.
    pub zone: Option<&'a str>,
}

/// Times of day, counted from midnight in `unit`.
#[derive(Debug, Clone)]
pub struct Times<'a> {
    values: Values<'a, i64>,
    /// What the values count.
    pub unit: TimeUnit,
}

/// Lengths of time, in `unit`.
#[derive(Debug, Clone)]
pub struct Durations<'a> {
    values: Values<'a, i64>,
    /// What the values count.
    pub unit: TimeUnit,
}

const NANOSECONDS_PER_MILLISECOND: i64 = 1_000_000;

/// A length of time in calendar units. The three are independent of each other, and may differ in sign.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Interval {
    /// Whole months.
    pub months: i32,
    /// Whole days.
    pub days: i32,
    /// Nanoseconds.
    pub nanoseconds: i64,
}

macro_rules! over_values {
    ($($view:ident => $native:ty),*) => {$(
        impl<'a> Deref for $view<'a> {
            type Target = Values<'a, $native>;

            fn deref(&self) -> &Self::Target {
                &self.values
            }
        }
    )*};
}

over_values!(Decimals => i128, WideDecimals => Int256, Timestamps => i64, Times => i64, Durations => i64);

impl<'a> Column<'a> {
    /// The values of a Boolean column.
    ///
    /// # Errors
    /// [`ColumnError::Type`] when the column is of another type.
    pub fn as_bool(&self) -> Result<Bools<'a>, ColumnError> {
        if *self.data_type() != DataType::Boolean {
            return Err(self.mismatch("Boolean"));
        }
        let (start, len) = self.range();
        Ok(Bools { values: Bits::new(self.store().values(), start, len), nulls: self.nulls() })
    }

    /// The values of a Float16 column, widened to `f32`.
    ///
    /// # Errors
    /// [`ColumnError::Type`] when the column is of another type.
    pub fn as_f16(&self) -> Result<Values<'a, f32>, ColumnError> {
        if *self.data_type() != DataType::Float16 {
            return Err(self.mismatch("Float16"));
        }
        Ok(self.values::<u16>().map(float16::to_f32))
    }

    /// The values of a Decimal128 column of any precision and scale.
    ///
    /// # Errors
    /// [`ColumnError::Type`] when the column is of another type.
    pub fn as_decimal128(&self) -> Result<Decimals<'a>, ColumnError> {
        match (self.data_type(), self.fixed()) {
            (DataType::Decimal128(precision, scale), Some(values)) => {
                Ok(Decimals { values, precision: *precision, scale: *scale })
            }
            _ => Err(self.mismatch("Decimal128")),
        }
    }

    /// The values of a Decimal256 column of any precision and scale.
    ///
    /// # Errors
    /// [`ColumnError::Type`] when the column is of another type.
    pub fn as_decimal256(&self) -> Result<WideDecimals<'a>, ColumnError> {
        let DataType::Decimal256(precision, scale) = self.data_type() else {
            return Err(self.mismatch("Decimal256"));
        };
        let values = self.values::<[u128; 2]>().map(Int256::from_halves);
        Ok(WideDecimals { values, precision: *precision, scale: *scale })
    }

    /// The values of a Timestamp column of any unit and zone.
    ///
    /// # Errors
    /// [`ColumnError::Type`] when the column is of another type.
    pub fn as_timestamp(&self) -> Result<Timestamps<'a>, ColumnError> {
        match (self.data_type(), self.fixed()) {
            (DataType::Timestamp(unit, zone), Some(values)) => {
                Ok(Timestamps { values, unit: *unit, zone: zone.as_deref() })
            }
            _ => Err(self.mismatch("Timestamp")),
        }
    }

    /// The values of a Time32 or Time64 column of any unit.
    ///
    /// # Errors
    /// [`ColumnError::Type`] when the column is of another type.
    pub fn as_time(&self) -> Result<Times<'a>, ColumnError> {
        let times = match self.data_type() {
            DataType::Time32(unit) => self.fixed::<i32>().map(|values| (values.map(i64::from), *unit)),
            DataType::Time64(unit) => self.fixed::<i64>().map(|values| (values, *unit)),
            _ => None,
        };
        let (values, unit) = times.ok_or_else(|| self.mismatch("Time32 or Time64"))?;
        Ok(Times { values, unit })
    }

    /// The values of a Duration column of any unit.
    ///
    /// # Errors
    /// [`ColumnError::Type`] when the column is of another type.
    pub fn as_duration(&self) -> Result<Durations<'a>, ColumnError> {
        match (self.data_type(), self.fixed()) {
            (DataType::Duration(unit), Some(values)) => Ok(Durations { values, unit: *unit }),
            _ => Err(self.mismatch("Duration")),
        }
    }

    /// The values of an Interval column of any unit, as months, days and nanoseconds.
    ///
    /// # Errors
    /// [`ColumnError::Type`] when the column is of another type.
    pub fn as_interval(&self) -> Result<Values<'a, Interval>, ColumnError> {
        let DataType::Interval(unit) = self.data_type() else {
            return Err(self.mismatch("Interval"));
        };
        Ok(match unit {
            IntervalUnit::YearMonth => self.values().map(|months| Interval { months, ..Interval::default() }),
            IntervalUnit::DayTime => self.values().map(|[days, ms]: [i32; 2]| Interval {
                months: 0,
                days,
                nanoseconds: i64::from(ms) * NANOSECONDS_PER_MILLISECOND,
            }),
            IntervalUnit::MonthDayNano => self.values().map(|[head, nanoseconds]: [i64; 2]| {
                // Little-endian: months come first.
                Interval { months: head as i32, days: (head >> 32) as i32, nanoseconds }
            }),
        })
    }

    /// The values, where `read` is `Some` for columns that hold them.
    #[inline]
    pub(crate) fn widened<T: Fixed, U: Fixed>(&self, widen: impl FnMut(T) -> U) -> Option<Values<'a, U>> {
        if !T::holds(self.data_type()) {
            return None;
        }
        let values = self.value_bytes(size_of::<T>()).chunks_exact(size_of::<T>());
        Some(Values::owned(values.map(bytemuck::pod_read_unaligned).map(widen).collect(), self.nulls()))
    }
}
