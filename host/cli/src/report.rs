//! What the commands print: tables for people, JSON for scripts.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::{Value, json};
use volley_cli::doctor::{Check, healthy};
use volley_cli::plugin::BuiltPlugin;
use volley_cli::plugin::contract::Kind;
use volley_cli::plugin::diff::{Difference, Verdict};
use volley_cli::plugin::inspect::{Column, Import, Inspection};
use volley_cli::plugin::where_::{Frame, Place};
use volley_cli::table::{Table, bytes};

/// The report of `volley doctor`.
pub(crate) fn doctor(checks: &[Check]) -> String {
    let mut table = Table::new(["", "tool", "found", "version", "needed for"]);
    for check in checks {
        let mark = match (check.ok, check.needed) {
            (true, _) => "ok",
            (false, true) => "MISSING",
            (false, false) => "-",
        };
        table.row([mark, check.tool, &check.found, check.version.as_deref().unwrap_or(""), check.needed_for]);
    }
    let mut text = table.to_string();
    for check in checks.iter().filter(|check| !check.ok) {
        text.push_str(&format!(
            "\n{}: {}\n",
            check.tool,
            if check.install.len() > 1 { "one of" } else { "install with" }
        ));
        for command in &check.install {
            text.push_str(&format!("    {command}\n"));
        }
    }
    text.push_str(if healthy(checks) {
        "\nAll that is needed is here.\n"
    } else {
        "\nSomething that is needed is missing.\n"
    });
    text
}

/// The same for scripts.
pub(crate) fn doctor_json(checks: &[Check]) -> Value {
    json!({ "ok": healthy(checks), "checks": checks })
}

/// What was made, and what to do next.
pub(crate) fn created(files: &[PathBuf], next: &[String]) -> String {
    let mut text = String::new();
    for file in files {
        text.push_str(&format!("  made {}\n", file.display()));
    }
    text.push_str("\nNext:\n");
    for line in next {
        text.push_str(&format!("  {line}\n"));
    }
    text
}

/// What was built.
pub(crate) fn built(plugins: &[BuiltPlugin], took: Duration) -> String {
    let mut table = Table::new(["plugin", "operator", "size", "digest", "file"]);
    for plugin in plugins {
        table.row([
            plugin.name.as_str(),
            plugin.kind.name(),
            &bytes(plugin.bytes),
            &plugin.digest,
            &plugin.path.display().to_string(),
        ]);
    }
    format!("{table}\nBuilt {} in {:.1} s.\n", plural(plugins.len(), "plugin"), took.as_secs_f64())
}

/// The same for scripts.
pub(crate) fn built_json(plugins: &[BuiltPlugin], took: Duration) -> Value {
    let plugin = |plugin: &BuiltPlugin| {
        json!({
            "name": plugin.name,
            "kind": plugin.kind.name(),
            "path": plugin.path,
            "debug_build": plugin.debug_build,
            "bytes": plugin.bytes,
            "digest": plugin.digest,
        })
    };
    json!({ "seconds": took.as_secs_f64(), "plugins": plugins.iter().map(plugin).collect::<Vec<_>>() })
}

fn plural(count: usize, word: &str) -> String {
    format!("{count} {word}{}", if count == 1 { "" } else { "s" })
}

