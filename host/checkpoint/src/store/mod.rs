//! Where checkpoints are kept, and how they come and go.
//!
//! # Layout
//!
//! ```text
//! <location>/<job>/
//!   incarnations/<n>             claimed by start n of the job, by exclusive creation
//!   lines/<n>                    made by start n when it left the checkpoints that were there: what earlier starts have
//!                                committed says nothing of checkpoints that are missing
//!   epochs/<epoch>/begun.json    claimed by the start that writes the epoch, by exclusive creation
//!   epochs/<epoch>/<node>.<state>.<subtask>.<file>
//!                                files of snapshots that no other epoch has
//!   epochs/<epoch>/manifest.json, manifest.copy.json
//!                                made last: the epoch is complete when the first of them is there
//!   shared/<identity>.<epoch>    files that several epochs name, as they were taken in one of them
//! ```
//!
//! A savepoint is a folder with the same two manifests and the files that they name, under the same names.
//!
//! # Promises
//!
//! - Whatever has a name is there whole: files are written under a temporary name, synced, and named last
//!   ([`BlobStore`]). What was written is read back, length and CRC32C, before an epoch is declared complete; of the two
//!   manifests at least one, and the other is made anew by the next epoch or the next start.
//! - A start syncs the folders that it has read before it commits anything by what was in them: whoever wrote there may have
//!   ended before its own sync. A file that failed to sync is used by no epoch.
//! - Numbers of starts and epochs are never used twice. A start claims the next incarnation, then gives up every epoch that
//!   has no manifest, by creating in its place a word that says so, and begins above every epoch there is. Creation is
//!   exclusive, so that a host that was thought dead cannot complete its epoch any more; and one that begins an epoch looks
//!   for a higher incarnation afterwards. Either the new start sees the epoch, or the old one sees the start.
//! - The highest claim always stays. Those of starts before the one that wrote the newest complete epoch go, since all claims are
//!   listed before each commit.
//! - A file goes only when no manifest names it, no epoch that is being written among them. Manifests go before files, and
//!   the mark of the highest epoch stays, so that its number does.
//! - Removal cannot be made exclusive: an old host that sleeps between its look for a higher incarnation and its removal
//!   can still remove epochs that it wrote itself or found. It never removes what a later start has taken.

mod blob;
mod catalog;
mod durable;
mod gather;
mod layout;
mod local;
mod location;
mod mend;
mod object;
mod read;
mod remove;
mod run;
mod savepoint;
mod start;
mod sync;
#[cfg(test)]
mod tests;
mod upload;
mod writer;

pub use blob::{BlobStore, Checksum, Created, Listed, Placed, Placement, is_temporary};
pub use catalog::{CheckpointStore, EpochEntry, EpochState, Newest};
pub use gather::TakenParts;
pub use local::LocalStore;
pub use location::Location;
pub use object::ObjectBlobs;
pub use remove::RemovalReport;
pub use run::{Run, RunOptions};
pub use savepoint::{ExportReport, Savepoint};
pub use writer::{Completion, EpochReport, EpochWriter};

pub(crate) use durable::SyncFailed;
pub(crate) use layout::{escape, is_clean, manifest_name, taken_in};
pub(crate) use read::{FILES_AT_ONCE, compare, distinct_files};
pub(crate) use start::hit;
