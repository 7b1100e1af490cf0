//! Components that are none, that do not fit the input, or that go beyond their limits.

use crate::support::{Folder, month, plugin};

fn run(folder: &Folder, component: &str, more: &[&str]) -> crate::support::Outcome {
    folder.write("in.csv", "a,b\n1,x\n2,y\n");
    folder.run(&[&["-q", "--plugin", component, "--input", "in.csv", "--output", "out.csv"], more].concat())
}

#[test]
fn what_is_no_component_is_refused_with_what_it_is() {
    let whole = std::fs::read(plugin("threshold")).expect("a component");
    let cases: [(&str, Vec<u8>, &[&str]); 5] = [
        ("text.wasm", b"fn main() {}".to_vec(), &["not a WebAssembly component", "begins with", "volley plugin build"]),
        ("core.wasm", b"\0asm\x01\0\0\0".to_vec(), &["core module", "volley plugin build"]),
        ("cut.wasm", whole[..whole.len() / 2].to_vec(), &["not a WebAssembly component", "truncated"]),
        ("empty.wasm", Vec::new(), &["the file is empty"]),
        // What wasmtime makes for itself would be trusted code: it is never loaded by name.
        ("native.cwasm", b"\x7fELF\x02\x01\x01\0".to_vec(), &["not a WebAssembly component"]),
    ];
    for (name, bytes, says) in cases {
        let folder = Folder::new();
        folder.write(name, bytes);
        let outcome = run(&folder, name, &[]);
        outcome.says(name, 4, &[&["error: ", name], says].concat());
        let mut files = vec!["in.csv", name];
        files.sort_unstable();
        assert_eq!(folder.files(), files);
    }
}

#[test]
fn a_component_that_is_not_there() {
    let folder = Folder::new();
    run(&folder, "no.wasm", &[]).says("missing", 5, &["no.wasm", "No such file"]);
}

#[test]
fn columns_that_the_input_lacks_are_named_with_plugin_and_line() {
    let folder = Folder::new();
    folder.write("in.csv", "a,b\n1,x\n");
    let component = plugin("threshold").display().to_string();
    folder.write(
        "p.yaml",
        format!(
            "name: p\nsources:\n  in: {{ file: {{ path: in.csv }} }}\noperators:\n  late:\n    from: in\n    plugin:\n      \
             component: {component}\n      config: {{ column: delay, min: 1 }}\n\
             sinks:\n  out: {{ from: late, file: {{ path: out.csv }} }}\n"
        ),
    );
    for command in ["run", "validate", "plan"] {
        let outcome = folder.run(&[command, "p.yaml"]);
        outcome.says(
            command,
            2,
            &["p.yaml:8:", "operators.late.plugin", "plugin threshold", "no column `delay`", "a, b"],
        );
        assert_eq!(folder.files(), ["in.csv", "p.yaml"]);
    }
}

#[test]
fn configurations_that_cannot_work() {
    let folder = Folder::new();
    let threshold = plugin("threshold").display().to_string();
    let cases: [(&[&str], &[&str]); 4] = [
        (&["--set", "column=b", "--set", "min=1"], &["column `b` is Utf8", "wanted a number"]),
        (&["--set", "column=a"], &["min or max"]),
        (&["--set", "column=a", "--set", "minimum=1"], &["unknown field `minimum`"]),
        (&["--set", "column"], &["--set column", "key=value"]),
    ];
    for (settings, says) in cases {
        run(&folder, &threshold, settings).says(&format!("{settings:?}"), 2, says);
        assert_eq!(folder.files(), ["in.csv"]);
    }
}

#[test]
fn trust_needs_a_host_that_allows_it() {
    let folder = Folder::new();
    let component = plugin("threshold").display().to_string();
    let trusted = ["--set", "column=a", "--set", "min=2", "--trust", "trusted"];
    run(&folder, &component, &trusted).says("not allowed", 2, &["trust: trusted", "--allow-trusted"]);
    assert_eq!(folder.files(), ["in.csv"]);
    run(&folder, &component, &[&trusted[..], &["--allow-trusted"]].concat()).says("allowed", 0, &[]);
    assert_eq!(folder.read("out.csv"), "a,b\n2,y\n");
    folder.write(
        "p.yaml",
        format!(
            "name: p\nsources: {{ in: {{ file: {{ path: in.csv }} }} }}\noperators:\n  late:\n    from: in\n    plugin:\n      \
             component: {component}\n      config: {{ column: a, min: 1 }}\n      trust: trusted\n\
             sinks: {{ out: {{ from: late, file: {{ path: next.csv }} }} }}\n"
        ),
    );
    for command in ["run", "validate", "plan"] {
        folder.run(&[command, "p.yaml"]).says(command, 2, &["operators.late", "--allow-trusted"]);
        folder.run(&[command, "p.yaml", "--allow-trusted"]).says(command, 0, &[]);
    }
}

