//! Hostile plugins in a pipeline, next to a good one: the program goes on, and the good one gives what it always gives.

use volley_test_hostile::{POISON, component};

use crate::support::{Folder, plugin};

/// Two plugins read one source; `guest` is the hostile one.
fn pipeline(guest: &str, on_error: &str, errors: &str) -> Folder {
    let folder = Folder::new();
    folder.write("guest.wasm", component(guest));
    std::fs::copy(plugin("threshold"), folder.path("threshold.wasm")).expect("a copy");
    folder.write("in.csv", format!("x,name\n1,a\n2,b\n{POISON},c\n4,d\n"));
    folder.write(
        "p.yaml",
        format!(
            "name: p\nsources:\n  in: {{ file: {{ path: in.csv }} }}\noperators:\n  \
             hostile: {{ from: in, plugin: {{ component: guest.wasm, limits: {{ deadline: 50ms }}, on_error: {on_error} }} }}\n  \
             good: {{ from: in, plugin: {{ component: threshold.wasm, config: {{ column: x, min: 2 }} }} }}\nsinks:\n  \
             hostile-out: {{ from: hostile, file: {{ path: hostile.csv }} }}\n  \
             good-out: {{ from: good, file: {{ path: good.csv }} }}\n{errors}"
        ),
    );
    folder
}

const ERRORS: &str = "  dead: { from: hostile.errors, file: { path: dead.jsonl } }\n";

#[test]
fn the_neighbours_of_a_hostile_plugin_give_what_they_always_give() {
    for (guest, code) in [
        ("faults/poison-row", "plugin-unreachable"),
        ("faults/poison-row-slow", "plugin-deadline"),
        ("faults/poison-row-memory", "plugin-memory"),
    ] {
        let folder = pipeline(guest, "dead_letter", ERRORS);
        folder.succeed(&["run", "-q", "p.yaml"]);
        assert_eq!(folder.read("hostile.csv"), "x,name\n1,a\n2,b\n4,d\n", "{guest}");
        assert_eq!(folder.read("good.csv"), format!("x,name\n2,b\n{POISON},c\n4,d\n"), "{guest}");
        let dead = folder.read("dead.jsonl");
        assert_eq!(dead.lines().count(), 1, "{dead}");
        let row: serde_json::Value = serde_json::from_str(&dead).expect("JSON");
        assert_eq!((&row["code"], &row["position"]), (&code.into(), &4.into()), "{dead}");
        assert!(row["row"].as_str().expect("text").contains(&POISON.to_string()), "{dead}");
    }
}

#[test]
fn a_hostile_plugin_leaves_nothing_behind_when_it_stops_the_job() {
    for (guest, says) in [
        ("faults/poison-row", &["it panicked or aborted", "on one row", "in.csv"][..]),
        ("faults/recursion", &["it ran out of stack"]),
        ("memory/grow", &["memory limit reached"]),
        ("output/bitmap-long", &["a bitmap of 1000000 bytes"]),
        ("faults/fatal-with-colours", &["no good\\u{1b}[31m\\n"]),
        ("open/refusal-with-colours", &["could not open: \\u{1b}[2J"]),
        ("imports/wasi-sockets", &["it imports wasi:sockets/tcp@0.2.6"]),
    ] {
        let folder = pipeline(guest, "fail", "");
        let before = folder.files();
        folder.run(&["run", "-q", "p.yaml"]).says(guest, 4, &[&["error: "], says].concat());
        assert_eq!(folder.files(), before, "{guest}");
    }
}

/// Behind `key_by`, with timers: what crashes is put aside with its key, and the other plugin does not notice.
#[test]
fn a_timer_that_crashes_goes_to_errors_with_its_key() {
    let keyed = |on_error: &str, errors: &str| {
        let folder = pipeline("timers/crash", on_error, errors);
        let text = folder.read("p.yaml").replace("hostile: { from: in,", "hostile: { from: in, key_by: name,");
        folder.write("p.yaml", text);
        folder
    };
    let folder = keyed("dead_letter", ERRORS);
    folder.succeed(&["run", "-q", "p.yaml", "--parallelism", "1"]);
    assert_eq!(folder.read("good.csv"), format!("x,name\n2,b\n{POISON},c\n4,d\n"));
    let dead = folder.read("dead.jsonl");
    let row: serde_json::Value = serde_json::from_str(&dead).expect("one line of JSON");
    assert_eq!(row["code"], "plugin-unreachable", "{dead}");
    assert!(row["message"].as_str().expect("text").contains("trapped in `on-timers`"), "{dead}");
    assert_eq!(row["row"], r#"{"name":"a","timer_at_ms":5,"timer_tag":0}"#, "{dead}");
    let folder = keyed("fail", "");
    let before = folder.files();
    let outcome = folder.run(&["run", "-q", "p.yaml", "--parallelism", "1"]);
    outcome.says("fail", 4, &["trapped in `on-timers`", "a timer; row: ", "volley plugin where guest.wasm"]);
    assert_eq!(folder.files(), before);
}

/// What a function or a format traps at is kept by the job, and made again by a host of its own.
#[test]
fn calls_of_functions_and_formats_are_kept_as_those_of_operators_are() {
    let sinks = "sinks: { out: { from: last, file: { path: out.csv } } }\n";
    let function = format!(
        "name: p\nfunctions: {{ f: {{ component: guest.wasm }} }}\nsources: {{ in: {{ file: {{ path: in.csv }} }} }}\n\
         operators: {{ last: {{ from: in, select: [\"f(x) AS y\"] }} }}\n{sinks}"
    );
    let format = format!(
        "name: p\nsources: {{ last: {{ file: {{ path: in.csv, format: {{ plugin: {{ component: guest.wasm }} }} }} }} }}\n{sinks}"
    );
    for (guest, pipeline, called) in [("scalar/poison-row", function, "call"), ("codec/traps", format, "decode")] {
        let folder = Folder::new();
        folder.write("guest.wasm", component(guest));
        folder.write("in.csv", format!("x\n1\n2\n{POISON}\n4\n"));
        folder.write("p.yaml", pipeline);
        let run = ["run", "-q", "p.yaml", "--parallelism", "1"];
        folder.run(&[&run[..], &["--repro", "failed"]].concat()).says(guest, 4, &["volley plugin replay", "last-0-0"]);
        let replayed = folder.run(&["replay", "failed/last-0-0", "--json"]);
        assert_eq!(replayed.code, Some(0), "{}", replayed.stderr);
        let told = replayed.json();
        assert_eq!((&told["same"], &told["function"]), (&true.into(), &called.into()), "{told}");
        let before = told["before"].as_str().expect("words");
        assert!(before.starts_with(&format!("trap in {called}: unreachable; at 0x")), "{told}");
        // Nothing is kept unless it is asked for.
        let outcome = folder.run(&run);
        assert!(outcome.code == Some(4) && !outcome.stderr.contains("replay"), "{}", outcome.stderr);
    }
}
