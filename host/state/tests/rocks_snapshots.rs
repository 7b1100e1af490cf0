//! Snapshots and restores of state in RocksDB: what goes where, and when.
#![cfg(feature = "rocksdb")]

mod support;

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::MetadataExt;

use tempfile::TempDir;
use volley_api::{KeyedState, SnapshotContent, StateBackend, StateFile, StatePart};
use volley_state::{MemoryBackend, RocksBackend};

use support::{all, backend, bytes, context, part, put, quick_folder};

fn values(state: &mut dyn KeyedState) -> BTreeSet<Vec<u8>> {
    all(state).into_iter().map(|entry| entry.value.to_vec()).collect()
}

#[test]
fn what_is_driven_out_after_the_barrier_is_not_in_its_checkpoint() {
    let folder = quick_folder();
    // So small that each batch below is driven out many times over.
    let backend = backend(folder.path(), 8 << 10);
    for asks_first in [true, false] {
        let mut state = backend.open(context(vec![])).expect("opens");
        put(&mut *state, 0..5_000, 1).expect("put_many");
        let mut snapshot = state.snapshot().expect("snapshot");
        if asks_first {
            snapshot.files().expect("files");
        }
        for value in 2..5 {
            put(&mut *state, 0..5_000, value).expect("put_many");
            put(&mut *state, 5_000 * value..5_000 * value + 5_000, value).expect("put_many");
        }
        let part = part(&backend, &mut *snapshot);
        let mut restored = backend.open(context(vec![part])).expect("opens");
        assert_eq!(values(&mut *restored), (0..5_000).map(|number| bytes(number, 1).to_vec()).collect());
        assert_eq!(all(&mut *state).len(), 20_000);
    }
}

/// The table files of a part, by name and inode.
fn tables(part: &StatePart) -> Vec<(String, u64)> {
    let tables = part.files.iter().filter(|file| file.name.ends_with(".sst"));
    tables.map(|file| (file.name.clone(), fs::metadata(&file.path).expect("a file").ino())).collect()
}

#[test]
fn a_restore_to_the_same_key_groups_links_and_the_next_snapshot_names_the_same_files() {
    let folder = TempDir::new().expect("a folder");
    let (first, second) = (folder.path().join("first"), folder.path().join("second"));
    let writer = backend(&first, 0);
    let mut state = writer.open(context(vec![])).expect("opens");
    put(&mut *state, 0..1_000, 1).expect("put_many");
    let mut snapshot = state.snapshot().expect("snapshot");
    let written = part(&writer, &mut *snapshot);
    drop(state);
    let reader = backend(&second, 0);
    let mut restored = reader.open(context(vec![written.clone()])).expect("opens");
    assert_eq!(all(&mut *restored).len(), 1_000);
    put(&mut *restored, 1_000..1_001, 1).expect("put_many");
    let mut next_snapshot = restored.snapshot().expect("snapshot");
    let next = part(&reader, &mut *next_snapshot);
    let (written, next) = (tables(&written), tables(&next));
    assert_eq!((written.len(), next.len()), (1, 2));
    assert!(next.contains(&written[0]), "{next:?} has the same file as {written:?}, under the same name");
}

#[test]
fn a_checkpoint_that_cannot_be_made_loses_nothing() {
    let folder = quick_folder();
    for write_behind_bytes in [16 << 20, 0] {
        let folder = folder.path().join(write_behind_bytes.to_string());
        let backend = backend(&folder, write_behind_bytes);
        let mut state = backend.open(context(vec![])).expect("opens");
        put(&mut *state, 0..1_000, 1).expect("put_many");
        // RocksDB does not make a checkpoint where something is.
        let in_the_way = folder.join("volley-state/hourly.windows.0.0/checkpoint-0");
        fs::create_dir_all(in_the_way.join("x")).expect("a folder");
        let mut snapshot = state.snapshot().expect("snapshot");
        put(&mut *state, 1_000..1_100, 1).expect("put_many");
        for _ in 0..2 {
            let error = snapshot.files().expect_err("something is in the way");
            assert_eq!(error.kind(), volley_api::ErrorKind::External, "{error}");
            assert!(error.to_string().contains("hourly.windows.0.0"), "{error}");
        }
        drop(snapshot);
        put(&mut *state, 1_100..1_200, 1).expect("put_many");
        assert_eq!(all(&mut *state).len(), 1_200);
        let mut snapshot = state.snapshot().expect("snapshot");
        let mut restored = backend.open(context(vec![part(&backend, &mut *snapshot)])).expect("opens");
        assert_eq!(values(&mut *restored), values(&mut *state));
    }
}

