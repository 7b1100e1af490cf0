//! A minute of chaos: what `make chaos` does for an hour, in every run of the tests.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use volley_test_chaos::parts::{self, Amount, Part};
use volley_test_chaos::{Chaos, Checker, Fault, Job, Options, Shape, State, States, Stop, plugins};

/// No scenario begins when this long has passed, however slow the machine is.
const LIMIT: Duration = Duration::from_secs(40);

/// With and without state on disk, where the host has it.
const STATES: States = if cfg!(feature = "rocksdb") { States::Both } else { States::Memory };

fn chaos(places: &[&str]) -> Chaos {
    let options = Options {
        host: env!("CARGO_BIN_EXE_volley-host").into(),
        seed: 1,
        limit: LIMIT,
        states: STATES,
        places: places.iter().map(|place| (*place).to_owned()).collect(),
        keep: None,
        is_loud: false,
    };
    Chaos::new(options).unwrap_or_else(|stop| panic!("{stop}"))
}

/// Runs parts of the suite.
fn survive(chosen: &[Part], places: &[&str], amount: Amount) {
    let chaos = chaos(places);
    for part in chosen {
        let section = parts::run(&chaos, *part, amount);
        assert!(section.wrong.is_empty(), "{part:?}: {}", section.wrong.join("\n"));
        assert!(section.unreadable.is_empty(), "{part:?}: {}", section.unreadable.join("\n"));
        let unreached = section.skipped.iter().find(|why| why.contains("no job of this suite comes to them"));
        assert!(places.is_empty() || unreached.is_none(), "{part:?}: {unreached:?}");
        let tried = |state: &State| section.counts.get(state).map_or(0, |counts| counts.tried);
        let kinds = STATES.all().iter().filter(|state| tried(state) > 0).count();
        // All of them, unless a slow machine took all the time for the first.
        let is_enough = kinds == STATES.all().len() || kinds > 0 && !chaos.has_time();
        assert!(is_enough, "{part:?}: not tried: {:?}", section.skipped);
    }
}

fn amount() -> Amount {
    Amount { kills: 8, every: 1, rounds: 2 }
}

#[test]
fn kills_are_survived() {
    survive(&[Part::Kills], &[], amount());
}

#[test]
fn ends_and_errors_at_named_places_are_survived() {
    survive(&[Part::Sweep], &["manifest-between", "rename-after", "final-complete"], amount());
}

/// `make test` says where the components are; without them no job comes to these places.
#[test]
fn ends_around_calls_of_plugins_are_survived() {
    if plugins().is_none() {
        println!("VOLLEY_TEST_PLUGINS is not set: no job has plugins");
        return;
    }
    survive(&[Part::Sweep], volley_fail_point::names_of("plugins"), amount());
}

#[test]
fn a_recovery_may_end_five_times_and_a_job_start_twice() {
    survive(&[Part::Recovery, Part::Twins], &[], amount());
}

#[test]
#[cfg(all(feature = "s3", target_os = "linux"))]
fn checkpoints_in_an_object_store_survive_its_end_and_the_hosts() {
    survive(&[Part::Objects], &[], amount());
}

/// What is done to the output of a job, and what the checker must make of it.
type Harm = (&'static str, fn(&Path), fn(&Stop) -> bool);

#[test]
fn the_checker_tells_wrong_output_from_output_that_cannot_be_read() {
    let is_wrong: fn(&Stop) -> bool = |stop| matches!(stop, Stop::Wrong(Fault::Output, _));
    let is_unreadable: fn(&Stop) -> bool = |stop| matches!(stop, Stop::Unreadable(_));
    let mut harms: Vec<Harm> = vec![
        (
            "lost: 1 times",
            |job| edit(job, "firsts", |text| text.split_once('\n').expect("a line").1.to_owned()),
            is_wrong,
        ),
        ("late: twice: 1 times", |job| edit(job, "late", |text| format!("{}\n{text}", first(text))), is_wrong),
        ("raw: lost", |job| fs::remove_file(file(job, "raw")).expect("a file"), is_wrong),
        ("left behind", |job| fs::write(job.join("raw/.part-x.staged-1"), "").expect("a file"), is_wrong),
        ("raw cannot be read", |job| fs::write(file(job, "raw"), "PAR1").expect("a file"), is_unreadable),
        ("firsts cannot be read", |job| edit(job, "firsts", |text| format!("{text}{{\"id\":")), is_unreadable),
        ("has the columns", |job| edit(job, "firsts", |text| text.replace("\"grp\"", "\"group\"")), is_unreadable),
        ("begins with", |job| edit(job, "visits", |text| text.replace("usr,", "user,")), is_unreadable),
        ("has the columns", |job| assert!(fs::copy(file(job, "sums"), file(job, "raw")).is_ok()), is_unreadable),
    ];
    if plugins().is_some() {
        harms.push(("kept: lost", |job| edit(job, "kept", |text| last_line(text, |_| None)), is_wrong));
        harms.push(("kept: miscounted", |job| edit(job, "kept", |text| last_line(text, miscounted)), is_wrong));
    }
    let chaos = chaos(&[]);
    let mut job = Job::new(&chaos, Shape::steady(State::Memory, 300)).expect("a folder");
    job.finish_and_check().expect("an undisturbed job");
    for (says, harm, is_right) in harms {
        let hurt = tempfile::tempdir().expect("a folder");
        copy(job.folder(), hurt.path());
        let hurt = Job::in_folder(&chaos, job.shape.clone(), hurt.path().to_owned());
        let hurt = hurt.expect("a folder");
        harm(hurt.folder());
        let stop = hurt.check().expect_err(says);
        assert!(is_right(&stop) && stop.to_string().contains(says), "{says}: {stop:?}");
    }
    // What the checker itself does not understand.
    let checker = Checker::start().expect("Python");
    let shape = Shape { rows: u64::MAX, ..job.shape.clone() };
    let stop = checker.check(job.folder(), &shape).expect_err("more rows than there are numbers");
    assert!(is_unreadable(&stop) && stop.to_string().contains("the checker failed"), "{stop:?}");
}

/// A file of a sink, with rows.
fn file(job: &Path, sink: &str) -> PathBuf {
    let files = fs::read_dir(job.join(sink)).expect("a folder").map(|entry| entry.expect("an entry").path());
    files.max_by_key(|path| fs::metadata(path).expect("a file").len()).expect("a sink that wrote")
}

fn edit(job: &Path, sink: &str, edit: impl Fn(&str) -> String) {
    let path = file(job, sink);
    let text = fs::read_to_string(&path).expect("text");
    fs::write(path, edit(&text)).expect("a file");
}

/// A line of `kept` with another count.
fn miscounted(line: &str) -> Option<String> {
    let mut cells: Vec<&str> = line.split(',').collect();
    cells[2] = "9000";
    Some(cells.join(","))
}

/// The text with another line in the place of its last one, or none.
fn last_line(text: &str, other: impl Fn(&str) -> Option<String>) -> String {
    let (before, last) = text.trim_end().rsplit_once('\n').expect("two lines");
    format!("{before}\n{}", other(last).map_or(String::new(), |line| line + "\n"))
}

fn first(text: &str) -> &str {
    text.lines().next().expect("a line")
}

fn copy(from: &Path, to: &Path) {
    let copied = Command::new("cp").arg("-a").arg(from.join(".")).arg(to).status().expect("cp");
    assert!(copied.success());
}
