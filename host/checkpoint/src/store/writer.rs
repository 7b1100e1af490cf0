//! Writes one epoch: its files, then its manifest twice.

use std::collections::BTreeMap;
use std::fmt;

use bytes::Bytes;
use volley_api::{Committable, Epoch, KEY_GROUPS, TaskPart};

use super::blob::{BlobStore, Checksum, Created};
use super::gather::{self, Gathered, Part, TakenParts};
use super::layout;
use super::run::{CHECKPOINTS_PER_COPY, Run};
use super::start::hit;
use super::upload::{Counts, Uploader};
use crate::manifest::{FORMAT, FileEntry, Manifest, abandoned, encode};
use crate::{Error, Result};

/// An epoch that is being written. Dropped, it is left unfinished: [`Run::remove`] takes away what there is of it.
pub struct EpochWriter {
    run: Run,
    epoch: Epoch,
    is_copying: bool,
    /// Whether it has begun to take files.
    has_files: bool,
    is_complete: bool,
    gathered: Gathered,
    outputs: Vec<Committable>,
    /// Files that this epoch wrote, or that the store has, by path.
    taken: BTreeMap<String, FileEntry>,
    counts: Counts,
}

/// What makes an epoch complete, beside the parts of its tasks.
#[derive(Debug, Clone, Default)]
pub struct Completion {
    /// The time, in milliseconds since 1970.
    pub now_ms: u64,
    /// Whether the job has come to its end.
    pub is_final: bool,
    /// Output of earlier epochs that is not known to be committed. That of this epoch is among the parts.
    pub pending: Vec<Committable>,
}

/// A complete epoch.
#[derive(Debug, Clone)]
pub struct EpochReport {
    /// What the store says of it.
    pub manifest: Manifest,
    /// How many files were copied into the store, and their bytes.
    pub written_files: u64,
    /// See `written_files`.
    pub written_bytes: u64,
    /// How many came by a hard link, and their bytes.
    pub linked_files: u64,
    /// See `linked_files`.
    pub linked_bytes: u64,
    /// How many were there already, and their bytes.
    pub reused_files: u64,
    /// See `reused_files`.
    pub reused_bytes: u64,
    /// Why one of the two manifests could not be written or read back, if so: the epoch is complete without it.
    pub warning: Option<String>,
}

impl fmt::Debug for EpochWriter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "epoch {} of {:?}", self.epoch, self.run)
    }
}

impl EpochWriter {
    pub(crate) fn new(run: Run, epoch: Epoch) -> Self {
        let mut ledger = run.ledger();
        let is_copying = ledger.checkpoints_since_copy + 1 >= CHECKPOINTS_PER_COPY;
        if is_copying {
            // Counted from the try on: where there is neither time nor room for a copy, the next epochs do without.
            ledger.checkpoints_since_copy = 0;
        }
        drop(ledger);
        Self {
            run,
            epoch,
            is_copying,
            has_files: false,
            is_complete: false,
            gathered: Gathered::default(),
            outputs: Vec::new(),
            taken: BTreeMap::new(),
            counts: Counts::default(),
        }
    }

    /// Its id.
    #[must_use]
    pub fn epoch(&self) -> Epoch {
        self.epoch
    }

    /// Whether it copies the files that it shares with others, instead of naming those that are there.
    pub(crate) fn is_copying(&self) -> bool {
        self.is_copying
    }

    /// Whether output is among what tasks have reported of this epoch.
    #[must_use]
    pub fn has(&self, committable: &Committable) -> bool {
        self.outputs.contains(committable)
    }

    /// Takes what tasks have reported: writes the files of their snapshots, and checks what was written. Files are taken
    /// eight at once; those whose identity the store has are not written again. Snapshots are dropped when their files are
    /// in the store.
    ///
    /// # Errors
    /// When a snapshot or the storage fails; the epoch is to be given up then.
    pub async fn take(&mut self, parts: Vec<TaskPart>) -> Result<TakenParts> {
        let sorted = gather::sort(parts);
        let mut taken = TakenParts { parts: sorted.parts, outputs: sorted.outputs };
        if !sorted.keyed.is_empty() {
            self.has_files = true;
            let (run, epoch, is_copying) = (&self.run, self.epoch, self.is_copying);
            let mut uploader = Uploader { run, epoch, is_copying, taken: &mut self.taken, counts: &mut self.counts };
            let keyed = uploader.take(sorted.keyed).await?;
            taken.parts.extend(keyed.iter().map(|keyed| {
                let (node, name) = (keyed.node.clone(), keyed.name.clone());
                Part::Keyed { node, name, entry: keyed.entry.clone() }
            }));
            // Snapshots remove files as they go.
            tokio::task::spawn_blocking(move || drop(keyed))
                .await
                .map_err(|error| Error::storage("drop a snapshot in", self.run.store().label(), error))?;
        }
        taken.parts.iter().try_for_each(|part| self.gathered.add(part))?;
        self.outputs.extend(taken.outputs.iter().cloned());
        Ok(taken)
    }

