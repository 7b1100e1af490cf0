//! Sessions and windows of so many rows: runs of a key's rows, kept as bytes by key.
//!
//! A record's rows are first put into runs among themselves; of those runs that go on from what is kept, the state is
//! fetched, merged, and stored again. A record thus costs what it touches, however many keys there are.

mod counts;
mod sessions;
mod store;

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use volley_api::{Operator, OperatorContext, Output, Result, StreamRecord, Watermark};

use self::counts::Counts;
use self::sessions::Sessions;
use self::store::Store;
use super::factory::Planned;
use super::input::KeyedInput;
use super::results::{Bounds, Results};
use super::times::Times;
use super::{Window, WindowFactory};
use crate::Error;
use crate::keyed::KeyTable;

/// One subtask of an aggregate over runs.
pub(crate) struct RunWindows {
    node: volley_api::NodeName,
    input: KeyedInput,
    results: SchemaRef,
    has_bounds: bool,
    has_revisions: bool,
    memory_bytes_max: usize,
    store: Store,
    kind: Kind,
}

enum Kind {
    Sessions(Sessions),
    Counts(Counts),
}

/// Runs that are put out: their keys and states, as they are kept.
#[derive(Default)]
pub(super) struct Fired {
    pub(super) keys: Vec<Box<[u8]>>,
    pub(super) states: Vec<Box<[u8]>>,
    pub(super) starts_ms: Vec<i64>,
    pub(super) ends_ms: Vec<i64>,
    pub(super) revisions: Vec<i64>,
}

/// Runs of one key among the rows of a record.
pub(super) struct KeyedRows {
    pub(super) keys: KeyTable,
    /// The number of each row's key.
    pub(super) numbers: Vec<usize>,
}

impl RunWindows {
    pub(crate) fn new(factory: &WindowFactory, planned: Planned, context: OperatorContext) -> Result<Self> {
        let (aggregates, order) = (Arc::clone(&factory.aggregates), planned.order.clone());
        let store = Store::new(&planned.columns, &planned.state, aggregates, order)?;
        let kind = match factory.window {
            Window::Count { rows } => Kind::Counts(Counts::new(rows)),
            _ => {
                let times = Times::new(&planned, factory, &context);
                Kind::Sessions(Sessions::new(factory, times))
            }
        };
        Ok(Self {
            node: context.node,
            has_bounds: planned.event_time.is_some(),
            has_revisions: factory.revises(),
            results: planned.results,
            input: planned.columns,
            memory_bytes_max: factory.memory_bytes_max,
            store,
            kind,
        })
    }

    fn keyed(&self, rows: &RecordBatch) -> Result<KeyedRows> {
        let mut keys = KeyTable::new(&self.input.key_types())?;
        let mut numbers = Vec::new();
        keys.intern(&self.input.keys_of(rows), &mut numbers)?;
        Ok(KeyedRows { keys, numbers })
    }

    fn emit(&mut self, fired: Fired, output: &mut dyn Output) -> Result<()> {
        if fired.keys.is_empty() {
            return Ok(());
        }
        let (keys, values) = self.store.evaluate(&fired.keys, &fired.states)?;
        let bounds = if self.has_bounds {
            Bounds::Each { starts_ms: fired.starts_ms, ends_ms: fired.ends_ms }
        } else {
            Bounds::None
        };
        let revisions = self.has_revisions.then_some(fired.revisions);
        Results { keys, bounds, values, revisions }.emit(&self.results, output)
    }
}

impl Operator for RunWindows {
    fn process(&mut self, record: StreamRecord, output: &mut dyn Output) -> Result<()> {
        let rows = self.input.of_live(record.clone())?.batch;
        let keyed = self.keyed(&rows)?;
        let fired = match &mut self.kind {
            Kind::Sessions(sessions) => sessions.add(&record, &rows, &keyed, &mut self.store, output)?,
            Kind::Counts(counts) => counts.add(&rows, &keyed, &mut self.store)?,
        };
        self.emit(fired, output)?;
        output.set_pending(self.store.pending());
        let bytes = self.store.memory_bytes();
        if bytes <= self.memory_bytes_max {
            return Ok(());
        }
        let error = Error::WindowMemory { bytes, keys: self.store.len(), limit: self.memory_bytes_max };
        Err(volley_api::Error::from(error).within(&self.node))
    }

    fn on_watermark(&mut self, watermark: Watermark, output: &mut dyn Output) -> Result<()> {
        let fired = match &mut self.kind {
            Kind::Sessions(sessions) => sessions.advance(watermark, &mut self.store),
            Kind::Counts(_) if watermark == Watermark::End => Counts::rest(&mut self.store),
            Kind::Counts(_) => Fired::default(),
        };
        self.emit(fired, output)?;
        output.set_pending(self.store.pending());
        Ok(())
    }
}
