//! Repro bundles: a call that failed with all that it depends on, in a folder, to be made again elsewhere bit for bit.
//!
//! A bundle has rows and state of the job in it, as they are: it is as confidential as they are. So nothing is written unless
//! a folder is named, and there is a bound on bundles and on the bytes of each. It does not have the component, which is
//! known by its digest.

mod declared;
mod decode;
mod encode;
mod http;
mod keep;
mod replay;
mod what;

use std::fs::{DirBuilder, OpenOptions};
use std::io::{ErrorKind, Write as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::Value;

pub(crate) use self::keep::is_of_a_call;
pub use self::replay::{ReplayOptions, Replayed, replay};
use crate::again::CameTo;
use crate::contract::Part;
use crate::held::{Entry, Held, Logged};

/// Bundles of one job, at most.
pub const REPRO_BUNDLES_MAX: usize = 16;

/// Bytes of one bundle, at most: what would be larger is not written.
pub const REPRO_BYTES_MAX: usize = 64 << 20;

/// Bundles of earlier jobs that there may be under one name in a folder.
const EARLIER_MAX: usize = 10_000;

/// The file of a bundle that tells everything but the rows.
pub(crate) const BUNDLE: &str = "bundle.json";

/// The file with the rows, as an Arrow stream.
pub(crate) const INPUT: &str = "input.arrow";

/// The version of the form. The first knew no calls but those of maps, filters, flat-maps and processes, and is read as it was.
pub(crate) const FORMAT: u64 = 2;

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

    /// Where they go.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Whether the job may write one more.
    pub(crate) fn has_room(&self) -> bool {
        self.written.load(Ordering::Relaxed) < REPRO_BUNDLES_MAX
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
        make(&self.folder, true)?;
        // Of an earlier run there may be some.
        for number in 0..EARLIER_MAX {
            let folder = self.folder.join(format!("{name}-{number}"));
            match make(&folder, false) {
                Ok(()) => {}
                Err(error) if error.kind() == ErrorKind::AlreadyExists => continue,
                Err(error) => return Err(error),
            }
            write(&folder.join(INPUT), input)?;
            // Last: what has this file is whole.
            write(&folder.join(BUNDLE), text.as_bytes())?;
            return Ok(Some(folder));
        }
        let problem = format!("there are {EARLIER_MAX} bundles of `{name}` already: remove some");
        Err(std::io::Error::new(ErrorKind::AlreadyExists, problem))
    }
}

/// Makes a folder that is closed to others.
fn make(folder: &Path, with_those_above: bool) -> std::io::Result<()> {
    let mut builder = DirBuilder::new();
    builder.recursive(with_those_above);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}

fn write(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)?.write_all(bytes)
}

/// The call that was made last, and what it came to.
#[derive(Debug)]
pub(crate) struct Last {
    pub(crate) call: Box<Logged>,
    pub(crate) came_to: CameTo,
}

/// A call that has failed, and what it depends on.
pub(crate) struct Failed<'a> {
    /// What the operator held itself, if it holds anything.
    pub(crate) parts: Option<&'a [Part]>,
    /// What was called before, since then.
    pub(crate) log: &'a [Entry],
    pub(crate) last: &'a Last,
}

impl<'a> Failed<'a> {
    /// A call of an instance that has nothing in it of earlier ones.
    pub(crate) fn alone(last: &'a Last) -> Self {
        Self { parts: None, log: &[], last }
    }

    /// A call of an operator, which may hold something itself.
    pub(crate) fn of_held(held: Option<&'a Held>, last: &'a Last) -> Self {
        let Some(held) = held else { return Self::alone(last) };
        // Where the plugin answered with a failure the call itself is the last of them.
        let log = match held.log.split_last() {
            Some((Entry::Call(_), before)) if last.call.has_failed => before,
            _ => &held.log[..],
        };
        Self { parts: Some(&held.parts), log, last }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bundles_are_bounded_and_never_take_the_place_of_others() {
        let folder = tempfile::tempdir().expect("a folder");
        let within = folder.path().join("a/b");
        let bundle = serde_json::json!({ "x": 1 });
        let write = |repro: &Repro| repro.write("n-0", &bundle, b"rows").expect("writes");
        let first = Repro::new(&within);
        assert_eq!(write(&first), Some(within.join("n-0-0")));
        let second = Repro::new(&within);
        for number in 1..=REPRO_BUNDLES_MAX {
            assert_eq!(write(&second), Some(within.join(format!("n-0-{number}"))));
        }
        assert_eq!((write(&second), second.has_room()), (None, false));
        let large = vec![0; REPRO_BYTES_MAX];
        assert_eq!(first.write("n-0", &bundle, &large).expect("no error"), None);
        assert_eq!(write(&first), Some(within.join("n-0-17")), "what was too large does not count");
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            let mode = |path: &Path| std::fs::metadata(path).expect("there").permissions().mode() & 0o777;
            assert_eq!((mode(&within), mode(&within.join("n-0-0"))), (0o700, 0o700));
            assert_eq!(mode(&within.join("n-0-0").join(BUNDLE)), 0o600);
        }
    }
}
