//! What the runtime drives: a pool that makes aggregators, and aggregators that share its session.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arrow::array::{ArrayRef, RecordBatch};
use arrow::buffer::BooleanBuffer;
use volley_api::{Aggregator, AggregatorPool, Refused, StreamRecord};

use super::pieces::{Piece, as_state, assembled};
use super::session::Session;
use crate::Result;
use crate::places::hit;

/// Pieces of so many rows more than there are groups are made one before the state is asked for.
const SPARE_ROWS: usize = 1 << 16;

/// And of so many times as many.
const ROWS_PER_GROUP_MAX: usize = 4;

/// The aggregators of one instance of an operator.
pub(super) struct Pool(Arc<Mutex<Session>>);

impl Pool {
    pub(super) fn new(session: Session) -> Self {
        Self(Arc::new(Mutex::new(session)))
    }
}

/// Nobody else waits for it: an instance of an operator has one thread.
fn locked(session: &Mutex<Session>) -> MutexGuard<'_, Session> {
    session.lock().unwrap_or_else(PoisonError::into_inner)
}

impl AggregatorPool for Pool {
    fn create(&self) -> volley_api::Result<Box<dyn Aggregator>> {
        let number = locked(&self.0).enter();
        let session = Arc::clone(&self.0);
        Ok(Box::new(PluginAggregator { session, number, pieces: Vec::new(), present: None }))
    }

    fn settle(&self) -> volley_api::Result<()> {
        Ok(locked(&self.0).drain()?)
    }

    fn take_refused(&self) -> Vec<Refused> {
        std::mem::take(&mut locked(&self.0).refused)
    }

    fn finish(&self) -> volley_api::Result<()> {
        let session = &mut *locked(&self.0);
        session.calls += 1;
        Ok(session.instances.close(session.calls)?)
    }
}

/// The groups of one window, or of what else the runtime makes an aggregator for.
struct PluginAggregator {
    session: Arc<Mutex<Session>>,
    number: u32,
    /// States: what was merged, and what drains have made of rows.
    pieces: Vec<Piece>,
    /// Of the last evaluation.
    present: Option<BooleanBuffer>,
}

impl PluginAggregator {
    /// Keeps the number of pieces within bounds.
    fn check_pieces(&mut self, session: &mut Session, groups_total: usize) -> Result<()> {
        let rows: usize = self.pieces.iter().map(Piece::rows).sum();
        if self.pieces.len() > 1 && rows > groups_total.saturating_mul(ROWS_PER_GROUP_MAX) + SPARE_ROWS {
            self.pieces = session.united(std::mem::take(&mut self.pieces), groups_total)?;
            // Another aggregator's drain may have been due for it.
            self.pieces.extend(session.take_pieces(self.number));
        }
        Ok(())
    }

    /// All states, none of a group twice; the aggregator is empty then.
    fn take_states(&mut self, session: &mut Session, groups_total: usize) -> Result<Vec<Piece>> {
        session.drain_for(self.number)?;
        let mut pieces = std::mem::take(&mut self.pieces);
        pieces.extend(session.take_pieces(self.number));
        session.united(pieces, groups_total)
    }
}

impl Aggregator for PluginAggregator {
    fn update(&mut self, batch: &RecordBatch, groups: &[usize], groups_total: usize) -> volley_api::Result<()> {
        self.update_of(&StreamRecord::new(batch.clone()), batch, groups, groups_total)
    }

    fn update_of(
        &mut self,
        record: &StreamRecord,
        batch: &RecordBatch,
        groups: &[usize],
        groups_total: usize,
    ) -> volley_api::Result<()> {
        if u32::try_from(groups_total).is_err() {
            let message = format!("{groups_total} groups of one plugin, which numbers them with 32 bits");
            return Err(volley_api::Error::internal(message));
        }
        let shared = Arc::clone(&self.session);
        let mut session = locked(&shared);
        session.update(self.number, record, batch, groups)?;
        self.pieces.extend(session.take_pieces(self.number));
        Ok(self.check_pieces(&mut session, groups_total)?)
    }

    fn merge(&mut self, state: &[ArrayRef], groups: &[usize], groups_total: usize) -> volley_api::Result<()> {
        let [state] = state else {
            return Err(volley_api::Error::internal("the state of a plugin is one column"));
        };
        let piece = Piece::of_state(state, groups)?;
        if piece.rows() == 0 {
            return Ok(());
        }
        self.pieces.push(piece);
        let shared = Arc::clone(&self.session);
        Ok(self.check_pieces(&mut locked(&shared), groups_total)?)
    }

    fn drain(&mut self, groups_total: usize) -> volley_api::Result<Vec<ArrayRef>> {
        hit("plugin-drain-before")?;
        let shared = Arc::clone(&self.session);
        let mut session = locked(&shared);
        let pieces = self.take_states(&mut session, groups_total)?;
        let fields = session.state.fields();
        let (columns, present) = assembled(fields, &pieces, groups_total)?;
        let state = as_state(fields, columns, present)?;
        hit("plugin-drain-after")?;
        Ok(vec![state])
    }

    fn evaluate(&mut self, groups_total: usize) -> volley_api::Result<Vec<ArrayRef>> {
        let shared = Arc::clone(&self.session);
        let mut session = locked(&shared);
        let pieces = self.take_states(&mut session, groups_total)?;
        let results = session.results_of(pieces)?;
        let (columns, present) = assembled(session.results.fields(), &results, groups_total)?;
        self.present = present;
        Ok(columns)
    }

    fn evaluated(&self) -> Option<&BooleanBuffer> {
        self.present.as_ref()
    }

    fn memory_bytes(&self) -> usize {
        let pieces: usize = self.pieces.iter().map(Piece::memory_bytes).sum();
        pieces + locked(&self.session).memory_bytes(self.number)
    }
}

impl Drop for PluginAggregator {
    fn drop(&mut self) {
        locked(&self.session).leave(self.number);
    }
}
