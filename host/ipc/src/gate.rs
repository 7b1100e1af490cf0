//! The gate for batches.

use std::sync::Arc;

use arrow::array::{RecordBatch, RecordBatchOptions};
use arrow::buffer::Buffer;
use arrow::datatypes::SchemaRef;
use arrow::ipc::MessageHeader;

use crate::envelope::{self, MetadataLimits};
use crate::{Error, Result, decode, scan, trim};

/// What the metadata of a batch may cost to verify. Beside the message and the batch there are only pairs of metadata,
/// which nobody reads; and the lists of nodes and buffers are small however many columns a schema may have.
pub(crate) const METADATA_LIMITS: MetadataLimits =
    MetadataLimits { tables_max: 64, depth_max: 4, apparent_bytes_max: 4 << 20 };

/// What a batch from outside may cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GateLimits {
    /// Bytes of the whole message.
    pub bytes_max: usize,
    /// Rows of the batch.
    pub rows_max: usize,
    /// Bytes that the batch stands for once decoded. It differs from the message's own when buffers overlap, or when
    /// values take no bytes (those of type Null, structs without fields): each of these counts for a byte.
    pub logical_bytes_max: usize,
}

/// Decodes one encapsulated RecordBatch message as a batch of `expected`, which is in wire form.
///
/// The batch refers to `message` without a copy wherever alignment allows, unless most of the message is of no use to it:
/// then it is copied out, so that a small batch never keeps a large message alive. Whatever the bytes are, the result is an
/// error or a batch that passes Arrow's full validation, and no more is allocated than twice the larger of
/// [`GateLimits::bytes_max`] and [`GateLimits::logical_bytes_max`].
///
/// # Errors
/// When the message is not one of `expected`, breaks a limit, or Arrow's validation finds a fault.
pub fn decode_batch(message: &Buffer, expected: &SchemaRef, limits: &GateLimits) -> Result<RecordBatch> {
    let envelope = envelope::open(message, limits.bytes_max, &METADATA_LIMITS)?;
    let Some(header) = envelope.message.header_as_record_batch() else {
        return Err(Error::Unsupported(match envelope.message.header_type() {
            MessageHeader::DictionaryBatch => "dictionary batches never cross: write the values out".to_owned(),
            other => format!("a {} message where a RecordBatch is due", other.variant_name().unwrap_or("nameless")),
        }));
    };
    let rows = scan::check(&header, expected, envelope.body_bytes, limits)?;
    let columns = decode::columns(&header, expected, message, envelope.body_offset)?;
    let options = RecordBatchOptions::new().with_row_count(Some(rows));
    let batch = RecordBatch::try_new_with_options(Arc::clone(expected), columns, &options)?;
    Ok(trim::trim(batch, message.len())?)
}
