//! What a checkpoint has of an operator, through files as a store would keep them.

use std::path::Path;

use volley_api::{KeyedSnapshot, OperatorState, Result, SnapshotContent, StateFile, StatePart};

/// Asks snapshots for their files and puts these into a folder.
///
/// # Errors
/// When there is no snapshot to be had: a store would abandon the checkpoint.
///
/// # Panics
/// When a file cannot be written.
pub(crate) fn stored(folder: &Path, snapshots: Vec<KeyedSnapshot>) -> Result<OperatorState> {
    let mut state = OperatorState::default();
    for mut snapshot in snapshots {
        let mut files = Vec::new();
        for file in snapshot.snapshot.files()? {
            let path = folder.join(format!("{}-{}", snapshot.name, files.len()));
            match file.content {
                SnapshotContent::Bytes(bytes) => std::fs::write(&path, bytes).map(drop),
                SnapshotContent::File(from) => std::fs::copy(from, &path).map(drop),
            }
            .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            files.push(StateFile { name: file.name, path });
        }
        let (key_groups, layout) = (snapshot.key_groups, snapshot.layout);
        let part = StatePart { key_groups, layout, format: snapshot.format.to_owned(), files };
        state.keyed.entry(snapshot.name.to_owned()).or_default().push(part);
    }
    Ok(state)
}
