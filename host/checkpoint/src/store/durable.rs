//! Files that are there whole or not at all, and stay: temporary name, sync, final name, sync of the folder.
//!
//! A sync that fails fails the operation. It is not tried again: the kernel drops what it could not write and reports the
//! next sync of the same file as a success.

use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use super::blob::{Checksum, Created, Placed, Placement, TEMPORARY_PREFIX};
use crate::fail_point::{die, fail_point, torn_at};

const BUFFER_BYTES: usize = 1 << 20;
/// So often a file is created whose folder goes away under it.
const TRIES_MAX: u32 = 10;

/// Makes a folder and those above it, each entered durably in its parent.
pub(crate) fn create_folders(folder: &Path) -> io::Result<()> {
    if folder.is_dir() {
        return Ok(());
    }
    let parent = folder.parent().filter(|parent| !parent.as_os_str().is_empty());
    if let Some(parent) = parent {
        create_folders(parent)?;
    }
    match fs::create_dir(folder) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
        _ => {}
    }
    // Also when another thread has just made it, which may not have come to sync it yet.
    let synced = parent.map_or(Ok(()), sync_folder);
    if synced.is_err() {
        // Whoever needs it next must make it anew, and sync it: one that is there is relied on. It is empty, or another's.
        let _ = fs::remove_dir(folder);
    }
    synced
}

/// A file that is to be linked failed to sync: what is in it may be lost, whatever a later sync says.
#[derive(Debug)]
pub(crate) struct SyncFailed(io::Error);

impl fmt::Display for SyncFailed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl std::error::Error for SyncFailed {}

impl SyncFailed {
    fn error(error: io::Error) -> io::Error {
        io::Error::new(error.kind(), Self(error))
    }

    /// Whether it is behind an error.
    pub(crate) fn is_in(error: &(dyn std::error::Error + 'static)) -> bool {
        let inner = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        inner.is_some_and(|inner| inner.is::<Self>())
    }
}

/// Makes the names in a folder durable.
pub(crate) fn sync_folder(folder: &Path) -> io::Result<()> {
    fail_point("folder-before-sync")?;
    File::open(folder)?.sync_all()
}

/// Creates a file unless there is one of that name.
pub(crate) fn put_new(path: &Path, content: &[u8]) -> io::Result<Created> {
    let mut tries = 1;
    loop {
        match try_put_new(path, content) {
            // Another process has tidied up meanwhile: the folder, which was empty, or what was in it.
            Err(error) if error.kind() == io::ErrorKind::NotFound && tries < TRIES_MAX => tries += 1,
            outcome => return outcome,
        }
    }
}

fn try_put_new(path: &Path, content: &[u8]) -> io::Result<Created> {
    let folder = folder_of(path)?;
    let temporary = Temporary::write(path, |file| write_content(file, content))?;
    fail_point("file-before-link")?;
    match fs::hard_link(&temporary.0, path) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Ok(Created::Taken),
        Err(error) if is_without_links(&error) => {
            let reason = "the filesystem has no hard links, which exclusive creation needs; choose another location";
            return Err(io::Error::new(error.kind(), format!("{error}: {reason}")));
        }
        Err(error) => return Err(error),
    }
    drop(temporary);
    sync_folder(folder)?;
    Ok(Created::Ours)
}

/// Creates or replaces a file.
pub(crate) fn put(path: &Path, content: &[u8]) -> io::Result<()> {
    let temporary = Temporary::write(path, |file| write_content(file, content))?;
    temporary.rename(path)
}

/// Creates a file with the content of another.
pub(crate) fn put_file(path: &Path, from: &Path, how: Placement) -> io::Result<Placed> {
    if how == Placement::LinkOrCopy && link(path, from)? {
        return Ok(Placed { is_linked: true, checksum: read_through(File::open(path)?, |_| Ok(()))? });
    }
    let mut checksum = Checksum::EMPTY;
    let temporary = Temporary::write(path, |file| {
        let mut is_first = true;
        checksum = read_through(File::open(from)?, |bytes| {
            // One torn write is enough, and the count of a fail point should not depend on the buffer.
            if std::mem::take(&mut is_first) { write_content(file, bytes) } else { file.write_all(bytes) }
        })?;
        Ok(())
    })?;
    temporary.rename(path)?;
    Ok(Placed { is_linked: false, checksum })
}

