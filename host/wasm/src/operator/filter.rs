//! Filters: bitmaps in, a selection out.

use arrow::array::BooleanBufferBuilder;
use arrow::buffer::{BooleanBuffer, Buffer};
use volley_api::RowReject;

use super::{Part, PluginOperator, rows_of};
use crate::Result;
use crate::violation::Violation;

/// The rows of one record that a filter keeps, part by part. Stays empty for the other kinds.
#[derive(Default)]
pub(super) struct Keep(Option<BooleanBufferBuilder>);

impl Keep {
    /// The bitmap of one part, of exactly ceil(rows / 8) bytes; refused rows are not kept, whatever it says.
    pub(super) fn append(&mut self, bitmap: Buffer, rows: usize, rejects: &[RowReject]) {
        let bits = self.0.get_or_insert_with(|| BooleanBufferBuilder::new(rows));
        let start = bits.len();
        bits.append_buffer(&BooleanBuffer::new(bitmap, 0, rows));
        rows_of(rejects).for_each(|row| bits.set_bit(start + row, false));
    }

    /// A part of which nothing is kept. Only counts in a filter, where some part is kept or none is emitted anyway.
    pub(super) fn append_none(&mut self, rows: usize) {
        self.0.get_or_insert_with(|| BooleanBufferBuilder::new(rows)).append_n(rows, false);
    }

    pub(super) fn finish(self) -> Option<BooleanBuffer> {
        self.0.map(BooleanBufferBuilder::build)
    }
}

impl PluginOperator {
    pub(super) fn check_bitmap(&self, part: Part, bitmap: &[u8]) -> Result<()> {
        let wanted = part.rows.div_ceil(8);
        if bitmap.len() == wanted {
            return Ok(());
        }
        let (rows, found) = (part.rows, bitmap.len());
        Err(self
            .broke(Violation::BadBitmap, format!("a bitmap of {found} bytes for {rows} rows, where {wanted} are due")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(row: usize) -> RowReject {
        RowReject { row, code: String::new(), message: String::new() }
    }

    #[test]
    fn parts_are_joined_and_refused_rows_left_out() {
        let mut keep = Keep::default();
        keep.append(Buffer::from([0b1111_1111_u8, 0xff]), 9, &[refused(0), refused(8)]);
        keep.append_none(2);
        keep.append(Buffer::from([0b101_u8]), 3, &[]);
        let kept: Vec<usize> = keep.finish().expect("parts").set_indices().collect();
        assert_eq!(kept, [1, 2, 3, 4, 5, 6, 7, 11, 13]);
        assert!(Keep::default().finish().is_none());
    }
}
