//! Reads a RecordBatch message: finds nodes and buffers, checks once that they fit the schema, copies nothing.

use super::{HEADER_BATCH, PAIR_BYTES, READ_ALIGNMENT_BYTES, WireError, header, split};
use crate::layout::{Layout, Place, children};
use crate::{DataType, Field, Schema};

/// An opened message. Every buffer of the schema's columns is there, and as long as its node says.
#[derive(Clone, Copy)]
pub(crate) struct Frame<'a> {
    pub(crate) rows: usize,
    nodes: &'a [u8],
    buffers: &'a [u8],
    body: &'a [u8],
}

/// Where the columns of a schema stand in the lists of its messages, and where the lists end. Names the column whose
/// type does not cross.
pub(crate) fn places(schema: &Schema) -> Result<Vec<Place>, &Field> {
    let mut next = Place::default();
    let mut places = vec![next];
    for field in schema.fields() {
        next = next.behind(&field.data_type).ok_or(field)?;
        places.push(next);
    }
    Ok(places)
}

impl<'a> Frame<'a> {
    /// Opens a message of this schema, whose [`places`] are known.
    pub(crate) fn open(message: &'a [u8], schema: &Schema, places: &[Place]) -> Result<Self, WireError> {
        let (metadata, body) = split(message).map_err(WireError::batch)?;
        let batch = header(metadata, HEADER_BATCH).map_err(WireError::batch)?;
        let broken = |found: &str| Err(WireError::batch(found));
        let Ok(rows) = usize::try_from(batch.i64(0, 0)) else { return broken("it has a negative number of rows") };
        if batch.table(3).is_some() {
            return broken("its body is compressed");
        }
        let nodes = batch.vector(1, PAIR_BYTES).unwrap_or_default();
        let buffers = batch.vector(2, PAIR_BYTES).unwrap_or_default();
        let wanted = places.last().copied().unwrap_or_default();
        let found = Place { node: nodes.len() / PAIR_BYTES, buffer: buffers.len() / PAIR_BYTES };
        if wanted != found {
            return Err(WireError::batch(format!(
                "{} nodes and {} buffers where the columns have {} and {}",
                found.node, found.buffer, wanted.node, wanted.buffer
            )));
        }
        let frame = Self { rows, nodes, buffers, body };
        for (field, place) in schema.fields().iter().zip(places) {
            if frame.len(*place) != Some(rows) || !frame.fits(&field.data_type, *place) {
                return Err(WireError::batch(format!("buffers of column `{}` do not fit its rows", field.name)));
            }
        }
        Ok(frame)
    }

    /// Number of values of a column or child.
    pub(crate) fn len(&self, place: Place) -> Option<usize> {
        self.pair(self.nodes, place.node).map(|(len, _)| len)
    }

    /// How many of them are null.
    pub(crate) fn null_count(&self, place: Place) -> usize {
        self.pair(self.nodes, place.node).map_or(0, |(_, nulls)| nulls)
    }

    /// The bytes of a column's buffer; 0 is its validity.
    #[inline]
    pub(crate) fn buffer(&self, place: Place, index: usize) -> &'a [u8] {
        // That they are there was checked when the message was opened.
        self.try_buffer(place.buffer + index).unwrap_or_default()
    }

    #[inline]
    fn pair(&self, pairs: &'a [u8], index: usize) -> Option<(usize, usize)> {
        let pair: &[u8; PAIR_BYTES] = pairs.get(index * PAIR_BYTES..)?.first_chunk()?;
        let [first, second]: [u64; 2] = bytemuck::pod_read_unaligned(pair);
        Some((usize::try_from(first).ok()?, usize::try_from(second).ok()?))
    }

    #[inline]
    fn try_buffer(&self, index: usize) -> Option<&'a [u8]> {
        let (offset, len) = self.pair(self.buffers, index)?;
        self.body.get(offset..offset.checked_add(len)?)
    }

    /// Whether buffers and children are as long as the node asks.
    fn fits(&self, data_type: &DataType, place: Place) -> bool {
        let Some(len) = self.len(place) else { return false };
        let layout = Layout::of(data_type);
        if layout == Layout::Null {
            return true;
        }
        let bits = len.div_ceil(8);
        if !self.holds(place, 0, if self.null_count(place) == 0 { 0 } else { bits }) {
            return false;
        }
        // Arrow allows an empty column to have no offsets at all.
        let offsets = |width: usize| if len == 0 { 0 } else { len.saturating_add(1).saturating_mul(width) };
        let own = match layout {
            Layout::Bits => self.holds(place, 1, bits),
            Layout::Fixed(width) => self.holds(place, 1, len.saturating_mul(width)),
            Layout::Variable(width) => {
                self.holds(place, 1, offsets(width))
                    && self.holds(place, 2, self.last_offset(place, len, width).unwrap_or(usize::MAX))
            }
            Layout::List(width) => self.holds(place, 1, offsets(width)),
            Layout::FixedList(_) | Layout::Struct => true,
            Layout::Null | Layout::Dictionary | Layout::Unknown => false,
        };
        own && (0..).zip(children(data_type)).all(|(index, field)| {
            let Some(child) = place.child(data_type, index) else { return false };
            let wanted = match layout {
                Layout::Struct => len,
                Layout::FixedList(size) => len.saturating_mul(size),
                Layout::List(width) => self.last_offset(place, len, width).unwrap_or(usize::MAX),
                _ => 0,
            };
            self.len(child).is_some_and(|len| len >= wanted) && self.fits(&field.data_type, child)
        })
    }

    /// Where the last row's values end. The offsets before it are looked at when their rows are.
    fn last_offset(&self, place: Place, len: usize, width: usize) -> Option<usize> {
        let last = self.buffer(place, 1).get(len * width..).unwrap_or_default();
        match width {
            _ if len == 0 => Some(0),
            4 => usize::try_from(i32::from_le_bytes(*last.first_chunk()?)).ok(),
            _ => usize::try_from(i64::from_le_bytes(*last.first_chunk()?)).ok(),
        }
    }

    /// Whether a buffer has so many bytes, and begins where values may be read.
    fn holds(&self, place: Place, index: usize, bytes: usize) -> bool {
        self.try_buffer(place.buffer + index).is_some_and(|buffer| {
            buffer.len() >= bytes && (buffer.is_empty() || buffer.as_ptr().addr().is_multiple_of(READ_ALIGNMENT_BYTES))
        })
    }
}
