//! Faults that tests plant, to show that the checks would find them. A build that is no test has none.

#[cfg(not(test))]
use volley_fail_point::planted;

/// A fault that a protocol of this kind can have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum PlantedBug {
    /// Output is committed when it is prepared.
    CommitBeforeManifest,
    /// The epoch after an abandoned one has its id.
    ReuseEpoch,
    /// A manifest holds the output of its own epoch only.
    DropPendingToken,
    /// All output is committed at once, whatever its epoch.
    CommitOutOfOrder,
    /// A commit whose answer was lost is repeated without a look-up.
    RetryAfterLostAnswer,
    /// Epochs are removed although commits that need them wait.
    CleanUpTooEarly,
}

/// The planted fault, if any.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub(super) struct Planted {
    #[cfg(test)]
    pub(super) bug: Option<PlantedBug>,
}

impl Planted {
    /// Whether it is this one.
    #[cfg(test)]
    pub(super) fn is(self, bug: PlantedBug) -> bool {
        self.bug == Some(bug)
    }

    /// Whether tests of the whole host have planted it: never in a build that anybody runs.
    #[cfg(not(test))]
    pub(super) fn is(self, bug: PlantedBug) -> bool {
        match bug {
            PlantedBug::CommitBeforeManifest => planted("commit-before-manifest"),
            PlantedBug::DropPendingToken => planted("drop-pending-token"),
            _ => false,
        }
    }
}
