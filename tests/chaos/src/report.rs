//! What was tried and what came of it, as `tests/chaos/REPORT.md`.

use std::fmt::Write;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use crate::{Chaos, Counts, Section};

/// The report, for people.
#[must_use]
pub fn render(chaos: &Chaos, sections: &[Section], command: &str, commit: &str, took: Duration) -> String {
    let mut text = String::from(
        "# Chaos report\n\nWritten by `chaos`, which `make chaos` runs; what it does stands in `tests/chaos/src`.\n\n",
    );
    let mut sum = Counts::default();
    for section in sections {
        sum += section.total();
    }
    let host = if cfg!(debug_assertions) { "as the suite, with debug assertions" } else { "optimised" };
    // Writing into a string does not fail.
    let _ = writeln!(
        text,
        "| | |\n|---|---|\n| command | `{command}` |\n| seed | {} |\n| commit | {commit} |\n| host | {host} |\n\
         | state | {} |\n| killed from outside | {} |\n| ended at a named place | {} |\n\
         | failed with an injected error | {} |\n| jobs | {} |\n| wrong | {} |\n| cannot be judged | {} |\n| took | {} s |\n",
        chaos.options.seed,
        chaos.options.states,
        sum.kills,
        sum.deaths,
        sum.failures,
        sum.tried,
        sections.iter().map(|section| section.wrong.len()).sum::<usize>(),
        sections.iter().map(|section| section.unreadable.len()).sum::<usize>(),
        took.as_secs(),
    );
    text.push_str(
        "Each job's output was compared, row by row, with its closed form by DuckDB: nothing lost, nothing twice, in order by \
         key, and no staged file left behind. Output that DuckDB cannot read, or whose columns are others, cannot be judged: it \
         is counted by itself, and so is a checker that fails. Parts run beside one another, so that their seconds add up to \
         more than the whole took.\n\n",
    );
    counts_table(&mut text, sections);
    for section in sections {
        let _ = writeln!(text, "\n## {}\n\n{}", section.name, section.what);
        table(&mut text, &section.table);
        let lists = [
            ("", &section.notes),
            ("Wrong: ", &section.wrong),
            ("Cannot be judged: ", &section.unreadable),
            ("Not tried: ", &section.skipped),
        ];
        for (title, lines) in lists {
            if !lines.is_empty() {
                text.push('\n');
            }
            for line in lines {
                let _ = writeln!(text, "- {title}{}", one_line(line, 600));
            }
        }
    }
    text
}

/// A row for each part and kind of state.
fn counts_table(text: &mut String, sections: &[Section]) {
    let titles = "part,state,jobs,killed,ended at a place,failed,wrong,cannot be judged,seconds";
    let mut rows = vec![titles.split(',').map(str::to_owned).collect()];
    for section in sections {
        for (state, counts) in &section.counts {
            let Counts { tried, kills, deaths, failures, wrong, unreadable, took } = *counts;
            let mut row = vec![section.name.to_owned(), state.to_string()];
            row.extend([tried, kills, deaths, failures, wrong, unreadable, took.as_secs()].map(|n| n.to_string()));
            rows.push(row);
        }
    }
    table(text, &rows);
}

fn table(text: &mut String, rows: &[Vec<String>]) {
    if !text.ends_with("\n\n") && !rows.is_empty() {
        text.push('\n');
    }
    for (index, row) in rows.iter().enumerate() {
        let cells: Vec<_> = row.iter().map(|cell| one_line(cell, 300).replace('|', "\\|")).collect();
        let _ = writeln!(text, "| {} |", cells.join(" | "));
        if index == 0 {
            let _ = writeln!(text, "|{}", "---|".repeat(row.len()));
        }
    }
}

fn one_line(text: &str, most: usize) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(most) {
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
