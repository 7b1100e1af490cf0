//! The folder of state in RocksDB, and what happens when there is something wrong with it.
#![cfg(feature = "rocksdb")]

mod support;

use std::fs;
use std::path::Path;

use volley_api::{ErrorKind, Namespace, StateBackend};
use volley_state::{RocksBackend, RocksOptions};

use support::{backend, bytes, context, key, put, quick_folder};

fn refused(folder: &Path) -> volley_api::Error {
    RocksBackend::new(folder, RocksOptions::default()).expect_err("refused").into()
}

#[test]
fn a_folder_that_is_in_use_is_refused_until_all_states_are_gone() {
    let folder = quick_folder();
    let first = backend(folder.path(), 0);
    let state = first.open(context(vec![])).expect("opens");
    drop(first);
    let error = refused(folder.path());
    assert_eq!(error.kind(), ErrorKind::Config);
    assert!(error.to_string().contains(&folder.path().display().to_string()), "{error}");
    assert!(error.to_string().contains("in use"), "{error}");
    drop(state);
    backend(folder.path(), 0);
}

#[test]
fn a_folder_that_cannot_be_made_is_named() {
    let folder = quick_folder();
    let file = folder.path().join("file");
    fs::write(&file, "in the way").expect("writes");
    let error = refused(&file.join("state"));
    assert_eq!(error.kind(), ErrorKind::External);
    assert!(error.to_string().contains("file/state"), "{error}");
}

#[test]
fn what_an_earlier_process_left_is_thrown_away_and_nothing_else() {
    let folder = quick_folder();
    let states = folder.path().join("volley-state");
    fs::create_dir_all(states.join("hourly.windows.0.0/db")).expect("a folder");
    fs::write(states.join("hourly.windows.0.0/db/CURRENT"), "left").expect("writes");
    fs::write(folder.path().join("mine"), "kept").expect("writes");
    let backend = backend(folder.path(), 0);
    assert_eq!(fs::read_dir(&states).expect("a folder").count(), 0);
    let mut state = backend.open(context(vec![])).expect("opens");
    put(&mut *state, 0..10, 1).expect("put_many");
    let mut snapshot = state.snapshot().expect("snapshot");
    snapshot.files().expect("files");
    drop(state);
    assert_eq!(fs::read_dir(&states).expect("a folder").count(), 1, "a snapshot holds what it links to");
    drop(snapshot);
    assert_eq!(fs::read_dir(&states).expect("a folder").count(), 0, "what nobody holds is gone");
    assert_eq!(fs::read(folder.path().join("mine")).expect("reads"), b"kept");
}

#[test]
fn two_million_keys_are_read_back_through_a_cache_of_8_mib() {
    const KEYS: u64 = 2_000_000;
    const BATCH: u64 = 8_192;
    let folder = quick_folder();
    let options = RocksOptions { memory_bytes: 16 << 20, write_behind_bytes: 8 << 20 };
    let backend = RocksBackend::new(folder.path(), options).expect("a folder of its own");
    assert!(backend.label().ends_with("with 16 MiB"), "{}", backend.label());
    let mut state = backend.open(context(vec![])).expect("opens");
    // Keys come in an order of their own: an odd factor visits each number below a power of two once.
    let number = |n: u64| n.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let batches = || (0..KEYS).step_by(BATCH as usize).map(|first| first..KEYS.min(first + BATCH));
    for batch in batches() {
        put(&mut *state, batch.map(number), 5).expect("put_many");
        assert!(state.memory_bytes() < 24 << 20, "{} bytes", state.memory_bytes());
    }
    // Some at random, as an operator does, then all in order.
    for batch in batches().step_by(20) {
        let numbers: Vec<_> = batch.map(|n| number(n).to_be_bytes()).collect();
        let found = state.get_many(Namespace(0), &numbers.iter().map(key).collect::<Vec<_>>()).expect("get_many");
        for (found, n) in found.iter().zip(&numbers) {
            assert_eq!(found.as_deref(), Some(&bytes(u64::from_be_bytes(*n), 5)[..]));
        }
    }
    let (mut after, mut count, mut sum) = (None, 0, 0_u64);
    loop {
        let entries = state.scan(Namespace(0)..=Namespace(0), after.as_ref(), BATCH as usize).expect("scan");
        for entry in &entries {
            let n = u64::from_be_bytes(entry.key[..].try_into().expect("8 bytes"));
            assert_eq!(entry.value, bytes(n, 5)[..]);
            sum = sum.wrapping_add(n);
        }
        count += entries.len() as u64;
        let Some(last) = entries.into_iter().next_back() else { break };
        after = Some(last);
    }
    assert_eq!((count, sum), (KEYS, (0..KEYS).map(number).fold(0, u64::wrapping_add)));
    assert!(state.memory_bytes() < 24 << 20, "{} bytes", state.memory_bytes());
}
