//! The memory backend keeps the promises of its traits, and to its limit.

use std::num::NonZeroU64;
use std::sync::Arc;

use volley_api::{
    ErrorKind, KeyGroup, KeyGroupRange, KeyedState, ManualClock, Namespace, NodeName, SnapshotContent, StateBackend,
    StateContext, StateKey, StateTtl, SubtaskId,
};
use volley_state::MemoryBackend;
use volley_test_contract::{keyed_state_contract, keyed_state_snapshot_contract, keyed_state_ttl_contract};

#[test]
fn it_keeps_the_contract() {
    let backend = MemoryBackend::new(1 << 30);
    keyed_state_contract(|context| backend.open(context).expect("opens"));
    keyed_state_snapshot_contract(&backend);
    keyed_state_ttl_contract(&backend);
    assert_eq!(backend.used_bytes(), 0, "what was dropped is given back");
}

fn open(backend: &MemoryBackend, node: &str) -> Box<dyn KeyedState> {
    backend.open(context(node)).expect("opens")
}

fn context(node: &str) -> StateContext {
    StateContext {
        node: NodeName::new(node).expect("a name"),
        name: "windows",
        subtask: SubtaskId::SINGLE,
        key_groups: KeyGroupRange::of(SubtaskId::SINGLE),
        layout: "bytes".into(),
        ttl: None,
        cache_entries_max: None,
        restored: Vec::new(),
    }
}

/// A state whose entries live for a second.
fn open_for_a_second(backend: &MemoryBackend, clock: &Arc<ManualClock>) -> Box<dyn KeyedState> {
    let ttl = StateTtl { ms: NonZeroU64::new(1_000).expect("a second"), clock: clock.clone() };
    backend.open(StateContext { ttl: Some(ttl), ..context("visits") }).expect("opens")
}

#[test]
fn a_snapshot_leaves_out_what_has_gone_and_frees_its_memory() {
    let (backend, clock) = (MemoryBackend::new(usize::MAX), Arc::new(ManualClock::at(5_000)));
    let mut state = open_for_a_second(&backend, &clock);
    put(&mut *state, 0, 100).expect("room");
    clock.set(5_900);
    put(&mut *state, 100, 10).expect("room");
    let before = state.memory_bytes();
    clock.set(6_000);
    let files = state.snapshot().expect("snapshot").files().expect("files");
    let SnapshotContent::Bytes(bytes) = &files[0].content else { panic!("bytes") };
    assert!((10 * 1024..11 * 1024).contains(&bytes.len()), "{} bytes of ten entries", bytes.len());
    assert!(state.memory_bytes() * 5 < before, "{} bytes are left of {before}", state.memory_bytes());
    assert_eq!((state.len_estimate(), backend.used_bytes()), (10, state.memory_bytes()));
}

#[test]
fn what_has_gone_makes_room_where_memory_is_full() {
    let (backend, clock) = (MemoryBackend::new(64 << 10), Arc::new(ManualClock::at(5_000)));
    let mut state = open_for_a_second(&backend, &clock);
    put(&mut *state, 0, 40).expect("40 KiB of 64");
    put(&mut *state, 40, 40).expect_err("80 KiB");
    clock.set(6_000);
    put(&mut *state, 40, 40).expect("the others have gone");
    assert_eq!(state.len_estimate(), 40);
}

/// Puts entries of 1 KiB with keys from `first` on, in one batch.
fn put(state: &mut dyn KeyedState, first: u32, count: u32) -> volley_api::Result<()> {
    let keys: Vec<_> = (first..first + count).map(u32::to_be_bytes).collect();
    let keys: Vec<_> = keys.iter().map(|key| StateKey { group: KeyGroup(key[3]), key }).collect();
    state.put_many(Namespace(0), &keys, &vec![&[7; 1024][..]; keys.len()])
}

#[test]
fn going_beyond_the_limit_names_limit_operator_and_what_lifts_it() {
    let backend = MemoryBackend::new(64 << 10);
    assert_eq!(backend.label(), "memory, at most 64 KiB");
    let (mut first, mut second) = (open(&backend, "hourly"), open(&backend, "sessions"));
    put(&mut *first, 0, 30).expect("30 KiB of 64");
    let error = put(&mut *second, 0, 30).expect_err("60 KiB and what they need beside");
    assert_eq!(error.kind(), ErrorKind::Config);
    let message = error.to_string();
    for part in ["operator `sessions`", "`windows`", "64 KiB", "feature `rocksdb`"] {
        assert!(message.contains(part), "{message}");
    }
    // Values may be replaced by no larger ones, and what goes makes room.
    put(&mut *first, 0, 30).expect("no more than before");
    drop(second);
    put(&mut *first, 30, 10).expect("room again");
    assert_eq!(backend.used_bytes(), first.memory_bytes());
}

#[test]
fn the_books_are_even_whatever_is_written() {
    let backend = MemoryBackend::new(usize::MAX);
    let mut state = open(&backend, "hourly");
    put(&mut *state, 0, 600).expect("room");
    put(&mut *state, 300, 600).expect("room");
    assert_eq!(state.len_estimate(), 900);
    assert!(state.memory_bytes() > 900 * 1024);
    let keys: Vec<_> = (0..900_u32).map(u32::to_be_bytes).collect();
    let keys: Vec<_> = keys.iter().map(|key| StateKey { group: KeyGroup(key[3]), key }).collect();
    state.remove_many(Namespace(0), &keys).expect("removes");
    assert_eq!((state.len_estimate(), state.memory_bytes(), backend.used_bytes()), (0, 0, 0));
}
