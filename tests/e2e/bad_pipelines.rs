//! Pipeline files with mistakes: the line, the nearest name that exists, and no row moved.

use crate::support::{Folder, plugin};

/// The sources of every case; three lines.
const SOURCES: &str = "name: p\nsources:\n  in: { file: { path: in.csv } }\n";
const SINKS: &str = "sinks:\n  out: { from: in, file: { path: out.csv } }\n";

fn refused(pipeline: &str, says: &[&str]) {
    let folder = Folder::new();
    folder.write("in.csv", "amount,who\n1,ann\n2,bob\n");
    folder.write("p.yaml", pipeline);
    for command in ["validate", "run"] {
        folder.run(&[command, "p.yaml"]).says(pipeline, 2, &[&["error: "], says].concat());
        assert_eq!(folder.files(), ["in.csv", "p.yaml"], "{pipeline}");
    }
}

#[test]
fn unknown_keys_come_with_line_and_nearest() {
    refused(&format!("{SOURCES}operatorz: {{}}\n{SINKS}"), &["p.yaml:4:1", "`operatorz`", "did you mean `operators`"]);
    refused(
        &format!("{SOURCES}operators:\n  f: {{ from: in, filtre: \"true\" }}\n{SINKS}"),
        &["p.yaml:5:", "`filter`"],
    );
    refused(
        &format!("{}{SINKS}", SOURCES.replace("path: in.csv", "path: in.csv, fromat: csv")),
        &["p.yaml:3:", "`format`"],
    );
    refused(&format!("{}{SINKS}", SOURCES.replace("file:", "fiel:")), &["p.yaml:3:", "`file`"]);
    refused(
        &format!("{SOURCES}{}", SINKS.replace("out.csv", "out.csv, compresion: gzip")),
        &["p.yaml:5:", "`compression`"],
    );
    let from = SINKS.replace("from: in", "from: inn");
    refused(&format!("{SOURCES}{from}"), &["p.yaml:5:", "`inn`", "`in`"]);
}

#[test]
fn expressions_are_checked_against_the_columns() {
    let filter = |sql: &str| {
        let sinks = SINKS.replace("from: in", "from: big");
        format!("{SOURCES}operators:\n  big:\n    from: in\n    filter: \"{sql}\"\n{sinks}")
    };
    refused(&filter("amuont > 1"), &["p.yaml:7:", "operators.big.filter", "`amuont`", "did you mean `amount`"]);
    refused(&filter("amount >"), &["p.yaml:7:", "operators.big.filter", "`amount >`"]);
    refused(&filter("amount + 1"), &["p.yaml:7:", "Int64"]);
    refused(&filter("uper(who) = 'ANN'"), &["p.yaml:7:", "uper", "upper"]);
}

#[test]
fn outputs_and_their_readers_belong_together() {
    let component = plugin("threshold").display().to_string();
    let with = |policy: &str, from: &str| {
        let sinks = SINKS.replace("from: in", &format!("from: {from}"));
        format!(
            "{SOURCES}operators:\n  p:\n    from: in\n    plugin: {{ component: {component}, \
             config: {{ column: amount, min: 1 }}{policy} }}\n{sinks}"
        )
    };
    refused(&with(", on_error: dead_letter", "p"), &["p.yaml:5:", "`on_error: dead_letter`", "`p.errors`"]);
    refused(&with(", on_errors: skip", "p"), &["p.yaml:7:", "`on_errors`", "did you mean `on_error`"]);
    refused(&with("", "in"), &["p.yaml:5:", "nobody reads `p`"]);
    let both = with("", "p") + "  side: { from: p.empty, discard: {} }\n";
    refused(&both, &["p.yaml", "`p.empty`", "out"]);
    let cycle = format!(
        "{SOURCES}operators:\n  a: {{ from: [in, b], union: {{}} }}\n  b: {{ from: a, filter: \"true\" }}\n{}",
        SINKS.replace("from: in", "from: b")
    );
    refused(&cycle, &["p.yaml", "a", "b"]);
}

