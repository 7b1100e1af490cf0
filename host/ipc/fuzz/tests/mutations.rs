//! Whatever is done to the bytes of a message, the gate refuses it or gives data that is sound, within its memory.

#[path = "../../tests/support/mod.rs"]
mod support;

use std::sync::Arc;

use arrow::array::{Array, RecordBatch};
use arrow::buffer::Buffer;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use arrow::ipc::root_as_message;
use proptest::prelude::*;
use support::arbitrary::{wire_batches, wire_schemas};
use support::{batch, shifted};
use volley_ipc::{GateLimits, decode_batch, decode_schema, encode_batch, encode_schema, to_wire, wire_schema};
use volley_ipc_fuzz::{Mutator, Target, lies, places};

const LIMITS: GateLimits = GateLimits { bytes_max: 1 << 16, rows_max: 1 << 10, logical_bytes_max: 1 << 16 };

/// Twice the cap on bytes, and what an error may say.
const ALLOCATED_BYTES_MAX: u64 = (2 << 16) + (16 << 10);

/// An error, or a valid batch of the schema within the limits; either way for a bounded price.
fn survive(message: &Buffer, schema: &SchemaRef) {
    let mut result = None;
    let info = allocation_counter::measure(|| result = Some(decode_batch(message, schema, &LIMITS)));
    assert!(info.bytes_max <= ALLOCATED_BYTES_MAX, "{} bytes for {} of {schema:?}", info.bytes_max, message.len());
    let Some(Ok(batch)) = result else { return };
    assert!(batch.schema() == *schema && batch.num_rows() <= LIMITS.rows_max);
    for column in batch.columns() {
        assert_eq!(column.len(), batch.num_rows());
        column.to_data().validate_full().expect("only valid data gets through");
    }
}

/// A message with every type, and its schema.
fn rich(rows: usize) -> (Vec<u8>, SchemaRef) {
    let batch = batch(rows, 11);
    let wire = Arc::new(wire_schema(&batch.schema()).expect("all types cross"));
    (encode_batch(&to_wire(&batch, &wire).expect("converts")).expect("encodes"), wire)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1024))]

    #[test]
    fn mutated_batches_are_refused_or_sound(batch in wire_batches(), shift in 0usize..16, seed: u64) {
        let good = encode_batch(&batch).expect("encodes");
        let mut mutator = Mutator::new(Target::Schema, seed);
        for _ in 0..8 {
            let mut bytes = good.clone();
            mutator.mutate(&mut bytes, &good);
            survive(&shifted(&bytes, shift), &batch.schema());
        }
    }

    #[test]
    fn batches_of_another_schema_are_refused_or_sound(batch in wire_batches(), schema in wire_schemas()) {
        survive(&Buffer::from(encode_batch(&batch).expect("encodes")), &Arc::new(schema));
    }

    #[test]
    fn mutated_schemas_are_refused_or_usable(schema in wire_schemas(), other in wire_schemas(), seed: u64) {
        let encode = |schema: &Schema| encode_schema(schema).expect("encodes");
        let (good, other) = (encode(&schema), encode(&other));
        let mut mutator = Mutator::new(Target::Schema, seed);
        for _ in 0..8 {
            let mut bytes = good.clone();
            mutator.mutate(&mut bytes, &other);
            let _ = Target::Schema.check(&bytes);
        }
    }
}

#[test]
fn every_lie_in_every_place_is_refused_or_sound() {
    let (good, schema) = rich(9);
    let places = places(&good);
    assert!(places.len() > 200, "{} places", places.len());
    for at in places {
        let value = i64::from_le_bytes(good[at..at + 8].try_into().expect("8 bytes"));
        for lie in lies(value) {
            let mut bytes = good.clone();
            bytes[at..at + 8].copy_from_slice(&lie.to_le_bytes());
            survive(&Buffer::from(bytes), &schema);
        }
    }
}

#[test]
fn every_word_of_the_metadata_may_be_anything() {
    for (good, schema) in [rich(3), (encode_schema(&rich(0).1).expect("encodes"), Arc::new(Schema::empty()))] {
        let metadata = 8 + usize::try_from(u32::from_le_bytes(good[4..8].try_into().expect("4 bytes"))).expect("small");
        for at in (0..metadata).step_by(4) {
            for word in [0, 1, 4, 8, 0x7f, 0xffff, 0x7fff_ffff, 0x8000_0000, 0xffff_fff8, 0xffff_ffff_u32] {
                let mut bytes = good.clone();
                bytes[at..at + 4].copy_from_slice(&word.to_le_bytes());
                let _ = Target::Schema.check(&bytes);
                survive(&Buffer::from(bytes), &schema);
            }
        }
    }
}

#[test]
fn a_schema_that_points_at_one_field_often_costs_little() {
    const COLUMNS: usize = 512;
    let leaf = |name: String, data_type| Field::new(name, data_type, true);
    let deep =
        (0..8).fold(DataType::Int8, |inner, depth| DataType::Struct(vec![leaf("n".repeat(200 + depth), inner)].into()));
    let mut fields: Vec<Field> = (0..COLUMNS).map(|at| leaf(format!("c{at}"), DataType::Int8)).collect();
    fields[0] = leaf("c0".to_owned(), DataType::Struct(vec![leaf("s".to_owned(), deep)].into()));
    let mut bytes = encode_schema(&Schema::new(fields)).expect("encodes");
    // Below the first column a single field has a long way down: all others come to point at it.
    let message = root_as_message(&bytes[8..]).expect("own schema");
    let vector = message.header_as_schema().and_then(|schema| schema.fields()).expect("has fields");
    let begin = vector.bytes().as_ptr().addr() - bytes.as_ptr().addr();
    let first = u32::from_le_bytes(bytes[begin..begin + 4].try_into().expect("4 bytes"));
    for (index, slot) in bytes[begin..begin + 4 * COLUMNS].chunks_exact_mut(4).enumerate() {
        slot.copy_from_slice(&(first - u32::try_from(4 * index).expect("small")).to_le_bytes());
    }
    let info = allocation_counter::measure(|| assert!(decode_schema(&bytes).is_err(), "one name for all columns"));
    assert!(info.bytes_max < 1 << 20, "{} bytes", info.bytes_max);
}

#[test]
fn rows_without_columns_are_bounded() {
    let none = RecordBatch::new_empty(Arc::new(Schema::empty()));
    let good = encode_batch(&none).expect("encodes");
    for at in places(&good) {
        for lie in lies(0) {
            let mut bytes = good.clone();
            bytes[at..at + 8].copy_from_slice(&lie.to_le_bytes());
            survive(&Buffer::from(bytes), &none.schema());
        }
    }
}
