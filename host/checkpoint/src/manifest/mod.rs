//! What a manifest says of an epoch: everything that a job goes on from, and which files hold its state.
//!
//! A manifest is a line and a body: `volley-manifest VERSION LENGTH CRC32C`, the length of the body in bytes and its
//! checksum in eight hexadecimal digits, and then the body in JSON. The line never changes, so that every host can tell a
//! manifest that is damaged from one that is too new for it. What is here is version 1, which every later host reads:
//! `tests/golden/manifest-1.json` is one.

mod codec;
mod convert;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use volley_api::Epoch;

pub use codec::FORMAT;
pub(crate) use codec::{Decoded, abandoned, decode, encode};

use crate::store::taken_in;

/// Everything that there is to know of a complete epoch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// The version of the format: [`FORMAT`].
    pub format: u32,
    /// The job.
    pub job: String,
    /// The start of the job that wrote it.
    pub incarnation: u64,
    /// The epoch.
    pub epoch: u64,
    /// When it was written, in milliseconds since 1970.
    pub created_ms: u64,
    /// The version of the host that wrote it.
    pub host_version: String,
    /// How many key groups state is cut into.
    pub key_groups: u32,
    /// The plan of the job, node by node.
    pub plan: Vec<PlanNode>,
    /// Whether the job had come to its end.
    pub is_final: bool,
    /// How many checkpoints ago all shared files were last copied anew; 0 when this one did.
    pub checkpoints_since_copy: u32,
    /// How far splits were read, by source and split.
    pub sources: BTreeMap<String, BTreeMap<String, SplitEntry>>,
    /// What operators keep, by their names.
    pub operators: BTreeMap<String, OperatorEntry>,
    /// What was prepared, in this epoch and earlier ones, and was not known to be committed, ordered by epoch.
    pub pending: Vec<PendingEntry>,
}

/// A node of the plan, as far as state depends on it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlanNode {
    /// Its name, under which its state is kept.
    pub uid: String,
    /// What it is, in a few words.
    pub kind: String,
    /// How many instances it had.
    pub parallelism: u32,
    /// A digest of everything that decides what it makes of rows. Whoever does not know it gives none, and then a damaged
    /// checkpoint cannot be rebuilt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub definition: Option<String>,
    /// How keys and values of its states are laid out, by the names of the states.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub layouts: BTreeMap<String, String>,
}

/// How far a split was read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SplitEntry {
    /// To where.
    pub position: PositionEntry,
    /// The latest event time seen in it, as a watermark in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reached_ms: Option<i64>,
}

/// A position in a split.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PositionEntry {
    /// The connector's own offset.
    Offset(Base64),
    /// Its end.
    Ended,
}

/// What an operator keeps.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OperatorEntry {
    /// How far event time had come in all its instances.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub watermark: Option<WatermarkEntry>,
    /// Its states by name, each with the parts of all instances.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub keyed: BTreeMap<String, Vec<PartEntry>>,
}

/// A watermark.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WatermarkEntry {
    /// Event time in milliseconds.
    AtMs(i64),
    /// Event time is over.
    End,
}

/// The state of one instance.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PartEntry {
    /// The instance.
    pub subtask: u32,
    /// Its first key group, and the one behind its last.
    pub key_groups: [u32; 2],
    /// How keys and values are laid out.
    pub layout: String,
    /// Which backend wrote the files, and in which version.
    pub format: String,
    /// The files.
    pub files: Vec<FileEntry>,
}

/// A file of a state.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileEntry {
    /// Its name in the snapshot.
    pub name: String,
    /// The name that only files of this content have, if it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub identity: Option<String>,
    /// Where it lies, below the folder of the job, or of the savepoint.
    pub path: String,
    /// Its length.
    pub bytes: u64,
    /// The CRC32C of its content.
    pub crc32c: u32,
}

/// Output that is not known to be committed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PendingEntry {
    /// The job that wrote it.
    pub job: String,
    /// The start of the job that wrote it.
    pub incarnation: u64,
    /// The sink.
    pub sink: String,
    /// Which of the sink's writers.
    pub subtask: u32,
    /// The epoch that it belongs to.
    pub epoch: u64,
    /// The connector's own token.
    pub token: Base64,
}

/// Bytes, written as base64.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Base64(pub Bytes);

impl Manifest {
    /// The epoch.
    #[must_use]
    pub fn epoch(&self) -> Epoch {
        Epoch(self.epoch)
    }

    /// The files of all states; one that several states refer to occurs several times.
    pub fn files(&self) -> impl Iterator<Item = &FileEntry> {
        let states = self.operators.values().flat_map(|operator| operator.keyed.values());
        states.flatten().flat_map(|part| &part.files)
    }

    /// How many bytes its files have, each counted once.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        let files: BTreeMap<_, _> = self.files().map(|file| (&file.path, file.bytes)).collect();
        files.values().sum()
    }

    /// How many of them are in files that were taken in this epoch; the others were there before.
    #[must_use]
    pub fn new_bytes(&self) -> u64 {
        let own = self.files().filter(|file| taken_in(&file.path) == Some(self.epoch()));
        own.map(|file| (&file.path, file.bytes)).collect::<BTreeMap<_, _>>().values().sum()
    }
}
