//! Functions of `snapshot` that fail are kept, with what the operator held, and fail again in the same way.

use std::path::Path;

use volley_api::{OperatorState, Result};
use volley_test_guests::SnapshotBodies;

use crate::guest::{Guest, words_to_bytes};
use crate::harness::{Collected, numbers_schema};
use crate::held::{Job, component, rows, stored};
use crate::repro::{Place, bundle};

/// What the guest below does otherwise than it should.
#[derive(Default)]
struct Fails {
    /// Instructions at the beginning of each.
    snapshot: &'static str,
    restore: &'static str,
    can_migrate: Option<&'static str>,
    /// Whether `migrate` gives up instead of trapping.
    gives_up: bool,
}

/// A process that counts its calls and gives their number as its state; of a state of the host that it cannot bring over.
fn counting(fails: &Fails) -> Vec<u8> {
    let mut guest = Guest::new("process", &["id"]).output("out", &numbers_schema("y"), false);
    let done = guest.emitted(&[]);
    let (bytes, unit, fatal) = (guest.put(&[0; 8]), guest.put(&[0; 24]), guest.failure(2, "not these", 0));
    let part = guest.put(&words_to_bytes(&[0, 3, bytes, 1]));
    let parts = guest.put(&words_to_bytes(&[0, 0, part, 1]));
    let Fails { snapshot, restore, can_migrate, gives_up } = fails;
    guest
        .state("sums", &numbers_schema("other"))
        .functions("(global $calls (mut i32) (i32.const 0))")
        .process(&format!("(global.set $calls (i32.add (global.get $calls) (i32.const 1))) (i32.const {done})"))
        .snapshot(SnapshotBodies {
            snapshot: Some(format!(
                "{snapshot} (i32.store8 (i32.const {bytes}) (global.get $calls)) (i32.const {parts})"
            )),
            restore: Some(format!(
                "{restore} (global.set $calls (i32.load8_u (i32.load offset=8 (local.get $parts)))) (i32.const {unit})"
            )),
            can_migrate: can_migrate.map(str::to_owned),
            migrate: gives_up.then(|| format!("(i32.const {fatal})")),
        })
        .build()
}

fn job(place: &Place, restored: OperatorState) -> Job {
    Job { restored, repro: Some(place.kept()), ..Job::new(&place.component, serde_json::json!({})) }
}

/// The checkpoint of a job after so many calls, or after a failed one.
fn checkpoint(folder: &tempfile::TempDir, path: &Path, calls: i64) -> Result<OperatorState> {
    let mut operator = Job::new(path, serde_json::json!({})).start()?;
    for call in 0..calls {
        operator.process(rows(call * 10..call * 10 + 10), &mut Collected::default())?;
    }
    stored(folder, vec![operator.snapshot()?])
}

#[test]
fn a_snapshot_that_traps_is_kept_with_what_the_operator_had_come_to() {
    // Not before its third call.
    let snapshot = "(if (i32.ge_u (global.get $calls) (i32.const 3)) (then unreachable))";
    let place = Place::of(&counting(&Fails { snapshot, ..Fails::default() }));
    let mut operator = job(&place, OperatorState::default()).start().expect("starts");
    for begin in [0, 10] {
        operator.process(rows(begin..begin + 10), &mut Collected::default()).expect("processes");
    }
    stored(&place.folder, vec![operator.snapshot().expect("snapshots")]).expect("stores");
    operator.process(rows(20..30), &mut Collected::default()).expect("processes");
    let error =
        stored(&place.folder, vec![operator.snapshot().expect("the job goes on")]).expect_err("none").to_string();
    assert!(error.contains("trapped in `snapshot`") && error.contains("volley plugin replay"), "{error}");
    let described = bundle(&place.only());
    assert_eq!((&described["call"]["what"], &described["parts"][0]["bytes"]), (&"snapshot".into(), &"02".into()));
    let replayed = place.again();
    assert!(replayed.is_same() && replayed.before.starts_with("trap in snapshot: unreachable; at 0x"), "{replayed:?}");
    assert_eq!((replayed.function.as_str(), replayed.calls_before), ("snapshot", 1));
    let mended = place.again_by(&counting(&Fails::default()));
    assert!(!mended.is_same() && mended.error_now.is_none(), "{mended:?}");
    // The job goes on as if nothing had been asked.
    operator.process(rows(30..40), &mut Collected::default()).expect("processes");
}

