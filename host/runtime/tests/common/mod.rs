//! Small operators and sources for the tests of plans and jobs.
#![allow(dead_code, unreachable_pub, reason = "each test file is a crate that uses its share")]

pub mod aggregate;
pub mod instances;

use std::fmt;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use arrow::array::{ArrayRef, AsArray, BooleanArray, Int64Array, RecordBatch};
use arrow::datatypes::{DataType, Field, Int64Type, Schema, SchemaRef};
use async_trait::async_trait;
use volley_api::{
    Boundedness, NodeName, Operator, OperatorBinding, OperatorContext, OperatorFactory, Output, OutputPort, PortName,
    Positions, ReadEvent, ReadOptions, Replay, Result, RowReject, Source, SourceBatch, SourceReject, Split, SplitId,
    SplitOffset, SplitReader, StreamRecord,
};
use volley_connector_memory::MemorySource;
use volley_runtime::{LogicalPlan, PortRef};

pub fn name(text: &str) -> NodeName {
    NodeName::new(text).expect("a name")
}

/// `node` or `node.port`.
pub fn port(text: &str) -> PortRef {
    match text.split_once('.') {
        Some((node, port)) => PortRef { node: name(node), port: PortName::new(port).expect("a name") },
        None => PortRef::main(name(text)),
    }
}

pub fn plan(parallelism: u32) -> LogicalPlan {
    LogicalPlan::new("test", NonZeroU32::new(parallelism).expect("not zero"))
}

pub fn schema() -> SchemaRef {
    Arc::new(Schema::new(vec![Field::new("x", DataType::Int64, true)]))
}

pub fn batch(values: impl IntoIterator<Item = i64>) -> RecordBatch {
    let column: ArrayRef = Arc::new(Int64Array::from_iter_values(values));
    RecordBatch::try_new(schema(), vec![column]).expect("one column")
}

/// The numbers from 0 to `rows`, in batches of at most `batch_rows`, dealt out to `splits`.
pub fn numbers(rows: i64, batch_rows: usize, splits: usize) -> Arc<dyn Source> {
    let all: Vec<i64> = (0..rows).collect();
    let mut parts = vec![Vec::new(); splits];
    for (index, chunk) in all.chunks(batch_rows).enumerate() {
        parts[index % splits].push(batch(chunk.iter().copied()));
    }
    Arc::new(MemorySource::new(schema(), parts).expect("one schema"))
}

/// All values of the column `x`, sorted.
pub fn sorted(batches: &[RecordBatch]) -> Vec<i64> {
    let column =
        |batch: &RecordBatch| batch.column_by_name("x").expect("x").as_primitive::<Int64Type>().values().to_vec();
    let mut values: Vec<i64> = batches.iter().flat_map(column).collect();
    values.sort_unstable();
    values
}

pub fn texts(batches: &[RecordBatch], column: &str) -> Vec<String> {
    let texts = |batch: &RecordBatch| {
        let column = batch.column_by_name(column).expect("the column").as_string::<i32>();
        column.iter().map(|text| text.unwrap_or("null").to_owned()).collect::<Vec<_>>()
    };
    batches.iter().flat_map(texts).collect()
}

/// What a [`Step`] does with a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    Keep,
    Drop,
    Aside,
    Reject,
    Fail,
    Panic,
}

/// An operator with a side output that asks a function about each row.
#[derive(Clone)]
pub struct Step {
    pub fate: fn(i64) -> Fate,
    pub coalesce: bool,
}

impl Step {
    pub fn factory(fate: fn(i64) -> Fate) -> Arc<dyn OperatorFactory> {
        Arc::new(Self { fate, coalesce: true })
    }
}

impl fmt::Debug for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Step")
    }
}

impl OperatorFactory for Step {
    fn label(&self) -> String {
        "step".to_owned()
    }

