//! Encodes batches into one output: a format, over a compression, over the place where bytes are counted.

mod formats;
mod seam;

use std::sync::Arc;

use arrow::array::{RecordBatch, new_empty_array, new_null_array};
use arrow::datatypes::{FieldRef, Schema, SchemaRef};

use crate::blocking::guard;
use crate::codec::SinkCodec;
use crate::{Compression, Error, FileFormat, type_text};
use formats::FormatWriter;
use seam::{Encoder, Failure};
pub(crate) use seam::{Out, Seam};

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// How a sink encodes.
#[derive(Debug, Clone)]
pub(crate) struct Encoding {
    pub(crate) format: FileFormat,
    pub(crate) compression: Compression,
    pub(crate) delimiter: u8,
    pub(crate) quote: u8,
    pub(crate) header: bool,
    pub(crate) null_value: String,
    /// Whether Arrow IPC is written as a stream.
    pub(crate) is_stream: bool,
    /// What writes the format `plugin`.
    pub(crate) codec: Option<SinkCodec>,
}

/// One output being written.
pub(crate) struct Output {
    writer: Box<dyn FormatWriter>,
    failure: Failure,
    /// For messages.
    name: String,
    format: FileFormat,
    pub(crate) rows: u64,
}

impl Output {
    pub(crate) fn new(out: Out, encoding: &Encoding, schema: &SchemaRef, name: &str) -> Result<Self, Error> {
        let seam = Seam::new(out);
        let failure = seam.failure();
        let explain = |error: BoxError| explain(error, &failure, name, encoding.format);
        let encoder = Encoder::new(seam, encoding.compression).map_err(|error| explain(error.into()))?;
        let writer = formats::writer(encoder, encoding, schema).map_err(explain)?;
        Ok(Self { writer, failure, name: name.to_owned(), format: encoding.format, rows: 0 })
    }

    pub(crate) fn write(&mut self, batch: &RecordBatch) -> Result<(), Error> {
        if batch.num_rows() == 0 {
            return Ok(());
        }
        self.rows += batch.num_rows() as u64;
        self.writer.write(batch).map_err(|error| explain(error, &self.failure, &self.name, self.format))
    }

    /// Hands over what is buffered, as far as the format allows.
    pub(crate) fn flush(&mut self) -> Result<(), Error> {
        self.writer.flush().map_err(|error| explain(error, &self.failure, &self.name, self.format))
    }

    /// About how many bytes the file would have if it ended now.
    pub(crate) fn bytes(&self) -> u64 {
        self.failure.bytes() + self.writer.pending_bytes()
    }

    /// Writes what ends the format.
    pub(crate) fn finish(self) -> Result<Seam, Error> {
        self.writer.finish().map_err(|error| explain(error, &self.failure, &self.name, self.format))
    }
}

/// An error of the operating system is told as such, however deep a format has wrapped it.
fn explain(error: BoxError, failure: &Failure, name: &str, format: FileFormat) -> Error {
    match failure.take() {
        Some(source) => Error::Io { action: "write", path: name.to_owned(), source },
        None if error.is::<volley_api::Error>() => match error.downcast::<volley_api::Error>() {
            Ok(error) => Error::codec(name, *error),
            Err(error) => Error::damaged(name, error.to_string()),
        },
        None => Error::damaged(name, format!("cannot be written as {}: {error}", format.as_str())),
    }
}

/// Checks that a format has a place for every column.
pub(crate) fn check(encoding: &Encoding, schema: &SchemaRef) -> Result<(), Error> {
    if let Some(codec) = &encoding.codec {
        return codec.check(schema);
    }
    for field in schema.fields() {
        let refuse = |fix: &str| Error::Unsupported {
            column: field.name().clone(),
            found: type_text(field.data_type()),
            format: encoding.format.as_str(),
            fix: fix.to_owned(),
        };
        if encoding.format == FileFormat::Csv && field.data_type().is_nested() {
            return Err(refuse("leave it out with `select`, or write jsonl or parquet"));
        }
        // Formats answer some types with a panic.
        let outcome = guard("", || try_column(encoding, field));
        if !matches!(outcome, Ok(Ok(()))) {
            return Err(refuse("leave it out or cast it with `select`, or write parquet or arrow"));
        }
    }
    Ok(())
}

/// Writes a column alone, to nowhere: one null where it may be null, otherwise no row.
fn try_column(encoding: &Encoding, field: &FieldRef) -> Result<(), BoxError> {
    let column = match field.is_nullable() {
        true => new_null_array(field.data_type(), 1),
        false => new_empty_array(field.data_type()),
    };
    let schema = Arc::new(Schema::new(vec![Arc::clone(field)]));
    let batch = RecordBatch::try_new(Arc::clone(&schema), vec![column])?;
    let plain = Encoding { compression: Compression::None, ..encoding.clone() };
    let mut output = Output::new(Out::Stream(Box::new(std::io::sink())), &plain, &schema, "")?;
    output.write(&batch)?;
    output.finish()?;
    Ok(())
}
