//! Aggregation in front of an exchange by key: a combiner, and how what it gives is dealt out.

use volley_api::{Combined, Combiner, Result, StreamRecord};

use crate::partition::Partitioner;
use crate::time::Control;

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
    pub(super) fn take(&mut self, record: StreamRecord) -> Result<(Option<StreamRecord>, Vec<(Combined, usize)>)> {
        let rows = self.combiner.combine(record)?;
        let combined = if self.combiner.is_full() { self.combiner.drain()? } else { Vec::new() };
        Ok((rows, self.deal(combined)?))
    }

    /// What has to leave before a control element does, each part with its subtask.
    pub(super) fn before(&mut self, control: Control) -> Result<Vec<(Combined, usize)>> {
        let combined = match control {
            Control::Watermark(watermark) => self.combiner.on_watermark(watermark)?,
            Control::Barrier(_) => self.combiner.drain()?,
            Control::Idle => {
                self.combiner.lose_time();
                self.combiner.drain()?
            }
            Control::Active => Vec::new(),
        };
        self.deal(combined)
    }

    /// Everything, before the end.
    pub(super) fn rest(&mut self) -> Result<Vec<(Combined, usize)>> {
        let combined = self.combiner.drain()?;
        self.deal(combined)
    }

    fn deal(&mut self, combined: Vec<Combined>) -> Result<Vec<(Combined, usize)>> {
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
