//! Keys of several columns, or of one that is text: a table of the bytes that Arrow's row format makes of them.

use arrow::array::ArrayRef;
use arrow::datatypes::DataType;
use arrow::error::ArrowError;
use arrow::row::{RowConverter, SortField};
use hashbrown::HashTable;
use xxhash_rust::xxh3::xxh3_64;

use super::unpacked;

pub(crate) struct RowTable {
    converter: RowConverter,
    numbers: HashTable<Entry>,
    /// The bytes of all keys, one behind the other.
    bytes: Vec<u8>,
    /// Where the key of each number ends in `bytes`.
    ends: Vec<usize>,
}

#[derive(Clone, Copy)]
struct Entry {
    hash: u64,
    number: usize,
}

impl RowTable {
    pub(super) fn new(types: &[DataType]) -> Result<Self, ArrowError> {
        // Dictionaries are unpacked before they get here.
        let fields = types.iter().map(|data_type| SortField::new(unpacked(data_type).clone()));
        let converter = RowConverter::new(fields.collect())?;
        Ok(Self { converter, numbers: HashTable::new(), bytes: Vec::new(), ends: Vec::new() })
    }

    pub(super) fn intern(&mut self, columns: &[ArrayRef], numbers: &mut Vec<usize>) -> Result<(), ArrowError> {
        let rows = self.converter.convert_columns(columns)?;
        numbers.extend(rows.iter().map(|row| self.number(row.as_ref())));
        Ok(())
    }

    fn number(&mut self, key: &[u8]) -> usize {
        let Self { numbers, bytes, ends, .. } = self;
        let hash = xxh3_64(key);
        let is_same = |entry: &Entry| entry.hash == hash && *key == bytes[span(ends, entry.number)];
        if let Some(entry) = numbers.find(hash, is_same) {
            return entry.number;
        }
        let number = ends.len();
        bytes.extend_from_slice(key);
        ends.push(bytes.len());
        numbers.insert_unique(hash, Entry { hash, number }, |entry| entry.hash);
        number
    }

    pub(super) fn len(&self) -> usize {
        self.ends.len()
    }

    pub(super) fn columns(&self) -> Result<Vec<ArrayRef>, ArrowError> {
        let parser = self.converter.parser();
        self.converter.convert_rows((0..self.len()).map(|number| parser.parse(&self.bytes[span(&self.ends, number)])))
    }

    pub(super) fn memory_bytes(&self) -> usize {
        self.numbers.allocation_size() + self.bytes.capacity() + self.ends.capacity() * size_of::<usize>()
    }
}

/// Where the bytes of a key lie.
fn span(ends: &[usize], number: usize) -> std::ops::Range<usize> {
    let start = if number == 0 { 0 } else { ends[number - 1] };
    start..ends[number]
}
