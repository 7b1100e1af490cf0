//! The bytes of a text file between storage and decoder: read in pieces, held until their records are given out.

use std::io::{self, Read};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::Error;
use crate::input::ByteInput;

/// How much is read at once: few system calls, and still within a core's second-level cache.
const READ_BYTES: usize = 256 * 1024;
/// A batch ends early when its records hold this many bytes, however few they are.
pub(crate) const BATCH_BYTES_MAX: usize = 8 * 1024 * 1024;
/// The longest record: beyond it a quote or a line break is missing rather than a text long.
pub(crate) const RECORD_BYTES_MAX: usize = 16 * 1024 * 1024;

/// What [`TextBuffer::fill`] brought.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fill {
    /// More bytes.
    More,
    /// Nothing at present: the file may grow.
    Nothing,
    /// Nothing ever again.
    Ended,
    /// Reading failed; [`TextBuffer::take_failure`] has the reason.
    Failed,
}

/// A window on a text: the bytes that were read and not yet given out as records.
pub(crate) struct TextBuffer {
    input: ByteInput,
    /// For messages.
    name: String,
    /// The file to watch, when it may grow.
    follow: Option<PathBuf>,
    buffer: Vec<u8>,
    start: usize,
    end: usize,
    byte: u64,
    line: u64,
    failure: Option<io::Error>,
    has_failed: bool,
    raw_bytes: Arc<AtomicU64>,
    raw_bytes_told: u64,
}

impl TextBuffer {
    /// A window at the front of `input`, which stands at `byte` and `line` of the text called `name`.
    pub(crate) fn new(input: ByteInput, name: &str, byte: u64, line: u64, follow: Option<PathBuf>) -> Self {
        let raw_bytes = input.raw_bytes();
        Self {
            input,
            name: name.to_owned(),
            follow,
            buffer: Vec::new(),
            start: 0,
            end: 0,
            byte,
            line,
            failure: None,
            has_failed: false,
            // What opening passed over was told by whoever read it before.
            raw_bytes_told: if byte == 0 { 0 } else { raw_bytes.load(Ordering::Relaxed) },
            raw_bytes,
        }
    }

    /// A window on text that is in memory.
    pub(crate) fn of_bytes(bytes: Vec<u8>, name: &str) -> Self {
        Self::new(ByteInput::of_bytes(bytes), name, 0, 1, None)
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// The bytes in the window.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.buffer[self.start..self.end]
    }

    /// Decompressed bytes before the window.
    pub(crate) fn byte(&self) -> u64 {
        self.byte
    }

    /// The line of the window's first byte.
    pub(crate) fn line(&self) -> u64 {
        self.line
    }

    /// Whether [`TextBuffer::fill`] comes back at once.
    pub(crate) fn is_ready(&mut self) -> bool {
        self.has_failed || self.input.is_ready()
    }

    /// Moves the front of the window over `bytes`, to `line`.
    pub(crate) fn consume(&mut self, bytes: usize, line: u64) {
        self.start += bytes;
        self.byte += bytes as u64;
        self.line = line;
    }

    /// Reads more behind the window, once.
    pub(crate) fn fill(&mut self) -> Result<Fill, Error> {
        if self.has_failed {
            return Ok(Fill::Failed);
        }
        self.make_room();
        loop {
            match self.input.read(&mut self.buffer[self.end..]) {
                Ok(0) if self.follow.is_some() => return self.check_growth().map(|()| Fill::Nothing),
                Ok(0) => return Ok(Fill::Ended),
                Ok(bytes) => {
                    self.end += bytes;
                    return Ok(Fill::More);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => {
                    (self.failure, self.has_failed) = (Some(error), true);
                    return Ok(Fill::Failed);
                }
            }
        }
    }

    /// The error to give once the records before it are out.
    pub(crate) fn take_failure(&mut self) -> Error {
        self.take_failure_at(format!("{} after line {}", self.name, self.line))
    }

    /// The same, at a place in other words.
    pub(crate) fn take_failure_at(&mut self, place: String) -> Error {
        let source = self.failure.take().unwrap_or_else(|| io::ErrorKind::UnexpectedEof.into());
        match source.kind() {
            // What decompressors say of a stream that is cut off or not theirs.
            io::ErrorKind::UnexpectedEof | io::ErrorKind::InvalidInput | io::ErrorKind::InvalidData => {
                Error::damaged(&place, format!("the compressed stream is damaged or cut off: {source}"))
            }
            _ => Error::Io { action: "read", path: place, source },
        }
    }

    /// Bytes of storage read since the last call.
    pub(crate) fn take_progress(&mut self) -> u64 {
        let now = self.raw_bytes.load(Ordering::Relaxed);
        now.saturating_sub(std::mem::replace(&mut self.raw_bytes_told, now))
    }

    /// What to say of a record that does not end.
    pub(crate) fn too_long(&self, line: u64) -> Error {
        Error::damaged(
            &format!("{} line {line}", self.name),
            format!("a record of more than {} MiB: is a quote or a line break missing?", RECORD_BYTES_MAX >> 20),
        )
    }

    fn make_room(&mut self) {
        if self.start == self.end {
            (self.start, self.end) = (0, 0);
        } else if self.start >= self.buffer.len() / 2 {
            self.buffer.copy_within(self.start..self.end, 0);
            (self.start, self.end) = (0, self.end - self.start);
        }
        if self.buffer.len() - self.end < READ_BYTES / 2 {
            self.buffer.resize((self.end + READ_BYTES).max(self.buffer.len() * 2).min(self.end + BATCH_BYTES_MAX), 0);
        }
    }

    /// A file that is followed must only grow.
    fn check_growth(&self) -> Result<(), Error> {
        let Some(path) = &self.follow else { return Ok(()) };
        let length = std::fs::metadata(path).map_err(|error| Error::io("read", &self.name, error))?.len();
        let read = self.byte + self.bytes().len() as u64;
        if length < read {
            let detail = format!("now {length} bytes long after {read} were read: a followed file must only grow");
            return Err(Error::damaged(&self.name, detail));
        }
        Ok(())
    }
}
