//! As much of flatbuffers as two tables need: fields read with every access checked, tables written front to back.

/// A table. A field that is absent, or lies outside of the bytes, has its default.
#[derive(Clone, Copy)]
pub(super) struct Table<'a> {
    bytes: &'a [u8],
    start: usize,
    /// Where each field stands in the table, in two bytes each.
    fields: &'a [u8],
}

fn chunk<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..)?.first_chunk().copied()
}

/// Follows the offset that stands `at` a place.
fn follow(bytes: &[u8], at: usize) -> Option<usize> {
    at.checked_add(u32::from_le_bytes(chunk(bytes, at)?) as usize)
}

impl<'a> Table<'a> {
    /// The table that the bytes begin with an offset to.
    pub(super) fn root(bytes: &'a [u8]) -> Option<Self> {
        Self::at(bytes, follow(bytes, 0)?)
    }

    fn at(bytes: &'a [u8], start: usize) -> Option<Self> {
        let back = i32::from_le_bytes(chunk(bytes, start)?);
        let vtable = usize::try_from(i64::try_from(start).ok()? - i64::from(back)).ok()?;
        let length = usize::from(u16::from_le_bytes(chunk(bytes, vtable)?));
        let fields = bytes.get(vtable.checked_add(4)?..vtable.checked_add(length)?)?;
        Some(Self { bytes, start, fields })
    }

    /// Where the field stands, if it is there.
    fn place(&self, field: usize) -> Option<usize> {
        match u16::from_le_bytes(chunk(self.fields, field * 2)?) {
            0 => None,
            offset => self.start.checked_add(usize::from(offset)),
        }
    }

    fn scalar<const N: usize>(&self, field: usize) -> Option<[u8; N]> {
        chunk(self.bytes, self.place(field)?)
    }

    pub(super) fn u8(&self, field: usize, default: u8) -> u8 {
        self.scalar(field).map_or(default, u8::from_le_bytes)
    }

    pub(super) fn bool(&self, field: usize) -> bool {
        self.u8(field, 0) != 0
    }

    pub(super) fn i16(&self, field: usize, default: i16) -> i16 {
        self.scalar(field).map_or(default, i16::from_le_bytes)
    }

    pub(super) fn i32(&self, field: usize, default: i32) -> i32 {
        self.scalar(field).map_or(default, i32::from_le_bytes)
    }

    pub(super) fn i64(&self, field: usize, default: i64) -> i64 {
        self.scalar(field).map_or(default, i64::from_le_bytes)
    }

    pub(super) fn table(&self, field: usize) -> Option<Self> {
        Self::at(self.bytes, follow(self.bytes, self.place(field)?)?)
    }

    /// The elements of a vector whose elements have this many bytes.
    pub(super) fn vector(&self, field: usize, element_bytes: usize) -> Option<&'a [u8]> {
        let start = follow(self.bytes, self.place(field)?)?;
        let count = u32::from_le_bytes(chunk(self.bytes, start)?) as usize;
        self.bytes.get(start + 4..)?.get(..count.checked_mul(element_bytes)?)
    }

    pub(super) fn text(&self, field: usize) -> Option<&'a str> {
        std::str::from_utf8(self.vector(field, 1)?).ok()
    }

    /// The tables of a vector; `None` when one of them is broken.
    pub(super) fn tables(&self, field: usize) -> Option<Vec<Self>> {
        let Some(place) = self.place(field) else { return Some(Vec::new()) };
        let first = follow(self.bytes, place)? + 4;
        let count = self.vector(field, 4)?.len() / 4;
        (0..count).map(|index| Self::at(self.bytes, follow(self.bytes, first + index * 4)?)).collect()
    }
}

/// A field of a table that is written.
#[derive(Clone, Copy)]
pub(super) enum Slot {
    Absent,
    U8(u8),
    I16(i16),
    I32(i32),
    I64(i64),
    /// An offset, given later by [`Output::link`].
    Link,
}

/// Bytes of a flatbuffer, front to back: offsets point forward, so what is linked to is written later.
pub(super) struct Output {
    bytes: Vec<u8>,
}

/// At most this many fields has a table.
const FIELDS_MAX: usize = 8;

impl Output {
    /// With the offset to the root in front; link it first.
    pub(super) fn new() -> (Self, usize) {
        (Self { bytes: vec![0; 4] }, 0)
    }

    fn pad(&mut self, alignment: usize) {
        self.bytes.resize(self.bytes.len().next_multiple_of(alignment), 0);
    }

    /// Points the offset at `from` to a later place.
    fn link(&mut self, from: usize, to: usize) {
        let offset = u32::try_from(to - from).expect("schemas are far below 4 GiB");
        self.bytes[from..from + 4].copy_from_slice(&offset.to_le_bytes());
    }

