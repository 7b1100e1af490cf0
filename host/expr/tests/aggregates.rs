//! The built-in aggregates: results, types, state, and what is said of what is no aggregate.
#![allow(clippy::unwrap_used, reason = "a test helper may panic like a test")]

mod common;

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, DictionaryArray, Float64Array, Int64Array, RecordBatch, new_null_array};
use arrow::datatypes::{DataType, Field, Float64Type, Int32Type, IntervalUnit, Schema, TimeUnit};
use arrow::util::display::array_value_to_string;
use volley_api::{AggregateBinding, AggregatorFactory, ErrorKind, EventTimeColumn, Result};
use volley_expr::Aggregates;

fn aggregates(sql: &str) -> Aggregates {
    Aggregates::new(vec![("r".into(), sql.into())])
}

fn event_time() -> EventTimeColumn {
    EventTimeColumn::new("at")
}

/// The results for the rows of the flights' table in two groups, 0 and 2 of three: `[0, 0, 2, 0]`.
fn outcome(sql: &str) -> Result<String> {
    let batch = common::flights();
    let factory = aggregates(sql);
    let binding = factory.bind(&batch.schema(), Some(&event_time()))?;
    let mut straight = factory.create(&batch.schema(), Some(&event_time()))?;
    straight.update(&batch, &[0, 0, 2, 0], 3)?;
    let results = straight.evaluate(3)?;
    // The same by way of state, one row at a time.
    let mut merged = factory.create(&batch.schema(), Some(&event_time()))?;
    for (row, group) in [0, 0, 2, 0].into_iter().enumerate() {
        straight.update(&batch.slice(row, 1), &[1], 2)?;
        let state = straight.drain(2)?;
        check_state(&binding, &state);
        let state: Vec<ArrayRef> = state.iter().map(|column| column.slice(1, 1)).collect();
        merged.merge(&state, &[group], 3)?;
    }
    assert!(merged.memory_bytes() > 0);
    assert_eq!(straight.memory_bytes(), 0, "{sql}: empty after it was drained");
    let by_state = merged.evaluate(3)?;
    assert_eq!(merged.memory_bytes(), 0, "{sql}: empty after it was evaluated");
    let (field, result) = (&binding.results[0], &results[0]);
    // Variances differ in their last digit.
    let equal = |a: &ArrayRef, b: &ArrayRef| match (a.as_primitive_opt::<Float64Type>(), b.as_primitive_opt()) {
        (Some(a), Some(b)) => a.iter().zip::<&Float64Array>(b).all(|pair| match pair {
            (Some(a), Some(b)) => (a - b).abs() < 1e-9,
            (a, b) => a == b,
        }),
        _ => a == b,
    };
    assert!(equal(result, &by_state[0]), "{sql}: {} and {}", text(result), text(&by_state[0]));
    assert_eq!(result.data_type(), field.data_type(), "{sql}");
    assert!(field.is_nullable() || result.null_count() == 0, "{sql}");
    let nullable = if field.is_nullable() { "?" } else { "" };
    Ok(format!("{}{nullable} | {}", result.data_type(), text(result)))
}

fn check_state(binding: &AggregateBinding, state: &[ArrayRef]) {
    assert_eq!(state.len(), binding.state.len());
    for (field, column) in binding.state.iter().zip(state) {
        assert_eq!(field.data_type(), column.data_type(), "{}", field.name());
        assert!(field.is_nullable() || column.null_count() == 0, "{}", field.name());
    }
}

fn text(column: &ArrayRef) -> String {
    let value = |row| if column.is_null(row) { "-".into() } else { array_value_to_string(column, row).unwrap() };
    (0..column.len()).map(value).collect::<Vec<_>>().join(" | ")
}

/// Cases `sql`, then one indented line with the outcome.
fn check(cases: &str) {
    let lines: Vec<&str> = cases.lines().filter(|line| !line.starts_with('#') && !line.trim().is_empty()).collect();
    let wrong: Vec<String> = lines
        .chunks_exact(2)
        .map(|case| (case[0], case[1].trim(), outcome(case[0]).unwrap_or_else(|error| error.report())))
        .filter(|(_, expected, seen)| expected != seen)
        .map(|(sql, _, seen)| format!("{sql}\n    {seen}\n"))
        .collect();
    assert!(lines.len() > 20 && lines.len().is_multiple_of(2), "the file of cases has been found");
    assert!(wrong.is_empty(), "these give something else now:\n{}", wrong.concat());
}

#[test]
fn values() {
    check(include_str!("cases/aggregates.txt"));
}

#[test]
fn errors() {
    check(include_str!("cases/aggregate_errors.txt"));
}

