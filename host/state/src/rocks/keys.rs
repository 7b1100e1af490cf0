//! How keys lie in RocksDB: a tag, the namespace, the key group, the key; so that RocksDB's order is that of a scan.
//!
//! The namespace is written with its sign turned over and its highest byte first: bytes order as the numbers do. The tag
//! is one for entries. It gives the last namespace an end, and leaves room for other things beside them. Frozen with the
//! format `rocksdb-1`.

use volley_api::{KeyGroup, Namespace};

const ENTRY: u8 = 1;

/// What stands before the key group: tag and namespace.
pub(crate) const PREFIX_BYTES: usize = 1 + 8;

/// What every key of a namespace begins with, and no other.
pub(crate) fn prefix(namespace: Namespace) -> [u8; PREFIX_BYTES] {
    let mut bytes = [ENTRY; PREFIX_BYTES];
    bytes[1..].copy_from_slice(&(namespace.0.cast_unsigned() ^ (1 << 63)).to_be_bytes());
    bytes
}

/// The first key behind a namespace.
pub(crate) fn prefix_end(namespace: Namespace) -> [u8; PREFIX_BYTES] {
    match namespace.0.checked_add(1) {
        Some(next) => prefix(Namespace(next)),
        None => [ENTRY + 1; PREFIX_BYTES],
    }
}

/// Appends a whole key.
pub(crate) fn write(out: &mut Vec<u8>, namespace: Namespace, tail: &[u8]) {
    out.extend_from_slice(&prefix(namespace));
    out.extend_from_slice(tail);
}

/// A key taken apart: the namespace, the key group, and the tail, which is the key group's byte and the key. `None` for
/// what is no key of an entry.
pub(crate) fn read(bytes: &[u8]) -> Option<(Namespace, KeyGroup, &[u8])> {
    let (prefix, tail) = bytes.split_at_checked(PREFIX_BYTES)?;
    let number: [u8; 8] = prefix[1..].try_into().ok()?;
    let namespace = Namespace((u64::from_be_bytes(number) ^ (1 << 63)).cast_signed());
    (prefix[0] == ENTRY).then_some((namespace, KeyGroup(*tail.first()?), tail))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_order_as_namespaces_do() {
        let namespaces = [i64::MIN, -256, -1, 0, 1, 255, 256, i64::MAX].map(Namespace);
        assert!(namespaces.map(prefix).is_sorted());
        for namespace in namespaces {
            let mut key = Vec::new();
            write(&mut key, namespace, &[u8::MAX; 40]);
            assert!(prefix(namespace)[..] < key[..] && key[..] < prefix_end(namespace)[..]);
            assert_eq!(read(&key), Some((namespace, KeyGroup(255), &[u8::MAX; 40][..])));
        }
        assert_eq!((read(b""), read(&[ENTRY; PREFIX_BYTES]), read(&[0; 20])), (None, None, None));
    }

    #[test]
    fn the_layout_is_frozen() {
        let mut key = Vec::new();
        write(&mut key, Namespace(5), b"\x07ab");
        assert_eq!(key, b"\x01\x80\0\0\0\0\0\0\x05\x07ab");
    }
}
