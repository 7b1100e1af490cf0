//! A job that runs allocates nothing per batch.

use volley_sdk_macros::{Columns, filter, flat_map, map};

use super::{FilterRunner, FlatMapRunner, MapRunner, Runner};
use crate::buffer::Buffer;
use crate::row::Emit;
use crate::testing::IntoColumn as _;
use crate::wire::{Message, Template, places, write_schema};
use crate::{DataType, Schema};

#[derive(Columns)]
struct Two {
    double: f64,
    whole: Option<i64>,
}

#[map]
fn twice(a: f64, b: Option<i64>) -> Two {
    Two { double: a * 2.0, whole: b.map(|b| b + 1) }
}

#[filter]
fn large(a: f64, b: Option<i64>) -> bool {
    a > 10.0 && b.is_some()
}

#[flat_map(output = "n")]
fn repeated(b: Option<i64>, out: &mut Emit<(i64,)>) {
    if let Some(b) = b {
        (0..b % 3).for_each(|n| out.push((n,)));
    }
}

/// Batches that the first call grows memory for.
const WARM_UP: usize = 8;
const CALLS: usize = 100;

/// Schema and message of a batch with nulls.
fn input(rows: i64) -> (Vec<u8>, Buffer) {
    let schema = Schema::from([("a", DataType::Float64), ("b", DataType::Int64)]);
    let a = (0..rows).map(|row| row as f64).collect::<Vec<_>>().into_column();
    let b = (0..rows).map(|row| (row % 5 != 0).then_some(row)).collect::<Vec<_>>().into_column();
    (write_schema(&schema).unwrap(), message(&schema, &[a, b], rows as usize))
}

fn message(schema: &Schema, columns: &[crate::Array], rows: usize) -> Buffer {
    let template = Template::new(*places(schema).unwrap().last().unwrap());
    let mut out = Buffer::new();
    let mut message = Message::begin(&mut out, &template, rows);
    columns.iter().for_each(|column| message.column(column.column("")));
    message.finish();
    out
}

/// Allocations of one call, after some that grew memory.
fn allocations(mut call: impl FnMut()) -> u64 {
    (0..WARM_UP).for_each(|_| call());
    allocation_counter::measure(|| (0..CALLS).for_each(|_| call())).count_total
}

#[test]
fn allocations_are_seen() {
    assert_eq!(allocations(|| drop(std::hint::black_box(vec![0_u8]))), CALLS as u64);
}

#[test]
fn a_steady_map_allocates_nothing() {
    let (schema, message) = input(1000);
    let mut runner = MapRunner::<twice>::open("{}", &schema).unwrap();
    assert_eq!(allocations(|| drop(runner.map(message.bytes()).unwrap())), 0);
}

#[test]
fn a_steady_filter_allocates_nothing() {
    let (schema, message) = input(1000);
    let mut runner = FilterRunner::<large>::open("{}", &schema).unwrap();
    assert_eq!(allocations(|| drop(runner.filter(message.bytes()).unwrap())), 0);
}

#[test]
fn a_steady_flat_map_allocates_nothing() {
    let schema = Schema::from([("b", DataType::Int64)]);
    let column = (0..1000_i64).collect::<Vec<_>>().into_column();
    let message = message(&schema, &[column], 1000);
    let mut runner = FlatMapRunner::<repeated>::open("{}", &write_schema(&schema).unwrap()).unwrap();
    let mut emitted = 0;
    let allocated = allocations(|| {
        let mut emit = |_: u32, parents: &[u32], message: &[u8]| {
            emitted += parents.len() + message.len();
            Ok(())
        };
        runner.flat_map(message.bytes(), &mut emit).unwrap();
    });
    assert!(emitted > 0);
    assert_eq!(allocated, 0);
}