/// What `volley plugin inspect` found.
pub(crate) fn inspection(told: &Inspection) -> String {
    let mut table = Table::default();
    table.row(["name", told.name.as_deref().unwrap_or("not stated")]);
    table.row(["version", told.version.as_deref().unwrap_or("not stated")]);
    table.row(["file", &told.file.display().to_string()]);
    table.row(["size", &bytes(told.bytes)]);
    table.row(["digest", &told.digest]);
    table.row(["operator", told.kind.unwrap_or("none")]);
    table.row(["world", told.world.as_deref().unwrap_or("unknown")]);
    table.row(["contract", told.contract.as_deref().unwrap_or("unknown")]);
    let columns = |columns: fn(&Inspection) -> Option<&[Column]>| match columns(told) {
        None => vec!["decided by its configuration (`volley-host plan` shows them)".to_owned()],
        Some([]) => vec!["none".to_owned()],
        Some(columns) => columns.iter().map(|column| format!("{}: {}", column.name, column.data_type)).collect(),
    };
    list(&mut table, "reads", columns(|told| Some(&told.columns.as_ref()?.reads)));
    list(&mut table, "writes", columns(writes));
    if let Some(states) = &told.states {
        list(&mut table, "states", states.iter().map(ToString::to_string));
    }
    table.row(["memory", &bytes(told.memory_bytes)]);
    let mark = |import: &Import| match import.grant {
        _ if !import.granted => "  (refused)".to_owned(),
        Some(grant) => format!("  (where the pipeline grants it: grants.{grant})"),
        None => String::new(),
    };
    list(&mut table, "imports", told.imports.iter().map(|import| format!("{}{}", import.name, mark(import))));
    list(&mut table, "exports", told.exports.iter().cloned());
    for (field, values) in &told.producers {
        list(&mut table, field, values.iter().cloned());
    }
    table.row(["debug info", if told.debug_info { "yes" } else { "no" }]);
    let mut text = table.to_string();
    for problem in &told.problems {
        text.push_str(&format!("\nproblem: {problem}\n"));
    }
    text
}

/// The columns it writes, where that is known: a filter writes none, whatever its configuration.
fn writes(told: &Inspection) -> Option<&[Column]> {
    match &told.columns {
        Some(columns) => Some(&columns.writes),
        None => (told.kind == Some(Kind::Filter.name())).then_some(&[]),
    }
}

fn list(table: &mut Table, heading: &str, values: impl IntoIterator<Item = String>) {
    let mut empty = true;
    for (index, value) in values.into_iter().enumerate() {
        empty = false;
        table.row([if index == 0 { heading } else { "" }, &value]);
    }
    if empty {
        table.row([heading, "none"]);
    }
}

/// What `volley plugin inspect --diff` found.
pub(crate) fn difference(found: &Difference) -> String {
    let mut table = Table::default();
    for change in &found.changes {
        let sign = match (&change.old, &change.new) {
            _ if change.attention.is_some() => "!",
            (None, _) => "+",
            (_, None) => "-",
            _ => "",
        };
        let words = match (&change.old, &change.new) {
            (Some(old), Some(new)) => format!("{old} → {new}"),
            (Some(only), None) | (None, Some(only)) => only.clone(),
            (None, None) => String::new(),
        };
        let so = change.attention.as_ref().map_or_else(String::new, |why| format!("  ({why})"));
        table.row([sign, change.what, &format!("{words}{so}")]);
    }
    let verdict = match found.verdict {
        Verdict::Equal => "The same, byte for byte.",
        Verdict::Compatible => "The new one can take the old one's place, as far as can be told without running them.",
        Verdict::Attention => "Look at the lines with `!` before the new one takes the old one's place.",
    };
    format!("{table}{}{verdict}\n", if found.changes.is_empty() { "" } else { "\n" })
}

/// What `volley plugin where` found.
pub(crate) fn places(places: &[Place], here: &Path) -> String {
    let mut text = String::new();
    for place in places {
        for (index, frame) in place.frames.iter().enumerate() {
            let head = match index {
                0 => format!("{:#x}", place.offset),
                _ => "  inlined into".to_owned(),
            };
            text.push_str(&format!("{head}  {}\n      at {}\n", frame.function, source(frame, here)));
        }
    }
    text
}

fn source(frame: &Frame, here: &Path) -> String {
    let Some(file) = &frame.file else { return "an unknown line".to_owned() };
    let short = Path::new(file).strip_prefix(here).unwrap_or(Path::new(file)).display();
    match (frame.line, frame.column) {
        (Some(line), Some(column)) if column > 0 => format!("{short}:{line}:{column}"),
        (Some(line), _) => format!("{short}:{line}"),
        (None, _) => short.to_string(),
    }
}
