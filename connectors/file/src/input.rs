//! A stream of decompressed bytes from a file, a pipe or standard input.

use std::fs::File;
use std::io::{self, Cursor, Read, Seek, SeekFrom};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::time::Duration;

use crate::decompress::decompress;
use crate::{Compression, Error};

/// Pieces of a pipe that may wait to be read: with `PUMP_PIECE_BYTES`, one megabyte.
const PUMP_PIECES_MAX: usize = 16;
/// The most bytes of one piece: what a pipe holds on Linux.
const PUMP_PIECE_BYTES: usize = 64 * 1024;

/// Bytes that may be slow to come.
pub(crate) trait LiveRead: Read {
    /// Waits until a read comes back at once, `patience` at most. Whether it does.
    fn wait(&mut self, patience: Duration) -> bool;
}

/// Decompressed bytes, with what readers need to know beside them.
pub(crate) struct ByteInput {
    bytes: Bytes,
    /// Bytes taken from storage so far, before decompression.
    raw_bytes: Arc<AtomicU64>,
    /// Bytes read ahead at plan time, given out again first.
    head: Cursor<Vec<u8>>,
}

/// Where bytes come from.
enum Bytes {
    /// A file, where a read never waits for somebody.
    File(Box<dyn Read + Send>),
    Pump(Pump),
}

impl ByteInput {
    /// Opens a file that can be read more than once, `byte` decompressed bytes behind its beginning.
    pub(crate) fn open(path: &Path, name: &str, compression: Compression, byte: u64) -> Result<Self, Error> {
        let fail = |error| Error::io("read", name, error);
        let mut file = File::open(path).map_err(fail)?;
        if file.metadata().map_err(fail)?.is_dir() {
            return Err(Error::Options(format!("{name}: is a folder")));
        }
        let compressed = compression.of_path(path) != Compression::None;
        if byte > 0 && !compressed {
            if file.metadata().map_err(fail)?.len() < byte {
                return Err(shorter(name, byte));
            }
            file.seek(SeekFrom::Start(byte)).map_err(fail)?;
        }
        let mut input = Self::file(file, compression.of_path(path)).map_err(fail)?;
        if byte > 0 && compressed {
            let skipped = io::copy(&mut (&mut input).take(byte), &mut io::sink()).map_err(fail)?;
            if skipped < byte {
                return Err(shorter(name, byte));
            }
        }
        Ok(input)
    }

    /// Takes over something that can be read once, and may make readers wait: a pipe or standard input. A thread of
    /// its own reads ahead and decompresses, within a bound; it ends with the input, or when nobody reads any more.
    pub(crate) fn stream(reader: Box<dyn Read + Send>, name: &str, compression: Compression) -> Result<Self, Error> {
        let raw_bytes = Arc::new(AtomicU64::new(0));
        let counted = Counted { inner: reader, bytes: Arc::clone(&raw_bytes) };
        let pump = Pump::start(counted, compression).map_err(|error| Error::io("read", name, error))?;
        Ok(Self { bytes: Bytes::Pump(pump), raw_bytes, head: Cursor::default() })
    }

    /// Bytes that are in memory.
    pub(crate) fn of_bytes(bytes: Vec<u8>) -> Self {
        Self { bytes: Bytes::File(Box::new(io::empty())), raw_bytes: Arc::default(), head: Cursor::new(bytes) }
    }

    fn file(file: File, compression: Compression) -> io::Result<Self> {
        let raw_bytes = Arc::new(AtomicU64::new(0));
        let counted = Counted { inner: Box::new(file), bytes: Arc::clone(&raw_bytes) };
        let bytes = Bytes::File(decompress(Box::new(counted), compression)?);
        Ok(Self { bytes, raw_bytes, head: Cursor::default() })
    }

    /// Whether a read comes back at once.
    pub(crate) fn is_ready(&mut self) -> bool {
        self.wait(Duration::ZERO)
    }

