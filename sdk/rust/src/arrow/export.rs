//! A column as an array of arrow-rs.

use std::sync::Arc;

use arrow_array::types::{
    ArrowPrimitiveType, BinaryType, ByteArrayType, Int32Type, LargeBinaryType, LargeUtf8Type, Utf8Type,
};
use arrow_array::{
    ArrayRef, BooleanArray, DictionaryArray, FixedSizeBinaryArray, FixedSizeListArray, GenericByteArray,
    GenericListArray, MapArray, NullArray, OffsetSizeTrait, PrimitiveArray, StructArray, downcast_primitive,
};
use arrow_buffer::{BooleanBuffer, Buffer, NullBuffer, OffsetBuffer, ScalarBuffer};
use arrow_schema::{ArrowError, DataType as ArrowType, FieldRef};

use crate::bits::Bits;
use crate::column::Column;
use crate::offsets::Offsets;

impl Column<'_> {
    /// The column as an array of arrow-rs, with a copy of the values.
    ///
    /// # Errors
    /// When the column is broken, see [`Batch::to_arrow`](crate::Batch::to_arrow), or of a type without a view.
    pub fn to_arrow(&self) -> Result<ArrayRef, ArrowError> {
        let data_type = self.data_type().to_arrow()?;
        let (start, len) = self.range();
        let nulls = self.nulls().map(|valid| NullBuffer::new(bits(valid)));
        macro_rules! primitive {
            ($native:ty) => {
                Ok(Arc::new(self.primitives::<$native>(nulls)?.with_data_type(data_type)))
            };
        }
        downcast_primitive! {
            data_type => (primitive),
            ArrowType::Null => Ok(Arc::new(NullArray::new(len))),
            ArrowType::Boolean => {
                let values = bits(Bits::new(self.store().values(), start, len));
                Ok(Arc::new(BooleanArray::new(values, nulls)))
            }
            ArrowType::Utf8 => self.blobs::<Utf8Type>(nulls),
            ArrowType::LargeUtf8 => self.blobs::<LargeUtf8Type>(nulls),
            ArrowType::Binary => self.blobs::<BinaryType>(nulls),
            ArrowType::LargeBinary => self.blobs::<LargeBinaryType>(nulls),
            ArrowType::FixedSizeBinary(width) => {
                let values = Buffer::from(self.value_bytes(usize::try_from(width).unwrap_or_default()));
                Ok(Arc::new(FixedSizeBinaryArray::try_new(width, values, nulls)?))
            }
            ArrowType::List(item) => self.lists::<i32>(item, nulls),
            ArrowType::LargeList(item) => self.lists::<i64>(item, nulls),
            ArrowType::FixedSizeList(item, size) => {
                let items = usize::try_from(size).unwrap_or_default();
                let values = self.inner(0, start * items, len * items)?;
                Ok(Arc::new(FixedSizeListArray::try_new_with_length(item, size, values, nulls, len)?))
            }
            ArrowType::Struct(fields) => {
                let columns = (0..fields.len()).map(|index| self.inner(index, start, len)).collect::<Result<_, _>>()?;
                Ok(Arc::new(StructArray::try_new_with_length(fields, columns, nulls, len)?))
            }
            ArrowType::Map(entry, sorted) => {
                let (offsets, first, items) = self.ends::<i32>()?;
                let entries = self.inner(0, first, items)?;
                let entries = arrow_array::cast::as_struct_array(&entries).clone();
                Ok(Arc::new(MapArray::try_new(entry, offsets, entries, nulls, sorted)?))
            }
            ArrowType::Dictionary(_, _) => {
                let broken = |error: crate::ColumnError| ArrowError::InvalidArgumentError(error.to_string());
                let values = self.as_dictionary().map_err(broken)?.values().to_arrow()?;
                Ok(Arc::new(DictionaryArray::try_new(self.primitives::<Int32Type>(nulls)?, values)?))
            }
            other => Err(ArrowError::NotYetImplemented(format!("columns of type {other}"))),
        }
    }

    fn primitives<T: ArrowPrimitiveType>(&self, nulls: Option<NullBuffer>) -> Result<PrimitiveArray<T>, ArrowError> {
        let values = Buffer::from(self.value_bytes(size_of::<T::Native>()));
        PrimitiveArray::try_new(ScalarBuffer::new(values, 0, self.len()), nulls)
    }

    fn blobs<T: ByteArrayType>(&self, nulls: Option<NullBuffer>) -> Result<ArrayRef, ArrowError> {
        let (offsets, first, bytes) = self.ends::<T::Offset>()?;
        let data = self.store().data().get(first..first + bytes).unwrap_or_default();
        Ok(Arc::new(GenericByteArray::<T>::try_new(offsets, Buffer::from(data), nulls)?))
    }

    fn lists<O: OffsetSizeTrait>(&self, item: FieldRef, nulls: Option<NullBuffer>) -> Result<ArrayRef, ArrowError> {
        let (offsets, first, items) = self.ends::<O>()?;
        Ok(Arc::new(GenericListArray::<O>::try_new(item, offsets, self.inner(0, first, items)?, nulls)?))
    }

    /// So many values of a child.
    fn inner(&self, index: usize, start: usize, len: usize) -> Result<ArrayRef, ArrowError> {
        let child = self.child(index).ok_or_else(|| self.broken("it lacks a child"))?;
        if start + len > child.len() {
            return Err(self.broken("a child is too short"));
        }
        child.slice(start, len).to_arrow()
    }

    /// Offsets from 0 on; where the values begin, and how many there are.
    fn ends<O: OffsetSizeTrait>(&self) -> Result<(OffsetBuffer<O>, usize, usize), ArrowError> {
        let wide = |offsets: Offsets<'_>| -> Vec<i64> {
            match offsets {
                Offsets::Small(offsets) => offsets.iter().map(|offset| (*offset).into()).collect(),
                Offsets::Large(offsets) => offsets.to_vec(),
            }
        };
        let ends = wide(self.offsets());
        let Some(first) = ends.first().copied() else { return Ok((OffsetBuffer::new_empty(), 0, 0)) };
        // arrow-rs panics at what descends.
        if first < 0 || !ends.is_sorted() {
            return Err(self.broken("its offsets descend"));
        }
        let moved = ends.iter().map(|end| O::from_usize((end - first) as usize));
        let moved = moved.collect::<Option<Vec<O>>>().ok_or_else(|| self.broken("its offsets are too large"))?;
        let values = moved.last().copied().unwrap_or_default().as_usize();
        Ok((OffsetBuffer::new(moved.into()), first as usize, values))
    }

    fn broken(&self, found: &'static str) -> ArrowError {
        let error = crate::ColumnError::Broken { column: self.name().to_owned(), found };
        ArrowError::InvalidArgumentError(error.to_string())
    }
}

fn bits(bits: Bits<'_>) -> BooleanBuffer {
    let mut bytes = vec![0; bits.len().div_ceil(8)];
    bits.copy_to(&mut bytes);
    BooleanBuffer::new(bytes.into(), 0, bits.len())
}
