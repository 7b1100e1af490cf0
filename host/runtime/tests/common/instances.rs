//! Keyed operators driven by hand: rows dealt out by key group, snapshots written to files, and instances made of them.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch, UInt32Array};
use arrow::compute::take_record_batch;
use arrow::datatypes::{DataType, Float64Type};
use arrow::util::display::array_value_to_string;
use volley_api::{
    CheckpointBarrier, Epoch, EventTimeColumn, KeyGroup, KeyHasher, KeyedSnapshot, KeyedState, Operator,
    OperatorContext, OperatorFactory, OperatorState, OriginDirectory, Output, PortIndex, Result, RowReject, SeedSource,
    SnapshotContent, StateBackend, StateContext, StateFile, StatePart, StreamRecord, SubtaskId, SystemClock, Watermark,
};
use volley_state::MemoryBackend;

use super::name;

/// Memory that frees some when deltas are handed to it, or says so.
#[derive(Debug, Clone)]
pub struct HoldsBack(pub MemoryBackend, pub usize);

impl StateBackend for HoldsBack {
    fn label(&self) -> String {
        self.0.label()
    }

    fn format(&self) -> &'static str {
        self.0.format()
    }

    fn held_back_bytes_max(&self) -> Option<usize> {
        Some(self.1)
    }

    fn open(&self, context: StateContext) -> Result<Box<dyn KeyedState>> {
        self.0.open(context)
    }
}

/// What instances have put out.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Heard {
    /// Rows by port, as texts.
    pub rows: BTreeMap<PortIndex, Vec<String>>,
    pub late: usize,
    pub pending: Option<usize>,
}

impl Heard {
    /// The rows of each port in an order that does not depend on when they came.
    pub fn sorted(mut self) -> BTreeMap<PortIndex, Vec<String>> {
        self.rows.values_mut().for_each(|rows| rows.sort_unstable());
        self.rows
    }
}

impl Output for Heard {
    fn emit(&mut self, port: PortIndex, record: StreamRecord) -> Result<()> {
        let batch = record.compact().expect("one schema").batch;
        if batch.num_rows() > 0 {
            self.rows.entry(port).or_default().extend((0..batch.num_rows()).map(|row| text(&batch, row)));
        }
        Ok(())
    }

    fn count_late(&mut self, rows: usize) {
        self.late += rows;
    }

    fn set_pending(&mut self, windows: usize) {
        self.pending = Some(windows);
    }

    fn reject(&mut self, _: &StreamRecord, _: Vec<RowReject>) -> Result<()> {
        unreachable!("every row has a time")
    }
}

/// A row; floats to four digits, since sums may differ in the last one with the order.
fn text(batch: &RecordBatch, row: usize) -> String {
    let value = |column: &ArrayRef| match column.data_type() {
        DataType::Float64 if column.is_valid(row) => format!("{:.4}", column.as_primitive::<Float64Type>().value(row)),
        _ => array_value_to_string(column, row).expect("a value"),
    };
    batch.columns().iter().map(value).collect::<Vec<_>>().join(" | ")
}

/// All instances of a keyed operator.
pub struct Instances {
    factory: Arc<dyn OperatorFactory>,
    backend: Arc<dyn StateBackend>,
    input: RecordBatch,
    operators: Vec<Box<dyn Operator>>,
    pub heard: Heard,
    pending: Vec<Option<usize>>,
    watermark: Option<Watermark>,
    epoch: u64,
}

impl Instances {
    /// `input` has the columns of the input, and no rows.
    pub fn new(
        factory: Arc<dyn OperatorFactory>,
        backend: Arc<dyn StateBackend>,
        input: RecordBatch,
        parallelism: u32,
    ) -> Self {
        let mut instances = Self {
            factory,
            backend,
            input,
            operators: Vec::new(),
            heard: Heard::default(),
            pending: Vec::new(),
            watermark: None,
            epoch: 0,
        };
        instances.create(parallelism, &OperatorState::default()).expect("a new operator");
        instances
    }

    fn create(&mut self, parallelism: u32, restored: &OperatorState) -> Result<()> {
        let instance = |index: u32| {
            self.factory.create(OperatorContext {
                node: name("node"),
                subtask: SubtaskId { index, parallelism },
                input: self.input.schema(),
                event_time: Some(EventTimeColumn::new("ts")),
                state: Arc::clone(&self.backend),
                restored: restored.clone(),
                errors_attached: false,
                clock: Arc::new(SystemClock),
                seeds: SeedSource::new(0),
                origins: OriginDirectory::new(),
            })
        };
        self.operators = (0..parallelism).map(instance).collect::<Result<_>>()?;
        self.pending = vec![None; parallelism as usize];
        Ok(())
    }

