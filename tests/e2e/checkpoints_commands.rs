//! What is stored, listed, shown and read through: `checkpoints`, `savepoint`, and checkpoints in `status` and the metrics.

use serde_json::Value;

use crate::checkpoints::{KEYED, NUMBERS, has_completed, start};
use crate::support::{Folder, status_when};

/// A job that was stopped in the middle.
fn stopped(pipeline: &str) -> Folder {
    let folder = Folder::new();
    folder.write("p.yaml", pipeline);
    let running = start(&folder, &["-q"]);
    status_when(&folder, |status| has_completed(status, 3));
    folder.succeed(&["stop", "job"]);
    running.finish().says("stopped", 130, &["stopped at checkpoint "]);
    folder
}

fn listed(folder: &Folder) -> Vec<Value> {
    let list = folder.succeed(&["checkpoints", "list", "p.yaml", "--json"]).json();
    assert_eq!(list["job"], "keyed", "{list}");
    list["checkpoints"].as_array().expect("a list").clone()
}

#[test]
fn checkpoints_are_listed_shown_and_read() {
    let folder = stopped(KEYED);
    let before = folder.files();
    let list = listed(&folder);
    let epochs: Vec<u64> = list.iter().map(|entry| entry["epoch"].as_u64().expect("a number")).collect();
    assert!(epochs.len() >= 3 && epochs.is_sorted_by(|a, b| a > b), "the newest first: {epochs:?}");
    for entry in &list {
        assert_eq!(entry["state"], "complete", "{entry}");
        assert!(
            entry["written_ms"].as_u64() > Some(1_600_000_000_000) && entry["splits"].as_u64() >= Some(1),
            "{entry}"
        );
        assert!(entry["new_bytes"].as_u64() > Some(0), "there is state: {entry}");
    }
    let table = folder.succeed(&["checkpoints", "list", "p.yaml"]);
    for part in [
        "│ epoch   state",
        "new bytes   shared bytes   splits   waiting commits",
        &format!("│ {:>5}   complete", epochs[0]),
    ] {
        assert!(table.text().contains(part), "no `{part}` in {}", table.text());
    }
    let newest = folder.succeed(&["checkpoints", "inspect", "p.yaml", "--json"]).json();
    assert_eq!((&newest["epoch"], &newest["job"]), (&epochs[0].into(), &"keyed".into()));
    let state = newest["operators"]["totals"]["keyed"].as_object().expect("states");
    assert!(!state.is_empty() && newest["bytes"].as_u64() > Some(0), "{newest}");
    assert!(newest["sources"]["made"].is_object() && newest["read_to"]["made"].is_object(), "{newest}");
    let shown = folder.succeed(&["checkpoints", "inspect", "p.yaml", &epochs[1].to_string()]);
    for part in [
        format!("checkpoint {} of ", epochs[1]),
        "job keyed, start 1, written 20".to_owned(),
        "│ source   split".to_owned(),
        "│ totals ".to_owned(),
        "256 of 256".to_owned(),
        "layout".to_owned(),
        "operator: by key tumbling 1h".to_owned(),
        "sink: file out/ (jsonl)".to_owned(),
    ] {
        assert!(shown.text().contains(&part), "no `{part}` in {}", shown.text());
    }
    let whole = folder.succeed(&["checkpoints", "verify", "p.yaml"]);
    assert_eq!(whole.text().lines().count(), epochs.len(), "{}", whole.text());
    assert!(whole.text().lines().all(|line| line.ends_with(": whole")), "{}", whole.text());
    assert_eq!(folder.files(), before, "nothing was changed");
}

