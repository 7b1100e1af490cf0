//! Builders of text and bytes.

use super::{Builder, Validity};
use crate::array::ArrayData;
use crate::buffer::Buffer;
use crate::column::Fixed;
use crate::offsets::Offset;
use crate::{Array, DataType};

/// Values one behind the other, and where each ends.
#[derive(Debug, Clone)]
struct Blobs {
    data: Buffer,
    /// Offsets as the column has them: the first is 0.
    offsets: Buffer,
    /// Whether offsets have 64 bits.
    large: bool,
    rows: usize,
    validity: Validity,
}

impl Blobs {
    fn new(large: bool) -> Self {
        Self { data: Buffer::new(), offsets: Buffer::new(), large, rows: 0, validity: Validity::default() }
    }

    #[inline]
    fn push(&mut self, value: &[u8]) {
        self.data.extend(value);
        self.validity.push_valid();
        self.end_row();
    }

    /// # Panics
    /// When lengths do not add up to the bytes.
    fn extend(&mut self, bytes: &[u8], lengths: impl Iterator<Item = usize>) {
        let end = self.data.len() + bytes.len();
        self.data.extend(bytes);
        let mut at = end - bytes.len();
        for length in lengths {
            at += length;
            self.validity.push_valid();
            self.end_row_at(at);
        }
        assert_eq!(at, end, "where the last value ends");
    }

    fn push_null(&mut self) {
        self.validity.push_null(self.rows);
        self.end_row();
    }

    /// # Panics
    /// When the values do not fit 32-bit offsets, which is more than a component's memory holds twice.
    #[inline]
    fn end_row(&mut self) {
        self.end_row_at(self.data.len());
    }

    #[inline]
    fn end_row_at(&mut self, end: usize) {
        if self.rows == 0 {
            self.begin();
        }
        self.rows += 1;
        if self.large {
            self.offsets.push(i64::from_usize(end));
        } else {
            self.offsets.push(i32::from_usize(end));
        }
    }

    fn begin(&mut self) {
        if self.large { self.offsets.push(0_i64) } else { self.offsets.push(0_i32) }
    }

    fn into_data(self) -> ArrayData {
        ArrayData { values: self.offsets, data: self.data, ..ArrayData::of(self.rows, self.validity) }
    }
}

/// Builds a column of text, Utf8 or LargeUtf8.
#[derive(Debug, Clone)]
pub struct StringBuilder {
    data_type: DataType,
    blobs: Blobs,
}

impl Default for StringBuilder {
    fn default() -> Self {
        Self::new()
    }
}

impl StringBuilder {
    /// An empty column of type Utf8.
    #[must_use]
    pub fn new() -> Self {
        Self { data_type: DataType::Utf8, blobs: Blobs::new(false) }
    }

    /// An empty column of type LargeUtf8.
    #[must_use]
    pub fn large() -> Self {
        Self { data_type: DataType::LargeUtf8, blobs: Blobs::new(true) }
    }

    /// One row with this text.
    #[inline]
    pub fn push(&mut self, value: &str) {
        self.blobs.push(value.as_bytes());
    }

    /// One row, with or without a text.
    #[inline]
    pub fn push_option(&mut self, value: Option<&str>) {
        match value {
            Some(value) => self.push(value),
            None => self.push_null(),
        }
    }
}

impl Builder for StringBuilder {
    fn data_type(&self) -> DataType {
        self.data_type.clone()
    }

    fn len(&self) -> usize {
        self.blobs.rows
    }

    fn push_null(&mut self) {
        self.blobs.push_null();
    }

    fn finish(self) -> Array {
        Array::new(self.data_type, self.blobs.into_data())
    }
}

/// Builds a column of bytes, Binary, LargeBinary or FixedSizeBinary.
#[derive(Debug, Clone)]
pub struct BinaryBuilder {
    data_type: DataType,
    blobs: Blobs,
}

impl Default for BinaryBuilder {
    fn default() -> Self {
        Self::new()
    }
}

impl BinaryBuilder {
    /// An empty column of type Binary.
    #[must_use]
    pub fn new() -> Self {
        Self::of(DataType::Binary)
    }

    /// An empty column of type LargeBinary.
    #[must_use]
    pub fn large() -> Self {
        Self::of(DataType::LargeBinary)
    }

    /// An empty column of type FixedSizeBinary, with `width` bytes per row.
    ///
    /// # Panics
    /// When `width` is not positive.
    #[must_use]
    pub fn fixed(width: i32) -> Self {
        assert!(width > 0, "a FixedSizeBinary has 1 byte or more per row, not {width}");
        Self::of(DataType::FixedSizeBinary(width))
    }

    fn of(data_type: DataType) -> Self {
        Self { blobs: Blobs::new(data_type == DataType::LargeBinary), data_type }
    }

    /// One row with these bytes.
    ///
    /// # Panics
    /// When the column has a fixed width and `value` another length.
    #[inline]
    pub fn push(&mut self, value: &[u8]) {
        if let DataType::FixedSizeBinary(width) = self.data_type {
            assert_eq!(value.len(), width as usize, "bytes for a column of {}", self.data_type);
        }
        self.blobs.push(value);
    }

    /// Rows that are made of numbers, little-endian, which lie one behind the other: each row of so many of them.
    ///
    /// # Panics
    /// When the column has a fixed width, or `counts` do not add up to the numbers.
    #[inline]
    pub fn extend<T: Fixed>(&mut self, numbers: &[T], counts: impl IntoIterator<Item = usize>) {
        let is_fixed = matches!(self.data_type, DataType::FixedSizeBinary(_));
        assert!(!is_fixed, "values of a fixed width are pushed one by one");
        let lengths = counts.into_iter().map(|count| count * size_of::<T>());
        self.blobs.extend(bytemuck::cast_slice(numbers), lengths);
    }

    /// One row, with or without a value.
    pub fn push_option(&mut self, value: Option<&[u8]>) {
        match value {
            Some(value) => self.push(value),
            None => self.push_null(),
        }
    }
}

impl Builder for BinaryBuilder {
    fn data_type(&self) -> DataType {
        self.data_type.clone()
    }

    fn len(&self) -> usize {
        self.blobs.rows
    }

    fn push_null(&mut self) {
        if let DataType::FixedSizeBinary(width) = self.data_type {
            self.blobs.data.extend_filled(width as usize, 0);
        }
        self.blobs.push_null();
    }

    fn finish(self) -> Array {
        let mut data = self.blobs.into_data();
        if matches!(self.data_type, DataType::FixedSizeBinary(_)) {
            // Values of a fixed width need no offsets.
            data.values = std::mem::take(&mut data.data);
        }
        Array::new(self.data_type, data)
    }
}
