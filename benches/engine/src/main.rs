//! What the engine costs: the jobs of benches/engine-peers, against the same by hand, and beside other engines.
//!
//! Goals: at least 0.6 of a hand-written Arrow loop without keys, 0.35 of a hand-written hash table with keys and windows;
//! a second worker that gives half again as much. Each line is `NAME value [min–max] bar`. Every contestant's results are
//! held to the same count and checksum before anything is told.

mod by_hand;
mod cases;
mod jobs;
#[cfg(feature = "rocksdb")]
mod kept;
mod workload;

use std::error::Error;
use std::path::PathBuf;

use clap::Parser;
use mimalloc::MiMalloc;

#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

/// What the engine costs, as ratios in one process.
#[derive(Debug, Parser)]
struct Args {
    /// How often each contestant runs; they take turns.
    #[arg(long, default_value_t = 9)]
    rounds: usize,
    /// Only the cases whose name begins with this.
    #[arg(long, default_value = "")]
    only: String,
    /// The lines of scripts/bench-engine-peers: what other engines took for the same.
    #[arg(long)]
    peers: Option<PathBuf>,
    /// The folder of the example operators as components, for W1 by a plugin.
    #[arg(long)]
    plugins: Option<PathBuf>,
    /// The part of the rows and keys of R6_sync, R11b and R11c: less than 1 shows that they work, and their numbers mean nothing.
    #[arg(long, default_value_t = 1.0)]
    share: f64,
    /// Runs one side of R11c in this process, and prints what the other process waits for.
    #[cfg(feature = "rocksdb")]
    #[arg(long, hide = true)]
    side: Option<cases::large::Side>,
}

fn main() -> Result<(), Box<dyn Error>> {
    let args = Args::parse();
    #[cfg(feature = "rocksdb")]
    if let Some(side) = args.side {
        return cases::large::side(&cases::runtime()?, side, args.share);
    }
    let cores = std::thread::available_parallelism()?;
    eprintln!("engine: {} rounds each, {cores} cores, contestants in turns", args.rounds);
    cases::all(args.rounds, &args.only, args.peers.as_deref(), args.plugins.as_deref(), args.share)
}