#[test]
fn a_snapshot_that_lies_is_kept_and_lies_again() {
    let place = Place::of(&std::fs::read(component("keeper")).expect("a component"));
    let config = serde_json::json!({ "fail": "size" });
    let job = Job { repro: Some(place.kept()), ..Job::new(&place.component, config) };
    let mut operator = job.start().expect("starts");
    operator.process(rows(0..50), &mut Collected::default()).expect("processes");
    let error = stored(&place.folder, vec![operator.snapshot().expect("goes on")]).expect_err("too large").to_string();
    assert!(error.contains("the limit is 1048576") && error.contains("volley plugin replay"), "{error}");
    let replayed = place.again();
    assert!(replayed.is_same() && replayed.before.starts_with("returned, sha256 "), "{replayed:?}");
    // Without the rows before it other parts are given.
    let path = place.only().join("bundle.json");
    let mut described = bundle(&place.only());
    described["log"] = serde_json::json!([]);
    std::fs::write(&path, described.to_string()).expect("writes");
    assert!(!place.again().is_same());
}

#[test]
fn a_restore_that_traps_is_kept_with_the_parts() {
    let good = Place::of(&counting(&Fails::default()));
    let restored = checkpoint(&good.folder, &good.component, 2).expect("a checkpoint");
    let place = Place::of(&counting(&Fails { restore: "unreachable", ..Fails::default() }));
    let error = job(&place, restored).error();
    assert!(error.contains("trapped in `restore`") && error.contains("volley plugin replay"), "{error}");
    assert_eq!(bundle(&place.only())["call"]["what"]["restore"][0]["bytes"], "02");
    let replayed = place.again();
    assert!(replayed.is_same() && replayed.before.starts_with("trap in restore"), "{replayed:?}");
    let mended = place.again_by(&counting(&Fails::default()));
    assert!(!mended.is_same() && mended.error_now.is_none(), "{mended:?}");
}

#[test]
fn rows_that_are_not_brought_over_are_kept() {
    let folder = tempfile::tempdir().expect("a folder");
    let restored = checkpoint(&folder, &component("keeper"), 3).expect("a checkpoint");
    let traps = counting(&Fails::default());
    let gives_up = counting(&Fails { gives_up: true, ..Fails::default() });
    for (guest, other, before) in
        [(&traps, &gives_up, "trap in migrate: unreachable; at 0x"), (&gives_up, &traps, "Fatal(\"not these\")")]
    {
        let place = Place::of(guest);
        let error = job(&place, restored.clone()).error();
        assert!(error.contains("`sums`") && error.contains("volley plugin replay"), "{error}");
        let described = bundle(&place.only());
        assert_eq!(described["call"]["what"]["migrate"]["name"], "sums");
        let states = std::fs::File::open(place.only().join("input.arrow")).expect("there");
        let mut states = arrow::ipc::reader::StreamReader::try_new(states, None).expect("a stream");
        assert_eq!(states.next().expect("one").expect("good").num_rows(), 5, "one of each key");
        let replayed = place.again();
        assert!(replayed.is_same() && replayed.before.starts_with(before), "{replayed:?}");
        assert_eq!(replayed.function, "migrate");
        assert!(!place.again_by(other).is_same());
    }
}

