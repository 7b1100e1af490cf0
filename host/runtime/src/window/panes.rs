//! Tumbling, sliding and global windows: rows are added to panes, and windows are sums of panes.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, RecordBatch, UInt32Array};
use arrow::compute;
use arrow::datatypes::SchemaRef;
use volley_api::{
    Aggregator, AggregatorFactory, EventTimeColumn, NodeName, Operator, OperatorContext, Output, Result, StreamRecord,
    Watermark,
};

use super::WindowFactory;
use super::factory::Planned;
use super::input::{KeyedInput, internal};
use super::late::LateRow;
use super::pane::{Merged, Pane, joined};
use super::results::{Bounds, Results};
use super::spec::Grid;
use super::times::Times;
use crate::Error;
use crate::keyed::KeyTable;
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
    aggregates: Arc<dyn AggregatorFactory>,
    order: Option<EventTimeColumn>,
    results: SchemaRef,
    /// `None` for the global window.
    grid: Option<Grid>,
    lateness_ms: i64,
    times: Times,
    memory_bytes_max: usize,
    panes: BTreeMap<i64, Pane>,
    /// Beginnings of the windows that have rows and have not fired.
    pending: BTreeSet<i64>,
    /// Windows that have fired and for which late rows still count: by beginning, the revision of each key's last result.
    fired: BTreeMap<i64, Fired>,
    watermark_ms: Option<i64>,
    records: usize,
}

/// What was put out of a window.
struct Fired {
    keys: KeyTable,
    revisions: Vec<i64>,
}

/// Rows of one pane.
struct Part {
    pane: i64,
    rows: RecordBatch,
}

impl PaneWindows {
    pub(crate) fn new(factory: &WindowFactory, planned: Planned, context: OperatorContext) -> Self {
        let times = Times::new(&planned, factory, &context);
        Self {
            times,
            node: context.node,
            input: planned.columns,
            aggregates: Arc::clone(&factory.aggregates),
            order: planned.order,
            results: planned.results,
            grid: factory.window.grid(),
            lateness_ms: if factory.revises() { ms(factory.allowed_lateness) } else { 0 },
            memory_bytes_max: factory.memory_bytes_max,
            panes: BTreeMap::new(),
            pending: BTreeSet::new(),
            fired: BTreeMap::new(),
            watermark_ms: None,
            records: 0,
        }
    }

    fn aggregator(&self) -> Result<Box<dyn Aggregator>> {
        self.aggregates.create(&self.input.schema, self.order.as_ref())
    }

    fn table(&self) -> Result<KeyTable> {
        KeyTable::new(&self.input.key_types())
    }

