//! The hash of keys, whole columns at a time.

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::datatypes::DataType;
use xxhash_rust::xxh3::xxh3_64;

use super::check_type;
use super::number::hash_tagged;
use super::walk::{KeyVisitor, TEXT_HEAD_BYTES, dictionary_places, text_head, walk};
use crate::{Error, Result};

/// What a null gives to a key.
const NULL: [u8; 1] = [0];

/// Texts and keys of several columns are laid side by side for so many rows at a time, which stay in the first-level cache.
const ROWS_AT_ONCE: usize = 512;

/// More than this is not laid side by side at once while there are several rows: of a dictionary's few long texts the
/// keys could otherwise be many times what the batch takes.
const BYTES_AT_ONCE_MAX: usize = 1 << 20;

/// Hashes keys: the columns of `key_by`, row by row.
///
/// The hash is XXH3-64 of the normalised key. Equal keys have equal hashes whatever the representation: −0.0 and 0.0, all
/// NaNs, a text in `Utf8`, `LargeUtf8`, `Utf8View` or a dictionary of them, bytes in any of the binary types. A null is a
/// key of its own. Bytes and hash are **frozen with the checkpoint format**, down to the bit and on every machine; they are
/// written down at the top of `src/keys/mod.rs` and held by `tests/golden/key_hash.txt`.
///
/// [`KeyGroup::of_hash`](crate::KeyGroup::of_hash) makes a key group of a hash.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyHasher {
    types: Vec<DataType>,
}

impl KeyHasher {
    /// A hasher for keys of columns of these types, in this order.
    ///
    /// # Errors
    /// When there is no column, or when one cannot be a key: lists, structs, maps, unions and run-end encoded columns.
    pub fn new(types: &[DataType]) -> Result<Self> {
        if types.is_empty() {
            return Err(Error::config("a key needs at least one column: name the columns in `key_by`"));
        }
        types.iter().try_for_each(check_type)?;
        Ok(Self { types: types.to_vec() })
    }

    /// Fills `hashes` with the hash of each row's key. What stood there before is gone; its memory is used again.
    ///
    /// # Panics
    /// When the columns are not of the types that the hasher was made for, or differ in length.
    pub fn hash_into(&self, columns: &[ArrayRef], hashes: &mut Vec<u64>) {
        assert!(
            columns.iter().map(|column| column.data_type()).eq(&self.types),
            "keys of the columns {:?} and not of {:?}",
            self.types,
            columns.iter().map(|column| column.data_type()).collect::<Vec<_>>()
        );
        let rows = columns[0].len();
        assert!(columns.iter().all(|column| column.len() == rows), "the columns of a key are of one length");
        hashes.clear();
        hashes.resize(rows, 0);
        match columns {
            [column] => hash_column(column, hashes),
            _ => hash_rows(columns, hashes),
        }
    }
}

/// Hashes of keys of one column.
fn hash_column(column: &ArrayRef, hashes: &mut [u64]) {
    match column.data_type() {
        // Each value of the dictionary is hashed once. Where a few rows were cut out of a batch with a large dictionary,
        // it is cheaper to go by the rows.
        DataType::Dictionary(_, _) if column.as_any_dictionary().values().len() <= column.len() => {
            let values = column.as_any_dictionary().values();
            let mut value_hashes = vec![0; values.len()];
            hash_column(values, &mut value_hashes);
            let null = xxh3_64(&NULL);
            for (hash, place) in hashes.iter_mut().zip(dictionary_places(column)) {
                *hash = place.map_or(null, |place| value_hashes[place]);
            }
        }
        flat if flat.is_primitive() || matches!(flat, DataType::Boolean | DataType::Null) => {
            walk(column, &mut HashNumbers(hashes));
        }
        _ => hash_rows(std::slice::from_ref(column), hashes),
    }
}

/// Hashes numbers that are the whole key, without laying them out.
struct HashNumbers<'a>(&'a mut [u64]);

