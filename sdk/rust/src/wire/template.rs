//! The header of an output's messages, made once: each batch copies it and fills in its numbers.

use super::flatbuffer::{Output, Slot};
use super::{HEADER_BATCH, PAIR_BYTES, PREFIX_BYTES, VERSION_V5};
use crate::layout::Place;

/// Prefix and metadata of a message, and where its numbers stand.
#[derive(Debug, Clone)]
pub(crate) struct Template {
    /// As long as a multiple of the alignment, so that the body begins aligned.
    pub(super) bytes: Vec<u8>,
    pub(super) body_length_at: usize,
    pub(super) rows_at: usize,
    pub(super) nodes_at: usize,
    pub(super) buffers_at: usize,
    /// How many nodes and buffers there are.
    pub(super) end: Place,
}

impl Template {
    /// The header of messages with so many nodes and buffers.
    pub(crate) fn new(end: Place) -> Self {
        let (mut output, root) = Output::new();
        let message = [Slot::I16(VERSION_V5), Slot::U8(HEADER_BATCH), Slot::Link, Slot::I64(0)];
        let [_, _, header, body_length] = output.table(root, message);
        let [rows, nodes, buffers] = output.table(header, [Slot::I64(0), Slot::Link, Slot::Link]);
        let nodes = output.vector(nodes, end.node, PAIR_BYTES, 8);
        let buffers = output.vector(buffers, end.buffer, PAIR_BYTES, 8);
        Self {
            bytes: output.into_message(),
            body_length_at: PREFIX_BYTES + body_length,
            rows_at: PREFIX_BYTES + rows,
            nodes_at: PREFIX_BYTES + nodes,
            buffers_at: PREFIX_BYTES + buffers,
            end,
        }
    }
}
