//! A process that puts the rows of a key together as long as each comes soon after the one before: one row for each session,
//! with its first and last time and how many rows it had. It goes out when the gap has passed.
//!
//! There is one timer for each key that has a session, not one for each row: where more rows have come in the meantime, it
//! is set anew when it fires.

use serde::Deserialize;
use volley_sdk::{Emit, Timer, Timers, Value, process};

/// The `config:` of the pipeline file.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// A session ends when nothing has come for so many milliseconds of event time.
    pub gap_ms: i64,
}

/// First time, last time, rows.
type Session = (i64, i64, i64);

#[process(outputs = ["session_start", "session_end", "rows"], on_timer = close)]
fn sessionizer(
    #[config] config: &Config,
    #[time] at_ms: i64,
    session: &mut Value<Session>,
    timers: &mut Timers,
    out: &mut Emit<(i64, i64, i64)>,
) {
    let Some((start, end, rows)) = session.get().copied() else {
        session.set((at_ms, at_ms, 1));
        timers.at(at_ms + config.gap_ms);
        return;
    };
    if at_ms > end + config.gap_ms {
        out.push((start, end, rows));
        session.set((at_ms, at_ms, 1));
        timers.at(at_ms + config.gap_ms);
    } else if at_ms < start - config.gap_ms {
        // Out of order, and part of nothing that is still open.
        out.push((at_ms, at_ms, 1));
    } else {
        session.set((start.min(at_ms), end.max(at_ms), rows + 1));
    }
}

/// A session's time may be up.
fn close(config: &Config, timer: Timer, session: &mut Value<Session>, timers: &mut Timers, out: &mut Emit<Session>) {
    let Some((_, end, _)) = session.get().copied() else { return };
    if end + config.gap_ms > timer.at_ms {
        timers.at(end + config.gap_ms);
    } else if let Some(session) = session.take() {
        out.push(session);
    }
}

#[cfg(test)]
mod tests {
    use volley_sdk::testing::{Process, json};
    use volley_sdk::{RecordBatch, batch};

    use super::*;

    fn rows(users: &[&str], times: &[i64]) -> RecordBatch {
        batch! { "user" => users.to_vec(), "at" => times.to_vec() }
    }

    fn open() -> Process<sessionizer> {
        Process::open(json!({ "gap_ms": 100 }), &rows(&["a"], &[0]), &["user"], Some("at")).unwrap()
    }

    #[test]
    fn a_session_goes_out_when_its_gap_has_passed() {
        let mut job = open();
        let outcome = job.rows(&rows(&["a", "b", "a"], &[1_000, 1_010, 1_090])).unwrap();
        assert_eq!(outcome.port("out").len(), 0);
        assert_eq!(job.watermark(1_109).unwrap().port("out").len(), 0);
        let wanted = batch! {
            "user" => ["b"], "at" => [1_110_i64], "session_start" => [1_010_i64], "session_end" => [1_010_i64],
            "rows" => [1_i64],
        };
        assert_eq!(job.watermark(1_110).unwrap().port("out"), &wanted);
        let wanted = batch! {
            "user" => ["a"], "at" => [1_190_i64], "session_start" => [1_000_i64], "session_end" => [1_090_i64],
            "rows" => [2_i64],
        };
        assert_eq!(job.end().unwrap().port("out"), &wanted);
        assert_eq!(job.timers(), 0);
    }

    #[test]
    fn rows_beyond_the_gap_begin_a_session_of_their_own() {
        let mut job = open();
        let outcome = job.rows(&rows(&["a", "a", "a"], &[1_000, 1_101, 700])).unwrap();
        let wanted = batch! {
            "user" => ["a", "a"], "at" => [1_101_i64, 700], "session_start" => [1_000_i64, 700],
            "session_end" => [1_000_i64, 700], "rows" => [1_i64, 1],
        };
        assert_eq!(outcome.port("out"), &wanted);
    }

    #[test]
    fn what_cannot_work_is_refused_by_name() {
        let input = rows(&["a"], &[0]);
        let error = |config, time| match Process::<sessionizer>::open(config, &input, &["user"], time) {
            Ok(_) => String::new(),
            Err(error) => error.to_string(),
        };
        assert!(error(json!({ "gap_ms": 1 }), None).contains("event_time"));
        assert!(error(json!({}), Some("at")).contains("gap_ms"));
    }
}
