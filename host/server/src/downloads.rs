//! Files of remote checkpoints on this machine: a folder for each start, gone when the job has restored what it needs.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

use volley_api::{Error, Result};

/// What follows the name of a folder in that of its lock, which whoever uses the folder holds.
const LOCK: &str = "lock";

/// The folder of one start; removed when dropped.
#[derive(Debug)]
pub(crate) struct Downloads {
    path: PathBuf,
    /// Where there is one: nothing is copied from a checkpoint on this machine.
    lock: Option<File>,
}

impl Downloads {
    /// A folder for a start below `root`, and the leftovers of starts that are over removed. It is taken, and made by whoever
    /// writes into it, only where it `is_needed`.
    pub(crate) fn new(root: &Path, is_needed: bool) -> Result<Self> {
        let failed = |error| Error::external(format!("cannot use the folder {}", root.display())).caused_by(error);
        there(clear(root)).map_err(failed)?;
        if !is_needed {
            return Ok(Self { path: root.join("none"), lock: None });
        }
        fs::create_dir_all(root).map_err(failed)?;
        let mut number = 0_u64;
        loop {
            number += 1;
            let path = root.join(number.to_string());
            let name = path.with_extension(LOCK);
            match OpenOptions::new().write(true).create_new(true).open(&name) {
                // Unless another start has found it before it was locked, and removed it.
                Ok(lock) if lock.try_lock().is_ok() && name.exists() => return Ok(Self { path, lock: Some(lock) }),
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(failed(error)),
            }
        }
    }

    /// Where files are copied to.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Downloads {
    fn drop(&mut self) {
        if self.lock.is_some() {
            // What cannot be removed now is removed by the next start.
            let _ = fs::remove_dir_all(&self.path);
            let _ = fs::remove_file(self.path.with_extension(LOCK));
            let _ = self.path.parent().map(fs::remove_dir);
        }
    }
}

/// Removes what no start uses: names without a lock that anybody holds.
fn clear(root: &Path) -> io::Result<()> {
    let mut entries = fs::read_dir(root)?.collect::<io::Result<Vec<_>>>()?;
    // Locks come behind what they are for.
    entries.sort_by_key(fs::DirEntry::path);
    for path in entries.iter().map(fs::DirEntry::path) {
        let is_lock = path.extension().is_some_and(|extension| extension == LOCK);
        let lock = there(File::open(if is_lock { path.clone() } else { path.with_extension(LOCK) }))?;
        if lock.is_some_and(|lock| lock.try_lock().is_err()) {
            continue;
        }
        there(if path.is_dir() { fs::remove_dir_all(&path) } else { fs::remove_file(&path) })?;
    }
    Ok(())
}

/// What has gone meanwhile is no error.
fn there<T>(outcome: io::Result<T>) -> io::Result<Option<T>> {
    match outcome {
        Ok(value) => Ok(Some(value)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(root: &Path) -> Vec<String> {
        let entries = fs::read_dir(root).into_iter().flatten().map(|entry| entry.expect("an entry").file_name());
        let mut names: Vec<_> = entries.map(|name| name.to_string_lossy().into_owned()).collect();
        names.sort();
        names
    }

    #[test]
    fn a_start_has_its_own_and_clears_what_is_nobodys() {
        let folder = tempfile::tempdir().expect("a folder");
        let root = folder.path().join("restored");
        fs::create_dir_all(root.join("7")).expect("made");
        fs::write(root.join("7/000012.sst"), "of a host that was killed").expect("written");
        fs::write(root.join("7.lock"), "").expect("written");
        fs::write(root.join("shared=2F000012.sst"), "of an earlier version").expect("written");
        let one = Downloads::new(&root, true).expect("a folder");
        assert_eq!(names(&root), ["1.lock"]);
        fs::create_dir(one.path()).expect("made");
        fs::write(one.path().join("x"), "needed").expect("written");
        let two = Downloads::new(&root, true).expect("another");
        assert_eq!(names(&root), ["1", "1.lock", "2.lock"]);
        drop(two);
        drop(Downloads::new(&root, false).expect("none"));
        assert_eq!(fs::read(one.path().join("x")).expect("it stays"), b"needed");
        drop(one);
        assert!(!root.exists());
        drop(Downloads::new(&root, false).expect("none"));
        assert!(!root.exists(), "none is made without need");
    }
}
