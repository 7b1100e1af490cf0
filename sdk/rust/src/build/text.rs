//! Builders of text and bytes.

use std::sync::Arc;

use arrow_array::{ArrayRef, FixedSizeBinaryArray, GenericBinaryArray, GenericStringArray, OffsetSizeTrait};
use arrow_buffer::{Buffer, OffsetBuffer, ScalarBuffer};

use super::{Builder, Validity};
use crate::arrow::buffers;
use crate::{Array, DataType};

/// Where each value ends, in values of any width.
#[derive(Debug, Clone, Default)]
struct Blobs {
    data: Vec<u8>,
    ends: Vec<usize>,
    validity: Validity,
}

impl Blobs {
    #[inline]
    fn push(&mut self, value: &[u8]) {
        self.data.extend_from_slice(value);
        self.ends.push(self.data.len());
        self.validity.push_valid();
    }

    fn push_null(&mut self) {
        self.validity.push_null(self.ends.len());
        self.ends.push(self.data.len());
    }

    /// The offsets in 32 or 64 bits.
    ///
    /// # Panics
    /// When the values do not fit 32-bit offsets, which is more than a component's memory holds twice.
    fn offsets<O: OffsetSizeTrait>(&self) -> OffsetBuffer<O> {
        let ends = self.ends.iter().map(|end| O::from_usize(*end).expect("at most 2 GiB of values in a column"));
        let offsets: Vec<O> = std::iter::once(O::usize_as(0)).chain(ends).collect();
        OffsetBuffer::new(ScalarBuffer::from(offsets))
    }

    fn into_text<O: OffsetSizeTrait>(self) -> ArrayRef {
        let offsets = self.offsets::<O>();
        let nulls = buffers::null_buffer(self.validity.into_bits());
        Arc::new(GenericStringArray::<O>::new(offsets, Buffer::from_vec(self.data), nulls))
    }

    fn into_binary<O: OffsetSizeTrait>(self) -> ArrayRef {
        let offsets = self.offsets::<O>();
        let nulls = buffers::null_buffer(self.validity.into_bits());
        Arc::new(GenericBinaryArray::<O>::new(offsets, Buffer::from_vec(self.data), nulls))
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
        Self { data_type: DataType::Utf8, blobs: Blobs::default() }
    }

    /// An empty column of type LargeUtf8.
    #[must_use]
    pub fn large() -> Self {
        Self { data_type: DataType::LargeUtf8, blobs: Blobs::default() }
    }

    /// One row with this text.
    #[inline]
    pub fn push(&mut self, value: &str) {
        self.blobs.push(value.as_bytes());
    }

    /// One row, with or without a text.
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
        self.blobs.ends.len()
    }

    fn push_null(&mut self) {
        self.blobs.push_null();
    }

    fn finish(self) -> Array {
        let inner = match self.data_type {
            DataType::LargeUtf8 => self.blobs.into_text::<i64>(),
            _ => self.blobs.into_text::<i32>(),
        };
        Array::new(self.data_type, inner)
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
        Self { data_type, blobs: Blobs::default() }
    }

    /// One row with these bytes.
    ///
    /// # Panics
    /// When the column has a fixed width and `value` another length.
    pub fn push(&mut self, value: &[u8]) {
        if let DataType::FixedSizeBinary(width) = self.data_type {
            assert_eq!(value.len(), width as usize, "bytes for a column of {}", self.data_type);
        }
        self.blobs.push(value);
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
        self.blobs.ends.len()
    }

    fn push_null(&mut self) {
        if let DataType::FixedSizeBinary(width) = self.data_type {
            self.blobs.data.resize(self.blobs.data.len() + width as usize, 0);
        }
        self.blobs.push_null();
    }

    fn finish(self) -> Array {
        let inner = match self.data_type {
            DataType::LargeBinary => self.blobs.into_binary::<i64>(),
            DataType::FixedSizeBinary(width) => {
                let nulls = buffers::null_buffer(self.blobs.validity.into_bits());
                Arc::new(FixedSizeBinaryArray::new(width, Buffer::from_vec(self.blobs.data), nulls))
            }
            _ => self.blobs.into_binary::<i32>(),
        };
        Array::new(self.data_type, inner)
    }
}
