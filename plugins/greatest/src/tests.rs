//! The operator beside sorting everything.

use volley_sdk::testing::{self, Aggregation, json};
use volley_sdk::{RecordBatch, batch};

use super::*;

/// The list of each row.
fn tops(output: &RecordBatch) -> Vec<Vec<f64>> {
    let mut all = Vec::new();
    for_lists(output.column("top").unwrap(), |_, list| all.push(list.to_vec())).unwrap();
    all
}

/// Numbers that look like chance, some of them equal.
fn numbers(count: u64) -> Vec<f64> {
    (0..count).map(|row| (row.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 54) as f64 - 500.0).collect()
}

fn sorted(values: impl Iterator<Item = f64>, k: usize) -> Vec<f64> {
    let mut all: Vec<f64> = values.collect();
    all.sort_unstable_by(|one, other| other.total_cmp(one));
    all.truncate(k);
    all
}

#[test]
fn each_group_has_its_greatest() {
    let values = numbers(3_000);
    let groups: Vec<u32> = (0..3_000).map(|row| row % 3).collect();
    for k in [1, 2, 10, 999] {
        let input = batch! { "x" => values.clone() };
        let outcome = testing::aggregate::<Greatest>(json!({ "column": "x", "k": k }), &groups, &input).unwrap();
        let wanted: Vec<Vec<f64>> =
            (0..3).map(|group| sorted(values.iter().copied().skip(group).step_by(3), k)).collect();
        assert_eq!(tops(&outcome.output), wanted, "{k}");
    }
}

#[test]
fn states_come_together_in_any_order() {
    let (values, config) = (numbers(500), json!({ "column": "x", "k": 7 }));
    let open = || Aggregation::<Greatest>::open(config.clone(), &batch! { "x" => [0.0] }).unwrap();
    let part = |range: std::ops::Range<usize>| {
        let mut aggregation = open();
        let input = batch! { "x" => values[range.clone()].to_vec() };
        aggregation.update(&vec![0; range.len()], &input).unwrap();
        aggregation.drain().unwrap()
    };
    let whole = part(0..500);
    for cut in [1, 3, 250, 499] {
        let mut aggregation = open();
        aggregation.merge(&[0], &part(cut..500)).unwrap();
        aggregation.merge(&[0], &part(0..cut)).unwrap();
        assert_eq!(aggregation.drain().unwrap(), whole, "{cut}");
    }
    // With a smaller k what was kept goes on to be read.
    let mut fewer = Aggregation::<Greatest>::open(json!({ "column": "x", "k": 2 }), &batch! { "x" => [0.0] }).unwrap();
    assert_eq!(tops(&fewer.evaluate(&whole).unwrap()), [sorted(values.iter().copied(), 2)]);
}

#[test]
fn what_is_no_number_is_passed_over_and_bad_configurations_are_named() {
    let input =
        batch! { "x" => [Some(f64::NAN), None, Some(4.0), Some(f64::INFINITY)], "user" => ["a", "b", "c", "d"] };
    let outcome = testing::aggregate::<Greatest>(json!({ "column": "x" }), &[0, 0, 1, 1], &input).unwrap();
    assert_eq!(tops(&outcome.output), [vec![], vec![f64::INFINITY, 4.0]]);
    for (config, wanted) in [
        (json!({ "column": "user" }), "column `user` is Utf8"),
        (json!({ "column": "y" }), "no column `y`"),
        (json!({ "k": 3 }), "missing field `column`"),
        (json!({ "column": "x", "k": 0 }), "k: 0 is not between 1 and 1000"),
        (json!({ "column": "x", "k": 1001 }), "k: 1001 is not"),
    ] {
        let error = testing::aggregate::<Greatest>(config, &[0, 0, 0, 0], &input).unwrap_err().to_string();
        assert!(error.contains(wanted), "{error}");
    }
}
