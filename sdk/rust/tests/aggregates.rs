//! Row-wise aggregates, run natively: every type of field, configurations, refused rows, rows in turns of eight.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;

use proptest::prelude::*;
use serde::Deserialize;
use volley_sdk::testing::{self, Aggregation, json};
use volley_sdk::{AggregateState, Columns, Date, Reject, TimestampMillis, aggregate, batch};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Limits {
    most: i64,
}

/// A field of each type.
#[derive(Debug, Default, Clone, PartialEq, AggregateState)]
struct Everything {
    rows: u64,
    small: i8,
    any_large: bool,
    mean_of: f64,
    first: Option<i64>,
    #[column("the longest")]
    longest: String,
    bytes: Vec<u8>,
    numbers: Vec<i64>,
    day: Option<Date>,
    at: TimestampMillis,
}

#[derive(Columns)]
struct Shown {
    rows: u64,
    share: f64,
    longest: Option<String>,
    numbers: Vec<i64>,
}

#[aggregate]
impl Everything {
    fn update(
        &mut self,
        #[config] limits: &Limits,
        amount: i64,
        #[column("the name")] name: Option<&str>,
    ) -> Result<(), Reject> {
        if amount > limits.most {
            return Err(Reject::new("too-much", format!("{amount} is above {}", limits.most)));
        }
        let name = name.unwrap_or_default();
        self.merge(Self {
            rows: 1,
            small: 1,
            any_large: amount == limits.most,
            mean_of: amount as f64,
            first: Some(amount),
            longest: name.to_owned(),
            bytes: name.as_bytes().to_vec(),
            numbers: vec![amount],
            day: Some(Date(7)),
            at: TimestampMillis(amount),
        });
        Ok(())
    }

    fn merge(&mut self, other: Self) {
        self.rows += other.rows;
        self.small = self.small.saturating_add(other.small);
        self.any_large |= other.any_large;
        self.mean_of += other.mean_of;
        self.first = self.first.or(other.first);
        if other.longest.len() > self.longest.len() {
            self.longest = other.longest;
        }
        self.bytes.extend(other.bytes);
        self.numbers.extend(other.numbers);
        self.numbers.sort_unstable();
        self.day = self.day.or(other.day);
        self.at = self.at.max(other.at);
    }

    fn evaluate(&self, #[config] limits: &Limits) -> Shown {
        Shown {
            rows: self.rows,
            share: self.mean_of / limits.most as f64,
            longest: (!self.longest.is_empty()).then(|| self.longest.clone()),
            numbers: self.numbers.clone(),
        }
    }
}

#[test]
fn every_field_comes_back_from_its_column() {
    let input = batch! { "amount" => [1_i64, 5, 10, 11, 2], "the name" => [Some("a"), None, Some("bcd"), Some("x"), Some("ef")] };
    let config = json!({ "most": 10 });
    let outcome = testing::aggregate::<EverythingOperator>(config.clone(), &[0, 1, 0, 1, 1], &input).unwrap();
    assert_eq!(
        outcome.output,
        batch! {
            "rows" => [2_u64, 2],
            "share" => [1.1, 0.7],
            "longest" => [Some("bcd"), Some("ef")],
            "numbers" => [vec![1_i64, 10], vec![2, 5]],
        }
    );
    assert_eq!(outcome.rejects, [(3, Reject::new("too-much", "11 is above 10"))]);
    let mut one = Aggregation::<EverythingOperator>::open(config.clone(), &input).unwrap();
    one.update(&[0, 1, 0, 1, 1], &input).unwrap();
    let state = one.drain().unwrap();
    let mut other = Aggregation::<EverythingOperator>::open(config, &input).unwrap();
    other.merge(&[0, 1], &state).unwrap();
    assert_eq!(other.drain().unwrap(), state, "a state that is merged into nothing is what it was");
    assert_eq!(other.drain().unwrap().len(), 0, "and then there are no groups");
    let names: Vec<&str> = state.schema().fields().iter().map(|field| field.name.as_str()).collect();
    assert_eq!(names[..6], ["rows", "small", "any_large", "mean_of", "first", "the longest"]);
}

