//! What a plugin costs before its first row, and per instance.

use std::error::Error;
use std::fs;
use std::time::{Duration, Instant};

use volley_api::StreamRecord;
use volley_wasm::{CompileIn, Crossing, EngineSettings, Plugin, PluginEngine, PluginLimits};

use super::driven;
use crate::data::Shape;
use crate::guest::{Guests, operator};
use crate::sink::Counting;
use volley_bench_support::timing::shortest;

/// Instances that are alive at once when their memory is weighed.
const INSTANCES: usize = 64;

/// The bar: from a warm cache of compiled components to the first batch out.
const FIRST_BATCH_MS_MAX: f64 = 10.0;

pub(crate) fn start(guests: &Guests, rounds: usize) -> Result<(), Box<dyn Error>> {
    first_batch(guests, rounds)?;
    instances(guests, rounds)?;
    allocations(guests)
}

/// A fresh engine, the component from the cache, bound, and one batch through it.
fn first_batch(guests: &Guests, rounds: usize) -> Result<(), Box<dyn Error>> {
    let file = guests.folder.join("filter-project.wasm");
    let cache = tempfile::tempdir()?;
    let settings =
        || EngineSettings { cache_dir: Some(cache.path().join("aot")), ..EngineSettings::new(CompileIn::ThisProcess) };
    let batches = Shape::Numbers.batches(1_000);
    let run = || -> Result<Duration, Box<dyn Error>> {
        let begin = Instant::now();
        let plugin = Plugin::load(&PluginEngine::new(&settings())?, &file)?;
        let mut operator = operator(&plugin, &Shape::Numbers.schema(), Crossing::Direct)?;
        operator.process(StreamRecord::new(batches[0].clone()), &mut Counting::default())?;
        Ok(begin.elapsed())
    };
    let cold = run()?;
    let warm = (0..rounds.max(1)).map(|_| run()).collect::<Result<Vec<_>, _>>()?;
    let ms = |time: Duration| time.as_secs_f64() * 1e3;
    let (least, most) = (warm.iter().min().map_or(0.0, |t| ms(*t)), warm.iter().max().map_or(0.0, |t| ms(*t)));
    println!("start_cold_ms {:.1} stated", ms(cold));
    println!("start_cached_ms {least:.2} [{least:.2}–{most:.2}] ≤ {FIRST_BATCH_MS_MAX}");
    Ok(())
}

fn instances(guests: &Guests, rounds: usize) -> Result<(), Box<dyn Error>> {
    let schema = Shape::Numbers.schema();
    let limits = PluginLimits::default();
    let time = shortest(rounds, &mut || {
        guests.filter_project.describe(&limits).expect("it describes itself");
    });
    println!("instantiate_us {:.1} stated", time.as_secs_f64() * 1e6);
    let batches = Shape::Numbers.batches(8_192);
    let before = resident_bytes()?;
    let mut alive = Vec::with_capacity(INSTANCES);
    for _ in 0..INSTANCES {
        let mut operator = operator(&guests.filter_project, &schema, Crossing::Direct)?;
        operator.process(StreamRecord::new(batches[0].clone()), &mut Counting::default())?;
        alive.push(operator);
    }
    let each = resident_bytes()?.saturating_sub(before) / INSTANCES;
    println!("instance_memory_kib {} stated", each / 1024);
    Ok(())
}

/// Allocations of the host for one batch, once everything is warm.
fn allocations(guests: &Guests) -> Result<(), Box<dyn Error>> {
    for (name, plugin) in [("filter-project", &guests.filter_project), ("identity", &guests.identity)] {
        let batches = Shape::Numbers.batches(8_192);
        let mut operator = operator(plugin, &Shape::Numbers.schema(), Crossing::Direct)?;
        let mut work = driven(&mut *operator, &batches);
        (0..100).for_each(|_| work());
        let seen = allocation_counter::measure(|| (0..100).for_each(|_| work()));
        println!("host_allocations_per_batch_{name} {} stated", seen.count_total / 100);
        println!("host_allocated_bytes_per_batch_{name} {} stated", seen.bytes_total / 100);
    }
    Ok(())
}

/// Memory of this process that is in use, as Linux counts it; 0 elsewhere.
fn resident_bytes() -> Result<usize, Box<dyn Error>> {
    const PAGE_BYTES: usize = 4096;
    let Ok(text) = fs::read_to_string("/proc/self/statm") else { return Ok(0) };
    let pages: usize = text.split(' ').nth(1).ok_or("statm has two numbers")?.parse()?;
    Ok(pages * PAGE_BYTES)
}
