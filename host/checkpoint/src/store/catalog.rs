//! The checkpoints of one job, as anybody may read them.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use futures::{StreamExt, TryStreamExt, stream};
use volley_api::Epoch;

use super::blob::{BlobStore, is_temporary};
use super::layout;
use super::location::Location;
use super::read::{self, Reading};
use crate::manifest::Manifest;
use crate::restore::{self, Restored, StateParts};
use crate::{Damage, Error, Result};

/// The checkpoints of one job at one location. Reads only: what writes is a [`Run`](super::Run), which a start gets from
/// [`CheckpointStore::start`]. Cheap to clone.
#[derive(Debug, Clone)]
pub struct CheckpointStore {
    pub(crate) blobs: Arc<dyn BlobStore>,
    pub(crate) job: Arc<str>,
}

/// An epoch in the store.
#[derive(Debug, Clone)]
pub struct EpochEntry {
    /// Which.
    pub epoch: Epoch,
    /// What there is of it.
    pub state: EpochState,
}

/// What there is of an epoch.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum EpochState {
    /// Its manifest is there, and every file with the right length. Checksums have not been looked at.
    Complete {
        /// What it says.
        manifest: Box<Manifest>,
        /// What is wrong with one of the two copies of the manifest, if anything.
        notes: Vec<Damage>,
    },
    /// It has no manifest: it is being written, or its writer has failed or died.
    Incomplete {
        /// How far it came.
        reason: String,
    },
    /// It was complete, and something is missing or changed.
    Damaged {
        /// What.
        damage: Vec<Damage>,
        /// What its manifest says, if that can be read.
        manifest: Option<Box<Manifest>>,
    },
    /// It is not for this job or this host; the error says why.
    Foreign {
        /// What [`CheckpointStore::inspect`] or [`CheckpointStore::load`] says of it.
        reason: String,
    },
}

/// What a job can go on from.
#[derive(Debug, Clone)]
pub struct Newest {
    /// The newest complete epoch; none when the job has not come to complete one.
    pub complete: Option<Box<Manifest>>,
    /// Epochs above it that are damaged, newest first. Their output may be visible.
    pub damaged: Vec<EpochEntry>,
}

impl Newest {
    /// What the newest of them says whose manifest can be read, be its files damaged.
    pub(crate) fn known(&self) -> Option<&Manifest> {
        let damaged = self.damaged.iter().filter_map(|entry| match &entry.state {
            EpochState::Damaged { manifest, .. } => manifest.as_deref(),
            _ => None,
        });
        damaged.chain(self.complete.as_deref()).next()
    }
}

impl CheckpointStore {
    /// The checkpoints of a job. Nothing is read or written by it.
    ///
    /// # Errors
    /// When the location cannot be opened.
    pub fn open(location: &Location, job: &str) -> Result<Self> {
        Ok(Self { blobs: location.open(&layout::escape(job))?, job: job.into() })
    }

    /// The job.
    #[must_use]
    pub fn job(&self) -> &str {
        &self.job
    }

    /// The folder of the job, for messages.
    #[must_use]
    pub fn label(&self) -> String {
        self.blobs.label()
    }

    /// Every epoch, newest first, with what a look at manifests and the lengths of files tells.
    ///
    /// # Errors
    /// When the storage fails.
    pub async fn list(&self) -> Result<Vec<EpochEntry>> {
        let epochs: Vec<_> = self.epochs().await?.into_iter().rev().collect();
        let read = epochs.into_iter().map(|epoch| async move { Ok::<_, Error>((epoch, self.read(epoch).await?)) });
        let read: Vec<_> = read.collect();
        let read: Vec<_> = stream::iter(read).buffered(read::FILES_AT_ONCE).try_collect().await?;
        // Listed behind the manifests: what a manifest names was there before it.
        let there = self.lengths().await?;
        let mut entries = Vec::new();
        for (epoch, reading) in read {
            let entry = EpochEntry { epoch, state: self.judge(epoch, reading, &there) };
            let is_damaged = matches!(entry.state, EpochState::Damaged { .. });
            // Removal takes the manifests first: what has none any more was removed while it was looked at.
            if is_damaged && matches!(self.read(epoch).await?, Reading::Absent) {
                continue;
            }
            entries.push(entry);
        }
        Ok(entries)
    }

    /// What the manifest of an epoch says.
    ///
    /// # Errors
    /// When there is none, it is damaged, or of another job or version.
    pub async fn inspect(&self, epoch: Epoch) -> Result<Manifest> {
        self.manifest(epoch).await.map(|(manifest, _)| *manifest)
    }

    /// Reads every file of an epoch: what is wrong with them and with the two manifests. Nothing is when it is empty. That one
    /// of the manifests is missing is not wrong: a host that was killed between the two never wrote it.
    ///
    /// # Errors
    /// As [`CheckpointStore::inspect`], and when the storage fails.
    pub async fn verify(&self, epoch: Epoch) -> Result<Vec<Damage>> {
        let (manifest, mut damage) = self.manifest(epoch).await?;
        damage.retain(|note| !note.is_missing);
        damage.extend(read::verify_files(&*self.blobs, &manifest).await?);
        Ok(damage)
    }

