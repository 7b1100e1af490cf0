//! What a user says of the event time of a source.

use std::fmt;
use std::time::Duration;

use volley_api::EventTimeColumn;

/// The event time of a source's rows, and how it is concluded that no earlier row follows.
///
/// A row whose event time is null, or more than 2⁵² milliseconds (142,000 years) from 1970, is refused: it goes to the
/// source's `errors` port, or stops the job when nobody reads that.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventTime {
    /// The column that holds it.
    pub column: EventTimeColumn,
    /// How watermarks follow from the rows of a split.
    pub strategy: WatermarkStrategy,
    /// After how long without rows a split is no longer waited for; counted only while it was polled and had nothing.
    /// `None`: it is waited for until it ends.
    pub idle_after: Option<Duration>,
    /// Whether the splits follow each other in time, so that one that was not opened yet cannot hold earlier rows.
    /// Otherwise such a split holds the watermark back.
    pub ordered: bool,
}

impl EventTime {
    /// Event time in that column, with rows at most `max_out_of_orderness` behind the latest of their split.
    #[must_use]
    pub fn bounded(column: &str, max_out_of_orderness: Duration) -> Self {
        let strategy = WatermarkStrategy::BoundedOutOfOrderness(max_out_of_orderness);
        Self { column: EventTimeColumn::new(column), strategy, idle_after: None, ordered: false }
    }
}

impl fmt::Display for EventTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "event time {}", self.column.name)
    }
}

/// How the watermark of a split follows from the rows that it has given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WatermarkStrategy {
    /// No row is more than this behind the latest one so far.
    BoundedOutOfOrderness(Duration),
    /// Event times never descend.
    Monotonous,
    /// The watermark is the greatest value so far of this column, of the same types as an event-time column.
    Column(String),
}
