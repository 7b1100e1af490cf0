//! `plan`, `validate`, `schema`, `--help` and `--json`: what people and scripts read.

use serde_json::Value;

use crate::support::{Folder, plugin};

/// A pipeline with a bit of everything, and a component beside it so that the drawing names no path of this machine.
fn project() -> Folder {
    let folder = Folder::new();
    std::fs::copy(plugin("explode"), folder.path("explode.wasm")).expect("a copy");
    folder.write("tags.csv", "id,tags\n1,\"a,b\"\n2,\n3,c\n");
    folder.write("pipeline.yaml", include_str!("plan.yaml"));
    folder
}

#[test]
fn plan_draws_the_graph() {
    let outcome = project().succeed(&["plan", "pipeline.yaml"]);
    assert_eq!(outcome.text(), include_str!("plan.txt"));
    assert_eq!(outcome.stderr, "");
}

#[test]
fn plan_as_json_has_nodes_columns_and_edges() {
    let plan = project().succeed(&["plan", "pipeline.yaml", "--json"]).json();
    assert_eq!(plan["name"], "tags");
    let nodes = plan["nodes"].as_array().expect("a list");
    let names: Vec<_> = nodes.iter().map(|node| node["name"].as_str().expect("text")).collect();
    assert_eq!(names, ["tags", "made", "all", "each", "named", "out", "empty", "failed"]);
    let each = &nodes[3];
    assert_eq!((&each["role"], &each["parallelism"]), (&"operator".into(), &2.into()));
    let ports: Vec<_> = each["outputs"].as_array().expect("ports").iter().collect();
    assert_eq!(
        ports[0]["columns"],
        serde_json::json!(["id: Int64?", "tags: Utf8?", "item: Utf8", "item_index: Int64"])
    );
    assert!(ports.iter().any(|port| port["name"] == "empty"), "{each}");
    let edges = plan["edges"].as_array().expect("a list");
    let edge =
        |from: &str, to: &str| edges.iter().find(|edge| edge["from"] == from && edge["to"] == to).expect("an edge");
    assert_eq!(edge("each", "named")["exchange"], "chained");
    assert_eq!(edge("each", "empty")["port"], "empty");
    assert_eq!(plan["nodes"].as_array().map(Vec::len), Some(8));
}

#[test]
fn validate_says_that_it_is_valid_and_moves_nothing() {
    let folder = project();
    let before = folder.files();
    assert_eq!(folder.succeed(&["validate", "pipeline.yaml"]).text(), "pipeline.yaml: valid, 8 nodes\n");
    let json = folder.succeed(&["validate", "pipeline.yaml", "--json"]).json();
    assert_eq!((&json["valid"], &json["nodes"]), (&true.into(), &8.into()));
    assert_eq!(folder.files(), before);
}

#[test]
fn the_schema_describes_every_connector() {
    let outcome = Folder::new().succeed(&["schema"]);
    let schema = outcome.json();
    assert_eq!(schema["type"], "object");
    assert!(schema["properties"]["sources"].is_object() && schema["properties"]["sinks"].is_object());
    let text = schema.to_string();
    for key in [
        "\"file\"",
        "\"generate\"",
        "\"nexmark\"",
        "\"discard\"",
        "\"plugin\"",
        "\"follow\"",
        "\"part_rows_max\"",
        "\"seed\"",
    ] {
        assert!(text.contains(key), "{key}");
    }
}

#[test]
fn help_shows_examples_and_exit_codes() {
    let folder = Folder::new();
    let outcome = folder.succeed(&["--help"]);
    for part in ["Examples:", "volley-host run pipeline.yaml", "Exit codes:", "  141  "] {
        assert!(outcome.text().contains(part), "{part}: {}", outcome.text());
    }
    assert!(folder.succeed(&["-h"]).text().contains("Exit codes:"));
    assert!(folder.succeed(&["--version"]).text().starts_with("volley-host "));
    folder.run(&[]).says("nothing", 2, &["Usage:"]);
    folder.run(&["--input", "x.csv"]).says("no plugin", 2, &["--plugin"]);
}

#[test]
fn a_run_as_json_has_the_numbers() {
    let folder = project();
    let outcome = folder.succeed(&["run", "pipeline.yaml", "--json"]);
    let summary = outcome.json();
    assert_eq!(outcome.text().lines().count(), 1);
    assert_eq!((&summary["job"], &summary["stopped_early"]), (&"tags".into(), &false.into()));
    // 3 rows of the file and 6 made ones; three are without tags.
    assert_eq!((&summary["rows_in"], &summary["rows_rejected"]), (&9.into(), &0.into()));
    assert!(summary["elapsed_ms"].is_u64() && summary["rows_per_second"].is_u64());
    let nodes = summary["nodes"].as_array().expect("a list");
    let node = |name: &str| nodes.iter().find(|node| node["name"] == name).expect("a node");
    assert_eq!((&node("tags")["rows_out"], &node("made")["rows_out"]), (&3.into(), &6.into()));
    assert_eq!((&node("all")["rows_in"], &node("each")["rows_in"]), (&9.into(), &9.into()));
    assert_eq!((&node("empty")["rows_in"], &node("out")["rows_in"]), (&3.into(), &15.into()));
    // The table is for people, and goes to the other stream.
    assert!(outcome.stderr.contains("9 rows in · 18 rows out · 0 rejected"), "{}", outcome.stderr);
}

#[test]
fn a_failure_as_json_is_on_standard_output() {
    let folder = Folder::new();
    folder.write("in.csv", "a\n1\n2,3\n");
    folder.write(
        "p.yaml",
        "name: p\nsources: { in: { file: { path: in.csv } } }\nsinks: { out: { from: in, discard: {} } }\n",
    );
    folder.write("q.yaml", "name: q\n");
    for (file, code, kind, part) in [("p.yaml", 3, "data", "in.csv line 3"), ("q.yaml", 2, "config", "q.yaml")] {
        let outcome = folder.run(&["run", file, "--json", "-q"]);
        outcome.says(file, code, &[part]);
        let error: Value = outcome.json()["error"].clone();
        assert_eq!((&error["kind"], &error["retryable"]), (&kind.into(), &false.into()));
        assert!(error["message"].as_str().is_some_and(|message| message.contains(part)), "{error}");
    }
    let outcome = folder.run(&["validate", "q.yaml", "--json"]);
    assert_eq!((outcome.code, &outcome.json()["error"]["kind"]), (Some(2), &"config".into()));
}

/// Rows and a summary on one stream would be neither.
#[test]
fn json_and_rows_do_not_share_standard_output() {
    let folder = Folder::new();
    folder.write(
        "p.yaml",
        "name: p\nsources: { in: { generate: { rows: 1, columns: { a: n } } } }\n\
                            sinks: { out: { from: in, file: { path: \"-\" } } }\n",
    );
    folder.run(&["run", "p.yaml", "--json"]).says("both", 2, &["--json", "`out`"]);
    assert_eq!(folder.succeed(&["run", "p.yaml"]).text(), "{\"a\":0}\n");
}
