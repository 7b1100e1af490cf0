//! Faults that tests plant, to show that the checks would find them.

/// Every fault that can be planted. A test holds the list to the calls in the sources.
pub const PLANTED_BUGS: &[&str] = &[
    // Output is committed when it is prepared, whether its manifest will be complete or not.
    "commit-before-manifest",
    // A commit is taken for done when it is sent off.
    "ack-before-commit",
    // A manifest holds the output of its own epoch, and not what earlier ones still wait for.
    "drop-pending-token",
    // A start takes the number of the one before it.
    "reuse-incarnation",
    // A manifest says nothing of event time.
    "forget-event-time",
    // A snapshot lacks one value.
    "drop-dirty-value",
    // An epoch is removed as soon as it is complete.
    "clean-up-too-early",
    // Sources go on from where the epoch before the restored one had them.
    "older-offsets",
    // What comes behind a barrier is processed before the barrier has come from everywhere.
    "skip-alignment",
    // What a restored manifest holds is not committed.
    "forget-restored-output",
    // A snapshot lacks one part of what a plugin holds itself.
    "drop-held-part",
    // A restored plugin has none of its timers.
    "forget-timers",
    // Rows of state that another version of a plugin has brought over are gone.
    "drop-migrated-rows",
    // Staged files are not synced: what only a power cut shows.
    "skip-staged-sync",
];

/// Whether this fault is planted: never without the feature `planted-bugs`.
#[inline]
#[must_use]
pub fn planted(name: &'static str) -> bool {
    #[cfg(feature = "planted-bugs")]
    {
        static CHOSEN: std::sync::OnceLock<Option<String>> = std::sync::OnceLock::new();
        let chosen = CHOSEN.get_or_init(|| {
            let chosen = std::env::var("VOLLEY_PLANTED_BUG").ok()?;
            assert!(PLANTED_BUGS.contains(&chosen.as_str()), "VOLLEY_PLANTED_BUG=`{chosen}`: there is no such fault");
            Some(chosen)
        });
        chosen.as_deref() == Some(name)
    }
    #[cfg(not(feature = "planted-bugs"))]
    {
        let _ = name;
        false
    }
}
