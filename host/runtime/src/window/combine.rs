//! Windows of time and global ones before an exchange: rows are aggregated by key and pane where they are, and what travels
//! is state.
//!
//! A row goes into a pane only while the pane is open here. The watermark here is never behind that of the operator behind
//! the exchange, which goes by the slowest of its inputs; and panes leave before the watermark that closes them. So state is
//! never late, and rows that are travel as rows, to be put aside where they always were.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::fmt;
use std::sync::Arc;

use arrow::array::{RecordBatch, UInt32Array};
use arrow::compute::take_record_batch;
use arrow::datatypes::{Schema, SchemaRef};
use volley_api::{
    AggregatorRole, Combined, Combiner, EventTimeColumn, Namespace, OperatorContext, Result, StreamRecord, Watermark,
};

use super::WindowFactory;
use super::aggregators::Aggregators;
use super::factory::Planned;
use super::input::{KeyedInput, internal};
use super::pane::Pane;
use super::results::in_records;
use super::spec::{Cut, Grid};
use crate::keyed::KeyTable;

/// What is held takes at most this many bytes: 100,000 keys with a few aggregates each, in the caches of one core.
const HELD_BYTES_MAX: usize = 16 << 20;
/// And at most so many panes.
const HELD_PANES_MAX: usize = 256;
/// The fewest rows that a row of state has to stand for; with less, combining costs more than it saves.
const ROWS_PER_STATE_MIN: usize = 2;
/// So many rows travel as they are when combining did not pay, before it is tried again; twice as many each time.
const PASSED_ROWS: (usize, usize) = (1 << 20, 1 << 26);
/// The only pane of a global window.
const GLOBAL: i64 = 0;

/// Aggregates rows before they are dealt out.
pub(super) struct PaneCombiner {
    input: KeyedInput,
    aggregates: Aggregators,
    schema: SchemaRef,
    /// The time by which rows are cut into panes of a grid; `None` for the global window.
    cut: Option<(Grid, EventTimeColumn)>,
    panes: BTreeMap<i64, Held>,
    /// Those of them that nobody knows of yet.
    opened: Vec<i64>,
    /// Rows before this time are of panes that have gone.
    open_from_ms: Option<i64>,
    /// Nothing is combined any more.
    has_lost_time: bool,
    /// So many rows are still to travel as they are.
    passing: usize,
    passed_rows: usize,
    /// Rows that were refused here, and travel as they are: the operator has the last word on them.
    returned: Vec<StreamRecord>,
}

/// What is known of the rows of a pane that have not travelled.
struct Held {
    pane: Pane,
    rows: usize,
}

impl fmt::Debug for PaneCombiner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PaneCombiner({} panes)", self.panes.len())
    }
}

impl PaneCombiner {
    pub(super) fn new(factory: &WindowFactory, planned: Planned, context: &OperatorContext) -> Result<Self> {
        let (schema, order) = (&planned.columns.schema, planned.order.clone());
        let role = AggregatorRole::BeforeExchange;
        let aggregates = Aggregators::new(&factory.aggregates, context, role, schema, order)?;
        let fields: Vec<_> = planned.columns.key_fields().into_iter().chain(planned.state).collect();
        let mut combiner = Self {
            input: planned.columns,
            aggregates,
            schema: Arc::new(Schema::new(fields)),
            cut: factory.window.grid().zip(planned.event_time),
            panes: BTreeMap::new(),
            opened: Vec::new(),
            open_from_ms: None,
            has_lost_time: false,
            passing: 0,
            passed_rows: PASSED_ROWS.0,
            returned: Vec::new(),
        };
        // What was late for the operator before it was restored is late now.
        combiner.close(context.restored_watermark_ms());
        Ok(combiner)
    }

    fn close(&mut self, watermark_ms: Option<i64>) {
        if let (Some((grid, _)), Some(at)) = (&self.cut, watermark_ms) {
            let open_from_ms = grid.pane_of(at.saturating_add(1));
            self.open_from_ms = self.open_from_ms.max(Some(open_from_ms));
        }
    }

    fn hold(&mut self, pane: i64, rows: &RecordBatch, whole: Option<&StreamRecord>) -> Result<()> {
        let held = match self.panes.entry(pane) {
            Entry::Occupied(held) => held.into_mut(),
            Entry::Vacant(place) => {
                let keys = KeyTable::new(&self.input.key_types())?;
                let aggregator = self.aggregates.create()?;
                self.opened.push(pane);
                place.insert(Held { pane: Pane::new(keys, aggregator), rows: 0 })
            }
        };
        held.rows += rows.num_rows();
        held.pane.update(&self.input, rows, whole)?;
        self.returned.extend(self.aggregates.take_returned()?);
        Ok(())
    }

