//! The runner: mutates the corpus for a while and runs what comes out, on any toolchain.
//!
//! It has no coverage to go by. Instead it keeps an input as the base of others when the gate answered as it had not
//! before: the reasons of the gate, numbers left out, tell how far an input got. Half of the bases are seeds all the same,
//! since what was kept is mostly broken in one place already.

use std::collections::HashSet;
use std::fs;
use std::panic::{self, AssertUnwindSafe};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::Parser;
use volley_ipc_fuzz::{Mutator, Target, Verdict};

/// The most inputs that are kept as the base of others.
const POOL_MAX: usize = 8_192;

/// After so many crashes a run ends: they are hardly all different.
const CRASHES_MAX: usize = 20;

/// How often a run says how far it is.
const PROGRESS_EVERY: Duration = Duration::from_secs(10);

/// Inputs that are let through are told apart by their length, in steps of this.
const SIZE_STEP_BYTES: usize = 64;

/// Runs per look at the clock.
const RUNS_PER_LOOK: u64 = 256;

#[derive(Parser)]
#[command(about = "Attacks the gate with mutations of the corpus: the same seed, the same inputs in the same order.")]
struct Options {
    /// How long, in seconds, all targets together.
    #[arg(long, default_value_t = 600)]
    seconds: u64,
    /// Where the mutations come from.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Where inputs that broke the gate are written: FOLDER/TARGET/crash-…
    #[arg(long, default_value = "crashes")]
    crashes: PathBuf,
    /// Runs these inputs of one target and nothing else: TARGET FILE…
    #[arg(long, num_args = 2..)]
    replay: Vec<String>,
}

fn main() -> ExitCode {
    let options = Options::parse();
    if let [target, files @ ..] = options.replay.as_slice() {
        return replay(target, files);
    }
    // The default hook would print each panic with its backtrace; what is new is printed below.
    panic::set_hook(Box::new(|_| {}));
    let share = Duration::from_secs(options.seconds) / 2;
    let mut crashes = 0;
    for target in Target::ALL {
        match attack(target, options.seed, share, &options.crashes.join(target.name())) {
            Ok(found) => crashes += found,
            Err(error) => {
                eprintln!("error: {error}");
                return ExitCode::FAILURE;
            }
        }
    }
    if crashes == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Runs files with the panic message in full.
fn replay(target: &str, files: &[String]) -> ExitCode {
    let Some(target) = Target::ALL.into_iter().find(|known| known.name() == target) else {
        eprintln!("error: `{target}` is no target; gate_batch and gate_schema are");
        return ExitCode::FAILURE;
    };
    for file in files {
        match fs::read(file) {
            Ok(input) => println!("{file}: {:?}", target.check(&input)),
            Err(error) => {
                eprintln!("error: {file}: {error}");
                return ExitCode::FAILURE;
            }
        }
    }
    ExitCode::SUCCESS
}

/// Attacks one target; gives the number of crashes.
fn attack(target: Target, seed: u64, share: Duration, crashes: &Path) -> std::io::Result<usize> {
    let seeds = corpus(&target.corpus())?;
    let mut pool = seeds.clone();
    println!("{}: {} inputs, seed {seed}, {} s", target.name(), seeds.len(), share.as_secs());
    let mut mutator = Mutator::new(target, seed);
    let mut answers = HashSet::new();
    let (begin, mut told) = (Instant::now(), Instant::now());
    let (mut runs, mut passed, mut found) = (0_u64, 0_u64, HashSet::new());
    loop {
        let bases = if mutator.pick(2) == 0 { &seeds } else { &pool };
        let mut input = bases[mutator.pick(bases.len())].clone();
        let other = mutator.pick(pool.len());
        mutator.mutate(&mut input, &pool[other]);
        runs += 1;
        match panic::catch_unwind(AssertUnwindSafe(|| target.check(&input))) {
            Ok(verdict) => {
                passed += u64::from(verdict == Verdict::Passed);
                if let Some(answer) = answer(&input, verdict)
                    && pool.len() < POOL_MAX
                    && answers.insert(answer)
                {
                    pool.push(input);
                }
            }
            Err(payload) => {
                let text = text_of(payload.as_ref());
                if found.insert(without_numbers(&text)) {
                    let path = save(crashes, &input)?;
                    println!(
                        "{}: run {runs} of seed {seed} panicked: {text}\n  saved as {}",
                        target.name(),
                        path.display()
                    );
                }
            }
        }
        if runs.is_multiple_of(RUNS_PER_LOOK) {
            let elapsed = begin.elapsed();
            if elapsed >= share || found.len() >= CRASHES_MAX {
                println!("{}", progress(target, elapsed, runs, passed, pool.len(), found.len()));
                return Ok(found.len());
            }
            if told.elapsed() >= PROGRESS_EVERY {
                told = Instant::now();
                println!("{}", progress(target, elapsed, runs, passed, pool.len(), found.len()));
            }
        }
    }
}

fn progress(target: Target, elapsed: Duration, runs: u64, passed: u64, pool: usize, crashes: usize) -> String {
    let per_second = u128::from(runs) * 1_000 / elapsed.as_millis().max(1);
    let share = passed * 100 / runs.max(1);
    let (name, seconds) = (target.name(), elapsed.as_secs());
    format!("{name}: {seconds} s, {runs} runs, {per_second}/s, {share} % let through, pool {pool}, crashes {crashes}")
}

/// What is told apart: the schema that was chosen, and the reason without its numbers, or roughly the size of what was let
/// through. What was not even read leads nowhere.
fn answer(input: &[u8], verdict: Verdict) -> Option<(Option<u8>, String)> {
    let text = match verdict {
        Verdict::Unread(_) => return None,
        Verdict::Refused(reason) => without_numbers(&reason),
        Verdict::Passed => (input.len() / SIZE_STEP_BYTES).to_string(),
    };
    Some((input.first().copied(), text))
}

fn without_numbers(text: &str) -> String {
    text.chars().filter(|char| !char.is_ascii_digit()).collect()
}

fn text_of(payload: &(dyn std::any::Any + Send)) -> String {
    let text = payload.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| payload.downcast_ref::<&str>().copied()).unwrap_or("without a message").to_owned()
}

/// All inputs of a folder, in the order of their names.
fn corpus(folder: &Path) -> std::io::Result<Vec<Vec<u8>>> {
    let mut paths = fs::read_dir(folder)?.map(|entry| Ok(entry?.path())).collect::<std::io::Result<Vec<_>>>()?;
    paths.sort();
    paths.iter().map(fs::read).collect()
}

/// Writes an input under a name that follows from its bytes (FNV-1a).
fn save(folder: &Path, input: &[u8]) -> std::io::Result<PathBuf> {
    let fold = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
    let path = folder.join(format!("crash-{:016x}", input.iter().fold(0xcbf2_9ce4_8422_2325, fold)));
    fs::create_dir_all(folder)?;
    fs::write(&path, input)?;
    Ok(path)
}
