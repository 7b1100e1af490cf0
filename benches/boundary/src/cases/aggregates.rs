//! What an aggregate costs by itself, behind the numbering of keys: sums, means and quantiles by key.

use std::collections::HashMap;
use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use arrow::array::{ArrayRef, AsArray, Float64Array, Int64Array, RecordBatch};
use arrow::datatypes::{DataType, Field, Int64Type, Schema, SchemaRef};
use volley_api::{Aggregator, AggregatorFactory, split_mix_64};
use volley_bench_support::timing::{Bar, in_turns};
use volley_expr::Aggregates;
use volley_wasm::Plugin;

use crate::guest::{Guests, aggregators};
use crate::native_sketch::Sketches;

/// Rows of a batch that the runtime coalesces to.
pub(super) const ROWS: usize = 8_192;
/// Batches between two firings: five rows for each key.
pub(super) const BATCHES: usize = 64;
/// Keys.
pub(super) const KEYS: u64 = 100_000;
/// Their column.
pub(super) const KEY: &str = "key";

/// A batch and the numbers of its groups.
type Numbered = (RecordBatch, Vec<usize>);

fn schema() -> SchemaRef {
    Arc::new(Schema::new(vec![Field::new(KEY, DataType::Int64, false), Field::new("amount", DataType::Float64, false)]))
}

/// The rows between two firings, the same at every run.
pub(super) fn amounts() -> Vec<RecordBatch> {
    let batch = |number: u64| {
        let mixed = |row: u64| split_mix_64(number << 32 | row);
        let keys: ArrayRef = Arc::new(Int64Array::from_iter_values((0..ROWS as u64).map(|row| key(mixed(row)))));
        // Whole numbers: sums are the same in any order.
        let amounts = (0..ROWS as u64).map(|row| (mixed(row << 1 | 1) % 1_000) as f64 + 1.0);
        let amounts: ArrayRef = Arc::new(Float64Array::from_iter_values(amounts));
        RecordBatch::try_new(schema(), vec![keys, amounts]).expect("columns of the schema")
    };
    (0..BATCHES as u64).map(batch).collect()
}

fn key(mixed: u64) -> i64 {
    (mixed % KEYS).cast_signed()
}

/// The same with the numbers that a window gives to its keys: in the order in which they come. Finding the number of a key is
/// the runtime's, whatever the aggregate: see [`super::keyed`] for what it takes.
fn window() -> (Vec<Numbered>, usize) {
    let mut numbers: HashMap<i64, usize> = HashMap::new();
    let mut number = |key: &i64| {
        let next = numbers.len();
        *numbers.entry(*key).or_insert(next)
    };
    let numbered = |batch: RecordBatch| {
        let groups = batch.column(0).as_primitive::<Int64Type>().values().iter().map(&mut number).collect();
        (batch, groups)
    };
    let window = amounts().into_iter().map(numbered).collect();
    (window, numbers.len())
}

/// A window from its first row to its results.
fn fired(aggregator: &mut dyn Aggregator, window: &[Numbered], groups_total: usize) -> Vec<ArrayRef> {
    for (batch, groups) in window {
        aggregator.update(batch, groups, groups_total).expect("it takes its own input");
    }
    aggregator.evaluate(groups_total).expect("it has results")
}

/// R13: sums and means natively / in WebAssembly, update by update and with what a firing costs; of rows whose keys have numbers.
pub(crate) fn sums(guests: &Guests, rounds: usize) -> Result<(), Box<dyn Error>> {
    let calls = [("sum", "sum(amount)"), ("avg", "avg(amount)")].map(|(name, sql)| (name.to_owned(), sql.to_owned()));
    let native = Aggregates::new(calls.to_vec()).create(&schema(), None)?;
    contest("R13_sum_avg", native, &guests.sum_avg, serde_json::Value::Null, rounds)
}

/// R13: quantiles, likewise.
pub(crate) fn sketches(guests: &Guests, rounds: usize) -> Result<(), Box<dyn Error>> {
    let config = serde_json::json!({ "column": "amount" });
    contest("R13_sketch", Box::new(Sketches::default()), &guests.quantile_sketch, config, rounds)
}

fn contest(
    name: &str,
    mut native: Box<dyn Aggregator>,
    plugin: &Arc<Plugin>,
    config: serde_json::Value,
    rounds: usize,
) -> Result<(), Box<dyn Error>> {
    let (window, total) = window();
    let pool = aggregators(plugin, &schema(), config)?;
    let mut wasm = pool.create()?;
    let (one, other) = (fired(&mut *native, &window, total), fired(&mut *wasm, &window, total));
    if one.iter().zip(&other).any(|(one, other)| one != other) || one.len() != other.len() {
        return Err(format!("{name}: the contestants give different results").into());
    }
    let mut native = || drop(fired(&mut *native, &window, total));
    let mut wasm = || drop(fired(&mut *wasm, &window, total));
    let pair = in_turns(rounds, &mut native, &mut wasm);
    let per_row_ns = |span: Duration| span.as_secs_f64() * 1e9 / (ROWS * BATCHES) as f64;
    eprintln!("{name}: native {:.2} ns, wasm {:.2} ns a row", per_row_ns(pair.first), per_row_ns(pair.second));
    pair.ratio.print(name, Bar::AtLeast(0.5));
    Ok(())
}
