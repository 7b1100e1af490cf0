//! Ten million keys of 16 bytes of state in RocksDB: how fast they are put and read at random, and what memory it takes.
//!
//! `cargo run --release -p volley-state --features rocksdb --example ten_million [KEYS] [MEMORY_MIB] [FOLDER]`
//!
//! Prints rows per second of putting new keys, of changing them (get and put, as an aggregation does), of reading them,
//! how long a snapshot takes, and the most memory that the process ever had (VmHWM, on Linux).

use std::error::Error;
use std::time::{Duration, Instant};
use std::{env, fs};

use volley_api::StateBackend;
use volley_api::{KeyGroup, KeyGroupRange, KeyedState, Namespace, NodeName, StateContext, StateKey, SubtaskId};
use volley_state::{RocksBackend, RocksOptions};

const KEYS: u64 = 10_000_000;
const MEMORY_MIB: usize = 512;
/// Rows of a call, as of the batches that operators get.
const BATCH: u64 = 8_192;
const NAMESPACE: Namespace = Namespace(0);

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = env::args().skip(1);
    let keys = arguments.next().map_or(Ok(KEYS), |keys| keys.parse())?;
    let memory_mib = arguments.next().map_or(Ok(MEMORY_MIB), |mib| mib.parse())?;
    let folder = arguments.next().map_or_else(|| env::temp_dir().join("volley-ten-million"), Into::into);
    let backend = RocksBackend::new(&folder, RocksOptions::new(memory_mib << 20))?;
    println!("{keys} keys, {}", backend.label());
    let context = StateContext {
        node: NodeName::new("bench")?,
        name: "bench",
        subtask: SubtaskId::SINGLE,
        key_groups: KeyGroupRange::of(SubtaskId::SINGLE),
        layout: "bytes".into(),
        ttl: None,
        cache_entries_max: None,
        restored: Vec::new(),
    };
    let mut state = backend.open(context)?;

    report("put", keys, each_batch(keys, |numbers| put(&mut *state, numbers, 1))?);
    let changing = each_batch(keys, |numbers| {
        check(&mut *state, numbers, 1)?;
        put(&mut *state, numbers, 2)
    })?;
    report("get and put", keys, changing);
    report("get", keys, each_batch(keys, |numbers| check(&mut *state, numbers, 2))?);

    let began = Instant::now();
    let mut snapshot = state.snapshot()?;
    let quick = began.elapsed();
    let files = snapshot.files()?.len();
    println!("snapshot: {quick:.1?} at the barrier, {:.1?} to {files} files", began.elapsed());
    drop((snapshot, state, backend));
    fs::remove_dir_all(&folder)?;
    if let Some(peak) = peak_kib() {
        println!("peak memory: {} MiB", peak / 1024);
    }
    Ok(())
}

fn report(what: &str, rows: u64, took: Duration) {
    println!("{what}: {:.0} rows/s", rows as f64 / took.as_secs_f64());
}

/// Goes through all keys, each once, at random: an odd factor visits every number of 64 bits once.
fn each_batch(
    keys: u64,
    mut batch: impl FnMut(&[[u8; 8]]) -> Result<(), Box<dyn Error>>,
) -> Result<Duration, Box<dyn Error>> {
    let began = Instant::now();
    for first in (0..keys).step_by(BATCH as usize) {
        let number = |n: u64| n.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes();
        batch(&(first..keys.min(first + BATCH)).map(number).collect::<Vec<_>>())?;
    }
    Ok(began.elapsed())
}

fn state_keys(numbers: &[[u8; 8]]) -> Vec<StateKey<'_>> {
    numbers.iter().map(|number| StateKey { group: KeyGroup(number[7]), key: number }).collect()
}

fn value(number: [u8; 8], version: u64) -> [u8; 16] {
    (u128::from(u64::from_be_bytes(number)) << 64 | u128::from(version)).to_be_bytes()
}

fn put(state: &mut dyn KeyedState, numbers: &[[u8; 8]], version: u64) -> Result<(), Box<dyn Error>> {
    let values: Vec<_> = numbers.iter().map(|number| value(*number, version)).collect();
    Ok(state.put_many(NAMESPACE, &state_keys(numbers), &values.iter().map(|value| &value[..]).collect::<Vec<_>>())?)
}

fn check(state: &mut dyn KeyedState, numbers: &[[u8; 8]], version: u64) -> Result<(), Box<dyn Error>> {
    let found = state.get_many(NAMESPACE, &state_keys(numbers))?;
    match found.iter().zip(numbers).find(|(found, number)| found.as_deref() != Some(&value(**number, version)[..])) {
        None => Ok(()),
        Some((found, number)) => Err(format!("key {number:?} has {found:?}").into()),
    }
}

/// The most memory that the process had, in KiB.
fn peak_kib() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().strip_suffix("kB")?.trim().parse().ok()
}
