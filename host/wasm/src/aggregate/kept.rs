//! Rows that an instance was handed since it gave up its deltas last.

use arrow::array::{RecordBatch, UInt32Array};
use arrow::compute::take_record_batch;
use volley_api::StreamRecord;

use super::numbers::Numbered;
use super::session::bytes_of;
use crate::Result;

/// Rows of one call.
#[derive(Debug, Clone)]
pub(super) struct Kept {
    /// Whose rows they are.
    pub(super) aggregator: u32,
    /// The group of each row, by the aggregator's numbers.
    pub(super) numbered: Numbered,
    /// The columns that cross.
    pub(super) wire: RecordBatch,
    /// The bytes that they have.
    pub(super) bytes: usize,
    /// The record that they are of, whole.
    pub(super) record: StreamRecord,
    /// Where in the record they begin.
    first: usize,
    /// The places of the rows behind that, where some are left out.
    picked: Option<Vec<u32>>,
}

impl Kept {
    pub(super) fn new(aggregator: u32, record: &StreamRecord, wire: RecordBatch, numbered: Numbered) -> Self {
        let bytes = bytes_of(&wire);
        Self { aggregator, numbered, wire, bytes, record: record.clone(), first: 0, picked: None }
    }

    /// The group of each row, by the aggregator's numbers.
    pub(super) fn groups(&self) -> &[u32] {
        &self.numbered.groups
    }

    pub(super) fn rows(&self) -> usize {
        self.groups().len()
    }

    /// Where a row stands in the record.
    pub(super) fn place(&self, row: usize) -> usize {
        self.picked.as_ref().map_or(self.first + row, |picked| self.first + picked[row] as usize)
    }

    pub(super) fn slice(&self, offset: usize, rows: usize) -> Self {
        if rows == self.rows() {
            return self.clone();
        }
        let end = offset + rows;
        let wire = self.wire.slice(offset, rows);
        Self {
            aggregator: self.aggregator,
            numbered: self.numbered.slice(offset, rows),
            bytes: bytes_of(&wire),
            wire,
            record: self.record.clone(),
            first: if self.picked.is_some() { self.first } else { self.first + offset },
            picked: self.picked.as_ref().map(|picked| picked[offset..end].to_vec()),
        }
    }

    /// Without these rows, which ascend.
    pub(super) fn without(&self, rows: impl Iterator<Item = usize>) -> Result<Self> {
        let mut stays = vec![true; self.rows()];
        rows.for_each(|row| stays[row] = false);
        let left: Vec<u32> = (0..).zip(&stays).filter(|(_, stays)| **stays).map(|(row, _)| row).collect();
        let indices = UInt32Array::from(left.clone());
        let wire = if self.wire.num_columns() == 0 {
            self.wire.slice(0, left.len())
        } else {
            take_record_batch(&self.wire, &indices)?
        };
        let place = |row: &u32| self.picked.as_ref().map_or(*row, |picked| picked[*row as usize]);
        Ok(Self {
            aggregator: self.aggregator,
            numbered: left.iter().map(|row| self.groups()[*row as usize]).collect::<Vec<_>>().into(),
            bytes: bytes_of(&wire),
            wire,
            record: self.record.clone(),
            first: self.first,
            picked: Some(left.iter().map(place).collect()),
        })
    }
}