    fn bind(&self, input: &SchemaRef) -> Result<OperatorBinding> {
        let port = |name: PortName| OutputPort::new(name, Arc::clone(input));
        let aside = PortName::new("aside").expect("a name");
        Ok(OperatorBinding { outputs: vec![port(PortName::main()), port(aside)], reads: vec!["x".to_owned()] })
    }

    fn create(&self, _: OperatorContext) -> Result<Box<dyn Operator>> {
        Ok(Box::new(self.clone()))
    }

    fn wants_coalesced_input(&self) -> bool {
        self.coalesce
    }

    fn can_reject(&self) -> bool {
        true
    }
}

impl Operator for Step {
    fn process(&mut self, record: StreamRecord, output: &mut dyn Output) -> Result<()> {
        let record = record.compact().expect("one schema");
        let fates: Vec<Fate> =
            record.batch.column(0).as_primitive::<Int64Type>().values().iter().map(|&x| (self.fate)(x)).collect();
        assert!(!fates.contains(&Fate::Panic), "told to panic");
        if fates.contains(&Fate::Fail) {
            return Err(volley_api::Error::data("told to fail"));
        }
        let select = |fate: Fate| BooleanArray::from_iter(fates.iter().map(|&f| Some(f == fate)));
        let aside = record.clone().narrow(select(Fate::Aside).values());
        let rejects = fates.iter().enumerate().filter(|(_, fate)| **fate == Fate::Reject);
        let rejects = rejects.map(|(row, _)| RowReject { row, code: "refused".into(), message: "told to".into() });
        output.reject(&record, rejects.collect())?;
        output.emit(0, record.narrow(select(Fate::Keep).values()))?;
        output.emit(1, aside)
    }
}

/// A source with one split that plays a script, and then never ends unless told.
#[derive(Debug, Clone)]
pub struct Scripted {
    pub script: Vec<Event>,
    pub ends: bool,
}

#[derive(Debug, Clone)]
pub enum Event {
    Rows(Vec<i64>),
    Reject(&'static str),
    Idle,
}

#[async_trait]
impl Source for Scripted {
    fn label(&self) -> String {
        "scripted".to_owned()
    }

    fn schema(&self) -> SchemaRef {
        schema()
    }

    fn boundedness(&self) -> Boundedness {
        if self.ends { Boundedness::Bounded } else { Boundedness::Unbounded }
    }

    fn replay(&self) -> Replay {
        Replay::None
    }

    fn can_reject(&self) -> bool {
        true
    }

    async fn discover(&self) -> Result<Vec<Split>> {
        Ok(vec![Split { id: SplitId::new("script"), size_units: None }])
    }

    async fn open(&self, _: &Split, _: Option<&SplitOffset>, _: ReadOptions) -> Result<Box<dyn SplitReader>> {
        Ok(Box::new(Playing { left: self.script.clone().into(), ends: self.ends, position: 0 }))
    }
}

struct Playing {
    left: std::collections::VecDeque<Event>,
    ends: bool,
    position: i64,
}

#[async_trait]
impl SplitReader for Playing {
    async fn next(&mut self) -> Result<ReadEvent> {
        let (values, rejects) = match self.left.pop_front() {
            Some(Event::Rows(values)) => (values, Vec::new()),
            Some(Event::Reject(raw)) => {
                let (code, message) = ("malformed".to_owned(), format!("script line {}: bad", self.position));
                (Vec::new(), vec![SourceReject { position: self.position, code, message, raw: raw.to_owned() }])
            }
            Some(Event::Idle) => return Ok(ReadEvent::Idle(Duration::from_millis(1))),
            None if self.ends => return Ok(ReadEvent::End),
            None => return Ok(ReadEvent::Idle(Duration::from_millis(1))),
        };
        let positions = Positions::From(self.position);
        self.position += values.len().max(1) as i64;
        Ok(ReadEvent::Batch(SourceBatch { batch: batch(values), positions, rejects, progress_units: 1 }))
    }

    fn offset(&self) -> SplitOffset {
        SplitOffset(self.position.to_le_bytes().to_vec().into())
    }
}
