//! Writes the corpus: a good message of every type, and one of each kind that the gate must refuse.
//!
//! `cargo run -p volley-ipc-fuzz --example seeds`. Seeds follow from this file alone; what fuzzing found lies beside them
//! under other names, and stays.

#[path = "../../tests/support/mod.rs"]
mod support;

use std::error::Error;
use std::fs;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::{DataType, Field, Fields, Schema, SchemaRef, TimeUnit, UnionFields, UnionMode};
use arrow::ipc;
use arrow::ipc::writer::{IpcWriteOptions, StreamWriter};
use flatbuffers::FlatBufferBuilder;
use support::arbitrary::batch_of;
use support::frames;
use volley_ipc::{encode_batch, encode_schema};
use volley_ipc_fuzz::{Target, Verdict, batch_input, lies, places, schemas};

/// The longest good message in the corpus.
const MESSAGE_BYTES_MAX: usize = 4 << 10;

/// How often the same lie is told: at every so many-th place.
const LIE_EVERY: usize = 5;

fn main() -> Result<(), Box<dyn Error>> {
    let mut seeds = Seeds::default();
    good_batches(&mut seeds)?;
    bad_frames(&mut seeds)?;
    bad_headers(&mut seeds);
    bad_values(&mut seeds)?;
    lying_batches(&mut seeds)?;
    schema_seeds(&mut seeds)?;
    for (target, name, input) in seeds.0 {
        let verdict = target.check(&input);
        let passed = verdict == Verdict::Passed;
        if name.starts_with("good-") != passed && !name.starts_with("lie-") {
            return Err(format!("{}/{name}: {verdict:?}", target.name()).into());
        }
        fs::create_dir_all(target.corpus())?;
        fs::write(target.corpus().join(format!("{name}.bin")), input)?;
    }
    Ok(())
}

#[derive(Default)]
struct Seeds(Vec<(Target, String, Vec<u8>)>);

impl Seeds {
    fn batch(&mut self, name: impl Into<String>, schema: usize, message: &[u8]) {
        self.0.push((Target::Batch, name.into(), batch_input(schema, 0, message)));
    }

    fn schema(&mut self, name: impl Into<String>, message: Vec<u8>) {
        self.0.push((Target::Schema, name.into(), message));
    }
}

/// The schema of one column `a` of this type.
fn of(data_type: &DataType) -> usize {
    let fits = |schema: &SchemaRef| schema.fields().len() == 1 && schema.field(0).data_type() == data_type;
    schemas().iter().position(fits).expect("one of the schemas")
}

fn last(back: usize) -> usize {
    schemas().len() - back
}

fn good_batches(seeds: &mut Seeds) -> Result<(), Box<dyn Error>> {
    for (index, schema) in schemas().iter().enumerate() {
        let rows = [6, 0].into_iter().find(|rows| fits(schema, *rows)).expect("no rows always fit");
        let batch = batch_of(schema, rows, index as u64);
        seeds.batch(format!("good-{index:02}"), index, &encode_batch(&batch)?);
        // As other writers do it: buffers at multiples of 8 only, in a message that lies anywhere.
        let mut writer = StreamWriter::try_new_with_options(
            Vec::new(),
            schema,
            IpcWriteOptions::try_new(8, false, ipc::MetadataVersion::V5)?,
        )?;
        writer.write(&batch.slice(rows / 3, rows - rows / 3))?;
        let stream = writer.into_inner()?;
        let input = batch_input(index, 3, frames(&stream)[1]);
        seeds.0.push((Target::Batch, format!("good-{index:02}-narrow"), input));
    }
    Ok(())
}

fn fits(schema: &SchemaRef, rows: usize) -> bool {
    // A list of a million nothings is short, and stands for a megabyte.
    let huge = |field: &Arc<Field>| matches!(field.data_type(), DataType::FixedSizeList(_, size) if *size > 1_000);
    let message = encode_batch(&batch_of(schema, rows, 1)).expect("wire form");
    message.len() <= MESSAGE_BYTES_MAX && (rows == 0 || !schema.fields().iter().any(huge))
}

