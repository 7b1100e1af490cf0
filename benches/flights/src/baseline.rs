//! The baseline of the flights bench: what a Rust programmer would write by hand with arrow-rs to read a year of
//! flights, enrich them as `plugins/enrich-flight` does, set implausible ones aside, and write Parquet.

use std::error::Error;
use std::fmt::Write as _;
use std::fs::File;
use std::io::{BufWriter, Seek, Write};
use std::path::Path;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, BooleanBuilder, Float64Builder, RecordBatch, StringBuilder,
};
use arrow::compute::{filter_record_batch, not};
use arrow::csv;
use arrow::datatypes::{DataType, Field, Int64Type, Schema, SchemaRef, TimeUnit};
use arrow::error::ArrowError;
use arrow::json::LineDelimitedWriter;
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::basic::Compression;
use parquet::file::properties::WriterProperties;

const BATCH_ROWS: usize = 8192;
const INFER_ROWS: usize = 10_000;
const KM_PER_MILE: f64 = 1.609_344;
const SPEED_KMH: std::ops::RangeInclusive<f64> = 160.0..=900.0;

type Batches = Box<dyn Iterator<Item = Result<RecordBatch, ArrowError>>>;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<_> = std::env::args_os().skip(1).collect();
    let [input, output] = arguments.as_slice() else { return Err("usage: flights-baseline INPUT OUTPUT".into()) };
    let (schema, batches) = open(Path::new(input))?;
    let enriched = enriched_schema(&schema);
    let properties = WriterProperties::builder().set_compression(Compression::SNAPPY).build();
    let mut writer = ArrowWriter::try_new(File::create(output)?, Arc::clone(&enriched), Some(properties))?;
    let errors = BufWriter::new(File::create(Path::new(output).with_extension("errors.jsonl"))?);
    let mut errors = LineDelimitedWriter::new(errors);
    for batch in batches {
        let batch = batch?;
        let (batch, plausible) = enrich(&enriched, &batch)?;
        if plausible.false_count() > 0 {
            errors.write(&filter_record_batch(&batch, &not(&plausible)?)?)?;
            writer.write(&filter_record_batch(&batch, &plausible)?)?;
        } else {
            writer.write(&batch)?;
        }
    }
    writer.close()?;
    errors.finish()?;
    errors.into_inner().flush()?;
    Ok(())
}

fn open(input: &Path) -> Result<(SchemaRef, Batches), Box<dyn Error>> {
    let mut file = File::open(input)?;
    if input.extension().is_some_and(|extension| extension == "parquet") {
        let builder = ParquetRecordBatchReaderBuilder::try_new(file)?.with_batch_size(BATCH_ROWS);
        return Ok((Arc::clone(builder.schema()), Box::new(builder.build()?)));
    }
    let format = csv::reader::Format::default().with_header(true);
    let (schema, _) = format.infer_schema(&mut file, Some(INFER_ROWS))?;
    file.rewind()?;
    // The file's times end in `Z`, which inference passes over.
    let utc = DataType::Timestamp(TimeUnit::Millisecond, Some("UTC".into()));
    let typed = |field: &Arc<Field>| match field.data_type() {
        DataType::Timestamp(..) => field.as_ref().clone().with_data_type(utc.clone()),
        _ => field.as_ref().clone(),
    };
    let schema = Arc::new(Schema::new(schema.fields().iter().map(typed).collect::<Vec<_>>()));
    let reader = csv::ReaderBuilder::new(Arc::clone(&schema)).with_format(format).with_batch_size(BATCH_ROWS);
    Ok((schema, Box::new(reader.build(file)?)))
}

fn enriched_schema(input: &SchemaRef) -> SchemaRef {
    let mut fields: Vec<Arc<Field>> = input.fields().iter().cloned().collect();
    let added = [
        ("route", DataType::Utf8, false),
        ("speed_kmh", DataType::Float64, true),
        ("delay_band", DataType::Utf8, true),
        ("made_up_minutes", DataType::Float64, true),
    ];
    fields.extend(added.map(|(name, kind, nullable)| Arc::new(Field::new(name, kind, nullable))));
    Arc::new(Schema::new(fields))
}

/// The batch with four more columns, and which of its rows are plausible.
#[expect(clippy::cast_precision_loss, reason = "minutes and miles of flights are small")]
fn enrich(schema: &SchemaRef, batch: &RecordBatch) -> Result<(RecordBatch, BooleanArray), Box<dyn Error>> {
    let column = |name: &str| batch.column_by_name(name).ok_or_else(|| format!("no column {name}"));
    let (origin, dest) = (column("origin")?.as_string::<i32>(), column("dest")?.as_string::<i32>());
    let number = |name: &str| column(name).map(|column| column.as_primitive::<Int64Type>());
    let (departure, arrival) = (number("dep_delay")?, number("arr_delay")?);
    let (air_time, distance) = (number("air_time")?, number("distance")?);
    let rows = batch.num_rows();
    let mut route = StringBuilder::with_capacity(rows, rows * 7);
    let mut speed = Float64Builder::with_capacity(rows);
    let mut band = StringBuilder::with_capacity(rows, rows * 8);
    let mut made_up = Float64Builder::with_capacity(rows);
    let mut plausible = BooleanBuilder::with_capacity(rows);
    for row in 0..rows {
        write!(route, "{}-{}", origin.value(row), dest.value(row))?;
        route.append_value("");
        let kmh = air_time
            .is_valid(row)
            .then(|| distance.value(row) as f64 * KM_PER_MILE / air_time.value(row) as f64 * 60.0);
        plausible.append_value(kmh.is_none_or(|kmh| SPEED_KMH.contains(&kmh)));
        speed.append_option(kmh);
        let arrived = arrival.is_valid(row).then(|| arrival.value(row));
        band.append_option(arrived.map(|minutes| match minutes {
            ..0 => "early",
            0..15 => "on-time",
            15..60 => "late",
            60.. => "very-late",
        }));
        let departed = departure.is_valid(row).then(|| departure.value(row));
        made_up.append_option(departed.zip(arrived).map(|(departed, arrived)| (departed - arrived) as f64));
    }
    let mut columns: Vec<ArrayRef> = batch.columns().to_vec();
    columns.push(Arc::new(route.finish()));
    columns.push(Arc::new(speed.finish()));
    columns.push(Arc::new(band.finish()));
    columns.push(Arc::new(made_up.finish()));
    Ok((RecordBatch::try_new(Arc::clone(schema), columns)?, plausible.finish()))
}
