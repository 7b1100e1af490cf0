//! Files of snapshots on their way into the store: linked or copied, read back, or found there already.

use std::collections::BTreeMap;
use std::path::PathBuf;

use futures::{StreamExt, TryStreamExt, stream};
use volley_api::{Epoch, KeyedSnapshot, SnapshotContent, SnapshotFile, StateSnapshot};

use super::blob::{BlobStore, Checksum, Placed, Placement};
use super::layout;
use super::read::FILES_AT_ONCE;
use super::run::Run;
use super::start::hit;
use crate::manifest::{FileEntry, PartEntry};
use crate::{Error, Result};

/// A snapshot, and what the manifest will say of it.
pub(crate) struct Keyed {
    pub(crate) node: String,
    pub(crate) name: String,
    pub(crate) entry: PartEntry,
    snapshot: Box<dyn StateSnapshot>,
}

impl Keyed {
    pub(crate) fn new(keyed: KeyedSnapshot) -> Self {
        let entry = PartEntry {
            subtask: keyed.subtask.index,
            key_groups: [keyed.key_groups.start, keyed.key_groups.end],
            layout: keyed.layout.to_string(),
            format: keyed.format.to_owned(),
            files: Vec::new(),
        };
        Self { node: keyed.node.to_string(), name: keyed.name.to_owned(), entry, snapshot: keyed.snapshot }
    }

    /// The snapshot's files, asked for where it may block.
    async fn files(mut self) -> Result<(Self, Vec<SnapshotFile>)> {
        let (node, name) = (self.node.clone(), self.name.clone());
        let asked = tokio::task::spawn_blocking(move || {
            let files = self.snapshot.files();
            (self, files)
        });
        let (keyed, files) = asked.await.map_err(|error| Error::storage("take a snapshot of", &node, error))?;
        let within =
            |error: volley_api::Error| Error::Snapshot(error.within(format_args!("state `{name}` of `{node}`")));
        Ok((keyed, files.map_err(within)?))
    }
}

/// How many files and bytes an epoch has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Counts {
    pub(crate) written_files: u64,
    pub(crate) written_bytes: u64,
    pub(crate) linked_files: u64,
    pub(crate) linked_bytes: u64,
    pub(crate) reused_files: u64,
    pub(crate) reused_bytes: u64,
}

/// A file to be put into the store.
struct Upload {
    entry: FileEntry,
    content: SnapshotContent,
}

/// How an epoch takes files.
pub(crate) struct Uploader<'a> {
    pub(crate) run: &'a Run,
    pub(crate) epoch: Epoch,
    /// Whether files that the store has are copied anew.
    pub(crate) is_copying: bool,
    /// What this epoch has taken, by path.
    pub(crate) taken: &'a mut BTreeMap<String, FileEntry>,
    pub(crate) counts: &'a mut Counts,
}