fn bad_frames(seeds: &mut Seeds) -> Result<(), Box<dyn Error>> {
    let schema = of(&DataType::Int64);
    let good = encode_batch(&batch_of(&schemas()[schema], 4, 1))?;
    let mut edited = |name: &str, edit: fn(&mut Vec<u8>)| {
        let mut bytes = good.clone();
        edit(&mut bytes);
        seeds.batch(name, schema, &bytes);
    };
    edited("bad-frame-empty", Vec::clear);
    edited("bad-frame-prefix-only", |bytes| bytes.truncate(8));
    edited("bad-frame-without-marker", |bytes| bytes[0] = 0);
    edited("bad-frame-metadata-negative", |bytes| bytes[4..8].fill(0xff));
    edited("bad-frame-metadata-empty", |bytes| bytes[4..8].fill(0));
    edited("bad-frame-metadata-beyond", |bytes| bytes[6] = 1);
    edited("bad-frame-metadata-odd", |bytes| bytes[4] -= 3);
    edited("bad-frame-cut", |bytes| bytes.truncate(bytes.len() - 1));
    edited("bad-frame-longer", |bytes| bytes.extend([0; 8]));
    edited("bad-frame-root-beyond", |bytes| bytes[8..12].fill(0xff));
    edited("bad-frame-zeros", |bytes| bytes[8..].fill(0));
    let mut old = StreamWriter::try_new_with_options(
        Vec::new(),
        &schemas()[schema],
        IpcWriteOptions::try_new(8, false, ipc::MetadataVersion::V4)?,
    )?;
    old.write(&batch_of(&schemas()[schema], 4, 1))?;
    seeds.batch("bad-frame-version-4", schema, frames(&old.into_inner()?)[1]);
    seeds.batch("bad-frame-schema", schema, &encode_schema(&schemas()[schema])?);
    Ok(())
}

/// Headers that no writer of ours makes, around a body of 64 bytes.
fn bad_headers(seeds: &mut Seeds) {
    type Header = fn(&mut FlatBufferBuilder<'static>, &mut ipc::RecordBatchArgs<'static>);
    let schema = of(&DataType::Int64);
    let mut made = |name: &str, header: Header| seeds.batch(name, schema, &message(header));
    made("bad-header-compressed", |builder, args| {
        args.compression = Some(ipc::BodyCompression::create(builder, &ipc::BodyCompressionArgs::default()));
    });
    made("bad-header-view-buffers", |builder, args| {
        args.variadicBufferCounts = Some(builder.create_vector(&[i64::MAX]));
    });
    made("bad-header-without-nodes", |_, args| args.nodes = None);
    made("bad-header-without-buffers", |_, args| args.buffers = None);
    made("bad-header-node-too-many", |builder, args| {
        args.nodes = Some(builder.create_vector(&[ipc::FieldNode::new(4, 0), ipc::FieldNode::new(4, 0)]));
    });
    made("bad-header-buffer-too-few", |builder, args| {
        args.buffers = Some(builder.create_vector(&[ipc::Buffer::new(0, 0)]));
    });
    made("bad-header-rows-negative", |_, args| args.length = -1);
    made("bad-header-rows-huge", |_, args| args.length = i64::MAX);
    let rows = |builder: &mut FlatBufferBuilder<'static>, args: &mut ipc::RecordBatchArgs<'static>| {
        args.length = 1 << 11;
        args.nodes = Some(builder.create_vector(&[ipc::FieldNode::new(1 << 11, 1 << 11)]));
        args.buffers = Some(builder.create_vector::<ipc::Buffer>(&[]));
    };
    seeds.batch("good-header-nulls-without-bytes", of(&DataType::Null), &message(rows));
    let list = DataType::FixedSizeList(Arc::new(Field::new("item", DataType::Null, true)), 1 << 20);
    let amplified = |builder: &mut FlatBufferBuilder<'static>, args: &mut ipc::RecordBatchArgs<'static>| {
        let nodes = [ipc::FieldNode::new(4, 0), ipc::FieldNode::new(4 << 20, 4 << 20)];
        args.nodes = Some(builder.create_vector(&nodes));
        args.buffers = Some(builder.create_vector(&[ipc::Buffer::new(0, 0)]));
    };
    seeds.batch("bad-header-millions-without-bytes", of(&list), &message(amplified));
}

fn message(header: impl FnOnce(&mut FlatBufferBuilder<'static>, &mut ipc::RecordBatchArgs<'static>)) -> Vec<u8> {
    let mut builder = FlatBufferBuilder::new();
    let mut args = ipc::RecordBatchArgs {
        length: 4,
        nodes: Some(builder.create_vector(&[ipc::FieldNode::new(4, 0)])),
        buffers: Some(builder.create_vector(&[ipc::Buffer::new(0, 0), ipc::Buffer::new(0, 32)])),
        ..ipc::RecordBatchArgs::default()
    };
    header(&mut builder, &mut args);
    let batch = ipc::RecordBatch::create(&mut builder, &args);
    let args = ipc::MessageArgs {
        version: ipc::MetadataVersion::V5,
        header_type: ipc::MessageHeader::RecordBatch,
        header: Some(batch.as_union_value()),
        bodyLength: 64,
        custom_metadata: None,
    };
    let root = ipc::Message::create(&mut builder, &args);
    builder.finish(root, None);
    framed(builder.finished_data(), 64)
}

