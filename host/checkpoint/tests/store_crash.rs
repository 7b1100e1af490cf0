//! Ends a process at every fail point, and lets the storage fail there: what was complete stays so, and the next start goes
//! on from it.

mod store_support;

use std::collections::BTreeSet;
use std::path::Path;
use std::process::{Command, Output};

use store_support::*;
use volley_api::{Epoch, SplitId};
use volley_checkpoint::fail_point::names_of;
use volley_checkpoint::store::{CheckpointStore, EpochState, Location, RemovalReport, Savepoint};

const EPOCHS: u64 = 12;
const KEPT: u64 = 3;

/// What a child process does: a start, epochs with shared files, removal of old ones, a savepoint. It says what is done.
#[tokio::test]
async fn scenario() {
    let Some(folder) = std::env::var_os("VOLLEY_CRASH_FOLDER") else { return };
    let place = Place {
        location: Location::folder(&Path::new(&folder).join("checkpoints")),
        folder: tempfile::tempdir_in(&folder).expect("a folder"),
    };
    let run = match place.store().start(options()).await {
        Ok(run) => run,
        Err(error) => return println!("failed start: {error}"),
    };
    for epoch in 1..=EPOCHS {
        let outcome = async {
            let mut writer = run.begin().await?;
            let id = writer.epoch().0;
            println!("begun {id}");
            let parts = parts(&place, &run, writer.epoch());
            writer.take(parts).await?;
            writer.complete(Default::default()).await.map(|report| (id, report.warning))
        };
        match outcome.await {
            Ok((id, warning)) => println!("complete {id} {}", warning.unwrap_or_default()),
            Err(error) => println!("failed {epoch}: {error}"),
        }
        if epoch > KEPT {
            println!("removing {}", epoch - KEPT);
            if let Err(error) = run.remove(&[Epoch(epoch - KEPT)]).await {
                println!("failed removal: {error}");
            }
        }
    }
    let target = Location::folder(&Path::new(&folder).join("savepoint"));
    match place.store().export(Epoch(EPOCHS), &target).await {
        Ok(report) => println!("exported {}", report.files),
        Err(error) => println!("failed export: {error}"),
    }
}

/// A folder in memory, where there is one: a process that ends loses nothing of it, and a thousand syncs cost nothing.
fn folder() -> tempfile::TempDir {
    tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).expect("a folder")
}

fn child(folder: &Path, fail_point: Option<&str>) -> Output {
    let mut command = Command::new(std::env::current_exe().expect("this test"));
    command.args(["--exact", "scenario", "--nocapture"]).env("VOLLEY_CRASH_FOLDER", folder);
    command.env_remove("VOLLEY_FAIL_POINT");
    if let Some(fail_point) = fail_point {
        command.env("VOLLEY_FAIL_POINT", fail_point);
    }
    command.output().expect("it runs")
}

/// The numbers behind a word in what a child said.
fn said(output: &Output, word: &str) -> BTreeSet<u64> {
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let number = |line: &str| line.split(word).nth(1)?.trim_start().split(' ').next()?.parse().ok();
    text.lines().filter(|line| line.contains(word)).filter_map(number).collect()
}

