//! A reader that waits for room behind it does not take its splits to be idle.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;

use arrow::array::{ArrayRef, Int64Array, RecordBatch};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use async_trait::async_trait;
use tokio::sync::broadcast;
use volley_api::{Positions, Replay, Result, SplitOffset, TaskId};

use super::*;
use crate::channel::{Bounds, Channel};
use crate::task::report::Reporter;

const IDLE_AFTER: Duration = Duration::from_millis(200);
/// How many batches the busy split gives.
const BATCHES: usize = 12;

/// Two splits that never end: one gives batches, the other nothing.
#[derive(Debug)]
struct OneGives;

fn schema() -> SchemaRef {
    Arc::new(Schema::new(vec![Field::new("x", DataType::Int64, false)]))
}

#[async_trait]
impl Source for OneGives {
    fn label(&self) -> String {
        "one gives".to_owned()
    }

    fn schema(&self) -> SchemaRef {
        schema()
    }

    fn boundedness(&self) -> Boundedness {
        Boundedness::Unbounded
    }

    fn replay(&self) -> Replay {
        Replay::None
    }

    async fn discover(&self) -> Result<Vec<Split>> {
        Ok(["gives", "nothing"].map(split).to_vec())
    }

    async fn open(&self, split: &Split, _: Option<&SplitOffset>, _: ReadOptions) -> Result<Box<dyn SplitReader>> {
        Ok(Box::new(Gives(if split.id == SplitId::new("gives") { BATCHES } else { 0 })))
    }
}

struct Gives(usize);

#[async_trait]
impl SplitReader for Gives {
    async fn next(&mut self) -> Result<ReadEvent> {
        if self.0 == 0 {
            return Ok(ReadEvent::Idle(Duration::from_millis(1)));
        }
        self.0 -= 1;
        let column: ArrayRef = Arc::new(Int64Array::from(vec![1, 2]));
        let batch = RecordBatch::try_new(schema(), vec![column]).expect("one column");
        Ok(ReadEvent::Batch(SourceBatch {
            batch,
            positions: Positions::From(0),
            rejects: Vec::new(),
            progress_units: 2,
        }))
    }

    fn offset(&self) -> SplitOffset {
        SplitOffset(Vec::<u8>::new().into())
    }
}

fn split(id: &str) -> Split {
    Split { id: SplitId::new(id), size_units: None }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reader_that_waits_for_room_takes_no_split_to_be_idle() {
    let channel = Channel::new(Bounds { items_max: 8, bytes_max: 1 << 20 });
    let subtasks = vec![channel.lane()];
    let mut receiver = channel.receiver();
    let (barriers, _) = broadcast::channel(1);
    let (_pausing, paused) = watch::channel(false);
    let (_draining, draining) = watch::channel(false);
    let node = NodeName::new("in").expect("a name");
    let task = ReaderTask {
        node: node.clone(),
        source: Arc::new(OneGives),
        splits: ["gives", "nothing"].map(split).into(),
        options: ReadOptions { batch_rows_max: NonZeroUsize::MIN },
        origins: OriginDirectory::new(),
        metrics: Arc::new(NodeMetrics::new(1)),
        subtasks,
        gather_rows_max: 1,
        idle_after: Some(IDLE_AFTER),
        blocked: Blocked::default(),
        epochs: Epochs::new(node, Reporter::new(None, TaskId(0)), barriers.subscribe(), BTreeMap::new()),
        paused,
        draining,
        bounded_left: Arc::default(),
    };
    let reading = tokio::spawn(task.run());
    // The channel fills up, and the reader waits for longer than a split may have nothing.
    tokio::time::sleep(IDLE_AFTER * 3).await;
    let (mut batches, mut idle) = (0, Vec::new());
    while idle.is_empty() {
        let (_, message) = receiver.recv().await.expect("the reader runs");
        match message {
            Message::Polled(_) => batches += 1,
            Message::Split(number, SplitStatus::Idle) => idle.push(number),
            _ => {}
        }
    }
    assert_eq!(batches, BATCHES, "idle before the reader had come to ask for as long as that");
    reading.abort();
}
