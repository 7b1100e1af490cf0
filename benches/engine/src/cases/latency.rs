//! How long rows are on their way at 100,000 rows a second, by how long they may wait for others.

use std::error::Error;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use arrow::array::{ArrayRef, AsArray, Int64Array, RecordBatch};
use arrow::datatypes::{DataType, Field, Int64Type, Schema, SchemaRef};
use async_trait::async_trait;
use bytes::Bytes;
use tokio::runtime::Runtime;
use volley_api::{
    Boundedness, CommitStatus, Committable, DeliveryGuarantee, Epoch, NodeName, Operator, OperatorBinding,
    OperatorContext, OperatorFactory, Output, Positions, ReadEvent, ReadOptions, Replay, Result, Sink, SinkContext,
    SinkWriter, Source, SourceBatch, Split, SplitId, SplitOffset, SplitReader, StreamRecord,
};
use volley_runtime::{JobOptions, LogicalPlan, PortRef};

const ROWS_PER_SECOND: u32 = 100_000;
const SECONDS: u32 = 3;
/// Rows come one by one, as fast as a timer can tell them apart.
const TICK: Duration = Duration::from_millis(1);

pub(crate) fn run(runtime: &Runtime) -> std::result::Result<(), Box<dyn Error>> {
    for linger_ms in [0, 1, 5] {
        let seen = Arc::new(Mutex::new(Vec::new()));
        runtime.block_on(once(Duration::from_millis(linger_ms), Arc::clone(&seen)))?;
        let mut micros = seen.lock().unwrap_or_else(PoisonError::into_inner).clone();
        micros.sort_unstable();
        let at = |share: f64| micros[((micros.len() - 1) as f64 * share) as usize];
        println!(
            "latency_linger_{linger_ms}ms p50 {:.2} ms, p99 {:.2} ms, of {} rows",
            at(0.5) as f64 / 1e3,
            at(0.99) as f64 / 1e3,
            micros.len()
        );
    }
    Ok(())
}

async fn once(linger: Duration, seen: Arc<Mutex<Vec<i64>>>) -> Result<()> {
    let mut plan = LogicalPlan::new("latency", std::num::NonZeroU32::MIN);
    let name = |text: &str| NodeName::new(text).expect("a name");
    let begin = Instant::now();
    plan.add_source(name("source"), Arc::new(Ticking(begin)), None)?;
    plan.add_operator(name("waiting"), vec![PortRef::main(name("source"))], Arc::new(Waiting), None)?;
    plan.add_sink(name("sink"), vec![PortRef::main(name("waiting"))], Arc::new(Watching { begin, seen }), None)?;
    let options = JobOptions { linger, ..JobOptions::default() };
    volley_runtime::start(plan.check()?.chain(), options).await?.wait().await.map(drop)
}

fn schema() -> SchemaRef {
    Arc::new(Schema::new(vec![Field::new("made_us", DataType::Int64, false)]))
}

/// Rows with the time at which they were made.
#[derive(Debug)]
struct Ticking(Instant);

#[async_trait]
impl Source for Ticking {
    fn label(&self) -> String {
        "ticking".to_owned()
    }

    fn schema(&self) -> SchemaRef {
        schema()
    }

    fn boundedness(&self) -> Boundedness {
        Boundedness::Bounded
    }

    fn replay(&self) -> Replay {
        Replay::None
    }

    async fn discover(&self) -> Result<Vec<Split>> {
        Ok(vec![Split { id: SplitId::new("0"), size_units: None }])
    }

    async fn open(&self, _: &Split, _: Option<&SplitOffset>, _: ReadOptions) -> Result<Box<dyn SplitReader>> {
        let mut ticks = tokio::time::interval(TICK);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Burst);
        Ok(Box::new(Ticks { begin: self.0, ticks, rows: 0, left_of_tick: 0 }))
    }
}

struct Ticks {
    begin: Instant,
    ticks: tokio::time::Interval,
    rows: u32,
    left_of_tick: u32,
}

#[async_trait]
impl SplitReader for Ticks {
    async fn next(&mut self) -> Result<ReadEvent> {
        if self.rows == ROWS_PER_SECOND * SECONDS {
            return Ok(ReadEvent::End);
        }
        if self.left_of_tick == 0 {
            self.ticks.tick().await;
            self.left_of_tick = ROWS_PER_SECOND / 1000;
        }
        self.left_of_tick -= 1;
        self.rows += 1;
        let made = i64::try_from(self.begin.elapsed().as_micros()).unwrap_or(i64::MAX);
        let column: ArrayRef = Arc::new(Int64Array::from(vec![made]));
        let batch = RecordBatch::try_new(schema(), vec![column]).expect("one column");
        let positions = Positions::From(i64::from(self.rows));
        Ok(ReadEvent::Batch(SourceBatch { batch, positions, rejects: Vec::new(), progress_units: 1 }))
    }

    fn offset(&self) -> SplitOffset {
        SplitOffset(Bytes::new())
    }
}

/// Passes rows on, and wants them together.
#[derive(Debug, Clone)]
struct Waiting;

impl OperatorFactory for Waiting {
    fn label(&self) -> String {
        "waiting".to_owned()
    }

    fn bind(&self, input: &SchemaRef) -> Result<OperatorBinding> {
        Ok(OperatorBinding::single(Arc::clone(input), Vec::new()))
    }

    fn wants_coalesced_input(&self) -> bool {
        true
    }

    fn create(&self, _: OperatorContext) -> Result<Box<dyn Operator>> {
        Ok(Box::new(self.clone()))
    }
}

impl Operator for Waiting {
    fn process(&mut self, record: StreamRecord, output: &mut dyn Output) -> Result<()> {
        output.emit(0, record)
    }
}

/// Notes how old rows are when they come.
#[derive(Debug)]
struct Watching {
    begin: Instant,
    seen: Arc<Mutex<Vec<i64>>>,
}

#[async_trait]
impl Sink for Watching {
    fn label(&self) -> String {
        "watching".to_owned()
    }

    fn guarantee(&self) -> DeliveryGuarantee {
        DeliveryGuarantee::Immediate
    }

    fn check(&self, _: &SchemaRef) -> Result<()> {
        Ok(())
    }

    async fn open(&self, _: SinkContext) -> Result<Box<dyn SinkWriter>> {
        Ok(Box::new(Watcher { begin: self.begin, seen: Arc::clone(&self.seen) }))
    }

    async fn commit(&self, _: &Committable) -> Result<()> {
        Ok(())
    }

    async fn lookup(&self, _: &Committable) -> Result<CommitStatus> {
        Ok(CommitStatus::Committed)
    }

    async fn abort(&self, _: &Committable) -> Result<()> {
        Ok(())
    }
}

struct Watcher {
    begin: Instant,
    seen: Arc<Mutex<Vec<i64>>>,
}

#[async_trait]
impl SinkWriter for Watcher {
    async fn write(&mut self, batch: RecordBatch) -> Result<()> {
        let now = i64::try_from(self.begin.elapsed().as_micros()).unwrap_or(i64::MAX);
        let made = batch.column(0).as_primitive::<Int64Type>();
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).extend(made.values().iter().map(|made| now - made));
        Ok(())
    }

    async fn prepare(&mut self, _: Epoch) -> Result<Option<Committable>> {
        Ok(None)
    }
}
