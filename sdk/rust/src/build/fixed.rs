//! Builders of columns with values of fixed width.

use std::marker::PhantomData;

use super::{Builder, Validity};
use crate::array::ArrayData;
use crate::bits::BitsBuilder;
use crate::buffer::Buffer;
use crate::column::Fixed;
use crate::kernels::TURN;
use crate::{Array, DataType, Int256, TimeUnit, float16};

/// Builds a column of numbers, or of dates, times and decimals, which are numbers with a meaning.
#[derive(Debug, Clone)]
pub struct FixedBuilder<T> {
    data_type: DataType,
    values: Buffer,
    validity: Validity,
    of: PhantomData<T>,
}

impl<T: Fixed> FixedBuilder<T> {
    fn of(data_type: DataType) -> Self {
        Self { data_type, values: Buffer::new(), validity: Validity::default(), of: PhantomData }
    }

    /// Makes room for `rows` more rows.
    #[must_use]
    pub fn with_capacity(mut self, rows: usize) -> Self {
        self.values.reserve(rows * size_of::<T>());
        self
    }

    /// So many rows, in turns of eight: a host that looks at the time once a turn hardly costs anything.
    #[inline]
    pub(crate) fn filled_with(mut self, rows: usize, mut value: impl FnMut(usize) -> Option<T>) -> Array {
        let mut is_full = true;
        let slots = bytemuck::cast_slice_mut::<u8, T>(self.values.extend_any(rows * size_of::<T>()));
        let (turns, rest) = slots.as_chunks_mut::<TURN>();
        let mut row = 0;
        for turn in turns {
            let values: [Option<T>; TURN] = std::array::from_fn(|at| value(row + at));
            is_full &= values.iter().all(Option::is_some);
            for (slot, value) in turn.iter_mut().zip(values) {
                *slot = value.unwrap_or_default();
            }
            if !is_full {
                break;
            }
            row += TURN;
        }
        if is_full {
            for slot in rest {
                match value(row) {
                    Some(value) => *slot = value,
                    None => {
                        is_full = false;
                        break;
                    }
                }
                row += 1;
            }
        }
        if is_full {
            return fixed_array(self.data_type, rows, self.values, self.validity);
        }
        // Some are null: from the first turn that has one on, row by row.
        self.values.truncate(row * size_of::<T>());
        for row in row..rows {
            match value(row) {
                Some(value) => self.push(value),
                None => self.push_null(),
            }
        }
        self.finish()
    }

    /// One row with this value.
    #[inline]
    pub fn push(&mut self, value: T) {
        self.values.push(value);
        self.validity.push_valid();
    }

    /// Eight rows with these values.
    #[inline(always)]
    pub(crate) fn push_eight(&mut self, values: [T; TURN]) {
        self.values.extend(bytemuck::cast_slice(&values));
        self.validity.push_valid_eight();
    }

    /// A row for each of these values.
    pub fn extend_from_slice(&mut self, values: &[T]) {
        self.values.extend(bytemuck::cast_slice(values));
        values.iter().for_each(|_| self.validity.push_valid());
    }

    /// One row, with or without a value.
    #[inline]
    pub fn push_option(&mut self, value: Option<T>) {
        match value {
            Some(value) => self.push(value),
            None => self.push_null(),
        }
    }
}

impl<T: Fixed> Builder for FixedBuilder<T> {
    fn data_type(&self) -> DataType {
        self.data_type.clone()
    }

    fn len(&self) -> usize {
        self.values.count::<T>()
    }

    #[inline]
    fn reserve(&mut self, rows: usize) {
        self.values.reserve(rows * size_of::<T>());
    }

    #[inline]
    fn push_null(&mut self) {
        self.validity.push_null(self.values.count::<T>());
        self.values.push(T::default());
    }

    fn finish(self) -> Array {
        let rows = self.len();
        fixed_array(self.data_type, rows, self.values, self.validity)
    }
}

/// An array of values of a fixed width.
#[inline(never)]
fn fixed_array(data_type: DataType, rows: usize, values: Buffer, validity: Validity) -> Array {
    Array::new(data_type, ArrayData { values, ..ArrayData::of(rows, validity) })
}

macro_rules! number_builders {
    ($($alias:ident: $native:ty = $variant:ident;)*) => {$(
        #[doc = concat!("Builds a column of type ", stringify!($variant), ".")]
        pub type $alias = FixedBuilder<$native>;

        impl FixedBuilder<$native> {
            #[doc = concat!("An empty column of type ", stringify!($variant), ".")]
            #[must_use]
            pub fn new() -> Self {
                Self::of(DataType::$variant)
            }
        }

        impl Default for FixedBuilder<$native> {
            fn default() -> Self {
                Self::new()
            }
        }
    )*};
}

number_builders! {
    Int8Builder: i8 = Int8;
    Int16Builder: i16 = Int16;
    Int32Builder: i32 = Int32;
    Int64Builder: i64 = Int64;
    UInt8Builder: u8 = UInt8;
    UInt16Builder: u16 = UInt16;
    UInt32Builder: u32 = UInt32;
    UInt64Builder: u64 = UInt64;
    Float32Builder: f32 = Float32;
    Float64Builder: f64 = Float64;
}

impl FixedBuilder<i32> {
    /// A column of days since 1970-01-01.
    #[must_use]
    pub fn date32() -> Self {
        Self::of(DataType::Date32)
    }

    /// A column of times of day in seconds or milliseconds.
    ///
    /// # Panics
    /// When `unit` is finer: that takes [`Int64Builder::time64`].
    #[must_use]
    pub fn time32(unit: TimeUnit) -> Self {
        let coarse = matches!(unit, TimeUnit::Second | TimeUnit::Millisecond);
        assert!(coarse, "a Time32 counts s or ms, not {unit}");
        Self::of(DataType::Time32(unit))
    }
}

