//! Where instances live: in the pool, and on demand where that is full, too small or not to be had.

use volley_api::Operator;
use volley_wasm::{
    CompileIn, EngineSettings, Plugin, PluginEngine, PluginFactory, PluginLimits, PluginOptions, PoolSettings,
};

use std::sync::Arc;

use crate::guest::Guest;
use crate::harness::{Collected, Setup, input};

const PAGE_BYTES: u64 = 64 << 10;

fn engine(pool: PoolSettings) -> Arc<PluginEngine> {
    let settings = EngineSettings { cache_dir: None, pool, ..EngineSettings::new(CompileIn::ThisProcess) };
    PluginEngine::new(&settings).expect("starts")
}

/// A filter that keeps the first and third row, with so many pages of memory.
fn filter(pages: u32) -> Vec<u8> {
    let mut guest = Guest::new("filter", &["x"]).pages(pages);
    let result = guest.filtered(&[0b101], &[]);
    guest.process(&format!("(i32.const {result})")).build()
}

fn operator(engine: &Arc<PluginEngine>, component: &[u8], memory_bytes_max: usize) -> Box<dyn Operator> {
    let plugin = Plugin::from_bytes(engine, "canned", component).expect("loads");
    let limits = PluginLimits { memory_bytes_max, ..PluginLimits::default() };
    let factory = PluginFactory::new(plugin, PluginOptions { limits, ..PluginOptions::default() });
    Setup::default().create(&factory).expect("instantiates")
}

fn kept(operator: &mut dyn Operator) -> usize {
    let mut collected = Collected::default();
    operator.process(input(3), &mut collected).expect("runs");
    collected.rows.iter().map(|(_, record)| record.batch.num_rows()).sum()
}

#[test]
fn what_no_slot_is_free_for_is_allocated_on_demand() {
    let engine = engine(PoolSettings { instances: 2, ..PoolSettings::default() });
    let component = filter(1);
    let memory = PluginLimits::default().memory_bytes_max;
    let mut first = operator(&engine, &component, memory);
    assert!(engine.has_pool());
    // While the second is bound and created, the pool holds the first and the second in turn.
    let mut second = operator(&engine, &component, memory);
    assert_eq!(engine.pool_misses().full, 0);
    let mut third = operator(&engine, &component, memory);
    assert_eq!(engine.pool_misses().full, 2, "the third: once for binding, once for the job");
    for operator in [&mut first, &mut second, &mut third] {
        assert_eq!(kept(operator.as_mut()), 2);
    }
    drop(first);
    let mut fourth = operator(&engine, &component, memory);
    assert_eq!(kept(fourth.as_mut()), 2);
    assert_eq!(engine.pool_misses().full, 2, "the first made room");
    assert_eq!(engine.pool_misses().too_large, 0);
}

#[test]
fn what_is_larger_than_a_slot_is_allocated_on_demand() {
    let engine = engine(PoolSettings { instances: 4, memory_bytes_max: 2 * PAGE_BYTES });
    let limit = usize::try_from(2 * PAGE_BYTES).expect("small");
    assert_eq!(kept(operator(&engine, &filter(2), limit).as_mut()), 2);
    assert_eq!(engine.pool_misses().too_large, 0, "it fits");
    // The memory that it begins with is larger.
    assert_eq!(kept(operator(&engine, &filter(3), 2 * limit).as_mut()), 2);
    assert_eq!(engine.pool_misses().too_large, 2, "once for binding, once for the job");
    // The memory that it may grow to is larger.
    let grows = "(i32.ne (memory.grow (i32.const 8)) (i32.const -1)) (if (then) (else unreachable))";
    let mut guest = Guest::new("filter", &["x"]).pages(1);
    let result = guest.filtered(&[0b101], &[]);
    let guest = guest.process(&format!("{grows} (i32.const {result})")).build();
    assert_eq!(kept(operator(&engine, &guest, 16 * limit).as_mut()), 2);
    assert_eq!(engine.pool_misses().too_large, 4);
    assert_eq!(engine.pool_misses().full, 0);
}

#[test]
fn without_a_pool_everything_is_allocated_on_demand() {
    // More address space than any processor has: as with `ulimit -v`, it cannot be reserved.
    for instances in [0, 1 << 20] {
        let engine = engine(PoolSettings { instances, ..PoolSettings::default() });
        assert_eq!(kept(operator(&engine, &filter(1), 64 << 20).as_mut()), 2);
        assert!(!engine.has_pool());
        assert_eq!(engine.pool_misses(), volley_wasm::PoolMisses::default(), "no pool, no misses");
    }
}
