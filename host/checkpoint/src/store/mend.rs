//! Makes the second manifest of an epoch anew where it is missing or damaged: with one alone, one flipped bit is too many.

use volley_api::Epoch;

use super::layout;
use super::run::Run;
use crate::manifest::{Decoded, decode};
use crate::{Error, Result};

impl Run {
    /// Writes what one manifest of an epoch says in the place of the other, if that cannot be read. To be called for the epoch
    /// that the run goes on from: a host that was killed between the two never wrote the second. Whether anything was done.
    ///
    /// # Errors
    /// When the storage fails, and [`Error::Superseded`]; the epoch is as complete as before then.
    pub(crate) async fn mend_manifests(&self, epoch: Epoch) -> Result<bool> {
        let blobs = &*self.store().blobs;
        let (mut whole, mut bad) = (None, None);
        for path in layout::manifests(epoch) {
            let found = blobs.get(&path).await?;
            match found.as_deref().map(decode) {
                Some(Decoded::Manifest(_)) => whole = found,
                Some(Decoded::Damaged(_)) | None => bad = Some(path),
                // Not this run's to say anything of.
                Some(Decoded::Abandoned { .. } | Decoded::Newer(_)) => return Ok(false),
            }
        }
        let (Some(whole), Some(path)) = (whole, bad) else { return Ok(false) };
        self.check_not_superseded().await?;
        blobs.put(&path, whole.clone()).await?;
        match blobs.get(&path).await? {
            Some(found) if found == whole => Ok(true),
            _ => Err(Error::storage("read back", format!("{}/{path}", blobs.label()), "it is not what was written")),
        }
    }
}
