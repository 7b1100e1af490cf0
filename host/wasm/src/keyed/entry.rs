//! How the entries of a map or list are laid out: frozen with the layouts of states.

use volley_api::{Error, Result, StateKey};

use super::life::Life;

/// Bytes of the length of the group's key, which stands before each row so that an entry tells whose it is.
pub(super) const KEY_LENGTH_BYTES: usize = 4;

/// How many entries a group has, and the number of a list's next row.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Count {
    pub(super) entries: u64,
    pub(super) next: u64,
}

impl Count {
    pub(super) fn to_bytes(self) -> [u8; 16] {
        let mut bytes = [0; 16];
        bytes[..8].copy_from_slice(&self.entries.to_le_bytes());
        bytes[8..].copy_from_slice(&self.next.to_le_bytes());
        bytes
    }

    pub(super) fn of_bytes(bytes: &[u8]) -> Result<Self> {
        let damaged = || Error::external("a stored count is not of sixteen bytes");
        let (entries, next) = bytes.split_first_chunk::<8>().ok_or_else(damaged)?;
        let next = next.first_chunk::<8>().ok_or_else(damaged)?;
        Ok(Self { entries: u64::from_le_bytes(*entries), next: u64::from_le_bytes(*next) })
    }
}

/// An entry as it is stored, taken apart: when it was written, where it carries that, the key of its group, the map's key or
/// the number of the list's row, and the row. `None` where it is too short for these.
pub(super) fn taken_apart<'a>(life: Life, key: &'a [u8], cell: &'a [u8]) -> Option<Apart<'a>> {
    let (written_ms, cell) = life.opened(cell)?;
    let (length, row) = cell.split_first_chunk::<KEY_LENGTH_BYTES>()?;
    let (key, place) = key.split_at_checked(u32::from_le_bytes(*length) as usize)?;
    Some(Apart { written_ms, key, place, row })
}

/// The parts of an entry.
pub(super) struct Apart<'a> {
    pub(super) written_ms: Option<i64>,
    pub(super) key: &'a [u8],
    pub(super) place: &'a [u8],
    pub(super) row: &'a [u8],
}

/// The number of a list's row, of those bytes behind its group's key.
pub(super) fn number_of(place: &[u8]) -> Option<u64> {
    place.as_array().copied().map(u64::from_be_bytes)
}

/// The whole key of an entry.
pub(super) fn whole(key: StateKey<'_>, entry: &[u8]) -> Vec<u8> {
    [key.key, entry].concat()
}
