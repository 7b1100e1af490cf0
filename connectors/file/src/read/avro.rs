//! Reads Avro object container files, as a stream.

use std::io::{self, BufRead, BufReader, Read};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};

use arrow::datatypes::SchemaRef;
use arrow_avro::codec::Tz;
use arrow_avro::reader::{Reader, ReaderBuilder};

use super::rows::Batches;
use crate::Error;
use crate::input::ByteInput;

/// How long the mark between blocks is.
const SYNC_BYTES: usize = 16;
/// How much is read at once.
const READ_BYTES: usize = 256 * 1024;

fn reader<R: BufRead>(input: R, name: &str, rows_max: usize) -> Result<Reader<R>, Error> {
    // `UTC` is what other formats call the zone.
    let builder = ReaderBuilder::new().with_batch_size(rows_max).with_tz(Tz::Utc);
    builder.build(input).map_err(|error| Error::damaged(name, format!("not an Avro file, or cut off: {error}")))
}

/// The columns of a file.
pub(crate) fn schema(input: &mut dyn Read, name: &str) -> Result<SchemaRef, Error> {
    Ok(reader(BufReader::new(input), name, 1)?.schema())
}

/// The batches of a file.
pub(crate) fn batches(input: ByteInput, name: &str, rows_max: usize) -> Result<Batches, Error> {
    let raw_bytes = input.raw_bytes();
    let tail = Arc::new(Mutex::new([0; SYNC_BYTES]));
    let tailed = Tailed { inner: BufReader::with_capacity(READ_BYTES, input), tail: Arc::clone(&tail) };
    let reader = reader(tailed, name, rows_max)?;
    let sync = reader.avro_header().sync();
    // The decoder takes any end of input for the end of the file; a whole file ends in the mark.
    let check_end = move || match *tail.lock().unwrap_or_else(PoisonError::into_inner) == sync {
        true => Ok(()),
        false => Err("the last block is not complete".to_owned()),
    };
    Ok(Batches {
        schema: reader.schema(),
        iterator: Box::new(reader),
        skipped: 0,
        progress: Box::new(move |_| raw_bytes.load(Ordering::Relaxed)),
        check_end: Box::new(check_end),
    })
}

/// Remembers the last bytes that were consumed.
struct Tailed<R> {
    inner: BufReader<R>,
    tail: Arc<Mutex<[u8; SYNC_BYTES]>>,
}

impl<R: Read> Read for Tailed<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let available = self.fill_buf()?;
        let bytes = available.len().min(buffer.len());
        buffer[..bytes].copy_from_slice(&available[..bytes]);
        self.consume(bytes);
        Ok(bytes)
    }
}

impl<R: Read> BufRead for Tailed<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        self.inner.fill_buf()
    }

    fn consume(&mut self, bytes: usize) {
        let consumed = &self.inner.buffer()[..bytes];
        let mut tail = self.tail.lock().unwrap_or_else(PoisonError::into_inner);
        let new = &consumed[consumed.len().saturating_sub(SYNC_BYTES)..];
        tail.copy_within(new.len().., 0);
        tail[SYNC_BYTES - new.len()..].copy_from_slice(new);
        drop(tail);
        self.inner.consume(bytes);
    }
}