/// Links a file, durably; `false` where links are not possible between the two places.
fn link(path: &Path, from: &Path) -> io::Result<bool> {
    let folder = folder_of(path)?;
    create_folders(folder)?;
    // Whoever wrote it may not have synced it.
    let file = File::open(from)?;
    fail_point("tmp-before-sync").and_then(|()| file.sync_data()).map_err(SyncFailed::error)?;
    fail_point("file-before-link")?;
    match fs::hard_link(from, path) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::CrossesDevices || is_without_links(&error) => return Ok(false),
        Err(error) => return Err(error),
    }
    sync_folder(folder)?;
    Ok(true)
}

/// Links that this filesystem, or this pair of files, cannot have: not supported, not permitted, or too many already.
fn is_without_links(error: &io::Error) -> bool {
    use io::ErrorKind::{PermissionDenied, TooManyLinks, Unsupported};
    // EPERM and EACCES are one kind; only EPERM (1) is how a filesystem says that it has no links.
    matches!(error.kind(), Unsupported | TooManyLinks)
        || (error.kind() == PermissionDenied && error.raw_os_error() == Some(1))
}

/// Length and checksum of a file; `None` when there is none.
pub(crate) fn checksum(path: &Path) -> io::Result<Option<Checksum>> {
    match File::open(path) {
        Ok(file) => read_through(file, |_| Ok(())).map(Some),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Copies a file for reading: not durable, since it is made anew whenever it is needed.
pub(crate) fn copy_out(path: &Path, to: &Path) -> io::Result<Option<Checksum>> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let mut target = File::create(to)?;
    read_through(file, |bytes| target.write_all(bytes)).map(Some)
}

fn read_through(mut file: File, mut each: impl FnMut(&[u8]) -> io::Result<()>) -> io::Result<Checksum> {
    let mut buffer = vec![0; BUFFER_BYTES];
    let mut checksum = Checksum::EMPTY;
    loop {
        match file.read(&mut buffer) {
            Ok(0) => return Ok(checksum),
            Ok(read) => {
                checksum = checksum.and(&buffer[..read]);
                each(&buffer[..read])?;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

fn write_content(file: &mut File, content: &[u8]) -> io::Result<()> {
    if let Some(bytes) = torn_at("tmp-write", content.len())? {
        file.write_all(&content[..bytes])?;
        die();
    }
    file.write_all(content)
}

fn folder_of(path: &Path) -> io::Result<&Path> {
    path.parent().ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "a file has to lie in a folder"))
}

/// A file under a temporary name beside its final one, written and synced; removed when dropped.
struct Temporary(PathBuf);

impl Temporary {
    fn write(path: &Path, content: impl FnOnce(&mut File) -> io::Result<()>) -> io::Result<Self> {
        create_folders(folder_of(path)?)?;
        fail_point("tmp-before-write")?;
        let (temporary, mut file) = Self::create(path)?;
        content(&mut file)?;
        fail_point("tmp-after-write")?;
        fail_point("tmp-before-sync")?;
        file.sync_data()?;
        Ok(temporary)
    }

    /// Tries numbers until one is free: processes on other machines may have the same process id.
    fn create(path: &Path) -> io::Result<(Self, File)> {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        loop {
            let number = NEXT.fetch_add(1, Ordering::Relaxed);
            let temporary = path.with_file_name(format!("{TEMPORARY_PREFIX}{name}-{}-{number}", std::process::id()));
            match OpenOptions::new().write(true).create_new(true).open(&temporary) {
                Ok(file) => return Ok((Self(temporary), file)),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error),
            }
        }
    }

    fn rename(self, path: &Path) -> io::Result<()> {
        fail_point("file-before-rename")?;
        fs::rename(&self.0, path)?;
        sync_folder(folder_of(path)?)
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        // After a rename there is nothing left; otherwise the next removal of the epoch sweeps what stays.
        let _ = fs::remove_file(&self.0);
    }
}