/// What must hold whenever a process has ended.
async fn check(folder: &Path, output: &Output, what: &str) {
    let location = Location::folder(&folder.join("checkpoints"));
    let store = CheckpointStore::open(&location, JOB).expect("a store");
    let (begun, complete, removed) = (said(output, "begun "), said(output, "complete "), said(output, "removing "));
    let mut found = BTreeSet::new();
    for entry in store.list().await.expect("listed") {
        match entry.state {
            EpochState::Complete { manifest, .. } => {
                let restored = store.load(entry.epoch, folder).await.unwrap_or_else(|error| panic!("{what}: {error}"));
                let offset = &restored.state.splits[&node("flights")][&SplitId::new("a.csv")].position;
                assert_eq!(*offset, at(&entry.epoch.to_string()), "{what}");
                found.insert(manifest.epoch);
            }
            EpochState::Incomplete { .. } => {}
            state => panic!("{what}: {} is {state:?}", entry.epoch),
        }
    }
    let kept: BTreeSet<_> = complete.difference(&removed).copied().collect();
    assert!(found.is_superset(&kept), "{what}: {kept:?} were complete, and {found:?} are");
    if let Ok(savepoint) =
        Savepoint::open(&Location::folder(&folder.join("savepoint"))).expect("a location").inspect().await
    {
        assert_eq!(savepoint.epoch, EPOCHS, "{what}");
        let savepoint = Savepoint::open(&Location::folder(&folder.join("savepoint"))).expect("a location");
        savepoint.load(JOB, folder).await.unwrap_or_else(|error| panic!("{what}: {error}"));
    }
    // The next start: new numbers, the newest epoch, a whole one behind it, and nothing left over in the end.
    let run = store.start(options()).await.unwrap_or_else(|error| panic!("{what}: {error}"));
    let newest = store.newest().await.expect("listed");
    assert_eq!(newest.complete.as_ref().map(|manifest| manifest.epoch), found.last().copied(), "{what}");
    if let Some(newest) = newest.complete {
        run.goes_on_from(&store.load(newest.epoch(), folder).await.expect("whole"));
    }
    let place = Place { location, folder: tempfile::tempdir_in(folder).expect("a folder") };
    let report = write(&place, &run).await;
    assert!(begun.iter().all(|id| *id < report.manifest.epoch), "{what}: {begun:?}, {}", report.manifest.epoch);
    let others: Vec<_> = store.list().await.expect("listed").into_iter().map(|entry| entry.epoch).collect();
    run.remove(&others[1..]).await.unwrap_or_else(|error| panic!("{what}: {error}"));
    assert_eq!(run.remove(&others[1..]).await.expect("again"), RemovalReport::default(), "{what}");
    assert_eq!(store.verify(others[0]).await.expect("read"), [], "{what}");
    let named: BTreeSet<_> = report.manifest.files().map(|file| file.path.clone()).collect();
    let there = place.blobs().list("").await.expect("listed").into_iter().map(|file| file.path);
    let is_mark = |path: &String| path.ends_with(".json") || path.starts_with("incarnations");
    let there: BTreeSet<_> = there.filter(|path| !is_mark(path)).collect();
    assert_eq!(there, named, "{what}");
}

#[tokio::test]
async fn without_a_failure_all_is_done() {
    let folder = folder();
    let output = child(folder.path(), None);
    assert_eq!(said(&output, "complete "), (1..=EPOCHS).collect(), "{output:?}");
    assert_eq!(said(&output, "exported "), BTreeSet::from([3]));
    check(folder.path(), &output, "no failure").await;
}

/// The first time, one in the middle, and one late, where there are that many.
const TIMES: [u64; 3] = [1, 7, 30];

#[tokio::test]
async fn a_process_may_end_anywhere() {
    let mut ended = BTreeSet::new();
    for name in names_of("store") {
        for (nth, action) in TIMES.into_iter().map(|nth| (nth, "abort")).chain([(2, "torn")]) {
            if action == "torn" && *name != "tmp-write" {
                continue;
            }
            let folder = folder();
            let what = format!("{name}:{nth}:{action}");
            let output = child(folder.path(), Some(&what));
            if !output.status.success() {
                ended.insert(*name);
            }
            check(folder.path(), &output, &what).await;
        }
    }
    let unreached: Vec<_> = names_of("store").iter().filter(|name| !ended.contains(*name)).collect();
    assert!(unreached.is_empty(), "no process ended at {unreached:?}");
}

#[tokio::test]
async fn the_storage_may_fail_anywhere() {
    let cases = [
        ("tmp-write", "ENOSPC"),
        ("tmp-before-write", "EROFS"),
        ("tmp-before-sync", "EIO"),
        ("file-before-link", "EDQUOT"),
        ("file-before-rename", "EIO"),
        ("folder-before-sync", "EIO"),
        ("manifest-before", "EIO"),
        ("manifest-between", "EIO"),
        ("manifest-after", "EIO"),
        ("upload-middle", "ENOSPC"),
        ("clean-up-middle", "EIO"),
    ];
    for (name, error) in cases {
        for nth in [1, 2, 3, 4, 5, 6, 8, 20] {
            let folder = folder();
            let what = format!("{name}:{nth}:error={error}");
            let output = child(folder.path(), Some(&what));
            assert!(output.status.success(), "{what}: an error ends no process");
            let text = String::from_utf8_lossy(&output.stdout);
            let has_failed = text.contains("failed") || text.contains("os error");
            assert!(has_failed || nth > 8, "{what}: nobody was told: {text}");
            check(folder.path(), &output, &what).await;
        }
    }
}
