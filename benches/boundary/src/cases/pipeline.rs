//! R4: a whole pipeline, from memory through native operators into a counting sink, against one hand-written loop.

use std::error::Error;
use std::num::NonZeroU32;
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, Int64Array, RecordBatch};
use arrow::datatypes::Int64Type;
use volley_api::{NodeName, PortName};
use volley_connector_memory::{DiscardSink, MemorySource};
use volley_expr::{FilterFactory, SelectFactory};
use volley_runtime::{JobOptions, LogicalPlan, PortRef};

use crate::data::Shape;
use crate::guest::Guests;
use volley_bench_support::timing::{Bar, in_turns};

const ROWS: usize = 8_192;

/// Batches of one run: enough that starting and ending a job do not count.
const BATCHES: usize = 2_000;

pub(crate) fn native(_guests: &Guests, rounds: usize) -> Result<(), Box<dyn Error>> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    let batches: Vec<RecordBatch> = Shape::Numbers.batches(ROWS).into_iter().cycle().take(BATCHES).collect();
    let mut volley_rows = 0;
    let mut hand_rows = 0;
    let mut volley = || volley_rows = runtime.block_on(pipeline(&batches)).expect("the pipeline runs");
    let mut by_hand = || hand_rows = batches.iter().map(|batch| hand_written(batch).num_rows() as u64).sum();
    let pair = in_turns(rounds, &mut volley, &mut by_hand);
    if volley_rows != hand_rows {
        return Err(format!("the pipeline gave {volley_rows} rows, the loop {hand_rows}").into());
    }
    let per_second = |time: std::time::Duration| (ROWS * BATCHES) as f64 / time.as_secs_f64() / 1e6;
    eprintln!("R4: pipeline {:.1}, loop {:.1} million rows/s", per_second(pair.first), per_second(pair.second));
    pair.ratio.inverse().print("R4", Bar::AtLeast(0.6));
    Ok(())
}

/// One job from start to end; gives the rows that reached the sink.
async fn pipeline(batches: &[RecordBatch]) -> volley_api::Result<u64> {
    let mut plan = LogicalPlan::new("bench", NonZeroU32::MIN);
    let name = |text: &str| NodeName::new(text).expect("a name");
    let from = |text: &str| vec![PortRef { node: name(text), port: PortName::main() }];
    let source = MemorySource::new(Shape::Numbers.schema(), vec![batches.to_vec()])?;
    plan.add_source(name("source"), Arc::new(source), None)?;
    plan.add_operator(name("filter"), from("source"), Arc::new(FilterFactory::new("a > 100")), None)?;
    let items = [("b", "b"), ("a2", "a * 2 + 1"), ("c", "c")].map(|(name, sql)| (name.to_owned(), sql.to_owned()));
    plan.add_operator(name("select"), from("filter"), Arc::new(SelectFactory::new(items.into())), None)?;
    let sink = DiscardSink::new();
    let handle = sink.handle();
    plan.add_sink(name("sink"), from("select"), Arc::new(sink), None)?;
    volley_runtime::start(plan.check()?.chain(), JobOptions::default()).await?.wait().await?;
    Ok(handle.num_rows())
}

/// The same in one loop without a branch, as one would write it for these three columns and no others.
fn hand_written(batch: &RecordBatch) -> RecordBatch {
    let column = |index: usize| &batch.column(index).as_primitive::<Int64Type>().values()[..];
    let (a, b, c) = (column(0), column(1), column(2));
    let mut out = [(); 3].map(|()| vec![0_i64; a.len()]);
    let [out_b, out_a2, out_c] = &mut out;
    let mut kept = 0;
    for ((a, b), c) in a.iter().zip(b).zip(c) {
        out_b[kept] = *b;
        out_a2[kept] = a.wrapping_mul(2).wrapping_add(1);
        out_c[kept] = *c;
        kept += usize::from(*a > 100);
    }
    let column = |mut values: Vec<i64>| -> ArrayRef {
        values.truncate(kept);
        Arc::new(Int64Array::from(values))
    };
    let [b, a2, c] = out.map(column);
    RecordBatch::try_from_iter([("b", b), ("a2", a2), ("c", c)]).expect("columns of one length")
}
