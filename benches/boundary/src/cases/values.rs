//! What a function of a plugin costs inside an expression.

use std::error::Error;
use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array, RecordBatch};
use arrow::datatypes::SchemaRef;
use volley_api::{Operator, OperatorFactory, ScalarFunctionFactory};
use volley_bench_support::timing::{Bar, in_turns};
use volley_expr::{FilterFactory, Functions};
use volley_wasm::{OnNoValue, PluginOptions, PluginScalar};

use super::{driven, output_of};
use crate::guest::{Guests, context};

/// Rows of a batch that the runtime coalesces to, and of a small one.
const ROWS: [usize; 2] = [8_192, 1_000];

/// Batches that take turns.
const BATCHES: usize = 4;

/// R15: a filter by an expression natively / by a function of a plugin that computes the same.
pub(crate) fn scalar(guests: &Guests, rounds: usize) -> Result<(), Box<dyn Error>> {
    for (rows, name, bar) in [(ROWS[0], "R15", Bar::AtLeast(0.4)), (ROWS[1], "R15b", Bar::Stated)] {
        let batches: Vec<RecordBatch> = (0..BATCHES).map(|seed| batch(rows, seed as u64)).collect();
        let schema = batches[0].schema();
        let scalar = PluginScalar::new(Arc::clone(&guests.celsius), PluginOptions::default(), OnNoValue::Fail);
        let given: Arc<dyn ScalarFunctionFactory> = Arc::new(scalar);
        let functions = Functions::new([("celsius".to_owned(), given)])?;
        let mut wasm = filter(FilterFactory::new("celsius(x) > 30").with_functions(functions), &schema)?;
        let mut native = filter(FilterFactory::new("(x - 32.0) * 5.0 / 9.0 > 30"), &schema)?;
        let (one, two) = (output_of(&mut *wasm, &batches)?, output_of(&mut *native, &batches)?);
        if one.columns() != two.columns() || one.num_rows() == 0 {
            return Err(format!("the contestants disagree: {} rows and {}", one.num_rows(), two.num_rows()).into());
        }
        let pair = in_turns(rounds, &mut driven(&mut *wasm, &batches), &mut driven(&mut *native, &batches));
        eprintln!("{name}: {rows} rows; wasm {:.2?}, native {:.2?} a batch", pair.first, pair.second);
        pair.ratio.inverse().print(name, bar);
    }
    Ok(())
}

fn filter(factory: FilterFactory, schema: &SchemaRef) -> volley_api::Result<Box<dyn Operator>> {
    factory.bind(schema)?;
    factory.create(context(schema))
}

fn batch(rows: usize, seed: u64) -> RecordBatch {
    let mut state = seed;
    let value = |_| {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        (volley_api::split_mix_64(state) % 1_800) as f64 / 10.0
    };
    let x: ArrayRef = Arc::new(Float64Array::from_iter_values((0..rows).map(value)));
    RecordBatch::try_from_iter([("x", x)]).expect("one column")
}
