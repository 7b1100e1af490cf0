//! Where encoded bytes leave: compressed, counted and checksummed on their way.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use flate2::write::GzEncoder;

use crate::Compression;

/// How many encoded bytes are gathered for one system call.
const WRITE_BYTES: usize = 256 * 1024;
/// Fast and small enough: the default of both command line tools is 3 and 6.
const ZSTD_LEVEL: i32 = 3;

/// Where bytes go.
pub(crate) enum Out {
    File(File),
    Stream(Box<dyn Write + Send>),
}

/// Counts and checksums what goes out, and keeps the first error as the operating system gave it.
pub(crate) struct Seam {
    pub(crate) out: Out,
    crc: flate2::Crc,
    failure: Failure,
}

/// A view on the outcome of a [`Seam`] that stays when the seam is inside a writer.
#[derive(Clone, Default)]
pub(crate) struct Failure {
    first: Arc<Mutex<Option<io::Error>>>,
    bytes: Arc<AtomicU64>,
}

impl Failure {
    pub(crate) fn take(&self) -> Option<io::Error> {
        self.first.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Bytes that have gone out.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    /// Keeps the error if it is the first, and gives back one that says the same.
    fn note(&self, error: io::Error) -> io::Error {
        let copy = io::Error::new(error.kind(), error.to_string());
        self.first.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
        copy
    }
}

impl Seam {
    pub(crate) fn new(out: Out) -> Self {
        Self { out, crc: flate2::Crc::new(), failure: Failure::default() }
    }

    pub(crate) fn failure(&self) -> Failure {
        self.failure.clone()
    }

    /// Length and CRC-32 of what went out.
    pub(crate) fn length_and_crc(&self) -> (u64, u32) {
        (self.failure.bytes(), self.crc.sum())
    }
}

impl Write for Seam {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let outcome = match &mut self.out {
            Out::File(file) => file.write(bytes),
            Out::Stream(stream) => stream.write(bytes),
        };
        match outcome {
            Ok(written) => {
                self.crc.update(&bytes[..written]);
                self.failure.bytes.fetch_add(written as u64, Ordering::Relaxed);
                Ok(written)
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Err(error),
            Err(error) => Err(self.failure.note(error)),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        let outcome = match &mut self.out {
            Out::File(file) => file.flush(),
            Out::Stream(stream) => stream.flush(),
        };
        outcome.map_err(|error| self.failure.note(error))
    }
}

/// Compression over a [`Seam`].
pub(crate) enum Encoder {
    Plain(BufWriter<Seam>),
    Gzip(GzEncoder<BufWriter<Seam>>),
    Zstd(zstd::stream::write::Encoder<'static, BufWriter<Seam>>),
}

impl Encoder {
    pub(crate) fn new(seam: Seam, compression: Compression) -> io::Result<Self> {
        let out = BufWriter::with_capacity(WRITE_BYTES, seam);
        Ok(match compression {
            Compression::None | Compression::Auto => Self::Plain(out),
            Compression::Gzip => Self::Gzip(GzEncoder::new(out, flate2::Compression::default())),
            Compression::Zstd => Self::Zstd(zstd::stream::write::Encoder::new(out, ZSTD_LEVEL)?),
        })
    }

    /// Ends the compressed stream and hands over everything.
    pub(crate) fn finish(self) -> io::Result<Seam> {
        let out = match self {
            Self::Plain(out) => out,
            Self::Gzip(out) => out.finish()?,
            Self::Zstd(out) => out.finish()?,
        };
        let mut seam = out.into_inner().map_err(io::IntoInnerError::into_error)?;
        seam.flush()?;
        Ok(seam)
    }
}

impl Write for Encoder {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(out) => out.write(bytes),
            Self::Gzip(out) => out.write(bytes),
            Self::Zstd(out) => out.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(out) => out.flush(),
            Self::Gzip(out) => out.flush(),
            Self::Zstd(out) => out.flush(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Takes some bytes, then has no room.
    struct Full(usize);

    impl Write for Full {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            if self.0 == 0 {
                return Err(io::ErrorKind::StorageFull.into());
            }
            let written = bytes.len().min(self.0);
            self.0 -= written;
            Ok(written)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn the_first_error_is_kept_through_every_compression() {
        for compression in [Compression::None, Compression::Gzip, Compression::Zstd] {
            let seam = Seam::new(Out::Stream(Box::new(Full(10))));
            let failure = seam.failure();
            let mut encoder = Encoder::new(seam, compression).expect("an encoder");
            let noise: Vec<u8> = (0..100_000_u32).map(|at| (at.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
            let outcome = encoder.write_all(&noise).and_then(|()| encoder.finish().map(drop));
            assert!(outcome.is_err());
            assert_eq!(failure.take().map(|error| error.kind()), Some(io::ErrorKind::StorageFull));
            assert_eq!(failure.bytes(), 10);
        }
    }
}
