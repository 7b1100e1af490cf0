//! The exchange by key: each row goes to the subtask that its key group belongs to.

use std::sync::Arc;

use arrow::array::{ArrayRef, UInt32Array};
use arrow::compute::take;
use arrow::datatypes::SchemaRef;
use arrow::error::ArrowError;
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

    /// The live rows of a record, subtask by subtask; those that get none are left out.
    pub(crate) fn partition(&mut self, record: StreamRecord) -> Result<Vec<(StreamRecord, usize)>> {
        let live = record.selection.as_ref().map(|live| UInt32Array::from_iter_values(live.set_indices_u32()));
        // Only keys are gathered before it is known where the rows go.
        let keys = self.columns.iter().map(|&column| match &live {
            Some(live) => take(record.batch.column(column), live, None).map_err(dealing),
            None => Ok(Arc::clone(record.batch.column(column))),
        });
        let keys: Vec<ArrayRef> = keys.collect::<Result<_>>()?;
        self.hashes.clear();
        self.hasher.hash_into(&keys, &mut self.hashes);
        let places = self.hashes.iter().map(|hash| self.subtask_of[usize::from(KeyGroup::of_hash(*hash).0)] as usize);
        match &live {
            Some(live) => live.values().iter().zip(places).for_each(|(row, place)| self.rows[place].push(*row)),
            None => (0..).zip(places).for_each(|(row, place)| self.rows[place].push(row)),
        }
        let record = StreamRecord { selection: None, ..record };
        let mut parts = Vec::with_capacity(self.rows.len());
        for (subtask, rows) in self.rows.iter_mut().enumerate().filter(|(_, rows)| !rows.is_empty()) {
            if rows.len() == record.batch.num_rows() {
                rows.clear();
                return Ok(vec![(record, subtask)]);
            }
            let next = Vec::with_capacity(rows.len() + rows.len() / 4);
            let indices = UInt32Array::from(std::mem::replace(rows, next));
            parts.push((record.take(&indices).map_err(dealing)?, subtask));
        }
        Ok(parts)
    }
}

fn dealing(error: ArrowError) -> Error {
    Error::internal("rows cannot be dealt out").caused_by(error)
}
