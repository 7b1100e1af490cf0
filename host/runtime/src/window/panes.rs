//! Tumbling, sliding and global windows: rows are added to panes, and windows are sums of panes.
//!
//! In memory there are deltas, one for each pane that rows came for. At a barrier, and where a backend can hold more than
//! memory at a limit too, they are added to keyed state; a window that fires is the sum of both.

mod ahead;
mod firing;

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{Array, RecordBatch, UInt32Array};
use arrow::compute;
use arrow::datatypes::SchemaRef;
use volley_api::{
    Aggregator, AggregatorRole, CheckpointBarrier, Combined, KeyedSnapshot, NodeName, Operator, OperatorContext,
    Output, Result, StreamRecord, Watermark,
};

use super::WindowFactory;
use super::aggregators::Aggregators;
use super::base::{Base, WINDOWS};
use super::factory::Planned;
use super::input::{KeyedInput, internal};
use super::late::LateRow;
use super::layout::layout;
use super::pane::Pane;
use super::revisions::{REVISIONS, Revisions};
use super::spec::{Cut, Grid};
use super::times::Times;
use super::waiting::Waiting;
use crate::Error;
use crate::keyed::{KeyTable, check_restored};
use crate::time::ms;

/// The memory of so many panes is looked at after each record; that of more after every second record, and so on.
const PANES_PER_LOOK: usize = 64;

/// What a window takes that has rows and has not fired, beside its panes.
const WINDOW_BYTES: usize = 24;

/// The only pane of a global window, and its only window.
const GLOBAL: i64 = 0;

/// One subtask of a windowed aggregate.
pub(crate) struct PaneWindows {
    node: NodeName,
    input: KeyedInput,
    aggregates: Aggregators,
    results: SchemaRef,
    /// `None` for the global window.
    grid: Option<Grid>,
    lateness_ms: i64,
    times: Times,
    memory_bytes_max: usize,
    /// Beyond so many bytes, deltas go to keyed state; `None` where that would not free memory.
    held_back_bytes_max: Option<usize>,
    /// The deltas.
    panes: BTreeMap<i64, Pane>,
    /// What panes had before.
    base: Base,
    /// The windows that have rows and have not fired.
    pending: Waiting,
    /// So many deltas, and beginnings of windows and panes, are in memory at the most.
    windows_max: usize,
    /// Of windows that have fired and for which late rows still count; `None` where none do.
    revisions: Option<Revisions>,
    watermark_ms: Option<i64>,
    records: usize,
}

/// Rows of one pane.
struct Part {
    pane: i64,
    rows: RecordBatch,
    /// The same rows with all their columns, where they may be refused.
    whole: Option<StreamRecord>,
}

impl PaneWindows {
    pub(crate) fn new(factory: &WindowFactory, planned: Planned, context: OperatorContext) -> Result<Self> {
        check_restored(&context, &[WINDOWS, REVISIONS])?;
        let times = Times::new(&planned, factory, &context);
        let schema = &planned.columns.schema;
        let role = AggregatorRole::Operator;
        let aggregates = Aggregators::new(&factory.aggregates, &context, role, schema, planned.order.clone())?;
        let context = Arc::new(context);
        let (keys, types) = (planned.columns.key_fields(), planned.columns.key_types());
        let layout = layout(&keys, &planned.state, factory.window, factory.allowed_lateness);
        let base = Base::new(&context, &layout, &types, &planned.state, factory.held)?;
        let windows_max = factory.held.windows_max();
        let revisions =
            factory.revises().then(|| Revisions::new(&context, &layout, types, factory.held)).transpose()?;
        let mut windows = Self {
            times,
            node: context.node.clone(),
            input: planned.columns,
            aggregates,
            results: planned.results,
            grid: factory.window.grid(),
            lateness_ms: if factory.revises() { ms(factory.allowed_lateness) } else { 0 },
            memory_bytes_max: factory.memory_bytes_max,
            held_back_bytes_max: context.state.held_back_bytes_max().map(|bytes| bytes.min(factory.memory_bytes_max)),
            panes: BTreeMap::new(),
            base,
            pending: Waiting::new(windows_max),
            windows_max,
            revisions,
            watermark_ms: context.restored_watermark_ms(),
            records: 0,
        };
        windows.look_ahead()?;
        Ok(windows)
    }