#[test]
fn bindings_name_results_state_and_reads() {
    let items = [("n", "count(*)"), ("m", "avg(dep_delay)"), ("l", "last(carrier) FILTER (WHERE id > 1)")];
    let factory = Aggregates::new(items.map(|(name, sql)| (name.into(), sql.into())).to_vec());
    assert_eq!(factory.label(), "n = count(*), m = avg(dep_delay), l = last(carrier) FILTER (WHERE id > 1)");
    let binding = factory.bind(&common::flights().schema(), Some(&event_time())).unwrap();
    let names = |fields: &[Arc<Field>]| fields.iter().map(|field| field.name().clone()).collect::<Vec<_>>();
    assert_eq!(names(&binding.results), ["n", "m", "l"]);
    assert_eq!(names(&binding.state), ["n.count", "m.count", "m.sum", "l.time", "l.value"]);
    assert_eq!(binding.reads, ["id", "dep_delay", "carrier", "at"]);
}

#[test]
fn without_event_time_there_is_no_first() {
    let schema = common::flights().schema();
    let error = aggregates("first(id)").bind(&schema, None).unwrap_err();
    assert!(error.to_string().contains("orders rows by event time, and the stream has none"), "{error}");
    let error = aggregates("first(id)").bind(&schema, Some(&EventTimeColumn::new("carrier"))).unwrap_err();
    assert!(error.to_string().contains("the event-time column `carrier` is Utf8"), "{error}");
    assert!(aggregates("max(id)").bind(&schema, None).is_ok());
}

#[test]
fn lists_of_aggregates_are_checked() {
    let schema = common::flights().schema();
    let bind = |items: &[(&str, &str)]| {
        let items = items.iter().map(|(name, sql)| ((*name).into(), (*sql).into())).collect();
        Aggregates::new(items).bind(&schema, None).unwrap_err().to_string()
    };
    assert!(bind(&[]).contains("no column in the list"));
    assert!(bind(&[("a", "count(*)"), ("a", "sum(id)")]).contains("two columns named `a`"));
}

fn one_column(values: impl Array + 'static) -> RecordBatch {
    RecordBatch::try_from_iter([("x", Arc::new(values) as ArrayRef)]).unwrap()
}

#[test]
fn a_sum_beyond_its_type_is_an_error() {
    let batch = one_column(Int64Array::from(vec![i64::MAX, 1]));
    for (sql, groups, fails) in [("sum(x)", [0, 0], true), ("sum(x)", [0, 1], false), ("avg(x)", [0, 0], false)] {
        let mut aggregator = aggregates(sql).create(&batch.schema(), None).unwrap();
        assert_eq!(aggregator.update(&batch, &groups, 2).is_err(), fails, "{sql}");
    }
    let mut aggregator = aggregates("sum(x)").create(&batch.schema(), None).unwrap();
    let error = aggregator.update(&batch, &[0, 0], 1).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Data);
    assert_eq!(
        error.to_string(),
        "aggregate `r = sum(x)` goes beyond Int64 when 1 is added to 9223372036854775807: cast to DECIMAL(38, 0)"
    );
    let mut aggregator = aggregates("sum(x)").create(&batch.schema(), None).unwrap();
    aggregator.update(&batch.slice(0, 1), &[0], 1).unwrap();
    let state = aggregator.drain(1).unwrap();
    aggregator.merge(&state, &[0], 1).unwrap();
    assert!(aggregator.merge(&state, &[0], 1).is_err(), "by merging too");
    let mut wide = aggregates("sum(CAST(x AS DECIMAL(38, 0)))").create(&batch.schema(), None).unwrap();
    wide.update(&batch, &[0, 0], 1).unwrap();
    assert_eq!(text(&wide.evaluate(1).unwrap()[0]), "9223372036854775808");
}

#[test]
fn nan_and_zero() {
    let nan = -f64::NAN;
    let batch = one_column(Float64Array::from(vec![Some(nan), Some(1.0), None, Some(f64::NAN), Some(0.0), Some(-0.0)]));
    let result = |sql: &str| {
        let mut aggregator = aggregates(sql).create(&batch.schema(), None).unwrap();
        aggregator.update(&batch, &[0, 0, 0, 1, 2, 2], 4).unwrap();
        text(&aggregator.evaluate(4).unwrap()[0])
    };
    assert_eq!(result("min(x)"), "1.0 | NaN | -0.0 | -");
    assert_eq!(result("max(x)"), "NaN | NaN | 0.0 | -");
    assert_eq!(result("sum(x)"), "NaN | NaN | 0.0 | -");
    assert_eq!(result("count(x)"), "2 | 1 | 2 | 0");
    assert_eq!(result("count_distinct(x)"), "2 | 1 | 1 | 0");
    assert_eq!(result("approx_distinct(x)"), "2 | 1 | 1 | 0");
}

