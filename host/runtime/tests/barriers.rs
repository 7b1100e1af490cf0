//! Barriers cross a job in band: what every instance has seen when one comes is exactly what came before it at the sources.
#![allow(clippy::unwrap_used, reason = "a test helper may panic like a test")]

mod common;

use std::fmt;
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use arrow::array::AsArray;
use arrow::datatypes::{Int64Type, SchemaRef};
use common::{name, numbers, plan, port};
use volley_api::{
    CheckpointBarrier, Epoch, Operator, OperatorBinding, OperatorContext, OperatorFactory, Output, Result,
    StreamRecord, SubtaskId,
};
use volley_connector_memory::MemorySink;
use volley_runtime::JobOptions;

/// What an instance had seen of the numbers when a barrier came: epoch, instance, how many and their sum.
type Seen = Arc<Mutex<Vec<(u64, u32, u64, i64)>>>;

/// Passes rows on, and notes at each barrier what it has seen.
#[derive(Clone)]
struct Noting {
    seen: Seen,
    keys: Option<Vec<String>>,
}

impl fmt::Debug for Noting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Noting")
    }
}

impl OperatorFactory for Noting {
    fn label(&self) -> String {
        "noting".to_owned()
    }

    fn bind(&self, input: &SchemaRef) -> Result<OperatorBinding> {
        Ok(OperatorBinding::single(Arc::clone(input), vec!["x".to_owned()]))
    }

    fn keys(&self) -> Option<&[String]> {
        self.keys.as_deref()
    }

    fn create(&self, context: OperatorContext) -> Result<Box<dyn Operator>> {
        Ok(Box::new(Instance { seen: Arc::clone(&self.seen), subtask: context.subtask, rows: 0, sum: 0 }))
    }
}

struct Instance {
    seen: Seen,
    subtask: SubtaskId,
    rows: u64,
    sum: i64,
}

impl Operator for Instance {
    fn process(&mut self, record: StreamRecord, output: &mut dyn Output) -> Result<()> {
        let record = record.compact().unwrap();
        let values = record.batch.column(0).as_primitive::<Int64Type>();
        self.rows += values.len() as u64;
        self.sum += values.values().iter().sum::<i64>();
        output.emit(0, record)
    }

    fn on_barrier(&mut self, barrier: CheckpointBarrier, _: &mut dyn Output) -> Result<()> {
        self.seen.lock().unwrap().push((barrier.epoch.0, self.subtask.index, self.rows, self.sum));
        Ok(())
    }

    fn finish(&mut self, _: &mut dyn Output) -> Result<()> {
        self.seen.lock().unwrap().push((END, self.subtask.index, self.rows, self.sum));
        Ok(())
    }
}

/// Stands for the epoch at the end of an instance.
const END: u64 = u64::MAX;

#[tokio::test(flavor = "multi_thread")]
async fn every_stage_has_seen_the_same_rows_at_a_barrier() {
    const ROWS: i64 = 400_000;
    let stages: Vec<Seen> = (0..3).map(|_| Seen::default()).collect();
    let mut plan = plan(3);
    plan.add_source(name("numbers"), numbers(ROWS, 50, 3), None).unwrap();
    let node = |stage: usize, keys: Option<&str>| {
        Arc::new(Noting { seen: Arc::clone(&stages[stage]), keys: keys.map(|key| vec![key.to_owned()]) })
    };
    plan.add_operator(name("first"), vec![port("numbers")], node(0, None), None).unwrap();
    plan.add_operator(name("keyed"), vec![port("first")], node(1, Some("x")), None).unwrap();
    plan.add_operator(name("funnel"), vec![port("keyed")], node(2, None), NonZeroU32::new(1)).unwrap();
    let sink = MemorySink::new();
    let out = sink.handle();
    plan.add_sink(name("out"), vec![port("funnel")], Arc::new(sink), None).unwrap();
    let options = JobOptions { channel_items_max: 2, ..JobOptions::default() };
    let job = volley_runtime::start(plan.check().unwrap().chain(), options).await.unwrap();
    for epoch in 1..=20 {
        job.barrier(Epoch(epoch));
        tokio::time::sleep(Duration::from_millis(epoch % 3)).await;
    }
    job.wait().await.unwrap();
    assert_eq!(out.num_rows(), usize::try_from(ROWS).unwrap());
    // What all instances of a stage had seen at each barrier; one that had ended by then has seen all of its rows.
    let totals = |stage: usize, subtasks: u32| {
        let seen = stages[stage].lock().unwrap();
        let mut epochs: Vec<u64> = seen.iter().map(|(epoch, ..)| *epoch).filter(|epoch| *epoch != END).collect();
        epochs.sort_unstable();
        epochs.dedup();
        let at = |epoch: u64, subtask: u32| seen.iter().find(|one| one.0 == epoch && one.1 == subtask);
        let total = |epoch: u64| {
            let of_epoch = (0..subtasks).map(|subtask| at(epoch, subtask).or_else(|| at(END, subtask)).unwrap());
            let (rows, sum) = of_epoch.fold((0, 0), |(rows, sum), one| (rows + one.2, sum + one.3));
            (epoch, rows, sum)
        };
        epochs.into_iter().map(total).collect::<Vec<_>>()
    };
    let (first, keyed, funnel) = (totals(0, 3), totals(1, 3), totals(2, 1));
    // Barriers that were asked for after the sources had ended are missing everywhere.
    assert!(!funnel.is_empty(), "some barrier came through");
    assert!(funnel.iter().any(|(_, rows, _)| *rows > 0 && *rows < ROWS as u64), "one in the middle of the input");
    for total in funnel.iter().filter(|(_, rows, _)| *rows < ROWS as u64) {
        assert!(keyed.contains(total), "{total:?} of the last stage, keyed {keyed:?}");
        assert!(first.contains(total), "{total:?} of the last stage, first {first:?}");
    }
}