#[test]
fn a_trap_where_it_is_asked_whether_it_can_is_kept() {
    let folder = tempfile::tempdir().expect("a folder");
    let restored = checkpoint(&folder, &component("keeper"), 1).expect("a checkpoint");
    let place = Place::of(&counting(&Fails { can_migrate: Some("unreachable"), ..Fails::default() }));
    let error = job(&place, restored).error();
    assert!(error.contains("trapped in `can-migrate`") && error.contains("volley plugin replay"), "{error}");
    assert_eq!(bundle(&place.only())["call"]["what"]["can_migrate"][0]["kind"], "value");
    let replayed = place.again();
    assert!(replayed.is_same() && replayed.before.starts_with("trap in can-migrate"), "{replayed:?}");
    let mended = place.again_by(&counting(&Fails::default()));
    assert!(!mended.is_same() && mended.error_now.is_none(), "{mended:?}");
}

/// Between checkpoints it is asked when much has been called; the third failure in a row stops the job, and that one is kept.
#[test]
fn snapshots_between_checkpoints_that_stop_the_job_are_kept() {
    let place = Place::of(&counting(&Fails { snapshot: "unreachable", ..Fails::default() }));
    let mut operator = job(&place, OperatorState::default()).start().expect("starts");
    let processed = (0..400)
        .try_for_each(|call| operator.process(rows(call * 8_192..(call + 1) * 8_192), &mut Collected::default()));
    let error = processed.expect_err("three failures").to_string();
    assert!(error.contains("3 times in a row") && error.contains("volley plugin replay"), "{error}");
    let replayed = place.again();
    assert!(replayed.is_same() && replayed.before.starts_with("trap in snapshot"), "{replayed:?}");
    assert!(replayed.calls_before > 30, "all since it began: {replayed:?}");
}

/// A process that traps at its third call, and at the first after it was restored where that is what it does.
fn forgetful(traps: &str) -> Vec<u8> {
    let mut guest = Guest::new("process", &["id"]).output("out", &numbers_schema("y"), false);
    let (done, unit, bytes) = (guest.emitted(&[]), guest.put(&[0; 24]), guest.put(&[0; 8]));
    let part = guest.put(&words_to_bytes(&[0, 3, bytes, 1]));
    let parts = guest.put(&words_to_bytes(&[0, 0, part, 1]));
    guest
        .functions("(global $calls (mut i32) (i32.const 0)) (global $restored (mut i32) (i32.const 0))")
        .process(&format!(
            "(if (global.get $restored) (then {traps}))
             (global.set $calls (i32.add (global.get $calls) (i32.const 1)))
             (if (i32.eq (global.get $calls) (i32.const 3)) (then unreachable))
             (i32.const {done})"
        ))
        .snapshot(SnapshotBodies {
            snapshot: Some(format!("(i32.const {parts})")),
            restore: Some(format!("(global.set $restored (i32.const 1)) (i32.const {unit})")),
            ..SnapshotBodies::default()
        })
        .build()
}

/// The job cannot go on from where it was, since what the plugin gave as its state was not all of it.
#[test]
fn a_call_that_fails_when_it_is_made_again_is_kept_with_those_before_it() {
    let place = Place::of(&forgetful("unreachable"));
    let mut operator = job(&place, OperatorState::default()).start().expect("starts");
    operator.process(rows(0..10), &mut Collected::default()).expect("processes");
    stored(&place.folder, vec![operator.snapshot().expect("snapshots")]).expect("stores");
    operator.process(rows(10..20), &mut Collected::default()).expect("processes");
    let error = operator.process(rows(20..30), &mut Collected::default()).expect_err("it is lost").to_string();
    assert!(error.contains("does not get to where it was") && error.contains("volley plugin replay"), "{error}");
    let replayed = place.again();
    assert!(replayed.is_same() && replayed.before.starts_with("trap in process: unreachable; at 0x"), "{replayed:?}");
    assert_eq!((replayed.function.as_str(), replayed.calls_before), ("process", 0), "the second, behind the state");
    let mended = place.again_by(&forgetful(""));
    assert!(!mended.is_same() && mended.error_now.is_none(), "{mended:?}");
}
