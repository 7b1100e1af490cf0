//! State in RocksDB keeps the promises of its traits, whatever memory it has.
#![cfg(feature = "rocksdb")]

use tempfile::TempDir;
use volley_api::StateBackend;
use volley_state::{RocksBackend, RocksOptions};
use volley_test_contract::{keyed_state_contract, keyed_state_snapshot_contract};

/// Everything stays in the cache; things go to RocksDB now and then; everything goes there at once.
const WRITE_BEHIND_BYTES: [usize; 3] = [16 << 20, 4 << 10, 0];

fn backend(folder: &TempDir, write_behind_bytes: usize) -> RocksBackend {
    let options = RocksOptions { memory_bytes: 32 << 20, write_behind_bytes };
    RocksBackend::new(folder.path(), options).expect("a folder of its own")
}

#[test]
fn it_keeps_the_contract() {
    for write_behind_bytes in WRITE_BEHIND_BYTES {
        let folder = TempDir::new().expect("a folder");
        let backend = backend(&folder, write_behind_bytes);
        keyed_state_contract(|context| backend.open(context).expect("opens"));
    }
}

#[test]
fn its_snapshots_keep_the_contract() {
    for write_behind_bytes in WRITE_BEHIND_BYTES {
        let folder = TempDir::new().expect("a folder");
        keyed_state_snapshot_contract(&backend(&folder, write_behind_bytes));
    }
}