#[test]
fn an_argument_is_computed_only_where_the_condition_holds() {
    let batch = one_column(Int64Array::from(vec![Some(0), Some(2), None, Some(5)]));
    let mut aggregator = aggregates("sum(10 / x) FILTER (WHERE x <> 0)").create(&batch.schema(), None).unwrap();
    aggregator.update(&batch, &[0, 0, 0, 1], 2).unwrap();
    assert_eq!(text(&aggregator.evaluate(2).unwrap()[0]), "5 | 2");
    let mut aggregator = aggregates("sum(10 / x)").create(&batch.schema(), None).unwrap();
    let error = aggregator.update(&batch, &[0, 0, 0, 1], 2).unwrap_err();
    assert_eq!(
        error.to_string(),
        "expression `sum(10 / x)` fails for the row with x = 0: Divide by zero error; NULLIF(…, 0) as the divisor gives \
         null instead"
    );
}

#[test]
fn foreign_state_is_refused() {
    let batch = one_column(Int64Array::from(vec![1]));
    let mut aggregator = aggregates("sum(x)").create(&batch.schema(), None).unwrap();
    let wrong: ArrayRef = Arc::new(Float64Array::from(vec![1.0]));
    let error = aggregator.merge(&[wrong], &[0], 1).unwrap_err();
    assert_eq!(error.to_string(), "aggregate `r = sum(x)`: state `r.sum` is Float64, and Int64 was agreed");
    assert!(aggregator.merge(&[], &[0], 1).is_err());
    assert!(aggregator.update(&batch, &[0, 0], 1).is_err());
}

/// Every type of column that aggregates are told about.
fn types() -> Vec<DataType> {
    use DataType::*;
    let mut types = vec![
        Int8,
        Int16,
        Int32,
        Int64,
        UInt8,
        UInt16,
        UInt32,
        UInt64,
        Float16,
        Float32,
        Float64,
        Boolean,
        Utf8,
        LargeUtf8,
        Utf8View,
        Binary,
        LargeBinary,
        BinaryView,
        FixedSizeBinary(4),
        Date32,
        Date64,
        Time32(TimeUnit::Second),
        Time64(TimeUnit::Nanosecond),
        Duration(TimeUnit::Second),
        Decimal32(9, 2),
        Decimal64(18, 2),
        Decimal128(38, 4),
        Decimal256(76, 2),
        Interval(IntervalUnit::YearMonth),
        Interval(IntervalUnit::DayTime),
        Interval(IntervalUnit::MonthDayNano),
    ];
    types.extend([TimeUnit::Second, TimeUnit::Nanosecond].map(|unit| Timestamp(unit, Some("+02:00".into()))));
    types.push(Dictionary(Box::new(Int32), Box::new(Utf8)));
    types
}

/// The result's type for one of another, as a word for each of the functions below; `-` where it is refused.
#[test]
fn every_type_binds_and_goes_through_state_or_is_refused() {
    let functions = ["sum", "avg", "min", "first", "stddev", "count", "count_distinct", "approx_distinct"];
    let mut table = String::new();
    for data_type in types() {
        let fields = vec![Field::new("x", data_type.clone(), true), Field::new("at", DataType::Int64, true)];
        let schema = Arc::new(Schema::new(fields));
        let columns = vec![new_null_array(&data_type, 2), Arc::new(Int64Array::from(vec![1, 2])) as ArrayRef];
        let batch = RecordBatch::try_new(Arc::clone(&schema), columns).unwrap();
        table += &format!("{data_type}:");
        for function in functions {
            let factory = aggregates(&format!("{function}(x)"));
            let Ok(binding) = factory.bind(&schema, Some(&event_time())) else {
                table += " -";
                continue;
            };
            let mut aggregator = factory.create(&schema, Some(&event_time())).unwrap();
            aggregator.update(&batch, &[0, 1], 2).unwrap();
            let state = aggregator.drain(3).unwrap();
            check_state(&binding, &state);
            aggregator.merge(&state, &[0, 1, 2], 3).unwrap();
            let results = aggregator.evaluate(3).unwrap();
            assert_eq!(results[0].data_type(), binding.results[0].data_type(), "{function} of {data_type}");
            table += &format!(" {}", binding.results[0].data_type());
        }
        table += "\n";
    }
    let expected = include_str!("cases/aggregate_types.txt");
    assert!(table == expected, "the table of types is now\n{table}");
}

#[test]
fn dictionaries_are_unpacked() {
    let x: DictionaryArray<Int32Type> = vec![Some("b"), None, Some("a")].into_iter().collect();
    let batch = one_column(x);
    let mut aggregator = aggregates("min(x)").create(&batch.schema(), None).unwrap();
    aggregator.update(&batch, &[0, 0, 0], 1).unwrap();
    assert_eq!(text(&aggregator.evaluate(1).unwrap()[0]), "a");
}
