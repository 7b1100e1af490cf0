//! `volley-host checkpoints list`.

use serde_json::{Value, json};
use volley_api::Result;
use volley_checkpoint::manifest::{Manifest, PositionEntry};
use volley_checkpoint::store::{CheckpointStore, EpochEntry, EpochState};

use super::{table, written_at};
use crate::output::print;
use crate::run::Ending;
use crate::summary::grouped;

/// The columns.
const HEADS: [&str; 8] =
    ["epoch", "state", "written", "new bytes", "shared bytes", "splits", "waiting commits", "note"];
/// Those that are no numbers.
const WORDS: [&str; 3] = ["state", "written", "note"];
/// Those that are shown in any case.
const ALWAYS: usize = 7;

/// Lists the checkpoints of a job, the newest first.
pub(super) async fn list(store: &CheckpointStore, json: bool) -> Result<Ending> {
    let entries = store.list().await?;
    if json {
        let entries: Vec<Value> = entries.iter().map(as_json).collect();
        let list = json!({ "job": store.job(), "location": store.label(), "checkpoints": entries });
        print(&format!("{list:#}\n"))?;
    } else if entries.is_empty() {
        print(&format!("there is no checkpoint in {}\n", store.label()))?;
    } else {
        let rows: Vec<Vec<String>> = entries.iter().map(|entry| as_row(entry).to_vec()).collect();
        print(&format!("{}\n", table(&HEADS, &rows, &WORDS, ALWAYS)))?;
    }
    Ok(Ending::Done)
}

/// The state of an epoch in a word, what its manifest says, and what else there is to say.
pub(super) fn parts(state: &EpochState) -> (&'static str, Option<&Manifest>, Vec<String>) {
    let texts = |damage: &[volley_checkpoint::Damage]| damage.iter().map(ToString::to_string).collect();
    match state {
        EpochState::Complete { manifest, notes } => ("complete", Some(manifest), texts(notes)),
        EpochState::Incomplete { reason } => ("incomplete", None, vec![reason.clone()]),
        EpochState::Damaged { damage, manifest } => ("damaged", manifest.as_deref(), texts(damage)),
        EpochState::Foreign { reason } => ("foreign", None, vec![reason.clone()]),
        _ => ("unknown", None, Vec::new()),
    }
}

fn as_row(entry: &EpochEntry) -> [String; 8] {
    let (state, manifest, mut notes) = parts(&entry.state);
    let cell = |of: fn(&Manifest) -> String| manifest.map(of).unwrap_or_default();
    if manifest.is_some_and(|manifest| manifest.is_final) {
        notes.insert(0, "the job had finished".to_owned());
    }
    let note = match &notes[..] {
        [] => String::new(),
        [one] => one.clone(),
        [first, more @ ..] => format!("{first}; and {} more", more.len()),
    };
    [
        entry.epoch.to_string(),
        state.to_owned(),
        cell(|manifest| written_at(manifest.created_ms)),
        cell(|manifest| grouped(manifest.new_bytes())),
        cell(|manifest| grouped(manifest.bytes() - manifest.new_bytes())),
        cell(|manifest| grouped(splits(manifest).0)),
        cell(|manifest| grouped(manifest.pending.len() as u64)),
        note,
    ]
}

fn as_json(entry: &EpochEntry) -> Value {
    let (state, manifest, notes) = parts(&entry.state);
    let mut value = json!({ "epoch": entry.epoch.0, "state": state, "notes": notes });
    if let (Some(manifest), Some(value)) = (manifest, value.as_object_mut()) {
        let (splits, ended) = splits(manifest);
        value.extend([
            ("written_ms".to_owned(), json!(manifest.created_ms)),
            ("is_final".to_owned(), json!(manifest.is_final)),
            ("new_bytes".to_owned(), json!(manifest.new_bytes())),
            ("shared_bytes".to_owned(), json!(manifest.bytes() - manifest.new_bytes())),
            ("splits".to_owned(), json!(splits)),
            ("splits_ended".to_owned(), json!(ended)),
            ("waiting_commits".to_owned(), json!(manifest.pending.len())),
        ]);
    }
    value
}

/// How many splits a checkpoint knows, and how many of them were read to their end.
fn splits(manifest: &Manifest) -> (u64, u64) {
    let all = || manifest.sources.values().flat_map(|splits| splits.values());
    let ended = all().filter(|split| split.position == PositionEntry::Ended);
    (all().count() as u64, ended.count() as u64)
}