    fn aggregator(&self) -> Result<Box<dyn Aggregator>> {
        self.aggregates.create()
    }

    fn table(&self) -> Result<KeyTable> {
        KeyTable::new(&self.input.key_types())
    }

    /// Adds rows, or the state of some, to a pane, and notes the windows that now have to fire.
    fn add(&mut self, start: i64, add: impl FnOnce(&mut Pane, &KeyedInput) -> Result<()>) -> Result<()> {
        if !self.panes.contains_key(&start) {
            let pane = Pane::new(self.table()?, self.aggregator()?);
            self.panes.insert(start, pane);
            self.expect(start);
        }
        self.panes.get_mut(&start).map_or(Ok(()), |pane| add(pane, &self.input))?;
        // What belongs to the latest windows is wanted last.
        while self.panes.len() > self.windows_max
            && let Some((start, pane)) = self.panes.pop_last()
        {
            self.store(start, pane)?;
        }
        Ok(())
    }

    /// Notes the windows of a pane that have yet to fire.
    fn expect(&mut self, pane: i64) {
        let Some(grid) = self.grid else { return self.pending.note(GLOBAL) };
        for window in grid.windows_of(pane) {
            if !self.has_fired(window) {
                self.pending.note(window);
            }
        }
    }

    /// Whether the watermark has passed the last millisecond of a window.
    fn has_fired(&self, window: i64) -> bool {
        self.grid.is_some_and(|grid| self.watermark_ms.is_some_and(|watermark| window + grid.size_ms - 1 <= watermark))
    }

    /// Rows before this time belong to windows that have all gone.
    fn late_before(&self, grid: Grid) -> Option<i64> {
        let watermark = self.watermark_ms?;
        let last_gone = watermark.saturating_add(1).saturating_sub(self.lateness_ms).saturating_sub(grid.size_ms);
        Some((last_gone.div_euclid(grid.slide_ms)).saturating_add(1).saturating_mul(grid.slide_ms))
    }

    /// The rows that are in time, by pane. Those that are not go to their port.
    fn parts(&self, record: &StreamRecord, output: &mut dyn Output) -> Result<Vec<Part>> {
        let rows = self.input.of_live(record.clone())?.batch;
        let whole = self.aggregates.whole(record)?;
        let Some(grid) = self.grid else {
            return Ok(vec![Part { pane: GLOBAL, rows, whole }]);
        };
        let times = self.times.of(record, &rows, output)?;
        let (by_pane, others) = match grid.cut(&times, self.late_before(grid)) {
            Cut::One(pane) => return Ok(vec![Part { pane, rows, whole }]),
            Cut::Several { by_pane, others } => (by_pane, others),
        };
        let late = |row: u32| {
            let time_ms = times.ms.is_valid(row as usize).then(|| times.ms.value(row as usize))?;
            let start_ms = time_ms.div_euclid(grid.slide_ms) * grid.slide_ms;
            Some(LateRow { row, time_ms, start_ms, end_ms: start_ms + grid.size_ms })
        };
        let mut late: Vec<LateRow> = others.into_iter().filter_map(late).collect();
        self.times.put_aside(record, &mut late, self.watermark_ms, output)?;
        let part = |(pane, indices): (i64, Vec<u32>)| {
            let indices = UInt32Array::from(indices);
            let rows = compute::take_record_batch(&rows, &indices).map_err(internal)?;
            let whole = whole.as_ref().map(|whole| whole.take(&indices).map_err(internal)).transpose()?;
            Ok(Part { pane, rows, whole })
        };
        by_pane.into_iter().map(part).collect()
    }

    /// Forgets panes and windows that no row can reach any more.
    fn forget(&mut self, grid: Grid) -> Result<()> {
        let Some(before) = self.late_before(grid) else { return Ok(()) };
        // A pane from this time on belongs to a window that rows can still reach.
        self.panes = self.panes.split_off(&grid.pane_of(before));
        self.base.remove_before(grid.pane_of(before))?;
        match &mut self.revisions {
            // The first window of which rows are not late.
            Some(revisions) => revisions.remove_before(before),
            None => Ok(()),
        }
    }

    /// Adds a delta to keyed state.
    fn store(&mut self, start: i64, pane: Pane) -> Result<()> {
        let (keys, state) = pane.into_state()?;
        let mut aggregator = self.aggregator()?;
        self.base.add(start, &keys, &state, &mut *aggregator)
    }

