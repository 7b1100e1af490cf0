//! Tumbling, sliding and global windows: rows are added to panes, and windows are sums of panes.
//!
//! In memory there are deltas, one for each pane that rows came for. At a barrier, and where a backend can hold more than
//! memory at a limit too, they are added to keyed state; a window that fires is the sum of both.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, RecordBatch, UInt32Array};
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
use super::pane::{self, Merged, Pane, joined};
use super::results::{Bounds, Results};
use super::revisions::{REVISIONS, Revisions};
use super::spec::{Cut, Grid};
use super::times::Times;
use crate::Error;
use crate::keyed::{Cursor, KeyTable, check_restored};
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
    /// Beginnings of the windows that have rows and have not fired.
    pending: BTreeSet<i64>,
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
        let base = Base::new(&context, &layout, &types, &planned.state)?;
        let revisions = factory.revises().then(|| Revisions::new(&context, &layout, types)).transpose()?;
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
            pending: BTreeSet::new(),
            revisions,
            watermark_ms: context.restored_watermark_ms(),
            records: 0,
        };
        for pane in windows.base.panes(..).collect::<Vec<_>>() {
            windows.expect(pane);
        }
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
        self.panes.get_mut(&start).map_or(Ok(()), |pane| add(pane, &self.input))
    }

    /// Notes the windows of a pane that have yet to fire.
    fn expect(&mut self, pane: i64) {
        let windows: Vec<i64> = match &self.grid {
            Some(grid) => grid.windows_of(pane).filter(|window| !self.has_fired(*window)).collect(),
            None => vec![GLOBAL],
        };
        self.pending.extend(windows);
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

    /// Puts out a window: of all its keys, or of those whose rows have changed.
    fn fire(&mut self, window: i64, only: Option<&[Vec<ArrayRef>]>, output: &mut dyn Output) -> Result<()> {
        let is_one_pane = self.grid.is_none_or(|grid| grid.pane_ms == grid.size_ms);
        let is_last = is_one_pane && self.lateness_ms == 0;
        if is_last && !self.base.has(window) {
            let Some(pane) = self.panes.remove(&window) else { return Ok(()) };
            let (keys, values) = pane.into_results()?;
            return self.put_out(window, keys, values, output);
        }
        if is_one_pane && only.is_none() && self.held_back_bytes_max.is_some() {
            self.fire_by_pages(window, output)?;
        } else {
            let merged = self.merged(window, only)?;
            if is_last {
                self.panes.remove(&window);
            }
            let (keys, values) = merged.into_results()?;
            self.put_out(window, keys, values, output)?;
        }
        if is_last { self.base.remove(window) } else { Ok(()) }
    }

    /// The sum of a window's panes.
    fn merged(&mut self, window: i64, only: Option<&[Vec<ArrayRef>]>) -> Result<Merged> {
        let mut merged = Merged::new(self.table()?, self.aggregator()?, only)?;
        let range = self.grid.map_or(GLOBAL..GLOBAL + 1, |grid| grid.panes_of(window));
        let mut starts: Vec<i64> = self.panes.range(range.clone()).map(|(start, _)| *start).collect();
        let deltas = starts.len();
        starts.extend(self.base.panes(range));
        if starts.len() > deltas {
            starts.sort_unstable();
            starts.dedup();
        }
        for start in starts {
            merged.add(start, self.panes.get_mut(&start), &mut self.base)?;
        }
        Ok(merged)
    }

    /// Puts out a window of one pane whose keys may not fit in memory.
    fn fire_by_pages(&mut self, window: i64, output: &mut dyn Output) -> Result<()> {
        if let Some(pane) = self.panes.remove(&window) {
            self.store(window, pane)?;
        }
        let mut aggregator = self.aggregator()?;
        let mut cursor = Cursor::within(window);
        while let Some((keys, state)) = self.base.next_page(&mut cursor)? {
            let rows = keys.first().map_or(0, |column| column.len());
            aggregator.merge(&state, &(0..rows).collect::<Vec<_>>(), rows)?;
            let (keys, values) = pane::results(&mut *aggregator, keys)?;
            self.put_out(window, keys, values, output)?;
        }
        Ok(())
    }

    fn put_out(
        &mut self,
        window: i64,
        keys: Vec<ArrayRef>,
        values: Vec<ArrayRef>,
        output: &mut dyn Output,
    ) -> Result<()> {
        let revisions = self.revisions.as_mut().map(|revisions| revisions.next(window, &keys)).transpose()?;
        let bounds = match self.grid {
            Some(grid) => Bounds::Same { start_ms: window, end_ms: window + grid.size_ms },
            None => Bounds::None,
        };
        Results { keys, bounds, values, revisions }.emit(&self.results, output)
    }

    /// Puts out again what late rows have changed.
    fn fire_again(&mut self, parts: &[Part], output: &mut dyn Output) -> Result<()> {
        let Some(grid) = self.grid.filter(|_| self.lateness_ms > 0) else { return Ok(()) };
        let mut changed: BTreeMap<i64, Vec<Vec<ArrayRef>>> = BTreeMap::new();
        for part in parts {
            for window in grid.windows_of(part.pane) {
                let has_gone = self
                    .watermark_ms
                    .is_some_and(|at| window + grid.size_ms - 1 <= at.saturating_sub(self.lateness_ms));
                if self.has_fired(window) && !has_gone {
                    changed.entry(window).or_default().push(self.input.keys_of(&part.rows));
                }
            }
        }
        for (window, keys) in changed {
            self.fire(window, Some(&[joined(&keys)?]), output)?;
        }
        Ok(())
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
        while let Some(&window) = self.pending.first().filter(|window| **window + grid.size_ms - 1 <= at) {
            self.pending.pop_first();
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
