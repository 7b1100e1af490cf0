//! A process that puts the steps of a key together as long as each comes soon after the one before: one row for each journey, with
//! its first and last time, how many steps it had, where it was most often, and the way. It goes out when the gap has passed.
//!
//! Three states: the steps by name as a map, of which a row reads and writes one entry; the way as a list, which rows only push to;
//! number and times as a merged row.

use serde::Deserialize;
use volley_sdk::{Emit, List, Map, Merged, Timer, Timers, process};

/// The `config:` of the pipeline file.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// A journey ends when nothing has come for so many milliseconds of event time.
    pub gap_ms: i64,
}

/// How many steps, first time, last time.
type Extent = (i64, i64, i64);

/// First time, last time, steps, the most frequent one, all of them.
type Journey = (i64, i64, i64, String, String);

#[process(outputs = ["journey_start", "journey_end", "steps", "favourite", "way"], on_timer = close)]
fn journeys(
    #[config] config: &Config,
    step: &str,
    #[time] at_ms: i64,
    #[state(prefetch = step.to_owned())] counts: &mut Map<String, i64>,
    way: &mut List<String>,
    #[state(merge = ["sum", "min", "max"])] extent: &mut Merged<Extent>,
    timers: &mut Timers,
    out: &mut Emit<(i64, i64, i64, String, String)>,
) {
    let before = extent.get().copied();
    match before {
        Some(before) if at_ms > before.2 + config.gap_ms => {
            out.push(ended(before, counts, way, extent));
            timers.at(at_ms + config.gap_ms);
        }
        Some(_) => {}
        None => timers.at(at_ms + config.gap_ms),
    }
    let count = counts.get(step).copied().unwrap_or_default();
    counts.insert(step.to_owned(), count + 1);
    way.push(step.to_owned());
    extent.add((1, at_ms, at_ms));
}

/// A journey's time may be up; where more steps have come in the meantime, the timer is set anew.
fn close(
    config: &Config,
    timer: Timer,
    counts: &mut Map<String, i64>,
    way: &mut List<String>,
    extent: &mut Merged<Extent>,
    timers: &mut Timers,
    out: &mut Emit<Journey>,
) {
    let Some(before) = extent.get().copied() else { return };
    if before.2 + config.gap_ms > timer.at_ms {
        timers.at(before.2 + config.gap_ms);
    } else {
        out.push(ended(before, counts, way, extent));
    }
}

/// The journey that is there; none is there any more.
fn ended(
    (steps, start, end): Extent,
    counts: &mut Map<String, i64>,
    way: &mut List<String>,
    extent: &mut Merged<Extent>,
) -> Journey {
    // The first in order of those that are the most frequent.
    let most = counts.iter().rev().max_by_key(|(_, count)| **count);
    let favourite = most.map(|(step, _)| step.clone()).unwrap_or_default();
    counts.clear();
    extent.clear();
    (start, end, steps, favourite, way.take().join(" > "))
}

#[cfg(test)]
mod tests {
    use volley_sdk::testing::{Process, json};
    use volley_sdk::{RecordBatch, batch};

    use super::*;

    fn rows(users: &[&str], steps: &[&str], times: &[i64]) -> RecordBatch {
        batch! { "user" => users.to_vec(), "step" => steps.to_vec(), "at" => times.to_vec() }
    }

    fn open() -> Process<journeys> {
        Process::open(json!({ "gap_ms": 100 }), &rows(&["a"], &["home"], &[0]), &["user"], Some("at")).unwrap()
    }

    #[test]
    fn a_journey_goes_out_when_its_gap_has_passed() {
        let mut job = open();
        let users = ["a", "b", "a", "a", "a"];
        let first = rows(&users, &["home", "home", "list", "cart", "list"], &[1_000, 1_010, 1_050, 1_080, 1_090]);
        assert_eq!(job.rows(&first).unwrap().port("out").len(), 0);
        assert_eq!(job.watermark(1_109).unwrap().port("out").len(), 0);
        job.rows(&rows(&["a"], &["cart"], &[1_109])).unwrap();
        let ended = job.watermark(1_208).unwrap();
        let wanted = batch! {
            "user" => ["b"], "at" => [1_110_i64], "journey_start" => [1_010_i64], "journey_end" => [1_010_i64],
            "steps" => [1_i64], "favourite" => ["home"], "way" => ["home"],
        };
        assert_eq!(ended.port("out"), &wanted);
        let ended = job.end().unwrap();
        let wanted = batch! {
            "user" => ["a"], "at" => [1_209_i64], "journey_start" => [1_000_i64], "journey_end" => [1_109_i64],
            "steps" => [5_i64], "favourite" => ["cart"], "way" => ["home > list > cart > list > cart"],
        };
        assert_eq!(ended.port("out"), &wanted);
        assert_eq!(job.timers(), 0);
    }

    #[test]
    fn steps_beyond_the_gap_begin_a_journey_of_their_own() {
        let mut job = open();
        let outcome = job.rows(&rows(&["a"; 3], &["home", "cart", "cart"], &[1_000, 1_101, 1_201])).unwrap();
        let wanted = batch! {
            "user" => ["a"], "at" => [1_101_i64], "journey_start" => [1_000_i64], "journey_end" => [1_000_i64],
            "steps" => [1_i64], "favourite" => ["home"], "way" => ["home"],
        };
        assert_eq!(outcome.port("out"), &wanted);
        let wanted = batch! {
            "user" => ["a"], "at" => [1_301_i64], "journey_start" => [1_101_i64], "journey_end" => [1_201_i64],
            "steps" => [2_i64], "favourite" => ["cart"], "way" => ["cart > cart"],
        };
        assert_eq!(job.end().unwrap().port("out"), &wanted);
    }
}
