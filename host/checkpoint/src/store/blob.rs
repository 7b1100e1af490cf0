//! What the checkpoint store asks of a storage, be it a folder or an object store.

use std::fmt::{self, Debug};
use std::path::{Path, PathBuf};

use async_trait::async_trait;
use bytes::Bytes;

use crate::Result;

/// How temporary files begin, which a storage may leave behind when the process ends within a write.
pub(crate) const TEMPORARY_PREFIX: &str = ".tmp-";

/// Length and CRC32C of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Checksum {
    /// The length in bytes.
    pub bytes: u64,
    /// The CRC32C of its content.
    pub crc32c: u32,
}

impl Checksum {
    /// Of nothing.
    pub const EMPTY: Self = Self { bytes: 0, crc32c: 0 };

    /// Of bytes in memory.
    #[must_use]
    pub fn of(content: &[u8]) -> Self {
        Self::EMPTY.and(content)
    }

    /// Of what was and, behind it, this.
    #[must_use]
    pub fn and(self, more: &[u8]) -> Self {
        Self { bytes: self.bytes + more.len() as u64, crc32c: crc32c::crc32c_append(self.crc32c, more) }
    }
}

impl fmt::Display for Checksum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} bytes with CRC32C {:08x}", self.bytes, self.crc32c)
    }
}

/// The outcome of an exclusive create.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Created {
    /// It did not exist; it is what was given now.
    Ours,
    /// It existed already, and is as it was.
    Taken,
}

/// How a file is to come into the storage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Placement {
    /// By a hard link where that is possible, else as a copy.
    LinkOrCopy,
    /// As a copy.
    Copy,
}

/// How a file came into the storage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Placed {
    /// Whether it shares its bytes on the disk with the file that it was made from.
    pub is_linked: bool,
    /// Of the file that it was made from.
    pub checksum: Checksum,
}

/// A file in the storage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// Its path below the root.
    pub path: String,
    /// Its length.
    pub bytes: u64,
}

/// A tree of files that are written whole and never changed.
///
/// Paths are relative to the root, with `/` between names; names are made of ASCII letters, digits and `. _ - =`. What a
/// method has written is durable when it returns, and is there whole or not at all, whatever happens meanwhile. After an
/// error the outcome is open: the file may be there or not. Nothing is tried again on a file that failed to sync.
#[async_trait]
pub trait BlobStore: Send + Sync + Debug {
    /// Where it is, for messages.
    fn label(&self) -> String;

    /// Creates a file, unless there is one of that name. Of several at once exactly one succeeds, if contents differ.
    ///
    /// # Errors
    /// When the storage fails, or has no exclusive create.
    async fn put_new(&self, path: &str, content: Bytes) -> Result<Created>;

    /// Creates or replaces a file.
    ///
    /// # Errors
    /// When the storage fails.
    async fn put(&self, path: &str, content: Bytes) -> Result<()>;

    /// Creates a file with the content of a local one, which does not change meanwhile. The path is nobody else's.
    ///
    /// # Errors
    /// When the storage fails, or the local file cannot be read.
    async fn put_file(&self, path: &str, from: &Path, how: Placement) -> Result<Placed>;

    /// The content of a file; `None` when there is none.
    ///
    /// # Errors
    /// When the storage fails.
    async fn get(&self, path: &str) -> Result<Option<Bytes>>;

    /// The length of a file; `None` when there is none.
    ///
    /// # Errors
    /// When the storage fails.
    async fn bytes(&self, path: &str) -> Result<Option<u64>>;

    /// Reads a file and gives its length and checksum; `None` when there is none.
    ///
    /// # Errors
    /// When the storage fails.
    async fn checksum(&self, path: &str) -> Result<Option<Checksum>>;

    /// Copies a file to a local path, and gives length and checksum of what came; `None` when there is none.
    ///
    /// # Errors
    /// When the storage fails, or the local file cannot be written.
    async fn download(&self, path: &str, to: &Path) -> Result<Option<Checksum>>;

    /// All files below a folder (`""` for all), in order of their paths; none when there is no such folder. Temporary
    /// files are listed too: see [`is_temporary`].
    ///
    /// # Errors
    /// When the storage fails.
    async fn list(&self, folder: &str) -> Result<Vec<Listed>>;

    /// Removes files, and the folders that are empty afterwards. A file that is not there is passed over. When it returns,
    /// they stay removed after a crash.
    ///
    /// # Errors
    /// When the storage fails; some may be removed then.
    async fn delete(&self, paths: &[String]) -> Result<()>;

    /// Makes durable what another process may have left without a sync: the names in these folders, and those of the root and
    /// the folders above it. Folders that are not there are passed over. Default: nothing, for a storage in which whatever can
    /// be seen is durable.
    ///
    /// # Errors
    /// When the storage fails; what can be seen may be lost then.
    async fn sync_folders(&self, folders: &[String]) -> Result<()> {
        let _ = folders;
        Ok(())
    }

    /// Where a file lies on this machine, if it does.
    fn local_path(&self, path: &str) -> Option<PathBuf>;
}

/// Whether a path is of a file that was not finished.
#[must_use]
pub fn is_temporary(path: &str) -> bool {
    path.rsplit('/').next().is_some_and(|name| name.starts_with(TEMPORARY_PREFIX))
}