    /// Bytes taken from storage so far, before decompression: the unit of a split's size.
    pub(crate) fn raw_bytes(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.raw_bytes)
    }

    /// Lets `look` read, and gives the same bytes out again afterwards.
    pub(crate) fn peek<T>(&mut self, look: impl FnOnce(&mut Tee<'_>) -> T) -> T {
        let mut seen = Vec::new();
        let outcome = look(&mut Tee { inner: self, seen: &mut seen });
        let unread = self.head.position() as usize;
        seen.extend_from_slice(&self.head.get_ref()[unread..]);
        self.head = Cursor::new(seen);
        outcome
    }
}

#[cfg(test)]
impl LiveRead for &[u8] {
    fn wait(&mut self, _: Duration) -> bool {
        true
    }
}

impl Read for ByteInput {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.head.read(buffer)? {
            0 => match &mut self.bytes {
                Bytes::File(file) => file.read(buffer),
                Bytes::Pump(pump) => pump.read(buffer),
            },
            bytes => Ok(bytes),
        }
    }
}

impl LiveRead for ByteInput {
    fn wait(&mut self, patience: Duration) -> bool {
        let in_head = (self.head.position() as usize) < self.head.get_ref().len();
        match &mut self.bytes {
            _ if in_head => true,
            Bytes::File(_) => true,
            Bytes::Pump(pump) => pump.wait(patience),
        }
    }
}

/// Puts the whole of `input` into an unnamed temporary file, for formats that are read from their end.
pub(crate) fn spool(input: &mut dyn Read, name: &str) -> Result<File, Error> {
    let mut file = tempfile::tempfile().map_err(|error| Error::io("make a temporary file for", name, error))?;
    io::copy(input, &mut file).map_err(|error| Error::io("read", name, error))?;
    file.rewind().map_err(|error| Error::io("read", name, error))?;
    Ok(file)
}

fn shorter(name: &str, byte: u64) -> Error {
    Error::damaged(name, format!("shorter than the {byte} bytes that had been read from it: the file was replaced"))
}

struct Counted {
    inner: Box<dyn Read + Send>,
    bytes: Arc<AtomicU64>,
}

impl Read for Counted {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let bytes = self.inner.read(buffer)?;
        self.bytes.fetch_add(bytes as u64, Ordering::Relaxed);
        Ok(bytes)
    }
}

/// Reads, and remembers what was read.
pub(crate) struct Tee<'a> {
    inner: &'a mut ByteInput,
    seen: &'a mut Vec<u8>,
}

impl LiveRead for Tee<'_> {
    fn wait(&mut self, patience: Duration) -> bool {
        self.inner.wait(patience)
    }
}

impl Read for Tee<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let bytes = self.inner.read(buffer)?;
        self.seen.extend_from_slice(&buffer[..bytes]);
        Ok(bytes)
    }
}

/// The reading end of a thread that reads ahead. An empty piece is the end of the input.
struct Pump {
    pieces: Receiver<io::Result<Vec<u8>>>,
    piece: Cursor<Vec<u8>>,
    /// An error that was met, until it is given out.
    failure: Option<io::Error>,
    ended: bool,
}

impl Pump {
    fn start(reader: Counted, compression: Compression) -> io::Result<Self> {
        let (sender, pieces) = sync_channel(PUMP_PIECES_MAX);
        let pump = move || {
            let mut reader = match decompress(Box::new(reader), compression) {
                Ok(reader) => reader,
                // The receiver is gone when the job is; nobody wants the outcome then. So below.
                Err(error) => return drop(sender.send(Err(error))),
            };
            loop {
                let mut piece = vec![0; PUMP_PIECE_BYTES];
                let outcome = match reader.read(&mut piece) {
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                    outcome => outcome,
                };
                let is_last = !matches!(outcome, Ok(1..));
                let message = outcome.map(|bytes| {
                    piece.truncate(bytes);
                    piece
                });
                if sender.send(message).is_err() || is_last {
                    return;
                }
            }
        };
        std::thread::Builder::new().name("volley-file-pipe".to_owned()).spawn(pump)?;
        Ok(Self { pieces, piece: Cursor::default(), failure: None, ended: false })
    }

