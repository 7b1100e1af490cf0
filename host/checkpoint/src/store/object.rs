//! An object store as storage: what is written is durable when the store says so, and created with a condition.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use futures::future::try_join_all;
use futures::{StreamExt, TryStreamExt, stream};
use object_store::path::Path as ObjectPath;
use object_store::{Error as StoreError, ObjectStore, ObjectStoreExt, PutMode, PutOptions};
use tokio::fs::File;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::blob::{BlobStore, Checksum, Created, Listed, Placed, Placement};
use crate::{Error, Result};

/// Files are sent in pieces of this size; S3 takes none below 5 MiB but the last.
const PART_BYTES: usize = 8 << 20;

/// So many pieces of a file are in memory and on their way at once.
const PARTS_AT_ONCE: usize = 4;

/// Objects whose names begin with a prefix.
#[derive(Debug, Clone)]
pub struct ObjectBlobs {
    store: Arc<dyn ObjectStore>,
    prefix: ObjectPath,
    label: String,
}

impl ObjectBlobs {
    /// What lies below a prefix; the label is for messages.
    #[must_use]
    pub fn new(store: Arc<dyn ObjectStore>, prefix: ObjectPath, label: String) -> Self {
        Self { store, prefix, label }
    }

    fn at(&self, path: &str) -> ObjectPath {
        // Names are made of characters that object stores take as they are.
        self.prefix.clone().parts().chain(ObjectPath::from(path).parts()).collect()
    }

    fn error(&self, action: &'static str, path: &str, error: StoreError) -> Error {
        let what = format!("{}/{path}", self.label);
        match advice(&error.to_string()) {
            Some(advice) => Error::storage(action, what, format!("{error}; {advice}")),
            None => Error::storage(action, what, error),
        }
    }

    async fn send(&self, path: &str, mut from: Pieces) -> Result<Checksum> {
        let to = self.at(path);
        let failed = |error| self.error("write", path, error);
        let mut checksum = Checksum::EMPTY;
        let first = from.next().await.map_err(|error| Error::storage("read", from.label(path), error))?;
        if first.len() < PART_BYTES {
            checksum = checksum.and(&first);
            self.store.put(&to, first.into()).await.map_err(failed)?;
            return Ok(checksum);
        }
        let mut upload = self.store.put_multipart(&to).await.map_err(failed)?;
        let sent = async {
            let mut pieces = vec![first];
            while !pieces.is_empty() {
                checksum = pieces.iter().fold(checksum, |checksum, piece| checksum.and(piece));
                let parts: Vec<_> = pieces.drain(..).map(|piece| upload.put_part(piece.into())).collect();
                try_join_all(parts).await.map_err(failed)?;
                while pieces.len() < PARTS_AT_ONCE {
                    let piece = from.next().await.map_err(|error| Error::storage("read", from.label(path), error))?;
                    if piece.is_empty() {
                        break;
                    }
                    pieces.push(piece);
                }
            }
            upload.complete().await.map_err(failed)
        };
        match sent.await {
            Ok(_) => Ok(checksum),
            Err(error) => {
                // What stays of it is invisible, and for the store's own rules on unfinished uploads to remove.
                let _ = upload.abort().await;
                Err(error)
            }
        }
    }

    /// Reads an object in pieces; `None` when there is none.
    async fn read(&self, path: &str, mut to: Option<File>) -> Result<Option<Checksum>> {
        let mut pieces = match self.store.get(&self.at(path)).await {
            Ok(found) => found.into_stream(),
            Err(StoreError::NotFound { .. }) => return Ok(None),
            Err(error) => return Err(self.error("read", path, error)),
        };
        let mut checksum = Checksum::EMPTY;
        while let Some(piece) = pieces.next().await {
            let piece = piece.map_err(|error| self.error("read", path, error))?;
            checksum = checksum.and(&piece);
            if let Some(to) = &mut to {
                to.write_all(&piece).await.map_err(|error| Error::storage("write a copy of", path, error))?;
            }
        }
        if let Some(to) = &mut to {
            to.flush().await.map_err(|error| Error::storage("write a copy of", path, error))?;
        }
        Ok(Some(checksum))
    }
}

#[async_trait]
impl BlobStore for ObjectBlobs {
    fn label(&self) -> String {
        self.label.clone()
    }

    async fn put_new(&self, path: &str, content: Bytes) -> Result<Created> {
        let options = PutOptions { mode: PutMode::Create, ..PutOptions::default() };
        match self.store.put_opts(&self.at(path), content.clone().into(), options).await {
            Ok(_) => Ok(Created::Ours),
            // The client asks again when an answer is lost, and is then told that what it wrote itself is there.
            Err(StoreError::AlreadyExists { .. } | StoreError::Precondition { .. }) => match self.get(path).await? {
                Some(found) if found == content => Ok(Created::Ours),
                _ => Ok(Created::Taken),
            },
            Err(error) => Err(self.error("create", path, error)),
        }
    }

