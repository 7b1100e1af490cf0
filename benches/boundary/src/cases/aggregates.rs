//! What an aggregate costs: sums, means and quantiles by key.

use std::error::Error;
use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array, Int64Array, RecordBatch};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use volley_api::{Aggregator, AggregatorFactory, split_mix_64};
use volley_bench_support::timing::{Bar, in_turns};
use volley_expr::Aggregates;
use volley_wasm::Plugin;

use crate::guest::{Guests, aggregators};
use crate::native_sketch::Sketches;

/// Rows of a batch that the runtime coalesces to.
const ROWS: usize = 8_192;
/// Batches between two firings: five rows for each key.
const BATCHES: usize = 64;
/// Keys.
const KEYS: u64 = 100_000;

/// A batch and the numbers of its groups.
type Numbered = (RecordBatch, Vec<usize>);

fn schema() -> SchemaRef {
    Arc::new(Schema::new(vec![
        Field::new("key", DataType::Int64, false),
        Field::new("amount", DataType::Float64, false),
    ]))
}

/// The same at every run. Keys are numbered by themselves: numbering them is the runtime's, whatever the aggregate.
fn window() -> Vec<Numbered> {
    let batch = |number: u64| {
        let mixed = |row: u64| split_mix_64(number << 32 | row);
        let groups: Vec<u64> = (0..ROWS as u64).map(|row| mixed(row) % KEYS).collect();
        let keys: ArrayRef = Arc::new(groups.iter().map(|group| Some(*group as i64)).collect::<Int64Array>());
        // Whole numbers: sums are the same in any order.
        let amounts = (0..ROWS as u64).map(|row| (mixed(row << 1 | 1) % 1_000) as f64 + 1.0);
        let amounts: ArrayRef = Arc::new(Float64Array::from_iter_values(amounts));
        let batch = RecordBatch::try_new(schema(), vec![keys, amounts]).expect("columns of the schema");
        (batch, groups.into_iter().map(|group| group as usize).collect())
    };
    (0..BATCHES as u64).map(batch).collect()
}

/// A window from its first row to its results.
fn fired(aggregator: &mut dyn Aggregator, window: &[Numbered]) -> Vec<ArrayRef> {
    for (batch, groups) in window {
        aggregator.update(batch, groups, KEYS as usize).expect("it takes its own input");
    }
    aggregator.evaluate(KEYS as usize).expect("it has results")
}

/// R13: an aggregate natively / in WebAssembly, update by update and with what a firing costs.
pub(crate) fn by_key(guests: &Guests, rounds: usize) -> Result<(), Box<dyn Error>> {
    let calls = [("sum", "sum(amount)"), ("avg", "avg(amount)")].map(|(name, sql)| (name.to_owned(), sql.to_owned()));
    let native = Aggregates::new(calls.to_vec()).create(&schema(), None)?;
    contest("R13_sum_avg", native, &guests.sum_avg, serde_json::Value::Null, rounds)?;
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
    let window = window();
    let pool = aggregators(plugin, &schema(), config)?;
    let mut wasm = pool.create()?;
    let (one, other) = (fired(&mut *native, &window), fired(&mut *wasm, &window));
    if one.iter().zip(&other).any(|(one, other)| one != other) || one.len() != other.len() {
        return Err(format!("{name}: the contestants give different results").into());
    }
    let mut native = || drop(fired(&mut *native, &window));
    let mut wasm = || drop(fired(&mut *wasm, &window));
    let pair = in_turns(rounds, &mut native, &mut wasm);
    let per_row = |span: std::time::Duration| span / (ROWS * BATCHES) as u32;
    eprintln!("{name}: native {:.2?}, wasm {:.2?} a row", per_row(pair.first), per_row(pair.second));
    pair.ratio.print(name, Bar::AtLeast(0.5));
    Ok(())
}