    /// Takes what a task left that had finished in an earlier epoch, but for its output, which is pending or committed.
    ///
    /// # Errors
    /// When it contradicts what other tasks have reported.
    pub fn carry(&mut self, taken: &TakenParts) -> Result<()> {
        for part in &taken.parts {
            self.gathered.add(part)?;
            if let Part::Keyed { entry, .. } = part {
                let mut ledger = self.run.ledger();
                for file in &entry.files {
                    ledger.named.entry(self.epoch.0).or_default().insert(file.path.clone());
                    if self.taken.insert(file.path.clone(), file.clone()).is_none() {
                        self.counts.reused_files += 1;
                        self.counts.reused_bytes += file.bytes;
                    }
                }
            }
        }
        Ok(())
    }

    /// Refuses what is not as a manifest says, apart from what is in the files of states.
    ///
    /// # Errors
    /// [`Error::NotRebuilt`] names the first difference.
    pub(crate) fn check_same_as(&self, target: &Manifest) -> Result<()> {
        match self.gathered.differs_from(target) {
            None => Ok(()),
            Some(difference) => Err(Error::NotRebuilt { epoch: target.epoch(), difference }),
        }
    }

    /// Makes the epoch complete: looks that every file is there, that no later start has taken over, writes the manifest
    /// twice and reads both back. With the first of them the epoch is complete; output may be committed when this returns. If one
    /// of the two does not come to be, there is a warning, and the next epoch, or the next start, writes it. To be driven to its
    /// end: dropped halfway, the outcome is as open as after [`Error::OutcomeUnknown`].
    ///
    /// # Errors
    /// The epoch is not complete then, and never will be; except after [`Error::OutcomeUnknown`], when the job has to stop
    /// and start again.
    pub async fn complete(mut self, completion: Completion) -> Result<EpochReport> {
        self.check_files().await?;
        let manifest = self.manifest(completion)?;
        let bytes = encode(&manifest)?;
        let [first, copy] = layout::manifests(self.epoch);
        self.run.check_not_superseded().await?;
        hit("manifest-before")?;
        let blobs = &*self.run.store().blobs;
        match blobs.put_new(&first, bytes.clone()).await {
            Ok(Created::Ours) => {}
            Ok(Created::Taken) => {
                self.run.check_not_superseded().await?;
                return Err(Error::Broken(format!("epoch {} has a manifest already", self.epoch)));
            }
            Err(error) => return Err(self.give_up(&first, error).await),
        }
        // As long as one of the two can be read, the epoch has not failed: the next start would find it complete.
        let read = read_back(blobs, &first, &bytes).await;
        let copied = async {
            hit("manifest-between")?;
            blobs.put_new(&copy, bytes.clone()).await?;
            read_back(blobs, &copy, &bytes).await
        };
        let problem = match (read, copied.await) {
            (Ok(()), Ok(())) => None,
            (Err(error), Err(_)) => return Err(self.give_up(&first, error).await),
            (Err(error), Ok(())) => Some((first, error)),
            (Ok(()), Err(error)) => Some((copy, error)),
        };
        let warning = problem.as_ref().map(|(_, error)| error.to_string());
        let warning = hit("manifest-after").err().map(|error| error.to_string()).or(warning);
        self.is_complete = true;
        let mut ledger = self.run.ledger();
        ledger.checkpoints_since_copy = manifest.checkpoints_since_copy;
        ledger.lacks_manifest = problem.map(|(path, _)| (self.epoch, path, bytes));
        drop(ledger);
        let Counts { written_files, written_bytes, linked_files, linked_bytes, reused_files, reused_bytes } =
            self.counts;
        Ok(EpochReport {
            manifest,
            written_files,
            written_bytes,
            linked_files,
            linked_bytes,
            reused_files,
            reused_bytes,
            warning,
        })
    }