impl FixedBuilder<i64> {
    /// A column of whole days in milliseconds since 1970-01-01.
    #[must_use]
    pub fn date64() -> Self {
        Self::of(DataType::Date64)
    }

    /// A column of times of day in microseconds or nanoseconds.
    ///
    /// # Panics
    /// When `unit` is coarser: that takes [`Int32Builder::time32`].
    #[must_use]
    pub fn time64(unit: TimeUnit) -> Self {
        let fine = matches!(unit, TimeUnit::Microsecond | TimeUnit::Nanosecond);
        assert!(fine, "a Time64 counts µs or ns, not {unit}");
        Self::of(DataType::Time64(unit))
    }

    /// A column of points in time since 1970-01-01T00:00:00, with a time zone (`Some("UTC")`) or without.
    #[must_use]
    pub fn timestamp(unit: TimeUnit, zone: Option<&str>) -> Self {
        Self::of(DataType::Timestamp(unit, zone.map(str::to_owned)))
    }

    /// A column of lengths of time.
    #[must_use]
    pub fn duration(unit: TimeUnit) -> Self {
        Self::of(DataType::Duration(unit))
    }
}

/// Builds a column of decimals of up to 38 digits from integers: push `1234` for `12.34` at scale 2.
pub type Decimal128Builder = FixedBuilder<i128>;

impl FixedBuilder<i128> {
    /// A column of decimals.
    ///
    /// # Panics
    /// When `precision` is not 1 to 38, or `scale` is larger than it.
    #[must_use]
    pub fn decimal(precision: u8, scale: i8) -> Self {
        let fits = (1..=38).contains(&precision) && i16::from(scale) <= i16::from(precision);
        assert!(fits, "Decimal128({precision}, {scale}): precision is 1 to 38, scale at most that");
        Self::of(DataType::Decimal128(precision, scale))
    }
}

/// Builds a column of decimals of up to 76 digits from integers.
#[derive(Debug, Clone)]
pub struct Decimal256Builder {
    precision: u8,
    scale: i8,
    values: Buffer,
    validity: Validity,
}

impl Decimal256Builder {
    /// A column of decimals.
    ///
    /// # Panics
    /// When `precision` is not 1 to 76, or `scale` is larger than it.
    #[must_use]
    pub fn new(precision: u8, scale: i8) -> Self {
        let fits = (1..=76).contains(&precision) && i16::from(scale) <= i16::from(precision);
        assert!(fits, "Decimal256({precision}, {scale}): precision is 1 to 76, scale at most that");
        Self { precision, scale, values: Buffer::new(), validity: Validity::default() }
    }

    /// One row with this value, as the integer `value × 10^scale`.
    pub fn push(&mut self, value: impl Into<Int256>) {
        self.values.push(value.into().to_halves());
        self.validity.push_valid();
    }

    /// One row, with or without a value.
    pub fn push_option(&mut self, value: Option<impl Into<Int256>>) {
        match value {
            Some(value) => self.push(value),
            None => self.push_null(),
        }
    }
}

impl Builder for Decimal256Builder {
    fn data_type(&self) -> DataType {
        DataType::Decimal256(self.precision, self.scale)
    }

    fn len(&self) -> usize {
        self.values.count::<[u128; 2]>()
    }

    fn push_null(&mut self) {
        self.validity.push_null(self.len());
        self.values.push(Int256::default().to_halves());
    }

    fn finish(self) -> Array {
        fixed_array(self.data_type(), self.len(), self.values, self.validity)
    }
}

/// Builds a column of type Float16 from `f32`, rounded to the nearest.
#[derive(Debug, Clone, Default)]
pub struct Float16Builder {
    values: Buffer,
    validity: Validity,
}

impl Float16Builder {
    /// An empty column of type Float16.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// One row with this value.
    pub fn push(&mut self, value: f32) {
        self.values.push(float16::from_f32(value));
        self.validity.push_valid();
    }

    /// One row, with or without a value.
    pub fn push_option(&mut self, value: Option<f32>) {
        match value {
            Some(value) => self.push(value),
            None => self.push_null(),
        }
    }
}

impl Builder for Float16Builder {
    fn data_type(&self) -> DataType {
        DataType::Float16
    }

    fn len(&self) -> usize {
        self.values.count::<u16>()
    }

    fn push_null(&mut self) {
        self.validity.push_null(self.len());
        self.values.push(0_u16);
    }

    fn finish(self) -> Array {
        fixed_array(DataType::Float16, self.len(), self.values, self.validity)
    }
}

/// Builds a column of type Boolean.
#[derive(Debug, Clone, Default)]
pub struct BooleanBuilder {
    values: BitsBuilder,
    validity: Validity,
}

impl BooleanBuilder {
    /// An empty column of type Boolean.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// One row with this value.
    #[inline]
    pub fn push(&mut self, value: bool) {
        self.values.push(value);
        self.validity.push_valid();
    }

    /// One row, with or without a value.
    pub fn push_option(&mut self, value: Option<bool>) {
        match value {
            Some(value) => self.push(value),
            None => self.push_null(),
        }
    }
}

impl Builder for BooleanBuilder {
    fn data_type(&self) -> DataType {
        DataType::Boolean
    }

    fn len(&self) -> usize {
        self.values.len()
    }

    fn push_null(&mut self) {
        self.validity.push_null(self.values.len());
        self.values.push(false);
    }

    fn finish(self) -> Array {
        let data = ArrayData::of(self.values.len(), self.validity);
        Array::new(DataType::Boolean, ArrayData { values: self.values.into_buffer(), ..data })
    }
}
