//! Checkpoints that a job cannot go on from, and places where none can be kept: exit code, what is named, and what to do.

use serde_json::Value;

use crate::checkpoints::{COUNT, KEYED, NUMBERS, assert_whole, has_completed, ids, start};
use crate::support::{Folder, Running, status_when};

/// A job that was stopped after a checkpoint or two.
fn stopped(pipeline: &str) -> Folder {
    let folder = Folder::new();
    folder.write("p.yaml", pipeline);
    let running = start(&folder, &["-q"]);
    status_when(&folder, |status| has_completed(status, 1));
    folder.succeed(&["stop", "job"]);
    running.finish().says("stopped", 130, &["stopped at checkpoint "]);
    folder
}

#[test]
fn jobs_share_a_location() {
    let folder = stopped(NUMBERS);
    folder.write("p.yaml", NUMBERS.replace("name: numbers", "name: others").replace("out/", "others/"));
    folder.succeed(&["run", "p.yaml", "-q"]);
    assert_whole(&ids(&folder, "others"), COUNT);
    folder.write("p.yaml", NUMBERS);
    folder.succeed(&["run", "p.yaml", "-q"]);
    assert_whole(&ids(&folder, "out"), COUNT);
    // The checkpoints of one under the name of the other.
    std::fs::rename(folder.path("checkpoints/others"), folder.path("checkpoints/third")).expect("it is there");
    folder.write("p.yaml", NUMBERS.replace("name: numbers", "name: third"));
    folder.run(&["run", "p.yaml"]).says("third", 2, &["belongs to the job `others`", "this is the job `third`"]);
    let list = folder.succeed(&["checkpoints", "list", "p.yaml"]);
    assert!(list.text().contains("foreign") && list.text().contains("`others`"), "{}", list.text());
}

#[test]
fn state_without_its_node_is_named() {
    let folder = stopped(KEYED);
    for (from, to, name) in [("totals", "sums", "totals"), ("made", "rows", "made")] {
        folder.write("p.yaml", KEYED.replace(from, to));
        folder.run(&["run", "p.yaml"]).says(
            name,
            2,
            &[&format!("state of `{name}`"), "no node of that name", "--fresh"],
        );
    }
    folder.write("p.yaml", KEYED);
    folder.succeed(&["run", "p.yaml", "-q"]);
}

#[test]
fn state_of_another_layout_names_the_operator() {
    let folder = stopped(KEYED);
    for (from, to) in [
        ("key_by: key,", "key_by: [key, id],"),
        ("n: count(*)", "n: sum(id)"),
        ("tumbling: 1h", "tumbling: 30m"),
        ("window: { tumbling: 1h }", "window: { session: 1h }"),
    ] {
        folder.write("p.yaml", KEYED.replace(from, to));
        folder.run(&["run", "p.yaml"]).says(to, 2, &["`totals`", "--fresh"]);
    }
    folder.write("p.yaml", KEYED);
    folder.succeed(&["run", "p.yaml", "-q"]);
}

/// What has no state may be renamed, come and go.
#[test]
fn other_nodes_may_change() {
    let filtered = KEYED
        .replace("from: made", "from: some")
        .replace("operators:\n", "operators:\n  some: { from: made, filter: \"id >= 0\" }\n");
    for (before, after) in [(KEYED, &*filtered), (&*filtered, KEYED)] {
        let folder = stopped(before);
        folder.write("p.yaml", after);
        folder.succeed(&["run", "p.yaml", "-q"]);
        let parts = folder.files().into_iter().filter(|name| name.starts_with("out/part-"));
        let text: String = parts.map(|name| folder.read(&name)).collect();
        let counted = |line| serde_json::from_str::<Value>(line).expect("a row")["n"].as_u64().expect("a number");
        assert_eq!(text.lines().map(counted).sum::<u64>(), 8_000, "each row is in one window, once");
    }
}

/// The manifest as a host with other key groups would have written it.
#[test]
fn another_number_of_key_groups_is_refused() {
    let folder = stopped(KEYED);
    let manifests = folder.files().into_iter().filter(|name| name.contains("/epochs/") && name.contains("manifest"));
    for name in manifests {
        let text = folder.read(&name);
        let (head, body) = text.split_once('\n').expect("a line and a body");
        let body = body.replace("\"key_groups\": 256", "\"key_groups\": 128");
        let mut words: Vec<String> = head.split(' ').map(str::to_owned).collect();
        assert_eq!(words[0], "volley-manifest", "{head}");
        (words[2], words[3]) = (body.len().to_string(), format!("{:08x}", crc32c(body.as_bytes())));
        std::fs::remove_file(folder.path(&name)).expect("it is there");
        folder.write(&name, format!("{}\n{body}", words.join(" ")));
    }
    folder.run(&["run", "p.yaml"]).says("128", 2, &["has 128 key groups, and this host has 256"]);
}

