//! Takes epochs away, and the files that no other epoch names.

use std::collections::BTreeSet;

use volley_api::Epoch;

use super::blob::Listed;
use super::layout;
use super::read::Reading;
use super::run::Run;
use super::start::hit;
use crate::{Error, Result};

/// What was removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RemovalReport {
    /// How many files, without manifests and marks.
    pub files: u64,
    /// How many bytes they had.
    pub bytes: u64,
    /// Whether files were left that may not be needed, since a manifest that might name them cannot be read.
    pub is_careful: bool,
}

impl Run {
    /// Removes epochs, complete or not: manifests first, then the files that no manifest names and no epoch that is being
    /// written. An epoch that is not there is passed over. Broken off, it can be repeated. The mark of the highest epoch
    /// stays, so that its id is not used again.
    ///
    /// # Errors
    /// [`Error::Broken`] for an epoch that is being written; [`Error::Superseded`] when a later start has taken over; and
    /// when the storage fails.
    pub async fn remove(&self, epochs: &[Epoch]) -> Result<RemovalReport> {
        let epochs: BTreeSet<Epoch> = epochs.iter().copied().collect();
        if let Some(epoch) = epochs.iter().find(|epoch| self.ledger().writing.contains(&epoch.0)) {
            return Err(Error::Broken(format!("epoch {epoch} is being written and cannot be removed")));
        }
        self.ledger().lacks_manifest.take_if(|(epoch, ..)| epochs.contains(epoch));
        hit("clean-up-before")?;
        self.check_not_superseded().await?;
        let blobs = &*self.store().blobs;
        let (kept, is_careful) = self.kept(&epochs).await?;
        let manifests: Vec<_> = epochs.iter().filter(|epoch| !kept.marks.contains(epoch)).copied().collect();
        let manifests: Vec<_> = manifests.into_iter().flat_map(layout::manifests).collect();
        blobs.delete(&manifests).await?;
        hit("clean-up-manifests")?;
        let garbage = self.garbage(&epochs, kept.files, is_careful).await?;
        let report = RemovalReport {
            files: garbage.len() as u64,
            bytes: garbage.iter().map(|file| file.bytes).sum(),
            is_careful,
        };
        let paths: Vec<_> = garbage.into_iter().map(|file| file.path).collect();
        let (some, others) = paths.split_at(paths.len() / 2);
        blobs.delete(some).await?;
        hit("clean-up-middle")?;
        blobs.delete(others).await?;
        self.remove_marks(&epochs, &kept.marks).await?;
        hit("clean-up-after")?;
        Ok(report)
    }

    /// What other epochs need, and whether some of them cannot be asked.
    async fn kept(&self, removed: &BTreeSet<Epoch>) -> Result<(Kept, bool)> {
        let (mut kept, mut is_careful) = (Kept::default(), false);
        let (mut complete_max, mut given_up) = (Epoch(0), Vec::new());
        for epoch in self.store().epochs().await? {
            match self.store().read(epoch).await? {
                Reading::Abandoned { .. } => given_up.push(epoch),
                _ if removed.contains(&epoch) => {}
                Reading::Manifest(manifest, _) => {
                    kept.files.extend(manifest.files().map(|file| file.path.clone()));
                    complete_max = epoch;
                }
                Reading::Absent => {}
                Reading::Newer(_) | Reading::Damaged(_) => is_careful = true,
            }
        }
        // What was given up above the newest complete epoch must stay so: a host that was thought dead could complete it.
        kept.marks.extend(given_up.into_iter().filter(|epoch| *epoch > complete_max));
        Ok((kept, is_careful))
    }

    /// Files that may go. From here on no epoch of this run names them again.
    async fn garbage(
        &self,
        removed: &BTreeSet<Epoch>,
        mut kept: BTreeSet<String>,
        is_careful: bool,
    ) -> Result<Vec<Listed>> {
        let blobs = &*self.store().blobs;
        let mut listed = Vec::new();
        for epoch in removed {
            listed.extend(blobs.list(&layout::epoch_folder(*epoch)).await?);
        }
        listed.extend(blobs.list(layout::SHARED).await?);
        let mut ledger = self.ledger();
        ledger.named.retain(|epoch, _| !removed.contains(&Epoch(*epoch)));
        kept.extend(ledger.named.values().flatten().cloned());
        let may_go = |file: &Listed| match layout::in_epoch(&file.path) {
            Some((_, name)) => !layout::is_mark(name),
            // A later start writes epochs above the last of this run. One that is being written may not have named all yet.
            None => layout::shared_owner(&file.path)
                .is_some_and(|owner| owner.0 <= ledger.last && !ledger.writing.contains(&owner.0)),
        };
        let is_garbage = |file: &Listed| !is_careful && may_go(file) && !kept.contains(&file.path);
        let garbage: Vec<_> = listed.into_iter().filter(is_garbage).collect();
        let paths: BTreeSet<_> = garbage.iter().map(|file| &file.path).collect();
        ledger.known.retain(|_, known| !paths.contains(&known.path));
        Ok(garbage)
    }

    /// Removes the claims of epochs whose folders hold nothing else any more.
    async fn remove_marks(&self, removed: &BTreeSet<Epoch>, kept: &BTreeSet<Epoch>) -> Result<()> {
        let blobs = &*self.store().blobs;
        let highest = self.store().epochs().await?.last().copied();
        let mut marks = Vec::new();
        for epoch in removed.iter().filter(|epoch| !kept.contains(epoch) && Some(**epoch) != highest) {
            let begun = layout::begun(*epoch);
            // Files that others name stay, and with them the folder.
            if blobs.list(&layout::epoch_folder(*epoch)).await?.iter().all(|file| file.path == begun) {
                marks.push(begun);
            }
        }
        blobs.delete(&marks).await
    }
}

/// What stays when epochs go.
#[derive(Debug, Default)]
struct Kept {
    /// Files that manifests name.
    files: BTreeSet<String>,
    /// Epochs whose marks stay.
    marks: BTreeSet<Epoch>,
}
