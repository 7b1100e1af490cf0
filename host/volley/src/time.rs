//! What a program says of the event time of a source.

use std::time::Duration;

use volley_api::EventTimeColumn;
use volley_runtime::{EventTime, WatermarkStrategy as FromRows};

/// Which column holds the event time of a source's rows, and how it is concluded that no earlier row follows.
///
/// ```
/// use std::time::Duration;
/// use volley::WatermarkStrategy;
///
/// let strategy = WatermarkStrategy::bounded_out_of_orderness("time_hour", Duration::from_secs(3600))
///     .with_idleness(Duration::from_secs(30));
/// # let _ = strategy;
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WatermarkStrategy(EventTime);

impl WatermarkStrategy {
    fn new(column: &str, strategy: FromRows) -> Self {
        Self(EventTime { column: EventTimeColumn::new(column), strategy, idle_after: None, ordered: false })
    }

    /// Event time in that column, with rows at most so far behind the latest one of their split.
    #[must_use]
    pub fn bounded_out_of_orderness(column: impl AsRef<str>, max_out_of_orderness: Duration) -> Self {
        Self::new(column.as_ref(), FromRows::BoundedOutOfOrderness(max_out_of_orderness))
    }

    /// Event time in that column, which never descends within a split.
    #[must_use]
    pub fn monotonous(column: impl AsRef<str>) -> Self {
        Self::new(column.as_ref(), FromRows::Monotonous)
    }

    /// Event time in `column`, and watermarks that the rows bring along in another.
    #[must_use]
    pub fn from_column(column: impl AsRef<str>, watermarks: impl Into<String>) -> Self {
        Self::new(column.as_ref(), FromRows::Column(watermarks.into()))
    }

    /// After how long without rows a split is no longer waited for. Default: it is waited for until it ends.
    #[must_use]
    pub fn with_idleness(mut self, idle_after: Duration) -> Self {
        self.0.idle_after = Some(idle_after);
        self
    }

    /// The splits of the source follow each other in time, so that one that was not opened yet cannot hold earlier rows.
    #[must_use]
    pub fn with_ordered_splits(mut self) -> Self {
        self.0.ordered = true;
        self
    }

    pub(crate) fn into_event_time(self) -> EventTime {
        self.0
    }
}
