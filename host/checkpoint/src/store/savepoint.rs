//! Savepoints: one epoch with everything that it needs, in a folder of its own that can be moved.

use std::path::Path;
use std::sync::Arc;

use volley_api::Epoch;

use super::blob::{BlobStore, Created, Placement, is_temporary};
use super::catalog::CheckpointStore;
use super::layout;
use super::location::Location;
use super::read::{self, Reading, distinct_files};
use super::start::hit;
use crate::manifest::{FileEntry, Manifest, encode};
use crate::restore::{self, Restored, StateParts};
use crate::{Damage, Error, Result};

/// A savepoint, wherever it lies. The job that goes on from it has the name of the job that wrote it.
#[derive(Debug, Clone)]
pub struct Savepoint {
    blobs: Arc<dyn BlobStore>,
}

/// A savepoint that was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ExportReport {
    /// How many files it has, without manifests.
    pub files: u64,
    /// How many bytes they have.
    pub bytes: u64,
}

impl CheckpointStore {
    /// Copies an epoch to an empty place, with every file that it needs. What was copied is read back; the manifests come
    /// last, so that half a copy is no savepoint.
    ///
    /// # Errors
    /// [`Error::TargetNotEmpty`]; [`Error::Damaged`] when a file of the epoch is; as [`CheckpointStore::inspect`]; and when
    /// one of both storages fails. What was copied stays there then, without a manifest.
    pub async fn export(&self, epoch: Epoch, target: &Location) -> Result<ExportReport> {
        let (manifest, _) = self.manifest(epoch).await?;
        self.copy_epoch(*manifest, target).await
    }

    /// The same of an epoch whose output is known to be committed, all of it: the savepoint holds none. A job that goes on
    /// from it needs nothing of what the sinks had staged, and may write elsewhere.
    ///
    /// # Errors
    /// As [`CheckpointStore::export`].
    pub async fn export_committed(&self, epoch: Epoch, target: &Location) -> Result<ExportReport> {
        let (manifest, _) = self.manifest(epoch).await?;
        self.copy_epoch(Manifest { pending: Vec::new(), ..*manifest }, target).await
    }

    async fn copy_epoch(&self, manifest: Manifest, target: &Location) -> Result<ExportReport> {
        let epoch = manifest.epoch();
        let to = target.open("")?;
        let taken = |found: &str| Error::TargetNotEmpty { target: to.label(), found: found.to_owned() };
        if let Some(found) = to.list("").await?.first() {
            return Err(taken(&found.path));
        }
        let mut report = ExportReport::default();
        let files = distinct_files(&manifest);
        for (index, file) in files.values().enumerate() {
            if index == files.len() / 2 {
                hit("export-middle")?;
            }
            copy(&*self.blobs, &*to, epoch, file).await?;
            report.files += 1;
            report.bytes += file.bytes;
        }
        let damage = read::verify_files(&*to, &manifest).await?;
        if let Some(Damage { path, problem, .. }) = damage.into_iter().next() {
            let what = format!("{}/{path}", to.label());
            return Err(Error::ReadBack { what, written: "the bytes of the checkpoint".to_owned(), read: problem });
        }
        hit("export-before-manifest")?;
        let bytes = encode(&manifest)?;
        for name in layout::MANIFESTS {
            if to.put_new(name, bytes.clone()).await? == Created::Taken {
                return Err(taken(name));
            }
        }
        Ok(report)
    }
}

/// Copies one file, which has to be as the manifest says.
async fn copy(from: &dyn BlobStore, to: &dyn BlobStore, epoch: Epoch, file: &FileEntry) -> Result<()> {
    let damaged = |damage: Damage| Error::Damaged { epoch, damage: vec![damage], before: None };
    if let Some(path) = from.local_path(&file.path) {
        if from.bytes(&file.path).await?.is_none() {
            return Err(damaged(Damage::missing(&file.path)));
        }
        let placed = to.put_file(&file.path, &path, Placement::Copy).await?;
        return read::compare(file, Some(placed.checksum)).map_or(Ok(()), |damage| Err(damaged(damage)));
    }
    let folder = tempfile::tempdir().map_err(|error| Error::storage("make", "a temporary folder", error))?;
    let path = folder.path().join("file");
    let found = from.download(&file.path, &path).await?;
    if let Some(damage) = read::compare(file, found) {
        return Err(damaged(damage));
    }
    to.put_file(&file.path, &path, Placement::Copy).await.map(|_| ())
}

impl Savepoint {
    /// What lies at a location. Nothing is read by it.
    ///
    /// # Errors
    /// When the location cannot be opened.
    pub fn open(location: &Location) -> Result<Self> {
        Ok(Self { blobs: location.open("")? })
    }

    /// What its manifest says.
    ///
    /// # Errors
    /// [`Error::NoSavepoint`] when there is none, or half of one; and when it is damaged or of a newer version.
    pub async fn inspect(&self) -> Result<Manifest> {
        self.manifest().await.map(|(manifest, _)| *manifest)
    }

    /// Reads every file: what is wrong with them and with the two manifests. Nothing is when it is empty.
    ///
    /// # Errors
    /// As [`Savepoint::inspect`], and when the storage fails.
    pub async fn verify(&self) -> Result<Vec<Damage>> {
        let (manifest, mut damage) = self.manifest().await?;
        damage.extend(read::verify_files(&*self.blobs, &manifest).await?);
        Ok(damage)
    }

    /// What the job goes on from. Every file is read and checked; those of an object store are copied into the folder
    /// `downloads`, which is made; local ones are referred to where they are.
    ///
    /// # Errors
    /// [`Error::OtherJob`] and [`Error::OtherKeyGroups`]; [`Error::Damaged`] names every file that is missing or changed; as
    /// [`Savepoint::inspect`] otherwise.
    pub async fn load(&self, job: &str, downloads: &Path) -> Result<Restored> {
        let (manifest, _) = self.manifest().await?;
        read::check_is_ours(&manifest, job)?;
        restore::load(&*self.blobs, *manifest, downloads, false).await
    }

    /// What it has of one operator's states, as [`CheckpointStore::load_operator`].
    ///
    /// # Errors
    /// As [`Savepoint::load`].
    pub async fn load_operator(
        &self,
        job: &str,
        operator: &str,
        state: Option<&str>,
        downloads: &Path,
    ) -> Result<StateParts> {
        let (manifest, _) = self.manifest().await?;
        read::check_is_ours(&manifest, job)?;
        restore::load_operator(&*self.blobs, *manifest, operator, state, downloads).await
    }

    async fn manifest(&self) -> Result<(Box<Manifest>, Vec<Damage>)> {
        let location = self.blobs.label();
        match read::read_manifests(&*self.blobs, "").await? {
            Reading::Manifest(manifest, notes) => Ok((manifest, notes)),
            Reading::Newer(found) => {
                let what = format!("the savepoint in {location}");
                Err(Error::NewerFormat { what, found, known: crate::manifest::FORMAT })
            }
            Reading::Damaged(damage) => {
                let damage: Vec<_> = damage.iter().map(Damage::to_string).collect();
                Err(Error::NoSavepoint { location, reason: format!("its manifest is damaged: {}", damage.join("; ")) })
            }
            Reading::Absent | Reading::Abandoned { .. } => {
                let is_empty = self.blobs.list("").await?.iter().all(|file| is_temporary(&file.path));
                let reason = if is_empty {
                    "there is nothing".to_owned()
                } else {
                    "there are files and no manifest, which is written last: it was not copied to its end".to_owned()
                };
                Err(Error::NoSavepoint { location, reason })
            }
        }
    }
}
