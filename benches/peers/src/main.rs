//! The plugin boundary beside its peers: one kernel in Volley, arrow-udf and Extism, in one process and in turns.
//!
//! Goal: nobody who has a choice of such boundaries should take another for its speed (the bars stand in `contestants`).
//! Each line is `NAME value [min–max] bar`: a peer's time per batch over Volley's, of the shortest times over all rounds,
//! and the range of the rounds' own ratios. The kernel is that of `filter-project` in `plugins/`: of three columns of i64
//! it keeps the rows with `a > 100` and gives `b`, `a * 2 + 1` and `c`. A contestant gets a batch and gives back what the
//! kernel made of it, as a batch; what all of them give is compared row by row before anything is timed.

mod contestants;
mod versions;

// The bench of the boundary: the same inputs, the same clock.
#[path = "../../boundary/src/data.rs"]
#[allow(dead_code, reason = "the shape with a text column is not for peers")]
mod data;
#[path = "../../boundary/src/guest.rs"]
#[allow(dead_code, reason = "the guests are others")]
mod guest;
#[path = "../../boundary/src/sink.rs"]
#[allow(dead_code, reason = "rows are always kept here")]
mod sink;
#[path = "../../support/src/timing.rs"]
#[allow(dead_code, reason = "every bar here is a lower one")]
mod timing;

use std::error::Error;
use std::path::PathBuf;

use arrow::array::RecordBatch;
use arrow::compute::concat_batches;
use clap::Parser;

use crate::contestants::{Contestant, PEERS, Peer, Volley};
use crate::data::Shape;
use crate::timing::in_turns;

/// Rows of a small batch, and of one that the runtime coalesces to.
const ROWS: [usize; 2] = [1_000, 8_192];

/// What the plugin boundary costs in Volley, arrow-udf and Extism, as ratios in one process.
#[derive(Debug, Parser)]
struct Args {
    /// The folder with `filter-project.wasm`.
    #[arg(long)]
    plugins: PathBuf,
    /// The folder with the peers' guests, `peer_arrow_udf.wasm` and `peer_extism.wasm`.
    #[arg(long)]
    guests: PathBuf,
    /// How often each contestant runs; they take turns.
    #[arg(long, default_value_t = 15)]
    rounds: usize,
}

fn main() -> Result<(), Box<dyn Error>> {
    let args = Args::parse();
    let cores = std::thread::available_parallelism()?;
    eprintln!("peers: {} rounds each, {cores} cores, one process, contestants in turns", args.rounds);
    versions::print();
    let mut volley = Volley::load(&args.plugins)?;
    let mut failed = 0;
    for peer in &PEERS {
        // A peer that is not there, or does not load, is none of the others' business.
        let mut contestant = match (peer.load)(&args.guests) {
            Ok(contestant) => contestant,
            Err(reason) => {
                ROWS.iter().for_each(|rows| println!("{} not run: {reason}", peer.line(*rows)));
                continue;
            }
        };
        for rows in ROWS {
            if let Err(error) = compare(peer, &mut volley, &mut *contestant, rows, args.rounds) {
                println!("{} not run: {error}", peer.line(rows));
                failed += 1;
            }
        }
    }
    if failed > 0 { Err(format!("{failed} comparisons failed").into()) } else { Ok(()) }
}

/// One line: Volley and a peer over batches of so many rows, first what they give and then how long they take.
fn compare(
    peer: &Peer,
    volley: &mut Volley,
    contestant: &mut dyn Contestant,
    rows: usize,
    rounds: usize,
) -> Result<(), Box<dyn Error>> {
    let batches = Shape::Numbers.batches(rows);
    let wanted = output_of(volley, &batches)?;
    same(&wanted, &output_of(contestant, &batches)?)?;
    let pair = in_turns(rounds, &mut driven(volley, &batches), &mut driven(contestant, &batches));
    let (name, kept, all) = (peer.line(rows), wanted.num_rows(), rows * batches.len());
    eprintln!(
        "{name}: {kept} of {all} rows kept by both, the same; Volley {:.2?}, peer {:.2?} a batch",
        pair.first, pair.second
    );
    pair.ratio.inverse().print(&name, peer.bar);
    Ok(())
}

/// Work for a clock: the next batch through a contestant, over and over.
fn driven<'a>(contestant: &'a mut dyn Contestant, batches: &'a [RecordBatch]) -> impl FnMut() + 'a {
    let mut next = 0;
    move || {
        let output = contestant.call(&batches[next]).expect("a contestant works on what it has worked on before");
        next = (next + 1) % batches.len();
        assert!(output.iter().any(|batch| batch.num_rows() > 0), "nothing came out");
    }
}

/// Everything that a contestant makes of these batches.
fn output_of(contestant: &mut dyn Contestant, batches: &[RecordBatch]) -> Result<RecordBatch, Box<dyn Error>> {
    let mut given = Vec::new();
    for batch in batches {
        given.extend(contestant.call(batch)?);
    }
    let first = given.first().ok_or("nothing came out")?;
    Ok(concat_batches(&first.schema(), &given)?)
}

/// Values, row by row. Names and whether a column may be null are each contestant's own.
fn same(volley: &RecordBatch, peer: &RecordBatch) -> Result<(), Box<dyn Error>> {
    if volley.columns() == peer.columns() {
        return Ok(());
    }
    Err(format!(
        "the contestants disagree: {} rows of Volley's and {} of the peer's",
        volley.num_rows(),
        peer.num_rows()
    )
    .into())
}
