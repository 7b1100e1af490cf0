//! The columns of one batch as the body of a message: nodes, buffers, and where their bytes are.

use arrow::array::{Array, ArrayRef, AsArray, OffsetSizeTrait};
use arrow::buffer::{BooleanBuffer, Buffer, NullBuffer, OffsetBuffer};
use arrow::datatypes::DataType;
use arrow::downcast_primitive_array;

use crate::{Error, Result};

/// Every buffer of a body begins at a multiple of this many bytes.
const ALIGNMENT_BYTES: usize = 64;

/// Elements and nulls of one column or child.
#[derive(Debug, Clone, Copy)]
pub(super) struct Node {
    pub(super) length: usize,
    pub(super) nulls: usize,
}

/// One buffer within the body.
#[derive(Debug)]
pub(super) struct BodyBuffer {
    pub(super) offset: usize,
    pub(super) length: usize,
    bytes: Bytes,
}

#[derive(Debug)]
enum Bytes {
    /// Nothing to copy.
    None,
    /// As they are in the batch.
    Of(Buffer),
    /// From here on in the scratch memory.
    Scratch(usize),
}

/// The body of one message.
#[derive(Debug, Default)]
pub(super) struct Columns {
    nodes: Vec<Node>,
    buffers: Vec<BodyBuffer>,
    /// What had to be written anew: offsets and bits of slices.
    scratch: Vec<u8>,
    size_bytes: usize,
}

impl Columns {
    pub(super) fn clear(&mut self) {
        self.nodes.clear();
        self.buffers.clear();
        self.scratch.clear();
        self.size_bytes = 0;
    }

    pub(super) fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    pub(super) fn buffers(&self) -> &[BodyBuffer] {
        &self.buffers
    }

    /// Bytes of the body, a multiple of 64.
    pub(super) fn size_bytes(&self) -> usize {
        self.size_bytes
    }

    /// Writes all buffers, and zeros between them.
    pub(super) fn write_to(&self, mut body: &mut [u8]) {
        for buffer in &self.buffers {
            let (bytes, rest) = body.split_at_mut(buffer.length);
            match &buffer.bytes {
                Bytes::None => {}
                Bytes::Of(source) => bytes.copy_from_slice(source),
                Bytes::Scratch(start) => bytes.copy_from_slice(&self.scratch[*start..*start + buffer.length]),
            }
            let (padding, rest) = rest.split_at_mut(padded(buffer.length) - buffer.length);
            padding.fill(0);
            body = rest;
        }
        assert!(body.is_empty(), "{} bytes beyond the body", body.len());
    }

    /// Adds one column or child.
    pub(super) fn append(&mut self, array: &dyn Array) -> Result<()> {
        match array.data_type() {
            DataType::Null => self.nodes.push(Node { length: array.len(), nulls: array.len() }),
            DataType::Boolean => {
                self.node(array);
                self.bits(array.as_boolean().values());
            }
            DataType::Utf8 => {
                self.variable(array, array.as_string::<i32>().offsets(), array.as_string::<i32>().values())
            }
            DataType::LargeUtf8 => {
                self.variable(array, array.as_string::<i64>().offsets(), array.as_string::<i64>().values());
            }
            DataType::Binary => {
                self.variable(array, array.as_binary::<i32>().offsets(), array.as_binary::<i32>().values());
            }
            DataType::LargeBinary => {
                self.variable(array, array.as_binary::<i64>().offsets(), array.as_binary::<i64>().values());
            }
            DataType::FixedSizeBinary(_) => {
                self.node(array);
                let values = array.as_fixed_size_binary();
                let width = usize::try_from(values.value_length()).unwrap_or_default();
                // The array's own slice of its values, from its first element on.
                let bytes = values.values().slice_with_length(0, width * values.len());
                self.bytes(bytes);
            }
            DataType::List(_) => self.list(array, array.as_list::<i32>().offsets(), array.as_list::<i32>().values())?,
            DataType::LargeList(_) => {
                self.list(array, array.as_list::<i64>().offsets(), array.as_list::<i64>().values())?;
            }
            DataType::Map(..) => {
                let map = array.as_map();
                let (first, length) = self.list_offsets(array, map.offsets());
                self.append(&map.entries().slice(first, length))?;
            }
            DataType::FixedSizeList(..) => {
                self.node(array);
                let list = array.as_fixed_size_list();
                let items = list.len() * usize::try_from(list.value_length()).unwrap_or_default();
                self.items(list.values(), 0, items)?;
            }
            DataType::Struct(_) => {
                self.node(array);
                for child in array.as_struct().columns() {
                    self.append(child.as_ref())?;
                }
            }
            _ => return self.primitive(array),
        }
        Ok(())
    }

