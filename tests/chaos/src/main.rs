//! The suite as a program: `make chaos`.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Parser, ValueEnum};
use volley_test_chaos::parts::{self, Amount, Part};
use volley_test_chaos::{Chaos, Options, State, report};

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
    state: State,
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
        let Self { seed, kills, rounds, minutes, .. } = self;
        format!("chaos{parts} --seed {seed} --kills {kills} --rounds {rounds} --minutes {minutes}")
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
        state: arguments.state,
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
    let mut sections = Vec::new();
    for (index, part) in chosen.iter().enumerate() {
        chaos.say(&format!("[{}/{}] {part:?}", index + 1, chosen.len()));
        let section = parts::run(&chaos, *part, amount);
        let (right, wrong) = (section.tried, section.wrong.len());
        chaos.say(&format!(
            "      {right} jobs, {} killed, {} ended at a place, {wrong} wrong",
            section.kills, section.deaths
        ));
        sections.push(section);
    }
    let text = report::render(&chaos, &sections, &arguments.command(), &commit);
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
    let wrong: Vec<_> = sections.iter().flat_map(|section| &section.wrong).collect();
    for line in &wrong {
        eprintln!("WRONG: {line}");
    }
    if wrong.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
