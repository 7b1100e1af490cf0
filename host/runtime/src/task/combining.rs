//! Aggregation in front of an exchange by key: a combiner, and how what it gives is dealt out.

use arrow::array::RecordBatch;
use volley_api::{Combined, Combiner, Result, StreamRecord};

use crate::partition::Partitioner;
use crate::time::Control;

/// Rows of state, each part with the subtask that it is for.
pub(super) type Dealt = Vec<(Combined, usize)>;

/// A combiner before an outlet.
pub(crate) struct Combining {
    combiner: Box<dyn Combiner>,
    partitioner: Partitioner,
}

impl Combining {
    /// For rows keyed by these columns, to so many subtasks.
    pub(crate) fn new(combiner: Box<dyn Combiner>, keys: &[String], subtasks: u32) -> Result<Self> {
        let partitioner = Partitioner::new(&combiner.schema(), keys, subtasks)?;
        Ok(Self { combiner, partitioner })
    }

    /// Takes a record; gives the rows that travel as they are, and, when much is held, all that stands for others.
    pub(super) fn take(&mut self, record: StreamRecord) -> Result<(Vec<StreamRecord>, Dealt)> {
        let rows = self.combiner.combine(record)?;
        let mut dealt = self.announce()?;
        if self.combiner.is_full() {
            let combined = self.combiner.drain()?;
            dealt.extend(self.deal(combined)?);
        }
        let returned = self.combiner.returned();
        Ok((rows.into_iter().chain(returned).collect(), dealt))
    }

    /// What has to leave before a control element does: rows, and state, each part with its subtask.
    pub(super) fn before(&mut self, control: Control) -> Result<(Vec<StreamRecord>, Dealt)> {
        let combined = match control {
            Control::Watermark(watermark) => self.combiner.on_watermark(watermark)?,
            Control::Barrier(_) => self.combiner.drain()?,
            Control::Idle => {
                self.combiner.lose_time();
                self.combiner.drain()?
            }
            Control::Active => Vec::new(),
        };
        let dealt = self.deal(combined)?;
        Ok((self.combiner.returned(), dealt))
    }

    /// Everything, before the end.
    pub(super) fn rest(&mut self) -> Result<(Vec<StreamRecord>, Dealt)> {
        let combined = self.combiner.drain()?;
        let dealt = self.deal(combined)?;
        Ok((self.combiner.returned(), dealt))
    }

    /// Says which panes will come: each to a subtask that has a key of it.
    fn announce(&mut self) -> Result<Dealt> {
        let mut dealt = Vec::new();
        for (pane, key) in self.combiner.opened()? {
            let batch = RecordBatch::new_empty(self.combiner.schema());
            let subtasks = self.partitioner.partition(key.into())?.into_iter().map(|(_, subtask)| subtask);
            dealt.extend(subtasks.map(|subtask| (Combined { pane, batch: batch.clone(), rows: 0 }, subtask)));
        }
        Ok(dealt)
    }

    fn deal(&mut self, combined: Vec<Combined>) -> Result<Dealt> {
        let mut dealt = Vec::new();
        for Combined { pane, batch, mut rows } in combined {
            for (part, subtask) in self.partitioner.partition(batch.into())? {
                // How many rows each part stands for is not known; the sum is what counts.
                dealt.push((Combined { pane, batch: part.batch, rows: std::mem::take(&mut rows) }, subtask));
            }
        }
        Ok(dealt)
    }
}