/// CRC-32C (Castagnoli), bit by bit: another hand than the host's.
fn crc32c(bytes: &[u8]) -> u32 {
    let step = |crc: u32, _| (crc >> 1) ^ if crc & 1 == 1 { 0x82f6_3b78 } else { 0 };
    !bytes.iter().fold(!0, |crc, byte| (0..8).fold(crc ^ u32::from(*byte), step))
}

#[test]
fn places_that_will_not_do_are_named() {
    let folder = Folder::new();
    folder.write("file", "mine");
    folder.write("p.yaml", NUMBERS.replace("location: checkpoints", "location: file"));
    folder.run(&["run", "p.yaml"]).says("a file", 5, &["file/numbers"]);
    assert_eq!(folder.files(), ["file", "p.yaml"]);
    // Not even root may make a folder there.
    folder.write("p.yaml", NUMBERS.replace("location: checkpoints", "location: /proc/volley"));
    folder.run(&["run", "p.yaml"]).says("not writable", 5, &["/proc/volley/numbers"]);
    folder.write("p.yaml", NUMBERS.replace("location: checkpoints", "location: \"ftp://x/y\""));
    folder.run(&["run", "p.yaml"]).says("ftp", 2, &["p.yaml:2:", "`ftp:` is not known"]);
}

#[test]
fn savepoints_that_will_not_do_are_named() {
    let folder = Folder::new();
    folder.write("p.yaml", KEYED);
    let running = start(&folder, &["-q"]);
    status_when(&folder, |status| has_completed(status, 1));
    folder.succeed(&["savepoint", "job", "taken"]);
    folder.succeed(&["stop", "job"]);
    running.finish();
    let elsewhere = Folder::new();
    elsewhere.write("p.yaml", KEYED.replace("name: keyed", "name: renamed"));
    let taken = folder.path("taken").display().to_string();
    elsewhere.run(&["run", "p.yaml", "--from", &taken]).says(
        "renamed",
        2,
        &["belongs to the job `keyed`", "`renamed`"],
    );
    elsewhere.write("p.yaml", KEYED);
    // Copied half: the manifests came, and a file did not; or the other way around.
    let file = folder.files().into_iter().find(|name| name.starts_with("taken/epochs/")).expect("files of state");
    std::fs::rename(folder.path(&file), folder.path("aside")).expect("one file system");
    elsewhere.run(&["run", "p.yaml", "--from", &taken]).says("half", 5, &["is damaged", "it is missing"]);
    std::fs::rename(folder.path("aside"), folder.path(&file)).expect("one file system");
    for name in ["taken/manifest.json", "taken/manifest.copy.json"] {
        std::fs::remove_file(folder.path(name)).expect("it is there");
    }
    elsewhere.run(&["run", "p.yaml", "--from", &taken]).says(
        "half",
        2,
        &["holds no savepoint", "not copied to its end"],
    );
    let nowhere = elsewhere.run(&["run", "p.yaml", "--from", "nowhere"]);
    nowhere.says("nowhere", 2, &["nowhere", "holds no savepoint: there is nothing"]);
    assert_eq!(elsewhere.files(), ["p.yaml"], "nothing was begun");
    folder.run(&["run", "p.yaml", "--from", "3", "--fresh"]).says("both", 2, &["--from", "--fresh", "cannot be used"]);
}

#[test]
fn sources_and_sinks_that_cannot_take_part_are_refused_before_anything_is_opened() {
    let folder = Folder::new();
    for (pipeline, parts) in [
        (
            NUMBERS.replace("out/", "out.jsonl"),
            ["p.yaml:4:", "sink `out`", "only once, at the end of a job", "a folder"],
        ),
        (
            NUMBERS.replace("generate: { rows: 6000, rate: 4000, columns: { id: n } }", "file: { path: \"-\" }"),
            ["p.yaml:2:", "`made` cannot be read again", "give it a file", "leave `checkpoint` out"],
        ),
    ] {
        folder.write("p.yaml", pipeline);
        for command in ["validate", "run"] {
            folder.run(&[command, "p.yaml"]).says(command, 2, &parts);
        }
        assert_eq!(folder.files(), ["p.yaml"]);
    }
}

/// The later start takes over, the earlier one says so, and nothing is there twice.
#[test]
fn of_two_hosts_the_later_one_goes_on() {
    let folder = Folder::new();
    folder.write("p.yaml", NUMBERS.replace("rows: 6000, rate: 4000", "rows: 6000, rate: 2000"));
    let first = start(&folder, &["-q"]);
    status_when(&folder, |status| has_completed(status, 2));
    let second = Running::start(&mut folder.host(&["run", "p.yaml", "-q"]));
    let parts = ["this is start 1", "start 2 has taken over", "commits nothing more", "different names or locations"];
    first.finish().says("the first", 5, &parts);
    second.finish().says("the second", 0, &[]);
    assert_whole(&ids(&folder, "out"), COUNT);
}
