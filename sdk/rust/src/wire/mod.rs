//! The messages that cross the boundary: one Schema or one RecordBatch, encapsulated, aligned, uncompressed. Both are
//! read and written here, without any library.

mod batch;
mod flatbuffer;
#[cfg(test)]
pub(crate) mod oracle;
mod read_schema;
mod template;
mod write_schema;
mod writer;

pub(crate) use batch::{Frame, places};
pub(crate) use read_schema::read_schema;
pub(crate) use template::Template;
pub(crate) use write_schema::write_schema;
pub(crate) use writer::Message;

use thiserror::Error;

/// Every buffer of a body that is written starts at a multiple of this many bytes, counted from the message's start.
pub(crate) const ALIGNMENT_BYTES: usize = 64;
/// What a reader may count on for the start of a buffer.
const READ_ALIGNMENT_BYTES: usize = 8;
/// What an encapsulated message starts with.
const CONTINUATION: [u8; 4] = [0xff; 4];
/// Continuation marker and length of the metadata.
const PREFIX_BYTES: usize = 8;
/// `MetadataVersion.V5`.
const VERSION_V5: i16 = 4;
/// `MessageHeader.Schema` and `MessageHeader.RecordBatch`.
const HEADER_SCHEMA: u8 = 1;
const HEADER_BATCH: u8 = 3;
/// Bytes of a `FieldNode` (rows, nulls) and of a `Buffer` (offset, length).
const PAIR_BYTES: usize = 16;
/// Types are nested at most this deep.
const NESTING_MAX: usize = 32;

/// Why bytes are no message of the contract.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("not a {wanted} message: {found}")]
pub(crate) struct WireError {
    wanted: &'static str,
    found: String,
}

impl WireError {
    fn schema(found: impl Into<String>) -> Self {
        Self { wanted: "Schema", found: found.into() }
    }

    fn batch(found: impl Into<String>) -> Self {
        Self { wanted: "RecordBatch", found: found.into() }
    }
}

/// The metadata of an encapsulated message and its body. Otherwise says what is wrong.
fn split(message: &[u8]) -> Result<(&[u8], &[u8]), &'static str> {
    let (prefix, rest) = message.split_first_chunk::<PREFIX_BYTES>().ok_or("it is shorter than its prefix")?;
    let [marker @ .., a, b, c, d] = *prefix;
    if marker != CONTINUATION {
        return Err("it begins without the continuation marker");
    }
    rest.split_at_checked(u32::from_le_bytes([a, b, c, d]) as usize).ok_or("it ends within its metadata")
}

/// The table of the header, whose kind must be this one.
fn header(metadata: &[u8], kind: u8) -> Result<flatbuffer::Table<'_>, &'static str> {
    let message = flatbuffer::Table::root(metadata).ok_or("its metadata is no flatbuffer")?;
    if message.i16(0, 0) != VERSION_V5 {
        return Err("its metadata version is not V5");
    }
    if message.u8(1, 0) != kind {
        return Err("it is another kind of message");
    }
    message.table(2).ok_or("it has no header")
}
