//! From a manifest and its files to what a job goes on from.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use futures::{StreamExt, TryStreamExt, stream};
use volley_api::{
    Committable, InvalidName, JobState, KeyGroupRange, NodeName, SplitId, SplitState, StateFile, StatePart,
};

use crate::manifest::{FileEntry, Manifest, PartEntry};
use crate::store::{BlobStore, compare, distinct_files, escape, manifest_name};
use crate::{Damage, Error, Result};

/// What a job goes on from.
#[derive(Debug)]
pub struct Restored {
    /// What the checkpoint says.
    pub manifest: Manifest,
    /// Its state, with files on this machine.
    pub state: JobState,
    /// Output of its epoch and earlier ones that was not known to be committed, in order of epochs.
    pub pending: Vec<Committable>,
    /// How many bytes had to be copied to this machine.
    pub downloaded_bytes: u64,
    /// Whether its files lie in the store of the job, and not in a savepoint.
    pub(crate) is_of_the_store: bool,
}

impl Restored {
    /// What is left of a job that has finished: output, and no state that anybody goes on from.
    pub(crate) fn finished(manifest: Manifest) -> Result<Self> {
        let pending = manifest.committables().map_err(|error| wrong_name(&manifest, true, error))?;
        Ok(Self { manifest, state: JobState::default(), pending, downloaded_bytes: 0, is_of_the_store: false })
    }
}

/// Reads and checks every file, and puts together what a job goes on from.
pub(crate) async fn load(
    blobs: &dyn BlobStore,
    manifest: Manifest,
    downloads: &Path,
    is_of_the_store: bool,
) -> Result<Restored> {
    let epoch = manifest.epoch();
    let files = distinct_files(&manifest);
    let fetched = files.values().map(|file| fetch(blobs, file, downloads)).collect::<Vec<_>>();
    let fetched: Vec<_> = stream::iter(fetched).buffered(crate::store::FILES_AT_ONCE).try_collect().await?;
    let mut paths = BTreeMap::new();
    let (mut damage, mut downloaded_bytes) = (Vec::new(), 0);
    for (file, fetched) in files.into_values().zip(fetched) {
        match fetched {
            Ok(Fetched { path, downloaded_bytes: bytes }) => {
                downloaded_bytes += bytes;
                paths.insert(file.path.as_str(), path);
            }
            Err(found) => damage.push(found),
        }
    }
    if !damage.is_empty() {
        return Err(Error::Damaged { epoch, damage, before: None });
    }
    let wrong = |error| wrong_name(&manifest, is_of_the_store, error);
    let state = job_state(&manifest, &paths).map_err(wrong)?;
    let pending = manifest.committables().map_err(wrong)?;
    Ok(Restored { state, pending, downloaded_bytes, is_of_the_store, manifest })
}

/// What a checkpoint has of one operator's states, by name.
pub type StateParts = BTreeMap<String, Vec<StatePart>>;

/// Reads and checks the files of an operator's states, of the one named or of all of them, and no others.
pub(crate) async fn load_operator(
    blobs: &dyn BlobStore,
    mut manifest: Manifest,
    operator: &str,
    state: Option<&str>,
    downloads: &Path,
) -> Result<StateParts> {
    manifest.operators.retain(|name, _| name == operator);
    if let (Some(entry), Some(state)) = (manifest.operators.get_mut(operator), state) {
        entry.keyed.retain(|name, _| name == state);
    }
    manifest.pending.clear();
    let restored = load(blobs, manifest, downloads, true).await?;
    Ok(restored.state.operators.into_values().flat_map(|operator| operator.keyed).collect())
}

struct Fetched {
    path: PathBuf,
    downloaded_bytes: u64,
}

/// A file on this machine, checked; or what is wrong with it.
async fn fetch(blobs: &dyn BlobStore, file: &FileEntry, downloads: &Path) -> Result<Result<Fetched, Damage>> {
    let (path, found, downloaded_bytes) = match blobs.local_path(&file.path) {
        Some(path) => (path, blobs.checksum(&file.path).await?, 0),
        None => {
            tokio::fs::create_dir_all(downloads)
                .await
                .map_err(|error| Error::storage("make the folder", downloads.display(), error))?;
            let path = downloads.join(escape(&file.path));
            let found = blobs.download(&file.path, &path).await?;
            (path, found, found.map_or(0, |found| found.bytes))
        }
    };
    Ok(compare(file, found).map_or(Ok(Fetched { path, downloaded_bytes }), Err))
}

/// What a manifest says of a job without a look at its files: positions, event time, and the names of states.
pub(crate) fn known_state(manifest: &Manifest) -> Result<JobState> {
    job_state(manifest, &BTreeMap::new()).map_err(|error| wrong_name(manifest, true, error))
}

/// The checksum held, so that these are names which the writer should not have taken.
fn wrong_name(manifest: &Manifest, is_of_the_store: bool, error: InvalidName) -> Error {
    let damage = vec![Damage::new(&manifest_name(manifest, is_of_the_store), error)];
    Error::Damaged { epoch: manifest.epoch(), damage, before: None }
}

fn job_state(manifest: &Manifest, paths: &BTreeMap<&str, PathBuf>) -> Result<JobState, InvalidName> {
    let mut state = JobState::default();
    for (source, splits) in &manifest.sources {
        let splits = splits.iter().map(|(split, entry)| (SplitId::new(split), SplitState::from(entry))).collect();
        state.splits.insert(NodeName::new(source)?, splits);
    }
    for (node, entry) in &manifest.operators {
        let mut operator = entry.without_keyed();
        for (name, parts) in &entry.keyed {
            let parts = parts.iter().map(|part| state_part(part, paths)).collect();
            operator.keyed.insert(name.clone(), parts);
        }
        state.operators.insert(NodeName::new(node)?, operator);
    }
    Ok(state)
}

fn state_part(part: &PartEntry, paths: &BTreeMap<&str, PathBuf>) -> StatePart {
    let [start, end] = part.key_groups;
    let file = |file: &FileEntry| {
        let path = paths.get(file.path.as_str())?.clone();
        Some(StateFile { name: file.name.clone(), path })
    };
    StatePart {
        key_groups: KeyGroupRange { start, end },
        layout: part.layout.as_str().into(),
        format: part.format.clone(),
        // Every file of the manifest was fetched.
        files: part.files.iter().filter_map(file).collect(),
    }
}
