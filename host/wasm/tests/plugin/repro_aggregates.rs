//! Calls of aggregates that fail are kept with those that filled the instance, and fail again in the same way.

use std::sync::Arc;

use volley_api::{
    AggregatorFactory, AggregatorPool, AggregatorRole, ManualClock, NodeName, OperatorContext, OriginDirectory,
    SeedSource, SubtaskId,
};
use volley_test_guests::SumGuest;
use volley_wasm::{OnError, Plugin, PluginAggregates, PluginOptions};

use crate::aggregate::{BAD, Groups, picky, schema, traps_at};
use crate::harness::engine;
use crate::repro::{Place, bundle};

fn pool(place: &Place, on_error: OnError) -> Box<dyn AggregatorPool> {
    let plugin = Plugin::load(engine(), &place.component).expect("loads");
    let options = PluginOptions { on_error, ..place.options() };
    let factory = PluginAggregates::new(plugin, options, vec!["key".to_owned()]).expect("an aggregate");
    factory.bind(&schema(), None).expect("binds");
    let context = OperatorContext {
        node: NodeName::new("node").expect("a name"),
        subtask: SubtaskId::SINGLE,
        input: schema(),
        event_time: None,
        state: Arc::new(volley_api::NoState),
        restored: Default::default(),
        errors_attached: on_error != OnError::Fail,
        clock: Arc::new(ManualClock::at(1_234)),
        seeds: SeedSource::new(1),
        origins: OriginDirectory::new(),
    };
    factory.pool(&context, AggregatorRole::Operator, &schema()).expect("starts").expect("it has one")
}

#[test]
fn a_row_that_traps_in_update_is_kept_alone() {
    let place = Place::of(&picky().build());
    let pool = pool(&place, OnError::DeadLetter);
    let mut groups = Groups::new(&*pool);
    groups.update(&[1, 2], &[10, 20], 0).expect("goes on");
    groups.update(&[1, 4, 2], &[5, BAD[0], 7], 2).expect("goes on");
    let replayed = place.again();
    assert!(replayed.is_same() && replayed.before.starts_with("trap in update: unreachable; at 0x"), "{replayed:?}");
    assert_eq!((replayed.function.as_str(), replayed.calls_before), ("update", 0), "in a fresh instance");
    assert_eq!(bundle(&place.only())["call"]["what"]["update"], serde_json::json!([0]));
    let mended = place.again_by(&SumGuest::default().build());
    assert!(!mended.is_same() && mended.error_now.is_none(), "{mended:?}");
}

#[test]
fn a_row_that_is_found_out_when_deltas_are_given_up_is_kept_with_that_call() {
    let place = Place::of(&picky().build());
    let pool = pool(&place, OnError::Fail);
    let mut groups = Groups::new(&*pool);
    groups.update(&[1, 2, 3], &[1, BAD[1], 3], 0).expect("goes on");
    let error = pool.settle().expect_err("found out").to_string();
    assert!(error.contains("trapped in `drain`") && error.contains("volley plugin replay"), "{error}");
    let replayed = place.again();
    assert!(replayed.is_same() && replayed.before.starts_with("trap in drain"), "{replayed:?}");
    assert_eq!((replayed.function.as_str(), replayed.calls_before), ("drain", 1), "the row is in the call before");
    let mended = place.again_by(&SumGuest::default().build());
    assert!(!mended.is_same() && mended.error_now.is_none(), "{mended:?}");
}

