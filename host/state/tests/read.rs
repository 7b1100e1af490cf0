//! Reading parts of checkpoints without a state: the same entries, in the same order, page by page.

use std::fs;
use std::num::NonZeroU64;
use std::path::Path;
use std::sync::Arc;

use tempfile::TempDir;
use volley_api::{
    Clock, KeyGroup, KeyGroupRange, ManualClock, Namespace, NodeName, SnapshotContent, StateBackend, StateContext,
    StateEntry, StateFile, StateKey, StatePart, StateTtl, SubtaskId,
};
use volley_state::{MemoryBackend, PartReader, ReadEntry};

fn context(ttl: Option<StateTtl>) -> StateContext {
    StateContext {
        node: NodeName::new("hourly").expect("a name"),
        name: "windows",
        subtask: SubtaskId::SINGLE,
        key_groups: KeyGroupRange::of(SubtaskId::SINGLE),
        layout: "bytes".into(),
        ttl,
        cache_entries_max: None,
        restored: Vec::new(),
    }
}

/// A state with entries in several namespaces, and the files of its snapshot, copied to a folder.
fn written(backend: &dyn StateBackend, context: &StateContext, folder: &Path) -> (Vec<StateEntry>, StatePart) {
    let mut state = backend.open(context.clone()).expect("opens");
    for namespace in [-3, 0, 7, i64::MAX] {
        let keys: Vec<[u8; 8]> = (0..700_u64).map(|number| (number * 31).to_be_bytes()).collect();
        let keys: Vec<StateKey<'_>> = keys.iter().map(|key| StateKey { group: KeyGroup(key[7]), key }).collect();
        let values: Vec<Vec<u8>> = (0..700_usize).map(|number| vec![number as u8; number % 50]).collect();
        let values: Vec<&[u8]> = values.iter().map(|value| &value[..]).collect();
        state.put_many(Namespace(namespace), &keys, &values).expect("put_many");
        state.remove_many(Namespace(namespace), &keys[..10]).expect("remove_many");
    }
    let mut snapshot = state.snapshot().expect("a snapshot");
    fs::create_dir_all(folder).expect("a folder");
    let files = snapshot.files().expect("files").into_iter().map(|file| {
        let path = folder.join(&file.name);
        match &file.content {
            SnapshotContent::Bytes(bytes) => fs::write(&path, bytes).expect("room"),
            SnapshotContent::File(from) => drop(fs::copy(from, &path).expect("room")),
        }
        StateFile { name: file.name, path }
    });
    let part = StatePart {
        key_groups: context.key_groups,
        layout: context.stored_layout(),
        format: backend.format().to_owned(),
        files: files.collect(),
    };
    let all = state.scan(Namespace(i64::MIN)..=Namespace(i64::MAX), None, usize::MAX).expect("scan");
    (all, part)
}

fn read(part: &StatePart, links: &Path, page: usize) -> Vec<ReadEntry> {
    let mut reader = PartReader::open(part, links).expect("opens");
    let mut all = Vec::new();
    loop {
        let entries = reader.next_page(page).expect("a page");
        assert!(entries.len() <= page);
        if entries.is_empty() {
            assert!(reader.next_page(page).expect("a page").is_empty(), "the end stays the end");
            return all;
        }
        all.extend(entries);
    }
}

fn reads_what_was_written(backend: &dyn StateBackend, root: &Path) {
    let clock: Arc<dyn Clock> = Arc::new(ManualClock::at(5_000));
    let ttl = StateTtl { ms: NonZeroU64::new(100).expect("not zero"), clock };
    for ttl in [None, Some(ttl)] {
        let name = if ttl.is_some() { "timed" } else { "plain" };
        let context = context(ttl.clone());
        let (expected, part) = written(backend, &context, &root.join(name));
        assert_eq!((part.has_write_times(), expected.len()), (ttl.is_some(), 4 * 690));
        for page in [1, 7, 4_096] {
            let found = read(&part, &root.join(format!("{name}-links-{page}")), page);
            assert!(found.iter().map(|read| &read.entry).eq(&expected), "{name}, {page} at a time");
            assert!(found.iter().all(|read| read.written_ms == ttl.as_ref().map(|_| 5_000)), "{name}");
        }
    }
}

#[test]
fn state_in_memory_is_read_as_it_was_written() {
    let folder = TempDir::new().expect("a folder");
    reads_what_was_written(&MemoryBackend::new(1 << 30), folder.path());
}

#[cfg(feature = "rocksdb")]
#[test]
fn state_on_disk_is_read_as_it_was_written_and_its_files_stay() {
    let folder = TempDir::new().expect("a folder");
    let options = volley_state::RocksOptions { memory_bytes: 32 << 20, write_behind_bytes: 64 << 10 };
    let backend = volley_state::RocksBackend::new(folder.path().join("state"), options).expect("a folder of its own");
    reads_what_was_written(&backend, folder.path());
    let (expected, part) = written(&backend, &context(None), &folder.path().join("again"));
    let listed = || {
        let entries = fs::read_dir(folder.path().join("again")).expect("a folder");
        let mut names: Vec<_> = entries.map(|entry| entry.expect("an entry").file_name()).collect();
        names.sort();
        names
    };
    let before = listed();
    let links = folder.path().join("again-links");
    let mut reader = PartReader::open(&part, &links).expect("opens");
    assert_eq!(listed(), before, "nothing is written beside the checkpoint");
    // A job that runs removes its old checkpoints: who looks at one is not disturbed.
    fs::remove_dir_all(folder.path().join("again")).expect("removed");
    let mut found = 0;
    loop {
        let page = reader.next_page(100).expect("a page");
        if page.is_empty() {
            break;
        }
        found += page.len();
    }
    assert_eq!(found, expected.len());
}

#[test]
fn what_is_no_part_is_refused_with_the_reason() {
    let folder = TempDir::new().expect("a folder");
    let (_, part) = written(&MemoryBackend::new(1 << 30), &context(None), &folder.path().join("part"));
    let open = |part: &StatePart| PartReader::open(part, &folder.path().join("links"));
    let other = StatePart { format: "papyrus-1".to_owned(), ..part.clone() };
    let error = open(&other).expect_err("an unknown format").to_string();
    assert!(error.contains("papyrus-1") && error.contains("version of Volley"), "{error}");
    if cfg!(not(feature = "rocksdb")) {
        let other = StatePart { format: "rocksdb-1".to_owned(), ..part.clone() };
        assert!(open(&other).expect_err("a feature").to_string().contains("feature `rocksdb`"));
    }
    let path = &part.files[0].path;
    let whole = fs::read(path).expect("a file");
    for (bytes, says) in [
        (&whole[..whole.len() - 1], "ends within an entry"),
        (&whole[..9], "ends within an entry"),
        (&whole[..3], "ends within an entry"),
        (b"VLYS\x02", "does not begin like one"),
    ] {
        fs::write(path, bytes).expect("room");
        let mut reader = open(&part).expect("opens");
        let error = loop {
            match reader.next_page(4_096) {
                Ok(page) => assert!(!page.is_empty(), "{says}"),
                Err(error) => break error.to_string(),
            }
        };
        assert!(error.contains(says), "{error}");
    }
    fs::remove_file(path).expect("it is there");
    let error = open(&part).expect("opens").next_page(1).expect_err("gone").to_string();
    assert!(error.contains("removed while it was looked at"), "{error}");
}