#[test]
fn damage_is_found_and_named() {
    // Rows come all the time, and checkpoints are rare, so that the last one has committed something.
    let folder = Folder::new();
    let rare = KEYED.replace("interval: 50ms", "interval: 400ms").replace("rows: 8000", "rows: 12000");
    folder.write(
        "p.yaml",
        rare.replace("sinks: {", "sinks: { raw: { from: made, file: { path: raw/, format: jsonl } },"),
    );
    let running = start(&folder, &["-q"]);
    status_when(&folder, |status| has_completed(status, 3));
    std::thread::sleep(std::time::Duration::from_millis(200));
    folder.succeed(&["stop", "job"]);
    running.finish().says("stopped", 130, &["stopped at checkpoint "]);
    let newest = folder.succeed(&["checkpoints", "inspect", "p.yaml", "--json"]).json();
    let epoch = newest["epoch"].as_u64().expect("a number");
    let parts = newest["operators"]["totals"]["keyed"].as_object().expect("states").values();
    let files = parts.flat_map(|parts| parts.as_array().expect("parts")).flat_map(|part| part["files"].as_array());
    let file = files.flatten().find_map(|file| file["path"].as_str()).expect("a file").to_owned();
    let path = folder.path(&format!("checkpoints/keyed/{file}"));
    let mut bytes = std::fs::read(&path).expect("a file");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::remove_file(&path).expect("it is there");
    std::fs::write(&path, &bytes).expect("a disk");
    // Its length is right, so that only who reads it finds out.
    assert_eq!(listed(&folder)[0]["state"], "complete");
    let outcome = folder.run(&["checkpoints", "verify", "p.yaml"]);
    outcome.says("flipped", 5, &["error: damaged in ", &format!("checkpoint {epoch}")]);
    for part in [format!("checkpoint {epoch}: damaged\n  {file}: it has "), "should have".to_owned()] {
        assert!(outcome.text().contains(&part), "no `{part}` in {}", outcome.text());
    }
    let outcome = folder.run(&["checkpoints", "verify", "p.yaml", &epoch.to_string(), "--json"]);
    assert_eq!((outcome.code, &outcome.json()["checkpoints"][0]["state"]), (Some(5), &"damaged".into()));
    // A job of another pipeline cannot rebuild it: it says the same, and what to do.
    let text = folder.read("p.yaml");
    folder.write(
        "p.yaml",
        text.replace("max_out_of_orderness: 1s", "max_out_of_orderness: 2s").replace("n % 7", "n % 5"),
    );
    folder.run(&["run", "p.yaml"]).says("damaged", 5, &[&file, "--accept-duplicates", "says that it is complete"]);
    folder.write("p.yaml", text);
    std::fs::remove_file(&path).expect("it is there");
    let list = listed(&folder);
    let of_epoch = list.iter().find(|entry| entry["epoch"] == epoch).expect("it is there");
    assert_eq!(of_epoch["state"], "damaged");
    assert!(of_epoch["notes"][0].as_str().is_some_and(|note| note.contains("it is missing")), "{of_epoch}");
    let older = (epoch - 1).to_string();
    folder.succeed(&["checkpoints", "verify", "p.yaml", &older]);
    folder.succeed(&["run", "p.yaml", "-q", "--accept-duplicates"]);
}

#[test]
fn what_is_not_there_is_said() {
    let folder = Folder::new();
    folder.write("p.yaml", NUMBERS);
    let none = folder.succeed(&["checkpoints", "list", "p.yaml"]);
    assert!(none.text().contains("there is no checkpoint in "), "{}", none.text());
    folder.run(&["checkpoints", "inspect", "p.yaml"]).says("none", 2, &["there is no complete checkpoint in "]);
    folder.run(&["checkpoints", "inspect", "p.yaml", "x"]).says("x", 2, &["the number of a checkpoint, or `newest`"]);
    folder.run(&["checkpoints", "verify", "p.yaml", "x"]).says("x", 2, &["the number of a checkpoint, or `all`"]);
    folder.run(&["run", "p.yaml", "--from", "7"]).says(
        "7",
        2,
        &["there is no checkpoint 7 in", "there is none at all"],
    );
    let running = start(&folder, &["-q"]);
    status_when(&folder, |status| has_completed(status, 1));
    folder.succeed(&["stop", "job"]);
    running.finish();
    for command in [&["checkpoints", "verify", "p.yaml", "999"][..], &["run", "p.yaml", "--from", "999"]] {
        folder.run(command).says("999", 2, &["there is no checkpoint 999 in ", ": there are "]);
    }
    folder.write("p.yaml", NUMBERS.replace("checkpoint: { interval: 50ms, location: checkpoints }\n", ""));
    folder.run(&["checkpoints", "list", "p.yaml"]).says("none", 2, &["p.yaml has no `checkpoint`"]);
    for option in ["--fresh", "--accept-duplicates", "--from=3"] {
        folder.run(&["run", "p.yaml", option]).says(option, 2, &["are for pipelines with `checkpoint`"]);
    }
    let plain =
        NUMBERS.replace("checkpoint: { interval: 50ms, location: checkpoints }\n", "").replace("out/", "plain/");
    folder.write("p.yaml", plain);
    let running = start(&folder, &["-q"]);
    status_when(&folder, |status| status["phase"] == "running");
    folder.run(&["savepoint", "job", "x"]).says(
        "none",
        5,
        &["the job refuses: it takes no checkpoints", "`checkpoint:`"],
    );
    assert!(folder.succeed(&["status", "job", "--json"]).json()["checkpoints"].is_null());
    drop(running);
}

