//! As much of flatbuffers as two tables need: fields read with every access checked, tables written front to back.

/// A table. A field that is absent, or lies outside of the bytes, has its default.
#[derive(Clone, Copy)]
pub(super) struct Table<'a> {
    bytes: &'a [u8],
    start: usize,
    /// Where each field stands in the table, in two bytes each.
    fields: &'a [u8],
}

/// The little-endian number of so many bytes (1, 2, 4 or 8) `at` a place.
#[inline(never)]
fn number(bytes: &[u8], at: usize, width: usize) -> Option<u64> {
    let bytes = bytes.get(at..)?;
    // Without a loop: every batch has a dozen of them.
    Some(match width {
        1 => u64::from(*bytes.first()?),
        2 => u64::from(u16::from_le_bytes(*bytes.first_chunk()?)),
        4 => u64::from(u32::from_le_bytes(*bytes.first_chunk()?)),
        _ => u64::from_le_bytes(*bytes.first_chunk()?),
    })
}

/// Follows the offset that stands `at` a place.
fn follow(bytes: &[u8], at: usize) -> Option<usize> {
    at.checked_add(number(bytes, at, 4)? as usize)
}

impl<'a> Table<'a> {
    /// The table that the bytes begin with an offset to.
    pub(super) fn root(bytes: &'a [u8]) -> Option<Self> {
        Self::at(bytes, follow(bytes, 0)?)
    }

    fn at(bytes: &'a [u8], start: usize) -> Option<Self> {
        let back = number(bytes, start, 4)? as u32 as i32;
        let vtable = usize::try_from(i64::try_from(start).ok()? - i64::from(back)).ok()?;
        let length = number(bytes, vtable, 2)? as usize;
        let fields = bytes.get(vtable.checked_add(4)?..vtable.checked_add(length)?)?;
        Some(Self { bytes, start, fields })
    }

    /// Where the field stands, if it is there.
    fn place(&self, field: usize) -> Option<usize> {
        match number(self.fields, field * 2, 2)? {
            0 => None,
            offset => self.start.checked_add(offset as usize),
        }
    }

    #[inline(never)]
    fn scalar(&self, field: usize, width: usize, default: u64) -> u64 {
        self.place(field).and_then(|place| number(self.bytes, place, width)).unwrap_or(default)
    }

    pub(super) fn u8(&self, field: usize, default: u8) -> u8 {
        self.scalar(field, 1, default.into()) as u8
    }

    pub(super) fn bool(&self, field: usize) -> bool {
        self.u8(field, 0) != 0
    }

    pub(super) fn i16(&self, field: usize, default: i16) -> i16 {
        self.scalar(field, 2, default as u64) as i16
    }

    pub(super) fn i32(&self, field: usize, default: i32) -> i32 {
        self.scalar(field, 4, default as u64) as i32
    }

    pub(super) fn i64(&self, field: usize, default: i64) -> i64 {
        self.scalar(field, 8, default as u64) as i64
    }

    pub(super) fn table(&self, field: usize) -> Option<Self> {
        Self::at(self.bytes, follow(self.bytes, self.place(field)?)?)
    }

    /// The elements of a vector whose elements have this many bytes.
    pub(super) fn vector(&self, field: usize, element_bytes: usize) -> Option<&'a [u8]> {
        let start = follow(self.bytes, self.place(field)?)?;
        let count = number(self.bytes, start, 4)? as usize;
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
        let mut tables = Vec::with_capacity(count);
        for index in 0..count {
            tables.push(Self::at(self.bytes, follow(self.bytes, first + index * 4)?)?);
        }
        Some(tables)
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
        self.zeros(self.bytes.len().next_multiple_of(alignment) - self.bytes.len());
    }

    fn zeros(&mut self, count: usize) {
        for _ in 0..count {
            self.bytes.push(0);
        }
    }

    /// Points the offset at `from` to a later place.
    fn link(&mut self, from: usize, to: usize) {
        // A schema is far below 4 GiB, and its tables and vectors are too.
        self.put(from, ((to - from) as u32).to_le_bytes());
    }

    /// Writes a table and links it; gives the place of each field.
    pub(super) fn table<const N: usize>(&mut self, from: usize, fields: [Slot; N]) -> [usize; N] {
        const { assert!(N <= FIELDS_MAX) };
        let mut places = [0; N];
        self.write_table(from, &fields, &mut places);
        places
    }

    fn write_table(&mut self, from: usize, fields: &[Slot], places: &mut [usize]) {
        self.pad(2);
        let vtable = self.bytes.len();
        let vtable_bytes = 4 + 2 * fields.len();
        self.zeros(vtable_bytes);
        self.pad(8);
        let start = self.bytes.len();
        self.scalar((start - vtable) as u64, 4);
        for (index, (field, place)) in fields.iter().zip(places).enumerate() {
            *place = match *field {
                Slot::Absent => continue,
                Slot::U8(value) => self.scalar(u64::from(value), 1),
                Slot::I16(value) => self.scalar(value as u64, 2),
                Slot::I32(value) => self.scalar(value as u64, 4),
                Slot::I64(value) => self.scalar(value as u64, 8),
                Slot::Link => self.scalar(0, 4),
            };
            self.u16(vtable + 4 + 2 * index, *place - start);
        }
        self.u16(vtable, vtable_bytes);
        self.u16(vtable + 2, self.bytes.len() - start);
        self.link(from, start);
    }

    /// The low bytes of a number, aligned; gives their place.
    fn scalar(&mut self, value: u64, bytes: usize) -> usize {
        self.pad(bytes);
        let place = self.bytes.len();
        for byte in 0..bytes {
            self.bytes.push((value >> (8 * byte)) as u8);
        }
        place
    }

    fn u16(&mut self, at: usize, value: usize) {
        // A table has some dozens of bytes.
        self.put(at, (value as u16).to_le_bytes());
    }

    fn put<const N: usize>(&mut self, at: usize, bytes: [u8; N]) {
        self.bytes[at..][..N].copy_from_slice(&bytes);
    }

    /// Writes a vector of `count` elements of zeros and links it; gives the place of the first.
    pub(super) fn vector(&mut self, from: usize, count: usize, element_bytes: usize, alignment: usize) -> usize {
        // The elements are aligned, and the count stands right before them.
        let first = (self.bytes.len() + 4).next_multiple_of(alignment.max(4));
        self.zeros(first - 4 - self.bytes.len());
        self.scalar(count as u64, 4);
        self.zeros(count * element_bytes);
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
        let metadata_bytes = (total - super::PREFIX_BYTES) as u32;
        let mut message = vec![0; total];
        message[..4].copy_from_slice(&super::CONTINUATION);
        message[4..super::PREFIX_BYTES].copy_from_slice(&metadata_bytes.to_le_bytes());
        message[super::PREFIX_BYTES..][..self.bytes.len()].copy_from_slice(&self.bytes);
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
