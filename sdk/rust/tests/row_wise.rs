//! Row-wise functions, run natively over batches: what becomes of nulls, rejects, names and types.

use serde::Deserialize;
use volley_sdk::testing::{self, json};
use volley_sdk::{Columns, Date, Decimal, Emit, Reject, TimestampMillis, batch, filter, flat_map, map};

#[map(output = "distance_km")]
fn to_km(distance: f64) -> f64 {
    distance * 1.609_344
}

#[filter]
fn large_of_ann(amount: f64, user: &str) -> bool {
    amount >= 100.0 && user == "ann"
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Limits {
    most: i64,
}

#[map(output = "share")]
fn share(#[config] limits: &Limits, #[column("the amount")] amount: i64) -> Result<f64, Reject> {
    if amount > limits.most {
        return Err(Reject::new("too-much", format!("{amount} is above {}", limits.most)));
    }
    Ok(amount as f64 / limits.most as f64)
}

#[derive(Columns)]
struct Parts<'a> {
    first: &'a str,
    #[column("the rest")]
    rest: Option<String>,
}

#[map]
fn split_name<'a>(name: &'a str) -> Parts<'a> {
    match name.split_once(' ') {
        Some((first, rest)) => Parts { first, rest: Some(rest.to_owned()) },
        None => Parts { first: name, rest: None },
    }
}

#[map(outputs = ["sum", "known"], replace)]
fn sum(a: Option<i64>, b: Option<i64>) -> (i64, bool) {
    (a.unwrap_or(0) + b.unwrap_or(0), a.is_some() && b.is_some())
}

#[flat_map(output = "word")]
fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split_whitespace()
}

#[flat_map(outputs = ["n", "square"])]
fn squares(upto: i64) -> Result<Vec<(i64, i64)>, String> {
    if upto < 0 {
        return Err(format!("{upto} is negative"));
    }
    Ok((1..=upto).map(|n| (n, n * n)).collect())
}

#[flat_map(output = "item")]
fn sort_out(text: &str, out: &mut Emit<(String,)>, empty: &mut Emit<()>) {
    if text.is_empty() {
        empty.push(());
    }
    for item in text.split_terminator(',') {
        out.push((item.to_owned(),));
    }
}

#[map(output = "later")]
fn a_day_later(day: Date) -> Date {
    Date(day.0 + 1)
}

#[map(outputs = ["doubled", "at"])]
fn double(price: Decimal<10, 2>, at: TimestampMillis) -> (Decimal<12, 2>, TimestampMillis) {
    (Decimal(price.0 * 2), at)
}

#[test]
fn a_map_appends_its_column_and_leaves_nulls_null() {
    let input = batch! { "id" => [1, 2, 3], "distance" => [Some(100.0), None, Some(0.0)] };
    let outcome = testing::map::<to_km>(json!({}), &input).unwrap();
    let wanted = batch! {
        "id" => [1, 2, 3],
        "distance" => [Some(100.0), None, Some(0.0)],
        "distance_km" => [Some(160.934_4), None, Some(0.0)],
    };
    assert_eq!(outcome.output, wanted);
    // The function itself is still a function.
    assert_eq!(to_km(0.0), 0.0);
}

#[test]
fn integers_are_widened_for_a_float() {
    let outcome = testing::map::<to_km>(json!({}), &batch! { "distance" => [1_i64, 1000] }).unwrap();
    assert_eq!(outcome.output, batch! { "distance" => [1_i64, 1000], "distance_km" => [1.609_344, 1609.344] });
    let outcome = testing::map::<a_day_later>(json!({}), &batch! { "day" => [Date(1)] }).unwrap();
    assert_eq!(outcome.output, batch! { "day" => [Date(1)], "later" => [Date(2)] });
}

#[test]
fn a_filter_drops_undecided_rows() {
    let input = batch! {
        "user" => [Some("ann"), Some("ann"), None, Some("bob"), Some("ann")],
        "amount" => [Some(100.0), Some(99.0), Some(500.0), Some(500.0), None],
    };
    let outcome = testing::filter::<large_of_ann>(json!({}), &input).unwrap();
    assert_eq!(outcome.output, batch! { "user" => [Some("ann")], "amount" => [Some(100.0)] });
}