    /// Adds all deltas to keyed state.
    fn drain(&mut self) -> Result<()> {
        while let Some((start, pane)) = self.panes.pop_first() {
            self.store(start, pane)?;
        }
        self.revisions.as_mut().map_or(Ok(()), Revisions::drain)
    }

    fn memory_bytes(&self) -> usize {
        self.panes.values().map(Pane::memory_bytes).sum::<usize>()
            + self.revisions.as_ref().map_or(0, Revisions::memory_bytes)
            + self.pending.len() * WINDOW_BYTES
    }

    /// Keeps deltas within their limit, and the memory of all windows.
    fn check_memory(&mut self) -> Result<()> {
        self.records = self.records.wrapping_add(1);
        if !self.records.is_multiple_of(1 + self.panes.len() / PANES_PER_LOOK) {
            return Ok(());
        }
        if self.revisions.as_ref().is_some_and(|revisions| revisions.len() > self.windows_max) {
            self.revisions.as_mut().map_or(Ok(()), Revisions::drain)?;
        }
        let mut bytes = self.memory_bytes();
        if self.held_back_bytes_max.is_some_and(|limit| bytes > limit) {
            self.drain()?;
            bytes = self.memory_bytes();
        }
        if bytes <= self.memory_bytes_max {
            return Ok(());
        }
        let keys = self.panes.values().map(Pane::len).sum();
        Err(Error::WindowMemory { bytes, keys, limit: self.memory_bytes_max }.into())
    }
}

impl Operator for PaneWindows {
    fn process(&mut self, record: StreamRecord, output: &mut dyn Output) -> Result<()> {
        let parts = self.parts(&record, output)?;
        for part in &parts {
            self.add(part.pane, |pane, input| pane.update(input, &part.rows, part.whole.as_ref()))?;
        }
        self.fire_again(&parts, output)?;
        output.set_pending(self.pending.len());
        self.check_memory().map_err(|error| error.within(&self.node))?;
        self.aggregates.put_out_refused(output)
    }

    fn merge(&mut self, combined: Combined, output: &mut dyn Output) -> Result<()> {
        let pane = combined.pane.0;
        if let Some(grid) = self.grid
            && grid.windows_of(pane).all(|window| self.has_fired(window))
        {
            let message = format!("combined rows came for the pane at {pane} ms after its windows had fired");
            return Err(volley_api::Error::internal(message).within(&self.node));
        }
        let (keys, state) = combined.batch.columns().split_at(self.input.keys());
        self.add(pane, |pane, _| pane.merge(keys, state))?;
        output.set_pending(self.pending.len());
        self.check_memory().map_err(|error| error.within(&self.node))?;
        self.aggregates.put_out_refused(output)
    }

    fn on_watermark(&mut self, watermark: Watermark, output: &mut dyn Output) -> Result<()> {
        let Some(grid) = self.grid else {
            if watermark == Watermark::End {
                self.fire(GLOBAL, None, output)?;
                self.pending.clear();
            }
            output.set_pending(self.pending.len());
            return self.aggregates.put_out_refused(output);
        };
        // The end is after every window.
        let at = match watermark {
            Watermark::AtMs(at) => at,
            Watermark::End => i64::MAX,
        };
        while let Some(window) = self.next_due(grid, at)? {
            self.fire(window, None, output)?;
        }
        self.watermark_ms = Some(at);
        self.forget(grid)?;
        output.set_pending(self.pending.len());
        self.aggregates.put_out_refused(output)
    }

    /// What is refused of the rows before a barrier has to leave before it does.
    fn on_barrier(&mut self, _: CheckpointBarrier, output: &mut dyn Output) -> Result<()> {
        self.aggregates.settle()?;
        self.aggregates.put_out_refused(output)
    }

    fn snapshot(&mut self) -> Result<Vec<KeyedSnapshot>> {
        self.drain()?;
        let revisions = self.revisions.as_mut().map(Revisions::snapshot).transpose()?;
        Ok([self.base.snapshot()?].into_iter().chain(revisions).collect())
    }

    fn finish(&mut self, output: &mut dyn Output) -> Result<()> {
        self.aggregates.put_out_refused(output)?;
        self.aggregates.finish()
    }
}
