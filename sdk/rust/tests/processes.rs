//! Row-wise processes, run natively: how long state lives, and timers of event time and of the clock.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use volley_sdk::testing::{Process, json};
use volley_sdk::{Emit, RecordBatch, Timer, Timers, Value, batch, process};

/// How many rows of a key came, none of them more than 100 ms after the one before it.
#[process(outputs = ["count"])]
fn recent(amount: i64, #[state(ttl_ms = 100)] count: &mut Value<i64>, out: &mut Emit<(i64,)>) {
    let seen = count.get().copied().unwrap_or_default() + amount;
    count.set(seen);
    out.push((seen,));
}

fn rows(key: &str, times: &[i64]) -> RecordBatch {
    batch! { "key" => vec![key; times.len()], "at" => times.to_vec(), "amount" => vec![1_i64; times.len()] }
}

fn counts(output: &RecordBatch) -> Vec<i64> {
    let counts = output.column("count").unwrap().as_i64().unwrap();
    counts.iter().flatten().collect()
}

#[test]
fn state_lives_in_event_time_until_the_watermark_has_come_so_far() {
    let mut job = Process::<recent>::open(json!({}), &rows("a", &[0]), &["key"], Some("at")).unwrap();
    assert_eq!(counts(job.rows(&rows("a", &[0, 50])).unwrap().port("out")), [1, 2]);
    job.watermark(149).unwrap();
    assert_eq!(counts(job.rows(&rows("a", &[149])).unwrap().port("out")), [3], "written for the row of 50 ms");
    job.watermark(248).unwrap();
    assert_eq!(counts(job.rows(&rows("b", &[300])).unwrap().port("out")), [1]);
    assert_eq!(counts(job.rows(&rows("a", &[248])).unwrap().port("out")), [4]);
    job.watermark(400).unwrap();
    assert_eq!(counts(job.rows(&rows("a", &[400])).unwrap().port("out")), [1], "gone");
    assert_eq!(counts(job.rows(&rows("b", &[400])).unwrap().port("out")), [1], "gone since just now");
}

#[test]
fn state_lives_by_the_clock_where_rows_have_no_time() {
    let mut job = Process::<recent>::open(json!({}), &rows("a", &[0]), &["key"], None).unwrap();
    job.clock(1_000).unwrap();
    assert_eq!(counts(job.rows(&rows("a", &[0, 0])).unwrap().port("out")), [1, 2]);
    job.clock(1_099).unwrap();
    assert_eq!(counts(job.rows(&rows("a", &[0])).unwrap().port("out")), [3]);
    job.clock(1_199).unwrap();
    assert_eq!(counts(job.rows(&rows("a", &[0])).unwrap().port("out")), [1]);
}

/// Tells the first amount of a key again, 10 ms later by the host's clock.
#[process(outputs = ["first"], on_timer = told)]
fn echo(amount: i64, first: &mut Value<i64>, timers: &mut Timers, out: &mut Emit<(i64,)>) {
    let _ = out;
    if first.get().is_none() {
        first.set(amount);
        timers.at_clock(volley_sdk::clock::now_ms() as i64 + 10);
    }
}

fn told(_: Timer, first: &mut Value<i64>, _: &mut Timers, out: &mut Emit<(i64,)>) {
    if let Some(first) = first.take() {
        out.push((first,));
    }
}

#[test]
fn timers_of_the_clock_fire_when_it_has_come_so_far() {
    let mut job = Process::<echo>::open(json!({}), &rows("a", &[0]), &["key"], Some("at")).unwrap();
    job.clock(5).unwrap();
    job.rows(&rows("a", &[7, 8])).unwrap();
    assert_eq!((job.timers(), job.watermark(1_000).unwrap().port("out").len()), (1, 0));
    assert_eq!(job.clock(14).unwrap().port("out").len(), 0);
    let output = job.clock(15).unwrap();
    assert_eq!(output.port("out"), &batch! { "key" => ["a"], "at" => [1_000_i64], "first" => [1_i64] });
    assert_eq!(job.timers(), 0);
}
