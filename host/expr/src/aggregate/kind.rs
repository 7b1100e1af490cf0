//! Kinds of values that accumulators keep one by one: how they are read, ordered, hashed, and made columns again.
//!
//! Few kinds serve many types: what is stored as a 64-bit number is one kind, be it a timestamp or an integer.

use std::marker::PhantomData;

use arrow::array::{
    Array, ArrayAccessor, ArrayData, ArrayRef, AsArray, BinaryArray, BinaryBuilder, BinaryViewArray, BinaryViewBuilder,
    BooleanArray, LargeBinaryArray, LargeBinaryBuilder, make_array,
};
use arrow::buffer::{BooleanBuffer, Buffer, NullBuffer, ScalarBuffer};
use arrow::compute;
use arrow::datatypes::DataType;
use arrow::error::ArrowError;
use xxhash_rust::xxh3::xxh3_64;

use super::order::Plain;

/// Values of one kind.
pub(super) trait Kind: Send + 'static {
    /// A column of them, ready to be read by row.
    type Column;
    /// One of them, as it stands in a column.
    type Value<'a>: Copy;
    /// One of them, kept.
    type Kept: Clone + Default + Send;

    /// Makes a column ready to be read.
    fn open(column: &ArrayRef) -> Result<Self::Column, ArrowError>;

    /// The value of a row; anything where the row is null.
    fn value(column: &Self::Column, row: usize) -> Self::Value<'_>;

    /// Keeps a value in place of another.
    fn keep(kept: &mut Self::Kept, value: Self::Value<'_>);

    /// A kept value, to be looked at.
    fn kept(kept: &Self::Kept) -> Self::Value<'_>;

    /// Whether `a` is less than `b`. A total order: NaN is greater than every number, and −0.0 less than 0.0.
    fn precedes(a: Self::Value<'_>, b: Self::Value<'_>) -> bool;

    /// Whether two values count as one: every NaN with every other, and −0.0 with 0.0.
    fn same(a: Self::Value<'_>, b: Self::Value<'_>) -> bool;

    /// A hash that is the same for what is [`Kind::same`]. Frozen: sketches of it are stored.
    fn hash(value: Self::Value<'_>) -> u64;

    /// The bytes on the heap behind a kept value.
    fn heap_bytes(kept: &Self::Kept) -> usize;

    /// Makes a column of kept values.
    fn column<'a>(
        kept: impl ExactSizeIterator<Item = &'a Self::Kept>,
        nulls: Option<NullBuffer>,
        data_type: &DataType,
    ) -> Result<ArrayRef, ArrowError>;
}

/// Numbers, and what is stored as a number.
pub(super) struct Fixed<N>(PhantomData<N>);

impl<N: Plain> Kind for Fixed<N> {
    type Column = ScalarBuffer<N>;
    type Value<'a> = N;
    type Kept = N;

    fn open(column: &ArrayRef) -> Result<ScalarBuffer<N>, ArrowError> {
        let data = column.to_data();
        match data.buffers() {
            [values] if column.data_type().primitive_width() == Some(N::get_byte_width()) => {
                Ok(ScalarBuffer::new(values.clone(), data.offset(), data.len()))
            }
            _ => Err(ArrowError::SchemaError(format!("{} is not stored as such a number", column.data_type()))),
        }
    }

    fn value(column: &ScalarBuffer<N>, row: usize) -> N {
        column[row]
    }

    fn keep(kept: &mut N, value: N) {
        *kept = value;
    }

    fn kept(kept: &N) -> N {
        *kept
    }

    fn precedes(a: N, b: N) -> bool {
        a.precedes(b)
    }

    fn same(a: N, b: N) -> bool {
        a.same(b)
    }

    fn hash(value: N) -> u64 {
        value.hash()
    }

    fn heap_bytes(_kept: &N) -> usize {
        0
    }

    fn column<'a>(
        kept: impl ExactSizeIterator<Item = &'a N>,
        nulls: Option<NullBuffer>,
        data_type: &DataType,
    ) -> Result<ArrayRef, ArrowError> {
        let values: Vec<N> = kept.copied().collect();
        let data = ArrayData::builder(data_type.clone()).len(values.len()).nulls(nulls);
        Ok(make_array(data.add_buffer(Buffer::from_vec(values)).build()?))
    }
}

/// True and false.
pub(super) struct Flags;

impl Kind for Flags {
    type Column = BooleanBuffer;
    type Value<'a> = bool;
    type Kept = bool;

    fn open(column: &ArrayRef) -> Result<BooleanBuffer, ArrowError> {
        let flags =
            column.as_boolean_opt().ok_or_else(|| ArrowError::SchemaError("not a column of booleans".into()))?;
        Ok(flags.values().clone())
    }

