//! Functions that are given: where they are called, how often, and what is said when they fail.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use arrow::array::{ArrayRef, AsArray, Float64Array, RecordBatch};
use arrow::datatypes::{DataType, Float64Type, SchemaRef};
use volley_api::{
    Error, OperatorFactory, Replayed, Result, ScalarBinding, ScalarContext, ScalarFunction, ScalarFunctionFactory,
    ScalarOutcome, StreamType,
};
use volley_expr::{Expression, FilterFactory, Functions, SelectFactory, WithColumnsFactory};

/// Adds one to a number; has no value for negative ones, and stops at 1000.
#[derive(Debug)]
struct Next {
    is_deterministic: bool,
    instances: AtomicUsize,
    /// Rows of each call.
    calls: Arc<Mutex<Vec<usize>>>,
}

struct Instance(Arc<Mutex<Vec<usize>>>);

impl ScalarFunctionFactory for Next {
    fn label(&self) -> String {
        "next".into()
    }

    fn bind(&self, arguments: &SchemaRef) -> Result<ScalarBinding> {
        match arguments.fields().iter().map(|field| field.data_type()).collect::<Vec<_>>()[..] {
            [DataType::Float64] => {}
            ref other => return Err(Error::config(format!("it takes one Float64, not {other:?}"))),
        }
        let is_deterministic = self.is_deterministic;
        Ok(ScalarBinding { data_type: DataType::Float64, nullable: true, is_deterministic })
    }

    fn is_repeatable(&self) -> bool {
        self.is_deterministic
    }

    fn create(&self, _: &SchemaRef, _: ScalarContext) -> Result<Box<dyn ScalarFunction>> {
        self.instances.fetch_add(1, Ordering::Relaxed);
        Ok(Box::new(Instance(Arc::clone(&self.calls))))
    }
}

impl ScalarFunction for Instance {
    fn call(&mut self, arguments: &RecordBatch) -> Result<ScalarOutcome> {
        self.0.lock().expect("not poisoned").push(arguments.num_rows());
        let x = arguments.column(0).as_primitive::<Float64Type>();
        if x.iter().flatten().any(|x| x == 1000.0) {
            return Err(Error::plugin("it is quarantined"));
        }
        if x.iter().flatten().any(|x| x < 0.0) {
            return Ok(ScalarOutcome::NotTogether(Error::data("a negative number")));
        }
        let next: Float64Array = x.iter().map(|x| x.map(|x| x + 1.0)).collect();
        Ok(ScalarOutcome::Values(Arc::new(next)))
    }
}

fn given(is_deterministic: bool) -> (Arc<Next>, Functions) {
    let next = Arc::new(Next { is_deterministic, instances: AtomicUsize::new(0), calls: Arc::default() });
    let factory: Arc<dyn ScalarFunctionFactory> = Arc::clone(&next) as _;
    let functions = Functions::new([("next".to_owned(), factory)]).expect("as said");
    (next, functions)
}

fn batch(x: &[Option<f64>]) -> RecordBatch {
    let x: ArrayRef = Arc::new(Float64Array::from(x.to_vec()));
    RecordBatch::try_from_iter_with_nullable([("x", x, true)]).expect("as said")
}

fn numbers(array: &ArrayRef) -> Vec<Option<f64>> {
    array.as_primitive::<Float64Type>().iter().collect()
}

#[test]
fn state_behind_a_function_that_gives_something_else_each_time_is_not_made_again() {
    let stream = StreamType { schema: batch(&[]).schema(), event_time: None, is_bounded: true, is_revised: false };
    for (is_deterministic, sql, expected) in [
        (true, "next(x) > 1", Replayed::RowByRow),
        (false, "x > 1", Replayed::RowByRow),
        (false, "CASE WHEN x > 1 THEN NEXT (x) > 2 ELSE false END", Replayed::Otherwise),
        (false, "nexts + x > 1", Replayed::RowByRow),
    ] {
        let functions = || given(is_deterministic).1;
        let columns = || vec![("y".to_owned(), "x".to_owned()), ("z".to_owned(), sql.to_owned())];
        let found = [
            FilterFactory::new(sql).with_functions(functions()).replayed(&stream),
            SelectFactory::new(columns()).with_functions(functions()).replayed(&stream),
            WithColumnsFactory::new(columns()).with_functions(functions()).replayed(&stream),
        ];
        assert_eq!(found, [expected; 3], "{sql}");
    }
}