impl KeyVisitor for HashNumbers<'_> {
    #[inline]
    fn null(&mut self, row: usize) {
        self.0[row] = xxh3_64(&NULL);
    }

    #[inline(always)]
    fn fixed(&mut self, row: usize, tagged: impl AsRef<[u8]>) {
        self.0[row] = hash_tagged(tagged.as_ref());
    }

    fn text(&mut self, row: usize, _: &[u8]) {
        unreachable!("row {row} of a column of numbers is a text");
    }
}

/// Hashes of texts and of keys of several columns, some rows at a time.
///
/// What a key is made of is written for all of these rows before the first is hashed: read at once, bytes that several
/// stores have just made up would have to be waited for.
fn hash_rows(columns: &[ArrayRef], hashes: &mut [u64]) {
    let mut layout = Layout::default();
    let mut start = 0;
    for hashes in hashes.chunks_mut(ROWS_AT_ONCE) {
        let columns: Vec<_> = columns.iter().map(|column| column.slice(start, hashes.len())).collect();
        layout.hash_rows(&columns, hashes);
        start += hashes.len();
    }
}

/// Keys laid side by side, a row behind the other. Its memory is used again.
#[derive(Default)]
struct Layout {
    bytes: Vec<u8>,
    /// Where each row's next column goes.
    ends: Vec<usize>,
}

impl Layout {
    fn hash_rows(&mut self, columns: &[ArrayRef], hashes: &mut [u64]) {
        self.ends.clear();
        self.ends.resize(hashes.len(), 0);
        columns.iter().for_each(|column| walk(column, &mut Measure(&mut self.ends)));
        let total: usize = self.ends.iter().sum();
        if total > BYTES_AT_ONCE_MAX && hashes.len() > 1 {
            return self.hash_halves(columns, hashes);
        }
        let mut start = 0;
        for end in &mut self.ends {
            let length = std::mem::replace(end, start);
            start += length;
        }
        if self.bytes.len() < total {
            self.bytes.resize(total, 0);
        }
        columns.iter().for_each(|column| walk(column, &mut Write { bytes: &mut self.bytes, ends: &mut self.ends }));
        let mut start = 0;
        for (hash, end) in hashes.iter_mut().zip(&self.ends) {
            *hash = xxh3_64(&self.bytes[start..*end]);
            start = *end;
        }
    }

    fn hash_halves(&mut self, columns: &[ArrayRef], hashes: &mut [u64]) {
        let (first, second) = hashes.split_at_mut(hashes.len() / 2);
        let part = |start: usize, length: usize| -> Vec<_> {
            columns.iter().map(|column| column.slice(start, length)).collect()
        };
        self.hash_rows(&part(0, first.len()), first);
        self.hash_rows(&part(first.len(), second.len()), second);
    }
}

/// Adds up how long each row's key becomes.
struct Measure<'a>(&'a mut [usize]);

impl KeyVisitor for Measure<'_> {
    #[inline]
    fn null(&mut self, row: usize) {
        self.0[row] += NULL.len();
    }

    #[inline]
    fn fixed(&mut self, row: usize, tagged: impl AsRef<[u8]>) {
        self.0[row] += tagged.as_ref().len();
    }

    #[inline]
    fn text(&mut self, row: usize, text: &[u8]) {
        self.0[row] += TEXT_HEAD_BYTES + text.len();
    }
}

/// Writes each row's next column behind those that it has.
struct Write<'a> {
    bytes: &'a mut [u8],
    ends: &'a mut [usize],
}

impl Write<'_> {
    #[inline]
    fn put(&mut self, row: usize, part: &[u8]) {
        let start = self.ends[row];
        let end = start + part.len();
        self.bytes[start..end].copy_from_slice(part);
        self.ends[row] = end;
    }
}

impl KeyVisitor for Write<'_> {
    #[inline]
    fn null(&mut self, row: usize) {
        self.put(row, &NULL);
    }

    #[inline]
    fn fixed(&mut self, row: usize, tagged: impl AsRef<[u8]>) {
        self.put(row, tagged.as_ref());
    }

    #[inline]
    fn text(&mut self, row: usize, text: &[u8]) {
        self.put(row, &text_head(text));
        self.put(row, text);
    }
}