    fn value(column: &BooleanBuffer, row: usize) -> bool {
        column.value(row)
    }

    fn keep(kept: &mut bool, value: bool) {
        *kept = value;
    }

    fn kept(kept: &bool) -> bool {
        *kept
    }

    fn precedes(a: bool, b: bool) -> bool {
        !a & b
    }

    fn same(a: bool, b: bool) -> bool {
        a == b
    }

    fn hash(value: bool) -> u64 {
        xxh3_64(&[value.into()])
    }

    fn heap_bytes(_kept: &bool) -> usize {
        0
    }

    fn column<'a>(
        kept: impl ExactSizeIterator<Item = &'a bool>,
        nulls: Option<NullBuffer>,
        _data_type: &DataType,
    ) -> Result<ArrayRef, ArrowError> {
        Ok(std::sync::Arc::new(BooleanArray::new(kept.copied().collect::<Vec<bool>>().into(), nulls)))
    }
}

/// Texts and binary values, read as columns of `A`, to which all of them can be cast without copying.
pub(super) struct Bytes<A>(PhantomData<A>);

impl<A: ByteColumn> Kind for Bytes<A> {
    type Column = A;
    type Value<'a> = &'a [u8];
    type Kept = Vec<u8>;

    fn open(column: &ArrayRef) -> Result<A, ArrowError> {
        let bytes = compute::cast(column, &A::DATA_TYPE)?;
        let bytes = bytes.as_any().downcast_ref::<A>().cloned();
        bytes.ok_or_else(|| ArrowError::SchemaError(format!("{} is not binary", column.data_type())))
    }

    fn value(column: &A, row: usize) -> &[u8] {
        column.bytes(row)
    }

    fn keep(kept: &mut Vec<u8>, value: &[u8]) {
        kept.clear();
        kept.extend_from_slice(value);
    }

    fn kept(kept: &Vec<u8>) -> &[u8] {
        kept
    }

    // UTF-8 sorts as its bytes do.
    fn precedes(a: &[u8], b: &[u8]) -> bool {
        a < b
    }

    fn same(a: &[u8], b: &[u8]) -> bool {
        a == b
    }

    fn hash(value: &[u8]) -> u64 {
        xxh3_64(value)
    }

    fn heap_bytes(kept: &Vec<u8>) -> usize {
        kept.capacity()
    }

    fn column<'a>(
        kept: impl ExactSizeIterator<Item = &'a Vec<u8>>,
        nulls: Option<NullBuffer>,
        data_type: &DataType,
    ) -> Result<ArrayRef, ArrowError> {
        let values = kept.enumerate().map(|(row, value)| match &nulls {
            Some(nulls) if nulls.is_null(row) => None,
            _ => Some(value.as_slice()),
        });
        let bytes = A::of(values)?;
        if bytes.data_type() == data_type { Ok(bytes) } else { compute::cast(&bytes, data_type) }
    }
}

/// A column of binary values.
pub(super) trait ByteColumn: Array + Clone + Send + 'static {
    const DATA_TYPE: DataType;

    fn bytes(&self, row: usize) -> &[u8];

    /// A column of those values, or an error where they are too many bytes for one.
    fn of<'a>(values: impl Iterator<Item = Option<&'a [u8]>>) -> Result<ArrayRef, ArrowError>;
}

macro_rules! byte_column {
    ($array:ty, $builder:ty, $data_type:expr, $bytes_max:expr) => {
        impl ByteColumn for $array {
            const DATA_TYPE: DataType = $data_type;

            fn bytes(&self, row: usize) -> &[u8] {
                ArrayAccessor::value(&self, row)
            }

            fn of<'a>(values: impl Iterator<Item = Option<&'a [u8]>>) -> Result<ArrayRef, ArrowError> {
                let mut builder = <$builder>::new();
                let mut bytes = 0_u64;
                for value in values {
                    // The builder itself would panic.
                    bytes += value.map_or(0, <[u8]>::len) as u64;
                    if bytes > $bytes_max {
                        return Err(ArrowError::OffsetOverflowError(usize::try_from(bytes).unwrap_or(usize::MAX)));
                    }
                    builder.append_option(value);
                }
                Ok(std::sync::Arc::new(builder.finish()))
            }
        }
    };
}

byte_column!(BinaryArray, BinaryBuilder, DataType::Binary, i32::MAX as u64);
byte_column!(LargeBinaryArray, LargeBinaryBuilder, DataType::LargeBinary, i64::MAX as u64);
byte_column!(BinaryViewArray, BinaryViewBuilder, DataType::BinaryView, u64::MAX);
