//! A folder on this machine, or one that is mounted, as storage.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use async_trait::async_trait;
use bytes::Bytes;

use super::blob::{BlobStore, Checksum, Created, Listed, Placed, Placement};
use super::durable;
use crate::{Error, Result};

/// Files below a folder, which is made when something is first written. Its filesystem needs hard links.
#[derive(Debug, Clone)]
pub struct LocalStore {
    root: PathBuf,
}

impl LocalStore {
    /// What lies below a folder.
    #[must_use]
    pub fn new(root: PathBuf) -> Self {
        Self { root }
    }

    /// Work on one path, on a thread where it may block.
    async fn blocking<T: Send + 'static>(
        &self,
        action: &'static str,
        path: &str,
        work: impl FnOnce(PathBuf) -> io::Result<T> + Send + 'static,
    ) -> Result<T> {
        let path = self.root.join(path);
        let what = path.display().to_string();
        match tokio::task::spawn_blocking(move || work(path)).await {
            Ok(outcome) => outcome.map_err(|error| Error::storage(action, what, error)),
            Err(error) => Err(Error::storage(action, what, error)),
        }
    }
}

#[async_trait]
impl BlobStore for LocalStore {
    fn label(&self) -> String {
        self.root.display().to_string()
    }

    async fn put_new(&self, path: &str, content: Bytes) -> Result<Created> {
        self.blocking("create", path, move |path| durable::put_new(&path, &content)).await
    }

    async fn put(&self, path: &str, content: Bytes) -> Result<()> {
        self.blocking("write", path, move |path| durable::put(&path, &content)).await
    }

    async fn put_file(&self, path: &str, from: &Path, how: Placement) -> Result<Placed> {
        let from = from.to_owned();
        self.blocking("write", path, move |path| durable::put_file(&path, &from, how)).await
    }

    async fn get(&self, path: &str) -> Result<Option<Bytes>> {
        self.blocking("read", path, |path| there(fs::read(path).map(Bytes::from))).await
    }

    async fn bytes(&self, path: &str) -> Result<Option<u64>> {
        self.blocking("read", path, |path| there(fs::metadata(path).map(|metadata| metadata.len()))).await
    }

    async fn checksum(&self, path: &str) -> Result<Option<Checksum>> {
        self.blocking("read", path, |path| durable::checksum(&path)).await
    }

    async fn download(&self, path: &str, to: &Path) -> Result<Option<Checksum>> {
        let to = to.to_owned();
        self.blocking("copy", path, move |path| durable::copy_out(&path, &to)).await
    }

    async fn list(&self, folder: &str) -> Result<Vec<Listed>> {
        let root = self.root.clone();
        self.blocking("list", folder, move |path| {
            let mut listed = Vec::new();
            walk(&root, &path, &mut listed)?;
            listed.sort_unstable_by(|a, b| a.path.cmp(&b.path));
            Ok(listed)
        })
        .await
    }

    async fn delete(&self, paths: &[String]) -> Result<()> {
        let paths = paths.to_vec();
        self.blocking("remove files from", "", move |root| delete(&root, &paths)).await
    }

    async fn sync_folders(&self, folders: &[String]) -> Result<()> {
        let folders = folders.to_vec();
        self.blocking("sync folders of", "", move |root| sync_folders(&root, &folders)).await
    }

    fn local_path(&self, path: &str) -> Option<PathBuf> {
        Some(self.root.join(path))
    }
}

/// What is not there is `None`.
fn there<T>(outcome: io::Result<T>) -> io::Result<Option<T>> {
    match outcome {
        Ok(value) => Ok(Some(value)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Files come and go while they are listed: what has gone is left out.
fn walk(root: &Path, folder: &Path, listed: &mut Vec<Listed>) -> io::Result<()> {
    let Some(entries) = there(fs::read_dir(folder))? else { return Ok(()) };
    for entry in entries {
        let entry = entry?;
        let Some(metadata) = there(entry.metadata())? else { continue };
        let path = entry.path();
        if metadata.is_dir() {
            walk(root, &path, listed)?;
        } else if let Some(path) = path.strip_prefix(root).ok().and_then(Path::to_str) {
            listed.push(Listed { path: path.to_owned(), bytes: metadata.len() });
        }
    }
    Ok(())
}

fn delete(root: &Path, paths: &[String]) -> io::Result<()> {
    let mut folders = BTreeSet::new();
    for path in paths.iter().map(|path| root.join(path)) {
        if there(fs::remove_file(&path))?.is_some() {
            folders.extend(path.parent().map(Path::to_owned));
        }
    }
    for folder in folders {
        // Another process may have emptied and removed it meanwhile.
        there(durable::sync_folder(&folder))?;
        // Folders at the top stay: somebody may be about to write into them. One that is not empty stays too.
        if folder != root && folder.parent() != Some(root) {
            let _ = fs::remove_dir(&folder);
        }
    }
    Ok(())
}

fn sync_folders(root: &Path, folders: &[String]) -> io::Result<()> {
    for folder in folders {
        there(durable::sync_folder(&root.join(folder)))?;
    }
    let Some(location) = root.parent() else { return Ok(()) };
    there(durable::sync_folder(location))?;
    // The location may be new too, and folders above it: as far as this user may look into them.
    for above in location.ancestors().skip(1).filter(|above| !above.as_os_str().is_empty()) {
        use io::ErrorKind::{InvalidInput, NotFound, PermissionDenied, ReadOnlyFilesystem, Unsupported};
        match durable::sync_folder(above) {
            Err(error)
                if ![InvalidInput, NotFound, PermissionDenied, ReadOnlyFilesystem, Unsupported]
                    .contains(&error.kind()) =>
            {
                return Err(error);
            }
            _ => {}
        }
    }
    Ok(())
}
