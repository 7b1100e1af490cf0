//! The folder that files are staged and committed in: made durably, looked through at a start, cleaned up after a failure.

use std::collections::HashSet;
use std::fs::{self, File};
use std::io;
use std::path::Path;

use volley_api::{Epoch, SinkContext};
use volley_fail_point::fail_point;

use crate::names::{Kind, Own, PART};
use crate::{Error, FileFormat};

/// Makes a folder and those above it that are missing, all of them durable; those that are there too, since a process that was
/// killed may have made them a moment ago, and more than one.
pub(crate) fn make(folder: &Path) -> Result<(), Error> {
    make_with(folder, sync_names)
}

fn make_with(folder: &Path, mut sync: impl FnMut(&Path) -> io::Result<()>) -> Result<(), Error> {
    let fail = |error| Error::io("make the folder", folder.display().to_string(), error);
    let folder = std::path::absolute(folder).map_err(fail)?;
    let missing = folder.ancestors().take_while(|folder| !folder.exists()).count();
    fs::create_dir_all(&folder).map_err(fail)?;
    for (at, parent) in folder.ancestors().skip(1).enumerate() {
        use io::ErrorKind::{InvalidInput, NotFound, PermissionDenied, ReadOnlyFilesystem, Unsupported};
        match sync(parent) {
            // Folders that this user may not look into, or that are on another kind of filesystem, are not of its making.
            Err(error)
                if at >= missing
                    && [InvalidInput, NotFound, PermissionDenied, ReadOnlyFilesystem, Unsupported]
                        .contains(&error.kind()) => {}
            outcome => outcome.map_err(|error| Error::io("write", parent.display().to_string(), error))?,
        }
    }
    Ok(())
}

/// Makes the names in a folder durable.
pub(crate) fn sync(folder: &Path) -> Result<(), Error> {
    sync_names(folder).map_err(|error| Error::io("write", folder.display().to_string(), error))
}

fn sync_names(folder: &Path) -> io::Result<()> {
    // Elsewhere a folder cannot be opened, and renames are durable by themselves.
    if cfg!(unix) { File::open(folder)?.sync_all() } else { Ok(()) }
}

/// Runs `look` on every name in a folder; one that is not there is empty.
fn each_name(folder: &Path, mut look: impl FnMut(&str) -> Result<(), Error>) -> Result<(), Error> {
    let fail = |error| Error::io("look into", folder.display().to_string(), error);
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        entries => entries.map_err(fail)?,
    };
    for entry in entries {
        look(&entry.map_err(fail)?.file_name().to_string_lossy())?;
    }
    Ok(())
}

/// The name of a file in a folder that a sink of this format has made, if there is one: the first of them.
pub(crate) fn earlier_part(folder: &Path, format: FileFormat) -> Result<Option<String>, Error> {
    let mut first: Option<String> = None;
    each_name(folder, |name| {
        let is_part = name.starts_with(PART) && format.names(Path::new(name));
        if is_part && first.as_deref().is_none_or(|first| name < first) {
            first = Some(name.to_owned());
        }
        Ok(())
    })?;
    Ok(first)
}

/// Refuses a folder that holds files which this sink's job cannot have made yet: those of a later run, and, when it goes on
/// from nothing, what has been committed under its own incarnation.
pub(crate) fn check_is_latest(folder: &Path, context: &SinkContext) -> Result<(), Error> {
    let (run, own) = (&context.run, Own::new(&context.run, &context.node)?);
    each_name(folder, |name| match own.of(name) {
        Some((found, kind))
            if found > run.incarnation || found == run.incarnation && kind == Kind::Part && !context.is_restored =>
        {
            let (folder, job) = (folder.display().to_string(), run.job.to_string());
            Err(Error::Later { folder, file: name.to_owned(), job, found, incarnation: run.incarnation })
        }
        _ => Ok(()),
    })
}

/// The highest epoch above `epoch` of which the folder shows anything that runs from `since` on have committed.
pub(crate) fn shown_beyond(folder: &Path, own: &Own, since: u64, epoch: Epoch) -> Result<Option<Epoch>, Error> {
    let mut shown = None;
    each_name(folder, |name| {
        let committed = own.committed(name).filter(|(incarnation, found)| *incarnation >= since && *found > epoch);
        shown = shown.max(committed.map(|(_, found)| found));
        Ok(())
    })?;
    Ok(shown)
}

/// Removes what runs before `incarnation` have staged, but for `kept`.
pub(crate) fn clean_up(folder: &Path, own: &Own, incarnation: u64, kept: &HashSet<String>) -> Result<(), Error> {
    let failed = |error| Error::io("remove", folder.display().to_string(), error);
    fail_point("sink-clean-up").map_err(failed)?;
    each_name(folder, |name| {
        let is_left_behind =
            own.of(name).is_some_and(|(found, kind)| kind != Kind::Part && found < incarnation) && !kept.contains(name);
        if !is_left_behind {
            return Ok(());
        }
        fail_point("sink-clean-up-file").map_err(failed)?;
        remove(&folder.join(name))
    })
}

/// Removes a file, or finds that somebody has.
pub(crate) fn remove(path: &Path) -> Result<(), Error> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(Error::io("remove", path.display().to_string(), error))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_are_made_down_to_the_last() {
        let base = tempfile::tempdir().expect("a temporary folder");
        let folder = base.path().join("a/b/c");
        for _ in 0..2 {
            make(&folder).expect("made, however often");
            assert!(folder.is_dir());
        }
        // Also those that somebody else has made, up to the root, who may not have come to it.
        let mut synced = Vec::new();
        let note = |path: &Path| {
            synced.push(path.to_owned());
            Ok(())
        };
        make_with(&folder, note).expect("there");
        assert!(synced.iter().map(std::path::PathBuf::as_path).eq(folder.ancestors().skip(1)), "{synced:?}");
        for (kind, is_refused) in [(io::ErrorKind::PermissionDenied, false), (io::ErrorKind::Other, true)] {
            assert_eq!(make_with(&folder, |_| Err(kind.into())).is_err(), is_refused, "{kind}");
        }
        let new = folder.join("d");
        assert!(make_with(&new, |_| Err(io::ErrorKind::PermissionDenied.into())).is_err(), "its own has to be synced");
        fs::write(base.path().join("file"), "").expect("a file");
        let error = make(&base.path().join("file/d")).expect_err("a file is in the way").to_string();
        assert!(error.starts_with("cannot make the folder ") && error.contains("file/d"), "{error}");
    }
}
