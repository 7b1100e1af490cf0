//! Reads a checkpoint of RocksDB as it is: opened for reading only, through links in a folder of the reader's own.

use std::collections::VecDeque;
use std::fmt;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use rocksdb::DB;
use volley_api::{StateEntry, StatePart};

use super::PAGE_BYTES;
use crate::rocks::{SharedMemory, bulk_reads, keys, link_to_look_at, rocks_error};
use crate::{Error, Result};

/// For blocks that RocksDB has read.
const MEMORY_BYTES: usize = 32 << 20;

/// The database of a part.
pub(super) struct Tables {
    db: DB,
    path: PathBuf,
    /// Entries that were read and not given out.
    read: VecDeque<StateEntry>,
    /// The last key that was read.
    last: Option<Vec<u8>>,
    is_done: bool,
}

impl Tables {
    pub(super) fn open(part: &StatePart, folder: &Path) -> Result<Self> {
        link_to_look_at(part, folder)?;
        let failed = || rocks_error(folder);
        let mut options = SharedMemory::new(MEMORY_BYTES).options().map_err(failed())?;
        // All files are opened now: a job that runs may remove them at any time.
        options.set_max_open_files(-1);
        let db = DB::open_for_read_only(&options, folder, false).map_err(failed())?;
        Ok(Self { db, path: folder.to_owned(), read: VecDeque::new(), last: None, is_done: false })
    }

    /// Where the links are.
    pub(super) fn path(&self) -> PathBuf {
        self.path.clone()
    }

    /// The next entry; so many are wanted in all, which are read together.
    pub(super) fn next(&mut self, wanted: usize) -> Result<Option<StateEntry>> {
        if self.read.is_empty() && !self.is_done {
            self.fill(wanted)?;
        }
        Ok(self.read.pop_front())
    }

    fn fill(&mut self, wanted: usize) -> Result<()> {
        let mut iterator = self.db.raw_iterator_opt(bulk_reads());
        match &self.last {
            None => iterator.seek_to_first(),
            // The first key behind it.
            Some(last) => iterator.seek([&last[..], &[0]].concat()),
        }
        let mut bytes = 0;
        while self.read.len() < wanted && bytes < PAGE_BYTES {
            let Some((key, value)) = iterator.item() else {
                self.is_done = true;
                break;
            };
            let Some((namespace, group, tail)) = keys::read(key) else {
                let problem = "it has a key that is none of an entry".to_owned();
                return Err(Error::Snapshot { path: self.path.clone(), problem });
            };
            bytes += key.len() + value.len();
            let (entry_key, value) = (Bytes::copy_from_slice(&tail[1..]), Bytes::copy_from_slice(value));
            self.read.push_back(StateEntry { group, namespace, key: entry_key, value });
            self.last = Some(key.to_vec());
            iterator.next();
        }
        iterator.status().map_err(rocks_error(&self.path))
    }
}

impl fmt::Debug for Tables {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Tables({})", self.path.display())
    }
}