    /// Adds rows to a pane, and notes the windows that now have to fire.
    fn add(&mut self, part: &Part) -> Result<()> {
        if !self.panes.contains_key(&part.pane) {
            let pane = Pane::new(self.table()?, self.aggregator()?);
            self.panes.insert(part.pane, pane);
            let windows: Vec<i64> = match &self.grid {
                Some(grid) => grid.windows_of(part.pane).filter(|window| !self.has_fired(*window)).collect(),
                None => vec![GLOBAL],
            };
            self.pending.extend(windows);
        }
        match self.panes.get_mut(&part.pane) {
            Some(pane) => pane.update(&self.input, &part.rows),
            None => Ok(()),
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
        let Some(grid) = self.grid else {
            return Ok(vec![Part { pane: GLOBAL, rows }]);
        };
        let times = self.times.of(record, &rows, output)?;
        if times.ms.null_count() == 0
            && let Some((least, greatest)) = times.bounds
            && self.late_before(grid).is_none_or(|before| least >= before)
            && grid.pane_of(least) == grid.pane_of(greatest)
        {
            return Ok(vec![Part { pane: grid.pane_of(least), rows }]);
        }
        let mut by_pane: BTreeMap<i64, Vec<u32>> = BTreeMap::new();
        let mut late = Vec::new();
        let before = self.late_before(grid).unwrap_or(i64::MIN);
        for (row, time_ms) in (0..).zip(&times.ms) {
            match time_ms {
                Some(time_ms) if time_ms < before => {
                    let start_ms = time_ms.div_euclid(grid.slide_ms) * grid.slide_ms;
                    late.push(LateRow { row, time_ms, start_ms, end_ms: start_ms + grid.size_ms });
                }
                Some(time_ms) => by_pane.entry(grid.pane_of(time_ms)).or_default().push(row),
                None => {}
            }
        }
        self.times.put_aside(record, &mut late, self.watermark_ms, output)?;
        let part = |(pane, indices): (i64, Vec<u32>)| {
            let rows = compute::take_record_batch(&rows, &UInt32Array::from(indices)).map_err(internal)?;
            Ok(Part { pane, rows })
        };
        by_pane.into_iter().map(part).collect()
    }

    /// Puts out a window: of all its keys, or of those whose rows have changed.
    fn fire(&mut self, window: i64, only: Option<&[Vec<ArrayRef>]>, output: &mut dyn Output) -> Result<()> {
        let (keys, values) = match self.grid {
            Some(grid) => {
                let is_single = grid.pane_ms == grid.size_ms;
                if is_single && self.lateness_ms == 0 {
                    let Some(pane) = self.panes.remove(&window) else { return Ok(()) };
                    pane.into_results()?
                } else {
                    let mut merged = Merged::new(self.table()?, self.aggregator()?, only)?;
                    for (_, pane) in self.panes.range_mut(grid.panes_of(window)) {
                        merged.add(pane)?;
                    }
                    merged.into_results()?
                }
            }
            None => {
                let Some(pane) = self.panes.remove(&window) else { return Ok(()) };
                pane.into_results()?
            }
        };
        let revisions = if self.lateness_ms > 0 { Some(self.revisions(window, &keys)?) } else { None };
        let bounds = match self.grid {
            Some(grid) => Bounds::Same { start_ms: window, end_ms: window + grid.size_ms },
            None => Bounds::None,
        };
        Results { keys, bounds, values, revisions }.emit(&self.results, output)
    }

    /// The revision of each key's result, now that it is put out (again).
    fn revisions(&mut self, window: i64, keys: &[ArrayRef]) -> Result<Vec<i64>> {
        let table = self.table()?;
        let fired = self.fired.entry(window).or_insert_with(|| Fired { keys: table, revisions: Vec::new() });
        let mut numbers = Vec::new();
        fired.keys.intern(keys, &mut numbers)?;
        fired.revisions.resize(fired.keys.len(), -1);
        Ok(numbers
            .into_iter()
            .map(|number| {
                fired.revisions[number] += 1;
                fired.revisions[number]
            })
            .collect())
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
    fn forget(&mut self, grid: Grid) {
        let Some(before) = self.late_before(grid) else { return };
        // A pane from this time on belongs to a window that rows can still reach.
        self.panes = self.panes.split_off(&grid.pane_of(before));
        let watermark = self.watermark_ms.unwrap_or(i64::MIN);
        self.fired.retain(|window, _| window + grid.size_ms - 1 > watermark.saturating_sub(self.lateness_ms));
    }

    fn check_memory(&mut self) -> Result<()> {
        self.records = self.records.wrapping_add(1);
        if !self.records.is_multiple_of(1 + self.panes.len() / PANES_PER_LOOK) {
            return Ok(());
        }
        let fired = self.fired.values().map(|fired| fired.keys.memory_bytes() + fired.revisions.capacity() * 8);
        let bytes = self.panes.values().map(Pane::memory_bytes).sum::<usize>()
            + fired.sum::<usize>()
            + self.pending.len() * WINDOW_BYTES;
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
            self.add(part)?;
        }
        self.fire_again(&parts, output)?;
        output.set_pending(self.pending.len());
        self.check_memory().map_err(|error| error.within(&self.node))
    }

    fn on_watermark(&mut self, watermark: Watermark, output: &mut dyn Output) -> Result<()> {
        let Some(grid) = self.grid else {
            if watermark == Watermark::End {
                self.fire(GLOBAL, None, output)?;
                self.pending.clear();
            }
            output.set_pending(self.pending.len());
            return Ok(());
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
        self.forget(grid);
        output.set_pending(self.pending.len());
        Ok(())
    }
}
