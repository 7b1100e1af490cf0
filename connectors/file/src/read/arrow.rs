//! Reads Arrow IPC: files, and streams as they come.

use std::fs::File;
use std::io::{BufReader, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arrow::datatypes::SchemaRef;
use arrow::error::ArrowError;
use arrow::ipc::reader::{FileReader, StreamReader};

use super::rows::Batches;
use crate::Error;
use crate::input::{ByteInput, spool};

/// What the file form begins with; the stream form has no mark.
const FILE_MAGIC: &[u8] = b"ARROW1";

/// Both forms of Arrow IPC.
pub(crate) enum ArrowInput {
    /// With a footer at the end.
    File(File),
    /// Message by message.
    Stream(ByteInput),
}

impl ArrowInput {
    /// Tells the forms apart. The file form is read from its end: where `open` can give no file to seek in, the input
    /// is spooled into an unnamed temporary file.
    pub(crate) fn new(mut input: ByteInput, name: &str, open: impl FnOnce() -> Option<File>) -> Result<Self, Error> {
        let mut magic = [0; FILE_MAGIC.len()];
        let is_file = input.peek(|read| read.read_exact(&mut magic)).is_ok() && magic == FILE_MAGIC;
        if !is_file {
            return Ok(Self::Stream(input));
        }
        match open() {
            Some(file) => Ok(Self::File(file)),
            None => spool(&mut input, name).map(Self::File),
        }
    }
}

fn not_arrow(name: &str, error: &ArrowError) -> Error {
    Error::damaged(name, format!("not an Arrow IPC file, or cut off: {error}"))
}

/// The columns of a file; of a stream, without taking anything from it.
pub(crate) fn schema(input: &mut ArrowInput, name: &str) -> Result<SchemaRef, Error> {
    match input {
        ArrowInput::File(file) => {
            let file = file.try_clone().map_err(|error| Error::io("read", name, error))?;
            Ok(FileReader::try_new_buffered(file, None).map_err(|error| not_arrow(name, &error))?.schema())
        }
        ArrowInput::Stream(input) => {
            input.peek(|read| Ok(StreamReader::try_new(read, None).map_err(|error| not_arrow(name, &error))?.schema()))
        }
    }
}

/// The batches of a file.
pub(crate) fn batches(input: ArrowInput, name: &str) -> Result<Batches, Error> {
    match input {
        ArrowInput::File(file) => {
            let bytes = file.metadata().map_err(|error| Error::io("read", name, error))?.len();
            let reader = FileReader::try_new(BufReader::new(file), None).map_err(|error| not_arrow(name, &error))?;
            let (schema, total) = (reader.schema(), reader.num_batches().max(1) as u64);
            let read = Arc::new(AtomicU64::new(0));
            let counter = Arc::clone(&read);
            Ok(Batches {
                schema,
                iterator: Box::new(reader.inspect(move |_| {
                    counter.fetch_add(1, Ordering::Relaxed);
                })),
                skipped: 0,
                progress: Box::new(move |_| bytes * read.load(Ordering::Relaxed).min(total) / total),
                check_end: Box::new(|| Ok(())),
            })
        }
        ArrowInput::Stream(input) => {
            let raw_bytes = input.raw_bytes();
            let reader = StreamReader::try_new(BufReader::new(input), None).map_err(|error| not_arrow(name, &error))?;
            Ok(Batches {
                schema: reader.schema(),
                iterator: Box::new(reader),
                skipped: 0,
                progress: Box::new(move |_| raw_bytes.load(Ordering::Relaxed)),
                check_end: Box::new(|| Ok(())),
            })
        }
    }
}
