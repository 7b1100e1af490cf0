//! Between what a manifest says and the data model.

use volley_api::{
    Committable, Epoch, InvalidName, JobRun, NodeName, OperatorState, SplitOffset, SplitPosition, SplitState, Watermark,
};

use super::{Base64, Manifest, OperatorEntry, PendingEntry, PositionEntry, SplitEntry, WatermarkEntry};

impl From<&SplitPosition> for PositionEntry {
    fn from(position: &SplitPosition) -> Self {
        match position {
            SplitPosition::At(offset) => Self::Offset(Base64(offset.0.clone())),
            SplitPosition::Ended => Self::Ended,
        }
    }
}

impl From<&SplitEntry> for SplitState {
    fn from(entry: &SplitEntry) -> Self {
        let position = match &entry.position {
            PositionEntry::Offset(offset) => SplitPosition::At(SplitOffset(offset.0.clone())),
            PositionEntry::Ended => SplitPosition::Ended,
        };
        Self { position, reached_ms: entry.reached_ms }
    }
}

impl From<Watermark> for WatermarkEntry {
    fn from(watermark: Watermark) -> Self {
        match watermark {
            Watermark::AtMs(ms) => Self::AtMs(ms),
            Watermark::End => Self::End,
        }
    }
}

impl From<WatermarkEntry> for Watermark {
    fn from(entry: WatermarkEntry) -> Self {
        match entry {
            WatermarkEntry::AtMs(ms) => Self::AtMs(ms),
            WatermarkEntry::End => Self::End,
        }
    }
}

impl OperatorEntry {
    /// The operator without its keyed state, whose files have to be found first.
    pub(crate) fn without_keyed(&self) -> OperatorState {
        OperatorState { watermark: self.watermark.map(Watermark::from), ..OperatorState::default() }
    }
}

impl From<&Committable> for PendingEntry {
    fn from(committable: &Committable) -> Self {
        Self {
            job: committable.run.job.to_string(),
            incarnation: committable.run.incarnation,
            sink: committable.sink.to_string(),
            subtask: committable.subtask,
            epoch: committable.epoch.0,
            token: Base64(committable.token.clone()),
        }
    }
}

impl PendingEntry {
    /// What a sink is asked for.
    pub(crate) fn committable(&self) -> Result<Committable, InvalidName> {
        Ok(Committable {
            run: JobRun { job: self.job.as_str().into(), incarnation: self.incarnation },
            sink: NodeName::new(&self.sink)?,
            subtask: self.subtask,
            epoch: Epoch(self.epoch),
            token: self.token.0.clone(),
        })
    }
}

impl Manifest {
    /// What was prepared and is not known to be committed, ordered by epoch.
    ///
    /// # Errors
    /// When a sink has a name that no sink can have.
    pub fn committables(&self) -> Result<Vec<Committable>, InvalidName> {
        self.pending.iter().map(PendingEntry::committable).collect()
    }
}
