//! The operator beside exact quantiles, and its sketch by itself.

use volley_sdk::batch;
use volley_sdk::testing::{self, Aggregation, json};

use super::*;

/// Numbers that look like chance, over many magnitudes.
fn numbers(count: usize) -> Vec<f64> {
    let mut seed = 7_u64;
    let mut next = || {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (seed >> 11) as f64 / (1_u64 << 53) as f64
    };
    (0..count).map(|_| (next() * 40.0 - 20.0).exp() * if next() < 0.2 { -1.0 } else { 1.0 }).collect()
}

fn exact(numbers: &[f64], quantile: f64) -> f64 {
    let mut sorted = numbers.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    sorted[((quantile * sorted.len() as f64).ceil() as usize).max(1) - 1]
}

#[test]
fn quantiles_are_within_the_accuracy() {
    for accuracy in [0.1, 0.01, 0.001] {
        let values = numbers(10_000);
        let groups: Vec<u32> = (0..10_000).map(|row| row % 3).collect();
        let config = json!({ "column": "x", "quantiles": [0, 0.25, 0.5, 0.99, 0.999, 1], "accuracy": accuracy });
        let input = batch! { "x" => values.clone() };
        let outcome = testing::aggregate::<QuantileSketch>(config, &groups, &input).unwrap();
        let names = ["p0", "p25", "p50", "p99", "p99_9", "p100"];
        for (name, quantile) in names.into_iter().zip([0.0, 0.25, 0.5, 0.99, 0.999, 1.0]) {
            let column = outcome.output.column(name).unwrap();
            for group in 0..3 {
                let of_group: Vec<f64> = values.iter().copied().skip(group).step_by(3).collect();
                let (wanted, found) = (exact(&of_group, quantile), column.as_f64().unwrap().get(group).unwrap());
                let error = (found - wanted).abs() / wanted.abs();
                assert!(error <= accuracy * 1.000_001, "{name} of {group}: {found} for {wanted}");
            }
        }
    }
}

#[test]
fn a_sketch_depends_on_the_values_alone() {
    let values = numbers(2_000);
    let config = json!({ "column": "x" });
    let one = |range: std::ops::Range<usize>| {
        let input = batch! { "x" => values[range.clone()].to_vec() };
        let mut aggregation = Aggregation::<QuantileSketch>::open(config.clone(), &input).unwrap();
        aggregation.update(&vec![0; range.len()], &input).unwrap();
        aggregation.drain().unwrap()
    };
    let whole = one(0..2_000);
    for cut in [1, 700, 1_999] {
        let mut aggregation = Aggregation::<QuantileSketch>::open(config.clone(), &batch! { "x" => [0.0] }).unwrap();
        aggregation.merge(&[0], &one(cut..2_000)).unwrap();
        aggregation.merge(&[0], &one(0..cut)).unwrap();
        assert_eq!(aggregation.drain().unwrap(), whole, "{cut}");
    }
}

#[test]
fn values_of_every_kind_have_a_bucket() {
    let buckets = Buckets::of_accuracy(0.01);
    let values = [f64::NEG_INFINITY, -1e300, -1.0, -5e-324, 0.0, 5e-324, 1e-300, 1.0, 1.5, f64::MAX, f64::INFINITY];
    let of: Vec<i32> = values.iter().map(|value| buckets.of(*value).unwrap()).collect();
    assert!(of.is_sorted(), "{of:?}");
    assert_eq!((buckets.of(-0.0), buckets.of(f64::NAN)), (Some(0), None));
    assert_eq!(buckets.middle(of[10]), f64::INFINITY);
    assert_eq!(buckets.middle(of[0]), f64::NEG_INFINITY);
}

