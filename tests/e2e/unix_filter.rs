//! `volley-host --plugin` between two pipes.

use std::io::{BufRead, BufReader};
use std::process::Stdio;

use serde_json::Value;

use crate::support::{Folder, Outcome, Running, flights, month, plugin};

/// Runs the threshold operator over a text on standard input.
fn threshold(folder: &Folder, column: &str, more: &[&str], input: &str) -> Outcome {
    let component = plugin("threshold");
    let setting = format!("column={column}");
    let mut host = folder.host(&["--plugin", component.to_str().expect("text"), "--set", &setting, "--set", "min=2"]);
    Running::start_with_input(host.args(more), input.as_bytes().to_vec()).finish()
}

#[test]
fn json_lines_in_and_out_by_default() {
    let folder = Folder::new();
    let outcome =
        threshold(&folder, "a", &["-q"], "{\"a\":1,\"b\":\"x\"}\n{\"a\":2,\"b\":null}\n{\"a\":3,\"b\":\"z\"}\n");
    outcome.says("jsonl", 0, &[]);
    let rows: Vec<Value> = outcome.text().lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert_eq!(rows.len(), 2, "{}", outcome.text());
    assert_eq!((&rows[0]["a"], &rows[1]["b"]), (&2.into(), &"z".into()));
    assert_eq!(outcome.stderr, "");
    assert_eq!(folder.files(), [""; 0]);
}

#[test]
fn csv_in_and_out() {
    let folder = Folder::new();
    let more = ["--input-format", "csv", "--output-format", "csv"];
    let outcome = threshold(&folder, "a", &more, "a,b\n1,x\n2,\"y,\"\"z\"\n3,\n");
    outcome.says("csv", 0, &["3 rows in · 2 rows out · 0 rejected"]);
    assert_eq!(outcome.text(), "a,b\n2,\"y,\"\"z\"\n3,\n");
}

#[test]
fn binary_formats_through_pipes() {
    let folder = Folder::new();
    let text = flights(500);
    let wanted = threshold(&folder, "distance", &["-q", "--input-format", "csv", "--output-format", "csv"], &text);
    for format in ["parquet", "avro", "arrow"] {
        let to = ["-q", "--input-format", "csv", "--output-format", format];
        let binary = threshold(&folder, "distance", &to, &text);
        binary.says(format, 0, &[]);
        let component = plugin("threshold");
        let back = ["-q", "--set", "column=distance", "--set", "min=2", "--input-format", format];
        let mut host = folder.host(&["--plugin", component.to_str().expect("text"), "--output-format", "csv"]);
        let outcome = Running::start_with_input(host.args(back), binary.stdout).finish();
        outcome.says(format, 0, &[]);
        assert_eq!(outcome.text(), wanted.text(), "{format}");
    }
}

#[test]
fn errors_go_to_a_file() {
    let folder = Folder::new();
    let more = ["-q", "--errors", "refused.jsonl"];
    let outcome = threshold(&folder, "a", &more, "{\"a\":1}\nnonsense\n{\"a\":3}\n[4]\n");
    outcome.says("errors", 0, &[]);
    assert_eq!(outcome.text(), "{\"a\":3}\n");
    let text = folder.read("refused.jsonl");
    let rejects: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let found: Vec<_> = rejects.iter().map(|reject| (reject["position"].as_i64(), reject["row"].as_str())).collect();
    assert_eq!(found, [(Some(2), Some("nonsense")), (Some(4), Some("[4]"))]);
    assert!(rejects.iter().all(|reject| reject["split"] == "-" && reject["operator"] == "input"), "{text}");
}

/// `head` takes one line and goes.
#[test]
fn a_reader_that_goes_away_ends_it() {
    let folder = Folder::new();
    let (component, month) = (plugin("threshold"), month());
    let (component, month) = (component.to_str().expect("text"), month.to_str().expect("text"));
    for format in ["jsonl", "csv"] {
        let settings = ["--set", "column=distance", "--set", "min=0", "--errors", "refused.jsonl"];
        let mut host = folder.host(&["--plugin", component, "--input", month, "--output-format", format]);
        let mut running = Running::start_into(host.args(settings), Stdio::piped());
        let mut first = String::new();
        BufReader::new(running.take_stdout()).read_line(&mut first).expect("one line");
        assert!(first.contains("dep_delay"), "{first}");
        let outcome = running.finish();
        outcome.says(format, 141, &[]);
        assert_eq!(outcome.stderr, "", "{format}: a filter goes as quietly as any other");
        assert_eq!(folder.files(), [""; 0], "{format}");
    }
}

/// Not only rows are piped into `head`.
#[test]
fn commands_survive_a_reader_that_is_gone() {
    let folder = Folder::new();
    let pipeline = "name: p\nsources: { in: { generate: { rows: 1, columns: { a: n } } } }\n\
                    sinks: { out: { from: in, discard: {} } }\n";
    folder.write("p.yaml", pipeline);
    for arguments in [
        &["schema"][..],
        &["plan", "p.yaml"],
        &["plan", "p.yaml", "--json"],
        &["validate", "p.yaml"],
        &["run", "p.yaml", "--json", "-q"],
    ] {
        let (reader, writer) = std::io::pipe().expect("a pipe");
        drop(reader);
        let outcome = Running::start_into(&mut folder.host(arguments), writer).finish();
        outcome.says(&format!("{arguments:?}"), 141, &[]);
        assert_eq!(outcome.stderr, "", "{arguments:?}");
    }
}

/// `2>&1 | head` takes standard error away too: what people are told is no reason to fail.
#[test]
fn nobody_needs_to_listen_to_standard_error() {
    let folder = Folder::new();
    folder.write("in.csv", "a\n1\n2\n");
    folder.write(
        "p.yaml",
        "name: p\nsources: { in: { file: { path: in.csv } } }\n\
                            sinks: { out: { from: in, file: { path: out.csv } } }\n",
    );
    let (reader, writer) = std::io::pipe().expect("a pipe");
    drop(reader);
    let status = folder.host(&["run", "p.yaml", "--preview", "1"]).stderr(writer).status().expect("the program");
    assert_eq!(status.code(), Some(0));
    assert_eq!(folder.read("out.csv"), "a\n1\n2\n");
}
