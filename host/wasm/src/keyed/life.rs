//! How long a stored value lives: the time of its last write stands before it where it has an end.

/// A state's time to live, in milliseconds, if it has any.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Life(pub(crate) Option<i64>);

/// Bytes of the time before a value that has an end.
const WRITTEN_BYTES: usize = 8;

impl Life {
    /// Puts a value behind the time of its writing, as it is stored.
    pub(crate) fn write(self, now_ms: i64, row: &[u8], cell: &mut Vec<u8>) {
        if self.0.is_some() {
            cell.extend_from_slice(&now_ms.to_le_bytes());
        }
        cell.extend_from_slice(row);
    }

    /// The value of a stored cell, if it is still alive.
    pub(crate) fn read(self, now_ms: i64, cell: &[u8]) -> Option<&[u8]> {
        let Some(ttl_ms) = self.0 else { return Some(cell) };
        let (written, row) = cell.split_first_chunk::<WRITTEN_BYTES>()?;
        let ends_ms = i64::from_le_bytes(*written).saturating_add(ttl_ms);
        (now_ms < ends_ms).then_some(row)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_gone_when_its_time_is_up() {
        let (mut cell, life) = (Vec::new(), Life(Some(10)));
        life.write(100, b"row", &mut cell);
        assert_eq!(life.read(109, &cell), Some(&b"row"[..]));
        assert_eq!(life.read(110, &cell), None);
        assert_eq!(life.read(i64::MAX, &cell), None);
        let mut cell = Vec::new();
        Life(None).write(100, b"row", &mut cell);
        assert_eq!(Life(None).read(i64::MAX, &cell), Some(&b"row"[..]));
    }
}
