//! The instance that all aggregators of one operator's instance share, and what it was handed since its last drain.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{RecordBatch, UInt32Array};
use arrow::compute::take;
use arrow::datatypes::SchemaRef;
use volley_api::{AggregatorRole, OperatorContext, Refused, RowReject, StreamRecord};
use volley_ipc::columns_to_wire;

use super::kept::Kept;
use super::numbers::{Dictionary, Numbered, Share};
use super::pieces::{Piece, number};
use super::trail::Trail;
use super::twice::{Handed, Twice};
use super::{DELTA_BYTES_MAX, RECORDS_BYTES_MAX, state_of};
use crate::instances::Instances;
use crate::operator::{CALL_BYTES_MAX, CALL_ROWS_MAX};
use crate::options::OnError;
use crate::{Error, Result};

/// As many pieces of memory for numbers are kept as there are calls between two drains, of rows of one column.
const SPARE_MAX: usize = 64;

/// What became of rows.
pub(super) enum Fed {
    /// They are in the deltas.
    All,
    /// All but these are.
    But(Vec<RowReject>),
    /// None is: they were refused together.
    None(String),
}

/// An instance at work.
pub(super) struct Session {
    pub(super) instances: Instances,
    pub(super) context: OperatorContext,
    pub(super) on_error: OnError,
    pub(super) role: AggregatorRole,
    /// Where the columns that cross stand in the batches of updates.
    columns: Vec<usize>,
    pub(super) state: SchemaRef,
    pub(super) results: SchemaRef,
    /// Calls made so far, repeated ones counted once.
    pub(super) calls: u64,
    /// The most rows of a call: fewer where larger calls have failed though no row was guilty.
    pub(super) call_rows_max: usize,
    /// The most input between two drains: less where more has failed though no row was guilty.
    pub(super) delta_bytes_max: usize,
    /// The groups that the instance knows.
    known: Dictionary,
    aggregators: u32,
    pub(super) kept: Vec<Kept>,
    /// What the instance was called with since then, where bundles are written.
    pub(super) trail: Trail,
    /// Memory for numbers, used again.
    spare: Vec<Vec<u32>>,
    kept_bytes: usize,
    kept_rows: usize,
    /// Bytes of the records that kept rows are of: columns that do not cross are kept too, for rows that may be refused.
    records_bytes: usize,
    /// Whether some row since the last drain was refused, so that there may be groups without rows.
    some_refused: bool,
    /// States that aggregators have not taken yet.
    pieces: HashMap<u32, Vec<Piece>>,
    pub(super) refused: Vec<Refused>,
    /// Of the last drain.
    state_bytes: usize,
    pub(super) twice: Twice,
}

impl Session {
    pub(super) fn new(
        instances: Instances,
        context: OperatorContext,
        on_error: OnError,
        role: AggregatorRole,
        columns: Vec<usize>,
    ) -> Self {
        let twice = Twice::new(instances.determinism_sample());
        let (state, results) = (state_of(instances.bound()), Arc::clone(&instances.bound().ports[0].own));
        Self {
            instances,
            context,
            on_error,
            role,
            columns,
            state,
            results,
            calls: 0,
            call_rows_max: CALL_ROWS_MAX,
            delta_bytes_max: DELTA_BYTES_MAX,
            known: Dictionary::new(),
            aggregators: 0,
            kept: Vec::new(),
            trail: Trail::default(),
            spare: Vec::new(),
            kept_bytes: 0,
            kept_rows: 0,
            records_bytes: 0,
            some_refused: false,
            pieces: HashMap::new(),
            refused: Vec::new(),
            state_bytes: 0,
            twice,
        }
    }

    /// A new aggregator's number.
    pub(super) fn enter(&mut self) -> u32 {
        self.aggregators = self.aggregators.wrapping_add(1);
        self.known.enter(self.aggregators);
        self.aggregators
    }

    /// An aggregator is gone, with all that it had.
    pub(super) fn leave(&mut self, aggregator: u32) {
        self.known.leave(aggregator);
        self.pieces.remove(&aggregator);
    }

    /// The states that drains have made of an aggregator's rows.
    pub(super) fn take_pieces(&mut self, aggregator: u32) -> Vec<Piece> {
        self.pieces.remove(&aggregator).unwrap_or_default()
    }

    /// Takes in rows.
    pub(super) fn update(
        &mut self,
        aggregator: u32,
        record: &StreamRecord,
        batch: &RecordBatch,
        groups: &[usize],
    ) -> Result<()> {
        let rows = batch.num_rows();
        let columns = self.columns.iter().map(|column| batch.column(*column));
        let wire = columns_to_wire(columns, rows, &self.instances.bound().wire)
            .map_err(|source| Error::Wire { plugin: self.instances.who().to_string(), source })?;
        let groups = Numbered::new(groups, number(self.known.len()), self.spare.pop().unwrap_or_default());
        if self.role == AggregatorRole::Operator {
            self.instances.metrics().rows_in(rows);
        }
        self.records_bytes += bytes_of(&record.batch);
        let all = Kept::new(aggregator, record, wire, groups);
        let row_bytes = all.bytes.div_ceil(rows.max(1)).max(1);
        let call_rows = (CALL_BYTES_MAX.min(self.instances.limits().memory_bytes_max / 8) / row_bytes).max(1);
        if rows <= call_rows.min(self.call_rows_max) {
            return if rows == 0 { Ok(()) } else { self.take_in(all) };
        }
        let mut offset = 0;
        while offset < rows {
            let part_rows = call_rows.min(self.call_rows_max).min(rows - offset);
            self.take_in(all.slice(offset, part_rows))?;
            offset += part_rows;
        }
        Ok(())
    }

