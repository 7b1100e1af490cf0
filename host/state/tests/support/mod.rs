//! What tests of state in RocksDB have in common.
#![allow(dead_code, reason = "each test binary uses a part")]

use std::path::Path;

use tempfile::TempDir;
use volley_api::{
    KeyGroup, KeyGroupRange, KeyedState, Namespace, NodeName, SnapshotContent, StateBackend, StateContext, StateEntry,
    StateFile, StateKey, StatePart, StateSnapshot, SubtaskId,
};
use volley_state::{RocksBackend, RocksOptions};

/// A folder in memory where there is such a place: what makes state durable takes most of a test's time, and proves nothing.
pub(crate) fn quick_folder() -> TempDir {
    let memory = Path::new("/dev/shm");
    if memory.is_dir() { TempDir::new_in(memory) } else { TempDir::new() }.expect("a folder")
}

pub(crate) fn backend(folder: &Path, write_behind_bytes: usize) -> RocksBackend {
    let options = RocksOptions { memory_bytes: 32 << 20, write_behind_bytes };
    RocksBackend::new(folder, options).expect("a folder of its own")
}

/// A state that is alone in its job, with what is restored.
pub(crate) fn context(restored: Vec<StatePart>) -> StateContext {
    StateContext {
        node: NodeName::new("hourly").expect("a name"),
        name: "windows",
        subtask: SubtaskId::SINGLE,
        key_groups: KeyGroupRange::of(SubtaskId::SINGLE),
        layout: "bytes".into(),
        ttl: None,
        cache_entries_max: None,
        restored,
    }
}

/// The files of a snapshot, where they lie.
pub(crate) fn part(backend: &dyn StateBackend, snapshot: &mut dyn StateSnapshot) -> StatePart {
    let files = snapshot.files().expect("files");
    let path = |content| match content {
        SnapshotContent::File(path) => path,
        SnapshotContent::Bytes(_) => panic!("bytes where files were expected"),
    };
    let files = files.into_iter().map(|file| StateFile { name: file.name, path: path(file.content) });
    StatePart {
        key_groups: KeyGroupRange::of(SubtaskId::SINGLE),
        layout: "bytes".into(),
        format: backend.format().to_owned(),
        files: files.collect(),
    }
}

pub(crate) fn key(number: &[u8; 8]) -> StateKey<'_> {
    StateKey { group: KeyGroup(number[7]), key: number }
}

/// Puts a value of 16 bytes for each number.
pub(crate) fn put(
    state: &mut dyn KeyedState,
    numbers: impl Iterator<Item = u64>,
    value: u64,
) -> volley_api::Result<()> {
    let (keys, values): (Vec<_>, Vec<_>) = numbers.map(|number| (number.to_be_bytes(), bytes(number, value))).unzip();
    let keys: Vec<_> = keys.iter().map(key).collect();
    state.put_many(Namespace(0), &keys, &values.iter().map(|value| &value[..]).collect::<Vec<_>>())
}

/// The value that [`put`] puts.
pub(crate) fn bytes(number: u64, value: u64) -> [u8; 16] {
    (u128::from(number) << 64 | u128::from(value)).to_be_bytes()
}

pub(crate) fn all(state: &mut dyn KeyedState) -> Vec<StateEntry> {
    state.scan(Namespace(i64::MIN)..=Namespace(i64::MAX), None, usize::MAX).expect("scan")
}