impl Uploader<'_> {
    /// Brings the files of snapshots into the store and checks them; the entries name them afterwards.
    pub(crate) async fn take(&mut self, snapshots: Vec<Keyed>) -> Result<Vec<Keyed>> {
        let asked = snapshots.into_iter().map(Keyed::files).collect::<Vec<_>>();
        let mut asked: Vec<_> = stream::iter(asked).buffered(FILES_AT_ONCE).try_collect().await?;
        let mut uploads = Vec::new();
        for (keyed, files) in &mut asked {
            for file in std::mem::take(files) {
                let path = self.plan(keyed, file, &mut uploads)?;
                // Filled in when the file has come.
                keyed.entry.files.push(path);
            }
        }
        self.upload(uploads).await?;
        let mut taken = Vec::new();
        for (mut keyed, _) in asked {
            for file in &mut keyed.entry.files {
                let found = self.taken.get(&file.path);
                let found = found.ok_or_else(|| Error::Broken(format!("`{}` was not taken", file.path)))?;
                (file.bytes, file.crc32c) = (found.bytes, found.crc32c);
            }
            taken.push(keyed);
        }
        Ok(taken)
    }

    /// Where a file lies or will lie. Those that are not there yet are added to the uploads.
    fn plan(&mut self, keyed: &Keyed, file: SnapshotFile, uploads: &mut Vec<Upload>) -> Result<FileEntry> {
        let SnapshotFile { name, identity, content } = file;
        let mut ledger = self.run.ledger();
        if let Some(identity) = identity.as_ref().filter(|identity| ledger.unsynced.contains(*identity)) {
            return Err(Error::Unsynced { file: identity.clone() });
        }
        if let Some((identity, (written, read))) =
            identity.as_ref().and_then(|identity| ledger.changed.get_key_value(identity))
        {
            return Err(changed(identity, written.clone(), read.clone()));
        }
        let path = match &identity {
            Some(identity) => layout::shared_blob(identity, self.epoch),
            None => layout::own_blob(self.epoch, &keyed.node, &keyed.name, keyed.entry.subtask, &name),
        };
        if let Some(known) = identity.as_ref().and_then(|identity| ledger.known.get(identity)) {
            // One that this epoch has taken itself is good in any case.
            if !self.is_copying || known.path == path {
                let entry = FileEntry { name, ..known.clone() };
                // Named before anything else: from here on it is not removed.
                ledger.named.entry(self.epoch.0).or_default().insert(entry.path.clone());
                if self.taken.insert(entry.path.clone(), entry.clone()).is_none() {
                    self.counts.reused_files += 1;
                    self.counts.reused_bytes += entry.bytes;
                }
                return Ok(entry);
            }
        }
        ledger.named.entry(self.epoch.0).or_default().insert(path.clone());
        drop(ledger);
        let entry = FileEntry { name, identity, path, bytes: 0, crc32c: 0 };
        let is_planned = uploads.iter().any(|upload| upload.entry.path == entry.path);
        if !is_planned {
            uploads.push(Upload { entry: entry.clone(), content });
        } else if entry.identity.is_none() {
            let (node, name) = (&keyed.node, &keyed.name);
            return Err(Error::Broken(format!(
                "a snapshot of `{name}` of `{node}` has two files named `{}`",
                entry.name
            )));
        }
        Ok(entry)
    }

    async fn upload(&mut self, uploads: Vec<Upload>) -> Result<()> {
        let (count, run, is_copying) = (uploads.len(), self.run, self.is_copying);
        let sent = uploads.into_iter().enumerate().map(|(index, upload)| async move {
            for (at, name) in [(0, "upload-first"), (count / 2, "upload-middle"), (count - 1, "upload-last")] {
                if index == at {
                    hit(name)?;
                }
            }
            let identity = upload.entry.identity.clone();
            let sent = send(&*run.store().blobs, upload, is_copying).await;
            if let (Err(error), Some(identity)) = (&sent, identity)
                && error.is_of_a_sync()
            {
                run.ledger().unsynced.insert(identity);
            }
            sent
        });
        let sent: Vec<_> = sent.collect();
        let mut sent = stream::iter(sent).buffer_unordered(FILES_AT_ONCE);
        let mut failed = None;
        while let Some(outcome) = sent.next().await {
            // The others are heard all the same: one of them may have failed to sync.
            let (entry, is_linked) = match outcome {
                Ok(sent) => sent,
                Err(error) => {
                    failed.get_or_insert(error);
                    continue;
                }
            };
            let counts = &mut *self.counts;
            let (files, bytes) = if is_linked {
                (&mut counts.linked_files, &mut counts.linked_bytes)
            } else {
                (&mut counts.written_files, &mut counts.written_bytes)
            };
            *files += 1;
            *bytes += entry.bytes;
            if let Some(identity) = &entry.identity {
                let mut ledger = self.run.ledger();
                if let Some((written, read)) = ledger.known.get(identity).and_then(|known| difference(known, &entry)) {
                    ledger.changed.insert(identity.clone(), (written.clone(), read.clone()));
                    return Err(changed(identity, written, read));
                }
                ledger.known.insert(identity.clone(), entry.clone());
            }
            self.taken.insert(entry.path.clone(), entry);
        }
        drop(sent);
        if let Some(error) = failed {
            return Err(error);
        }
        hit("upload-after")
    }
}

/// A file that is copied anew has to be what it was: a bit that flipped on the disk below the state must not spread, neither
/// into the copy nor, by links to it, into later epochs.
fn difference(before: &FileEntry, now: &FileEntry) -> Option<(String, String)> {
    let checksum = |file: &FileEntry| Checksum { bytes: file.bytes, crc32c: file.crc32c }.to_string();
    let (written, read) = (checksum(before), checksum(now));
    (written != read).then_some((written, read))
}

fn changed(identity: &str, written: String, read: String) -> Error {
    Error::ReadBack { what: format!("the state file `{identity}`"), written, read }
}

/// Writes a file and reads it back.
async fn send(blobs: &dyn BlobStore, upload: Upload, is_copying: bool) -> Result<(FileEntry, bool)> {
    let Upload { mut entry, content } = upload;
    let placed = match content {
        SnapshotContent::Bytes(bytes) => {
            let checksum = Checksum::of(&bytes);
            blobs.put(&entry.path, bytes).await?;
            Placed { is_linked: false, checksum }
        }
        SnapshotContent::File(from) => place(blobs, &entry, from, is_copying).await?,
    };
    // A linked file is its own original, and has just been read.
    if !placed.is_linked {
        let read = blobs.checksum(&entry.path).await?;
        if read != Some(placed.checksum) {
            let read = read.map_or("nothing".to_owned(), |read| read.to_string());
            let what = format!("{}/{}", blobs.label(), entry.path);
            return Err(Error::ReadBack { what, written: placed.checksum.to_string(), read });
        }
    }
    (entry.bytes, entry.crc32c) = (placed.checksum.bytes, placed.checksum.crc32c);
    Ok((entry, placed.is_linked))
}

async fn place(blobs: &dyn BlobStore, entry: &FileEntry, from: PathBuf, is_copying: bool) -> Result<Placed> {
    // What has no identity is named by one epoch only: shared bytes would save nothing later, and could be damaged together.
    let how = if is_copying || entry.identity.is_none() { Placement::Copy } else { Placement::LinkOrCopy };
    blobs.put_file(&entry.path, &from, how).await
}