    /// Deals rows out.
    pub fn rows(&mut self, batch: &RecordBatch) -> Result<()> {
        let keys = self.factory.keys().expect("keyed").iter();
        let keys: Vec<ArrayRef> = keys.map(|key| Arc::clone(batch.column_by_name(key).expect("a key"))).collect();
        let types: Vec<DataType> = keys.iter().map(|column| column.data_type().clone()).collect();
        let mut hashes = Vec::new();
        KeyHasher::new(&types)?.hash_into(&keys, &mut hashes);
        let parallelism = self.operators.len() as u32;
        let subtasks: Vec<u32> = hashes.iter().map(|hash| KeyGroup::of_hash(*hash).subtask(parallelism)).collect();
        for subtask in 0..parallelism {
            let own = (0..).zip(&subtasks).filter(|(_, of)| **of == subtask).map(|(row, _): (u32, _)| row);
            let own = UInt32Array::from_iter_values(own);
            if !own.is_empty() {
                let rows = take_record_batch(batch, &own).expect("rows");
                self.call(subtask as usize, |operator, heard| operator.process(rows.into(), heard))?;
            }
        }
        Ok(())
    }

    pub fn watermark(&mut self, watermark: Watermark) -> Result<()> {
        self.watermark = Some(watermark);
        (0..self.operators.len())
            .try_for_each(|at| self.call(at, |operator, heard| operator.on_watermark(watermark, heard)))
    }

    fn call(&mut self, at: usize, call: impl FnOnce(&mut dyn Operator, &mut Heard) -> Result<()>) -> Result<()> {
        call(&mut *self.operators[at], &mut self.heard)?;
        self.pending[at] = self.heard.pending.take().or(self.pending[at]);
        Ok(())
    }

    /// How many windows all instances wait for, where all have said so since they were made.
    pub fn pending(&self) -> Option<usize> {
        self.pending.iter().copied().sum()
    }

    /// A checkpoint, whose files go to a folder.
    pub fn checkpoint(&mut self, folder: &Path) -> OperatorState {
        self.epoch += 1;
        let barrier = CheckpointBarrier { epoch: Epoch(self.epoch) };
        let mut snapshots = Vec::new();
        for at in 0..self.operators.len() {
            self.call(at, |operator, heard| operator.on_barrier(barrier, heard)).expect("a barrier");
            snapshots.extend(self.operators[at].snapshot().expect("a snapshot"));
        }
        let mut keyed = BTreeMap::<String, Vec<StatePart>>::new();
        for mut snapshot in snapshots {
            let part = part(&mut snapshot, &folder.join(self.epoch.to_string()));
            keyed.entry(snapshot.name.to_owned()).or_default().push(part);
        }
        let watermark = self.watermark;
        OperatorState { watermark, keyed }
    }

    /// Goes on from a checkpoint with other instances.
    pub fn restore(&mut self, state: &OperatorState, parallelism: u32) -> Result<()> {
        self.operators.clear();
        self.create(parallelism, state)
    }

    /// Goes on from a checkpoint as another operator.
    pub fn restore_as(&mut self, factory: Arc<dyn OperatorFactory>, state: &OperatorState) -> Result<()> {
        self.factory = factory;
        self.restore(state, 1)
    }
}

fn part(snapshot: &mut KeyedSnapshot, folder: &Path) -> StatePart {
    let folder = folder.join(format!("{}-{}", snapshot.name, snapshot.subtask.index));
    std::fs::create_dir_all(&folder).expect("a folder");
    let files = snapshot.snapshot.files().expect("files").into_iter().map(|file| {
        let path = folder.join(&file.name);
        match &file.content {
            SnapshotContent::Bytes(bytes) => std::fs::write(&path, bytes).expect("room"),
            SnapshotContent::File(from) => drop(std::fs::copy(from, &path).expect("room")),
        }
        StateFile { name: file.name, path }
    });
    let files = files.collect();
    let (layout, format) = (Arc::clone(&snapshot.layout), snapshot.format.to_owned());
    StatePart { key_groups: snapshot.key_groups, layout, format, files }
}
