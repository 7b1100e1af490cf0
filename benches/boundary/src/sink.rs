//! An output that counts rows, or keeps them to be compared.

use arrow::array::RecordBatch;
use arrow::compute::concat_batches;
use volley_api::{Output, PortIndex, Result, RowReject, StreamRecord};

/// Counts what arrives; keeps it where asked.
#[derive(Debug, Default)]
pub(crate) struct Counting {
    pub(crate) rows: usize,
    pub(crate) kept: Option<Vec<RecordBatch>>,
}

impl Counting {
    /// Keeps all rows.
    pub(crate) fn keeping() -> Self {
        Self { rows: 0, kept: Some(Vec::new()) }
    }

    /// Everything kept, in one batch.
    pub(crate) fn all(self) -> RecordBatch {
        let kept = self.kept.unwrap_or_default();
        concat_batches(&kept[0].schema(), &kept).expect("one schema")
    }
}

impl Output for Counting {
    fn emit(&mut self, _port: PortIndex, record: StreamRecord) -> Result<()> {
        self.rows += record.num_rows();
        if let Some(kept) = &mut self.kept {
            kept.push(record.compact().map_err(|error| volley_api::Error::internal(error.to_string()))?.batch);
        }
        Ok(())
    }

    fn reject(&mut self, _input: &StreamRecord, rejects: Vec<RowReject>) -> Result<()> {
        Err(volley_api::Error::internal(format!("{} rows were refused, and none should be", rejects.len())))
    }
}
