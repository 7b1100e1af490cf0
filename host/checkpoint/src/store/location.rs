//! Where checkpoints are kept, as a user writes it.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use object_store::ObjectStore;
use object_store::memory::InMemory;
use object_store::path::Path as ObjectPath;
use url::Url;

use super::blob::BlobStore;
use super::local::LocalStore;
use super::object::ObjectBlobs;
use crate::{Error, Result};

/// A place for checkpoints or a savepoint: a folder, or an object store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Location(Place);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Place {
    Folder(PathBuf),
    Store(Url),
}

impl Location {
    /// Takes a path, a `file:` URL, or the URL of an object store: `s3://bucket/path`, `gs://…`, `az://…` where the host is
    /// built with the feature for it, and `memory:/name` for tests, which lasts as long as the process. A relative path
    /// counts from the working folder. Credentials come from the environment (`AWS_…`, `GOOGLE_…`, `AZURE_…`).
    ///
    /// # Errors
    /// When it is none of these.
    pub fn parse(text: &str) -> Result<Self> {
        let wrong = |problem: String| Error::Location { location: text.to_owned(), problem };
        let is_url = text.contains("://") || text.starts_with("file:") || text.starts_with("memory:");
        if !is_url {
            if text.is_empty() {
                return Err(wrong("it is empty: write a folder or the URL of an object store".to_owned()));
            }
            let path = std::path::absolute(text).map_err(|error| wrong(error.to_string()))?;
            return Ok(Self::folder(&path));
        }
        let url = Url::parse(text).map_err(|error| wrong(format!("not a URL: {error}")))?;
        if url.scheme() == "file" {
            let path = url.to_file_path().map_err(|()| wrong("write file:///path, without a host".to_owned()))?;
            return Ok(Self::folder(&path));
        }
        object_store::ObjectStoreScheme::parse(&url).map_err(|_| {
            wrong(format!("`{}:` is not known: write a folder, or s3://, gs:// or az://", url.scheme()))
        })?;
        Ok(Self(Place::Store(url)))
    }

    /// A folder.
    #[must_use]
    pub fn folder(path: &Path) -> Self {
        Self(Place::Folder(path.to_owned()))
    }

    /// Whether files lie on this machine, or where it has them mounted: nothing needs to be copied to read them.
    #[must_use]
    pub fn is_local(&self) -> bool {
        matches!(self.0, Place::Folder(_))
    }

    /// Opens what lies below `folder` (a clean relative path, or `""`). Nothing is written by it.
    ///
    /// # Errors
    /// When the host is built without the feature for this kind of object store, or its settings are incomplete.
    pub fn open(&self, folder: &str) -> Result<Arc<dyn BlobStore>> {
        let url = match &self.0 {
            Place::Folder(path) => return Ok(Arc::new(LocalStore::new(path.join(folder)))),
            Place::Store(url) => url,
        };
        let wrong = |problem: String| Error::Location { location: self.to_string(), problem };
        let (store, prefix) =
            open_store(url).map_err(|error| wrong(format!("{error}; this host knows {}", known_stores())))?;
        let prefix = prefix.parts().chain(ObjectPath::from(folder).parts()).collect();
        let label = format!("{}/{folder}", self.to_string().trim_end_matches('/'));
        Ok(Arc::new(ObjectBlobs::new(store, prefix, label.trim_end_matches('/').to_owned())))
    }
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Place::Folder(path) => path.display().fmt(f),
            Place::Store(url) => {
                let mut url = url.clone();
                // Refused only where there is none to hide.
                let _ = url.set_password(None);
                url.fmt(f)
            }
        }
    }
}

/// A store, and the prefix that the URL names in it.
type Opened = (Arc<dyn ObjectStore>, ObjectPath);

fn open_store(url: &Url) -> Result<Opened, object_store::Error> {
    if url.scheme() == "memory" {
        // One for the whole process, so that what one part of a test wrote, another finds.
        static MEMORY: LazyLock<Arc<InMemory>> = LazyLock::new(|| Arc::new(InMemory::new()));
        return Ok((Arc::clone(&*MEMORY) as _, ObjectPath::from_url_path(url.path())?));
    }
    // Opened stores hold connections: the same for the whole process.
    static OPENED: Mutex<BTreeMap<String, Opened>> = Mutex::new(BTreeMap::new());
    let mut opened = OPENED.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(found) = opened.get(url.as_str()) {
        return Ok(found.clone());
    }
    let settings =
        std::env::vars_os().filter_map(|(key, value)| Some((key.into_string().ok()?, value.into_string().ok()?)));
    let settings = settings.filter(|(key, _)| ["AWS_", "AZURE_", "GOOGLE_"].iter().any(|of| key.starts_with(of)));
    let (store, prefix) = object_store::parse_url_opts(url, settings)?;
    let found: Opened = (store.into(), prefix);
    opened.insert(url.as_str().to_owned(), found.clone());
    Ok(found)
}

fn known_stores() -> String {
    let features = [("s3", cfg!(feature = "s3")), ("gs", cfg!(feature = "gcs")), ("az", cfg!(feature = "azure"))];
    let known: Vec<_> = features.iter().filter(|(_, on)| *on).map(|(name, _)| format!("{name}://")).collect();
    if known.is_empty() {
        "folders only: it is built without the features `s3`, `gcs` and `azure`".to_owned()
    } else {
        format!("folders and {}", known.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_and_urls_of_files_are_folders() {
        let folder = |text: &str| match Location::parse(text).expect("a location").0 {
            Place::Folder(path) => path,
            Place::Store(url) => panic!("{url}"),
        };
        assert_eq!(folder("/a/b c"), Path::new("/a/b c"));
        assert_eq!(folder("file:///a/b%20c"), Path::new("/a/b c"));
        assert_eq!(folder("file:/a"), Path::new("/a"));
        assert!(folder("ckpt:1/x").is_absolute());
        for (text, says) in [("", "empty"), ("ftp://x/y", "`ftp:` is not known"), ("file://host/x", "without a host")] {
            let error = Location::parse(text).expect_err(text).to_string();
            assert!(error.contains(says) && error.contains(&format!("`{text}`")), "{error}");
        }
    }

    #[test]
    fn passwords_are_not_shown() {
        let location = Location::parse("s3://user:secret@bucket/x").expect("a location");
        assert_eq!(location.to_string(), "s3://user@bucket/x");
    }

    #[test]
    #[cfg(not(feature = "s3"))]
    fn a_store_without_its_feature_says_which() {
        let error = Location::parse("s3://bucket/x").expect("a location").open("job").expect_err("no feature");
        assert!(error.to_string().contains("`s3`"), "{error}");
    }
}
