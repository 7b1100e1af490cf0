//! Sessions and windows of so many rows: runs of a key's rows, kept as bytes by key.
//!
//! A record's rows are first put into runs among themselves; of those runs that go on from what is kept, the state is
//! fetched, merged, and stored again. A record thus costs what it touches, however many keys there are. What is kept is in
//! memory until a barrier, or where a backend can hold more than memory until a limit; then it goes to keyed state.

mod counts;
mod due;
mod merge;
mod run;
mod sessions;
mod store;
pub(super) mod view;

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::buffer::BooleanBuffer;
use arrow::datatypes::{DataType, SchemaRef};
use volley_api::{
    AggregatorRole, KeyedSnapshot, NodeName, Operator, OperatorContext, Output, Result, StreamRecord, Watermark,
};

use self::counts::Counts;
use self::due::{DUE, Due};
use self::merge::Merging;
use self::sessions::Sessions;
use self::store::Store;
use super::aggregators::Aggregators;
use super::base::WINDOWS;
use super::factory::Planned;
use super::input::KeyedInput;
use super::layout::layout;
use super::results::{Bounds, Results};
use super::times::Times;
use super::{Window, WindowFactory};
use crate::Error;
use crate::keyed::{KeyCodec, KeyTable, check_restored};
use crate::time::ms;

/// One subtask of an aggregate over runs.
pub(crate) struct RunWindows {
    node: NodeName,
    input: KeyedInput,
    results: SchemaRef,
    has_bounds: bool,
    has_revisions: bool,
    memory_bytes_max: usize,
    /// Beyond so many bytes, what is recent goes to keyed state; `None` where that would not free memory.
    held_back_bytes_max: Option<usize>,
    /// Beyond so many keys, or notes of when they are due, they go to keyed state.
    keys_max: usize,
    key_types: Vec<DataType>,
    keys: Arc<KeyCodec>,
    merging: Merging,
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

impl Fired {
    /// Those whose bit is set.
    fn only(self, keep: &BooleanBuffer) -> Self {
        fn kept<T>(all: Vec<T>, keep: &BooleanBuffer) -> Vec<T> {
            // Windows of rows have no bounds and no revisions.
            all.into_iter().zip(keep).filter_map(|(one, keep)| keep.then_some(one)).collect()
        }
        Self {
            keys: kept(self.keys, keep),
            states: kept(self.states, keep),
            starts_ms: kept(self.starts_ms, keep),
            ends_ms: kept(self.ends_ms, keep),
            revisions: kept(self.revisions, keep),
        }
    }
}

/// The keys of a record's rows.
pub(super) struct KeyedRows {
    /// Each key once, as it is kept.
    pub(super) keys: Vec<Box<[u8]>>,
    /// The number of each row's key.
    pub(super) numbers: Vec<usize>,
}

impl RunWindows {
    pub(crate) fn new(factory: &WindowFactory, planned: Planned, context: OperatorContext) -> Result<Self> {
        let times = Times::new(&planned, factory, &context);
        let Planned { columns: input, event_time, order, state, results, .. } = planned;
        let aggregates =
            Aggregators::new(&factory.aggregates, &context, AggregatorRole::Operator, &input.schema, order)?;
        let context = Arc::new(context);
        let layout = layout(&input.key_fields(), &state, factory.window, factory.allowed_lateness);
        let key_types = input.key_types();
        let keys = Arc::new(KeyCodec::new(&key_types)?);
        let merging = Merging::new(aggregates, &state)?;
        let (known, kind): (&[&str], _) = match factory.window {
            Window::Session { gap } => {
                let due = Due::new(&context, &layout, Arc::clone(&keys), ms(gap), factory.held.options())?;
                let restored_ms = context.restored_watermark_ms();
                let sessions = Sessions::new(gap, factory.allowed_lateness, times, due, restored_ms);
                (&[WINDOWS, DUE], Kind::Sessions(sessions))
            }
            Window::Count { rows } => (&[WINDOWS], Kind::Counts(Counts::new(rows))),
            other => return Err(volley_api::Error::internal(format!("a {other} window is not made of runs"))),
        };
        check_restored(&context, known)?;
        let store = Store::new(&context, &layout, Arc::clone(&keys), factory.held.options())?;
        Ok(Self {
            node: context.node.clone(),
            has_bounds: event_time.is_some(),
            has_revisions: factory.revises(),
            results,
            input,
            memory_bytes_max: factory.memory_bytes_max,
            held_back_bytes_max: context.state.held_back_bytes_max().map(|bytes| bytes.min(factory.memory_bytes_max)),
            keys_max: factory.held.windows_max(),
            key_types,
            keys,
            merging,
            store,
            kind,
        })
    }

    fn keyed(&self, rows: &RecordBatch) -> Result<KeyedRows> {
        let mut keys = KeyTable::new(&self.key_types)?;
        let mut numbers = Vec::new();
        keys.intern(&self.input.keys_of(rows), &mut numbers)?;
        let keys = self.keys.bytes(&keys.columns()?)?;
        Ok(KeyedRows { keys: keys.iter().map(|key| key.data().into()).collect(), numbers })
    }

