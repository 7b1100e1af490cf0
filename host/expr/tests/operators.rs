//! The operators over records: selections, columns, failures, and what must not depend on how rows are cut.
#![allow(clippy::unwrap_used, reason = "a test helper may panic like a test")]

mod common;

use std::cell::RefCell;
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, Int64Array, RecordBatch, StringArray};
use arrow::buffer::BooleanBuffer;
use arrow::compute::concat_batches;
use arrow::datatypes::{DataType, Int64Type, Schema, SchemaRef};
use proptest::prelude::*;
use volley_api::{
    ErrorKind, NodeName, Operator, OperatorContext, OperatorFactory, OriginColumn, OriginDirectory, Output, PortIndex,
    Positions, RowReject, SeedSource, SplitId, StreamRecord, SubtaskId, SystemClock,
};
use volley_expr::{FilterFactory, Projection, SelectFactory, UnionFactory, WithColumnsFactory};

#[derive(Default)]
struct Collected(Vec<StreamRecord>);

impl Output for Collected {
    fn emit(&mut self, port: PortIndex, record: StreamRecord) -> volley_api::Result<()> {
        assert_eq!(port, 0);
        self.0.push(record);
        Ok(())
    }

    fn reject(&mut self, _input: &StreamRecord, _rejects: Vec<RowReject>) -> volley_api::Result<()> {
        panic!("expressions refuse no rows")
    }
}

fn context(batch: &RecordBatch) -> OperatorContext {
    OperatorContext {
        node: NodeName::new("departed").unwrap(),
        subtask: SubtaskId::SINGLE,
        input: batch.schema(),
        event_time: None,
        state: Arc::new(volley_api::NoState),
        restored: Default::default(),
        errors_attached: false,
        clock: Arc::new(SystemClock),
        seeds: SeedSource::new(0),
        origins: OriginDirectory::new(),
    }
}

fn instance(factory: &dyn OperatorFactory, batch: &RecordBatch) -> Box<dyn Operator> {
    factory.create(context(batch)).unwrap()
}

/// The compacted outcome for one record, or the message of the failure.
fn outcome(factory: &dyn OperatorFactory, record: StreamRecord) -> Result<StreamRecord, String> {
    let bound = factory.bind(&record.schema()).unwrap();
    let record = run(&mut *instance(factory, &record.batch), record)?;
    assert_eq!(record.schema(), bound.outputs[0].schema);
    Ok(record)
}

fn run(operator: &mut dyn Operator, record: StreamRecord) -> Result<StreamRecord, String> {
    let mut output = Collected::default();
    operator.process(record, &mut output).map_err(|error| error.report())?;
    let [record] = <[StreamRecord; 1]>::try_from(output.0).expect("one record for one record");
    Ok(record.compact().unwrap())
}

fn items(items: &[(&str, &str)]) -> Vec<(String, String)> {
    items.iter().map(|(name, sql)| ((*name).into(), (*sql).into())).collect()
}

fn names(schema: &Schema) -> Vec<&str> {
    schema.fields().iter().map(|field| field.name().as_str()).collect()
}

fn ids(record: &StreamRecord) -> Vec<i64> {
    record.batch.column_by_name("id").unwrap().as_primitive::<Int64Type>().values().to_vec()
}

#[test]
fn a_filter_keeps_what_is_true_and_moves_nothing() {
    let batch = common::flights();
    let factory = FilterFactory::new("dep_delay\n > -1");
    assert_eq!(factory.label(), "filter dep_delay > -1");
    assert_eq!(factory.bind(&batch.schema()).unwrap().reads, ["dep_delay"]);
    let mut output = Collected::default();
    instance(&factory, &batch).process(StreamRecord::new(batch.clone()), &mut output).unwrap();
    let record = output.0.remove(0);
    assert_eq!(record.batch.num_rows(), 4);
    assert_eq!(ids(&record.compact().unwrap()), [1, 4]);
}

#[test]
fn a_filter_needs_true_or_false() {
    let schema = common::flights().schema();
    let error = FilterFactory::new("dep_delay").bind(&schema).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config);
    assert_eq!(error.to_string(), "filter `dep_delay` gives Float64, not true or false: compare it with something");
}

#[test]
fn a_row_that_is_not_live_fails_nothing() {
    let batch = common::flights();
    let live = || BooleanBuffer::from(vec![true, false, true, false]);
    let record = StreamRecord::new(batch.clone()).narrow(&live());
    let kept = outcome(&FilterFactory::new("10 / zero > 5"), record.clone()).unwrap();
    assert_eq!(ids(&kept), [1]);
    let with = outcome(&WithColumnsFactory::new(items(&[("q", "10 / zero")])), record.clone()).unwrap();
    assert_eq!(with.batch.column_by_name("q").unwrap().as_primitive::<Int64Type>().values(), &[10, 5]);
    let selected = outcome(&SelectFactory::new(items(&[("q", "10 / zero"), ("id", "id")])), record).unwrap();
    assert_eq!(ids(&selected), [1, 3]);
}

