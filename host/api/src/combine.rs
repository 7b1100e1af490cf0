//! Aggregation before an exchange: rows of one key and one stretch of time travel as one row of state.
//!
//! It pays where keys repeat: what is dealt out by key is then as much as there are keys, not as there are rows.

use std::fmt::Debug;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;

use crate::{Namespace, Result, StreamRecord, Watermark};

/// State of the rows of some keys, on its way to the operator that they were for.
#[derive(Debug, Clone)]
pub struct Combined {
    /// The stretch of time that they are of: the beginning of a window's pane, or 0.
    pub pane: Namespace,
    /// The keys under their names, then the state: one row for each key, of [`Combiner::schema`]. Without a row it only says
    /// that rows of the pane will come.
    pub batch: RecordBatch,
    /// How many rows it stands for.
    pub rows: usize,
}

/// Takes rows in front of an exchange, and gives out what stands for them.
///
/// The driver drains it before it sends a barrier, the end, or the word that the input is idle; and lets it see each
/// watermark before it is sent, so that nothing it holds is late for being held. After an error nothing else is called.
pub trait Combiner: Send + Debug {
    /// The columns of [`Combined::batch`].
    fn schema(&self) -> SchemaRef;

    /// Takes a record with at least one live row; gives back those rows that have to travel as they are, if there are any:
    /// late ones, and those that the operator will refuse.
    ///
    /// # Errors
    /// As [`crate::Aggregator::update`].
    fn combine(&mut self, record: StreamRecord) -> Result<Option<StreamRecord>>;

    /// Rows that have to travel as they are after all, though they were taken: asked for after each of the other calls, and
    /// sent before anything else is. Default: none.
    fn returned(&mut self) -> Vec<StreamRecord> {
        Vec::new()
    }

    /// The panes that have got their first rows since this was last asked, each with a key of it, as one row of the key columns
    /// alone: so that whoever counts what is still to come knows of them before they are drained. Default: none.
    ///
    /// # Errors
    /// As [`Combiner::drain`].
    fn opened(&mut self) -> Result<Vec<(Namespace, RecordBatch)>> {
        Ok(Vec::new())
    }

    /// Gives out what has to be there before the watermark is.
    ///
    /// # Errors
    /// As [`Combiner::drain`].
    fn on_watermark(&mut self, watermark: Watermark) -> Result<Vec<Combined>>;

    /// Whether it holds so much that it wants to be drained.
    fn is_full(&self) -> bool;

    /// Gives out everything that it holds.
    ///
    /// # Errors
    /// When the state cannot be made, for example for want of memory.
    fn drain(&mut self) -> Result<Vec<Combined>>;

    /// The input has been idle, so that event time may have gone on without it: whether a row is late is not known here any
    /// more. The driver drains it at that time.
    fn lose_time(&mut self);
}