    /// Files that this epoch did not write itself may have been lost since they were checked.
    async fn check_files(&self) -> Result<()> {
        let blobs = &*self.run.store().blobs;
        let own_shared = |path: &str| layout::shared_owner(path) == Some(self.epoch);
        let own = |path: &str| layout::in_epoch(path).is_some_and(|(epoch, _)| epoch == self.epoch) || own_shared(path);
        let reused: Vec<_> = self.taken.values().filter(|file| !own(&file.path)).collect();
        let lengths: BTreeMap<_, _> = if reused.iter().any(|file| layout::shared_owner(&file.path).is_some()) {
            blobs.list(layout::SHARED).await?.into_iter().map(|file| (file.path, file.bytes)).collect()
        } else {
            BTreeMap::new()
        };
        for file in reused {
            let found = match lengths.get(&file.path) {
                Some(bytes) => Some(*bytes),
                None => blobs.bytes(&file.path).await?,
            };
            if found != Some(file.bytes) {
                // Not to be relied on any more: the next epoch takes it again.
                self.run.ledger().known.retain(|_, known| known.path != file.path);
                let read = found.map_or("nothing".to_owned(), |bytes| format!("{bytes} bytes"));
                let what = format!("{}/{}", blobs.label(), file.path);
                return Err(Error::ReadBack { what, written: format!("{} bytes", file.bytes), read });
            }
        }
        Ok(())
    }

    fn manifest(&mut self, completion: Completion) -> Result<Manifest> {
        let (sources, operators) = std::mem::take(&mut self.gathered).finish()?;
        let options = self.run.options();
        let since = self.run.ledger().checkpoints_since_copy;
        Ok(Manifest {
            format: FORMAT,
            job: self.run.job_run().job.to_string(),
            incarnation: self.run.job_run().incarnation,
            epoch: self.epoch.0,
            created_ms: completion.now_ms,
            host_version: options.host_version.clone(),
            key_groups: KEY_GROUPS,
            plan: options.plan.clone(),
            is_final: completion.is_final,
            checkpoints_since_copy: if self.is_copying { 0 } else { since.saturating_add(1) },
            sources,
            operators,
            pending: gather::pending(completion.pending.iter().chain(&self.outputs)),
        })
    }

    /// After the manifest could not be written: makes sure that the epoch is not complete, and stays so.
    async fn give_up(&self, first: &str, error: Error) -> Error {
        let blobs = &*self.run.store().blobs;
        // A later start may go on from it already.
        if let Err(superseded @ Error::Superseded { .. }) = self.run.check_not_superseded().await {
            return superseded;
        }
        let outcome = async {
            // A file that is there may not have been synced: it must not count.
            if blobs.get(first).await?.is_some() {
                blobs.delete(&[first.to_owned()]).await?;
            }
            blobs.put_new(first, abandoned(self.run.job_run().incarnation)).await
        };
        match outcome.await {
            Ok(Created::Ours) => error,
            Ok(Created::Taken) | Err(_) => Error::OutcomeUnknown { epoch: self.epoch, source: Box::new(error) },
        }
    }
}

/// Looks that a manifest is there as it was written.
async fn read_back(blobs: &dyn BlobStore, path: &str, bytes: &Bytes) -> Result<()> {
    let found = blobs.get(path).await?;
    if found.as_ref() == Some(bytes) {
        return Ok(());
    }
    let read = found.map_or("nothing".to_owned(), |found| Checksum::of(&found).to_string());
    let what = format!("{}/{path}", blobs.label());
    Err(Error::ReadBack { what, written: Checksum::of(bytes).to_string(), read })
}

impl Drop for EpochWriter {
    fn drop(&mut self) {
        if self.is_copying && self.has_files && !self.is_complete {
            tracing::warn!(
                "checkpoint {} was to copy the files of state that it shares with others, and is not complete: the next ones \
                 link them, as before, and the {CHECKPOINTS_PER_COPY}th is to copy them",
                self.epoch
            );
        }
        let mut ledger = self.run.ledger();
        ledger.writing.remove(&self.epoch.0);
        if !self.is_complete {
            ledger.named.remove(&self.epoch.0);
        }
    }
}
