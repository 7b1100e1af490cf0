//! `volley-host checkpoints inspect` and `volley-host savepoint inspect`: what a manifest says.

use serde_json::{Value, json};
use volley_api::{Epoch, Error, Result};
use volley_checkpoint::manifest::{Manifest, OperatorEntry, PartEntry, PositionEntry, SplitEntry, WatermarkEntry};
use volley_checkpoint::store::{CheckpointStore, EpochState, Savepoint};

use super::{check_is_there, table, utc, written_at};
use crate::args::One;
use crate::output::print;
use crate::run::Ending;
use crate::summary::grouped;

/// The longest offset that is shown whole, in characters.
const OFFSET_MAX: usize = 60;

/// Shows a checkpoint of a job.
pub(super) async fn checkpoint(store: &CheckpointStore, which: One, json: bool) -> Result<Ending> {
    let epoch = match which {
        One::Epoch(epoch) => {
            check_is_there(store, epoch).await?;
            epoch
        }
        One::Newest => newest(store).await?,
    };
    let manifest = store.inspect(epoch).await.map_err(Error::from)?;
    show(&manifest, &format!("checkpoint {epoch} of {}", store.label()), json)
}

/// The newest that can be looked at, damaged files or not.
pub(super) async fn newest(store: &CheckpointStore) -> Result<Epoch> {
    let entries = store.list().await?;
    let can_be_read = |state: &EpochState| match state {
        EpochState::Complete { .. } => true,
        EpochState::Damaged { manifest, .. } => manifest.is_some(),
        _ => false,
    };
    let newest = entries.iter().find(|entry| can_be_read(&entry.state)).map(|entry| entry.epoch);
    newest.ok_or_else(|| Error::config(format!("there is no complete checkpoint in {}", store.label())))
}

/// Shows a savepoint.
pub(super) async fn savepoint(savepoint: &Savepoint, location: &str, json: bool) -> Result<Ending> {
    let manifest = savepoint.inspect().await.map_err(Error::from)?;
    show(&manifest, &format!("savepoint {location}, checkpoint {}", manifest.epoch), json)
}

fn show(manifest: &Manifest, what: &str, json: bool) -> Result<Ending> {
    if json {
        let mut value = serde_json::to_value(manifest)
            .map_err(|error| Error::internal("a manifest is no JSON").caused_by(error))?;
        if let Some(value) = value.as_object_mut() {
            value.insert("bytes".to_owned(), json!(manifest.bytes()));
            value.insert("new_bytes".to_owned(), json!(manifest.new_bytes()));
            value.insert("read_to".to_owned(), read_to(manifest));
        }
        print(&format!("{value:#}\n"))?;
    } else {
        print(&text(manifest, what))?;
    }
    Ok(Ending::Done)
}

fn text(manifest: &Manifest, what: &str) -> String {
    let Manifest { job, incarnation, created_ms, host_version, key_groups, .. } = manifest;
    let finished = if manifest.is_final { "; the job had finished" } else { "" };
    let mut text = format!(
        "{what}\njob {job}, start {incarnation}, written {} by volley-host {host_version}; {} bytes of state, {} of them \
         new{finished}\n",
        written_at(*created_ms),
        grouped(manifest.bytes()),
        grouped(manifest.new_bytes()),
    );
    let splits = manifest.sources.iter().flat_map(|(source, splits)| {
        splits.iter().map(move |(split, entry)| {
            vec![source.clone(), split.clone(), read_so_far(entry), entry.reached_ms.map_or(String::new(), utc)]
        })
    });
    let heads = ["source", "split", "read to", "event time"];
    section(&mut text, "sources", &heads, splits.collect(), &heads);
    let operators = manifest.operators.iter().flat_map(|(name, entry)| operator(name, entry, *key_groups));
    let heads = ["operator", "watermark", "state", "instances", "key groups", "files", "bytes", "format", "layout"];
    let words = ["operator", "watermark", "state", "format", "layout"];
    section(&mut text, "operators", &heads, operators.collect(), &words);
    let pending = manifest.pending.iter().map(|entry| {
        let token = format!("{} bytes", entry.token.0.len());
        vec![
            entry.sink.clone(),
            entry.subtask.to_string(),
            entry.epoch.to_string(),
            entry.incarnation.to_string(),
            token,
        ]
    });
    let heads = ["sink", "writer", "epoch", "start", "token"];
    section(&mut text, "output that waits for its commit", &heads, pending.collect(), &["sink"]);
    let plan = manifest.plan.iter().map(|node| vec![node.uid.clone(), node.parallelism.to_string(), node.kind.clone()]);
    section(&mut text, "plan", &["node", "instances", "what it is"], plan.collect(), &["node", "what it is"]);
    text
}

/// A heading and a table, or that there is nothing.
fn section(text: &mut String, heading: &str, heads: &[&str], rows: Vec<Vec<String>>, words: &[&str]) {
    if rows.is_empty() {
        text.push_str(&format!("{heading}: none\n"));
    } else {
        text.push_str(&format!("{heading}:\n{}\n", table(heads, &rows, words, 2)));
    }
}

/// A line for each state of an operator, or one without.
fn operator(name: &str, entry: &OperatorEntry, key_groups: u32) -> Vec<Vec<String>> {
    let watermark = match entry.watermark {
        None => String::new(),
        Some(WatermarkEntry::AtMs(ms)) => utc(ms),
        Some(WatermarkEntry::End) => "end".to_owned(),
    };
    if entry.keyed.is_empty() {
        let mut row = vec![name.to_owned(), watermark];
        row.resize(9, String::new());
        return vec![row];
    }
    let state = |(state, parts): (&String, &Vec<PartEntry>)| {
        let files = || parts.iter().flat_map(|part| &part.files);
        let groups: u32 = parts.iter().map(|part| part.key_groups[1].saturating_sub(part.key_groups[0])).sum();
        let of = |of: fn(&PartEntry) -> &String| parts.first().map(of).cloned().unwrap_or_default();
        vec![
            name.to_owned(),
            watermark.clone(),
            state.clone(),
            parts.len().to_string(),
            format!("{groups} of {key_groups}"),
            files().count().to_string(),
            grouped(files().map(|file| file.bytes).sum()),
            of(|part| &part.format),
            of(|part| &part.layout),
        ]
    };
    entry.keyed.iter().map(state).collect()
}

/// How far a split was read. What an offset means is its connector's business: text is shown, and other bytes in hexadecimal.
fn read_so_far(entry: &SplitEntry) -> String {
    let PositionEntry::Offset(offset) = &entry.position else { return "its end".to_owned() };
    let is_text = !offset.0.is_empty() && offset.0.iter().all(|byte| byte.is_ascii_graphic() || *byte == b' ');
    let shown = if is_text {
        String::from_utf8_lossy(&offset.0).into_owned()
    } else {
        let digits: String = offset.0.iter().map(|byte| format!("{byte:02x}")).collect();
        format!("0x{digits}")
    };
    match shown.char_indices().nth(OFFSET_MAX) {
        Some((end, _)) => format!("{}…", &shown[..end]),
        None => shown,
    }
}

/// The same for scripts, by source and split.
fn read_to(manifest: &Manifest) -> Value {
    let of_source = |(source, splits): (&String, &std::collections::BTreeMap<String, SplitEntry>)| {
        let splits = splits.iter().map(|(split, entry)| (split.clone(), json!(read_so_far(entry))));
        (source.clone(), Value::Object(splits.collect()))
    };
    Value::Object(manifest.sources.iter().map(of_source).collect())
}