#[test]
fn a_live_row_without_a_result_fails_the_job_and_is_named() {
    let batch = common::flights();
    let mut output = Collected::default();
    let error = instance(&FilterFactory::new("10 / zero > 5"), &batch)
        .process(StreamRecord::new(batch.clone()), &mut output)
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Data);
    assert_eq!(
        error.to_string(),
        "node `departed`: expression `10 / zero > 5` fails for the row with zero = 0: Divide by zero error; \
         NULLIF(…, 0) as the divisor gives null instead"
    );
    assert!(output.0.is_empty());
}

#[test]
fn a_failure_names_where_its_row_came_from() {
    let batch = common::flights();
    let origins = OriginDirectory::new();
    let (source, split) = origins.register(&NodeName::new("flights").unwrap(), &SplitId::new("a.csv"));
    let column = OriginColumn::of_split(source, split, &Positions::From(2), 4);
    let live = BooleanBuffer::from(vec![true, false, true, true]);
    let record = StreamRecord::new(batch.clone()).with_origins(column);
    let factories: [&dyn OperatorFactory; 2] =
        [&FilterFactory::new("10 / zero > 5"), &WithColumnsFactory::new(items(&[("q", "10 / zero")]))];
    for factory in factories {
        for (record, position) in [(record.clone(), 3), (record.clone().narrow(&live), 5)] {
            let context = OperatorContext { origins: origins.clone(), ..context(&batch) };
            let error = factory.create(context).unwrap().process(record, &mut Collected::default()).unwrap_err();
            let start =
                format!("node `departed`: source `flights`, split `a.csv`, position {position}: expression `10");
            assert!(error.to_string().starts_with(&start), "{error}");
        }
    }
}

#[test]
fn select_puts_out_its_columns_alone() {
    let batch = common::flights();
    let factory = SelectFactory::new(items(&[("carrier", "carrier"), ("late", "dep_delay > 15"), ("n", "1")]));
    assert_eq!(factory.label(), "select carrier, dep_delay > 15 AS late, 1 AS n");
    let bound = factory.bind(&batch.schema()).unwrap();
    assert_eq!(bound.reads, ["dep_delay", "carrier"]);
    let schema = &bound.outputs[0].schema;
    assert_eq!(names(schema), ["carrier", "late", "n"]);
    assert_eq!(schema.field(1).data_type(), &DataType::Boolean);
    assert!(schema.field(1).is_nullable() && !schema.field(2).is_nullable());
    assert_eq!(outcome(&factory, StreamRecord::new(batch)).unwrap().batch.num_rows(), 4);
}

#[test]
fn picking_columns_keeps_the_selection() {
    let batch = common::flights();
    let record = StreamRecord::new(batch.clone()).narrow(&BooleanBuffer::from(vec![false, false, false, true]));
    let mut output = Collected::default();
    instance(&SelectFactory::new(items(&[("id", "id")])), &batch).process(record, &mut output).unwrap();
    assert_eq!(output.0[0].batch.num_rows(), 4);
    assert_eq!(output.0[0].num_rows(), 1);
}

#[test]
fn with_columns_replaces_in_place_and_appends_and_sees_the_input() {
    let batch = common::flights();
    let factory = WithColumnsFactory::new(items(&[("id", "id + 100"), ("sum", "id + zero")]));
    assert_eq!(factory.label(), "with_columns id = id + 100, sum = id + zero");
    let record = StreamRecord::new(batch.clone()).with_origins(OriginColumn::of_split(0, 0, &Positions::From(7), 4));
    let result = outcome(&factory, record).unwrap();
    let mut expected = names(&batch.schema()).into_iter().map(str::to_owned).collect::<Vec<_>>();
    expected.push("sum".into());
    assert_eq!(names(&result.schema()), expected);
    assert_eq!(ids(&result), [101, 102, 103, 104]);
    assert_eq!(result.batch.column_by_name("sum").unwrap().as_primitive::<Int64Type>().values(), &[2, 2, 5, 4]);
    assert_eq!(result.origins.unwrap().get(2).position, 9);
}

#[test]
fn lists_of_columns_are_checked() {
    let schema = common::flights().schema();
    let refused = |factory: &dyn OperatorFactory| factory.bind(&schema).unwrap_err().to_string();
    assert_eq!(refused(&SelectFactory::new(vec![])), "there is no column in the list: name at least one");
    let twice = items(&[("a", "1"), ("a", "2")]);
    assert_eq!(refused(&SelectFactory::new(twice.clone())), "the list has two columns named `a`");
    assert_eq!(refused(&WithColumnsFactory::new(twice)), "the list has two columns named `a`");
    assert!(refused(&WithColumnsFactory::new(items(&[("a", "nope")]))).contains("not a column of the input"));
}

