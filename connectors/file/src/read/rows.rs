//! Reads formats whose decoders give batches: cuts them to size and counts rows.

use arrow::array::RecordBatch;
use arrow::datatypes::{Schema, SchemaRef};
use arrow::error::ArrowError;
use volley_api::{Positions, SourceBatch};

use super::{BlockingRead, Offset, Step};
use crate::Error;
use crate::columns::{self, ExtraColumns};

/// The batches of one file, from where reading begins.
pub(crate) struct Batches {
    /// The columns of the batches.
    pub(crate) schema: SchemaRef,
    /// The decoder.
    pub(crate) iterator: Box<dyn Iterator<Item = Result<RecordBatch, ArrowError>> + Send>,
    /// Rows of the file that the decoder itself has passed over.
    pub(crate) skipped: u64,
    /// How much of the file's storage was read when this many rows were.
    pub(crate) progress: Box<dyn Fn(u64) -> u64 + Send>,
    /// Asked when the batches end: whether that is the end of the file too.
    pub(crate) check_end: Box<dyn Fn() -> Result<(), String> + Send>,
}

/// Reads one split of a binary format.
pub(crate) struct RowsReader {
    name: String,
    schema: SchemaRef,
    places: Vec<usize>,
    batches: Batches,
    /// Decoded, and not yet given out.
    rest: Option<RecordBatch>,
    /// Rows given out or passed over.
    row: u64,
    /// The row to begin with.
    begin: u64,
    told: u64,
    rows_max: usize,
}

impl RowsReader {
    /// Gives the rows of `batches` from row `begin` of the file on, under `schema`.
    pub(crate) fn new(
        name: &str,
        schema: &SchemaRef,
        extra: ExtraColumns,
        batches: Batches,
        begin: u64,
        rows_max: usize,
    ) -> Result<Self, Error> {
        let places = columns::by_name_and_type(&batches.schema, schema, name, extra)?;
        let (row, told) = (batches.skipped, (batches.progress)(batches.skipped));
        Ok(Self {
            name: name.to_owned(),
            schema: schema.clone(),
            places,
            batches,
            rest: None,
            row,
            begin,
            told,
            rows_max,
        })
    }

    /// The next decoded rows that are wanted; `None` at the end.
    fn decoded(&mut self) -> Result<Option<RecordBatch>, Error> {
        if let Some(rest) = self.rest.take() {
            return Ok(Some(rest));
        }
        loop {
            let Some(batch) = self.batches.iterator.next() else {
                let detail = (self.batches.check_end)();
                return detail.map(|()| None).map_err(|detail| self.damaged(&detail));
            };
            let batch = batch.map_err(|error| self.damaged(&error.to_string()))?;
            let rows = batch.num_rows() as u64;
            let unwanted = self.begin.saturating_sub(self.row).min(rows);
            self.row += unwanted;
            if unwanted < rows {
                return Ok(Some(batch.slice(unwanted as usize, (rows - unwanted) as usize)));
            }
        }
    }

    fn damaged(&self, detail: &str) -> Error {
        Error::damaged(&format!("{} after row {}", self.name, self.row), format!("damaged or cut off: {detail}"))
    }
}

impl BlockingRead for RowsReader {
    fn next(&mut self) -> Result<Step, Error> {
        let Some(mut batch) = self.decoded()? else {
            if self.row < self.begin {
                let detail =
                    format!("has {} rows, of which {} had been read: the file was replaced", self.row, self.begin);
                return Err(Error::damaged(&self.name, detail));
            }
            return Ok(Step::End);
        };
        if batch.num_rows() > self.rows_max {
            self.rest = Some(batch.slice(self.rows_max, batch.num_rows() - self.rows_max));
            batch = batch.slice(0, self.rows_max);
        }
        let batch = columns::conform(&batch, &self.places, &self.schema, &self.name)?;
        let positions = Positions::From(self.row as i64);
        self.row += batch.num_rows() as u64;
        let now = (self.batches.progress)(self.row);
        let progress_units = now.saturating_sub(std::mem::replace(&mut self.told, now));
        Ok(Step::Batch(SourceBatch { batch, positions, rejects: Vec::new(), progress_units }))
    }

    fn offset(&self) -> Offset {
        Offset::Rows(self.row.max(self.begin))
    }
}

/// A schema without metadata, which formats fill with notes of their own.
pub(crate) fn plain_schema(schema: &Schema) -> Schema {
    let plain = |field: &arrow::datatypes::FieldRef| field.as_ref().clone().with_metadata(Default::default());
    Schema::new(schema.fields().iter().map(plain).collect::<Vec<_>>())
}