#[test]
fn calls_since_the_last_drain_are_made_again_as_they_were() {
    // Gives up at its third call since it began; the third value is refused, which is what brings the first group.
    let fatal = format!("(if (i32.eq (global.get $calls) (i32.const 3)) (then (return {})))", SumGuest::failure(2));
    let place = Place::of(&SumGuest { update: fatal, ..picky() }.build());
    let pool = pool(&place, OnError::DeadLetter);
    let mut groups = Groups::new(&*pool);
    groups.update(&[1, 2], &[BAD[2], 5], 0).expect("goes on");
    groups.update(&[3], &[6], 2).expect("goes on");
    let error = groups.update(&[2], &[7], 3).expect_err("gives up").to_string();
    assert!(error.contains("said so") && error.contains("volley plugin replay"), "{error}");
    let described = bundle(&place.only());
    let what = |call: &serde_json::Value| call["what"]["update"].clone();
    let numbers = [what(&described["log"][0]), what(&described["log"][1]), what(&described["call"])];
    assert_eq!(numbers, [serde_json::json!([0, 1]), serde_json::json!([2]), serde_json::json!([1])]);
    let replayed = place.again();
    assert!(replayed.is_same() && replayed.before == "Fatal(\"said so\")", "{replayed:?}");
    assert_eq!(replayed.calls_before, 2);
    assert!(!place.again_by(&SumGuest::default().build()).is_same());
}

#[test]
fn what_was_drained_is_not_made_again() {
    let fatal = format!("(if (i32.eq (global.get $calls) (i32.const 4)) (then (return {})))", SumGuest::failure(2));
    let place = Place::of(&SumGuest { update: fatal, ..SumGuest::default() }.build());
    let pool = pool(&place, OnError::DeadLetter);
    let mut groups = Groups::new(&*pool);
    groups.update(&[1], &[1], 0).expect("goes on");
    pool.settle().expect("drains");
    groups.update(&[1], &[2], 1).expect("goes on");
    groups.update(&[1], &[3], 2).expect_err("gives up");
    let described = bundle(&place.only());
    assert_eq!(described["log"].as_array().map(Vec::len), Some(1), "{}", described["log"]);
}

/// Two pieces of state of three groups, brought together; the error.
fn two_pieces(place: &Place) -> String {
    let pool = pool(place, OnError::DeadLetter);
    let mut groups = Groups::new(&*pool);
    for value in [1, 2] {
        groups.update(&[1, 2, 3], &[value, 700, 3], 0).expect("goes on");
        pool.settle().expect("settles");
    }
    groups.sums().expect_err("fails").to_string()
}

#[test]
fn states_that_stop_the_job_are_kept() {
    let merge = SumGuest { merge: traps_at(700), ..SumGuest::default() };
    let evaluate = SumGuest { evaluate: traps_at(1_400), ..SumGuest::default() };
    for (guest, function, rows) in [(merge, "merge", 2), (evaluate, "evaluate", 1)] {
        let place = Place::of(&guest.build());
        let error = two_pieces(&place);
        assert!(error.contains("the state of a group") && error.contains("volley plugin replay"), "{error}");
        let replayed = place.again();
        assert!(replayed.is_same() && replayed.before.starts_with(&format!("trap in {function}")), "{replayed:?}");
        assert_eq!((replayed.function.as_str(), replayed.calls_before), (function, 0));
        let states = std::fs::File::open(place.only().join("input.arrow")).expect("there");
        let mut states = arrow::ipc::reader::StreamReader::try_new(states, None).expect("a stream");
        assert_eq!(states.next().expect("one").expect("good").num_rows(), rows);
        let mended = place.again_by(&SumGuest::default().build());
        assert!(!mended.is_same() && mended.error_now.is_none(), "{mended:?}");
    }
}

#[test]
fn a_drain_of_merged_states_is_kept_with_the_call_that_merged_them() {
    let place = Place::of(&SumGuest { drain: traps_at(1_400), ..SumGuest::default() }.build());
    let error = two_pieces(&place);
    assert!(error.contains("trapped in `drain`") && error.contains("volley plugin replay"), "{error}");
    let replayed = place.again();
    assert!(replayed.is_same() && replayed.before.starts_with("trap in drain"), "{replayed:?}");
    assert_eq!((replayed.function.as_str(), replayed.calls_before), ("drain", 1));
    assert_eq!(bundle(&place.only())["log"][0]["what"]["merge"], serde_json::json!([0, 0]));
}