#[test]
fn a_union_passes_records_on() {
    let batch = common::flights();
    let record = outcome(&UnionFactory, StreamRecord::new(batch.clone())).unwrap();
    assert_eq!(record.batch, batch);
    assert_eq!(UnionFactory.label(), "union");
}

#[test]
fn a_projection_over_its_reads_needs_no_other_column() {
    let batch = common::flights();
    let told = batch.schema().as_ref().clone().with_metadata([("from".to_owned(), "a test".to_owned())].into());
    let batch = batch.with_schema(Arc::new(told)).unwrap();
    let items = items(&[("twice", "id * 2"), ("q", "zero + id"), ("one", "1")]);
    let whole = Projection::select(&items, &batch.schema()).unwrap();
    assert_eq!(whole.reads(), ["id", "zero"]);
    let narrow = whole.over_reads().unwrap();
    assert_eq!(narrow.schema(), whole.schema());
    let columns =
        RecordBatch::try_from_iter(["id", "zero"].map(|name| (name, batch.column_by_name(name).unwrap().clone())));
    assert_eq!(narrow.evaluate(&columns.unwrap()).unwrap(), whole.evaluate(&batch).unwrap());
    let some = BooleanBuffer::collect_bool(batch.num_rows(), |row| row % 2 == 0);
    let record = outcome(&SelectFactory::new(items), StreamRecord::new(batch).narrow(&some)).unwrap();
    assert_eq!(record.schema(), whole.schema(), "metadata included");
}

#[test]
fn long_expressions_are_bounded_without_a_crash() {
    let batch = common::flights();
    let chain = |terms: usize| vec!["id = 1"; terms].join(" OR ");
    assert_eq!(ids(&outcome(&FilterFactory::new(chain(300)), StreamRecord::new(batch.clone())).unwrap()), [1]);
    let sum = |terms: usize| vec!["id"; terms].join("+");
    let nested = |levels: usize| format!("{}id{} > 0", "(".repeat(levels), ")".repeat(levels));
    assert!(FilterFactory::new(nested(30)).bind(&batch.schema()).is_ok());
    for (sql, part) in [
        (chain(500), "operations inside each other"),
        (sum(4_900), "operations inside each other"),
        (sum(20_000), "words and signs"),
        (sum(50_000), "bytes"),
        (nested(4_000), "levels deep"),
        (format!("{} id > 0", "NOT ".repeat(4_000)), "cannot be read"),
    ] {
        let message = FilterFactory::new(sql).bind(&batch.schema()).unwrap_err().to_string();
        assert!(message.contains(part), "{message}");
    }
    let values: Vec<String> = (0..3_000).map(|value| value.to_string()).collect();
    assert!(FilterFactory::new(format!("id IN ({})", values.join(", "))).bind(&batch.schema()).is_ok());
}

/// Conditions that fail for some rows, guard against it, meet nulls, or read nothing.
const CONDITIONS: [&str; 9] = [
    "x > 2",
    "10 / x > 2",
    "x <> 0 AND 10 / x > 2",
    "x = 0 OR 10 / x > 2",
    "CASE WHEN x = 0 THEN false ELSE 10 % x = 1 END",
    "CAST(t AS BIGINT) > x",
    "x IS NULL OR TRY_CAST(t AS BIGINT) = x",
    "t IS NOT NULL AND t <> 'a' AND CAST(t AS BIGINT) = 1",
    "true",
];

fn rows() -> impl Strategy<Value = Vec<(Option<i64>, Option<&'static str>, bool)>> {
    let x = prop_oneof![1 => Just(None), 8 => (-3i64..6).prop_map(Some)];
    let t = prop_oneof![1 => Just(None), 6 => Just(Some("1")), 3 => Just(Some("-2")), 1 => Just(Some("a"))];
    prop::collection::vec((x, t, prop::bool::weighted(0.4)), 1..60)
}

fn record(rows: &[(Option<i64>, Option<&str>, bool)]) -> StreamRecord {
    let x: ArrayRef = Arc::new(rows.iter().map(|row| row.0).collect::<Int64Array>());
    let t: ArrayRef = Arc::new(rows.iter().map(|row| row.1).collect::<StringArray>());
    let id: ArrayRef = Arc::new(Int64Array::from_iter_values((0..).take(rows.len())));
    let batch = RecordBatch::try_from_iter_with_nullable([("id", id, false), ("x", x, true), ("t", t, true)]);
    let live: BooleanBuffer = rows.iter().map(|row| row.2).collect();
    StreamRecord::new(batch.unwrap()).narrow(&live)
}

