//! What a run did, as an aligned table for people.

use std::time::Duration;

use volley_runtime::{JobProgress, JobReport};

use crate::table::{self, Moment};

/// The table of nodes and the line of totals below it.
pub(crate) fn render(report: &JobReport) -> String {
    format!("{}\n{}", table::framed(&report.progress, &Moment::Past), totals(report))
}

/// One line: rows in, rows out, rejected rows, time and rows per second.
pub(crate) fn totals(report: &JobReport) -> String {
    let progress = &report.progress;
    let early = match (report.stopped_early, report.cut_short) {
        (_, true) => " · stopped with input left",
        (true, false) => " · stopped",
        (false, false) => "",
    };
    format!(
        "{} rows in · {} rows out · {} rejected{} · {} · {} rows/s{early}",
        grouped(progress.rows_read()),
        grouped(progress.rows_written()),
        grouped(progress.rows_rejected()),
        late(progress),
        seconds(report.elapsed),
        grouped(per_second(progress.rows_read(), report.elapsed)),
    )
}

/// Late rows, where there are any: most jobs have no event time.
pub(crate) fn late(progress: &JobProgress) -> String {
    match progress.rows_late() {
        0 => String::new(),
        rows => format!(" · {} late", grouped(rows)),
    }
}

/// Rows per second, rounded down.
pub(crate) fn per_second(rows: u64, elapsed: Duration) -> u64 {
    let micros = elapsed.as_micros().max(1);
    u64::try_from(u128::from(rows) * 1_000_000 / micros).unwrap_or(u64::MAX)
}

/// A number with its thousands set apart: `12,345`.
pub(crate) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

fn seconds(elapsed: Duration) -> String {
    format!("{:.2} s", elapsed.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_are_set_apart() {
        for (number, text) in [(0, "0"), (999, "999"), (1000, "1,000"), (1_234_567, "1,234,567")] {
            assert_eq!(grouped(number), text);
        }
    }

    #[test]
    fn rates_do_not_overflow() {
        assert_eq!(per_second(10, Duration::from_secs(2)), 5);
        assert_eq!(per_second(10, Duration::ZERO), 10_000_000);
        assert_eq!(per_second(u64::MAX, Duration::from_nanos(1)), u64::MAX);
    }
}
