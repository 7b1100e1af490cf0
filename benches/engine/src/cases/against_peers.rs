//! R8, R9: the whole job, its rows made on the way, beside what other engines took for the same rows.

use std::error::Error;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};
use tokio::runtime::Runtime;
use volley_bench_support::timing::{Bar, Ratio};
use volley_runtime::JobOptions;
use volley_wasm::{CompileIn, EngineSettings, Plugin, PluginEngine, PluginFactory, PluginOptions};

#[cfg(feature = "rocksdb")]
use super::checkpointed;
use super::same;
use crate::jobs::{Job, run as run_job};
use crate::workload::{Generated, NAMES, NAMES_OF_PLUGIN, ROWS, Total, W1, W2, WINDOW_MS};

/// One line of scripts/bench-engine-peers.
struct Peer {
    name: String,
    workload: String,
    parallelism: u32,
    wall_ms: f64,
}

pub(crate) fn run(
    runtime: &Runtime,
    rounds: usize,
    peers: Option<&Path>,
    plugins: Option<&Path>,
) -> Result<(), Box<dyn Error>> {
    let peers = match peers {
        Some(path) => read(&std::fs::read_to_string(path)?),
        None => Vec::new(),
    };
    let sum = Job::WindowedSum(WINDOW_MS);
    let mut jobs = vec![("W1", Job::FilterAndMap, W1, NAMES), ("W2", sum.clone(), W2, NAMES), ("W2C", sum, W2, NAMES)];
    match plugins {
        Some(folder) => jobs.push(("W1", Job::Plugin(plugin(folder)?), W1, NAMES_OF_PLUGIN)),
        None => println!("R8_W1_plugin not run: no folder of components (--plugins DIR)"),
    }
    for (workload, job, expected, names) in jobs {
        let (contestant, bar) = match &job {
            Job::FilterAndMap => ("volley", 8.0),
            Job::Plugin(_) => ("volley-plugin", 8.0),
            _ => ("volley", 10.0),
        };
        for parallelism in [1, 2] {
            let source = Arc::new(Generated { names, ..Generated::new(ROWS, u64::from(parallelism)) });
            let best = Best::of(rounds, expected, || match workload {
                #[cfg(feature = "rocksdb")]
                "W2C" => runtime.block_on(checkpointed::once(&job, source.clone(), parallelism)),
                _ => runtime.block_on(run_job(&job, source.clone(), parallelism, JobOptions::default())),
            })?;
            let (wall, cpu) = (best.wall, best.cpu);
            let (wall_ms, cpu_ms) = (wall.as_millis(), cpu.as_millis());
            let (results, checksum, version) = (expected.results, expected.checksum, env!("CARGO_PKG_VERSION"));
            println!(
                "{contestant} {workload} {parallelism} {ROWS} {results} {checksum} {wall_ms} {cpu_ms} 0 {version}"
            );
            let line_of = |peer: &str| {
                let is_it =
                    |line: &&Peer| line.name == peer && line.workload == workload && line.parallelism == parallelism;
                peers.iter().find(is_it)
            };
            if workload == "W2C" {
                let name = format!("R8d_W2C_flink_{parallelism}");
                match line_of("flink") {
                    #[cfg(feature = "rocksdb")]
                    Some(line) => with_checkpoints(runtime, &job, parallelism, &name, line.wall_ms)?,
                    _ => println!("{name} not run: no line of scripts/bench-engine-peers (--peers FILE)"),
                }
                continue;
            }
            for (peer, name, bar) in [("flink", "R8", bar), ("timely", "R9", 0.6)] {
                let by = if contestant == "volley" { "" } else { "_plugin" };
                let name = format!("{name}_{workload}{by}_{peer}_{parallelism}");
                match line_of(peer) {
                    Some(line) => Ratio::of(line.wall_ms / 1e3 / wall.as_secs_f64()).print(&name, Bar::AtLeast(bar)),
                    None => println!("{name} not run: no line of scripts/bench-engine-peers (--peers FILE)"),
                }
            }
        }
    }
    Ok(())
}

/// R8d: rows per second of both, each with its state in RocksDB and a checkpoint every second. The rows that take Flink half a
/// minute are over here before the first checkpoint is due: so ours are sixty times as many.
#[cfg(feature = "rocksdb")]
fn with_checkpoints(
    runtime: &Runtime,
    job: &Job,
    parallelism: u32,
    name: &str,
    peer_ms: f64,
) -> Result<(), Box<dyn Error>> {
    let (wall, checkpoints) = runtime.block_on(checkpointed::long(job, parallelism))?;
    let per_second = checkpointed::ROWS_LONG as f64 / wall.as_secs_f64();
    let peer_per_second = ROWS as f64 * 1e3 / peer_ms;
    let seconds = wall.as_secs_f64();
    eprintln!("{name}: {seconds:.2} s and {checkpoints} checkpoints of ours; {:.2} s of its", peer_ms / 1e3);
    Ratio::of(per_second / peer_per_second).print(name, Bar::AtLeast(10.0));
    Ok(())
}

/// The shortest of several runs.
struct Best {
    wall: Duration,
    cpu: Duration,
}

impl Best {
    fn of(rounds: usize, expected: Total, run: impl Fn() -> volley_api::Result<Total>) -> Result<Self, Box<dyn Error>> {
        let mut best = Self { wall: Duration::MAX, cpu: Duration::MAX };
        for _ in 0..rounds.max(1) {
            let (begin, cpu_begin) = (Instant::now(), cpu_time());
            let total = run()?;
            if begin.elapsed() < best.wall {
                best = Self { wall: begin.elapsed(), cpu: cpu_time() - cpu_begin };
            }
            same("a run", total, expected)?;
        }
        Ok(best)
    }
}

/// The plugin that filters and maps.
fn plugin(folder: &Path) -> volley_api::Result<Arc<PluginFactory>> {
    let engine = PluginEngine::new(&EngineSettings::new(CompileIn::ThisProcess))?;
    let plugin = Plugin::load(&engine, &folder.join("filter-project.wasm"))?;
    Ok(Arc::new(PluginFactory::new(plugin, PluginOptions::default())))
}

fn read(text: &str) -> Vec<Peer> {
    let line = |line: &str| {
        let fields: Vec<&str> = line.split(' ').collect();
        let [name, workload, parallelism, _, _, _, wall_ms, ..] = fields[..] else { return None };
        let (parallelism, wall_ms) = (parallelism.parse().ok()?, wall_ms.parse().ok()?);
        Some(Peer { name: name.to_owned(), workload: workload.to_owned(), parallelism, wall_ms })
    };
    text.lines().filter_map(line).collect()
}

/// What all threads of this process have taken so far.
fn cpu_time() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(time.tv_sec.unsigned_abs(), u32::try_from(time.tv_nsec).unwrap_or(0))
}
