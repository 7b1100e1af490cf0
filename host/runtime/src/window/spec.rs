//! Which windows a keyed stream is cut into.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use arrow::array::Array;
use volley_api::{EVENT_TIME_MS_MAX, EventTimes};

use crate::Error;
use crate::time::ms;

/// The most panes of one sliding window: each is kept apart until the last window that it belongs to has gone.
pub(crate) const PANES_MAX: i64 = 10_000;

/// How the rows of a key are cut into windows.
///
/// Windows are aligned to 1970-01-01T00:00:00Z. A window `[start, end)` holds the rows with `start <= event time < end`
/// and fires when the watermark reaches `end - 1 ms`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Window {
    /// Windows of one size, one behind the other.
    Tumbling {
        /// The size; whole milliseconds, at least one.
        size: Duration,
    },
    /// Windows of one size, of which one begins at every slide.
    Sliding {
        /// The size; whole milliseconds, at least one.
        size: Duration,
        /// From one beginning to the next; not more than the size.
        slide: Duration,
    },
    /// For each key from its first row to one after which nothing came for a gap.
    Session {
        /// The gap; whole milliseconds, at least one.
        gap: Duration,
    },
    /// For each key so many rows, in the order in which they come. What is left at the end of the input is a window too.
    Count {
        /// How many; at least one.
        rows: u64,
    },
    /// One window for all rows of a key, which fires at the end of the input.
    Global,
}

/// The numbers of a window that is cut by time, in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Grid {
    pub(crate) size_ms: i64,
    pub(crate) slide_ms: i64,
    /// The greatest common divisor of both: what both are made of.
    pub(crate) pane_ms: i64,
}

/// Rows by pane.
pub(crate) enum Cut {
    /// All are of this one, as they nearly always are.
    One(i64),
    /// The rows of each pane, and those of none.
    Several { by_pane: BTreeMap<i64, Vec<u32>>, others: Vec<u32> },
}

impl Window {
    /// Checks the window's numbers.
    pub(crate) fn check(&self) -> Result<(), Error> {
        match *self {
            Self::Tumbling { size } => positive("the size of a tumbling window", size).map(drop),
            Self::Sliding { size, slide } => {
                let (size_ms, slide_ms) =
                    (positive("the size of a sliding window", size)?, positive("the slide of a window", slide)?);
                if slide_ms > size_ms {
                    let problem = format!("a slide of {} is more than the size of {}", text(slide), text(size));
                    return Err(Error::Window { problem: format!("{problem}: rows in between would be in no window") });
                }
                let panes = size_ms / gcd(size_ms, slide_ms);
                if panes > PANES_MAX {
                    let problem = format!("a window of {} that slides by {}", text(size), text(slide));
                    let problem = format!("{problem} is made of {panes} panes, and the limit is {PANES_MAX}");
                    return Err(Error::Window { problem: format!("{problem}: let the slide divide the size") });
                }
                Ok(())
            }
            Self::Session { gap } => positive("the gap of a session", gap).map(drop),
            Self::Count { rows: 0 } => Err(Error::Window { problem: "a window of 0 rows never fires".to_owned() }),
            Self::Count { .. } | Self::Global => Ok(()),
        }
    }

    /// Whether rows are cut by their event time.
    pub(crate) fn needs_event_time(&self) -> bool {
        matches!(self, Self::Tumbling { .. } | Self::Sliding { .. } | Self::Session { .. })
    }

    /// The numbers of a tumbling or sliding window that was checked.
    pub(crate) fn grid(&self) -> Option<Grid> {
        match *self {
            Self::Tumbling { size } => Some(Grid { size_ms: ms(size), slide_ms: ms(size), pane_ms: ms(size) }),
            Self::Sliding { size, slide } => {
                Some(Grid { size_ms: ms(size), slide_ms: ms(slide), pane_ms: gcd(ms(size), ms(slide)) })
            }
            Self::Session { .. } | Self::Count { .. } | Self::Global => None,
        }
    }
}

impl Grid {
    /// The beginning of the pane that a time lies in.
    pub(crate) fn pane_of(&self, time_ms: i64) -> i64 {
        time_ms.div_euclid(self.pane_ms) * self.pane_ms
    }