#[test]
fn unions_of_different_columns_name_them() {
    let folder = Folder::new();
    folder.write("in.csv", "amount,who\n1,ann\n");
    folder.write(
        "p.yaml",
        "name: p\nsources:\n  in: { file: { path: in.csv } }\n  made: { generate: { rows: 1, columns: { amount: u0, who: \"'x'\" } } }\n\
         sinks:\n  out: { from: [in, made], file: { path: out.csv } }\n",
    );
    let outcome = folder.run(&["run", "p.yaml"]);
    outcome.says("types", 2, &["amount", "Int64", "Float64"]);
    assert_eq!(folder.files(), ["in.csv", "p.yaml"]);
}

#[test]
fn files_that_are_no_pipelines() {
    let folder = Folder::new();
    folder.write("bytes.yaml", b"name: p\nsources: \xff\n");
    folder.write("tabs.yaml", "name: p\nsources:\n\tin: {}\n");
    folder.write("list.yaml", "- a\n- b\n");
    for (name, says) in [
        ("no.yaml", &["no.yaml", "No such file"][..]),
        ("bytes.yaml", &["bytes.yaml:2", "UTF-8"]),
        ("tabs.yaml", &["tabs.yaml:3"]),
        ("list.yaml", &["list.yaml:1"]),
    ] {
        folder.run(&["run", name]).says(name, 2, says);
    }
}

/// The second would replace what the first has written: rows dropped in silence.
#[test]
fn two_sinks_do_not_write_to_one_place() {
    let two = |first: &str, second: &str| {
        format!(
            "{SOURCES}sinks:\n  one: {{ from: in, file: {{ {first} }} }}\n  two: {{ from: in, file: {{ {second} }} }}\n"
        )
    };
    for (first, second, place) in [
        ("path: out.csv", "path: ./out.csv", "out.csv"),
        ("path: parts/, format: csv", "path: parts/., format: csv", "parts"),
        ("path: \"-\"", "path: \"-\", format: csv", "standard output"),
    ] {
        refused(&two(first, second), &["p.yaml:6:", "`one` and `two` both write to", place]);
    }
    let folder = Folder::new();
    folder.write("p.yaml", two("path: a/out.csv", "path: b/out.csv"));
    folder.write("in.csv", "amount\n1\n");
    folder.succeed(&["run", "p.yaml", "-q"]);
    assert_eq!(folder.read("a/out.csv"), folder.read("b/out.csv"));
    let twice = SOURCES.replace("path: in.csv", "path: \"-\"") + "  again: { file: { path: \"-\" } }\n";
    let sinks = SINKS.replace("from: in", "from: [in, again]");
    refused(&format!("{twice}{sinks}"), &["p.yaml:4:", "`in` and `again` both read standard input"]);
}

/// A side output without a reader would drop rows in silence.
#[test]
fn side_outputs_need_a_reader() {
    let component = plugin("explode").display().to_string();
    let pipeline = format!(
        "{SOURCES}operators:\n  split:\n    from: in\n    plugin: {{ component: {component}, config: {{ column: who }} }}\n{}",
        SINKS.replace("from: in", "from: split")
    );
    refused(&pipeline, &["p.yaml:5:", "nobody reads `split.empty`"]);
    let folder = Folder::new();
    folder.write("in.csv", "amount,who\n1,\"ann,bob\"\n2,\n");
    folder.write("p.yaml", format!("{pipeline}  none: {{ from: split.empty, discard: {{}} }}\n"));
    folder.succeed(&["run", "p.yaml", "-q"]);
    assert_eq!(folder.read("out.csv").lines().count(), 3);
    let single = ["--plugin", &component, "--set", "column=who", "--input", "in.csv", "--output", "single.csv", "-q"];
    folder.run(&single).says("--plugin", 2, &["--side empty=FILE"]);
    folder.succeed(&[&single[..], &["--side", "empty=none.csv"]].concat());
    assert_eq!(folder.read("none.csv"), "amount,who\n2,\n");
    assert_eq!(folder.read("single.csv"), folder.read("out.csv"));
}