#[test]
fn the_stored_forms_are_frozen() {
    let written = |counted: [(i32, u64); 3]| {
        let (counted, mut bytes) = (counted.map(|(bucket, count)| Counted { bucket, count }), Vec::new());
        sketch::write(&counted, &mut bytes);
        let read = sketch::read(&bytes).collect::<Result<Vec<_>, _>>().unwrap();
        assert_eq!(sketch::summed(&read).collect::<Vec<_>>(), counted);
        bytes
    };
    let bytes = written([(-3, 1), (0, 300), (70_000, 2)]);
    assert_eq!(bytes, [0, 0, 0, 128, 5, 1, 6, 172, 2, 224, 197, 8, 2]);
    assert_eq!(sketch::few(&bytes), None);
    for cut in [1, 2, 3, 5, 7, 8, 12] {
        assert!(sketch::read(&bytes[..cut]).any(|counted| counted.is_err()), "{cut}");
    }
    let bytes = written([(-3, 1), (0, 2), (70_000, 1)]);
    assert_eq!(bytes, [253, 255, 255, 255, 0, 0, 0, 0, 0, 0, 0, 0, 112, 17, 1, 0]);
    let few = sketch::few(&bytes).unwrap();
    let ranks = [0.0, 0.25, 0.26, 0.75, 0.76, 1.0].map(|quantile| sketch::quantile_of_few(few, quantile).unwrap());
    assert_eq!((ranks, sketch::quantile_of_few(&[], 0.5)), ([-3, -3, 0, 0, 70_000, 70_000], None));
}

#[test]
fn groups_of_few_values_and_of_many_lie_side_by_side() {
    let counts = [0, 1, 40, 3, 32, 33, 200, 2, 0];
    let groups: Vec<u32> = (0_u32..).zip(counts).flat_map(|(group, count)| vec![group; count]).collect();
    let values: Vec<f64> = numbers(groups.len()).iter().map(|value| value.round()).collect();
    let input = batch! { "x" => values.clone() };
    let drained = |parts: &[std::ops::Range<usize>]| {
        let mut aggregation = Aggregation::<QuantileSketch>::open(json!({ "column": "x" }), &input).unwrap();
        // The last group has no row that counts.
        aggregation.update(&[8], &batch! { "x" => [f64::NAN] }).unwrap();
        for part in parts {
            aggregation.update(&groups[part.clone()], &batch! { "x" => values[part.clone()].to_vec() }).unwrap();
        }
        aggregation.drain().unwrap()
    };
    let whole = drained(std::slice::from_ref(&(0..groups.len())));
    assert_eq!(whole, drained(&[100..groups.len(), 0..100]));
    let mut merged = Aggregation::<QuantileSketch>::open(json!({ "column": "x" }), &input).unwrap();
    merged.merge(&(0..9).collect::<Vec<_>>(), &whole).unwrap();
    assert_eq!(merged.drain().unwrap(), whole);
}

#[test]
fn what_is_no_number_is_passed_over_and_bad_configurations_are_named() {
    let input = batch! { "x" => [Some(f64::NAN), None, Some(4.0)], "user" => ["a", "b", "c"] };
    let outcome = testing::aggregate::<QuantileSketch>(json!({ "column": "x" }), &[0, 0, 1], &input).unwrap();
    let p50 = outcome.output.column("p50").unwrap();
    assert!(p50.is_null(0) && !p50.is_null(1));
    for (config, wanted) in [
        (json!({ "column": "user" }), "column `user` is Utf8"),
        (json!({ "column": "y" }), "no column `y`"),
        (json!({ "column": "x", "accuracy": 0.5 }), "accuracy: 0.5"),
        (json!({ "column": "x", "quantiles": [] }), "the list is empty"),
        (json!({ "column": "x", "quantiles": [1.5] }), "1.5 is not one"),
        (json!({ "column": "x", "quantiles": [0.5, 0.5] }), "twice"),
        (json!({ "column": "x", "quantiles": [0.12345] }), "three digits"),
    ] {
        let error = testing::aggregate::<QuantileSketch>(config, &[0, 0, 0], &input).unwrap_err().to_string();
        assert!(error.contains(wanted), "{error}");
    }
}
