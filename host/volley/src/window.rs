//! How the rows of a key are cut into windows.

use std::time::Duration;

use volley_runtime::Window;

/// Windows of one size, one behind the other: `Tumbling::of(Duration::from_secs(3600))`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tumbling {
    size: Duration,
}

impl Tumbling {
    /// Windows of that size, in whole milliseconds, aligned to 1970-01-01T00:00:00Z.
    #[must_use]
    pub fn of(size: Duration) -> Self {
        Self { size }
    }
}

impl From<Tumbling> for Window {
    fn from(window: Tumbling) -> Self {
        Self::Tumbling { size: window.size }
    }
}

/// Windows of one size, of which one begins at every slide.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sliding {
    size: Duration,
    slide: Duration,
}

impl Sliding {
    /// Windows of that size, of which one begins at every `slide`; both in whole milliseconds, and the slide not more than
    /// the size.
    #[must_use]
    pub fn of(size: Duration, slide: Duration) -> Self {
        Self { size, slide }
    }
}

impl From<Sliding> for Window {
    fn from(window: Sliding) -> Self {
        Self::Sliding { size: window.size, slide: window.slide }
    }
}

/// For each key from its first row to one after which nothing came for a gap.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Session {
    gap: Duration,
}

impl Session {
    /// Sessions that end after such a gap, in whole milliseconds.
    #[must_use]
    pub fn with_gap(gap: Duration) -> Self {
        Self { gap }
    }
}

impl From<Session> for Window {
    fn from(window: Session) -> Self {
        Self::Session { gap: window.gap }
    }
}

/// For each key so many rows, in the order in which they come; what is left at the end of the input is a window too.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Count {
    rows: u64,
}

impl Count {
    /// Windows of so many rows.
    #[must_use]
    pub fn of(rows: u64) -> Self {
        Self { rows }
    }
}

impl From<Count> for Window {
    fn from(window: Count) -> Self {
        Self::Count { rows: window.rows }
    }
}
