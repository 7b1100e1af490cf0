//! Small batches of one split as one: what a source gives at once travels together.

use arrow::array::{Array, Int64Array, RecordBatch};
use arrow::compute::{concat, concat_batches};
use arrow::error::ArrowError;
use volley_api::{Positions, SourceBatch};

/// A batch with more than this part of the rows that one may have goes on by itself: joining it would cost more.
const SMALL: usize = 8;

/// So many bytes are sent on, however few rows they are.
const BYTES_MAX: usize = 256 * 1024;

/// Batches that were read and not sent on.
pub(super) struct Gathered {
    parts: Vec<SourceBatch>,
    rows: usize,
    bytes: usize,
    rows_max: usize,
}

impl Gathered {
    pub(super) fn new(rows_max: usize) -> Self {
        Self { parts: Vec::new(), rows: 0, bytes: 0, rows_max }
    }

    /// Whether a batch is worth waiting with. Records that could not be read go on with the rows between which they stand.
    pub(super) fn is_small(&self, batch: &SourceBatch) -> bool {
        // One without rows would never fill it.
        batch.rejects.is_empty() && batch.batch.num_rows() > 0 && batch.batch.num_rows() * SMALL <= self.rows_max
    }

    /// Whether a batch can be joined to what there is.
    pub(super) fn has_room(&self, batch: &SourceBatch) -> bool {
        self.is_small(batch) && self.rows + batch.batch.num_rows() <= self.rows_max && self.bytes < BYTES_MAX
    }

    pub(super) fn push(&mut self, batch: SourceBatch) {
        self.rows += batch.batch.num_rows();
        self.bytes += volley_api::memory_bytes(&batch.batch);
        self.parts.push(batch);
    }

    /// Everything as one batch; `None` when there is nothing.
    pub(super) fn take(&mut self) -> Result<Option<SourceBatch>, ArrowError> {
        (self.rows, self.bytes) = (0, 0);
        if self.parts.len() < 2 {
            return Ok(self.parts.pop());
        }
        let parts = std::mem::take(&mut self.parts);
        let schema = parts[0].batch.schema();
        Ok(Some(SourceBatch {
            batch: concat_batches(&schema, parts.iter().map(|part| &part.batch))?,
            positions: positions(&parts)?,
            rejects: Vec::new(),
            progress_units: parts.iter().map(|part| part.progress_units).sum(),
        }))
    }
}

/// The positions of all rows: consecutive ones stay so.
fn positions(parts: &[SourceBatch]) -> Result<Positions, ArrowError> {
    let rows = |batch: &RecordBatch| i64::try_from(batch.num_rows()).unwrap_or(i64::MAX);
    let mut next = None;
    let follows = |part: &SourceBatch| match (&part.positions, next) {
        (Positions::From(first), expected) if expected.is_none_or(|expected| expected == *first) => {
            next = Some(first.saturating_add(rows(&part.batch)));
            true
        }
        _ => false,
    };
    if let (true, Positions::From(first)) = (parts.iter().all(follows), &parts[0].positions) {
        return Ok(Positions::From(*first));
    }
    let each = parts.iter().map(|part| match &part.positions {
        Positions::From(first) => Int64Array::from_iter_values((*first..).take(part.batch.num_rows())),
        Positions::Each(positions) => positions.clone(),
    });
    let each: Vec<Int64Array> = each.collect();
    let all = concat(&each.iter().map(|positions| positions as &dyn Array).collect::<Vec<_>>())?;
    Ok(Positions::Each(all.to_data().into()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    use arrow::array::{ArrayRef, AsArray};
    use arrow::datatypes::Int64Type;

    fn part(values: &[i64], positions: Positions) -> SourceBatch {
        let column: ArrayRef = Arc::new(Int64Array::from(values.to_vec()));
        let batch = RecordBatch::try_from_iter([("x", column)]).expect("one column");
        SourceBatch { batch, positions, rejects: Vec::new(), progress_units: values.len() as u64 }
    }

    fn joined(parts: Vec<SourceBatch>) -> SourceBatch {
        let mut gathered = Gathered::new(100);
        for part in parts {
            assert!(gathered.has_room(&part));
            gathered.push(part);
        }
        gathered.take().expect("one schema").expect("some rows")
    }

    #[test]
    fn rows_and_positions_stay_together() {
        let one = joined(vec![part(&[1, 2], Positions::From(7)), part(&[3], Positions::From(9))]);
        assert_eq!(one.batch.column(0).as_primitive::<Int64Type>().values(), &[1, 2, 3]);
        assert!(matches!(one.positions, Positions::From(7)));
        assert_eq!(one.progress_units, 3);
        let gap = joined(vec![part(&[1, 2], Positions::From(7)), part(&[3], Positions::Each(vec![20].into()))]);
        let Positions::Each(each) = gap.positions else { panic!("there is a gap") };
        assert_eq!(each.values(), &[7, 8, 20]);
    }

    #[test]
    fn it_is_bounded() {
        let mut gathered = Gathered::new(16);
        assert!(gathered.is_small(&part(&[1, 2], Positions::From(0))));
        assert!(!gathered.is_small(&part(&[1, 2, 3], Positions::From(0))));
        (0..8).for_each(|_| gathered.push(part(&[1, 2], Positions::From(0))));
        assert!(!gathered.has_room(&part(&[1], Positions::From(0))));
        assert!(!Gathered::new(1).is_small(&part(&[1], Positions::From(0))), "as many as one may have");
    }
}