    fn emit(&mut self, fired: Fired, output: &mut dyn Output) -> Result<()> {
        if fired.keys.is_empty() {
            return Ok(());
        }
        let (values, have_results) = self.merging.evaluate(&fired.states)?;
        let fired = match have_results {
            Some(have_results) => fired.only(&have_results),
            None => fired,
        };
        let keys = self.keys.decode(fired.keys.iter().map(|key| &key[..]))?;
        let bounds = if self.has_bounds {
            Bounds::Each { starts_ms: fired.starts_ms, ends_ms: fired.ends_ms }
        } else {
            Bounds::None
        };
        let revisions = self.has_revisions.then_some(fired.revisions);
        Results { keys, bounds, values, revisions }.emit(&self.results, output)
    }

    /// Puts out what a watermark leads to, some keys at a time.
    fn advance(&mut self, watermark: Watermark, output: &mut dyn Output) -> Result<()> {
        let at_ms = match watermark {
            Watermark::AtMs(at_ms) => at_ms,
            Watermark::End => i64::MAX,
        };
        loop {
            let fired = match &mut self.kind {
                Kind::Sessions(sessions) => {
                    sessions.watermark_ms = Some(at_ms);
                    sessions.advance(at_ms, &mut self.store)?
                }
                Kind::Counts(_) if watermark == Watermark::End => {
                    Some(Counts::rest(&mut self.store)?).filter(|fired| !fired.keys.is_empty())
                }
                Kind::Counts(_) => None,
            };
            let Some(fired) = fired else { return Ok(()) };
            self.emit(fired, output)?;
            // Keys that are not due yet stay in memory: they would only be looked at again.
            if self.is_over_held_back() {
                self.store.drain()?;
            }
        }
    }

    fn memory_bytes(&self) -> usize {
        let due = match &self.kind {
            Kind::Sessions(sessions) => sessions.due.memory_bytes(),
            Kind::Counts(_) => 0,
        };
        self.store.memory_bytes() + due
    }

    fn is_over_held_back(&self) -> bool {
        self.store.len() > self.keys_max || self.held_back_bytes_max.is_some_and(|limit| self.memory_bytes() > limit)
    }

    /// Stores notes of when keys are due, where there are too many.
    fn check_notes(&mut self) -> Result<()> {
        match &mut self.kind {
            Kind::Sessions(sessions) if sessions.due.len() > self.keys_max => sessions.due.drain(),
            _ => Ok(()),
        }
    }

    /// Keeps what is in memory within its limit.
    fn check_memory(&mut self) -> Result<()> {
        if self.is_over_held_back() {
            self.store.drain()?;
            if let Kind::Sessions(sessions) = &mut self.kind {
                sessions.due.drain()?;
            }
        }
        self.check_notes()?;
        let bytes = self.memory_bytes();
        if bytes <= self.memory_bytes_max {
            return Ok(());
        }
        let error = Error::WindowMemory { bytes, keys: self.store.len(), limit: self.memory_bytes_max };
        Err(volley_api::Error::from(error).within(&self.node))
    }
}

impl Operator for RunWindows {
    fn process(&mut self, record: StreamRecord, output: &mut dyn Output) -> Result<()> {
        let mut record = record;
        let mut rows = self.input.of_live(record.clone())?.batch;
        // Runs are made of the rows that count: which these are has to be known before.
        if let Some(others) = self.merging.aggregates.without_refused(&rows, &record, output)? {
            if others.num_rows() == 0 {
                return Ok(());
            }
            rows = self.input.of_live(others.clone())?.batch;
            record = others;
        }
        let keyed = self.keyed(&rows)?;
        let (merging, store) = (&self.merging, &mut self.store);
        let fired = match &mut self.kind {
            Kind::Sessions(sessions) => sessions.add(&record, &rows, keyed, merging, store, output)?,
            Kind::Counts(counts) => counts.add(&record, &rows, keyed, merging, store)?,
        };
        self.emit(fired, output)?;
        output.set_pending(self.store.pending());
        self.merging.aggregates.put_out_refused(output)?;
        self.check_memory()
    }

    fn on_watermark(&mut self, watermark: Watermark, output: &mut dyn Output) -> Result<()> {
        self.advance(watermark, output)?;
        self.check_notes()?;
        output.set_pending(self.store.pending());
        Ok(())
    }

    fn finish(&mut self, _: &mut dyn Output) -> Result<()> {
        self.merging.aggregates.finish()
    }

    fn snapshot(&mut self) -> Result<Vec<KeyedSnapshot>> {
        let mut snapshots = vec![self.store.snapshot()?];
        if let Kind::Sessions(sessions) = &mut self.kind {
            snapshots.push(sessions.due.snapshot()?);
        }
        Ok(snapshots)
    }
}
