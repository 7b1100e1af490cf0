//! Snapshots of state in memory: one file with every entry.
//!
//! `VLYS` and the version, then for each entry the key group (u8), the namespace (i64), the lengths of key and value (u32)
//! and their bytes; numbers are little-endian. Whether the file arrived whole is the checkpoint store's business, which
//! keeps length and checksum beside every file; what is read here is checked all the same.

use std::fs;

use bytes::{Buf, BufMut, Bytes};
use volley_api::{KeyGroup, Namespace, SnapshotContent, SnapshotFile, StateEntry, StateFile, StateSnapshot};

use crate::{Error, Result};

/// Name and version of the format.
pub(crate) const FORMAT: &str = "memory-1";

/// What a file begins with.
pub(crate) const MAGIC: &[u8; 5] = b"VLYS\x01";
/// What stands before the bytes of an entry.
pub(crate) const HEAD_BYTES: usize = 1 + 8 + 4 + 4;

/// What stands there.
pub(crate) struct Head {
    pub(crate) group: KeyGroup,
    pub(crate) namespace: Namespace,
    pub(crate) key_bytes: u32,
    pub(crate) value_bytes: u32,
}

impl Head {
    pub(crate) fn of(bytes: [u8; HEAD_BYTES]) -> Self {
        let mut bytes = &bytes[..];
        let (group, namespace) = (KeyGroup(bytes.get_u8()), Namespace(bytes.get_i64_le()));
        Self { group, namespace, key_bytes: bytes.get_u32_le(), value_bytes: bytes.get_u32_le() }
    }
}

/// The entries of a state at a barrier; the bytes of long values are shared with the state.
pub(crate) struct MemorySnapshot(pub(crate) Vec<StateEntry>);

impl StateSnapshot for MemorySnapshot {
    fn files(&mut self) -> volley_api::Result<Vec<SnapshotFile>> {
        let content = SnapshotContent::Bytes(encode(&self.0)?);
        Ok(vec![SnapshotFile { name: "entries".to_owned(), identity: None, content }])
    }
}

fn encode(entries: &[StateEntry]) -> Result<Bytes> {
    let bytes = entries.iter().map(|entry| HEAD_BYTES + entry.key.len() + entry.value.len()).sum::<usize>();
    let mut file = Vec::with_capacity(MAGIC.len() + bytes);
    file.put_slice(MAGIC);
    for entry in entries {
        file.put_u8(entry.group.0);
        file.put_i64_le(entry.namespace.0);
        for part in [&entry.key, &entry.value] {
            file.put_u32_le(u32::try_from(part.len()).map_err(|_| Error::EntryTooLarge { bytes: part.len() })?);
        }
        file.put_slice(&entry.key);
        file.put_slice(&entry.value);
    }
    Ok(file.into())
}

/// The entries of a file that [`MemorySnapshot`] made.
pub(crate) fn read(file: &StateFile) -> Result<Vec<StateEntry>> {
    let damaged = |problem: String| Error::Snapshot { path: file.path.clone(), problem };
    let mut rest = Bytes::from(fs::read(&file.path).map_err(|error| damaged(error.to_string()))?);
    if rest.len() < MAGIC.len() || rest.split_to(MAGIC.len()) != MAGIC[..] {
        return Err(damaged("it does not begin like one".to_owned()));
    }
    let mut entries = Vec::new();
    while rest.has_remaining() {
        let head = rest.first_chunk::<HEAD_BYTES>().copied();
        let head = head.ok_or_else(|| damaged("it ends within an entry".to_owned()))?;
        rest.advance(HEAD_BYTES);
        let Head { group, namespace, key_bytes, value_bytes } = Head::of(head);
        let (key, value) = (key_bytes as usize, value_bytes as usize);
        if key.checked_add(value).is_none_or(|bytes| bytes > rest.remaining()) {
            return Err(damaged("it ends within an entry".to_owned()));
        }
        let (key, value) = (rest.split_to(key), rest.split_to(value));
        entries.push(StateEntry { group, namespace, key, value });
    }
    Ok(entries)
}