#[test]
fn rejects_have_index_code_and_message() {
    let input = batch! { "the amount" => [5, 11, 10, 12] };
    let outcome = testing::map::<share>(json!({ "most": 10 }), &input).unwrap();
    assert_eq!(outcome.output, batch! { "the amount" => [5, 10], "share" => [0.5, 1.0] });
    let wanted = [(1, Reject::new("too-much", "11 is above 10")), (3, Reject::new("too-much", "12 is above 10"))];
    assert_eq!(outcome.rejects, wanted);
}

#[test]
fn a_struct_names_its_columns() {
    let outcome = testing::map::<split_name>(json!({}), &batch! { "name" => ["ann b c", "dan"] }).unwrap();
    let wanted = batch! {
        "name" => ["ann b c", "dan"],
        "first" => ["ann", "dan"],
        "the rest" => [Some("b c"), None],
    };
    assert_eq!(outcome.output, wanted);
}

#[test]
fn options_see_nulls_and_replace_leaves_the_input_out() {
    let input = batch! { "a" => [Some(1_i64), None], "b" => [2_i64, 3] };
    let outcome = testing::map::<sum>(json!({}), &input).unwrap();
    assert_eq!(outcome.output, batch! { "sum" => [3_i64, 3], "known" => [true, false] });
}

#[test]
fn a_flat_map_gives_rows_for_rows() {
    let input = batch! { "id" => [1, 2, 3, 4], "text" => [Some("a b"), Some(""), None, Some("c")] };
    let outcome = testing::flat_map::<words>(json!({}), &input).unwrap();
    let wanted =
        batch! { "id" => [1, 1, 4], "text" => [Some("a b"), Some("a b"), Some("c")], "word" => ["a", "b", "c"] };
    assert_eq!(outcome.port("out"), &wanted);

    let outcome = testing::flat_map::<squares>(json!({}), &batch! { "upto" => [2_i64, -1, 1] }).unwrap();
    let wanted = batch! { "upto" => [2_i64, 2, 1], "n" => [1_i64, 2, 1], "square" => [1_i64, 4, 1] };
    assert_eq!(outcome.port("out"), &wanted);
    assert_eq!(outcome.rejects, [(1, Reject::new("rejected", "-1 is negative"))]);
}

#[test]
fn side_outputs_are_ports_by_argument() {
    let input = batch! { "text" => ["a,b", "", "c"] };
    let outcome = testing::flat_map::<sort_out>(json!({}), &input).unwrap();
    assert_eq!(outcome.port("out"), &batch! { "text" => ["a,b", "a,b", "c"], "item" => ["a", "b", "c"] });
    assert_eq!(outcome.port("empty"), &batch! { "text" => [""] });
}

#[test]
fn decimals_and_timestamps_keep_their_meaning() {
    let input = batch! { "price" => [Decimal::<8, 2>(150)], "at" => [TimestampMillis(7)] };
    let outcome = testing::map::<double>(json!({}), &input).unwrap();
    let wanted = batch! {
        "price" => [Decimal::<8, 2>(150)],
        "at" => [TimestampMillis(7)],
        "doubled" => [Decimal::<12, 2>(300)],
    };
    // `at` is written by the function too, in its old place.
    assert_eq!(outcome.output, wanted);
}

#[test]
fn what_does_not_fit_is_named() {
    let text = |error: testing::TestError| error.to_string();
    let error = testing::map::<to_km>(json!({}), &batch! { "distance" => ["far"] }).unwrap_err();
    assert_eq!(
        text(error),
        "invalid input: column `distance` is Utf8, the function wants Float64, another float or an integer"
    );
    let error = testing::map::<share>(json!({ "most": 1 }), &batch! { "amount" => [1] }).unwrap_err();
    assert_eq!(text(error), "invalid input: the input has no column `the amount`; it has: amount");
    let error = testing::map::<share>(json!({ "most": "x" }), &batch! { "the amount" => [1] }).unwrap_err();
    assert_eq!(text(error), "invalid config: most: invalid type: string \"x\", expected i64");
    let error = testing::map::<share>(json!({ "mots": 1 }), &batch! { "the amount" => [1] }).unwrap_err();
    assert!(text(error).contains("unknown field `mots`, expected `most`"));
    let error = testing::map::<to_km>(json!({ "a": 1 }), &batch! { "distance" => [1.0] }).unwrap_err();
    assert!(text(error).contains("unknown field `a`"));
}
