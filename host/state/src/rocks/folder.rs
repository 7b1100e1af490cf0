//! Where state lies on disk: one folder that a backend has to itself, and in it one for each open state.

use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use volley_api::StateContext;
use volley_fail_point::fail_point;

use crate::{Error, Result};

/// The file whose lock says that a folder is in use. The system lets go of it when the process ends, however it ends.
const LOCK_FILE: &str = "volley-state.lock";
/// What lies in here is Volley's, and is gone at the next start: nothing else in the folder is touched.
const STATES_FOLDER: &str = "volley-state";

/// The folder of a backend, locked.
#[derive(Debug)]
pub(crate) struct WorkFolder {
    path: PathBuf,
    states: PathBuf,
    opened: AtomicU64,
    /// Held for as long as anything lies in the folder.
    _lock: File,
}

impl WorkFolder {
    /// Takes a folder, makes it where it is not there, and throws away what an earlier process left in it: state that
    /// counts is in checkpoints.
    pub(crate) fn take(path: &Path) -> Result<Self> {
        let failed = |path: &Path| disk_error(path.to_owned());
        fs::create_dir_all(path).map_err(failed(path))?;
        let lock_path = path.join(LOCK_FILE);
        let lock =
            File::options().create(true).truncate(false).write(true).open(&lock_path).map_err(failed(&lock_path))?;
        lock.try_lock().map_err(|error| match error {
            TryLockError::WouldBlock => Error::InUse { path: path.to_owned() },
            TryLockError::Error(error) => disk_error(lock_path.clone())(error),
        })?;
        let states = path.join(STATES_FOLDER);
        if states.exists() {
            hit("rocks-clean", &states)?;
            fs::remove_dir_all(&states).map_err(failed(&states))?;
            hit("rocks-cleaned", &states)?;
        }
        fs::create_dir(&states).map_err(failed(&states))?;
        Ok(Self { path: path.to_owned(), states, opened: AtomicU64::new(0), _lock: lock })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// A new, empty folder for one opened state. A number keeps it apart from those of the same instance that a snapshot
    /// still holds.
    pub(crate) fn state(self: &Arc<Self>, context: &StateContext) -> Result<StateFolder> {
        let number = self.opened.fetch_add(1, Ordering::Relaxed);
        let plain = |c: char| if c.is_ascii_alphanumeric() || c == '-' { c } else { '_' };
        let state: String = context.name.chars().map(plain).collect();
        let path = self.states.join(format!("{}.{state}.{}.{number}", context.node, context.subtask.index));
        fs::create_dir(&path).map_err(disk_error(path.clone()))?;
        Ok(StateFolder { path, _work: Arc::clone(self) })
    }
}

/// The folder of one opened state: removed with what is in it when this is dropped.
#[derive(Debug)]
pub(crate) struct StateFolder {
    path: PathBuf,
    _work: Arc<WorkFolder>,
}

impl StateFolder {
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for StateFolder {
    fn drop(&mut self) {
        // What cannot be removed now is removed at the next start.
        let _ = fs::remove_dir_all(&self.path);
    }
}

/// A place where tests end the process, or make the work with `path` fail.
pub(crate) fn hit(name: &'static str, path: &Path) -> Result<()> {
    fail_point(name).map_err(disk_error(path.to_owned()))
}

/// Turns an error of the system about `path` into one of ours.
pub(crate) fn disk_error(path: PathBuf) -> impl FnOnce(std::io::Error) -> Error {
    move |error| Error::Disk { path, problem: error.to_string() }
}

/// Makes `to` the same file as `from`: by a link where the file system has both, or else by a copy.
pub(crate) fn link_or_copy(from: &Path, to: &Path) -> Result<()> {
    if fs::hard_link(from, to).is_ok() {
        return Ok(());
    }
    copy(from, to)
}

/// Makes `to` the same file as `from`, or another name for its path where the file system cannot do that.
pub(crate) fn link_or_name(from: &Path, to: &Path) -> Result<()> {
    if fs::hard_link(from, to).is_ok() {
        return Ok(());
    }
    let failed = || disk_error(from.to_owned());
    let from = std::path::absolute(from).map_err(failed())?;
    // What a link to a name leads to may not be there: the reader would say so in other words.
    fs::metadata(&from).map_err(failed())?;
    #[cfg(unix)]
    return std::os::unix::fs::symlink(&from, to).map_err(failed());
    #[cfg(not(unix))]
    copy(&from, to)
}

pub(crate) fn copy(from: &Path, to: &Path) -> Result<()> {
    fs::copy(from, to).map(drop).map_err(disk_error(from.to_owned()))
}