fn framed(metadata: &[u8], body: usize) -> Vec<u8> {
    let padded = metadata.len().next_multiple_of(8);
    let mut bytes = vec![0xff; 4];
    bytes.extend(u32::try_from(padded).expect("small").to_le_bytes());
    bytes.extend(metadata);
    bytes.resize(8 + padded + body, 0);
    bytes
}

/// Values that lie in the body and say what they must not.
fn bad_values(seeds: &mut Seeds) -> Result<(), Box<dyn Error>> {
    let (text, list) = (of(&DataType::Utf8), schemas().len() - 3);
    let (int, required) = (of(&DataType::Int64), last(1));
    for (name, schema, buffer, at, bytes) in [
        ("bad-offset-negative", text, 1, 4, [0xff_u8; 4]),
        ("bad-offset-first-negative", text, 1, 0, [0xff; 4]),
        ("bad-offset-beyond", text, 1, 24, [0xff, 0xff, 0, 0]),
        ("bad-offset-falls", text, 1, 8, [200, 0, 0, 0]),
        ("bad-offset-max", text, 1, 24, [0xff, 0xff, 0xff, 0x7f]),
        ("bad-text", text, 2, 0, [0xff; 4]),
        ("bad-text-surrogate", text, 2, 0, [0xed, 0xa0, 0x80, b'a']),
        ("bad-null-count", int, 0, 0, [0xff; 4]),
        ("bad-null-bits", int, 0, 0, [0; 4]),
        ("bad-list-offset-beyond", list, 3, 24, [0xff, 0, 0, 0]),
        ("bad-list-offset-falls", list, 3, 4, [0xf0, 0, 0, 0]),
    ] {
        let mut message = with_nulls(schema)?;
        let begin = buffer_begin(&message, buffer);
        message[begin + at..begin + at + 4].copy_from_slice(&bytes);
        seeds.batch(name, schema, &message);
    }
    // An offset in the middle of a character.
    let column: arrow::array::ArrayRef = Arc::new(arrow::array::StringArray::from(vec!["é", "é"]));
    let mut message = encode_batch(&RecordBatch::try_new(Arc::clone(&schemas()[text]), vec![column])?)?;
    let begin = buffer_begin(&message, 1);
    message[begin + 4] = 1;
    seeds.batch("bad-text-split", text, &message);
    // Two columns that may not be null, one of which is.
    let nullable: Vec<Field> =
        schemas()[required].fields().iter().map(|field| field.as_ref().clone().with_nullable(true)).collect();
    let batch = (0..).map(|seed| batch_of(&Arc::new(Schema::new(nullable.clone())), 6, seed));
    let batch = batch.into_iter().find(|batch| batch.column(0).null_count() > 0).expect("by chance");
    seeds.batch("bad-null-in-required", required, &encode_batch(&batch)?);
    Ok(())
}

/// A batch of six rows, some of which are null in each column.
fn with_nulls(schema: usize) -> Result<Vec<u8>, Box<dyn Error>> {
    let nulls = |batch: &RecordBatch| batch.columns().iter().all(|column| (1..6).contains(&column.null_count()));
    let batch = (0..).map(|seed| batch_of(&schemas()[schema], 6, seed)).find(nulls).expect("by chance");
    Ok(encode_batch(&batch)?)
}

/// Where a buffer begins in the message.
fn buffer_begin(message: &[u8], index: usize) -> usize {
    let metadata = usize::try_from(u32::from_le_bytes(message[4..8].try_into().expect("4 bytes"))).expect("small");
    let header = ipc::root_as_message(&message[8..8 + metadata]).expect("own message");
    let buffers = header.header_as_record_batch().and_then(|batch| batch.buffers()).expect("a batch");
    8 + metadata + usize::try_from(buffers.get(index).offset()).expect("small")
}