#[test]
fn each_place_has_an_instance_and_a_batch_is_one_call() {
    let (next, functions) = given(true);
    let batch = batch(&[Some(1.0), None, Some(3.0)]);
    let sum = Expression::parse_with("NEXT(x) + next(x * 2)", &batch.schema(), &functions).expect("as said");
    assert_eq!(sum.reads(), ["x"]);
    for _ in 0..2 {
        assert_eq!(numbers(&sum.evaluate(&batch).expect("as said")), [Some(5.0), None, Some(11.0)]);
    }
    assert_eq!(
        (next.instances.load(Ordering::Relaxed), next.calls.lock().expect("as said").as_slice()),
        (2, &[3; 4][..])
    );
}

#[test]
fn constants_are_folded_where_nothing_else_counts() {
    let batch = batch(&[Some(1.0); 9]);
    let (next, functions) = given(true);
    let constant = Expression::parse_with("next(next(1.5))", &batch.schema(), &functions).expect("as said");
    assert_eq!(numbers(&constant.evaluate(&batch).expect("as said")), [Some(3.5); 9]);
    assert!(next.calls.lock().expect("as said").iter().all(|rows| *rows == 1));
    let (next, functions) = given(false);
    let constant = Expression::parse_with("next(1.5)", &batch.schema(), &functions).expect("as said");
    assert!(next.calls.lock().expect("as said").is_empty(), "not while planning");
    assert_eq!(numbers(&constant.evaluate(&batch).expect("as said")), [Some(2.5); 9]);
    assert_eq!(next.calls.lock().expect("as said").as_slice(), [9]);
}

#[test]
fn a_row_fails_alone_and_only_where_it_is_needed() {
    let (_, functions) = given(true);
    let batch = batch(&[Some(1.0), Some(2.0), Some(-4.0), Some(3.0)]);
    let evaluate =
        |sql: &str| Expression::parse_with(sql, &batch.schema(), &functions).expect("as said").evaluate(&batch);
    let guarded = evaluate("CASE WHEN x > 0 THEN next(x) ELSE 0.0 END").expect("as said");
    assert_eq!(numbers(&guarded), [Some(2.0), Some(3.0), Some(0.0), Some(4.0)]);
    let error = Error::from(evaluate("next(x)").unwrap_err());
    assert_eq!(error.kind(), volley_api::ErrorKind::Data);
    let said = error.to_string();
    assert_eq!(said, "expression `next(x)` calls `next` for the row with x = -4.0: a negative number");
}

#[test]
fn what_no_rows_can_help_is_not_tried_again() {
    let (next, functions) = given(true);
    let batch = batch(&[Some(1000.0); 64]);
    let expression = Expression::parse_with("next(x) > 1", &batch.schema(), &functions).expect("as said");
    let error = Error::from(expression.evaluate(&batch).unwrap_err());
    assert_eq!(error.kind(), volley_api::ErrorKind::Plugin);
    assert_eq!(error.to_string(), "expression `next(x) > 1` calls `next`: it is quarantined");
    assert_eq!(next.calls.lock().expect("as said").as_slice(), [64]);
}

#[test]
fn wrong_arguments_and_names_are_refused() {
    let (next, functions) = given(true);
    let batch = batch(&[]);
    let refused = |sql: &str| Expression::parse_with(sql, &batch.schema(), &functions).unwrap_err().to_string();
    assert!(
        refused("next('a')").contains("calls `next`: it takes one Float64, not [Utf8]"),
        "{}",
        refused("next('a')")
    );
    assert!(refused("next()").contains("it takes one Float64, not []"), "{}", refused("next()"));
    assert!(refused("nex(x)").contains("did you mean `next`?"), "{}", refused("nex(x)"));
    assert!(refused("next(*)").contains("name the columns"), "{}", refused("next(*)"));
    for (name, part) in
        [("abs", "built in"), ("sum", "built in"), ("Next", "no name"), ("a-b", "no name"), ("", "no name")]
    {
        let factory: Arc<dyn ScalarFunctionFactory> = Arc::clone(&next) as _;
        let error = Functions::new([(name.to_owned(), factory)]).unwrap_err().to_string();
        assert!(error.contains(part), "{name}: {error}");
    }
    let error = Expression::parse("next(x)", &batch.schema()).unwrap_err().to_string();
    assert!(error.contains("not a known function"), "{error}");
}
