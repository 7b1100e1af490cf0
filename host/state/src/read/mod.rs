//! Reads what a checkpoint has of a state, page by page, without opening the state: for whoever only wants to look.

mod entries;
#[cfg(feature = "rocksdb")]
mod tables;

use std::path::Path;

use volley_api::{StateEntry, StatePart};

use self::entries::Entries;
#[cfg(feature = "rocksdb")]
use self::tables::Tables;
use crate::{Error, Result, snapshot, ttl};

/// A page ends behind the entry with which it comes to so many bytes.
const PAGE_BYTES: usize = 4 << 20;

/// An entry of a part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReadEntry {
    /// The entry, as its operator put it.
    pub entry: StateEntry,
    /// When it was last written, in milliseconds since 1970 by the host's clock, where the part says so
    /// ([`StatePart::has_write_times`]).
    pub written_ms: Option<u64>,
}

/// Reads the entries of a part, by namespace, key group and key. Those whose time to live has passed are among them.
///
/// The files of the part are left as they are, and no state folder is needed. A page of entries is in memory at a time.
#[derive(Debug)]
pub struct PartReader {
    source: Source,
    has_write_times: bool,
}

#[derive(Debug)]
enum Source {
    Entries(Entries),
    #[cfg(feature = "rocksdb")]
    Tables(Tables),
}

impl PartReader {
    /// Opens a part that any backend wrote. `folder` is a place to work in, which is not there yet: links to the part's
    /// files lie in it where the format needs them. The caller removes it, when the reader is gone.
    ///
    /// # Errors
    /// When the format is not known, or comes with a feature that this build does not have; when a file cannot be opened.
    pub fn open(part: &StatePart, folder: &Path) -> Result<Self> {
        let has_write_times = part.has_write_times();
        match part.format.as_str() {
            snapshot::FORMAT => Ok(Self { source: Source::Entries(Entries::new(part.files.clone())), has_write_times }),
            #[cfg(feature = "rocksdb")]
            crate::rocks::FORMAT => Ok(Self { source: Source::Tables(Tables::open(part, folder)?), has_write_times }),
            found => {
                let _ = folder;
                Err(Error::UnknownFormat { found: found.to_owned() })
            }
        }
    }

    /// The next entries, at most so many and at least one; none when there are no more.
    ///
    /// # Errors
    /// When a file cannot be read, or is not what a backend wrote.
    pub fn next_page(&mut self, entries_max: usize) -> Result<Vec<ReadEntry>> {
        let (mut page, mut bytes) = (Vec::new(), 0);
        while page.len() < entries_max && bytes < PAGE_BYTES {
            let next = match &mut self.source {
                Source::Entries(entries) => entries.next()?,
                #[cfg(feature = "rocksdb")]
                Source::Tables(tables) => tables.next(entries_max)?,
            };
            let Some(mut entry) = next else { break };
            bytes += entry.key.len() + entry.value.len();
            let mut written_ms = None;
            if self.has_write_times {
                let damaged = || self.damaged(&entry);
                let (at_ms, value) = ttl::opened(&entry.value).ok_or_else(damaged)?;
                written_ms = Some(at_ms);
                entry.value = entry.value.slice_ref(value);
            }
            page.push(ReadEntry { entry, written_ms });
        }
        Ok(page)
    }

    fn damaged(&self, entry: &StateEntry) -> Error {
        let path = match &self.source {
            Source::Entries(entries) => entries.path(),
            #[cfg(feature = "rocksdb")]
            Source::Tables(tables) => tables.path(),
        };
        let bytes = entry.value.len();
        Error::Snapshot { path, problem: format!("a value of {bytes} bytes has no time of writing") }
    }
}
