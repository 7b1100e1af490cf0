//! Whole-process bench: `volley-host --plugin enrich-flight` over a year of flights against a hand-written arrow-rs
//! program that does the same, as a ratio of wall times; both write Parquet, and their rows are compared first.
//!
//! Goal: what a plugin costs a user all in all, process start included. Cores, rows and formats are printed.

use std::error::Error;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use arrow::array::RecordBatch;
use arrow::compute::concat_batches;
use clap::Parser;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

/// How much slower than the hand-written program Volley may be, per input format.
const BARS: [(&str, f64); 2] = [("csv", 1.3), ("parquet", 2.0)];

/// `volley-host --plugin` over the year of flights, against the same by hand.
#[derive(Debug, Parser)]
struct Args {
    /// The `volley-host` binary.
    #[arg(long)]
    host: PathBuf,
    /// The `enrich-flight` component.
    #[arg(long)]
    plugin: PathBuf,
    /// The folder with `flights-2013.csv` and `flights-2013.parquet`.
    #[arg(long)]
    data: PathBuf,
    /// How often each program runs per format; the programs take turns.
    #[arg(long, default_value_t = 7)]
    rounds: usize,
}

fn main() -> Result<(), Box<dyn Error>> {
    let args = Args::parse();
    let baseline = std::env::current_exe()?.with_file_name("flights-baseline");
    let work = tempfile::tempdir()?;
    let cores = std::thread::available_parallelism()?;
    eprintln!("flights: {} rounds each, {cores} cores, wall time of whole processes", args.rounds);
    for (format, bar) in BARS {
        let input = args.data.join(format!("flights-2013.{format}"));
        let ours = work.path().join(format!("volley-{format}.parquet"));
        let theirs = work.path().join(format!("baseline-{format}.parquet"));
        let errors = work.path().join("errors.jsonl");
        let volley = || {
            let mut command = Command::new(&args.host);
            command.arg("--quiet").arg("--plugin").arg(&args.plugin).arg("--set").arg("late_minutes=15");
            command.arg("--input").arg(&input).arg("--output").arg(&ours).arg("--errors").arg(&errors);
            command
        };
        let by_hand = || {
            let mut command = Command::new(&baseline);
            command.arg(&input).arg(&theirs);
            command
        };
        // The first run of each also fills the page cache and the cache of compiled components.
        time(volley())?;
        time(by_hand())?;
        let rows = same_rows(&ours, &theirs)?;
        let mut times = Vec::with_capacity(args.rounds);
        for _ in 0..args.rounds {
            times.push((time(volley())?, time(by_hand())?));
        }
        report(format, rows, &times, bar);
    }
    Ok(())
}

fn time(mut command: Command) -> Result<Duration, Box<dyn Error>> {
    let begin = Instant::now();
    let status = command.stdin(Stdio::null()).status()?;
    if !status.success() {
        return Err(format!("{command:?} ended with {status}").into());
    }
    Ok(begin.elapsed())
}

/// Checks that both programs wrote the same rows, and gives their number.
fn same_rows(ours: &Path, theirs: &Path) -> Result<usize, Box<dyn Error>> {
    let (ours, theirs) = (read(ours)?, read(theirs)?);
    if ours.num_rows() != theirs.num_rows() {
        return Err(format!("volley wrote {} rows, the baseline {}", ours.num_rows(), theirs.num_rows()).into());
    }
    for (field, column) in ours.schema().fields().iter().zip(ours.columns()) {
        let other =
            theirs.column_by_name(field.name()).ok_or_else(|| format!("the baseline lacks {}", field.name()))?;
        if column != other {
            return Err(format!("column {} differs", field.name()).into());
        }
    }
    Ok(ours.num_rows())
}

fn read(path: &Path) -> Result<RecordBatch, Box<dyn Error>> {
    let reader = ParquetRecordBatchReaderBuilder::try_new(File::open(path)?)?;
    let schema = reader.schema().clone();
    let batches = reader.build()?.collect::<Result<Vec<_>, _>>()?;
    Ok(concat_batches(&schema, &batches)?)
}

/// `NAME value [min–max] bar`: the ratio of the shortest times, and the range of the rounds' own ratios.
fn report(format: &str, rows: usize, times: &[(Duration, Duration)], bar: f64) {
    let shortest = |pick: fn(&(Duration, Duration)) -> Duration| times.iter().map(pick).min().unwrap_or_default();
    let (ours, theirs) = (shortest(|pair| pair.0), shortest(|pair| pair.1));
    let ratios: Vec<f64> = times.iter().map(|(ours, theirs)| ours.as_secs_f64() / theirs.as_secs_f64()).collect();
    let least = ratios.iter().copied().fold(f64::INFINITY, f64::min);
    let most = ratios.iter().copied().fold(0.0, f64::max);
    eprintln!("flights_{format}: {rows} rows out; volley-host {ours:.3?}, by hand {theirs:.3?}");
    println!("flights_{format} {:.2} [{least:.2}–{most:.2}] ≤ {bar:.1}", ours.as_secs_f64() / theirs.as_secs_f64());
}
