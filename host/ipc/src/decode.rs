//! Columns out of a message that the scan has passed.
//!
//! Arrays are made by Arrow's own safe constructors, which validate the values: null counts, offsets, UTF-8, nullability.
//! What those constructors assert instead of returning it as an error is checked here or by the scan first. Nothing is
//! copied but what lies where its type cannot, and nothing is allocated but the arrays themselves.

use std::sync::Arc;

use arrow::array::types::{BinaryType, ByteArrayType, LargeBinaryType, LargeUtf8Type, Utf8Type};
use arrow::array::{
    ArrayRef, ArrowPrimitiveType, BooleanArray, FixedSizeBinaryArray, FixedSizeListArray, GenericByteArray,
    GenericListArray, MapArray, NullArray, OffsetSizeTrait, PrimitiveArray, StructArray, downcast_primitive,
};
use arrow::buffer::{BooleanBuffer, Buffer, NullBuffer, OffsetBuffer, ScalarBuffer};
use arrow::datatypes::{ArrowNativeType, DataType, Field, FieldRef, Fields, Schema};
use arrow::ipc::{self, FieldNode, RecordBatch};

use crate::cursor::{self, Cursor, Node, bytes_of, offsets_of};
use crate::scan::width_bytes;
use crate::{Error, Result};

/// The strictest alignment that Arrow asks of any type: that of an i128. Some of its kernels read intervals as i128,
/// which the type itself would not need.
const VALUE_ALIGNMENT_MAX: usize = 16;

/// The columns of `schema`; the body of `message` begins at `body_offset`.
pub(crate) fn columns(
    header: &RecordBatch<'_>,
    schema: &Schema,
    message: &Buffer,
    body_offset: usize,
) -> Result<Vec<ArrayRef>> {
    let cursor = cursor::over(header, message.len().saturating_sub(body_offset));
    let mut decoder = Decoder { cursor, message, body_offset };
    schema.fields().iter().map(|field| decoder.column(field)).collect()
}

struct Decoder<'m, N, B> {
    cursor: Cursor<N, B>,
    message: &'m Buffer,
    body_offset: usize,
}

