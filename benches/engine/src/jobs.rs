//! The two jobs of the workload, as plans of Volley.

use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use arrow::array::{AsArray, RecordBatch};
use arrow::datatypes::{Int64Type, SchemaRef, TimestampMillisecondType};
use async_trait::async_trait;
use volley_api::{
    CommitStatus, Committable, DeliveryGuarantee, Epoch, NodeName, Result, Sink, SinkContext, SinkWriter, Source,
};
use volley_expr::{Aggregates, FilterFactory, SelectFactory};
use volley_runtime::{
    EventTime, JobOptions, LogicalPlan, PhysicalPlan, PortRef, WatermarkStrategy, Window, WindowFactory,
};
use volley_wasm::PluginFactory;

use crate::workload::{Total, WINDOW_MS};

/// Which job.
#[derive(Debug, Clone)]
pub(crate) enum Job {
    /// `amount > 100`; `amount * 2 + 1`.
    FilterAndMap,
    /// The same by a plugin.
    Plugin(Arc<PluginFactory>),
    /// `amount > 100`; by user, in tumbling windows of so many milliseconds, `sum(amount)`.
    WindowedSum(i64),
    /// By user, in tumbling windows of so many milliseconds, the mean amount: 16 bytes of state for each user. No results are
    /// counted.
    #[cfg(feature = "rocksdb")]
    WindowedMean(i64),
    /// The same with a hundred bytes and more.
    #[cfg(feature = "rocksdb")]
    WindowedSpread(i64),
}

/// What a sink has counted so far.
pub(crate) type Counted = Arc<Mutex<Total>>;

/// Runs a job to its end.
pub(crate) async fn run(job: &Job, source: Arc<dyn Source>, parallelism: u32, options: JobOptions) -> Result<Total> {
    let (plan, total) = plan(job, source, parallelism)?;
    volley_runtime::start(plan, options).await?.wait().await?;
    let total = total.lock().unwrap_or_else(PoisonError::into_inner);
    Ok(*total)
}

/// A job that is ready to be started.
pub(crate) fn plan(job: &Job, source: Arc<dyn Source>, parallelism: u32) -> Result<(PhysicalPlan, Counted)> {
    let parallelism = NonZeroU32::new(parallelism).unwrap_or(NonZeroU32::MIN);
    let mut plan = LogicalPlan::new("bench", parallelism);
    let name = |text: &str| NodeName::new(text).expect("a name");
    let from = |text: &str| vec![PortRef::main(name(text))];
    plan.add_source(name("source"), source, None)?;
    if matches!(job, Job::FilterAndMap | Job::WindowedSum(_)) {
        plan.add_operator(name("filter"), from("source"), Arc::new(FilterFactory::new("amount > 100")), None)?;
    }
    match job {
        Job::Plugin(factory) => plan.add_operator(name("last"), from("source"), Arc::clone(factory) as _, None)?,
        Job::FilterAndMap => {
            let item = ("doubled".to_owned(), "amount * 2 + 1".to_owned());
            plan.add_operator(name("last"), from("filter"), Arc::new(SelectFactory::new(vec![item])), None)?;
        }
        Job::WindowedSum(window_ms) => windowed(&mut plan, *window_ms, "filter", &["sum(amount)"])?,
        #[cfg(feature = "rocksdb")]
        Job::WindowedMean(window_ms) => windowed(&mut plan, *window_ms, "source", &["avg(amount)"])?,
        #[cfg(feature = "rocksdb")]
        Job::WindowedSpread(window_ms) => windowed(&mut plan, *window_ms, "source", &SPREAD)?,
    }
    let sink = Counting::default();
    let total = Arc::clone(&sink.0);
    plan.add_sink(name("sink"), from("last"), Arc::new(sink), None)?;
    Ok((plan.check()?.chain(), total))
}

/// Aggregates whose state is large, and looks like chance to whoever compresses it.
#[cfg(feature = "rocksdb")]
const SPREAD: [&str; 6] = [
    "stddev(amount)",
    "stddev(ts)",
    "stddev(amount * 7 + ts)",
    "stddev(amount - ts)",
    "stddev(amount * amount)",
    "stddev(amount * ts)",
];

/// Adds aggregates by user and tumbling window of what comes from a node.
fn windowed(plan: &mut LogicalPlan, window_ms: i64, from: &str, sql: &[&str]) -> Result<()> {
    let node = |text: &str| NodeName::new(text).expect("a name");
    let mut event_time = EventTime::bounded("ts", Duration::ZERO);
    event_time.strategy = WatermarkStrategy::Monotonous;
    plan.set_event_time(&node("source"), event_time);
    // The checksum is of the column `total`.
    let name = |number| if number == 0 { "total".to_owned() } else { format!("total_{number}") };
    let items = sql.iter().enumerate().map(|(number, sql)| (name(number), (*sql).to_owned()));
    let aggregates = Aggregates::new(items.collect());
    let window = Window::Tumbling { size: Duration::from_millis(window_ms.unsigned_abs()) };
    let factory = WindowFactory::new(vec!["user_id".to_owned()], window, Arc::new(aggregates));
    plan.add_operator(node("last"), vec![PortRef::main(node(from))], Arc::new(factory), None)
}

/// Counts results and sums them up.
#[derive(Debug, Default)]
struct Counting(Counted);

#[async_trait]
impl Sink for Counting {
    fn label(&self) -> String {
        "counting".to_owned()
    }

    fn guarantee(&self) -> DeliveryGuarantee {
        DeliveryGuarantee::AtLeastOnce
    }

    fn check(&self, _: &SchemaRef) -> Result<()> {
        Ok(())
    }

    async fn open(&self, _: SinkContext) -> Result<Box<dyn SinkWriter>> {
        Ok(Box::new(Writer { total: Total::default(), all: Arc::clone(&self.0) }))
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

struct Writer {
    total: Total,
    all: Arc<Mutex<Total>>,
}

#[async_trait]
impl SinkWriter for Writer {
    async fn write(&mut self, batch: RecordBatch) -> Result<()> {
        self.total.results += batch.num_rows() as u64;
        let ints = |name: &str| batch.column_by_name(name).map(|column| column.as_primitive::<Int64Type>());
        let checksum = match (
            ints("doubled").or_else(|| ints("a2")),
            ints("total"),
            ints("user_id"),
            batch.column_by_name("window_start"),
        ) {
            (Some(doubled), ..) => doubled.values().iter().fold(0, |sum: u64, value| sum.wrapping_add(*value as u64)),
            (None, Some(totals), Some(users), Some(starts)) => {
                let starts = starts.as_primitive::<TimestampMillisecondType>().values();
                let rows = totals.values().iter().zip(users.values()).zip(starts);
                rows.fold(0, |sum: u64, ((total, user), start)| {
                    sum.wrapping_add((total * (user + 1 + start / WINDOW_MS)) as u64)
                })
            }
            _ => 0,
        };
        self.total.checksum = self.total.checksum.wrapping_add(checksum);
        Ok(())
    }

    async fn prepare(&mut self, _: Epoch) -> Result<Option<Committable>> {
        let mut all = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        let total = std::mem::take(&mut self.total);
        all.results += total.results;
        all.checksum = all.checksum.wrapping_add(total.checksum);
        Ok(None)
    }
}
