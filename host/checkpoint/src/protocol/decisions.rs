//! What the protocol decides.

use volley_api::{Committable, Epoch};

use super::{EpochFailure, Failure};

/// Something to be done. In the order given; what takes long may go on beside the rest.
///
/// Before it writes a manifest, commits or aborts, the driver looks for a higher incarnation. If there is one, it gives
/// [`super::Fact::HigherIncarnation`] and does nothing of what it was still to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// Let all running sources send the barrier of this epoch. Before a stop they may be paused.
    InjectBarrier {
        /// The epoch.
        epoch: Epoch,
    },
    /// Make durable what makes up this epoch: the parts of tasks that have passed it, and for each task that finished
    /// before, what it left. May come again for the same epoch after a retryable failure. Parts of finished tasks are in
    /// every later epoch too.
    StoreParts {
        /// The epoch.
        epoch: Epoch,
    },
    /// Write the manifest. May come again, the same, if it did not succeed; then a manifest that is there and equal is a
    /// success.
    WriteManifest(ManifestOrder),
    /// An epoch is complete: sources may acknowledge what it covers.
    Completed {
        /// The epoch.
        epoch: Epoch,
        /// As ordered.
        is_final: bool,
        /// As ordered.
        is_savepoint: bool,
    },
    /// Give up an epoch: let go of its parts, but not of those of finished tasks, and stop storing it. Nothing is removed
    /// from the store; what tasks still report of it is given as ever.
    Abandon {
        /// The epoch.
        epoch: Epoch,
        /// Why.
        why: EpochFailure,
    },
    /// Make this visible. Must be answered: a driver that has waited long enough answers
    /// [`super::CommitAnswer::Lost`].
    Commit(Committable),
    /// Ask whether this is visible. Must be answered.
    LookUp(Committable),
    /// Throw this away: no complete epoch holds it, and none will.
    Abort(Committable),
    /// Let sources read nothing more for the time being.
    PauseSources,
    /// Let them read again.
    ResumeSources,
    /// Let sources end, paused or not, as if there were nothing more to read.
    EndSources,
    /// Remove these from the store, each with its manifest first. One such order is out at a time; if the job ends
    /// meanwhile, its next run asks for what is left.
    Remove {
        /// In ascending order.
        epochs: Vec<Epoch>,
    },
    /// The job has failed. Nothing staged may be aborted. The last decision.
    Fail(Failure),
    /// The job has ended well. The last decision.
    Done(End),
    /// A newer run of the job has begun, and everything is its business now. The last decision.
    StopSuperseded {
        /// Its incarnation.
        seen: u64,
    },
}

/// What a manifest is to say beside what was stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ManifestOrder {
    /// The epoch.
    pub epoch: Epoch,
    /// Exactly these committables: of every epoch not known committed.
    pub pending: Vec<Committable>,
    /// Whether all tasks have finished with it: the job cannot go on from it.
    pub is_final: bool,
    /// Whether it is to be kept until somebody removes it.
    pub is_savepoint: bool,
}

/// How a job ends well.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum End {
    /// All its input is processed, and all its output is visible.
    Finished,
    /// It was stopped, and can go on.
    Stopped {
        /// From this epoch.
        at: Epoch,
        /// So many epochs wait for their commits, which the next run makes: its manifest holds them. 0: all output is visible.
        waiting: u32,
    },
}
