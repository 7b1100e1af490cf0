//! Aggregates against a row-wise model: random rows, groups, batches, and ways through state.
#![allow(clippy::unwrap_used, reason = "a test helper may panic like a test")]

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Decimal128Array, Float64Array, Int64Array, RecordBatch, StringArray};
use arrow::datatypes::Float64Type;
use arrow::util::display::array_value_to_string;
use proptest::prelude::*;
use volley_api::{AggregatorFactory, EventTimeColumn};
use volley_expr::Aggregates;

const GROUPS: usize = 5;
/// A permutation of the groups: another aggregator numbers them in its own order.
const PERMUTED: [usize; GROUPS] = [3, 0, 4, 1, 2];
const SQL: [&str; 18] = [
    "count(*)",
    "count(i)",
    "sum(i)",
    "sum(i * 2) FILTER (WHERE i > 0)",
    "sum(f)",
    "sum(d)",
    "avg(f)",
    "avg(i)",
    "min(i)",
    "max(f)",
    "min(s)",
    "max(s) FILTER (WHERE i > 0)",
    "first(s)",
    "last(i)",
    "stddev(f)",
    "var_pop(i)",
    "count_distinct(s)",
    "approx_distinct(i)",
];

#[derive(Debug, Clone)]
struct Row {
    group: usize,
    i: Option<i64>,
    f: Option<f64>,
    s: Option<String>,
    time: Option<i64>,
}

fn rows() -> impl Strategy<Value = Vec<Row>> {
    let i = proptest::option::weighted(0.8, -50_i64..50);
    let f = proptest::option::weighted(0.8, -1e3..1e3);
    let s = proptest::option::weighted(0.8, "[a-cä]{0,3}");
    let time = proptest::option::weighted(0.9, 0_i64..20);
    let row = (0..GROUPS, i, f, s, time).prop_map(|(group, i, f, s, time)| Row { group, i, f, s, time });
    proptest::collection::vec(row, 0..60)
}

fn batch(rows: &[Row]) -> RecordBatch {
    let decimals = rows.iter().map(|row| row.i.map(i128::from)).collect::<Decimal128Array>();
    let columns: [(&str, ArrayRef); 5] = [
        ("i", Arc::new(rows.iter().map(|row| row.i).collect::<Int64Array>())),
        ("f", Arc::new(rows.iter().map(|row| row.f).collect::<Float64Array>())),
        ("s", Arc::new(rows.iter().map(|row| row.s.clone()).collect::<StringArray>())),
        ("d", Arc::new(decimals.with_precision_and_scale(10, 2).unwrap())),
        ("time", Arc::new(rows.iter().map(|row| row.time).collect::<Int64Array>())),
    ];
    RecordBatch::try_from_iter_with_nullable(columns.map(|(name, column)| (name, column, true))).unwrap()
}

/// What the aggregates are for the rows of one group, as text; floats with the digits that every order of adding gives.
fn model(rows: &[&Row]) -> Vec<String> {
    let text = |value: Option<String>| value.unwrap_or_else(|| "-".into());
    let ints: Vec<i64> = rows.iter().filter_map(|row| row.i).collect();
    let floats: Vec<f64> = rows.iter().filter_map(|row| row.f).collect();
    let texts: Vec<&str> = rows.iter().filter_map(|row| row.s.as_deref()).collect();
    let positive: Vec<&&Row> = rows.iter().filter(|row| row.i.is_some_and(|i| i > 0)).collect();
    let some = |is_some: bool, value: i64| is_some.then(|| value.to_string());
    let of_ints: Vec<f64> = ints.iter().map(|&i| i as f64).collect();
    let timed = || rows.iter().filter(|row| row.time.is_some());
    // `min_by_key` takes the first of equals, `max_by_key` the last.
    let first = timed().min_by_key(|row| row.time);
    let last = timed().max_by_key(|row| row.time);
    let sum: i64 = ints.iter().sum();
    vec![
        rows.len().to_string(),
        ints.len().to_string(),
        text(some(!ints.is_empty(), sum)),
        text(some(!positive.is_empty(), positive.iter().filter_map(|row| row.i).sum::<i64>() * 2)),
        text((!floats.is_empty()).then(|| rounded(floats.iter().sum()))),
        text(
            (!ints.is_empty())
                .then(|| format!("{}{}.{:02}", if sum < 0 { "-" } else { "" }, sum.abs() / 100, sum.abs() % 100)),
        ),
        text((!floats.is_empty()).then(|| rounded(floats.iter().sum::<f64>() / floats.len() as f64))),
        text((!ints.is_empty()).then(|| rounded(sum as f64 / ints.len() as f64))),
        text(ints.iter().min().map(i64::to_string)),
        text(floats.iter().copied().reduce(f64::max).map(rounded)),
        text(texts.iter().min().map(|&s| s.into())),
        text(positive.iter().filter_map(|row| row.s.clone()).max()),
        text(first.and_then(|row| row.s.clone())),
        text(last.and_then(|row| row.i).map(|i| i.to_string())),
        text(variance(&floats, 1).map(|variance| rounded(variance.sqrt()))),
        text(variance(&of_ints, 0).map(rounded)),
        texts.iter().collect::<BTreeSet<_>>().len().to_string(),
        // Exact for so few.
        ints.iter().collect::<BTreeSet<_>>().len().to_string(),
    ]
}