    /// What a job can go on from: the newest complete epoch, and damaged ones above it, about which the caller decides.
    ///
    /// # Errors
    /// When an epoch above is of another job, another number of key groups or a newer version: to go on from an older one
    /// would be to forget it. When the storage fails.
    pub async fn newest(&self) -> Result<Newest> {
        let mut damaged = Vec::new();
        for entry in self.list().await? {
            match entry.state {
                EpochState::Complete { manifest, .. } => return Ok(Newest { complete: Some(manifest), damaged }),
                EpochState::Damaged { .. } => damaged.push(entry),
                EpochState::Foreign { .. } => {
                    self.manifest(entry.epoch).await?;
                }
                EpochState::Incomplete { .. } => {}
            }
        }
        Ok(Newest { complete: None, damaged })
    }

    /// What a job goes on from at an epoch. Every file is read and checked; those of an object store are copied into the
    /// folder `downloads`, which is made; local ones are referred to where they are.
    ///
    /// # Errors
    /// [`Error::Damaged`] names every file that is missing or changed, and the complete epoch before. As
    /// [`CheckpointStore::inspect`] otherwise.
    pub async fn load(&self, epoch: Epoch, downloads: &Path) -> Result<Restored> {
        let loaded = match self.manifest(epoch).await {
            Ok((manifest, _)) => restore::load(&*self.blobs, *manifest, downloads, true).await,
            Err(error) => Err(error),
        };
        match loaded {
            Err(Error::Damaged { damage, .. }) => {
                let before = self
                    .list()
                    .await?
                    .into_iter()
                    .find(|entry| entry.epoch < epoch && matches!(entry.state, EpochState::Complete { .. }));
                Err(Error::Damaged { epoch, damage, before: before.map(|entry| entry.epoch) })
            }
            loaded => loaded,
        }
    }

    /// What an epoch has of one operator's states, of the one named or of all of them: to be looked at. Their files are
    /// read, checked and copied as [`CheckpointStore::load`] does, and no others.
    ///
    /// # Errors
    /// [`Error::Damaged`] names every such file that is missing or changed. As [`CheckpointStore::inspect`] otherwise.
    pub async fn load_operator(
        &self,
        epoch: Epoch,
        operator: &str,
        state: Option<&str>,
        downloads: &Path,
    ) -> Result<StateParts> {
        let (manifest, _) = self.manifest(epoch).await?;
        restore::load_operator(&*self.blobs, *manifest, operator, state, downloads).await
    }

    /// The ids of all epochs, complete or not, ascending.
    pub(crate) async fn epochs(&self) -> Result<Vec<Epoch>> {
        let listed = self.blobs.list(layout::EPOCHS).await?;
        let mut epochs: Vec<_> = listed.iter().filter_map(|file| Some(layout::in_epoch(&file.path)?.0)).collect();
        epochs.sort_unstable();
        epochs.dedup();
        Ok(epochs)
    }

    /// The manifests of an epoch.
    pub(crate) async fn read(&self, epoch: Epoch) -> Result<Reading> {
        read::read_manifests(&*self.blobs, &layout::epoch_folder(epoch)).await
    }

    /// The manifest of an epoch, if it is of this job.
    pub(crate) async fn manifest(&self, epoch: Epoch) -> Result<(Box<Manifest>, Vec<Damage>)> {
        let reading = self.read(epoch).await?;
        if matches!(reading, Reading::Absent) && self.epochs().await?.contains(&epoch) {
            return Err(Error::Incomplete { epoch, reason: UNFINISHED.to_owned() });
        }
        let (manifest, notes) = read::manifest_of(epoch, &self.label(), reading)?;
        read::check_is_ours(&manifest, &self.job)?;
        Ok((manifest, notes))
    }

    /// Paths and lengths of all files that manifests may name.
    async fn lengths(&self) -> Result<BTreeMap<String, u64>> {
        let mut there = BTreeMap::new();
        for folder in [layout::EPOCHS, layout::SHARED] {
            let files = self.blobs.list(folder).await?.into_iter().filter(|file| !is_temporary(&file.path));
            there.extend(files.map(|file| (file.path, file.bytes)));
        }
        Ok(there)
    }

    fn judge(&self, epoch: Epoch, reading: Reading, there: &BTreeMap<String, u64>) -> EpochState {
        match reading {
            Reading::Manifest(manifest, notes) => match read::check_is_ours(&manifest, &self.job) {
                Err(error) => EpochState::Foreign { reason: error.to_string() },
                Ok(()) => match read::check_lengths(&manifest, there) {
                    damage if damage.is_empty() => EpochState::Complete { manifest, notes },
                    mut damage => {
                        damage.extend(notes);
                        EpochState::Damaged { damage, manifest: Some(manifest) }
                    }
                },
            },
            Reading::Newer(found) => EpochState::Foreign { reason: read::newer(epoch, found).to_string() },
            Reading::Abandoned { by } => EpochState::Incomplete { reason: read::given_up(by) },
            Reading::Absent => EpochState::Incomplete { reason: UNFINISHED.to_owned() },
            Reading::Damaged(damage) => EpochState::Damaged { damage, manifest: None },
        }
    }
}

const UNFINISHED: &str = "it has no manifest: it is being written, or its writer came no further";
