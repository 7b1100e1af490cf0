//! How a start of a job takes its number, and shuts out those before it.

use std::hash::{BuildHasher, Hasher, RandomState};

use bytes::Bytes;
use volley_api::Epoch;

use super::blob::{Created, is_temporary};
use super::catalog::CheckpointStore;
use super::layout;
use super::read::Reading;
use super::run::{Run, RunOptions};
use crate::fail_point::{fail_point, planted};
use crate::manifest::abandoned;
use crate::{Error, Result};

impl CheckpointStore {
    /// Starts a run: claims the next incarnation, gives up every epoch that is not complete, and begins above all of them.
    /// A host that still runs an earlier start of the job can complete no epoch afterwards.
    ///
    /// # Errors
    /// When the storage fails. [`Error::Superseded`] when a later start has overtaken this one already.
    pub async fn start(&self, options: RunOptions) -> Result<Run> {
        hit("claim-before")?;
        let incarnation = self.claim(&options).await?;
        hit("claim-after")?;
        // Nothing of a later start's is given up, however long ago this one had looked for the highest number.
        self.check_is_highest(incarnation).await?;
        let epochs = self.epochs().await?;
        let mut copy_failed = Epoch(0);
        for epoch in &epochs {
            let reading = self.read(*epoch).await?;
            if let Reading::Absent = reading {
                let [manifest, _] = layout::manifests(*epoch);
                // Taken: it was completed just now, or another start was faster. Either will do.
                self.blobs.put_new(&manifest, abandoned(incarnation)).await?;
            }
            if matches!(reading, Reading::Absent | Reading::Abandoned { .. }) && self.was_to_copy(*epoch).await? {
                copy_failed = *epoch;
            }
        }
        hit("claim-fenced")?;
        let above = options.above.map_or(Epoch(0), |(_, epoch)| epoch);
        let last = epochs.last().copied().unwrap_or(Epoch(0)).max(above);
        let run = Run::new(self.clone(), incarnation, last, copy_failed, options);
        run.check_not_superseded().await?;
        Ok(run)
    }

    /// Whether an epoch was begun as one that copies the files that it shares.
    async fn was_to_copy(&self, epoch: Epoch) -> Result<bool> {
        #[derive(serde::Deserialize)]
        struct Begun {
            #[serde(default)]
            copies: bool,
        }
        let begun = self.blobs.get(&layout::begun(epoch)).await?;
        // Whoever wrote it otherwise did not say.
        Ok(begun.and_then(|begun| serde_json::from_slice::<Begun>(&begun).ok()).is_some_and(|begun| begun.copies))
    }

    async fn claim(&self, options: &RunOptions) -> Result<u64> {
        let content = claim_of(options);
        let above = options.above.map_or(0, |(incarnation, _)| incarnation);
        let mut number = self.highest_incarnation().await?.max(above) + 1;
        if planted("reuse-incarnation") && number > 1 {
            return Ok(number - 1);
        }
        while let Created::Taken = self.blobs.put_new(&layout::incarnation(number), content.clone()).await? {
            number += 1;
        }
        Ok(number)
    }

    /// The highest number that a start has claimed; 0 when none has.
    pub(crate) async fn highest_incarnation(&self) -> Result<u64> {
        Ok(self.numbers_in(layout::INCARNATIONS).await?.into_iter().max().unwrap_or(0))
    }

    /// Refuses a start above which there is another.
    pub(super) async fn check_is_highest(&self, own: u64) -> Result<()> {
        match self.highest_incarnation().await? {
            seen if seen > own => Err(Error::Superseded { job: self.job.to_string(), own, seen }),
            _ => Ok(()),
        }
    }

    /// Removes the claims of starts below one, and their words: nobody asks for more than the highest of them, which stays.
    pub(crate) async fn forget_starts(&self, below: u64) -> Result<()> {
        let mut paths = Vec::new();
        for (folder, path) in
            [(layout::INCARNATIONS, layout::incarnation as fn(u64) -> String), (layout::LINES, layout::line)]
        {
            let mut numbers = self.numbers_in(folder).await?;
            numbers.sort_unstable();
            numbers.pop();
            paths.extend(numbers.into_iter().filter(|number| *number < below).map(path));
        }
        if paths.is_empty() { Ok(()) } else { self.blobs.delete(&paths).await }
    }

    /// The last start that has left the checkpoints which were there, for the beginning, a savepoint or an older one; 0 when
    /// none has.
    pub(crate) async fn line_began(&self) -> Result<u64> {
        Ok(self.numbers_in(layout::LINES).await?.into_iter().max().unwrap_or(0))
    }

    async fn numbers_in(&self, folder: &str) -> Result<Vec<u64>> {
        let listed = self.blobs.list(folder).await?;
        let whole = listed.iter().filter(|file| !is_temporary(&file.path));
        Ok(whole.filter_map(|file| layout::number_in(folder, &file.path)).collect())
    }
}

/// What a start writes into its claim. It differs from what any other start writes, so that a start can tell its own claim
/// from another's when the answer of the storage was lost.
fn claim_of(options: &RunOptions) -> Bytes {
    let claim = serde_json::json!({
        "owner": options.owner,
        "claimed_ms": options.now_ms,
        "host_version": options.host_version,
        "nonce": format!("{:016x}", nonce()),
    });
    format!("{claim:#}\n").into_bytes().into()
}

/// A number that no other process has: the keys that the standard library draws for its hash tables, which nothing that is
/// to be repeated depends on.
pub(crate) fn nonce() -> u64 {
    let mut hasher = RandomState::new().build_hasher();
    hasher.write_u32(std::process::id());
    hasher.finish()
}

/// A fail point as an error of this crate.
pub(crate) fn hit(name: &'static str) -> Result<()> {
    fail_point(name).map_err(|error| Error::storage("come past the fail point", name, error))
}
