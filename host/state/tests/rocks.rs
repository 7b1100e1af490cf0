//! State in RocksDB keeps the promises of its traits, whatever memory it has.
#![cfg(feature = "rocksdb")]

mod support;

use std::num::NonZeroUsize;

use volley_api::{Namespace, StateBackend, StateContext};
use volley_test_contract::{keyed_state_contract, keyed_state_snapshot_contract, keyed_state_ttl_contract};

use support::{backend, context, key, put, quick_folder};

/// Everything stays in the cache.
const ALL: usize = 16 << 20;
/// Things go to RocksDB now and then.
const SOME: usize = 4 << 10;
/// Everything goes there at once.
const NOTHING: usize = 0;

fn contract(write_behind_bytes: usize) {
    let folder = quick_folder();
    let backend = backend(folder.path(), write_behind_bytes);
    keyed_state_contract(|context| backend.open(context).expect("opens"));
}

fn snapshot_contract(write_behind_bytes: usize) {
    let folder = quick_folder();
    keyed_state_snapshot_contract(&backend(folder.path(), write_behind_bytes));
}

/// The same with room in the cache and so few entries in it.
fn contract_of_entries(entries_max: usize) {
    let folder = quick_folder();
    let backend = backend(folder.path(), ALL);
    let cache_entries_max = NonZeroUsize::new(entries_max);
    keyed_state_contract(|context| backend.open(StateContext { cache_entries_max, ..context }).expect("opens"));
}

#[test]
fn it_keeps_the_contract_with_few_entries_in_its_cache() {
    [1, 2, 7].into_iter().for_each(contract_of_entries);
}

#[test]
fn no_more_entries_are_in_the_cache_than_it_may_have() {
    let folder = quick_folder();
    let backend = backend(folder.path(), ALL);
    let memory = |entries_max: Option<usize>| {
        let cache_entries_max = entries_max.and_then(NonZeroUsize::new);
        let mut state = backend.open(StateContext { cache_entries_max, ..context(vec![]) }).expect("opens");
        (0..100).for_each(|batch| put(&mut *state, batch * 1_000..(batch + 1) * 1_000, 1).expect("put_many"));
        // What RocksDB has not written out yet is its own.
        let written = state.memory_bytes();
        let keys: Vec<_> = (0..100_000_u64).map(u64::to_be_bytes).collect();
        for keys in keys.chunks(1_000) {
            let found = state.get_many(Namespace(0), &keys.iter().map(key).collect::<Vec<_>>()).expect("get_many");
            assert!(found.iter().all(Option::is_some));
        }
        (written, state.memory_bytes())
    };
    let (unbound, bound) = (memory(None), memory(Some(2_000)));
    // The same is written and read; of 100,000 entries of 70 bytes or more, at most 2,000 stay.
    assert!(unbound.0 > bound.0 + 1_000_000, "{bound:?} {unbound:?}");
    assert!(bound.1 < bound.0 + 2_000 * 200, "{bound:?}");
}

fn ttl_contract(write_behind_bytes: usize) {
    let folder = quick_folder();
    keyed_state_ttl_contract(&backend(folder.path(), write_behind_bytes));
}

#[test]
fn entries_live_for_their_time_within_its_cache() {
    ttl_contract(ALL);
}

#[test]
fn entries_live_for_their_time_with_a_small_cache() {
    ttl_contract(SOME);
}

#[test]
fn entries_live_for_their_time_without_a_cache() {
    ttl_contract(NOTHING);
}

#[test]
fn it_keeps_the_contract_within_its_cache() {
    contract(ALL);
}

#[test]
fn it_keeps_the_contract_with_a_small_cache() {
    contract(SOME);
}

#[test]
fn it_keeps_the_contract_without_a_cache() {
    contract(NOTHING);
}

#[test]
fn its_snapshots_keep_the_contract_within_its_cache() {
    snapshot_contract(ALL);
}

#[test]
fn its_snapshots_keep_the_contract_with_a_small_cache() {
    snapshot_contract(SOME);
}

#[test]
fn its_snapshots_keep_the_contract_without_a_cache() {
    snapshot_contract(NOTHING);
}
