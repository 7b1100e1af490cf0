//! Files that are written under a staged name and appear, whole, by a rename.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use volley_api::CommitStatus;

use crate::Error;
use crate::token::{PreparedFile, Token};

/// Tells the staged files of one process apart.
static COUNTER: AtomicU64 = AtomicU64::new(0);

/// How much of a file is read at once to check it.
const CHECK_BYTES: usize = 256 * 1024;

/// A staged file that goes away with this value, unless it is kept.
#[derive(Debug)]
pub(crate) struct Staged {
    folder: PathBuf,
    name: String,
    is_kept: bool,
}

impl Staged {
    /// Makes an empty file `.<stem>.staged-<unique>`. Nobody else has its name: other processes and earlier runs
    /// differ in process or time.
    pub(crate) fn create(folder: &Path, stem: &str, now_ms: u64) -> Result<(Self, File), Error> {
        loop {
            let count = COUNTER.fetch_add(1, Ordering::Relaxed);
            let name = format!(".{stem}.staged-{:x}-{now_ms:x}-{count}", std::process::id());
            let path = folder.join(&name);
            match OpenOptions::new().write(true).create_new(true).open(&path) {
                Ok(file) => return Ok((Self { folder: folder.to_owned(), name, is_kept: false }, file)),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(Error::io("write", path.display().to_string(), error)),
            }
        }
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Leaves the file to whoever holds its token.
    pub(crate) fn keep(mut self) {
        self.is_kept = true;
    }
}

impl Drop for Staged {
    fn drop(&mut self) {
        if !self.is_kept {
            // It is invisible, and there is nobody to tell.
            drop(fs::remove_file(self.folder.join(&self.name)));
        }
    }
}

/// Makes the names in a folder durable.
pub(crate) fn sync_folder(folder: &Path) -> Result<(), Error> {
    // Elsewhere a folder cannot be opened, and renames are durable by themselves.
    if cfg!(unix) {
        let outcome = File::open(folder).and_then(|folder| folder.sync_all());
        outcome.map_err(|error| Error::io("write", folder.display().to_string(), error))?;
    }
    Ok(())
}

/// Gives the staged files their final names. What has its final name already is left as it is.
pub(crate) fn commit(folder: &Path, token: &Token) -> Result<(), Error> {
    for file in &token.files {
        let (staged, path) = (folder.join(&file.staged), folder.join(&file.name));
        let lost = || Error::Lost { path: path.display().to_string(), staged: file.staged.clone() };
        match fs::metadata(&staged) {
            Ok(metadata) if metadata.len() != file.length => return Err(lost()),
            Ok(_) => {
                check_replaceable(&path)?;
                fs::rename(&staged, &path).map_err(|error| Error::io("write", path.display().to_string(), error))?
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                if !is_in_place(&path, file)? {
                    return Err(lost());
                }
            }
            Err(error) => return Err(Error::io("read", staged.display().to_string(), error)),
        }
    }
    sync_folder(folder)
}

/// A rename would put a file in the place of a device, a pipe or a link that appeared after the sink was made.
fn check_replaceable(path: &Path) -> Result<(), Error> {
    let Ok(metadata) = fs::symlink_metadata(path) else { return Ok(()) };
    let found = match metadata.file_type() {
        kind if kind.is_file() => return Ok(()),
        kind if kind.is_symlink() => "a symbolic link",
        kind if kind.is_dir() => "a folder",
        _ => "a pipe or device",
    };
    Err(Error::Irreplaceable { path: path.display().to_string(), found })
}

/// Whether every file has its final name.
pub(crate) fn lookup(folder: &Path, token: &Token) -> Result<CommitStatus, Error> {
    for file in &token.files {
        if folder.join(&file.staged).exists() || !is_in_place(&folder.join(&file.name), file)? {
            return Ok(CommitStatus::NotCommitted);
        }
    }
    Ok(CommitStatus::Committed)
}

/// Removes staged files that are still there.
pub(crate) fn abort(folder: &Path, token: &Token) -> Result<(), Error> {
    for file in &token.files {
        let staged = folder.join(&file.staged);
        match fs::remove_file(&staged) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(Error::io("remove", staged.display().to_string(), error));
            }
            _ => {}
        }
    }
    Ok(())
}

/// Whether the file at `path` is the one that was prepared.
fn is_in_place(path: &Path, file: &PreparedFile) -> Result<bool, Error> {
    let outcome = || -> io::Result<bool> {
        let mut input = match File::open(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
            input => input?,
        };
        if input.metadata()?.len() != file.length {
            return Ok(false);
        }
        let (mut crc, mut buffer) = (flate2::Crc::new(), vec![0; CHECK_BYTES]);
        loop {
            match input.read(&mut buffer)? {
                0 => return Ok(crc.sum() == file.crc32),
                bytes => crc.update(&buffer[..bytes]),
            }
        }
    };
    outcome().map_err(|error| Error::io("read", path.display().to_string(), error))
}