#[test]
fn only_tables_have_identities() {
    let folder = quick_folder();
    let backend = backend(folder.path(), 0);
    let mut state = backend.open(context(vec![])).expect("opens");
    put(&mut *state, 0..10, 1).expect("put_many");
    let mut snapshot = state.snapshot().expect("snapshot");
    let files = snapshot.files().expect("files");
    assert!(files.iter().any(|file| file.identity.is_some()));
    for file in &files {
        assert_eq!(file.identity.is_some(), file.name.ends_with(".sst"), "{file:?}");
        assert!(!file.name.contains('/'), "{file:?}");
    }
    let SnapshotContent::File(path) = &files[0].content else { panic!("a file") };
    assert!(path.exists());
    drop(snapshot);
    assert!(!path.exists(), "what a snapshot made goes with it");
}

#[test]
fn state_moves_from_memory_to_rocksdb() {
    let memory = MemoryBackend::new(usize::MAX);
    let mut state = memory.open(context(vec![])).expect("opens");
    put(&mut *state, 0..3_000, 7).expect("put_many");
    let expected = all(&mut *state);
    let folder = quick_folder();
    let path = folder.path().join("entries");
    let mut parts = Vec::new();
    for file in state.snapshot().expect("snapshot").files().expect("files") {
        let SnapshotContent::Bytes(bytes) = file.content else { panic!("bytes") };
        fs::write(&path, bytes).expect("writes");
        let files = vec![StateFile { name: file.name, path: path.clone() }];
        let key_groups = context(vec![]).key_groups;
        parts.push(StatePart { key_groups, layout: "bytes".into(), format: memory.format().to_owned(), files });
    }
    let rocks = backend(&folder.path().join("rocks"), 0);
    let mut restored = rocks.open(context(parts)).expect("opens");
    assert_eq!(all(&mut *restored), expected);
    // And not back: the message names both.
    let mut snapshot = restored.snapshot().expect("snapshot");
    let refused = memory.open(context(vec![part(&rocks, &mut *snapshot)])).err().expect("another format").to_string();
    assert!(refused.contains("rocksdb-1") && refused.contains("memory-1"), "{refused}");
}

#[test]
fn a_damaged_file_of_a_checkpoint_is_named() {
    let folder = quick_folder();
    let backend = backend(&folder.path().join("state"), 0);
    let mut state = backend.open(context(vec![])).expect("opens");
    put(&mut *state, 0..20_000, 1).expect("put_many");
    let mut snapshot = state.snapshot().expect("snapshot");
    let good = part(&backend, &mut *snapshot);
    let table = good.files.iter().position(|file| file.name.ends_with(".sst")).expect("a table");
    let content = fs::read(&good.files[table].path).expect("reads");
    let flipped = [&content[..100], &[!content[100]], &content[101..]].concat();
    for (bytes, of_other_groups) in [(&content[..content.len() / 2], false), (&flipped, false), (&flipped, true)] {
        let mut bad = good.clone();
        bad.files[table].path = folder.path().join("bad");
        fs::write(&bad.files[table].path, bytes).expect("writes");
        let mut wanted = context(vec![bad]);
        if of_other_groups {
            wanted.key_groups.end = 100;
        }
        let opened = backend.open(wanted);
        let read =
            opened.and_then(|mut state| state.scan(volley_api::Namespace(0)..=volley_api::Namespace(0), None, 9));
        let error = read.expect_err("a damaged file");
        assert_eq!(error.kind(), volley_api::ErrorKind::External, "{error}");
        let number = good.files[table].name.split('-').next().expect("a number");
        assert!(error.to_string().contains(number), "{error}");
    }
    let mut without_manifest = good;
    without_manifest.files.retain(|file| !file.name.starts_with("MANIFEST"));
    let error = backend.open(context(vec![without_manifest])).err().expect("a file is missing");
    assert!(error.to_string().contains("MANIFEST"), "{error}");
}

#[test]
fn a_name_that_leads_out_of_the_folder_is_refused() {
    let folder = quick_folder();
    let backend: RocksBackend = backend(folder.path(), 0);
    let files = vec![StateFile { name: "../../000001-a.sst".to_owned(), path: folder.path().join("x") }];
    let key_groups = context(vec![]).key_groups;
    let part = StatePart { key_groups, layout: "bytes".into(), format: "rocksdb-1".to_owned(), files };
    let error = backend.open(context(vec![part])).err().expect("no name of a file");
    assert!(error.to_string().contains("../../000001-a.sst"), "{error}");
}