    /// Which panes rows are of, but for those before `from_ms` and those without a time.
    pub(crate) fn cut(&self, times: &EventTimes, from_ms: Option<i64>) -> Cut {
        let from_ms = from_ms.unwrap_or(i64::MIN);
        if times.ms.null_count() == 0
            && let Some((least, greatest)) = times.bounds
            && least >= from_ms
            && self.pane_of(least) == self.pane_of(greatest)
        {
            return Cut::One(self.pane_of(least));
        }
        let mut by_pane: BTreeMap<i64, Vec<u32>> = BTreeMap::new();
        let mut others = Vec::new();
        for (row, time_ms) in (0..).zip(&times.ms) {
            match time_ms.filter(|time_ms| *time_ms >= from_ms) {
                Some(time_ms) => by_pane.entry(self.pane_of(time_ms)).or_default().push(row),
                None => others.push(row),
            }
        }
        Cut::Several { by_pane, others }
    }

    /// The beginnings of the windows that a pane belongs to, ascending.
    pub(crate) fn windows_of(&self, pane: i64) -> impl Iterator<Item = i64> {
        let last = pane.div_euclid(self.slide_ms) * self.slide_ms;
        let slide_ms = self.slide_ms;
        let first = (pane - self.size_ms).div_euclid(slide_ms) * slide_ms + slide_ms;
        (0..).map(move |step| first + step * slide_ms).take_while(move |start| *start <= last)
    }

    /// The beginnings of the panes that a window is made of, as a range.
    pub(crate) fn panes_of(&self, window: i64) -> std::ops::Range<i64> {
        window..window + self.size_ms
    }
}

impl fmt::Display for Window {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Tumbling { size } => write!(f, "tumbling {}", text(size)),
            Self::Sliding { size, slide } => write!(f, "sliding {} by {}", text(size), text(slide)),
            Self::Session { gap } => write!(f, "session {}", text(gap)),
            Self::Count { rows } => write!(f, "every {rows} rows"),
            Self::Global => f.write_str("global"),
        }
    }
}

/// A duration as one writes it: `90s`, `1h`.
pub(crate) fn text(duration: Duration) -> String {
    let ms = duration.as_millis();
    let units = [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000)];
    match units.iter().find(|(_, unit)| ms > 0 && ms.is_multiple_of(*unit)) {
        Some((name, unit)) => format!("{}{name}", ms / unit),
        None => format!("{ms}ms"),
    }
}

/// Checks an allowed lateness: whole milliseconds, or nothing.
pub(crate) fn check_lateness(lateness: Duration) -> Result<(), Error> {
    if lateness.is_zero() { Ok(()) } else { positive("the allowed lateness", lateness).map(drop) }
}

fn positive(what: &str, duration: Duration) -> Result<i64, Error> {
    match i64::try_from(duration.as_millis()) {
        Ok(ms) if ms > 0 && ms <= EVENT_TIME_MS_MAX && duration.subsec_nanos().is_multiple_of(1_000_000) => Ok(ms),
        _ => Err(Error::Window { problem: format!("{what} is {duration:?}: give whole milliseconds, at least one") }),
    }
}

fn gcd(a: i64, b: i64) -> i64 {
    if b == 0 { a } else { gcd(b, a % b) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sliding(size: u64, slide: u64) -> Window {
        Window::Sliding { size: Duration::from_millis(size), slide: Duration::from_millis(slide) }
    }

    #[test]
    fn panes_and_windows_agree() {
        for (size, slide) in [(10, 10), (10, 5), (10, 4), (7, 3), (60_000, 1000)] {
            let grid = sliding(size, slide).grid().expect("cut by time");
            for time in [-25_i64, -1, 0, 3, 9, 10, 1234] {
                let pane = grid.pane_of(time);
                assert!((pane..pane + grid.pane_ms).contains(&time));
                let windows: Vec<i64> = grid.windows_of(pane).collect();
                let expected: Vec<i64> = (time - 70_000..=time)
                    .filter(|start| start.rem_euclid(slide as i64) == 0 && time < start + size as i64)
                    .collect();
                assert_eq!(windows, expected, "{size} by {slide} at {time}");
                assert!(windows.iter().all(|window| grid.panes_of(*window).contains(&pane)));
            }
        }
    }

    #[test]
    fn numbers_that_make_no_window_are_refused() {
        for (window, part) in [
            (Window::Tumbling { size: Duration::ZERO }, "tumbling window is 0ns"),
            (Window::Tumbling { size: Duration::from_nanos(1_500_000) }, "whole milliseconds"),
            (Window::Tumbling { size: Duration::MAX }, "whole milliseconds"),
            (sliding(10, 20), "in no window"),
            (sliding(1_000_000, 7), "made of 1000000 panes"),
            (Window::Session { gap: Duration::ZERO }, "gap"),
            (Window::Count { rows: 0 }, "never fires"),
        ] {
            let message = window.check().expect_err("no window").to_string();
            assert!(message.contains(part), "{message}");
        }
        assert_eq!(sliding(3_600_000, 90_000).to_string(), "sliding 1h by 90s");
    }
}
