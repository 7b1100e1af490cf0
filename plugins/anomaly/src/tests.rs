//! The operator by itself, over state that the test holds.

use volley_sdk::testing::{Process, json};
use volley_sdk::{RecordBatch, batch, clock};

use super::*;

fn rows(sensors: &[&str], readings: &[Option<f64>], times: &[i64]) -> RecordBatch {
    batch! { "sensor" => sensors.to_vec(), "celsius" => readings.to_vec(), "at" => times.to_vec() }
}

macro_rules! open {
    ($config:tt) => {
        Process::<Anomaly>::open(json!($config), &rows(&["a"], &[None], &[0]), &["sensor"], Some("at")).unwrap()
    };
}

#[test]
fn readings_far_from_all_before_are_told() {
    let mut job = open!({ "column": "celsius", "deviations": 2, "readings_min": 4 });
    job.rows(&rows(&["a", "a", "b"], &[Some(1.0), Some(3.0), Some(90.0)], &[1, 2, 3])).unwrap();
    let more = rows(&["a", "a", "a", "a"], &[Some(1.0), Some(3.0), None, Some(8.0)], &[4, 5, 6, 7]);
    let wanted = batch! {
        "sensor" => ["a"], "at" => [7_i64], "reading" => [8.0], "mean" => [2.0], "deviations" => [6.0], "recent" => [1_i64],
    };
    assert_eq!(job.rows(&more).unwrap().port("out").columns(), wanted.columns());
    // What was told counts like any other reading, and is remembered for an hour.
    let told = |job: &mut Process<Anomaly>, at: i64| {
        let outcome = job.rows(&rows(&["a"], &[Some(1_000.0 * at as f64)], &[at])).unwrap();
        outcome.port("out").columns().last().unwrap().clone()
    };
    let one = |count: i64| batch! { "recent" => [count] }.columns()[0].clone();
    assert_eq!(told(&mut job, 8), one(2));
    assert_eq!(told(&mut job, RECENT_MS + 7), one(2));
}

#[test]
fn silent_sensors_are_told_by_either_time() {
    let mut job = open!({ "column": "celsius", "silent_ms": 100 });
    job.rows(&rows(&["a", "b"], &[Some(1.0), Some(1.0)], &[0, 50])).unwrap();
    job.rows(&rows(&["a"], &[Some(1.0)], &[90])).unwrap();
    let wanted = batch! { "sensor" => ["b"], "at" => [150_i64], "since_ms" => [50_i64] };
    assert_eq!(job.watermark(189).unwrap().port("silent").columns(), wanted.columns());
    let wanted = batch! { "sensor" => ["a"], "at" => [190_i64], "since_ms" => [90_i64] };
    assert_eq!(job.end().unwrap().port("silent").columns(), wanted.columns());
    clock::set_now_ms(1_000);
    let mut job = open!({ "column": "celsius", "silent_ms": 100, "silent_by": "clock" });
    job.rows(&rows(&["a", "b"], &[Some(1.0), Some(1.0)], &[0, 50])).unwrap();
    assert_eq!(job.end().unwrap().port("silent").len(), 0, "what waits for the clock does not fire at the end");
    assert_eq!(job.timers(), 2);
}

#[test]
fn what_cannot_work_is_refused_by_name() {
    let input = rows(&["a"], &[None], &[0]);
    for (config, time, wanted) in [
        (json!({ "column": "celsius" }), None, "event_time"),
        (json!({ "column": "sensor" }), Some("at"), "column `sensor`"),
        (json!({ "column": "celsius", "deviations": 0 }), Some("at"), "deviations"),
        (json!({ "column": "celsius", "readings_min": 1 }), Some("at"), "readings_min"),
        (json!({ "column": "celsius", "silent_ms": 0 }), Some("at"), "silent_ms"),
        (json!({ "column": "celsius", "silent_by": "sun" }), Some("at"), "silent_by"),
    ] {
        let error = match Process::<Anomaly>::open(config, &input, &["sensor"], time) {
            Ok(_) => panic!("no error about {wanted}"),
            Err(error) => error.to_string(),
        };
        assert!(error.contains(wanted), "{error}");
    }
}
