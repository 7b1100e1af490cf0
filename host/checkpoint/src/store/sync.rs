//! Names that another process may have left without a sync.

use volley_api::Epoch;

use super::catalog::CheckpointStore;
use super::layout;
use crate::Result;

impl CheckpointStore {
    /// Makes durable that the job's folders are there, and the names in them: of claims, of shared files, and of what is in
    /// the folder of `epoch`. Whoever made them may have ended between giving a name and syncing its folder. A start has seen
    /// them, and commits by what it has seen; a failure of power must not take them away afterwards.
    ///
    /// # Errors
    /// When the storage fails: nothing may be committed then.
    pub(crate) async fn sync_names(&self, epoch: Option<Epoch>) -> Result<()> {
        let mut folders: Vec<String> = epoch.map(layout::epoch_folder).into_iter().collect();
        folders.extend([layout::EPOCHS, layout::SHARED, layout::INCARNATIONS, layout::LINES, ""].map(str::to_owned));
        self.blobs.sync_folders(&folders).await
    }
}
