//! One writer per format, all behind one trait.

use std::io::Write;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, FieldRef, Schema, SchemaRef, TimeUnit};
use arrow::ipc::writer::{FileWriter, StreamWriter};
use arrow_avro::compression::CompressionCodec;
use arrow_avro::writer::format::AvroOcfFormat;
use arrow_avro::writer::{AvroWriter, WriterBuilder as AvroBuilder};
use parquet::arrow::ArrowWriter;
use parquet::basic::Compression as ParquetCompression;
use parquet::file::properties::WriterProperties;

use super::seam::{Encoder, Seam};
use super::{BoxError, Encoding};
use crate::FileFormat;
use crate::codec::SinkCodec;

/// The most rows of a Parquet row group …
const ROW_GROUP_ROWS_MAX: usize = 1024 * 1024;
/// … and the most encoded bytes, which is what a writer keeps in memory.
const ROW_GROUP_BYTES_MAX: usize = 64 * 1024 * 1024;

/// Writes batches of one schema in one format.
pub(super) trait FormatWriter: Send {
    /// Takes a batch with rows.
    fn write(&mut self, batch: &RecordBatch) -> Result<(), BoxError>;
    /// Hands over what is buffered, as far as the format allows.
    fn flush(&mut self) -> Result<(), BoxError>;
    /// Bytes that are encoded and not yet handed over.
    fn pending_bytes(&self) -> u64 {
        0
    }
    /// Writes what ends the format.
    fn finish(self: Box<Self>) -> Result<Seam, BoxError>;
}

/// The writer of a format.
pub(super) fn writer(out: Encoder, encoding: &Encoding, schema: &SchemaRef) -> Result<Box<dyn FormatWriter>, BoxError> {
    Ok(match encoding.format {
        FileFormat::Csv => {
            let has_header = !encoding.header;
            Box::new(CsvWriter { out, encoding: encoding.clone(), schema: Arc::clone(schema), has_header })
        }
        FileFormat::Jsonl => Box::new(JsonlWriter { out }),
        FileFormat::Plugin => {
            let codec = encoding.codec.clone().ok_or("no codec")?;
            Box::new(CodecWriter { out, codec })
        }
        FileFormat::Parquet => {
            let properties = WriterProperties::builder()
                .set_compression(ParquetCompression::SNAPPY)
                .set_max_row_group_row_count(Some(ROW_GROUP_ROWS_MAX))
                .set_max_row_group_bytes(Some(ROW_GROUP_BYTES_MAX))
                .build();
            let schema = milliseconds_schema(schema);
            Box::new(Cast { writer: ArrowWriter::try_new(out, Arc::clone(&schema), Some(properties))?, schema })
        }
        FileFormat::Avro => {
            let schema = unpacked_schema(schema);
            let builder = AvroBuilder::new(schema.as_ref().clone()).with_compression(Some(CompressionCodec::Deflate));
            Box::new(Cast { writer: builder.build::<_, AvroOcfFormat>(out)?, schema })
        }
        FileFormat::Arrow => {
            let schema = unpacked_schema(schema);
            if encoding.is_stream {
                Box::new(Cast { writer: StreamWriter::try_new(out, &schema)?, schema })
            } else {
                Box::new(Cast { writer: FileWriter::try_new(out, &schema)?, schema })
            }
        }
    })
}

struct CsvWriter {
    out: Encoder,
    encoding: Encoding,
    schema: SchemaRef,
    /// Whether the header is written, or not wanted.
    has_header: bool,
}

impl CsvWriter {
    /// Encodes into memory: Arrow's writer panics when it cannot hand its output back.
    fn encode(&mut self, batch: &RecordBatch) -> Result<(), BoxError> {
        let mut text = Vec::new();
        let builder = arrow::csv::WriterBuilder::new()
            .with_header(!self.has_header)
            .with_delimiter(self.encoding.delimiter)
            .with_quote(self.encoding.quote)
            .with_null(self.encoding.null_value.clone());
        builder.build(&mut text).write(batch)?;
        self.has_header = true;
        Ok(self.out.write_all(&text)?)
    }
}

impl FormatWriter for CsvWriter {
    fn write(&mut self, batch: &RecordBatch) -> Result<(), BoxError> {
        self.encode(batch)
    }

    fn flush(&mut self) -> Result<(), BoxError> {
        Ok(self.out.flush()?)
    }

    fn finish(mut self: Box<Self>) -> Result<Seam, BoxError> {
        if !self.has_header {
            self.encode(&RecordBatch::new_empty(Arc::clone(&self.schema)))?;
        }
        Ok(self.out.finish()?)
    }
}

struct JsonlWriter {
    out: Encoder,
}

impl FormatWriter for JsonlWriter {
    fn write(&mut self, batch: &RecordBatch) -> Result<(), BoxError> {
        let mut text = Vec::new();
        // With nulls written out every line shows every column, and types can be inferred from any.
        let builder = arrow::json::WriterBuilder::new().with_explicit_nulls(true);
        let mut writer: arrow::json::LineDelimitedWriter<_> = builder.build(&mut text);
        writer.write(batch)?;
        writer.finish()?;
        drop(writer);
        Ok(self.out.write_all(&text)?)
    }

    fn flush(&mut self) -> Result<(), BoxError> {
        Ok(self.out.flush()?)
    }

    fn finish(self: Box<Self>) -> Result<Seam, BoxError> {
        Ok(self.out.finish()?)
    }
}

struct CodecWriter {
    out: Encoder,
    codec: SinkCodec,
}

impl FormatWriter for CodecWriter {
    fn write(&mut self, batch: &RecordBatch) -> Result<(), BoxError> {
        let frames = self.codec.encode(batch)?;
        frames.iter().flatten().try_for_each(|frame| self.out.write_all(frame))?;
        Ok(())
    }

