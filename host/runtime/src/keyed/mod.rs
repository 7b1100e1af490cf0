//! Keys as numbers: each distinct key of a window gets the next number, by which aggregates keep what they know of it.

mod fixed;
mod rows;
mod slot;

use arrow::array::ArrayRef;
use arrow::datatypes::{DataType, FieldRef};
use arrow::error::ArrowError;
use volley_api::{Error, KeyHasher, Result, normalize_keys};

use fixed::FixedTable;
use rows::RowTable;

pub(crate) use slot::{Cursor, PAGE_ENTRIES, StateSlot, check_restored};
pub(crate) use volley_api::{KeyCodec, RowCodec, unpacked};

/// Numbers keys densely from 0, in the order in which they are met.
///
/// Keys are equal as in [`volley_api::KeyHasher`]: −0.0 is 0.0, one NaN is all NaNs, and null is a key.
pub(crate) enum KeyTable {
    /// One column of at most eight bytes a value: the hot path.
    Fixed(FixedTable),
    /// Everything else, by the bytes of Arrow's row format.
    Rows(RowTable),
}

impl KeyTable {
    /// An empty table for keys of these types.
    pub(crate) fn new(types: &[DataType]) -> Result<Self> {
        match types {
            [only] if FixedTable::fits(only) => Ok(Self::Fixed(FixedTable::new(only.clone()))),
            _ => Ok(Self::Rows(RowTable::new(types).map_err(internal)?)),
        }
    }

    /// Writes the number of each row's key to `numbers`, whose contents are replaced.
    pub(crate) fn intern(&mut self, columns: &[ArrayRef], numbers: &mut Vec<usize>) -> Result<()> {
        let columns: Vec<ArrayRef> = columns.iter().map(normalize_keys).collect::<Result<_>>()?;
        numbers.clear();
        match (self, &columns[..]) {
            (Self::Fixed(table), [column]) => table.intern(column, numbers),
            (Self::Fixed(_), _) => return Err(Error::internal("a table of one key column got another number")),
            (Self::Rows(table), columns) => table.intern(columns, numbers).map_err(internal)?,
        }
        Ok(())
    }

    /// How many keys there are.
    pub(crate) fn len(&self) -> usize {
        match self {
            Self::Fixed(table) => table.len(),
            Self::Rows(table) => table.len(),
        }
    }

    /// All keys in the order of their numbers, column by column.
    pub(crate) fn columns(&self) -> Result<Vec<ArrayRef>> {
        match self {
            Self::Fixed(table) => Ok(vec![table.column().map_err(internal)?]),
            Self::Rows(table) => table.columns().map_err(internal),
        }
    }

    /// About how many bytes it takes.
    pub(crate) fn memory_bytes(&self) -> usize {
        match self {
            Self::Fixed(table) => table.memory_bytes(),
            Self::Rows(table) => table.memory_bytes(),
        }
    }
}

/// Whether keys of these types can be dealt out.
pub(crate) fn check_keys(fields: &[FieldRef]) -> Result<()> {
    let types: Vec<DataType> = fields.iter().map(|field| field.data_type().clone()).collect();
    KeyHasher::new(&types).map(drop)
}

fn internal(error: ArrowError) -> Error {
    Error::internal("keys cannot be numbered").caused_by(error)
}

#[cfg(test)]
mod tests;
