//! Writes the RecordBatch message of an output: numbers into the copied header, columns one behind the other.

use bytemuck::Pod;

use super::{ALIGNMENT_BYTES, PAIR_BYTES, Template};
use crate::bits::Bits;
use crate::buffer::Buffer;
use crate::column::Column;
use crate::layout::{Layout, Place, children};
use crate::offsets::{Offset, Offsets};

/// The message of one batch under construction.
pub(crate) struct Message<'a> {
    out: &'a mut Buffer,
    template: &'a Template,
    next: Place,
}

impl<'a> Message<'a> {
    /// Begins a message in `out`, whose former bytes go.
    pub(crate) fn begin(out: &'a mut Buffer, template: &'a Template, rows: usize) -> Self {
        out.clear();
        out.extend(&template.bytes);
        let mut message = Self { out, template, next: Place::default() };
        message.patch(template.rows_at, rows);
        message
    }

    /// The whole message. All nodes and buffers of the template were written.
    pub(crate) fn finish(mut self) {
        assert!(self.next == self.template.end, "every column is written once");
        let body_bytes = self.out.len() - self.template.bytes.len();
        self.patch(self.template.body_length_at, body_bytes);
    }

    fn patch(&mut self, at: usize, value: usize) {
        self.out.bytes_mut()[at..at + 8].copy_from_slice(&(value as u64).to_le_bytes());
    }

    /// The next column, or child of one, has so many values.
    pub(crate) fn node(&mut self, len: usize, nulls: usize) {
        let at = self.template.nodes_at + self.next.node * PAIR_BYTES;
        self.patch(at, len);
        self.patch(at + 8, nulls);
        self.next.node += 1;
    }

    /// The next buffer has so many bytes, which mean nothing yet; gives its place in the message.
    pub(crate) fn reserve(&mut self, bytes: usize) -> usize {
        let start = self.out.len();
        let padded = bytes.next_multiple_of(ALIGNMENT_BYTES);
        // Padding is zeros, so that the same batch is the same message.
        self.out.extend_any(padded)[bytes..].fill(0);
        self.register(start, bytes);
        start
    }

    fn register(&mut self, start: usize, bytes: usize) {
        let at = self.template.buffers_at + self.next.buffer * PAIR_BYTES;
        self.patch(at, start - self.template.bytes.len());
        self.patch(at + 8, bytes);
        self.next.buffer += 1;
    }

    /// The next buffer, with these bytes.
    pub(crate) fn buffer(&mut self, bytes: &[u8]) {
        let start = self.reserve(bytes.len());
        self.out.bytes_mut()[start..start + bytes.len()].copy_from_slice(bytes);
    }

    /// The next buffer, with so many values to be filled in.
    pub(crate) fn values<T: Pod>(&mut self, count: usize) -> &mut [T] {
        let start = self.reserve(count * size_of::<T>());
        &mut self.out.values_from_mut(start)[..count]
    }

    /// The next two buffers, offsets and bytes, to be filled in.
    pub(crate) fn variable(&mut self, offsets: usize, bytes: usize) -> (&mut [i32], &mut [u8]) {
        let offsets_at = self.reserve(offsets * size_of::<i32>());
        let bytes_at = self.reserve(bytes);
        let (head, tail) = self.out.bytes_mut().split_at_mut(bytes_at);
        (&mut bytemuck::cast_slice_mut(&mut head[offsets_at..])[..offsets], &mut tail[..bytes])
    }

    /// The next buffer, with these bits from its first bit on.
    pub(crate) fn bits(&mut self, bits: Bits<'_>) {
        let start = self.reserve(bits.len().div_ceil(8));
        bits.copy_to(&mut self.out.bytes_mut()[start..]);
    }

    /// A column with all that is inside it; a dictionary as its values.
    pub(crate) fn column(&mut self, column: Column<'_>) {
        let layout = Layout::of(column.data_type());
        if layout == Layout::Dictionary {
            return self.unpacked(column);
        }
        let nulls = column.null_count();
        let (start, len) = column.range();
        self.node(len, nulls);
        if layout == Layout::Null {
            return;
        }
        self.validity(column, nulls);
        match layout {
            Layout::Null | Layout::Dictionary | Layout::Unknown => {}
            Layout::Bits => self.bits(Bits::new(column.store().values(), start, len)),
            Layout::Fixed(width) => self.buffer(&column.store().values()[start * width..][..len * width]),
            Layout::Variable(_) => {
                let (first, last) = self.offsets(column);
                self.buffer(&column.store().data()[first..last]);
            }
            Layout::List(_) => {
                let (first, last) = self.offsets(column);
                self.inner(column, first, last - first);
            }
            Layout::FixedList(size) => self.inner(column, start * size, len * size),
            Layout::Struct => self.inner(column, start, len),
        }
    }

    fn validity(&mut self, column: Column<'_>, nulls: usize) {
        match column.nulls() {
            Some(bits) if nulls > 0 => self.bits(bits),
            _ => self.buffer(&[]),
        }
    }

    /// The same rows of all children.
    fn inner(&mut self, column: Column<'_>, start: usize, len: usize) {
        for index in 0..children(column.data_type()).len() {
            if let Some(child) = column.child(index) {
                self.column(child.slice(start, len));
            }
        }
    }

    /// The offsets of a column, moved so that they begin with 0; gives where they began and where they end.
    fn offsets(&mut self, column: Column<'_>) -> (usize, usize) {
        match column.offsets() {
            Offsets::Small(offsets) => self.moved(offsets),
            Offsets::Large(offsets) => self.moved(offsets),
        }
    }

    fn moved<O: Offset>(&mut self, offsets: &[O]) -> (usize, usize) {
        let (Some(first), Some(last)) = (offsets.first(), offsets.last()) else {
            self.values::<O>(1).fill(O::default());
            return (0, 0);
        };
        if *first == O::default() {
            self.buffer(bytemuck::cast_slice(offsets));
        } else {
            let moved = self.values::<O>(offsets.len());
            moved.iter_mut().zip(offsets).for_each(|(moved, offset)| *moved = *offset - *first);
        }
        (first.as_usize(), last.as_usize())
    }

    /// A column of texts instead of the keys to them. [`DictionaryBuilder`](crate::build::DictionaryBuilder) is the only
    /// way to make a dictionary, so keys and values are known.
    fn unpacked(&mut self, column: Column<'_>) {
        let Ok(dictionary) = column.as_dictionary() else { unreachable!("the layout is that of a dictionary") };
        let Ok(texts) = dictionary.values().as_str() else { unreachable!("dictionaries are built of texts") };
        let nulls = column.null_count();
        let text = |row: usize| dictionary.keys().get(row).and_then(|key| texts.get(key as usize)).unwrap_or_default();
        self.node(column.len(), nulls);
        self.validity(column, nulls);
        let bytes: usize = (0..column.len()).map(|row| text(row).len()).sum();
        let (offsets, data) = self.variable(column.len() + 1, bytes);
        let mut end = 0;
        offsets[0] = 0;
        for row in 0..column.len() {
            let text = text(row).as_bytes();
            data[end..end + text.len()].copy_from_slice(text);
            end += text.len();
            offsets[row + 1] = i32::from_usize(end);
        }
    }
}
