//! State in RocksDB keeps the promises of its traits, whatever memory it has.
#![cfg(feature = "rocksdb")]

mod support;

use volley_api::StateBackend;
use volley_test_contract::{keyed_state_contract, keyed_state_snapshot_contract, keyed_state_ttl_contract};

use support::{backend, quick_folder};

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
