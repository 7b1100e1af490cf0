//! Event time: which column of a stream holds it, and how it becomes milliseconds.

use std::sync::Arc;

/// The column that holds the event time of a stream's rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventTimeColumn {
    /// The column's name. Its type is `Int64` (milliseconds since the Unix epoch), any timestamp, or a date.
    pub name: Arc<str>,
    /// Added to the column's time, in milliseconds: −1 for results of windows, whose time is the last millisecond of the
    /// window while the column holds its end.
    pub offset_ms: i64,
}

impl EventTimeColumn {
    /// The column of that name, as it is.
    #[must_use]
    pub fn new(name: &str) -> Self {
        Self { name: name.into(), offset_ms: 0 }
    }
}
