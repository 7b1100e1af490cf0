//! What the plugin boundary costs: operators in WebAssembly against the same natively, in one process and in turns.
//!
//! Goal: a plugin that costs so little that nobody asks whether to use one (the bars stand in `cases`). Each line is
//! `NAME value [min–max] bar`: the ratio of the shortest times over all rounds, and the range of the rounds' own ratios.
//! Guests are those of `plugins/`, and one that spins; every contestant's output is compared before it is timed.

mod cases;
mod data;
mod guest;
mod native;
mod native_sketch;
mod native_total;
mod sink;

use std::error::Error;
use std::path::PathBuf;

use clap::Parser;
// Puts the host's allocator behind the one that counts.
use mimalloc as _;

/// What the plugin boundary costs, as ratios in one process.
#[derive(Debug, Parser)]
struct Args {
    /// The folder with the components of `plugins/`.
    #[arg(long)]
    plugins: PathBuf,
    /// How often each contestant runs; they take turns.
    #[arg(long, default_value_t = 15)]
    rounds: usize,
    /// Only the cases whose name begins with this.
    #[arg(long, default_value = "")]
    only: String,
}

fn main() -> Result<(), Box<dyn Error>> {
    let args = Args::parse();
    let cores = std::thread::available_parallelism()?;
    eprintln!("boundary: {} rounds each, {cores} cores, one process, contestants in turns", args.rounds);
    let guests = guest::Guests::load(&args.plugins)?;
    for (name, case) in cases::ALL {
        if name.starts_with(&args.only) {
            case(&guests, args.rounds)?;
        }
    }
    Ok(())
}
