//! Reads the file of a snapshot of state in memory, an entry at a time.

use std::fs::File;
use std::io::{BufReader, ErrorKind, Read};
use std::path::PathBuf;

use bytes::Bytes;
use volley_api::{StateEntry, StateFile};

use crate::snapshot::{HEAD_BYTES, Head, MAGIC};
use crate::{Error, Result};

/// The files of a part, one behind the other.
#[derive(Debug)]
pub(super) struct Entries {
    files: std::vec::IntoIter<StateFile>,
    open: Option<Open>,
    path: PathBuf,
}

#[derive(Debug)]
struct Open {
    file: BufReader<File>,
    /// Bytes that have not been read.
    left: u64,
}

impl Entries {
    pub(super) fn new(files: Vec<StateFile>) -> Self {
        Self { files: files.into_iter(), open: None, path: PathBuf::new() }
    }

    /// The file that is being read.
    pub(super) fn path(&self) -> PathBuf {
        self.path.clone()
    }

    pub(super) fn next(&mut self) -> Result<Option<StateEntry>> {
        loop {
            if let Some(open) = &mut self.open {
                if open.left > 0 {
                    let entry = open.entry();
                    return entry.map(Some).map_err(|problem| Error::Snapshot { path: self.path.clone(), problem });
                }
                self.open = None;
            }
            let Some(file) = self.files.next() else { return Ok(None) };
            self.path = file.path;
            let open = Open::new(&self.path);
            self.open = Some(open.map_err(|problem| Error::Snapshot { path: self.path.clone(), problem })?);
        }
    }
}

impl Open {
    fn new(path: &PathBuf) -> Result<Self, String> {
        let file = File::open(path).map_err(|error| match error.kind() {
            ErrorKind::NotFound => "it was removed while it was looked at: look at a newer checkpoint".to_owned(),
            _ => error.to_string(),
        })?;
        let left = file.metadata().map_err(|error| error.to_string())?.len();
        let mut open = Self { file: BufReader::new(file), left };
        let magic: [u8; MAGIC.len()] = open.read()?;
        if magic == *MAGIC { Ok(open) } else { Err("it does not begin like one".to_owned()) }
    }

    fn entry(&mut self) -> Result<StateEntry, String> {
        let head: [u8; HEAD_BYTES] = self.read()?;
        let Head { group, namespace, key_bytes, value_bytes } = Head::of(head);
        Ok(StateEntry { group, namespace, key: self.bytes(key_bytes)?, value: self.bytes(value_bytes)? })
    }

    fn read<const BYTES: usize>(&mut self) -> Result<[u8; BYTES], String> {
        let mut bytes = [0; BYTES];
        self.take(BYTES as u64)?;
        self.file.read_exact(&mut bytes).map_err(|error| error.to_string())?;
        Ok(bytes)
    }

    fn bytes(&mut self, length: u32) -> Result<Bytes, String> {
        // Only what the file has is allocated.
        self.take(u64::from(length))?;
        let mut bytes = vec![0; length as usize];
        self.file.read_exact(&mut bytes).map_err(|error| error.to_string())?;
        Ok(bytes.into())
    }

    fn take(&mut self, bytes: u64) -> Result<(), String> {
        self.left = self.left.checked_sub(bytes).ok_or_else(|| "it ends within an entry".to_owned())?;
        Ok(())
    }
}
