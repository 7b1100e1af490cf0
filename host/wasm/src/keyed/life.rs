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

    /// A stored cell as the time of its writing, where it carries one, and its value; `None` for a cell that ends too early.
    pub(crate) fn opened(self, cell: &[u8]) -> Option<(Option<i64>, &[u8])> {
        if self.0.is_none() {
            return Some((None, cell));
        }
        let (written, row) = cell.split_first_chunk::<WRITTEN_BYTES>()?;
        Some((Some(i64::from_le_bytes(*written)), row))
    }

    /// The value of a stored cell, if it is still alive.
    pub(crate) fn read(self, now_ms: i64, cell: &[u8]) -> Option<&[u8]> {
        let (written_ms, row) = self.opened(cell)?;
        let ends_ms = written_ms.zip(self.0).map(|(written_ms, ttl_ms)| written_ms.saturating_add(ttl_ms));
        ends_ms.is_none_or(|ends_ms| now_ms < ends_ms).then_some(row)
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
