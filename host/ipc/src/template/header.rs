//! The header of a message: where its numbers stand, found once in a sample.

use std::sync::Arc;

use arrow::array::{RecordBatch, RecordBatchOptions, new_null_array};
use arrow::datatypes::{Field, Schema};
use arrow::ipc::{self, MetadataVersion};

use super::columns::Columns;
use crate::gate::METADATA_LIMITS;
use crate::{Error, Result, encode_batch, envelope};

/// Bytes of a node (length, null count) and of a buffer (offset, length) in the header.
const PAIR_BYTES: usize = 16;

/// The header of a sample, and the places of its numbers.
#[derive(Debug, Clone)]
pub(super) struct Header {
    /// Marker, length and metadata, with their padding: the body begins behind it.
    sample: Arc<[u8]>,
    rows_at: usize,
    /// Missing where no column has a buffer: then there is never a body.
    body_length_at: Option<usize>,
    nodes_at: usize,
    nodes: usize,
    buffers_at: usize,
    buffers: usize,
}

impl Header {
    pub(super) fn of(wire: &Schema) -> Result<Self> {
        let message = encode_batch(&sample(wire)?)?;
        let envelope = envelope::open(&message, message.len(), &METADATA_LIMITS)?;
        let batch = envelope.message.header_as_record_batch().expect("arrow-ipc writes what it was asked for");
        debug_assert_eq!(envelope.message.version(), MetadataVersion::V5);
        let prefix_bytes = envelope.body_offset - envelope.metadata_bytes;
        let place = |bytes: Option<&[u8]>| bytes.map_or(0, |bytes| offset_in(&message, bytes));
        let nodes = batch.nodes().map(|nodes| nodes.bytes());
        let buffers = batch.buffers().map(|buffers| buffers.bytes());
        let scalar = |table: usize, field: u16| (field > 0).then(|| prefix_bytes + table + usize::from(field));
        let rows = batch._tab.vtable().get(ipc::RecordBatch::VT_LENGTH);
        let body = envelope.message._tab.vtable().get(ipc::Message::VT_BODYLENGTH);
        Ok(Self {
            rows_at: scalar(batch._tab.loc(), rows).expect("the sample has one row, which is no default"),
            body_length_at: scalar(envelope.message._tab.loc(), body),
            nodes_at: place(nodes),
            nodes: nodes.map_or(0, <[u8]>::len) / PAIR_BYTES,
            buffers_at: place(buffers),
            buffers: buffers.map_or(0, <[u8]>::len) / PAIR_BYTES,
            sample: message[..envelope.body_offset].into(),
        })
    }

    /// Writes the header of a batch with this body into `header`.
    pub(super) fn fill(&self, rows: usize, body: &Columns, header: &mut Vec<u8>) -> Result<()> {
        let (nodes, buffers) = (body.nodes(), body.buffers());
        if nodes.len() != self.nodes {
            return Err(not_of_the_template(nodes.len(), self.nodes, "nodes"));
        }
        if buffers.len() != self.buffers {
            return Err(not_of_the_template(buffers.len(), self.buffers, "buffers"));
        }
        header.clear();
        header.extend_from_slice(&self.sample);
        put(header, self.rows_at, rows);
        if let Some(at) = self.body_length_at {
            put(header, at, body.size_bytes());
        }
        let pairs = header[self.nodes_at..].chunks_exact_mut(PAIR_BYTES);
        pairs.zip(nodes).for_each(|(pair, node)| put_pair(pair, node.length, node.nulls));
        let pairs = header[self.buffers_at..].chunks_exact_mut(PAIR_BYTES);
        pairs.zip(buffers).for_each(|(pair, buffer)| put_pair(pair, buffer.offset, buffer.length));
        Ok(())
    }
}

/// One row of nulls: a row, so that no number of the header is a default, which a flatbuffer leaves out.
fn sample(wire: &Schema) -> Result<RecordBatch> {
    let nullable = |field: &Arc<Field>| field.as_ref().clone().with_nullable(true);
    let schema = Schema::new(wire.fields().iter().map(nullable).collect::<Vec<_>>());
    let columns = schema.fields().iter().map(|field| new_null_array(field.data_type(), 1)).collect();
    let options = RecordBatchOptions::new().with_row_count(Some(1));
    Ok(RecordBatch::try_new_with_options(Arc::new(schema), columns, &options)?)
}

/// Where `part` begins in the bytes that it is a part of.
fn offset_in(whole: &[u8], part: &[u8]) -> usize {
    part.as_ptr().addr() - whole.as_ptr().addr()
}

fn put(header: &mut [u8], at: usize, value: usize) {
    header[at..at + 8].copy_from_slice(&(value as u64).to_le_bytes());
}

fn put_pair(pair: &mut [u8], first: usize, second: usize) {
    put(pair, 0, first);
    put(pair, 8, second);
}

pub(super) fn not_of_the_template(seen: usize, wanted: usize, what: &str) -> Error {
    Error::Unsupported(format!("the batch has {seen} {what}; its template has {wanted}"))
}
