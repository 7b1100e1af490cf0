//! Files that are written under a staged name and appear, whole, by a rename.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use volley_api::CommitStatus;
use volley_fail_point::fail_point;

use crate::names::{STAGED, TAKEN};
use crate::token::{PreparedFile, Token};
use crate::{Error, folder};

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
            let name = format!(".{stem}{STAGED}{:x}-{now_ms:x}-{count}", std::process::id());
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

/// How prepared files become visible in a folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Replacing {
    /// A file that has the final name already is replaced: a single file's name is the user's.
    Yes,
    /// Nobody else has the final name, and whoever has it all the same is not replaced.
    No,
}

/// Gives the staged files their final names. What has its final name already is left as it is.
pub(crate) fn commit(folder: &Path, replacing: Replacing, token: &Token) -> Result<(), Error> {
    let failed = |error| Error::io("write", folder.display().to_string(), error);
    for file in &token.files {
        fail_point("rename-before").map_err(failed)?;
        commit_file(folder, replacing, file)?;
        fail_point("rename-after").map_err(failed)?;
    }
    fail_point("rename-before-folder-sync").map_err(failed)?;
    folder::sync(folder)?;
    fail_point("rename-after-folder-sync").map_err(failed)
}

/// As [`commit`], for what another run has staged: whether its bytes are still those that were prepared is looked at first, of
/// all files before any of them is seen.
pub(crate) fn commit_restored(folder: &Path, replacing: Replacing, token: &Token) -> Result<(), Error> {
    token.files.iter().try_for_each(|file| check_staged(folder, file))?;
    commit(folder, replacing, token)
}

fn check_staged(folder: &Path, file: &PreparedFile) -> Result<(), Error> {
    let path = folder.join(&file.staged);
    let found = match crc32_of(&path) {
        // It has its final name by now, or had it before.
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        outcome => outcome.map_err(|error| Error::io("read", path.display().to_string(), error))?,
    };
    // One of another length is told of by its length.
    if found == file.crc32 || length_of(&path)? != Some(file.length) {
        return Ok(());
    }
    let (path, staged) = (folder.join(&file.name).display().to_string(), file.staged.clone());
    Err(Error::Flipped { path, staged, found, expected: file.crc32 })
}

fn commit_file(folder: &Path, replacing: Replacing, file: &PreparedFile) -> Result<(), Error> {
    let (staged, path) = (folder.join(&file.staged), folder.join(&file.name));
    let Some(length) = length_of(&staged)? else { return expect_in_place(folder, file) };
    if length != file.length {
        let (path, staged) = (path.display().to_string(), file.staged.clone());
        return Err(Error::Changed { path, staged, found: length, expected: file.length });
    }
    if let Err(error) = check_replaceable(&path, replacing) {
        // Looked at only now: two that commit at once see the file appear at any moment.
        let is_committed = replacing == Replacing::No && is_in_place(&path, file)?;
        return if is_committed { folder::remove(&staged) } else { Err(error) };
    }
    match fs::rename(&staged, &path) {
        // Somebody else has committed it at this very moment.
        Err(error) if error.kind() == io::ErrorKind::NotFound => expect_in_place(folder, file),
        outcome => outcome.map_err(|error| Error::io("write", path.display().to_string(), error)),
    }
}

/// A rename would put a file in the place of a device, a pipe or a link that appeared after the sink was made.
fn check_replaceable(path: &Path, replacing: Replacing) -> Result<(), Error> {
    let Ok(metadata) = fs::symlink_metadata(path) else { return Ok(()) };
    let found = match metadata.file_type() {
        kind if kind.is_file() && replacing == Replacing::Yes => return Ok(()),
        kind if kind.is_file() => "a file with other contents",
        kind if kind.is_symlink() => "a symbolic link",
        kind if kind.is_dir() => "a folder",
        _ => "a pipe or device",
    };
    Err(Error::Irreplaceable { path: path.display().to_string(), found })
}

/// Whether every file has its final name.
///
/// # Errors
/// When a file is neither staged nor in its final place.
pub(crate) fn lookup(folder: &Path, replacing: Replacing, token: &Token) -> Result<CommitStatus, Error> {
    fail_point("sink-lookup").map_err(|error| Error::io("read", folder.display().to_string(), error))?;
    let mut status = CommitStatus::Committed;
    for file in &token.files {
        match length_of(&folder.join(&file.staged))? {
            Some(_) if replacing == Replacing::No && is_in_place(&folder.join(&file.name), file)? => {}
            Some(_) => status = CommitStatus::NotCommitted,
            None => expect_in_place(folder, file)?,
        }
    }
    if status == CommitStatus::Committed {
        // Whoever renamed may have been killed before it made that durable, and nobody will commit again after this answer.
        folder::sync(folder)?;
    }
    Ok(status)
}

/// Whether any file has its final name, or is not where it was staged.
pub(crate) fn shows(folder: &Path, replacing: Replacing, token: &Token) -> Result<bool, Error> {
    for file in &token.files {
        let is_staged = length_of(&folder.join(&file.staged))?.is_some();
        if !is_staged || replacing == Replacing::No && is_in_place(&folder.join(&file.name), file)? {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Removes staged files that are still there.
///
/// # Errors
/// When one of the files can be seen already: the others belong to it.
pub(crate) fn abort(folder: &Path, replacing: Replacing, token: &Token) -> Result<(), Error> {
    for file in token.files.iter().filter(|_| replacing == Replacing::No) {
        let path = folder.join(&file.name);
        if is_in_place(&path, file)? {
            return Err(Error::Visible { path: path.display().to_string() });
        }
    }
    token.files.iter().try_for_each(|file| folder::remove(&folder.join(&file.staged)))
}

/// The length of a file, if it is there.
fn length_of(path: &Path) -> Result<Option<u64>, Error> {
    match fs::metadata(path) {
        Ok(metadata) => Ok(Some(metadata.len())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Error::io("read", path.display().to_string(), error)),
    }
}

/// Sees to it that a file which is not staged has been committed.
fn expect_in_place(folder: &Path, file: &PreparedFile) -> Result<(), Error> {
    let taken = folder.join(format!(".{}{TAKEN}", file.name));
    if is_in_place(&folder.join(&file.name), file)? || length_of(&taken)?.is_some() {
        return Ok(());
    }
    let (name, staged) = (file.name.clone(), file.staged.clone());
    Err(Error::Lost { folder: folder.display().to_string(), name, staged })
}

/// Whether the file at `path` is the one that was prepared.
fn is_in_place(path: &Path, file: &PreparedFile) -> Result<bool, Error> {
    let outcome = || -> io::Result<bool> {
        // Looked at before it is opened, since a pipe would wait for a writer.
        match fs::metadata(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
            Ok(metadata) if !metadata.is_file() || metadata.len() != file.length => return Ok(false),
            outcome => outcome?,
        };
        Ok(crc32_of(path)? == file.crc32)
    };
    outcome().map_err(|error| Error::io("read", path.display().to_string(), error))
}

fn crc32_of(path: &Path) -> io::Result<u32> {
    let mut input = File::open(path)?;
    let (mut crc, mut buffer) = (flate2::Crc::new(), vec![0; CHECK_BYTES]);
    loop {
        match input.read(&mut buffer) {
            Ok(0) => return Ok(crc.sum()),
            Ok(bytes) => crc.update(&buffer[..bytes]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}
