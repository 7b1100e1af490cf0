//! The suite as a program: `make chaos`.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use clap::{Parser, ValueEnum};
use volley_test_chaos::parts::{self, Amount, Part};
use volley_test_chaos::{Chaos, Options, Section, States, report};

/// Crashes whole jobs of volley-host and compares what they put out with what they must.
#[derive(Debug, Parser)]
#[command(name = "chaos", args_override_self = true)]
struct Arguments {
    /// What to run. Default: everything.
    #[arg(value_enum)]
    parts: Vec<Part>,
    /// The same.
    #[arg(long, value_enum, value_delimiter = ',', value_name = "PART")]
    only: Vec<Part>,
    /// The host, built with the features fail-points and planted-bugs. Default: the one beside this program.
    #[arg(long, value_name = "FILE")]
    host: Option<PathBuf>,
    /// Times, places and pipelines come from it: the same ones for the same seed.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// How many hosts `kills` kills.
    #[arg(long, default_value_t = 500)]
    kills: u64,
    /// How many rounds of parts that have no natural number of them.
    #[arg(long, default_value_t = 10)]
    rounds: u64,
    /// Nothing new begins after this many minutes.
    #[arg(long, default_value_t = 60)]
    minutes: u64,
    /// Of the named places, tries these only.
    #[arg(long, value_delimiter = ',', value_name = "NAME")]
    places: Vec<String>,
    /// Where jobs keep state.
    #[arg(long, value_enum, default_value_t)]
    state: States,
    /// So many parts run beside one another.
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u8).range(1..=8))]
    beside: u8,
    /// Copies jobs that go wrong into this folder, with their checkpoints and output.
    #[arg(long, value_name = "DIR")]
    keep: Option<PathBuf>,
    /// Writes the report into this file.
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
}

impl Arguments {
    /// What runs the same again, without paths of this machine.
    fn command(&self) -> String {
        let parts = self.parts.iter().chain(&self.only).filter_map(Part::to_possible_value);
        let parts: String = parts.map(|part| format!(" {}", part.get_name())).collect();
        let state = self.state.to_possible_value().map_or_else(String::new, |state| state.get_name().to_owned());
        let Self { seed, kills, rounds, minutes, beside, .. } = self;
        format!(
            "chaos{parts} --seed {seed} --kills {kills} --rounds {rounds} --minutes {minutes} --state {state} --beside {beside}"
        )
    }
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let beside = || Some(std::env::current_exe().ok()?.with_file_name("volley-host"));
    let Some(host) = arguments.host.clone().or_else(beside) else {
        eprintln!("error: name the host with --host");
        return ExitCode::from(2);
    };
    let options = Options {
        host: std::path::absolute(&host).unwrap_or(host),
        seed: arguments.seed,
        limit: Duration::from_secs(60 * arguments.minutes),
        states: arguments.state,
        places: arguments.places.clone(),
        keep: arguments.keep.clone(),
        is_loud: true,
    };
    eprintln!("chaos: seed {}, at most {} minutes", arguments.seed, arguments.minutes);
    let chaos = match Chaos::new(options) {
        Ok(chaos) => chaos,
        Err(stop) => {
            eprintln!("error: {stop}");
            return ExitCode::from(2);
        }
    };
    let mut chosen = [&arguments.parts[..], &arguments.only[..]].concat();
    if chosen.is_empty() {
        chosen = Part::value_variants().to_vec();
    }
    // What is tested, whatever is committed meanwhile.
    let commit = report::commit();
    let amount = Amount { rounds: arguments.rounds, ..Amount::whole(arguments.kills) };
    let began = Instant::now();
    let sections = all(&chaos, &chosen, amount, usize::from(arguments.beside));
    let text = report::render(&chaos, &sections, &arguments.command(), &commit, began.elapsed());
    match &arguments.report {
        Some(path) => {
            if let Err(error) = std::fs::write(path, text) {
                eprintln!("error: {}: {error}", path.display());
                return ExitCode::from(2);
            }
        }
        None => eprintln!("\n{text}"),
    }
    for line in sections.iter().flat_map(|section| &section.skipped) {
        eprintln!("NOT TRIED: {line}");
    }
    let unreadable: Vec<_> = sections.iter().flat_map(|section| &section.unreadable).collect();
    for line in &unreadable {
        eprintln!("CANNOT BE JUDGED: {line}");
    }
    let wrong: Vec<_> = sections.iter().flat_map(|section| &section.wrong).collect();
    for line in &wrong {
        eprintln!("WRONG: {line}");
    }
    let jobs: u64 = sections.iter().map(|section| section.total().tried).sum();
    eprintln!("chaos: {jobs} jobs in {} s, {} wrong", began.elapsed().as_secs(), wrong.len() + unreadable.len());
    if wrong.is_empty() && unreadable.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Runs all parts, a few at a time, and gives what each did, in order.
fn all(chaos: &Chaos, chosen: &[Part], amount: Amount, beside: usize) -> Vec<Section> {
    let next = AtomicUsize::new(0);
    let done: Vec<Mutex<Option<Section>>> = chosen.iter().map(|_| Mutex::new(None)).collect();
    let work = || {
        loop {
            let index = next.fetch_add(1, Ordering::Relaxed);
            let (Some(part), Some(place)) = (chosen.get(index), done.get(index)) else { return };
            let count = chosen.len();
            chaos.say(&format!("[{}/{count}] {part:?}", index + 1));
            let section = parts::run(chaos, *part, amount);
            let (counts, seconds) = (section.total(), section.took.as_secs());
            chaos.say(&format!(
                "[{}/{count}] {part:?}: {} jobs, {} killed, {} ended at a place, {} wrong, {} cannot be judged, {seconds} s",
                index + 1,
                counts.tried,
                counts.kills,
                counts.deaths,
                section.wrong.len(),
                section.unreadable.len()
            ));
            if let Ok(mut place) = place.lock() {
                *place = Some(section);
            }
        }
    };
    thread::scope(|scope| {
        for _ in 0..beside {
            scope.spawn(work);
        }
    });
    done.into_iter().filter_map(|place| place.into_inner().ok().flatten()).collect()
}
