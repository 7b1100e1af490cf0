//! The nodes and buffers of a batch, one after the other, each checked before it is given out.

use arrow::ipc::{Buffer, FieldNode, RecordBatch};

use crate::{Error, Result};

/// What the format asks of every buffer's offset. (The contract asks writers for 64, which readers need not insist on.)
const BUFFER_ALIGNMENT: usize = 8;

/// Nodes and buffers in the order of the columns. The columns are walked twice, by the scan and by the decoder, with a
/// cursor each: what the decoder slices was checked by the very call that gave it out.
pub(crate) struct Cursor<N, B> {
    nodes: N,
    buffers: B,
    body_bytes: usize,
}

/// One column or child: how many values, and how many of them are null (not more than there are).
#[derive(Clone, Copy)]
pub(crate) struct Node {
    pub(crate) length: usize,
    pub(crate) nulls: usize,
}

/// Where a buffer lies: within the body.
#[derive(Clone, Copy)]
pub(crate) struct Span {
    pub(crate) offset: usize,
    pub(crate) length: usize,
}

/// A cursor over a verified header and a body of `body_bytes`.
pub(crate) fn over<'a>(
    header: &RecordBatch<'a>,
    body_bytes: usize,
) -> Cursor<impl Iterator<Item = &'a FieldNode>, impl Iterator<Item = &'a Buffer>> {
    Cursor { nodes: header.nodes().into_iter().flatten(), buffers: header.buffers().into_iter().flatten(), body_bytes }
}

impl<'a, N, B> Cursor<N, B>
where
    N: Iterator<Item = &'a FieldNode>,
    B: Iterator<Item = &'a Buffer>,
{
    /// The next node, of `wanted` values where something else decides that.
    pub(crate) fn node(&mut self, column: &str, wanted: Option<usize>) -> Result<Node> {
        let Some(node) = self.nodes.next() else {
            return Err(Error::layout(column, "the batch has no node for it"));
        };
        let length = count(column, "length", node.length())?;
        let nulls = count(column, "null count", node.null_count())?;
        match wanted {
            Some(wanted) if wanted != length => {
                Err(Error::layout(column, format!("{length} values where {wanted} are due")))
            }
            _ if nulls > length => Err(Error::layout(column, format!("{nulls} nulls among {length} values"))),
            _ => Ok(Node { length, nulls }),
        }
    }

    /// The next buffer, of at least `wanted` bytes; `what` it is for is said in errors.
    pub(crate) fn buffer(&mut self, column: &str, what: &str, wanted: usize) -> Result<Span> {
        let Some(buffer) = self.buffers.next() else {
            return Err(Error::layout(column, format!("the batch has no buffer for its {what}")));
        };
        let offset = count(column, what, buffer.offset())?;
        let length = count(column, what, buffer.length())?;
        if !offset.is_multiple_of(BUFFER_ALIGNMENT) {
            return Err(Error::layout(column, format!("its {what} lie at {offset}, which is not a multiple of 8")));
        }
        if offset.checked_add(length).is_none_or(|end| end > self.body_bytes) {
            let body = self.body_bytes;
            let problem = format!("its {what} lie at {offset} + {length}, outside the body of {body} bytes");
            return Err(Error::layout(column, problem));
        }
        if wanted > length {
            return Err(Error::layout(column, format!("its {what} have {length} bytes where {wanted} are due")));
        }
        Ok(Span { offset, length })
    }

    /// How many nodes and buffers nobody asked for.
    pub(crate) fn rest(self) -> (usize, usize) {
        (self.nodes.count(), self.buffers.count())
    }
}

/// Bytes of `length` values of `width` bytes.
pub(crate) fn bytes_of(column: &str, length: usize, width: usize) -> Result<usize> {
    let bytes = length.checked_mul(width);
    bytes.ok_or_else(|| Error::layout(column, format!("{length} values of {width} bytes are more than memory holds")))
}

/// How many offsets belong to `length` values: Arrow allows an empty column to have none at all.
pub(crate) fn offsets_of(length: usize) -> usize {
    if length == 0 { 0 } else { length.saturating_add(1) }
}

fn count(column: &str, what: &str, value: i64) -> Result<usize> {
    usize::try_from(value).map_err(|_| Error::layout(column, format!("{value} as its {what}")))
}
