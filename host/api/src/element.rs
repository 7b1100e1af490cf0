//! What flows along an edge: records, and control elements in band with them.

use crate::{Epoch, StreamRecord};

/// One element of a stream.
///
/// Elements are moved along, not stored in numbers, so the size of a record is no concern.
#[derive(Debug, Clone)]
#[expect(
    clippy::large_enum_variant,
    reason = "nearly every element is a record, and a box would cost each an allocation"
)]
pub enum StreamElement {
    /// Rows.
    Data(StreamRecord),
    /// The border between two epochs.
    Barrier(CheckpointBarrier),
    /// A promise about event time.
    Watermark(Watermark),
    /// No element follows on this edge.
    EndOfStream,
}

/// The border between two epochs: what comes before it belongs to the checkpoint `epoch`, what comes after does not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CheckpointBarrier {
    /// The epoch that ends here.
    pub epoch: Epoch,
}

/// A promise that no row with an event time at or before it follows, other than as a late row.
///
/// Ordered: every time precedes [`Watermark::End`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Watermark {
    /// Event time has reached this many milliseconds since the Unix epoch.
    AtMs(i64),
    /// Event time is over: the input is bounded and has ended.
    End,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_is_after_every_time() {
        assert!(Watermark::AtMs(i64::MAX) < Watermark::End);
        assert!(Watermark::AtMs(-1) < Watermark::AtMs(0));
    }
}
