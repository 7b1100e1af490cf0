//! What lies at a place: manifests, and whether their files are as they were written.

use std::collections::BTreeMap;

use futures::{StreamExt, TryStreamExt, stream};
use volley_api::{Epoch, KEY_GROUPS};

use super::blob::{BlobStore, Checksum};
use super::layout;
use crate::manifest::{Decoded, FileEntry, Manifest, decode};
use crate::{Damage, Error, Result};

/// So many files are on their way at once.
pub(crate) const FILES_AT_ONCE: usize = 8;

/// What is found where the two manifests of an epoch should be.
#[derive(Debug)]
pub(crate) enum Reading {
    /// At least one is whole. Notes say what is wrong with the other.
    Manifest(Box<Manifest>, Vec<Damage>),
    /// A later start has given the epoch up.
    Abandoned { by: u64 },
    /// A later version wrote it.
    Newer(u32),
    /// Neither is there.
    Absent,
    /// None of those that are there can be read.
    Damaged(Vec<Damage>),
}

/// Reads both manifests in a folder (`""` for a savepoint).
pub(crate) async fn read_manifests(blobs: &dyn BlobStore, folder: &str) -> Result<Reading> {
    let mut notes = Vec::new();
    let (mut manifest, mut given_up, mut newer, mut are_there) = (None, None, None, false);
    for name in layout::MANIFESTS {
        let path = if folder.is_empty() { name.to_owned() } else { format!("{folder}/{name}") };
        let Some(bytes) = blobs.get(&path).await? else {
            notes.push(Damage::missing(&path));
            continue;
        };
        are_there = true;
        match decode(&bytes) {
            Decoded::Manifest(found) => manifest = manifest.or(Some(found)),
            Decoded::Abandoned { by } => given_up = Some(by),
            Decoded::Newer(format) => newer = Some(format),
            Decoded::Damaged(problem) => notes.push(Damage::new(&path, problem)),
        }
    }
    // An epoch that was given up stays so, even if the host that was to stop wrote the copy.
    Ok(match (given_up, manifest, newer) {
        (Some(by), ..) => Reading::Abandoned { by },
        (None, Some(manifest), _) => Reading::Manifest(manifest, notes),
        (None, None, Some(format)) => Reading::Newer(format),
        (None, None, None) if are_there => Reading::Damaged(notes),
        (None, None, None) => Reading::Absent,
    })
}

/// Refuses the manifest of another job, or of another number of key groups.
pub(crate) fn check_is_ours(manifest: &Manifest, job: &str) -> Result<()> {
    let what = || format!("checkpoint {}", manifest.epoch);
    if manifest.job != job {
        let (found, expected) = (manifest.job.clone(), job.to_owned());
        return Err(Error::OtherJob { what: what(), found, expected });
    }
    if manifest.key_groups != KEY_GROUPS {
        return Err(Error::OtherKeyGroups { what: what(), found: manifest.key_groups, expected: KEY_GROUPS });
    }
    Ok(())
}

/// The files of a manifest, each once, by path.
pub(crate) fn distinct_files(manifest: &Manifest) -> BTreeMap<&str, &FileEntry> {
    manifest.files().map(|file| (file.path.as_str(), file)).collect()
}

/// What is wrong with the lengths of a manifest's files, by what is there: no file is read.
pub(crate) fn check_lengths(manifest: &Manifest, there: &BTreeMap<String, u64>) -> Vec<Damage> {
    let check = |(path, file): (&str, &FileEntry)| match there.get(path) {
        None => Some(Damage::missing(path)),
        Some(bytes) if *bytes != file.bytes => {
            Some(Damage::new(path, format_args!("it has {bytes} bytes, and should have {}", file.bytes)))
        }
        Some(_) => None,
    };
    distinct_files(manifest).into_iter().filter_map(check).collect()
}

/// Reads every file of a manifest and says what is wrong with them.
pub(crate) async fn verify_files(blobs: &dyn BlobStore, manifest: &Manifest) -> Result<Vec<Damage>> {
    let files = distinct_files(manifest);
    let checks =
        files.values().map(|file| async move { Ok::<_, Error>(compare(file, blobs.checksum(&file.path).await?)) });
    let checks: Vec<_> = checks.collect();
    let damage: Vec<_> = stream::iter(checks).buffered(FILES_AT_ONCE).try_collect().await?;
    Ok(damage.into_iter().flatten().collect())
}

/// What is wrong with a file of which that was read.
pub(crate) fn compare(file: &FileEntry, found: Option<Checksum>) -> Option<Damage> {
    let expected = Checksum { bytes: file.bytes, crc32c: file.crc32c };
    match found {
        None => Some(Damage::missing(&file.path)),
        Some(found) if found == expected => None,
        Some(found) => Some(Damage::new(&file.path, format_args!("it has {found}, and should have {expected}"))),
    }
}

/// The manifest that was found, or why there is none to go on from.
pub(crate) fn manifest_of(epoch: Epoch, location: &str, reading: Reading) -> Result<(Box<Manifest>, Vec<Damage>)> {
    match reading {
        Reading::Manifest(manifest, notes) => Ok((manifest, notes)),
        Reading::Abandoned { by } => Err(Error::Incomplete { epoch, reason: given_up(by) }),
        Reading::Newer(found) => Err(newer(epoch, found)),
        Reading::Absent => Err(Error::NoSuchEpoch { epoch, location: location.to_owned() }),
        Reading::Damaged(damage) => Err(Error::Damaged { epoch, damage, before: None }),
    }
}

pub(crate) fn newer(epoch: Epoch, found: u32) -> Error {
    Error::NewerFormat { what: format!("checkpoint {epoch}"), found, known: crate::manifest::FORMAT }
}

pub(crate) fn given_up(by: u64) -> String {
    format!("start {by} found it unfinished and gave it up")
}