/// Each kind of operator with each condition, made once: planning takes longer than evaluating a few rows.
struct Bound {
    label: String,
    output: SchemaRef,
    operator: RefCell<Box<dyn Operator>>,
}

impl Bound {
    fn all() -> Vec<Self> {
        let batch = record(&[(None, None, true)]).batch;
        let mut factories: Vec<Box<dyn OperatorFactory>> = Vec::new();
        for sql in CONDITIONS {
            factories.push(Box::new(FilterFactory::new(sql)));
            factories.push(Box::new(SelectFactory::new(items(&[("id", "id"), ("y", sql)]))));
            factories.push(Box::new(WithColumnsFactory::new(items(&[("y", sql)]))));
        }
        let bound = factories.iter().map(|factory| Self {
            label: factory.label(),
            output: factory.bind(&batch.schema()).unwrap().outputs[0].schema.clone(),
            operator: RefCell::new(instance(&**factory, &batch)),
        });
        bound.collect()
    }

    fn outcome(&self, record: StreamRecord) -> Result<RecordBatch, String> {
        run(&mut **self.operator.borrow_mut(), record).map(|record| record.batch)
    }
}

#[test]
fn a_selection_is_as_good_as_compacted_rows() {
    let operators = Bound::all();
    proptest!(|(rows in rows())| {
        let record = record(&rows);
        for bound in &operators {
            let selected = bound.outcome(record.clone());
            let compacted = bound.outcome(record.clone().compact().unwrap());
            prop_assert_eq!(selected, compacted, "{}", bound.label);
        }
    });
}

#[test]
fn the_cut_into_batches_makes_no_difference() {
    let operators = Bound::all();
    proptest!(|(rows in rows(), rows_max in 1usize..20)| {
        let record = record(&rows).compact().unwrap();
        for bound in &operators {
            let whole = bound.outcome(record.clone());
            let starts = (0..record.num_rows()).step_by(rows_max);
            let parts = starts.map(|start| record.slice(start, rows_max.min(record.num_rows() - start)));
            // Stops at the first failure, as a job does.
            let parts: Result<Vec<_>, _> = parts.map(|part| bound.outcome(part)).collect();
            let cut = parts.map(|parts| concat_batches(&bound.output, &parts).unwrap());
            prop_assert_eq!(whole, cut, "{}", bound.label);
        }
    });
}

#[test]
fn a_column_wins_over_a_keyword_that_is_a_call() {
    use arrow::array::{AsArray, StringArray};
    let user: arrow::array::ArrayRef = std::sync::Arc::new(StringArray::from(vec!["ann", "bob"]));
    let batch = arrow::array::RecordBatch::try_from_iter([("user", user)]).unwrap();
    let is_bob = volley_expr::Expression::parse("user = 'bob'", &batch.schema()).unwrap();
    assert_eq!(is_bob.evaluate(&batch).unwrap().as_boolean().values().iter().collect::<Vec<_>>(), [false, true]);
    let other = volley_expr::Expression::parse("current_date", &batch.schema()).unwrap_err().to_string();
    assert!(other.contains("current_date"), "{other}");
}

#[test]
fn event_time_goes_with_its_column() {
    let times: ArrayRef = Arc::new(Int64Array::from(vec![1]));
    let schema = RecordBatch::try_from_iter([("ts", Arc::clone(&times)), ("x", times)]).expect("two columns").schema();
    let event_time = Some(volley_api::EventTimeColumn::new("ts"));
    let input = volley_api::StreamType { schema, event_time, is_bounded: true, is_revised: false };
    let item = |name: &str, sql: &str| vec![(name.to_owned(), sql.to_owned())];
    let time =
        |factory: &dyn OperatorFactory| factory.bind_stream(&input).expect("binds").outputs[0].event_time.clone();
    let renamed = volley_api::OutputTime::In(volley_api::EventTimeColumn::new("t"));
    for (factory, expected) in [
        (&SelectFactory::new(item("ts", "ts")) as &dyn OperatorFactory, volley_api::OutputTime::Kept),
        (&SelectFactory::new(item("t", "ts")), renamed),
        (&SelectFactory::new(item("x", "x")), volley_api::OutputTime::None),
        (&SelectFactory::new(item("ts", "x")), volley_api::OutputTime::None),
        (&WithColumnsFactory::new(item("y", "x + 1")), volley_api::OutputTime::Kept),
        (&WithColumnsFactory::new(item("ts", "ts + 3600000")), volley_api::OutputTime::None),
    ] {
        assert_eq!(time(factory), expected, "{}", factory.label());
    }
}