    async fn put(&self, path: &str, content: Bytes) -> Result<()> {
        self.send(path, Pieces::Memory(content)).await.map(|_| ())
    }

    async fn put_file(&self, path: &str, from: &Path, _: Placement) -> Result<Placed> {
        let file = File::open(from).await.map_err(|error| Error::storage("read", from.display(), error))?;
        let checksum = self.send(path, Pieces::File(file, from.to_owned())).await?;
        Ok(Placed { is_linked: false, checksum })
    }

    async fn get(&self, path: &str) -> Result<Option<Bytes>> {
        let found = match self.store.get(&self.at(path)).await {
            Ok(found) => found.bytes().await,
            Err(error) => Err(error),
        };
        match found {
            Ok(content) => Ok(Some(content)),
            Err(StoreError::NotFound { .. }) => Ok(None),
            Err(error) => Err(self.error("read", path, error)),
        }
    }

    async fn bytes(&self, path: &str) -> Result<Option<u64>> {
        match self.store.head(&self.at(path)).await {
            Ok(found) => Ok(Some(found.size)),
            Err(StoreError::NotFound { .. }) => Ok(None),
            Err(error) => Err(self.error("read", path, error)),
        }
    }

    async fn checksum(&self, path: &str) -> Result<Option<Checksum>> {
        self.read(path, None).await
    }

    async fn download(&self, path: &str, to: &Path) -> Result<Option<Checksum>> {
        let file = File::create(to).await.map_err(|error| Error::storage("create", to.display(), error))?;
        self.read(path, Some(file)).await
    }

    async fn list(&self, folder: &str) -> Result<Vec<Listed>> {
        let listed = |object: object_store::ObjectMeta| {
            let below = object.location.prefix_match(&self.prefix)?;
            let path = below.map(|part| part.as_ref().to_owned()).collect::<Vec<_>>().join("/");
            Some(Listed { path, bytes: object.size })
        };
        let objects = self.store.list(Some(&self.at(folder))).try_collect::<Vec<_>>().await;
        let objects = objects.map_err(|error| self.error("list", folder, error))?;
        let mut found: Vec<_> = objects.into_iter().filter_map(listed).collect();
        found.sort_unstable_by(|a, b| a.path.cmp(&b.path));
        Ok(found)
    }

    async fn delete(&self, paths: &[String]) -> Result<()> {
        let targets: Vec<_> = paths.iter().map(|path| Ok(self.at(path))).collect();
        let mut outcomes = self.store.delete_stream(stream::iter(targets).boxed());
        while let Some(outcome) = outcomes.next().await {
            match outcome {
                Ok(_) | Err(StoreError::NotFound { .. }) => {}
                Err(error) => return Err(self.error("remove files from", "", error)),
            }
        }
        Ok(())
    }

    fn local_path(&self, _: &str) -> Option<PathBuf> {
        None
    }
}

/// What to do about an error whose text does not say it. Only text tells these apart: most come as one kind.
fn advice(error: &str) -> Option<&'static str> {
    let says = |parts: &[&str]| parts.iter().any(|part| error.contains(part));
    if says(&["169.254.169.254", "metadata.google.internal"]) {
        Some("no keys are set, and there is no machine of a cloud to ask: set those of AWS_…, AZURE_… or GOOGLE_…")
    } else if says(&["403 Forbidden", "401 Unauthorized"]) {
        Some(
            "the keys come from the variables AWS_…, AZURE_… or GOOGLE_…: they must be right, and may read and write there",
        )
    } else if says(&["builder error"]) {
        Some("an endpoint that begins with `http:` needs AWS_ALLOW_HTTP=true (or AZURE_ALLOW_HTTP=true)")
    } else {
        None
    }
}

/// What is to be sent, piece by piece.
enum Pieces {
    Memory(Bytes),
    File(File, PathBuf),
}

impl Pieces {
    /// The next piece: empty at the end, and shorter than [`PART_BYTES`] only there.
    async fn next(&mut self) -> std::io::Result<Bytes> {
        match self {
            Self::Memory(rest) => Ok(rest.split_to(rest.len().min(PART_BYTES))),
            Self::File(file, _) => {
                let mut piece = Vec::with_capacity(PART_BYTES);
                (&mut *file).take(PART_BYTES as u64).read_to_end(&mut piece).await?;
                Ok(piece.into())
            }
        }
    }

    fn label(&self, path: &str) -> String {
        match self {
            Self::Memory(_) => path.to_owned(),
            Self::File(_, from) => from.display().to_string(),
        }
    }
}
