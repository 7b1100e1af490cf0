//! The cases, in the order of their names.

mod against_hand;
mod against_peers;
#[cfg(feature = "rocksdb")]
mod checkpointed;
#[cfg(feature = "rocksdb")]
mod held_up;
#[cfg(feature = "rocksdb")]
pub(crate) mod large;
mod latency;
#[cfg(feature = "rocksdb")]
mod restored;
mod rows_alone;

use std::error::Error;
use std::path::Path;

use tokio::runtime::Runtime;

use crate::workload::Total;

pub(crate) fn runtime() -> std::io::Result<Runtime> {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()
}

pub(crate) fn all(
    rounds: usize,
    only: &str,
    peers: Option<&Path>,
    plugins: Option<&Path>,
    share: f64,
) -> Result<(), Box<dyn Error>> {
    let runtime = runtime()?;
    let is_wanted = |name: &str| name.starts_with(only);
    if ["R4", "R5", "R7"].into_iter().any(is_wanted) {
        against_hand::run(&runtime, rounds, is_wanted)?;
    }
    if is_wanted("single") {
        rows_alone::run(&runtime, rounds)?;
    }
    if ["R8", "R9", "W"].into_iter().any(is_wanted) {
        against_peers::run(&runtime, rounds, peers, plugins)?;
    }
    if is_wanted("latency") {
        latency::run(&runtime)?;
    }
    #[cfg(feature = "rocksdb")]
    {
        if is_wanted("R6_W2") {
            checkpointed::run(&runtime, rounds)?;
        }
        if is_wanted("R6_sync") {
            held_up::run(&runtime, share)?;
        }
        if is_wanted("R11_") {
            restored::run(&runtime)?;
        }
        if is_wanted("R11b") {
            large::restores(&runtime, share)?;
        }
        if is_wanted("R11c") {
            large::keys(share)?;
        }
    }
    #[cfg(not(feature = "rocksdb"))]
    let _ = share;
    #[cfg(not(feature = "rocksdb"))]
    println!("R6, R6_sync, R8d, R11, R11b and R11c not run: built without the feature rocksdb");
    Ok(())
}

/// So large a share of a number, and at least one.
#[cfg(feature = "rocksdb")]
fn scaled(number: u64, share: f64) -> u64 {
    ((number as f64 * share) as u64).max(1)
}

/// Refuses a time whose result is wrong.
fn same(what: &str, found: Total, expected: Total) -> Result<(), String> {
    if found == expected { Ok(()) } else { Err(format!("{what} gave {found:?}, and {expected:?} is right")) }
}