    /// Writes a table and links it; gives the place of each field.
    pub(super) fn table<const N: usize>(&mut self, from: usize, fields: [Slot; N]) -> [usize; N] {
        const { assert!(N <= FIELDS_MAX) };
        self.pad(2);
        let vtable = self.bytes.len();
        self.bytes.resize(vtable + 4 + 2 * N, 0);
        self.pad(8);
        let start = self.bytes.len();
        self.bytes.extend(i32::try_from(start - vtable).expect("a vtable is short").to_le_bytes());
        let mut places = [0; N];
        for (index, field) in fields.into_iter().enumerate() {
            places[index] = match field {
                Slot::Absent => continue,
                Slot::U8(value) => self.scalar(value.to_le_bytes()),
                Slot::I16(value) => self.scalar(value.to_le_bytes()),
                Slot::I32(value) => self.scalar(value.to_le_bytes()),
                Slot::I64(value) => self.scalar(value.to_le_bytes()),
                Slot::Link => self.scalar([0; 4]),
            };
            self.u16(vtable + 4 + 2 * index, places[index] - start);
        }
        self.u16(vtable, 4 + 2 * N);
        self.u16(vtable + 2, self.bytes.len() - start);
        self.link(from, start);
        places
    }

    fn scalar<const N: usize>(&mut self, bytes: [u8; N]) -> usize {
        self.pad(N);
        self.bytes.extend(bytes);
        self.bytes.len() - N
    }

    fn u16(&mut self, at: usize, value: usize) {
        let value = u16::try_from(value).expect("a table is short");
        self.bytes[at..at + 2].copy_from_slice(&value.to_le_bytes());
    }

    /// Writes a vector of `count` elements of zeros and links it; gives the place of the first.
    pub(super) fn vector(&mut self, from: usize, count: usize, element_bytes: usize, alignment: usize) -> usize {
        // The elements are aligned, and the count stands right before them.
        let first = (self.bytes.len() + 4).next_multiple_of(alignment.max(4));
        self.bytes.resize(first - 4, 0);
        self.bytes.extend(u32::try_from(count).expect("vectors are short").to_le_bytes());
        self.bytes.resize(first + count * element_bytes, 0);
        self.link(from, first - 4);
        first
    }

    /// Writes a text and links it.
    pub(super) fn text(&mut self, from: usize, text: &str) {
        // One byte more: texts end with a zero that is not counted.
        let first = self.vector(from, text.len(), 1, 4);
        self.bytes[first..].copy_from_slice(text.as_bytes());
        self.bytes.push(0);
    }

    #[cfg(test)]
    pub(super) fn bytes(self) -> Vec<u8> {
        self.bytes
    }

    /// The encapsulated message: prefix, and metadata that ends where a body may begin.
    pub(super) fn into_message(self) -> Vec<u8> {
        let total = (super::PREFIX_BYTES + self.bytes.len()).next_multiple_of(super::ALIGNMENT_BYTES);
        let metadata_bytes = u32::try_from(total - super::PREFIX_BYTES).expect("schemas are far below 4 GiB");
        let mut message = Vec::with_capacity(total);
        message.extend(super::CONTINUATION);
        message.extend(metadata_bytes.to_le_bytes());
        message.extend(self.bytes);
        message.resize(total, 0);
        message
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let (mut output, root) = Output::new();
        let [_, _, number, text, list] =
            output.table(root, [Slot::U8(7), Slot::Absent, Slot::I64(-5), Slot::Link, Slot::Link]);
        assert_eq!(number % 8, 0);
        output.text(text, "schön");
        let first = output.vector(list, 2, 4, 4);
        output.table(first, [Slot::I16(1)]);
        output.table(first + 4, [Slot::I32(2)]);
        let bytes = output.bytes();
        let table = Table::root(&bytes).unwrap();
        assert_eq!((table.u8(0, 0), table.u8(1, 9), table.i64(2, 0)), (7, 9, -5));
        assert_eq!((table.text(3), table.i16(40, 3)), (Some("schön"), 3));
        let tables = table.tables(4).unwrap();
        assert_eq!((tables.len(), tables[0].i16(0, 0), tables[1].i32(0, 0)), (2, 1, 2));
    }

    #[test]
    fn broken_bytes_give_defaults() {
        let (mut output, root) = Output::new();
        let [text] = output.table(root, [Slot::Link]);
        output.text(text, "abc");
        let bytes = output.bytes();
        for end in 0..bytes.len() - 1 {
            assert!(Table::root(&bytes[..end]).is_none_or(|table| table.text(0).is_none()), "{end} bytes");
        }
    }
}
