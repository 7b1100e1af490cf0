//! Hostile aggregates: the job is stopped by name, or goes on without the guilty rows. The neighbour of all of them is an honest
//! aggregate in the same engine.

use std::sync::{Arc, LazyLock};
use std::time::Duration;

use arrow::array::{ArrayRef, AsArray, Int64Array, RecordBatch};
use arrow::datatypes::{DataType, Field, Int64Type, Schema, SchemaRef};
use volley_api::{
    AggregatorFactory, AggregatorRole, ManualClock, NodeName, OperatorContext, OriginDirectory, Result, SeedSource,
    StreamRecord, SubtaskId,
};
use volley_test_guests::SumGuest;
use volley_test_hostile::{AggregateCase, aggregates};
use volley_wasm::{
    CompileIn, EngineSettings, OnError, Plugin, PluginAggregates, PluginEngine, PluginLimits, PluginOptions,
};

static ENGINE: LazyLock<Arc<PluginEngine>> = LazyLock::new(|| {
    let settings = EngineSettings { cache_dir: None, ..EngineSettings::new(CompileIn::ThisProcess) };
    PluginEngine::new(&settings).expect("starts")
});

fn schema() -> SchemaRef {
    let field = |name| Field::new(name, DataType::Int64, false);
    Arc::new(Schema::new(vec![field("key"), field("x")]))
}

/// What became of an aggregate over three rows of two keys, handed over twice with a drain between.
struct Told {
    error: Option<String>,
    sums: Vec<i64>,
    refused: usize,
    counted: Vec<(String, u64)>,
}

fn limits() -> PluginLimits {
    PluginLimits {
        memory_bytes_max: 16 << 20,
        deadline: Duration::from_millis(40),
        output_bytes_max: 1 << 20,
        restarts_max: 60,
        ..PluginLimits::default()
    }
}

fn told(guest: SumGuest, on_error: OnError) -> Told {
    let plugin = Plugin::from_bytes(&ENGINE, "guest", &guest.build()).expect("loads");
    let options = PluginOptions { on_error, limits: limits(), ..PluginOptions::default() };
    let factory = PluginAggregates::new(plugin, options, vec!["key".to_owned()]).expect("an aggregate");
    let (mut sums, mut refused) = (Vec::new(), 0);
    let error = live(&factory, &mut sums, &mut refused).err().map(|error| error.to_string());
    let violations = factory.metrics().snapshot().violations;
    let counted = violations.into_iter().map(|(reason, count)| (reason.to_string(), count)).collect();
    Told { error, sums, refused, counted }
}

fn live(factory: &PluginAggregates, sums: &mut Vec<i64>, refused: &mut usize) -> Result<()> {
    factory.bind(&schema(), None)?;
    let context = OperatorContext {
        node: NodeName::new("node").expect("a name"),
        subtask: SubtaskId::SINGLE,
        input: schema(),
        event_time: None,
        state: Arc::new(volley_api::NoState),
        restored: Default::default(),
        errors_attached: false,
        clock: Arc::new(ManualClock::at(1_234)),
        seeds: SeedSource::new(1),
        origins: OriginDirectory::new(),
    };
    let pool = factory.pool(&context, AggregatorRole::Operator, &schema())?.expect("it has one");
    let mut aggregator = pool.create()?;
    let column = |numbers: [i64; 3]| -> ArrayRef { Arc::new(Int64Array::from(numbers.to_vec())) };
    for values in [[1, 2, 3], [10, 20, 30]] {
        let batch = RecordBatch::try_new(schema(), vec![column([7, 8, 7]), column(values)]).expect("fits");
        aggregator.update_of(&StreamRecord::new(batch.clone()), &batch, &[0, 1, 0], 2)?;
        pool.settle()?;
        *refused += pool.take_refused().iter().map(|refused| refused.rejects.len()).sum::<usize>();
    }
    let columns = aggregator.evaluate(2)?;
    let totals = columns[0].as_primitive::<Int64Type>();
    let has_result = |group: &usize| aggregator.evaluated().is_none_or(|present| present.value(*group));
    sums.extend((0..2).filter(has_result).map(|group| totals.value(group)));
    pool.finish()
}

/// The honest one still does what it should.
fn assert_neighbour_is_well() {
    let told = told(SumGuest::default(), OnError::Fail);
    assert_eq!((told.error, told.sums, told.refused), (None, vec![44, 22], 0));
    assert!(told.counted.is_empty(), "{:?}", told.counted);
}

#[test]
fn every_function_is_stopped_by_name_and_its_reason_counted() {
    for AggregateCase { function, tries, guest, says, reason } in aggregates() {
        let what = format!("{function} {tries}");
        let told = told(guest, OnError::Fail);
        let error = told.error.unwrap_or_else(|| panic!("{what}: nothing stopped it"));
        assert!(error.contains(says) && error.len() < 16 << 10, "{what}: {error}");
        assert!(told.counted.iter().any(|(counted, _)| counted == reason), "{what}: {:?}", told.counted);
        assert!(told.sums.is_empty(), "{what}: it has results");
        assert_neighbour_is_well();
    }
}

#[test]
fn rows_that_update_and_drain_fail_on_are_left_out_where_the_policy_says_so_and_all_else_stops() {
    for case in aggregates() {
        let (is_of_rows, what) = (case.is_of_rows(), format!("{} {}", case.function, case.tries));
        let told = told(case.guest, OnError::Skip);
        if is_of_rows {
            assert_eq!((told.error, told.refused, told.sums), (None, 6, vec![]), "{what}: {:?}", told.counted);
        } else {
            let error = told.error.unwrap_or_else(|| panic!("{what}: nothing stopped it"));
            assert!(error.contains(case.says) && told.sums.is_empty(), "{what}: {error}");
        }
        assert_neighbour_is_well();
    }
}

#[test]
fn a_guest_that_forgets_its_groups_is_found_out() {
    // It gives up one group, whatever it was told: with more than one that is too few.
    let forgets = SumGuest {
        drain: "(global.set $groups (i32.const 1)) (local.set $n (i32.const 1))".into(),
        ..SumGuest::default()
    };
    let told = told(forgets, OnError::Fail);
    assert!(told.error.expect("stopped").contains("1 rows for 2 groups"));
}
