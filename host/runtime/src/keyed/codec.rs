//! Columns as the bytes of keyed state, and back.

use arrow::array::ArrayRef;
use arrow::datatypes::DataType;
use arrow::error::ArrowError;
use arrow::row::{RowConverter, Rows, SortField};
use volley_api::{Error, KeyGroup, KeyHasher, Result, StateKey, normalize_keys};

use super::unpacked;

/// Rows of columns, each as bytes of Arrow's row format.
pub(crate) struct RowCodec(RowConverter);

impl RowCodec {
    /// For columns of these types.
    pub(crate) fn new<'a>(types: impl IntoIterator<Item = &'a DataType>) -> Result<Self> {
        let fields = types.into_iter().map(|data_type| SortField::new(data_type.clone())).collect();
        RowConverter::new(fields).map(Self).map_err(internal)
    }

    /// The bytes of each row.
    pub(crate) fn encode(&self, columns: &[ArrayRef]) -> Result<Rows> {
        self.0.convert_columns(columns).map_err(internal)
    }

    /// The columns of rows that [`RowCodec::encode`] made bytes of.
    pub(crate) fn decode<'a>(&self, rows: impl IntoIterator<Item = &'a [u8]>) -> Result<Vec<ArrayRef>> {
        let parser = self.0.parser();
        self.0.convert_rows(rows.into_iter().map(|row| parser.parse(row))).map_err(internal)
    }
}

/// Keys as bytes, with the groups that they are dealt out by.
pub(crate) struct KeyCodec {
    rows: RowCodec,
    hasher: KeyHasher,
}

impl KeyCodec {
    /// For keys of columns of these types; what dictionaries hold is what counts.
    pub(crate) fn new(types: &[DataType]) -> Result<Self> {
        let types: Vec<DataType> = types.iter().map(|data_type| unpacked(data_type).clone()).collect();
        Ok(Self { rows: RowCodec::new(&types)?, hasher: KeyHasher::new(&types)? })
    }

    /// The keys of rows.
    pub(crate) fn encode(&self, columns: &[ArrayRef]) -> Result<KeyRows> {
        let columns: Vec<ArrayRef> = columns.iter().map(normalize_keys).collect::<Result<_>>()?;
        Ok(KeyRows { rows: self.rows.encode(&columns)?, groups: self.groups(&columns) })
    }

    /// The bytes of keys in their normal form, as a key table gives them.
    pub(crate) fn bytes(&self, columns: &[ArrayRef]) -> Result<Rows> {
        self.rows.encode(columns)
    }

    /// The columns of keys.
    pub(crate) fn decode<'a>(&self, keys: impl IntoIterator<Item = &'a [u8]>) -> Result<Vec<ArrayRef>> {
        self.rows.decode(keys)
    }

    /// Keys that are bytes already, with their groups.
    pub(crate) fn with_groups<'a>(&self, keys: &[&'a [u8]]) -> Result<Vec<StateKey<'a>>> {
        let groups = self.groups(&self.decode(keys.iter().copied())?);
        Ok(keys.iter().zip(groups).map(|(key, group)| StateKey { group, key }).collect())
    }

    fn groups(&self, columns: &[ArrayRef]) -> Vec<KeyGroup> {
        let mut hashes = Vec::new();
        self.hasher.hash_into(columns, &mut hashes);
        hashes.into_iter().map(KeyGroup::of_hash).collect()
    }
}

/// Keys of rows, as [`KeyCodec::encode`] made them.
pub(crate) struct KeyRows {
    rows: Rows,
    groups: Vec<KeyGroup>,
}

impl KeyRows {
    /// The keys, row by row.
    pub(crate) fn keys(&self) -> Vec<StateKey<'_>> {
        self.rows.iter().zip(&self.groups).map(|(row, group)| StateKey { group: *group, key: row.data() }).collect()
    }
}

fn internal(error: ArrowError) -> Error {
    Error::internal("rows and the bytes of state do not fit together").caused_by(error)
}