    /// Waits until a read comes back at once: with bytes, the end, or an error.
    fn wait(&mut self, patience: Duration) -> bool {
        let in_piece = (self.piece.position() as usize) < self.piece.get_ref().len();
        if in_piece || self.ended || self.failure.is_some() {
            return true;
        }
        match self.pieces.recv_timeout(patience) {
            Ok(piece) => self.take(piece),
            Err(RecvTimeoutError::Timeout) => return false,
            // The thread has ended without saying so: after an error that was already given out.
            Err(RecvTimeoutError::Disconnected) => self.ended = true,
        }
        true
    }

    fn take(&mut self, piece: io::Result<Vec<u8>>) {
        match piece {
            Ok(piece) => {
                self.ended = piece.is_empty();
                self.piece = Cursor::new(piece);
            }
            Err(error) => self.failure = Some(error),
        }
    }
}

impl Read for Pump {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            if let Some(failure) = self.failure.take() {
                return Err(failure);
            }
            let bytes = self.piece.read(buffer)?;
            if bytes > 0 || self.ended || buffer.is_empty() {
                return Ok(bytes);
            }
            match self.pieces.recv() {
                Ok(piece) => self.take(piece),
                Err(_) => self.ended = true,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_peek_takes_nothing_away() {
        let mut input =
            ByteInput::stream(Box::new(Cursor::new(b"abcdef".to_vec())), "-", Compression::None).expect("ok");
        let mut two = [0; 2];
        input.peek(|read| read.read_exact(&mut two)).expect("two bytes");
        assert_eq!(&two, b"ab");
        let mut four = [0; 4];
        input.peek(|read| read.read_exact(&mut four)).expect("four bytes");
        assert_eq!(&four, b"abcd");
        let mut all = String::new();
        input.read_to_string(&mut all).expect("the rest");
        assert_eq!(all, "abcdef");
        assert!(input.is_ready(), "the end does not make anybody wait");
    }

    #[test]
    fn files_open_anywhere() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("a.csv.zst");
        std::fs::write(&path, zstd::encode_all(&b"0123456789"[..], 1).expect("memory")).expect("a file");
        let mut rest = String::new();
        ByteInput::open(&path, "a", Compression::Auto, 7).expect("open").read_to_string(&mut rest).expect("read");
        assert_eq!(rest, "789");
        let error = ByteInput::open(&path, "a", Compression::Auto, 11).err().expect("too far").to_string();
        assert!(error.contains("a: shorter than the 11 bytes"), "{error}");
        assert!(ByteInput::open(folder.path(), "d", Compression::Auto, 0).is_err());
    }

    #[test]
    fn waiting_takes_nothing_away_and_ends_when_the_input_pauses() {
        let (reader, mut writer) = io::pipe().expect("a pipe");
        let mut input = ByteInput::stream(Box::new(reader), "-", Compression::Gzip).expect("ok");
        assert!(!input.is_ready(), "nothing was sent");
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        io::Write::write_all(&mut encoder, b"abc").expect("memory");
        io::Write::flush(&mut encoder).expect("memory");
        io::Write::write_all(&mut writer, encoder.get_ref()).expect("somebody reads");
        assert!(input.wait(Duration::MAX), "what is flushed comes through, though the stream has not ended");
        let mut three = [0; 3];
        input.read_exact(&mut three).expect("three bytes");
        assert_eq!((&three, input.is_ready()), (b"abc", false));
        drop(writer);
        assert!(input.wait(Duration::MAX), "the end does not make anybody wait");
        assert!(input.read(&mut three).is_err(), "cut off");
    }

    #[test]
    fn errors_of_a_pipe_come_through() {
        struct Bad;
        impl Read for Bad {
            fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
                Err(io::Error::other("gone"))
            }
        }
        let mut input = ByteInput::stream(Box::new(Bad), "-", Compression::None).expect("ok");
        assert_eq!(input.read(&mut [0; 8]).expect_err("bad").to_string(), "gone");
    }
}
