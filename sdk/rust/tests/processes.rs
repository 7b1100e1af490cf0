//! Row-wise processes, run natively: how long state lives, and timers of event time and of the clock.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use volley_sdk::testing::{Process, json};
use volley_sdk::{Columns, Emit, List, Map, Merged, RecordBatch, Reject, Timer, Timers, Value, batch, process};

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
    counts_of(output, "count")
}

fn counts_of(output: &RecordBatch, column: &str) -> Vec<i64> {
    output.column(column).unwrap().as_i64().unwrap().iter().flatten().collect()
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

#[derive(serde::Deserialize)]
struct Every {
    every_ms: i64,
}

#[derive(Columns)]
struct Path {
    path: String,
}

/// Counts the pages of a user in stretches of time, and tells all that is known of a user when a timer fires.
#[process(outputs = ["page", "seen", "rows", "longest_ms"], on_timer = tell)]
fn pages(
    #[config] config: &Every,
    #[column("the page")] page: &str,
    #[time] at_ms: i64,
    ms: Option<i64>,
    #[state(prefetch = (at_ms / config.every_ms, page.to_owned()))] seen: &mut Map<(i64, String), i64>,
    #[state(ttl_ms = 1_000_000, version = 3)] path: &mut List<String>,
    first_ms: &mut Value<i64>,
    #[state(merge = ["sum", "max"])] total: &mut Merged<(i64, Option<i64>)>,
    timers: &mut Timers,
    _out: &mut Emit<(String, i64, i64, Option<i64>)>,
    left: &mut Emit<Path>,
) -> Result<(), Reject> {
    if page.is_empty() {
        return Err(Reject::new("no-page", "a page has a name"));
    }
    let key = (at_ms / config.every_ms, page.to_owned());
    let before = seen.get(&key).copied().unwrap_or_default();
    seen.insert(key, before + 1);
    path.push(page.to_owned());
    total.add((1, ms));
    if first_ms.get().is_none() {
        first_ms.set(at_ms);
        timers.at(at_ms + config.every_ms);
    }
    if page == "exit" {
        left.push(Path { path: path.take().join(">") });
    }
    Ok(())
}

#[allow(clippy::too_many_arguments, reason = "a state of each kind, and two outputs")]
fn tell(
    _: &Every,
    _: Timer,
    seen: &mut Map<(i64, String), i64>,
    path: &mut List<'_, String>,
    first_ms: &mut Value<i64>,
    total: &mut Merged<(i64, Option<i64>)>,
    _: &mut Timers,
    out: &mut Emit<(String, i64, i64, Option<i64>)>,
    left: &mut Emit<Path>,
) {
    first_ms.clear();
    let (rows, longest_ms) = total.get().copied().unwrap_or_default();
    for ((_, page), count) in seen.iter() {
        out.push((page.clone(), *count, rows, longest_ms));
    }
    seen.clear();
    total.clear();
    if !path.get().is_empty() {
        left.push(Path { path: path.take().join(">") });
    }
}

#[test]
fn maps_lists_and_merged_state_are_read_and_written_row_by_row() {
    let rows = |users: [&str; 6], pages: [Option<&str>; 6], times: [i64; 6]| {
        let ms = [Some(5_i64), None, Some(9), None, None, None];
        batch! { "user" => users, "the page" => pages, "at" => times, "ms" => ms }
    };
    let pages = [Some("home"), Some("home"), Some("cart"), Some(""), None, Some("exit")];
    let first = rows(["a", "b", "a", "a", "a", "b"], pages, [0, 1, 2, 3, 4, 5]);
    let mut job = Process::<pages>::open(json!({ "every_ms": 100 }), &first, &["user"], Some("at")).unwrap();
    let outcome = job.rows(&first).unwrap();
    assert_eq!(outcome.rejects.len(), 1);
    assert_eq!(outcome.port("left"), &batch! { "user" => ["b"], "at" => [5_i64], "path" => ["home>exit"] });
    let pages = [Some("home"), Some("home"), None, None, None, Some("home")];
    job.rows(&rows(["a", "b", "b", "b", "b", "b"], pages, [6, 7, 7, 7, 7, 8])).unwrap();
    let told = job.watermark(100).unwrap();
    let out = batch! {
        "user" => ["a", "a"], "at" => [100_i64, 100], "page" => ["cart", "home"], "seen" => [1_i64, 2],
        "rows" => [3_i64, 3], "longest_ms" => [Some(9_i64), Some(9)],
    };
    assert_eq!(told.port("out"), &out);
    assert_eq!(told.port("left"), &batch! { "user" => ["a"], "at" => [100_i64], "path" => ["home>cart>home"] });
    // The other one's merged row has a column in which nothing was added.
    let told = job.watermark(101).unwrap();
    let longest: Vec<Option<i64>> = told.port("out").column("longest_ms").unwrap().as_i64().unwrap().iter().collect();
    assert_eq!((counts_of(told.port("out"), "seen"), longest), (vec![1, 3], vec![None, None]));
    assert_eq!(told.port("left"), &batch! { "user" => ["b"], "at" => [101_i64], "path" => ["home>home"] });
    // All has begun anew.
    job.rows(&rows(["a", "a", "b", "b", "b", "b"], [Some("cart"), None, None, None, None, None], [200; 6])).unwrap();
    let told = job.end().unwrap();
    assert_eq!((counts_of(told.port("out"), "seen"), counts_of(told.port("out"), "rows")), (vec![1], vec![1]));
}

#[test]
fn states_of_each_kind_are_declared_as_the_arguments_say() {
    use volley_sdk::ProcessOperator as _;
    use volley_sdk::state::{MergeFunction, StateDeclaration};
    assert_eq!(
        <pages as volley_sdk::ProcessOperator>::states(),
        [
            StateDeclaration::map::<(i64, String), i64>("seen"),
            StateDeclaration::list::<String>("path").with_version(3).with_ttl_ms(1_000_000),
            StateDeclaration::value::<i64>("first_ms"),
            StateDeclaration::merge::<(i64, Option<i64>)>("total", [MergeFunction::Sum, MergeFunction::Max]),
        ]
    );
    assert_eq!(recent::states().len(), 1);
}

/// A sum of integers that is read.
#[process(output = "sum")]
fn summed(amount: i64, #[state(merge = "sum")] sum: &mut Merged<i64>, out: &mut Emit<(i64,)>) {
    sum.add(amount);
    out.push((sum.get().copied().unwrap_or_default(),));
}

#[test]
fn a_sum_that_does_not_fit_fails_the_call_and_nothing_of_it_is_stored() {
    let rows = |amounts: &[i64]| batch! { "key" => vec!["a"; amounts.len()], "amount" => amounts.to_vec() };
    let mut job = Process::<summed>::open(json!({}), &rows(&[0]), &["key"], None).unwrap();
    assert_eq!(counts_of(job.rows(&rows(&[5, i64::MAX - 9])).unwrap().port("out"), "sum"), [5, i64::MAX - 4]);
    let error = job.rows(&rows(&[1, 9, 1])).unwrap_err().to_string();
    assert!(error.contains("a sum of the state `sum` does not fit"), "{error}");
    assert_eq!(counts_of(job.rows(&rows(&[-1])).unwrap().port("out"), "sum"), [i64::MAX - 5]);
}

/// Rows that are counted in a map, and whose sum is read where they add nothing.
#[process(outputs = ["count", "sum"])]
fn counted(
    amount: i64,
    counts: &mut Map<bool, i64>,
    #[state(merge = "sum")] sum: &mut Merged<i64>,
    out: &mut Emit<(i64, Option<i64>)>,
) {
    let count = counts.get(&true).copied().unwrap_or_default() + 1;
    counts.insert(true, count);
    if amount != 0 {
        sum.add(amount);
    }
    out.push((count, if amount == 0 { sum.get().copied() } else { None }));
}

#[test]
fn what_a_call_has_written_before_it_fails_is_not_kept() {
    let rows = |amounts: [i64; 2]| batch! { "key" => ["a", "b"], "amount" => amounts };
    let mut job = Process::<counted>::open(json!({}), &rows([0, 0]), &["key"], None).unwrap();
    job.rows(&rows([5, 6])).unwrap();
    // The host finds it when the sum of `a` and the counts of both are written.
    let error = job.rows(&rows([1, i64::MAX])).unwrap_err().to_string();
    assert!(error.contains("rows were not added to the state `sum`"), "{error}");
    let wanted = batch! { "key" => ["a", "b"], "count" => [2_i64, 2], "sum" => [5_i64, 6] };
    assert_eq!(job.rows(&rows([0, 0])).unwrap().port("out"), &wanted);
}