    fn flush(&mut self) -> Result<(), BoxError> {
        Ok(self.out.flush()?)
    }

    fn finish(self: Box<Self>) -> Result<Seam, BoxError> {
        Ok(self.out.finish()?)
    }
}

/// A writer of a format that lacks a type, and gets the nearest that it has: the values of dictionaries, where a format
/// has none or one for a whole file; milliseconds for seconds in Parquet.
struct Cast<W> {
    writer: W,
    schema: SchemaRef,
}

/// The writers that [`Cast`] wraps.
trait BatchWriter: Send {
    fn write_batch(&mut self, batch: &RecordBatch) -> Result<(), BoxError>;
    fn flush_out(&mut self) -> Result<(), BoxError>;
    fn pending_bytes(&self) -> u64 {
        0
    }
    fn into_out(self) -> Result<Encoder, BoxError>;
}

impl<W: BatchWriter> FormatWriter for Cast<W> {
    fn write(&mut self, batch: &RecordBatch) -> Result<(), BoxError> {
        if batch.schema() == self.schema {
            return self.writer.write_batch(batch);
        }
        let columns = batch.columns().iter().zip(self.schema.fields());
        let columns = columns.map(|(column, field)| cast(column, field.data_type())).collect::<Result<_, _>>()?;
        self.writer.write_batch(&RecordBatch::try_new(Arc::clone(&self.schema), columns)?)
    }

    fn flush(&mut self) -> Result<(), BoxError> {
        self.writer.flush_out()
    }

    fn pending_bytes(&self) -> u64 {
        self.writer.pending_bytes()
    }

    fn finish(self: Box<Self>) -> Result<Seam, BoxError> {
        Ok(self.writer.into_out()?.finish()?)
    }
}

impl BatchWriter for ArrowWriter<Encoder> {
    fn write_batch(&mut self, batch: &RecordBatch) -> Result<(), BoxError> {
        Ok(self.write(batch)?)
    }

    fn flush_out(&mut self) -> Result<(), BoxError> {
        // A row group per batch would make files that nobody wants to read.
        Ok(())
    }

    fn pending_bytes(&self) -> u64 {
        self.in_progress_size() as u64
    }

    fn into_out(self) -> Result<Encoder, BoxError> {
        Ok(self.into_inner()?)
    }
}

impl BatchWriter for AvroWriter<Encoder> {
    fn write_batch(&mut self, batch: &RecordBatch) -> Result<(), BoxError> {
        Ok(self.write(batch)?)
    }

    fn flush_out(&mut self) -> Result<(), BoxError> {
        // A block per batch is written in full; what the encoder holds back goes out with the next.
        Ok(self.finish()?)
    }

    fn into_out(mut self) -> Result<Encoder, BoxError> {
        self.finish()?;
        Ok(self.into_inner())
    }
}

impl BatchWriter for FileWriter<Encoder> {
    fn write_batch(&mut self, batch: &RecordBatch) -> Result<(), BoxError> {
        Ok(self.write(batch)?)
    }

    fn flush_out(&mut self) -> Result<(), BoxError> {
        Ok(self.flush()?)
    }

    fn into_out(self) -> Result<Encoder, BoxError> {
        Ok(self.into_inner()?)
    }
}

impl BatchWriter for StreamWriter<Encoder> {
    fn write_batch(&mut self, batch: &RecordBatch) -> Result<(), BoxError> {
        Ok(self.write(batch)?)
    }

    fn flush_out(&mut self) -> Result<(), BoxError> {
        Ok(self.flush()?)
    }

    fn into_out(self) -> Result<Encoder, BoxError> {
        Ok(self.into_inner()?)
    }
}

fn unpacked_schema(schema: &SchemaRef) -> SchemaRef {
    with_types(schema, &|data_type| match data_type {
        DataType::Dictionary(_, value) => Some(value.as_ref().clone()),
        _ => None,
    })
}

/// Parquet knows no times in seconds: other readers would see plain numbers.
fn milliseconds_schema(schema: &SchemaRef) -> SchemaRef {
    with_types(schema, &|data_type| match data_type {
        DataType::Timestamp(TimeUnit::Second, zone) => Some(DataType::Timestamp(TimeUnit::Millisecond, zone.clone())),
        _ => None,
    })
}

/// The same schema with other types where `change` gives one, within lists and structs too.
fn with_types(schema: &SchemaRef, change: &impl Fn(&DataType) -> Option<DataType>) -> SchemaRef {
    let fields: Vec<FieldRef> = schema.fields().iter().map(|field| changed_field(field, change)).collect();
    if fields.iter().zip(schema.fields()).all(|(new, old)| new.data_type() == old.data_type()) {
        return Arc::clone(schema);
    }
    Arc::new(Schema::new_with_metadata(fields, schema.metadata().clone()))
}

fn changed_field(field: &FieldRef, change: &impl Fn(&DataType) -> Option<DataType>) -> FieldRef {
    Arc::new(Field::clone(field).with_data_type(changed(field.data_type(), change)))
}

fn changed(data_type: &DataType, change: &impl Fn(&DataType) -> Option<DataType>) -> DataType {
    if let Some(other) = change(data_type) {
        return changed(&other, change);
    }
    match data_type {
        DataType::List(item) => DataType::List(changed_field(item, change)),
        DataType::LargeList(item) => DataType::LargeList(changed_field(item, change)),
        DataType::Struct(fields) => DataType::Struct(fields.iter().map(|field| changed_field(field, change)).collect()),
        other => other.clone(),
    }
}
