//! The gate for batches.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{RecordBatch, RecordBatchOptions};
use arrow::buffer::Buffer;
use arrow::datatypes::SchemaRef;
use arrow::ipc::reader::read_record_batch;
use arrow::ipc::{MessageHeader, MetadataVersion};

use crate::{Error, Result, envelope, scan, trim};

/// What a batch from outside may cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GateLimits {
    /// Bytes of the whole message.
    pub bytes_max: usize,
    /// Rows of the batch.
    pub rows_max: usize,
    /// Bytes that the batch stands for once decoded. It differs from the message's own when buffers overlap, or when
    /// rows take no bytes (a child of type Null): each element counts for a bit at least.
    pub logical_bytes_max: usize,
}

/// Decodes one encapsulated RecordBatch message as a batch of `expected`, which is in wire form.
///
/// The batch refers to `message` without a copy wherever alignment allows, unless most of the message is of no use to it:
/// then it is copied out, so that a small batch never keeps a large message alive. Whatever the bytes are, the result is an
/// error or a batch that passes Arrow's full validation.
///
/// # Errors
/// When the message is not one of `expected`, breaks a limit, or Arrow's validation finds a fault.
pub fn decode_batch(message: &Buffer, expected: &SchemaRef, limits: &GateLimits) -> Result<RecordBatch> {
    let envelope = envelope::open(message, limits.bytes_max)?;
    let Some(header) = envelope.message.header_as_record_batch() else {
        return Err(Error::Unsupported(match envelope.message.header_type() {
            MessageHeader::DictionaryBatch => "dictionary batches never cross: write the values out".to_owned(),
            other => format!("a {} message where a RecordBatch is due", other.variant_name().unwrap_or("nameless")),
        }));
    };
    let body = message.slice_with_length(envelope.body_offset, envelope.body_bytes);
    let rows = scan::check(&header, expected, body.len(), limits)?;
    // Offsets within the body are multiples of 8; that must hold for the addresses too.
    let body = if body.as_ptr().align_offset(8) == 0 { body } else { Buffer::from_slice_ref(&*body) };
    if expected.fields().is_empty() {
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        return Ok(RecordBatch::try_new_with_options(Arc::clone(expected), Vec::new(), &options)?);
    }
    let batch = read_record_batch(&body, header, Arc::clone(expected), &HashMap::new(), None, &MetadataVersion::V5)?;
    Ok(trim::trim(batch, message.len())?)
}
