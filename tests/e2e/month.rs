//! The demo's pipeline over the month of flights, compared row by row with what DuckDB and pandas make of the same file.

use crate::support::{Folder, month, plugin, python};

/// The demo's pipeline as it stands in the repository, over the same file, writing where the test wants it.
fn demo(output: &str) -> String {
    let text = std::fs::read_to_string(crate::support::repository().join("demo/pipeline.yaml")).expect("the demo");
    let built = |name: &str| plugin(name).display().to_string();
    let changes = [
        ("../data/flights-2013-01.csv.gz", month().display().to_string()),
        ("../build/plugins/threshold.wasm", built("threshold")),
        ("../build/plugins/enrich-flight.wasm", built("enrich-flight")),
        ("out/flights.csv", output.to_owned()),
        ("out/rejected.jsonl", "rejected.jsonl".to_owned()),
    ];
    changes.iter().fold(text, |text, (from, to)| {
        assert!(text.contains(from), "the demo has no {from}");
        text.replace(from, to)
    })
}

fn compare(output: &str, arguments: &[&str]) {
    let folder = Folder::new();
    folder.write("pipeline.yaml", demo(output));
    let summary = folder.succeed(&[&["run", "pipeline.yaml", "--json", "-q"], arguments].concat()).json();
    assert_eq!((&summary["rows_in"], &summary["rows_out"]), (&27_004.into(), &19_640.into()));
    assert_eq!(summary["rows_rejected"], 22);
    python("month.py", &[&month(), &folder.path(output), &folder.path("rejected.jsonl")]);
    let mut names = vec![output, "pipeline.yaml", "rejected.jsonl"];
    names.sort_unstable();
    assert_eq!(folder.files(), names);
}

#[test]
fn as_csv() {
    compare("flights.csv", &[]);
}

#[test]
fn as_json_lines_under_gzip_made_in_parallel() {
    compare("flights.jsonl.gz", &["--parallelism", "3", "--batch-rows", "777"]);
}

#[test]
fn as_parquet() {
    compare("flights.parquet", &[]);
}

#[test]
fn as_avro() {
    compare("flights.avro", &[]);
}

#[test]
fn as_arrow() {
    compare("flights.arrow", &["--batch-rows", "1000"]);
}