impl<'a, N, B> Decoder<'_, N, B>
where
    N: Iterator<Item = &'a FieldNode>,
    B: Iterator<Item = &'a ipc::Buffer>,
{
    fn column(&mut self, field: &Field) -> Result<ArrayRef> {
        let name = field.name();
        let node = self.cursor.node(name, None)?;
        macro_rules! primitive {
            ($type:ty) => {
                self.primitive::<$type>(field, node)
            };
        }
        downcast_primitive! {
            field.data_type() => (primitive),
            DataType::Null => Ok(Arc::new(NullArray::new(node.length))),
            DataType::Boolean => {
                let nulls = self.nulls(name, node)?;
                let values = self.bits(name, "values", node.length)?;
                Ok(Arc::new(BooleanArray::new(values, nulls)))
            }
            DataType::Utf8 => self.bytes::<Utf8Type>(name, node),
            DataType::LargeUtf8 => self.bytes::<LargeUtf8Type>(name, node),
            DataType::Binary => self.bytes::<BinaryType>(name, node),
            DataType::LargeBinary => self.bytes::<LargeBinaryType>(name, node),
            DataType::FixedSizeBinary(size) => {
                let nulls = self.nulls(name, node)?;
                let width = width_bytes(field.data_type()).unwrap_or_default();
                let values = self.exact(name, "values", bytes_of(name, node.length, width)?, 1)?;
                Ok(Arc::new(FixedSizeBinaryArray::try_new(*size, values, nulls)?))
            }
            DataType::List(item) => self.list::<i32>(name, node, item),
            DataType::LargeList(item) => self.list::<i64>(name, node, item),
            DataType::FixedSizeList(item, size) => {
                let nulls = self.nulls(name, node)?;
                let values = self.child(name, item)?;
                let item = Arc::clone(item);
                Ok(Arc::new(FixedSizeListArray::try_new_with_length(item, *size, values, nulls, node.length)?))
            }
            DataType::Struct(fields) => Ok(Arc::new(self.structs(name, node, fields)?)),
            DataType::Map(entries, sorted) => self.map(name, node, entries, *sorted),
            other => Err(Error::layout(name, format!("type {other} has no wire form"))),
        }
    }

    fn child(&mut self, parent: &str, field: &Field) -> Result<ArrayRef> {
        self.column(field).map_err(|error| error.within(parent))
    }

    fn primitive<T: ArrowPrimitiveType>(&mut self, field: &Field, node: Node) -> Result<ArrayRef> {
        let nulls = self.nulls(field.name(), node)?;
        let values = self.scalars::<T::Native>(field.name(), "values", node.length)?;
        let array = PrimitiveArray::<T>::try_new(values, nulls)?;
        // The type that the macro chose differs by precision, scale or zone at most.
        Ok(Arc::new(array.with_data_type(field.data_type().clone())))
    }

    fn bytes<T: ByteArrayType>(&mut self, name: &str, node: Node) -> Result<ArrayRef> {
        let nulls = self.nulls(name, node)?;
        let offsets = self.offsets::<T::Offset>(name, node)?;
        let span = self.cursor.buffer(name, "values", 0)?;
        let end = end_of(&offsets);
        if end > span.length {
            return Err(Error::layout(name, format!("an offset of {end} into {} bytes of values", span.length)));
        }
        // What lies behind the last value is nobody's: it need not even be text.
        let values = self.message.slice_with_length(self.body_offset + span.offset, end);
        Ok(Arc::new(GenericByteArray::<T>::try_new(offsets, values, nulls)?))
    }

    fn list<O: OffsetSizeTrait>(&mut self, name: &str, node: Node, item: &FieldRef) -> Result<ArrayRef> {
        let nulls = self.nulls(name, node)?;
        let offsets = self.offsets::<O>(name, node)?;
        let values = self.child(name, item)?;
        Ok(Arc::new(GenericListArray::<O>::try_new(Arc::clone(item), offsets, values, nulls)?))
    }

    fn map(&mut self, name: &str, node: Node, entries: &FieldRef, sorted: bool) -> Result<ArrayRef> {
        let nulls = self.nulls(name, node)?;
        let offsets = self.offsets::<i32>(name, node)?;
        let DataType::Struct(pair) = entries.data_type() else {
            return Err(Error::layout(name, "a map whose entries are no structs has no wire form"));
        };
        let node = self.cursor.node(entries.name(), None)?;
        let values = self.structs(entries.name(), node, pair).map_err(|error| error.within(name))?;
        Ok(Arc::new(MapArray::try_new(Arc::clone(entries), offsets, values, nulls, sorted)?))
    }

    fn structs(&mut self, name: &str, node: Node, fields: &Fields) -> Result<StructArray> {
        let nulls = self.nulls(name, node)?;
        let children = fields.iter().map(|child| self.child(name, child)).collect::<Result<_>>()?;
        Ok(StructArray::try_new_with_length(fields.clone(), children, nulls, node.length)?)
    }

    /// The validity of a column, where it has nulls. Without any the bitmap may be missing, and is not looked at.
    fn nulls(&mut self, name: &str, node: Node) -> Result<Option<NullBuffer>> {
        if node.nulls == 0 {
            self.cursor.buffer(name, "validity", 0)?;
            return Ok(None);
        }
        let nulls = NullBuffer::new(self.bits(name, "validity", node.length)?);
        if nulls.null_count() != node.nulls {
            let (claimed, found) = (node.nulls, nulls.null_count());
            return Err(Error::layout(name, format!("it claims {claimed} nulls, and its validity marks {found}")));
        }
        Ok(Some(nulls))
    }

    /// Offsets that begin at 0 or later and never fall. Arrow asserts that, so it is looked at first.
    fn offsets<O: OffsetSizeTrait>(&mut self, name: &str, node: Node) -> Result<OffsetBuffer<O>> {
        let offsets = self.scalars::<O>(name, "offsets", offsets_of(node.length))?;
        let Some(first) = offsets.first() else { return Ok(OffsetBuffer::new_empty()) };
        // No early exit: the compiler makes vectors of it.
        let falls = offsets.iter().zip(&offsets[1..]).fold(false, |falls, (a, b)| falls | (a > b));
        if falls || *first < O::default() {
            return Err(Error::layout(name, "its offsets are negative, or one is less than that before it"));
        }
        Ok(OffsetBuffer::new(offsets))
    }

    fn bits(&mut self, name: &str, what: &str, count: usize) -> Result<BooleanBuffer> {
        Ok(BooleanBuffer::new(self.exact(name, what, count.div_ceil(8), 1)?, 0, count))
    }

    fn scalars<T: ArrowNativeType>(&mut self, name: &str, what: &str, count: usize) -> Result<ScalarBuffer<T>> {
        let alignment = size_of::<T>().min(VALUE_ALIGNMENT_MAX);
        Ok(ScalarBuffer::from(self.exact(name, what, bytes_of(name, count, size_of::<T>())?, alignment)?))
    }

    /// The first `bytes` of the next buffer, at an address that is a multiple of `alignment`.
    fn exact(&mut self, name: &str, what: &str, bytes: usize, alignment: usize) -> Result<Buffer> {
        let span = self.cursor.buffer(name, what, bytes)?;
        let slice = self.message.slice_with_length(self.body_offset + span.offset, bytes);
        if slice.as_ptr().align_offset(alignment) == 0 {
            return Ok(slice);
        }
        Ok(Buffer::from_slice_ref(&*slice))
    }
}

/// Where the last value ends. Offsets are not negative.
fn end_of<O: OffsetSizeTrait>(offsets: &OffsetBuffer<O>) -> usize {
    offsets.last().map_or(0, |end| end.as_usize())
}
