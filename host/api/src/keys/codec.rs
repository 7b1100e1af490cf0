//! Columns as the bytes of keyed state, and back.

use super::{KeyHasher, normalize_keys};
use crate::{Error, KeyGroup, Result, StateKey};
use arrow::array::ArrayRef;
use arrow::datatypes::DataType;
use arrow::error::ArrowError;
use arrow::row::{RowConverter, Rows, SortField};

/// Rows of columns, each as bytes of Arrow's row format: what keyed state is made of.
#[derive(Debug)]
pub struct RowCodec(RowConverter);

impl RowCodec {
    /// For columns of these types.
    ///
    /// # Errors
    /// When a type has no row format.
    pub fn new<'a>(types: impl IntoIterator<Item = &'a DataType>) -> Result<Self> {
        let fields = types.into_iter().map(|data_type| SortField::new(data_type.clone())).collect();
        RowConverter::new(fields).map(Self).map_err(internal)
    }

    /// The bytes of each row.
    ///
    /// # Errors
    /// When the columns are not of the codec's types.
    pub fn encode(&self, columns: &[ArrayRef]) -> Result<Rows> {
        self.0.convert_columns(columns).map_err(internal)
    }

    /// The columns of rows that [`RowCodec::encode`] made bytes of.
    ///
    /// # Errors
    /// When the bytes are not of these types.
    ///
    /// # Panics
    /// When bytes that are of these types otherwise end too early.
    pub fn decode<'a>(&self, rows: impl IntoIterator<Item = &'a [u8]>) -> Result<Vec<ArrayRef>> {
        let parser = self.0.parser();
        self.0.convert_rows(rows.into_iter().map(|row| parser.parse(row))).map_err(internal)
    }
}

/// Keys as bytes, with the groups that they are dealt out by.
#[derive(Debug)]
pub struct KeyCodec {
    rows: RowCodec,
    hasher: KeyHasher,
}

impl KeyCodec {
    /// For keys of columns of these types; what dictionaries hold is what counts.
    ///
    /// # Errors
    /// When one of the types cannot be a key.
    pub fn new(types: &[DataType]) -> Result<Self> {
        let types: Vec<DataType> = types.iter().map(|data_type| unpacked(data_type).clone()).collect();
        Ok(Self { rows: RowCodec::new(&types)?, hasher: KeyHasher::new(&types)? })
    }

    /// The keys of rows.
    ///
    /// # Errors
    /// When the columns are not of the codec's types.
    pub fn encode(&self, columns: &[ArrayRef]) -> Result<KeyRows> {
        let columns: Vec<ArrayRef> = columns.iter().map(normalize_keys).collect::<Result<_>>()?;
        Ok(KeyRows { rows: self.rows.encode(&columns)?, hashes: self.hashes(&columns) })
    }

    /// The bytes of keys in their normal form, as a key table gives them.
    ///
    /// # Errors
    /// When the columns are not of the codec's types.
    pub fn bytes(&self, columns: &[ArrayRef]) -> Result<Rows> {
        self.rows.encode(columns)
    }

    /// The columns of keys.
    ///
    /// # Errors
    /// As [`RowCodec::decode`].
    pub fn decode<'a>(&self, keys: impl IntoIterator<Item = &'a [u8]>) -> Result<Vec<ArrayRef>> {
        self.rows.decode(keys)
    }

    /// Keys that are bytes already, with their groups.
    ///
    /// # Errors
    /// As [`RowCodec::decode`].
    pub fn with_groups<'a>(&self, keys: &[&'a [u8]]) -> Result<Vec<StateKey<'a>>> {
        let hashes = self.hashes(&self.decode(keys.iter().copied())?);
        Ok(keys.iter().zip(hashes).map(|(key, hash)| StateKey { group: KeyGroup::of_hash(hash), key }).collect())
    }

    fn hashes(&self, columns: &[ArrayRef]) -> Vec<u64> {
        let mut hashes = Vec::new();
        self.hasher.hash_into(columns, &mut hashes);
        hashes
    }
}

/// Keys of rows, as [`KeyCodec::encode`] made them.
#[derive(Debug)]
pub struct KeyRows {
    rows: Rows,
    hashes: Vec<u64>,
}

impl KeyRows {
    /// The keys, row by row.
    #[must_use]
    pub fn keys(&self) -> Vec<StateKey<'_>> {
        self.rows
            .iter()
            .zip(&self.hashes)
            .map(|(row, hash)| StateKey { group: KeyGroup::of_hash(*hash), key: row.data() })
            .collect()
    }

    /// The key of one row, with its hash.
    ///
    /// # Panics
    /// When there is no such row.
    #[inline]
    #[must_use]
    pub fn key(&self, row: usize) -> (&[u8], u64) {
        (self.rows.row(row).data(), self.hashes[row])
    }
}

/// The type of a key's values: what a dictionary holds, otherwise the type itself.
#[must_use]
pub fn unpacked(data_type: &DataType) -> &DataType {
    match data_type {
        DataType::Dictionary(_, values) => values,
        other => other,
    }
}

fn internal(error: ArrowError) -> Error {
    Error::internal("rows and the bytes of state do not fit together").caused_by(error)
}