#[test]
fn the_host_compiles_plugins_in_a_process_of_its_own() {
    let folder = Folder::new();
    let alone = folder.run(&["compile-plugin"]);
    alone.says("not for people", 1, &["only the host itself starts this"]);
    assert!(!folder.run(&["--help"]).text().contains("compile-plugin"));
}

#[test]
fn memory_for_a_whole_batch_is_not_what_a_row_is_blamed_for() {
    let folder = Folder::new();
    let (enrich, month) = (plugin("enrich-flight").display().to_string(), month().display().to_string());
    let arguments = ["-q", "--plugin", &enrich, "--input", &month, "--batch-rows", "30000", "--on-error", "skip"];
    for (output, memory) in [("ample.csv", "64MiB"), ("scarce.csv", "2MiB")] {
        folder.run(&[&arguments[..], &["--output", output, "--memory", memory]].concat()).says(output, 0, &[]);
    }
    assert!(folder.read("ample.csv") == folder.read("scarce.csv"), "the same rows, in the same order");
    let arguments = ["-q", "--plugin", &enrich, "--input", &month, "--output", "out.csv"];
    let outcome = folder.run(&[&arguments[..], &["--memory", "64KiB"]].concat());
    outcome.says("at the start", 4, &["plugin enrich-flight", "`instantiate`", "`limits.memory` is 65536"]);
    folder.run(&[&arguments[..], &["--deadline", "1us"]].concat()).says("a deadline", 2, &["`1us` is not within"]);
}

/// A separator on every byte makes millions of rows out of one: more than a call may take or put out.
#[test]
fn a_call_beyond_its_deadline_stops_the_job() {
    let folder = Folder::new();
    let line = format!("{{\"tags\":\"{}\"}}\n", ",".repeat(900_000));
    folder.write("in.jsonl", line.repeat(4));
    let explode = plugin("explode").display().to_string();
    let arguments =
        ["-q", "--plugin", &explode, "--set", "column=tags", "--input", "in.jsonl", "--output", "out.jsonl"];
    let outcome = folder
        .run(&[&arguments[..], &["--deadline", "1ms", "--memory", "1GiB", "--side", "empty=empty.jsonl"]].concat());
    outcome.says("1 ms", 4, &["plugin explode", "deadline", "`limits.deadline`"]);
    assert_eq!(folder.files(), ["in.jsonl"]);
}

#[test]
fn refused_rows_stop_the_job_go_aside_or_are_counted() {
    let folder = Folder::new();
    let (enrich, month) = (plugin("enrich-flight").display().to_string(), month().display().to_string());
    let arguments =
        ["-q", "--json", "--plugin", &enrich, "--input", &month, "--output", "out.csv", "--set", "speed_kmh_max=850"];
    let outcome = folder.run(&arguments);
    outcome.says(
        "fail",
        3,
        &["operator `plugin` refused a row", "flights-2013-01.csv.gz", "position 166", "implausible-speed"],
    );
    assert_eq!(outcome.json()["error"]["kind"], "data");
    assert_eq!(folder.files(), [""; 0]);

    let without = folder.run(&[&arguments[..], &["--on-error", "dead-letter"]].concat());
    without.says("nobody reads", 2, &["--errors FILE"]);

    let skipped = folder.succeed(&[&arguments[..], &["--on-error", "skip"]].concat()).json();
    let count = |key: &str| skipped[key].as_u64().expect("a number");
    assert!(count("rows_rejected") > 0);
    assert_eq!(count("rows_in"), count("rows_out") + count("rows_rejected"));
    assert_eq!(folder.read("out.csv").lines().count() as u64, 1 + count("rows_out"));

    let aside = folder.succeed(&[&arguments[..], &["--on-error", "dead-letter", "--errors", "refused.jsonl"]].concat());
    assert_eq!(aside.json()["rows_rejected"], skipped["rows_rejected"]);
    assert_eq!(folder.read("refused.jsonl").lines().count() as u64, count("rows_rejected"));
}
