//! The exchange by key: each row goes to the subtask that its key group belongs to.

use std::sync::Arc;

use arrow::array::{ArrayRef, UInt32Array};
use arrow::datatypes::SchemaRef;
use volley_api::{Error, KeyGroup, KeyHasher, Result, StreamRecord};

/// Deals rows out by key.
pub(crate) struct Partitioner {
    columns: Vec<usize>,
    hasher: KeyHasher,
    /// The subtask of each key group.
    subtask_of: Vec<u32>,
    hashes: Vec<u64>,
    /// The rows for each subtask, in order.
    rows: Vec<Vec<u32>>,
}

impl Partitioner {
    /// For rows of that schema, keyed by these columns, to so many subtasks.
    pub(crate) fn new(schema: &SchemaRef, keys: &[String], subtasks: u32) -> Result<Self> {
        let columns = keys.iter().map(|key| schema.index_of(key)).collect::<std::result::Result<Vec<_>, _>>();
        let columns = columns.map_err(|error| Error::internal("a key column is missing").caused_by(error))?;
        let types: Vec<_> = columns.iter().map(|&column| schema.field(column).data_type().clone()).collect();
        Ok(Self {
            columns,
            hasher: KeyHasher::new(&types)?,
            subtask_of: (0..=u8::MAX).map(|group| KeyGroup(group).subtask(subtasks)).collect(),
            hashes: Vec::new(),
            rows: vec![Vec::new(); subtasks as usize],
        })
    }

    /// The rows of a compacted record, subtask by subtask; those that get none are left out.
    pub(crate) fn partition(&mut self, record: StreamRecord) -> Result<Vec<(StreamRecord, usize)>> {
        let keys: Vec<ArrayRef> = self.columns.iter().map(|&column| Arc::clone(record.batch.column(column))).collect();
        self.hashes.clear();
        self.hasher.hash_into(&keys, &mut self.hashes);
        for (row, hash) in (0..).zip(&self.hashes) {
            let group = KeyGroup::of_hash(*hash);
            self.rows[self.subtask_of[usize::from(group.0)] as usize].push(row);
        }
        let mut parts = Vec::with_capacity(self.rows.len());
        for (subtask, rows) in self.rows.iter_mut().enumerate().filter(|(_, rows)| !rows.is_empty()) {
            if rows.len() == self.hashes.len() {
                rows.clear();
                return Ok(vec![(record, subtask)]);
            }
            let indices = UInt32Array::from(std::mem::take(rows));
            let part = record.take(&indices);
            parts.push((part.map_err(|error| Error::internal("rows cannot be dealt out").caused_by(error))?, subtask));
        }
        Ok(parts)
    }
}
