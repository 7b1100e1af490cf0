//! What was tried and what came of it: for whoever watches, and as `tests/chaos/REPORT.md`.

use std::fmt::Write;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use crate::{Chaos, Result, Stop};

/// A part gives up after so many findings: they are hardly all different.
const WRONG_MAX: usize = 10;

/// What one part of the suite did.
#[derive(Debug, Default)]
pub struct Section {
    /// Its name.
    pub name: &'static str,
    /// What it does, in a sentence.
    pub what: &'static str,
    /// How many scenarios were run.
    pub tried: u64,
    /// How many hosts were killed from outside.
    pub kills: u64,
    /// How many ended at a place where they were made to.
    pub deaths: u64,
    /// How many gave up with an error, which was asked for.
    pub failures: u64,
    /// What is wrong.
    pub wrong: Vec<String>,
    /// What could not be tried, and why.
    pub skipped: Vec<String>,
    /// What else there is to say.
    pub notes: Vec<String>,
    /// How long it took.
    pub took: Duration,
}

impl Section {
    /// Of a part that has not begun.
    #[must_use]
    pub fn new(name: &'static str, what: &'static str) -> Self {
        Self { name, what, ..Self::default() }
    }

    /// Whether another scenario is to be run.
    #[must_use]
    pub fn goes_on(&self, chaos: &Chaos) -> bool {
        self.wrong.len() < WRONG_MAX && chaos.has_time()
    }

    /// Runs a scenario and notes what came of it.
    pub fn scenario(&mut self, chaos: &Chaos, name: &str, run: impl FnOnce(&mut Self) -> Result<()>) {
        let began = Instant::now();
        let outcome = run(self);
        self.tried += 1;
        let ms = began.elapsed().as_millis();
        match outcome {
            Ok(()) => chaos.say(&format!("      {} · {name}: right ({ms} ms)", self.name)),
            Err(stop) => {
                let found = format!("{name}: {stop}");
                chaos.say(&format!("      {} · {found}", self.name));
                match stop {
                    Stop::Wrong(_) => self.wrong.push(found),
                    Stop::Trouble(_) => self.skipped.push(found),
                }
            }
        }
    }

    /// Notes that there was no time left for the rest.
    pub fn check_time(&mut self, chaos: &Chaos, what: &str) {
        if !chaos.has_time() {
            self.skipped.push(format!("{what}: the time was up"));
        }
    }
}

/// The report, for people.
#[must_use]
pub fn render(chaos: &Chaos, sections: &[Section], command: &str, commit: &str) -> String {
    let mut text = String::from(
        "# Chaos report\n\nWritten by `chaos`, which `make chaos` runs; what it does stands in `tests/chaos/src`.\n\n",
    );
    let total: Duration = sections.iter().map(|section| section.took).sum();
    let sum = |count: fn(&Section) -> u64| sections.iter().map(count).sum::<u64>();
    let wrong = sections.iter().map(|section| section.wrong.len()).sum::<usize>();
    let host = if cfg!(debug_assertions) { "as the suite, with debug assertions" } else { "optimised" };
    // Writing into a string does not fail.
    let _ = writeln!(
        text,
        "| | |\n|---|---|\n| command | `{command}` |\n| seed | {} |\n| commit | {commit} |\n| host | {host}; state in {:?} |\n\
         | killed from outside | {} |\n| ended at a named place | {} |\n| failed with an injected error | {} |\n\
         | jobs | {} |\n| wrong | {wrong} |\n| took | {} s |\n",
        chaos.options.seed,
        chaos.options.state,
        sum(|section| section.kills),
        sum(|section| section.deaths),
        sum(|section| section.failures),
        sum(|section| section.tried),
        total.as_secs(),
    );
    text.push_str(
        "Each job's output was compared, row by row, with its closed form by DuckDB: nothing lost, nothing twice, in \
                   order by key, and no staged file left behind.\n\n",
    );
    text.push_str(
        "| part | jobs | killed | ended at a place | failed | wrong | seconds |\n|---|---|---|---|---|---|---|\n",
    );
    for section in sections {
        let Section { name, tried, kills, deaths, failures, wrong, took, .. } = section;
        let (wrong, took) = (wrong.len(), took.as_secs());
        let _ = writeln!(text, "| {name} | {tried} | {kills} | {deaths} | {failures} | {wrong} | {took} |");
    }
    for section in sections {
        let _ = writeln!(text, "\n## {}\n\n{}", section.name, section.what);
        for (title, lines) in [("", &section.notes), ("Wrong: ", &section.wrong), ("Not tried: ", &section.skipped)] {
            if !lines.is_empty() {
                text.push('\n');
            }
            for line in lines {
                let _ = writeln!(text, "- {title}{}", one_line(line));
            }
        }
    }
    text
}

fn one_line(text: &str) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(600) {
        Some((at, _)) => format!("{}…", &line[..at]),
        None => line,
    }
}

/// The commit that was tested, and whether something differed from it.
#[must_use]
pub fn commit() -> String {
    let git = |arguments: &[&str]| {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
        let output = Command::new("git").args(arguments).current_dir(folder).output().ok()?;
        output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
    };
    let Some(head) = git(&["rev-parse", "--short=12", "HEAD"]) else { return "unknown".to_owned() };
    match git(&["status", "--porcelain", "--untracked-files=no", "--", ":(top)", ":(top,exclude)tests/chaos/REPORT.md"])
    {
        Some(changes) if changes.is_empty() => head,
        _ => format!("{head}, with changes"),
    }
}
