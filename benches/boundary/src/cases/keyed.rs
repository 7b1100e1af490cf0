//! R13 as users have it: a whole job that numbers keys, keeps windows and fires them, with an aggregate that is a plugin and
//! with the same natively.

use std::error::Error;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use arrow::array::{ArrayRef, Int64Array, RecordBatch};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use volley_api::{AggregatorFactory, NodeName};
use volley_bench_support::timing::{Bar, in_turns};
use volley_connector_memory::{DiscardSink, MemorySource};
use volley_expr::Aggregates;
use volley_runtime::{EventTime, JobOptions, LogicalPlan, PortRef, WatermarkStrategy, Window, WindowFactory};
use volley_wasm::{PluginAggregates, PluginOptions};

use super::aggregates::{BATCHES, KEY, ROWS, amounts};
use crate::guest::Guests;

/// Windows of one run, each with as many rows as those of the aggregator alone.
const WINDOWS: usize = 8;

/// The time of a row is the number of its batch.
const TIME: &str = "at";

/// R13_job: rows per second of the job with the plugin / with the native aggregates.
pub(crate) fn job(guests: &Guests, rounds: usize) -> Result<(), Box<dyn Error>> {
    let batches = batches();
    let calls = [("sum", "sum(amount)"), ("avg", "avg(amount)")].map(|(name, sql)| (name.to_owned(), sql.to_owned()));
    let native: Arc<dyn AggregatorFactory> = Arc::new(Aggregates::new(calls.to_vec()));
    let keys = vec![KEY.to_owned()];
    let plugin = PluginAggregates::new(Arc::clone(&guests.sum_avg), PluginOptions::default(), keys)?;
    let plugin: Arc<dyn AggregatorFactory> = Arc::new(plugin);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    let (mut native_rows, mut wasm_rows) = (0, 0);
    let mut native = || native_rows = runtime.block_on(run(&batches, &native)).expect("the job runs");
    let mut wasm = || wasm_rows = runtime.block_on(run(&batches, &plugin)).expect("the job runs");
    let pair = in_turns(rounds, &mut native, &mut wasm);
    if native_rows != wasm_rows || native_rows == 0 {
        return Err(format!("the native job gave {native_rows} rows, the other one {wasm_rows}").into());
    }
    let per_row_ns = |span: Duration| span.as_secs_f64() * 1e9 / (ROWS * BATCHES * WINDOWS) as f64;
    eprintln!("R13_job: native {:.2} ns, wasm {:.2} ns a row", per_row_ns(pair.first), per_row_ns(pair.second));
    pair.ratio.print("R13_job_sum_avg", Bar::AtLeast(0.5));
    Ok(())
}

fn batches() -> Vec<RecordBatch> {
    let window = amounts();
    let fields = window[0].schema().fields().iter().cloned().collect::<Vec<_>>();
    let time = Arc::new(Field::new(TIME, DataType::Int64, false));
    let schema: SchemaRef = Arc::new(Schema::new(fields.into_iter().chain([time]).collect::<Vec<_>>()));
    let batch = |number: usize| {
        let time: ArrayRef = Arc::new(Int64Array::from(vec![number as i64; ROWS]));
        let columns = window[number % BATCHES].columns().iter().cloned().chain([time]).collect();
        RecordBatch::try_new(Arc::clone(&schema), columns).expect("columns of the schema")
    };
    (0..WINDOWS * BATCHES).map(batch).collect()
}

/// One job from start to end; gives the rows that reached the sink.
async fn run(batches: &[RecordBatch], aggregates: &Arc<dyn AggregatorFactory>) -> volley_api::Result<u64> {
    let mut plan = LogicalPlan::new("bench", NonZeroU32::MIN);
    let name = |text: &str| NodeName::new(text).expect("a name");
    let from = |text: &str| vec![PortRef::main(name(text))];
    let source = MemorySource::new(batches[0].schema(), vec![batches.to_vec()])?;
    plan.add_source(name("source"), Arc::new(source), None)?;
    let mut event_time = EventTime::bounded(TIME, Duration::ZERO);
    event_time.strategy = WatermarkStrategy::Monotonous;
    plan.set_event_time(&name("source"), event_time);
    let window = Window::Tumbling { size: Duration::from_millis(BATCHES as u64) };
    let windows = WindowFactory::new(vec![KEY.to_owned()], window, Arc::clone(aggregates));
    plan.add_operator(name("windows"), from("source"), Arc::new(windows), None)?;
    let sink = DiscardSink::new();
    let handle = sink.handle();
    plan.add_sink(name("sink"), from("windows"), Arc::new(sink), None)?;
    volley_runtime::start(plan.check()?.chain(), JobOptions::default()).await?.wait().await?;
    Ok(handle.num_rows())
}