    fn give(&mut self, pane: i64, held: Held, combined: &mut Vec<Combined>) -> Result<()> {
        let (keys, state) = held.pane.into_state()?;
        let columns = keys.into_iter().chain(state).collect();
        let batch = RecordBatch::try_new(Arc::clone(&self.schema), columns).map_err(internal)?;
        let mut rows = held.rows;
        self.returned.extend(self.aggregates.take_returned()?);
        for batch in in_records(&batch) {
            combined.push(Combined { pane: Namespace(pane), batch, rows: std::mem::take(&mut rows) });
        }
        Ok(())
    }
}

impl Combiner for PaneCombiner {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn combine(&mut self, record: StreamRecord) -> Result<Option<StreamRecord>> {
        if self.has_lost_time {
            return Ok(Some(record));
        }
        if self.passing > 0 {
            self.passing = self.passing.saturating_sub(record.num_rows());
            return Ok(Some(record));
        }
        let rows = self.input.of_live(record.clone())?.batch;
        let whole = self.aggregates.whole(&record)?;
        let Some((grid, column)) = &self.cut else {
            self.hold(GLOBAL, &rows, whole.as_ref())?;
            return Ok(None);
        };
        let (by_pane, others) = match grid.cut(&column.times(&rows)?, self.open_from_ms) {
            Cut::One(pane) => {
                self.hold(pane, &rows, whole.as_ref())?;
                return Ok(None);
            }
            Cut::Several { by_pane, others } => (by_pane, others),
        };
        for (pane, indices) in by_pane {
            let indices = UInt32Array::from(indices);
            let whole = whole.as_ref().map(|whole| whole.take(&indices).map_err(internal)).transpose()?;
            self.hold(pane, &take_record_batch(&rows, &indices).map_err(internal)?, whole.as_ref())?;
        }
        if others.is_empty() {
            return Ok(None);
        }
        let record = record.compact().map_err(internal)?;
        record.take(&UInt32Array::from(others)).map(Some).map_err(internal)
    }

    fn returned(&mut self) -> Vec<StreamRecord> {
        std::mem::take(&mut self.returned)
    }

    fn opened(&mut self) -> Result<Vec<(Namespace, RecordBatch)>> {
        let fields = self.input.key_fields();
        let first = |pane: i64| {
            let held = self.panes.get(&pane)?;
            let key = held.pane.keys().map(|keys| keys.iter().map(|column| column.slice(0, 1)).collect::<Vec<_>>());
            let schema = Arc::new(Schema::new(fields.clone()));
            let batch = key.and_then(|key| RecordBatch::try_new(schema, key).map_err(internal));
            Some(batch.map(|batch| (Namespace(pane), batch)))
        };
        std::mem::take(&mut self.opened).into_iter().filter_map(first).collect()
    }

    fn on_watermark(&mut self, watermark: Watermark) -> Result<Vec<Combined>> {
        let Watermark::AtMs(at) = watermark else { return self.drain() };
        let Some((grid, _)) = self.cut else { return Ok(Vec::new()) };
        self.close(Some(at));
        let mut combined = Vec::new();
        let open = self.panes.split_off(&grid.pane_of(at.saturating_add(1)));
        for (pane, held) in std::mem::replace(&mut self.panes, open) {
            self.give(pane, held, &mut combined)?;
        }
        Ok(combined)
    }

    fn is_full(&self) -> bool {
        let bytes = self.panes.values().map(|held| held.pane.memory_bytes());
        self.panes.len() > HELD_PANES_MAX || bytes.sum::<usize>() > HELD_BYTES_MAX
    }

    fn drain(&mut self) -> Result<Vec<Combined>> {
        let is_full = self.is_full();
        let panes = std::mem::take(&mut self.panes);
        let (rows, keys) = panes.values().fold((0, 0), |(rows, keys), held| (rows + held.rows, keys + held.pane.len()));
        if is_full && rows < keys * ROWS_PER_STATE_MIN {
            self.passing = self.passed_rows;
            self.passed_rows = (self.passed_rows * 2).min(PASSED_ROWS.1);
        }
        let mut combined = Vec::new();
        for (pane, held) in panes {
            self.give(pane, held, &mut combined)?;
        }
        Ok(combined)
    }

    fn lose_time(&mut self) {
        self.has_lost_time = self.cut.is_some();
    }
}