    fn primitive(&mut self, array: &dyn Array) -> Result<()> {
        self.node(array);
        let values = downcast_primitive_array!(
            array => array.values().inner().clone(),
            other => return Err(Error::Unsupported(format!("type {other} has no wire form")))
        );
        self.bytes(values);
        Ok(())
    }

    /// The node and the validity of an array.
    fn node(&mut self, array: &dyn Array) {
        let nulls = array.null_count();
        self.nodes.push(Node { length: array.len(), nulls });
        match array.nulls().map(NullBuffer::inner).filter(|_| nulls > 0) {
            Some(bits) => self.bits(bits),
            None => self.push(0, Bytes::None),
        }
    }

    fn variable<O: OffsetSizeTrait>(&mut self, array: &dyn Array, offsets: &OffsetBuffer<O>, values: &Buffer) {
        self.node(array);
        let (first, length) = self.offsets(offsets);
        self.bytes(values.slice_with_length(first, length));
    }

    fn list<O: OffsetSizeTrait>(
        &mut self,
        array: &dyn Array,
        offsets: &OffsetBuffer<O>,
        items: &ArrayRef,
    ) -> Result<()> {
        let (first, length) = self.list_offsets(array, offsets);
        self.items(items, first, length)
    }

    /// Those items of a list that its offsets reach.
    fn items(&mut self, items: &ArrayRef, first: usize, length: usize) -> Result<()> {
        if length == items.len() {
            return self.append(items.as_ref());
        }
        self.append(items.slice(first, length).as_ref())
    }

    fn list_offsets<O: OffsetSizeTrait>(&mut self, array: &dyn Array, offsets: &OffsetBuffer<O>) -> (usize, usize) {
        self.node(array);
        self.offsets(offsets)
    }

    /// Offsets, which begin at 0 where they arrive; gives where the first element lies and how many there are.
    fn offsets<O: OffsetSizeTrait>(&mut self, offsets: &OffsetBuffer<O>) -> (usize, usize) {
        let (first, last) = (offsets[0].as_usize(), offsets[offsets.len() - 1].as_usize());
        if first == 0 {
            self.bytes(offsets.inner().inner().clone());
        } else {
            let start = self.scratch.len();
            let base = offsets[0];
            for offset in offsets.iter() {
                // An i32 or i64 either way: the width is that of the type.
                let moved = (*offset - base).as_usize() as u64;
                self.scratch.extend_from_slice(&moved.to_le_bytes()[..size_of::<O>()]);
            }
            self.push(size_of_val::<[O]>(offsets), Bytes::Scratch(start));
        }
        (first, last - first)
    }

    fn bits(&mut self, bits: &BooleanBuffer) {
        let length = bits.len().div_ceil(8);
        if bits.offset().is_multiple_of(8) {
            self.bytes(bits.inner().slice_with_length(bits.offset() / 8, length));
            return;
        }
        let start = self.scratch.len();
        let chunks = bits.bit_chunks();
        for chunk in chunks.iter_padded() {
            self.scratch.extend_from_slice(&chunk.to_le_bytes());
        }
        self.push(length, Bytes::Scratch(start));
    }

    fn bytes(&mut self, bytes: Buffer) {
        self.push(bytes.len(), Bytes::Of(bytes));
    }

    fn push(&mut self, length: usize, bytes: Bytes) {
        self.buffers.push(BodyBuffer { offset: self.size_bytes, length, bytes });
        self.size_bytes += padded(length);
    }
}

fn padded(length: usize) -> usize {
    length.next_multiple_of(ALIGNMENT_BYTES)
}
