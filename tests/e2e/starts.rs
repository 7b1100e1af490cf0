//! Starts that do not run the job: those that are refused leave one that runs alone, and one that finds nothing but output to
//! commit does that.

use serde_json::Value;

use crate::checkpoints::{COUNT, KEYED, NUMBERS, assert_whole, has_completed, ids, start};
use crate::support::{Folder, status_when};

/// Changes of a pipeline, and what is said of each.
type Changes<'a> = &'a [(&'a str, &'a str, &'a [&'a str])];

/// Runs a job, tries starts that are to be refused, and looks that it goes on as if there had been none.
fn undisturbed(folder: &Folder, pipeline: &str, changes: Changes<'_>) {
    folder.write("p.yaml", pipeline);
    let running = start(folder, &["-q"]);
    status_when(folder, |status| has_completed(status, 2));
    for (from, to, parts) in changes {
        let changed = pipeline.replace(from, to);
        assert_ne!(changed, pipeline, "{from}");
        folder.write("changed.yaml", changed);
        folder.run(&["run", "changed.yaml"]).says(to, 2, parts);
    }
    let before = status_when(folder, |_| true)["checkpoints"]["completed"].as_u64().expect("a number");
    let status = status_when(folder, |status| has_completed(status, before + 2));
    assert_eq!(status["phase"], "running", "{status}");
    folder.succeed(&["stop", "job"]);
    running.finish().says("the one that ran", 130, &["stopped at checkpoint "]);
    let starts = folder.files().into_iter().filter(|name| name.contains("/incarnations/")).count();
    assert_eq!(starts, 1, "nobody else has claimed a place");
}

#[test]
fn a_start_with_other_state_is_refused_and_the_job_runs_on() {
    let slow = KEYED.replace("rows: 8000, rate: 4000", "rows: 80000, rate: 500");
    undisturbed(
        &Folder::new(),
        &slow,
        &[
            ("key_by: key,", "key_by: [key, id],", &["`totals`", "state `windows`", "--fresh"]),
            ("n: count(*)", "n: sum(id)", &["`totals`", "state `windows`", "--fresh"]),
            ("tumbling: 1h", "tumbling: 30m", &["`totals`", "the plan wants it as", "--fresh"]),
            ("window: { tumbling: 1h }", "window: { session: 1h }", &["`totals`", "--fresh"]),
            ("totals", "sums", &["state of `totals`", "no node of that name"]),
            ("made", "rows", &["state of `made`", "no node of that name"]),
            (
                "key_by: key, window: { tumbling: 1h }, aggregate: { n: count(*) }",
                "filter: id >= 0",
                &["state `windows` of `totals`", "keeps none of that name"],
            ),
        ],
    );
}

#[test]
fn a_start_without_a_split_is_refused_and_the_job_runs_on() {
    let folder = Folder::new();
    for name in ["a", "b"] {
        folder.write(&format!("in/{name}.csv"), format!("id\n{}", "1\n".repeat(20_000)));
    }
    folder.write("others/c.csv", "id\n1\n");
    let pipeline = "name: p
checkpoint: { interval: 50ms, location: checkpoints }
sources: { in: { file: { path: in/*.csv, rate: 1000, schema: { id: int64 } } } }
sinks: { out: { from: in, file: { path: out/, format: jsonl } } }
";
    undisturbed(
        &folder,
        pipeline,
        &[("in/*.csv", "others/*.csv", &["source `in` had read a part of", "a.csv", "--fresh"])],
    );
}

/// The bytes behind base64.
fn decoded(text: &str) -> Vec<u8> {
    const DIGITS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let digits = text.bytes().filter_map(|byte| DIGITS.iter().position(|digit| *digit == byte));
    let bits: Vec<usize> = digits.flat_map(|digit| (0..6).rev().map(move |bit| digit >> bit & 1)).collect();
    bits.chunks_exact(8).map(|bits| bits.iter().fold(0, |byte, bit| byte << 1 | *bit as u8)).collect()
}

/// The files of a job's last epoch as they were before their commit, as if the host had been killed just then.
fn take_back_last_commit(folder: &Folder) {
    let manifests = folder.files().into_iter().filter(|name| name.ends_with("/manifest.json"));
    let bodies = manifests.map(|name| folder.read(&name).split_once('\n').expect("a line and a body").1.to_owned());
    let manifests = bodies.map(|body| serde_json::from_str::<Value>(&body).expect("JSON"));
    let last = manifests.max_by_key(|manifest| manifest["epoch"].as_u64()).expect("a manifest");
    assert_eq!(last["is_final"], true, "{last}");
    let tokens = last["pending"].as_array().expect("a list").iter();
    let own = tokens.filter(|pending| pending["epoch"] == last["epoch"]);
    for pending in own {
        let token = decoded(pending["token"].as_str().expect("text"));
        let token: Value = serde_json::from_slice(&token).expect("a token of the connector");
        for file in token["files"].as_array().expect("files") {
            let [staged, name] =
                ["staged", "name"].map(|key| folder.path("out").join(file[key].as_str().expect("a name")));
            std::fs::rename(name, staged).expect("it was committed");
        }
    }
}

#[test]
fn a_finished_job_with_output_to_commit_is_brought_to_its_end() {
    let folder = Folder::new();
    folder.write("p.yaml", NUMBERS);
    folder.succeed(&["run", "p.yaml", "-q"]);
    for more in [&[][..], &["-q", "--json"]] {
        take_back_last_commit(&folder);
        assert_ne!(ids(&folder, "out").len(), COUNT);
        let outcome = folder.succeed(&[&["run", "p.yaml"], more].concat());
        if more.is_empty() {
            outcome.says("told", 0, &["the job had finished at checkpoint ", "it is now, and nothing is left to do"]);
        } else {
            assert_eq!(outcome.json()["rows_in"], 0, "nothing was read: {}", outcome.text());
        }
        assert_whole(&ids(&folder, "out"), COUNT);
    }
    folder.run(&["run", "p.yaml"]).says("finished", 2, &["job `numbers` has finished", "nothing is left", "--fresh"]);
}
