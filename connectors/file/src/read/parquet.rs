//! Reads Parquet, page by page: memory is one batch and the pages it comes from.

use std::fs::File;

use arrow::datatypes::{Schema, SchemaRef};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use super::rows::Batches;
use crate::Error;

fn builder(file: File, name: &str) -> Result<ParquetRecordBatchReaderBuilder<File>, Error> {
    ParquetRecordBatchReaderBuilder::try_new(file)
        .map_err(|error| Error::damaged(name, format!("not a Parquet file, or cut off: {error}")))
}

/// The columns of a file.
pub(crate) fn schema(file: File, name: &str) -> Result<SchemaRef, Error> {
    builder(file, name).map(|builder| builder.schema().clone())
}

/// The batches of a file from row `begin` on, of the columns that `wanted` has too.
pub(crate) fn batches(file: File, name: &str, wanted: &Schema, begin: u64, rows_max: usize) -> Result<Batches, Error> {
    let fail = |error: &dyn std::fmt::Display| Error::damaged(name, format!("damaged or cut off: {error}"));
    let bytes = file.metadata().map_err(|error| Error::io("read", name, error))?.len();
    let builder = builder(file, name)?;
    let rows = u64::try_from(builder.metadata().file_metadata().num_rows()).unwrap_or(0);
    let skipped = begin.min(rows);
    let columns = builder.schema().fields().iter().enumerate();
    let kept: Vec<usize> =
        columns.filter(|(_, field)| wanted.column_with_name(field.name()).is_some()).map(|(at, _)| at).collect();
    let mask = ProjectionMask::roots(builder.parquet_schema(), kept);
    let reader = builder
        .with_projection(mask)
        .with_batch_size(rows_max)
        .with_offset(usize::try_from(skipped).map_err(|error| fail(&error))?)
        .build()
        .map_err(|error| fail(&error))?;
    let schema = arrow::array::RecordBatchReader::schema(&reader);
    Ok(Batches {
        schema,
        iterator: Box::new(reader),
        skipped,
        // Rows are spread over the bytes as evenly as anybody can tell.
        progress: Box::new(
            move |row| if rows == 0 { bytes } else { (bytes as u128 * row as u128 / rows as u128) as u64 },
        ),
        check_end: Box::new(|| Ok(())),
    })
}