#[test]
fn savepoints_are_taken_shown_and_read() {
    let folder = Folder::new();
    folder.write("p.yaml", KEYED);
    let running = start(&folder, &["-q"]);
    status_when(&folder, |status| has_completed(status, 1));
    let taken = folder.succeed(&["savepoint", "job", "a/taken"]);
    assert!(taken.text().starts_with("savepoint of checkpoint "), "{}", taken.text());
    assert!(taken.text().contains("/a/taken: "), "{}", taken.text());
    // Once more to the same place, to a file, and where nothing can be written.
    folder.run(&["savepoint", "job", "a/taken"]).says(
        "again",
        5,
        &["the job refuses", "lies there already", "empty place"],
    );
    folder.run(&["savepoint", "job", "p.yaml"]).says("a file", 5, &["the job refuses: cannot ", "p.yaml"]);
    folder.run(&["savepoint", "job", "ftp://x/y"]).says("ftp", 2, &["`ftp:` is not known"]);
    folder.run(&["savepoint", "job"]).says("no target", 2, &["<TARGET>"]);
    // The job runs on.
    let status = status_when(&folder, |status| has_completed(status, 3));
    assert_eq!(status["phase"], "running");
    let shown = folder.succeed(&["savepoint", "inspect", "a/taken"]);
    for part in ["savepoint a/taken, checkpoint ", "│ totals ", "output that waits for its commit: none"] {
        assert!(shown.text().contains(part), "no `{part}` in {}", shown.text());
    }
    let manifest = folder.succeed(&["savepoint", "inspect", "a/taken", "--json"]).json();
    assert_eq!((&manifest["job"], manifest["pending"].as_array().map(Vec::len)), (&"keyed".into(), Some(0)));
    assert_eq!(folder.succeed(&["savepoint", "verify", "a/taken", "--json"]).json()["state"], "whole");
    let file = folder.files().into_iter().find(|name| name.starts_with("a/taken/epochs/")).expect("files of state");
    std::fs::remove_file(folder.path(&file)).expect("it is there");
    let outcome = folder.run(&["savepoint", "verify", "a/taken"]);
    outcome.says("half", 5, &["the savepoint in a/taken is damaged"]);
    assert!(outcome.text().contains(": it is missing"), "{}", outcome.text());
    folder.run(&["savepoint", "verify", "nowhere"]).says("nowhere", 2, &["holds no savepoint: there is nothing"]);
    folder.succeed(&["stop", "job"]);
    running.finish().says("stopped", 130, &[]);
    folder.run(&["savepoint", "job", "b"]).says("gone", 5, &["no job runs in job"]);
}

#[test]
fn status_shows_checkpoints() {
    let folder = Folder::new();
    folder.write("p.yaml", KEYED);
    let running = start(&folder, &["-q"]);
    let status = status_when(&folder, |status| has_completed(status, 2));
    let taken = &status["checkpoints"];
    assert_eq!((&taken["abandoned"], &taken["last_failure"]), (&0.into(), &Value::Null), "{taken}");
    assert!(taken["waiting_commits"].is_u64(), "{taken}");
    for key in ["epoch", "age_ms", "took_ms", "new_bytes", "shared_bytes"] {
        assert!(taken["last"][key].is_u64(), "{key}: {taken}");
    }
    assert!(taken["last"]["epoch"].as_u64() >= Some(2) && taken["last"]["new_bytes"].as_u64() > Some(0), "{taken}");
    let text = folder.succeed(&["status", "job"]);
    for part in ["\ncheckpoints: ", " completed, 0 given up, ", " to be committed; the last, ", " new bytes, "] {
        assert!(text.text().contains(part), "no `{part}` in {}", text.text());
    }
    folder.succeed(&["stop", "job"]);
    running.finish();
}

#[test]
fn help_has_examples() {
    let folder = Folder::new();
    for (command, parts) in [
        (&["checkpoints", "--help"][..], &["checkpoints verify pipeline.yaml"][..]),
        (&["savepoint", "--help"], &["--from TARGET", "volley-host savepoint job before-upgrade"]),
        (&["run", "--help"], &["--from ../savepoint", "--fresh", "--accept-duplicates"]),
        (&["stop", "--help"], &["takes a last one, from which its next run goes on", "--drain    # for good"]),
        (&["--help"], &["volley-host checkpoints list pipeline.yaml"]),
    ] {
        let help = folder.succeed(command);
        for part in parts {
            assert!(help.text().contains(part), "{command:?}: no `{part}` in {}", help.text());
        }
    }
}