    fn take_in(&mut self, part: Kept) -> Result<()> {
        match self.feed(&part) {
            Ok(fed) => self.keep(part, fed)?,
            Err(error) => return self.recover(error, Some(part)),
        }
        if self.is_full() { self.drain() } else { Ok(()) }
    }

    /// Hands rows to the instance.
    pub(super) fn feed(&mut self, part: &Kept) -> Result<Fed> {
        let known = self.known.len();
        let groups = self.known.number(part.aggregator, &part.numbered);
        let fed = self.call_update(part, groups)?;
        if matches!(fed, Fed::None(_)) {
            // As if the call had not been made.
            self.known.forget_from(known);
        }
        Ok(fed)
    }

    /// Keeps rows that the instance has, until it has given up its deltas.
    pub(super) fn keep(&mut self, part: Kept, fed: Fed) -> Result<()> {
        let kept = match fed {
            Fed::All => part,
            Fed::But(rejects) => {
                self.some_refused = true;
                let left = part.without(rejects.iter().map(|reject| reject.row))?;
                self.refuse(&part, rejects)?;
                left
            }
            Fed::None(message) => return self.refuse_all(&part, &message),
        };
        self.kept_bytes += kept.bytes;
        self.kept_rows += kept.rows();
        self.kept.push(kept);
        Ok(())
    }

    /// Whether the deltas have become too much to be kept.
    fn is_full(&self) -> bool {
        let state_bytes_max = self.instances.limits().memory_bytes_max / 8;
        // Rows without columns have a number all the same, and that of their group is kept.
        self.kept_bytes >= self.delta_bytes_max
            || self.records_bytes >= RECORDS_BYTES_MAX
            || self.kept_rows >= self.delta_bytes_max / size_of::<u32>()
            || self.known.len().saturating_mul(self.state_bytes) > state_bytes_max && self.known.len() > 1
    }

    /// Has the instance give up its deltas, if an aggregator has any there.
    pub(super) fn drain_for(&mut self, aggregator: u32) -> Result<()> {
        if self.known.knows(aggregator) { self.drain() } else { Ok(()) }
    }

    /// Has the instance give up its deltas: they wait for their aggregators.
    pub(super) fn drain(&mut self) -> Result<()> {
        match self.drain_once() {
            Ok(()) => Ok(()),
            Err(error) => self.recover(error, None),
        }
    }

    /// The same, where a failure is somebody else's to deal with.
    pub(super) fn drain_once(&mut self) -> Result<()> {
        if self.known.len() == 0 {
            self.begin();
            return Ok(());
        }
        let state = self.drained(self.known.len())?;
        if self.twice.drained()
            && let Some(handed) = self.handed()
        {
            self.drain_again(handed, false, &state);
        }
        self.distribute(&state)
    }

    /// The rows since the last drain, call by call, as the instance got them; `None` where that is not known any more.
    fn handed(&mut self) -> Option<Vec<Handed>> {
        let is_there = |kept: &Kept| self.known.is_there(kept.aggregator);
        if self.some_refused || !self.kept.iter().all(is_there) {
            return None;
        }
        let Self { kept, known, .. } = self;
        Some(kept.iter().map(|kept| (kept.wire.clone(), known.number(kept.aggregator, &kept.numbered))).collect())
    }

    /// The instance knows nothing, and nothing is kept.
    pub(super) fn begin(&mut self) {
        self.trail.end();
        self.known.clear();
        let numbers = self.kept.drain(..).filter_map(|kept| Arc::into_inner(kept.numbered.groups));
        self.spare.extend(numbers.take(SPARE_MAX - self.spare.len()));
        (self.kept_bytes, self.kept_rows, self.records_bytes) = (0, 0, 0);
        self.some_refused = false;
        self.twice.begin();
    }

    /// The states of all groups since the last drain go to those whose they are.
    fn distribute(&mut self, state: &RecordBatch) -> Result<()> {
        self.state_bytes = bytes_of(state).div_ceil(state.num_rows().max(1));
        // Of each group, whether a row of it was not refused.
        let with_rows = self.some_refused.then(|| {
            let kept = self.kept.iter().filter(|kept| self.known.knows(kept.aggregator));
            self.known.marks(kept.map(|kept| (kept.aggregator, kept.groups())))
        });
        for Share { aggregator, groups, rows } in self.known.shares(with_rows.as_deref()) {
            if !self.known.is_there(aggregator) {
                continue;
            }
            let columns = match rows {
                None => state.columns().to_vec(),
                Some(rows) => {
                    let rows = UInt32Array::from(rows);
                    let columns = state.columns().iter().map(|column| take(column, &rows, None));
                    columns.collect::<std::result::Result<_, _>>()?
                }
            };
            self.pieces.entry(aggregator).or_default().push(Piece { groups, columns });
        }
        self.begin();
        self.trail.clear();
        Ok(())
    }

    /// About how many bytes there are of an aggregator.
    pub(super) fn memory_bytes(&self, aggregator: u32) -> usize {
        let numbers = self.known.memory_bytes(aggregator);
        let pieces = self.pieces.get(&aggregator).into_iter().flatten().map(Piece::memory_bytes);
        let kept = self.kept.iter().filter(|kept| kept.aggregator == aggregator);
        numbers + pieces.sum::<usize>() + kept.map(|kept| size_of_val(kept.groups())).sum::<usize>()
    }
}

/// The bytes that columns have, whatever else lies in their memory.
pub(super) fn bytes_of(batch: &RecordBatch) -> usize {
    batch.columns().iter().map(|column| column.to_data().get_slice_memory_size().unwrap_or_default()).sum()
}
