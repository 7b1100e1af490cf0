//! Checkpoints of every release, as they were written then: this host goes on from each, with other parallelism, and comes to
//! what the job would have come to.
//!
//! They lie in `tests/golden/checkpoints`, a folder for each release and backend: the pipeline, its checkpoints, and what it
//! had put out. To add one, run the pipeline for a second, stop it with SIGTERM, and copy its folder.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::support::{Folder, repository};

/// All that there are. A release adds its own.
const GOLDEN: [&str; 2] = ["0.1/memory", "0.1/rocksdb"];

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a folder");
    for entry in fs::read_dir(from).expect("a folder") {
        let entry = entry.expect("an entry");
        let (path, target) = (entry.path(), to.join(entry.file_name()));
        if path.is_dir() {
            copy(&path, &target);
        } else {
            fs::copy(&path, &target).expect("a file");
        }
    }
}

/// All rows of a folder of JSON Lines.
fn rows(folder: &Folder, out: &str) -> Vec<Value> {
    let start = format!("{out}/part-");
    let files = folder.files().into_iter().filter(|name| name.starts_with(&start));
    let texts: Vec<String> = files.map(|name| folder.read(&name)).collect();
    texts.iter().flat_map(|text| text.lines()).map(|line| serde_json::from_str(line).expect("a row")).collect()
}

fn number(row: &Value, column: &str) -> u64 {
    row[column].as_u64().unwrap_or_else(|| panic!("{column} of {row}"))
}

/// Of the numbers below 6,000 that are `user` modulo 50 those from `from` to `to`: how many, and their sum.
fn expected(user: u64, from: u64, to: u64) -> (u64, u64) {
    let numbers = (from..to).filter(|number| number % 50 == user);
    numbers.fold((0, 0), |(count, sum), number| (count + 1, sum + number))
}

fn user(row: &Value) -> u64 {
    row["user"].as_str().and_then(|user| user.strip_prefix('u')?.parse().ok()).unwrap_or_else(|| panic!("{row}"))
}

#[test]
fn every_release_can_be_gone_on_from() {
    let golden = repository().join("tests/golden/checkpoints");
    let mut seen = BTreeSet::new();
    for release in fs::read_dir(&golden).expect("releases") {
        for kept in fs::read_dir(release.expect("a release").path()).expect("backends") {
            let kept = kept.expect("a backend").path();
            seen.insert(kept.strip_prefix(&golden).expect("below it").display().to_string());
            if kept.ends_with("rocksdb") && !cfg!(feature = "rocksdb") {
                continue;
            }
            let folder = Folder::new();
            copy(&kept, &folder.path("."));
            let run = folder.succeed(&["run", "p.yaml", "--parallelism", "3"]);
            assert!(run.stderr.contains("going on from checkpoint"), "{}: {}", kept.display(), run.text());
            check(&folder);
        }
    }
    assert!(seen.iter().eq(GOLDEN), "{} holds {seen:?}", golden.display());
}

fn check(folder: &Folder) {
    let mut windows: BTreeMap<(u64, u64), (u64, u64, u64)> = BTreeMap::new();
    for row in rows(folder, "windows") {
        let is_second = row["window_start"].as_str().is_some_and(|start| start.contains("00:00:04"));
        let found = (number(&row, "n"), number(&row, "total"), number(&row, "last_id"));
        assert_eq!(windows.insert((user(&row), u64::from(is_second)), found), None, "twice: {row}");
    }
    let mut sessions: BTreeMap<u64, (u64, u64)> = BTreeMap::new();
    for row in rows(folder, "sessions") {
        assert_eq!(sessions.insert(user(&row), (number(&row, "n"), number(&row, "total"))), None, "twice: {row}");
    }
    let mut once: Vec<u64> = rows(folder, "once").iter().map(user).collect();
    once.sort_unstable();
    assert!(once.into_iter().eq(0..50), "each user once");
    for user in 0..50 {
        assert_eq!(sessions.get(&user), Some(&expected(user, 0, 6_000)), "session of u{user}");
        for (window, from, to) in [(0, 0, 4_000), (1, 4_000, 6_000)] {
            let (count, sum) = expected(user, from, to);
            assert_eq!(windows.get(&(user, window)), Some(&(count, sum, to - 50 + user)), "window {window} of u{user}");
        }
    }
}
