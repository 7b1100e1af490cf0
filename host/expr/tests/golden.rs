//! Expressions and what they give, as data: `cases/values.txt` and `cases/errors.txt`.
#![allow(clippy::unwrap_used, reason = "a test helper may panic like a test")]

mod common;

use std::fmt::Write as _;

use arrow::array::{Array, RecordBatch};
use arrow::util::display::array_value_to_string;
use volley_expr::Expression;

/// The cases of a file: lines of an expression, then one indented line with its outcome.
fn cases(text: &str) -> Vec<(String, String)> {
    let mut cases = Vec::new();
    let mut sql = String::new();
    for line in text.lines().filter(|line| !line.starts_with('#') && !line.trim().is_empty()) {
        match line.strip_prefix("    ") {
            Some(outcome) => cases.push((std::mem::take(&mut sql), outcome.to_owned())),
            None if sql.is_empty() => sql = line.to_owned(),
            None => sql = format!("{sql}\n{line}"),
        }
    }
    assert!(sql.is_empty(), "`{sql}` has no outcome");
    cases
}

fn outcome(sql: &str, batch: &RecordBatch) -> String {
    let expression = match Expression::parse(sql, &batch.schema()) {
        Ok(expression) => expression,
        Err(error) => return error.to_string(),
    };
    let array = match expression.evaluate(batch) {
        Ok(array) => array,
        Err(error) => return error.to_string(),
    };
    assert_eq!(array.data_type(), expression.data_type(), "{sql}");
    assert!(expression.nullable() || array.null_count() == 0, "{sql} is not nullable and has nulls");
    let mut text = format!("{}{}", array.data_type(), if expression.nullable() { "?" } else { "" });
    for row in 0..array.len() {
        let value = if array.is_null(row) { "-".to_owned() } else { array_value_to_string(&array, row).unwrap() };
        write!(text, " | {value}").unwrap();
    }
    text
}

fn check(text: &str) {
    let batch = common::flights();
    let cases = cases(text);
    assert!(cases.len() > 10, "the file of cases has been found");
    let wrong: Vec<String> = cases
        .iter()
        .map(|(sql, expected)| (sql, expected, outcome(sql, &batch)))
        .filter(|(_, expected, seen)| *expected != seen)
        .map(|(sql, expected, seen)| format!("{sql}\n    {expected}\nis now\n    {seen}\n"))
        .collect();
    assert!(wrong.is_empty(), "{} of {} cases:\n\n{}", wrong.len(), cases.len(), wrong.join("\n"));
}

#[test]
fn values() {
    check(include_str!("cases/values.txt"));
}

#[test]
fn errors() {
    check(include_str!("cases/errors.txt"));
}
