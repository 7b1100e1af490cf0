//! What keyed state costs through the boundary: a running total by key, its value held by the host.

use std::error::Error;
use std::sync::Arc;

use volley_api::{Operator, OperatorContext, OperatorFactory};
use volley_bench_support::timing::{Bar, in_turns};
use volley_state::MemoryBackend;
use volley_wasm::{PluginFactory, PluginOptions};

use super::aggregates::{KEY, amounts};
use super::{driven, output_of};
use crate::guest::{Guests, context};
use crate::native_total::RunningTotal;

/// More than all keys take.
const STATE_BYTES_MAX: usize = 1 << 30;

/// R14: rows per second of a process with a value for each key in WebAssembly / of a native operator on the same state.
pub(crate) fn value(guests: &Guests, rounds: usize) -> Result<(), Box<dyn Error>> {
    let batches = amounts();
    let input = batches[0].schema();
    let context = || OperatorContext { state: Arc::new(MemoryBackend::new(STATE_BYTES_MAX)), ..context(&input) };
    let plugin = PluginFactory::new(Arc::clone(&guests.running_total), PluginOptions::default());
    let plugin = plugin.with_keys(vec![KEY.to_owned()]);
    plugin.bind(&input)?;
    let mut wasm: Box<dyn Operator> = plugin.create(context())?;
    let mut native = RunningTotal::new(&context())?;
    if output_of(&mut *wasm, &batches)?.columns() != output_of(&mut native, &batches)?.columns() {
        return Err("R14: the contestants give different totals".into());
    }
    // From here on each has all of the keys.
    let pair = in_turns(rounds, &mut driven(&mut native, &batches), &mut driven(&mut *wasm, &batches));
    eprintln!("R14: native {:.2?}, wasm {:.2?} a batch of {} rows", pair.first, pair.second, batches[0].num_rows());
    pair.ratio.print("R14", Bar::AtLeast(0.4));
    Ok(())
}
