//! An array of arrow-rs as a column.

use arrow_array::cast::AsArray as _;
use arrow_array::types::{BinaryType, ByteArrayType, LargeBinaryType, LargeUtf8Type, Utf8Type};
use arrow_array::{
    Array as ArrowArray, BinaryArray, GenericListArray, OffsetSizeTrait, PrimitiveArray, StringArray,
    downcast_primitive, new_null_array,
};
use arrow_buffer::{ArrowNativeType as _, BooleanBuffer, ToByteSlice as _};
use arrow_schema::{ArrowError, DataType as ArrowType};

use crate::array::ArrayData;
use crate::bits::Bits;
use crate::buffer::Buffer;
use crate::gather::gather;
use crate::{Array, DataType};

impl Array {
    /// An array of arrow-rs as a column, with a copy of its values.
    ///
    /// # Errors
    /// When it is of a type that this SDK has no view for.
    pub fn from_arrow(array: &dyn ArrowArray) -> Result<Self, ArrowError> {
        let data = of(array);
        macro_rules! primitive {
            ($native:ty) => {{
                let array: &PrimitiveArray<$native> = array.as_primitive();
                ArrayData { values: buffer(array.values().inner().as_slice()), ..data }
            }};
        }
        let data = downcast_primitive! {
            array.data_type() => (primitive),
            ArrowType::Null => data,
            ArrowType::Boolean => ArrayData { values: bits(array.as_boolean().values()), ..data },
            ArrowType::Utf8 => blobs::<Utf8Type>(array, data),
            ArrowType::LargeUtf8 => blobs::<LargeUtf8Type>(array, data),
            ArrowType::Binary => blobs::<BinaryType>(array, data),
            ArrowType::LargeBinary => blobs::<LargeBinaryType>(array, data),
            // Views are taken together first: two copies.
            ArrowType::Utf8View => {
                return Self::from_arrow(&array.as_string_view().iter().collect::<StringArray>());
            }
            ArrowType::BinaryView => {
                return Self::from_arrow(&array.as_binary_view().iter().collect::<BinaryArray>());
            }
            ArrowType::FixedSizeBinary(_) => {
                let array = array.as_fixed_size_binary();
                let bytes = array.len() * array.value_length().as_usize();
                ArrayData { values: buffer(array.value_data().get(..bytes).unwrap_or_default()), ..data }
            }
            ArrowType::List(_) => lists(array.as_list::<i32>(), data)?,
            ArrowType::LargeList(_) => lists(array.as_list::<i64>(), data)?,
            ArrowType::FixedSizeList(_, _) => {
                ArrayData { children: vec![Self::from_arrow(array.as_fixed_size_list().values())?], ..data }
            }
            ArrowType::Struct(_) => {
                let columns = array.as_struct().columns().iter().map(|column| Self::from_arrow(column));
                ArrayData { children: columns.collect::<Result<_, _>>()?, ..data }
            }
            ArrowType::Map(_, _) => {
                let map = array.as_map();
                let (offsets, first, entries) = ends(map.value_offsets());
                let entries = map.entries().slice(first, entries);
                ArrayData { values: offsets, children: vec![Self::from_arrow(&entries)?], ..data }
            }
            ArrowType::Dictionary(_, _) => return unpacked(array),
            _ => data,
        };
        match DataType::from_arrow(array.data_type()) {
            DataType::Other(name) => Err(ArrowError::NotYetImplemented(format!("columns of type {name}"))),
            data_type => Ok(Self::new(data_type, data)),
        }
    }
}

/// No values yet.
fn of(array: &dyn ArrowArray) -> ArrayData {
    let nulls = array.nulls().filter(|nulls| nulls.null_count() > 0);
    ArrayData {
        len: array.len(),
        null_count: nulls.map_or(0, |nulls| nulls.null_count()),
        validity: nulls.map(|nulls| bits(nulls.inner())).unwrap_or_default(),
        ..ArrayData::default()
    }
}

fn buffer(bytes: &[u8]) -> Buffer {
    let mut buffer = Buffer::new();
    buffer.extend(bytes);
    buffer
}

fn bits(bits: &BooleanBuffer) -> Buffer {
    let mut buffer = Buffer::new();
    let packed = buffer.extend_any(bits.len().div_ceil(8));
    Bits::new(bits.values(), bits.offset(), bits.len()).copy_to(packed);
    buffer
}

fn blobs<T: ByteArrayType>(array: &dyn ArrowArray, data: ArrayData) -> ArrayData {
    let array = array.as_bytes::<T>();
    let (offsets, first, bytes) = ends(array.value_offsets());
    ArrayData { values: offsets, data: buffer(&array.value_data()[first..first + bytes]), ..data }
}

fn lists<O: OffsetSizeTrait>(array: &GenericListArray<O>, data: ArrayData) -> Result<ArrayData, ArrowError> {
    let (offsets, first, items) = ends(array.value_offsets());
    let items = Array::from_arrow(&array.values().slice(first, items))?;
    Ok(ArrayData { values: offsets, children: vec![items], ..data })
}

/// Offsets from 0 on; where the values begin, and how many there are.
fn ends<O: OffsetSizeTrait>(offsets: &[O]) -> (Buffer, usize, usize) {
    let first = offsets.first().copied().unwrap_or_default();
    let last = offsets.last().copied().unwrap_or_default();
    let mut moved = Buffer::new();
    moved.reserve(size_of_val(offsets));
    for offset in offsets {
        let from_first = *offset - first;
        moved.extend(from_first.to_byte_slice());
    }
    (moved, first.as_usize(), (last - first).as_usize())
}

/// The values that the keys of a dictionary point to, one for each row.
fn unpacked(array: &dyn ArrowArray) -> Result<Array, ArrowError> {
    let dictionary = array.as_any_dictionary();
    let (keys, values) = (dictionary.keys(), dictionary.values());
    let none = Array::from_arrow(&new_null_array(values.data_type(), 1))?;
    let places = if values.is_empty() { vec![0; keys.len()] } else { dictionary.normalized_keys() };
    let place = |(row, place): (usize, usize)| if keys.is_null(row) { (1, 0) } else { (0, place) };
    let rows: Vec<(usize, usize)> = places.into_iter().enumerate().map(place).collect();
    let values = Array::from_arrow(values)?;
    Ok(gather(values.data_type(), &[values.column(""), none.column("")], &rows))
}