fn lying_batches(seeds: &mut Seeds) -> Result<(), Box<dyn Error>> {
    let mut turn = 0;
    for schema in [last(2), last(3)] {
        let good = with_nulls(schema)?;
        for (place, at) in places(&good).into_iter().enumerate() {
            let value = i64::from_le_bytes(good[at..at + 8].try_into()?);
            for (number, lie) in lies(value).into_iter().enumerate() {
                turn += 1;
                if turn % (LIE_EVERY * 5 + 2) == 0 {
                    let mut bytes = good.clone();
                    bytes[at..at + 8].copy_from_slice(&lie.to_le_bytes());
                    seeds.batch(format!("lie-{schema}-{place:02}-{number:02}"), schema, &bytes);
                }
            }
        }
    }
    Ok(())
}

fn schema_seeds(seeds: &mut Seeds) -> Result<(), Box<dyn Error>> {
    let all: Vec<Field> = schemas()[..last(4)]
        .iter()
        .flat_map(|schema| schema.fields().iter().cloned())
        .enumerate()
        .filter(|(_, field)| !matches!(field.data_type(), DataType::FixedSizeBinary(1_048_576)))
        .map(|(at, field)| field.as_ref().clone().with_name(format!("c{at}")))
        .collect();
    seeds.schema("good-none", encode_schema(&Schema::empty())?);
    for (at, fields) in all.chunks(8).enumerate() {
        seeds.schema(format!("good-{at}"), encode_schema(&Schema::new(fields.to_vec()))?);
    }
    let noted = Field::new("noted", DataType::Int8, false).with_metadata([("k".to_owned(), "v".to_owned())].into());
    seeds.schema("good-noted", encode_schema(&Schema::new(vec![noted]))?);
    let list = |item, size| DataType::FixedSizeList(Arc::new(Field::new("item", item, true)), size);
    let deep =
        |depth| (0..depth).fold(DataType::Int8, |inner, _| DataType::List(Arc::new(Field::new("l", inner, true))));
    let entries =
        Fields::from(vec![Field::new("key", DataType::Int8, true), Field::new("value", DataType::Int8, true)]);
    let entries = Field::new("entries", DataType::Struct(entries), false);
    seeds.schema("good-deep", encode_schema(&one(deep(24)))?);
    for (name, data_type) in [
        ("bad-dictionary", DataType::Dictionary(Box::new(DataType::Int8), Box::new(DataType::Utf8))),
        ("bad-view", DataType::Utf8View),
        ("bad-binary-view", DataType::BinaryView),
        ("bad-list-view", DataType::ListView(Arc::new(Field::new("l", DataType::Int8, true)))),
        ("bad-union", DataType::Union(UnionFields::empty(), UnionMode::Sparse)),
        (
            "bad-run-ends",
            DataType::RunEndEncoded(
                Arc::new(Field::new("run_ends", DataType::Int32, false)),
                Arc::new(Field::new("values", DataType::Int8, true)),
            ),
        ),
        ("bad-deep", deep(25)),
        ("bad-deeper-than-verified", deep(60)),
        ("bad-size-zero", list(DataType::Int8, 0)),
        ("bad-size-negative", DataType::FixedSizeBinary(-1)),
        ("bad-row-huge", list(list(DataType::Int64, 1 << 20), 1 << 20)),
        ("bad-map-key-null", DataType::Map(Arc::new(entries), false)),
        ("bad-map-without-structs", DataType::Map(Arc::new(Field::new("entries", DataType::Int8, false)), false)),
        ("bad-decimal-precision", DataType::Decimal128(0, 0)),
        ("bad-decimal-scale", DataType::Decimal64(3, 9)),
        ("bad-zone", DataType::Timestamp(TimeUnit::Second, Some("Mars/\u{1b}[2JPolar".into()))),
    ] {
        seeds.schema(name, encode_schema(&one(data_type))?);
    }
    let twice = vec![Field::new("a", DataType::Int8, true), Field::new("a", DataType::Int8, true)];
    seeds.schema("bad-name-twice", encode_schema(&Schema::new(twice))?);
    seeds
        .schema("bad-name-long", encode_schema(&Schema::new(vec![Field::new("n".repeat(300), DataType::Int8, true)]))?);
    seeds.schema("bad-batch", with_nulls(of(&DataType::Int64))?);
    let mut good = encode_schema(&one(DataType::Int64))?;
    good[4..8].copy_from_slice(&8_u32.to_le_bytes());
    seeds.schema("bad-metadata-cut", good);
    Ok(())
}

fn one(data_type: DataType) -> Schema {
    Schema::new(vec![Field::new("a", data_type, true)])
}
