//! Every place there is, by the part of the host that it is in. A test holds the list to the calls in the sources.

/// Names of places, by part.
pub const FAIL_POINTS: &[(&str, &[&str])] = &[
    (
        "store",
        &[
            // A local file on its way: under a temporary name, synced, under its own name, and its folder synced.
            "tmp-before-write",
            "tmp-write",
            "tmp-after-write",
            "tmp-before-sync",
            "file-before-link",
            "file-before-rename",
            "folder-before-sync",
            // A start of a job.
            "claim-before",
            "claim-after",
            "claim-fenced",
            // An epoch: its number, its files, its manifest and the copy.
            "epoch-begun",
            "upload-first",
            "upload-middle",
            "upload-last",
            "upload-after",
            "manifest-before",
            "manifest-between",
            "manifest-after",
            // Removal: before anything, after the manifests, half way through the files, and after.
            "clean-up-before",
            "clean-up-manifests",
            "clean-up-middle",
            "clean-up-after",
            // A savepoint.
            "export-middle",
            "export-before-manifest",
        ],
    ),
    (
        "coordinator",
        &[
            // A run begins: what it goes on from is chosen, its place is claimed, and sinks have cleaned up.
            "begin-chosen",
            "begin-claimed",
            "begin-cleaned",
            // A damaged checkpoint is rebuilt: as an epoch of its own, read again to the end, and stored.
            "rebuild-begun",
            "rebuild-replayed",
            "rebuild-complete",
            // An epoch.
            "barrier-before",
            "barrier-after",
            "epoch-complete",
            // The last one of a job, whose output is not visible yet; and when it is.
            "final-complete",
            "job-done",
            // Output.
            "lookup-before",
            "commit-before",
            "commit-after",
        ],
    ),
    (
        "runtime",
        &[
            // A job is put together: splits listed, sinks open, operators restored, all of it about to run.
            "restore-listed",
            "restore-sinks",
            "restore-operators",
            "job-before-start",
            // The state of an operator, at a start and at a barrier.
            "state-restore",
            "state-snapshot",
            // A barrier on its way: at a reader, behind it, at a chain that waits for other lanes, and past them.
            "reader-before-barrier",
            "reader-after-barrier",
            "reader-passed",
            "chain-aligning",
            "chain-aligned",
            "chain-snapshot",
            "chain-passed",
            // A writer of a sink.
            "prepare-before",
            "prepare-after",
            "writer-passed",
            "writer-finished",
        ],
    ),
    (
        "rocksdb",
        &[
            // The work folder of an earlier process is thrown away.
            "rocks-clean",
            "rocks-cleaned",
            // State is restored: by links to files of the checkpoint, or by reading parts and taking in new files.
            "rocks-link",
            "rocks-linked",
            "rocks-load",
            "rocks-ingest",
            "rocks-ingested",
            "rocks-restored",
            // What the cache has no room for goes to RocksDB, and half way through what takes several writes.
            "rocks-evict",
            "rocks-evicted",
            "rocks-write-middle",
            // A snapshot: what is dirty goes to RocksDB, RocksDB makes a checkpoint, and its files are asked for.
            "rocks-flush",
            "rocks-flushed",
            "rocks-checkpoint",
            "rocks-checkpointed",
            "rocks-files",
        ],
    ),
    (
        "plugins",
        &[
            // A call of a process has succeeded: nothing of it is stored, its state is and its timers are not, all of it is.
            "plugin-call-before-store",
            "plugin-call-state-stored",
            "plugin-call-stored",
            // Timers are on their way to the plugin, and registered no more once its call is stored.
            "plugin-timers-fired",
            // An aggregate gives up what it has learnt: before it does, and when the host has it.
            "plugin-drain-before",
            "plugin-drain-after",
            // An operator that holds state itself is asked for it at a barrier.
            "plugin-snapshot-before",
            "plugin-snapshot-after",
            // And handed it when a job goes on.
            "plugin-restore-before",
            "plugin-restore-after",
            // Another version of the component is asked whether it takes over what the one before it has left, and some rows
            // of a state are brought over: before the plugin has seen them, and when they are put back.
            "plugin-can-migrate-before",
            "plugin-can-migrate-after",
            "plugin-migrate-before",
            "plugin-migrate-after",
        ],
    ),
    (
        "file-sink",
        &[
            // A file is staged.
            "staged-before-sync",
            "staged-after-sync",
            "staged-before-folder-sync",
            "staged-prepared",
            // And becomes visible.
            "rename-before",
            "rename-after",
            "rename-before-folder-sync",
            "rename-after-folder-sync",
            "sink-lookup",
            // What nobody will commit is removed.
            "sink-clean-up",
            "sink-clean-up-file",
        ],
    ),
];

/// The names of all places.
pub fn names() -> impl Iterator<Item = &'static str> {
    FAIL_POINTS.iter().flat_map(|(_, names)| names.iter().copied())
}

/// The names of the places in one part; none in a part that there is not.
#[must_use]
pub fn names_of(part: &str) -> &'static [&'static str] {
    FAIL_POINTS.iter().find(|(known, _)| *known == part).map_or(&[], |(_, names)| names)
}
