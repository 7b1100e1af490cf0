//! The examples of `docs/aggregates.md`, run.
#![allow(clippy::unwrap_used, reason = "a test helper may panic like a test")]

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, Int64Array, RecordBatch, StringArray};
use arrow::util::display::array_value_to_string;
use volley_api::{AggregatorFactory, EventTimeColumn};
use volley_expr::{Aggregates, Expression};

const PAGE: &str = include_str!("../../../docs/aggregates.md");

/// A column of those values, of a type as SQL names it.
fn column(data_type: &str, values: &str) -> ArrayRef {
    let texts: StringArray = values.split(", ").map(|value| (value != "null").then_some(value)).collect();
    let batch = RecordBatch::try_from_iter([("text", Arc::new(texts) as ArrayRef)]).unwrap();
    let cast = format!("CAST(text AS {data_type})");
    Expression::parse(&cast, &batch.schema()).unwrap().evaluate(&batch).unwrap()
}

#[test]
fn the_examples_give_what_they_say() {
    let (_, rest) = PAGE.split_once("<!-- begin examples -->\n").unwrap();
    let (table, _) = rest.split_once("<!-- end examples -->").unwrap();
    assert!(table.lines().count() > 20);
    for line in table.lines() {
        let cells: Vec<&str> = line.trim_matches('|').split(" | ").map(|cell| cell.trim().trim_matches('`')).collect();
        let [data_type, values, sql, expected, result_type] = cells.try_into().unwrap();
        let x = column(data_type, values);
        let times: ArrayRef = Arc::new(Int64Array::from_iter_values(0..x.len() as i64));
        let batch = RecordBatch::try_from_iter([("x", x), ("time", times)]).unwrap();
        let factory = Aggregates::new(vec![("r".into(), sql.into())]);
        let mut aggregator = factory.create(&batch.schema(), Some(&EventTimeColumn::new("time"))).unwrap();
        aggregator.update(&batch, &vec![0; batch.num_rows()], 1).unwrap();
        let result = aggregator.evaluate(1).unwrap().remove(0);
        let text = if result.is_null(0) { "null".into() } else { array_value_to_string(&result, 0).unwrap() };
        assert_eq!((&*text, &*result.data_type().to_string()), (expected, result_type), "{line}");
    }
}