#[test]
fn groups_and_rows_must_fit_together() {
    let input = batch! { "amount" => [1_i64], "the name" => ["a"] };
    let mut one = Aggregation::<EverythingOperator>::open(json!({ "most": 1 }), &input).unwrap();
    let error = one.update(&[0, 1], &input).unwrap_err().to_string();
    assert!(error.contains("2 groups for 1 rows"), "{error}");
}

/// Numbers, and what some groups have none of: columns with nulls in and out.
#[derive(Debug, Default, AggregateState)]
struct Range {
    rows: i64,
    least: Option<f64>,
    last: String,
}

#[aggregate(outputs = ["rows", "least", "last", "odd"])]
impl Range {
    fn update(&mut self, amount: f64, at: Option<TimestampMillis>, name: &str) {
        self.merge(Self { rows: 1, least: at.map(|_| amount), last: name.to_owned() });
    }

    fn merge(&mut self, other: Self) {
        self.rows += other.rows;
        self.least = match (self.least, other.least) {
            (Some(one), Some(other)) => Some(one.min(other)),
            (one, other) => one.or(other),
        };
        self.last = std::mem::take(&mut self.last).max(other.last);
    }

    fn evaluate(&self) -> (i64, Option<f64>, Option<String>, Option<bool>) {
        let is_odd = self.rows % 2 == 1;
        (self.rows, self.least, (!self.last.is_empty()).then(|| self.last.clone()), is_odd.then_some(true))
    }
}

proptest! {
    /// Whatever nulls there are among eight rows, and however many rows there are beyond.
    #[test]
    fn rows_in_turns_are_rows_one_by_one(
        rows in prop::collection::vec((0_u32..11, prop::option::weighted(0.9, -5_i8..5), any::<bool>(), prop::option::weighted(0.8, "[a-c]")), 1..60),
    ) {
        // Groups are numbered as they come.
        let mut numbers = BTreeMap::new();
        let groups: Vec<u32> = rows.iter().map(|(group, ..)| {
            let next = numbers.len() as u32;
            *numbers.entry(*group).or_insert(next)
        }).collect();
        let mut model: Vec<(i64, Option<f64>, Option<String>)> = vec![(0, None, None); numbers.len()];
        for ((_, amount, has_time, name), group) in rows.iter().zip(&groups) {
            let (Some(amount), Some(name)) = (amount, name) else { continue };
            let (count, least, last) = &mut model[*group as usize];
            *count += 1;
            if *has_time {
                *least = Some(least.map_or(f64::from(*amount), |least: f64| least.min(f64::from(*amount))));
            }
            *last = last.take().max(Some(name.clone()));
        }
        let time = |has_time: &bool| has_time.then_some(TimestampMillis(7));
        let input = batch! {
            "amount" => rows.iter().map(|row| row.1).collect::<Vec<_>>(),
            "at" => rows.iter().map(|row| time(&row.2)).collect::<Vec<_>>(),
            "name" => rows.iter().map(|row| row.3.clone()).collect::<Vec<_>>(),
        };
        let expected = batch! {
            "rows" => model.iter().map(|group| group.0).collect::<Vec<_>>(),
            "least" => model.iter().map(|group| group.1).collect::<Vec<_>>(),
            "last" => model.iter().map(|group| group.2.clone()).collect::<Vec<_>>(),
            "odd" => model.iter().map(|group| (group.0 % 2 == 1).then_some(true)).collect::<Vec<_>>(),
        };
        let outcome = testing::aggregate::<RangeOperator>(json!({}), &groups, &input).unwrap();
        prop_assert_eq!(&outcome.output, &expected);
        // States that went out and came back are the same.
        let mut one = Aggregation::<RangeOperator>::open(json!({}), &input).unwrap();
        one.update(&groups, &input).unwrap();
        let state = one.drain().unwrap();
        let mut other = Aggregation::<RangeOperator>::open(json!({}), &input).unwrap();
        let all: Vec<u32> = (0..numbers.len() as u32).collect();
        other.merge(&all, &state).unwrap();
        prop_assert_eq!(other.drain().unwrap(), state);
    }
}
