//! Repro bundles: a call that failed with all that it depends on, in a folder, to be made again elsewhere bit for bit.
//!
//! A bundle has rows and state of the job in it, as they are: it is as confidential as they are. So nothing is written unless
//! a folder is named, and there is a bound on bundles and on the bytes of each.

mod decode;
pub(crate) mod encode;
mod replay;

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::Value;

pub use self::replay::{Replayed, replay};
use crate::held::{Entry, Held, Logged};

/// Bundles of one job, at most.
pub const REPRO_BUNDLES_MAX: usize = 16;

/// Bytes of one bundle, at most: what would be larger is not written.
pub const REPRO_BYTES_MAX: usize = 64 << 20;

/// The file of a bundle that tells everything but the rows.
pub(crate) const BUNDLE: &str = "bundle.json";

/// The file with the rows, as an Arrow stream.
pub(crate) const INPUT: &str = "input.arrow";

/// The version of the form.
pub(crate) const FORMAT: u64 = 1;

/// Where bundles of a job go.
#[derive(Debug)]
pub struct Repro {
    folder: PathBuf,
    written: AtomicUsize,
}

impl PartialEq for Repro {
    fn eq(&self, other: &Self) -> bool {
        self.folder == other.folder
    }
}

impl Repro {
    /// Bundles go into folders of their own within this one, which is made when there is the first.
    #[must_use]
    pub fn new(folder: &Path) -> Self {
        Self { folder: folder.to_owned(), written: AtomicUsize::new(0) }
    }

    /// Writes a bundle; `None` when the job has as many as it may, or this one is too large.
    pub(crate) fn write(&self, name: &str, bundle: &Value, input: &[u8]) -> std::io::Result<Option<PathBuf>> {
        let text = format!("{bundle:#}\n");
        if text.len().saturating_add(input.len()) > REPRO_BYTES_MAX {
            return Ok(None);
        }
        if self.written.fetch_add(1, Ordering::Relaxed) >= REPRO_BUNDLES_MAX {
            return Ok(None);
        }
        // Of an earlier run there may be some.
        let free = (0..).map(|number| self.folder.join(format!("{name}-{number}"))).find(|folder| !folder.exists());
        let Some(folder) = free else { return Ok(None) };
        std::fs::create_dir_all(&folder)?;
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            std::fs::set_permissions(&folder, std::fs::Permissions::from_mode(0o700))?;
        }
        std::fs::write(folder.join(INPUT), input)?;
        std::fs::write(folder.join(BUNDLE), text)?;
        Ok(Some(folder))
    }
}

/// A call that has failed, and what it depends on.
pub(crate) struct Failed<'a> {
    /// What the operator held itself, and the calls since.
    pub(crate) held: Option<&'a Held>,
    pub(crate) call: &'a Logged,
    pub(crate) error: String,
}

impl Failed<'_> {
    fn log(&self) -> &[Entry] {
        self.held.map_or(&[], |held| &held.log)
    }
}