fn variance(values: &[f64], fewer: usize) -> Option<f64> {
    let mean = values.iter().sum::<f64>() / values.len() as f64;
    let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
    (values.len() > fewer).then(|| squares / (values.len() - fewer) as f64)
}

/// Results of a few thousand at most, to a billionth of that.
fn rounded(value: f64) -> String {
    // Without the sign of a zero, which rounding may bring about.
    format!("{:.6}", (value * 1e6).round() / 1e6 + 0.0)
}

fn shown(column: &ArrayRef, row: usize) -> String {
    if column.is_null(row) {
        return "-".into();
    }
    match column.as_primitive_opt::<Float64Type>() {
        Some(floats) => rounded(floats.value(row)),
        None => array_value_to_string(column, row).unwrap(),
    }
}

fn near(a: &str, b: &str) -> bool {
    match (a.parse::<f64>(), b.parse::<f64>()) {
        // A value between two roundings may become either.
        (Ok(a), Ok(b)) => (a - b).abs() <= 1.5e-6,
        _ => a == b,
    }
}

fn aggregates() -> Aggregates {
    Aggregates::new(SQL.iter().enumerate().map(|(index, sql)| (format!("r{index}"), (*sql).into())).collect())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn any_way_through_batches_and_state_gives_what_the_model_gives(
        rows in rows(),
        // Of each batch: how many rows, and whether its state is taken afterwards.
        cuts in proptest::collection::vec((1_usize..12, any::<bool>()), 1..8),
    ) {
        let factory = aggregates();
        let time = EventTimeColumn::new("time");
        let schema = batch(&[]).schema();
        let create = || factory.create(&schema, Some(&time)).unwrap();
        let (mut delta, mut merged) = (create(), create());
        let mut rest = rows.as_slice();
        let mut take = |delta: &mut dyn volley_api::Aggregator| {
            let state = delta.drain(GROUPS).unwrap();
            merged.merge(&state, &PERMUTED, GROUPS).unwrap();
        };
        for (size, is_taken) in cuts.into_iter().cycle() {
            let (part, others) = rest.split_at(size.min(rest.len()));
            let groups: Vec<usize> = part.iter().map(|row| row.group).collect();
            delta.update(&batch(part), &groups, GROUPS).unwrap();
            if is_taken {
                take(&mut *delta);
            }
            rest = others;
            if rest.is_empty() {
                break;
            }
        }
        take(&mut *delta);
        let results = merged.evaluate(GROUPS).unwrap();
        for (group, place) in PERMUTED.into_iter().enumerate() {
            let own: Vec<&Row> = rows.iter().filter(|row| row.group == group).collect();
            for ((sql, expected), column) in SQL.iter().zip(model(&own)).zip(&results) {
                let seen = shown(column, place);
                prop_assert!(near(&seen, &expected), "{} of group {}: {}, expected {}", sql, group, seen, expected);
            }
        }
    }
}
