//! What newcomers start from: the project of `volley new`, and every pipeline that a document shows.

use std::path::{Path, PathBuf};

use volley_config::{KnownConnectors, PipelineSpec, ProcessEnvironment};
use volley_connector_file::{FileSinkOptions, FileSourceOptions};

use crate::support::{Folder, plugin, repository};

const KNOWN: KnownConnectors<'static> =
    KnownConnectors { sources: &["file", "generate", "nexmark"], sinks: &["file", "discard"] };
/// Folders without documents of ours.
const SKIPPED: [&str; 5] = [".git", "target", "build", "templates", "node_modules"];

#[test]
fn a_new_project_runs_as_it_is() {
    let folder = Folder::new();
    let dir = folder.path("orders");
    volley_cli::new::pipeline::create("orders", Some(&dir)).expect("an empty folder");
    let pipeline = dir.join("pipeline.yaml");
    let pipeline = pipeline.to_str().expect("text");
    for command in ["validate", "plan"] {
        folder.succeed(&[command, pipeline]);
    }
    let summary = folder.succeed(&["run", pipeline, "--json", "-q"]).json();
    assert_eq!(summary["job"], "orders");
    let totals = folder.read("orders/out/totals.jsonl");
    assert_eq!(Some(totals.lines().count() as u64), summary["rows_out"].as_u64());
    let orders = folder.read("orders/data/orders.csv");
    assert_eq!(totals.lines().count(), orders.lines().filter(|line| line.contains("shipped")).count());
    let first: serde_json::Value = serde_json::from_str(totals.lines().next().expect("a row")).expect("JSON");
    assert!(first["order_id"].is_number() && first["total"].is_number(), "{first}");
}

/// Names, edges, expressions' places and the options of files: everything that needs no file.
fn parse(text: &str, origin: &str) -> PipelineSpec {
    let spec = volley_config::parse(text, origin, &KNOWN, &ProcessEnvironment::new(Path::new("")))
        .unwrap_or_else(|errors| panic!("{origin}: {errors}\n{text}"));
    let said = |error: volley_config::ConfigError| -> String { panic!("{origin}: {error}") };
    for source in spec.sources.iter().filter(|source| source.connector.kind == "file") {
        source.connector.options.read::<FileSourceOptions>().map_err(said).expect("checked");
    }
    for sink in spec.sinks.iter().filter(|sink| sink.connector.kind == "file") {
        sink.connector.options.read::<FileSinkOptions>().map_err(said).expect("checked");
    }
    spec
}

/// Makes a whole pipeline of what a document shows: some show an operator's action alone.
fn completed(block: &str) -> String {
    let has = |key: &str| block.lines().any(|line| line.starts_with(key));
    if let Some(results) = block.trim().strip_prefix("aggregate:") {
        return format!(
            "name: shown\nsources: {{ in: {{ file: {{ path: in.csv }} }} }}\n\
             operators: {{ shown: {{ from: in, key_by: carrier, aggregate:{results} }} }}\n\
             sinks: {{ out: {{ from: shown, discard: {{}} }} }}\n"
        );
    }
    if has("plugin:") {
        let block: String = block.lines().map(|line| format!("    {line}\n")).collect();
        return format!(
            "name: shown\nsources: {{ in: {{ file: {{ path: in.csv }} }} }}\n\
             operators:\n  shown:\n    from: in\n{block}\
             sinks:\n  out: {{ from: shown, discard: {{}} }}\n  refused: {{ from: shown.errors, discard: {{}} }}\n"
        );
    }
    let from = block.lines().find_map(|line| line.strip_prefix("  from: "));
    if let Some(from) = from.filter(|_| !has("operators:")) {
        // One operator, as it stands below `operators`.
        let name = block.lines().next().expect("a line").trim_end_matches(':');
        let block: String = block.lines().map(|line| format!("  {line}\n")).collect();
        return format!(
            "name: shown\nsources: {{ {from}: {{ file: {{ path: in.csv }} }} }}\noperators:\n{block}\
             sinks: {{ out: {{ from: {name}, discard: {{}} }} }}\n"
        );
    }
    if has("name:") { block.to_owned() } else { format!("name: shown\n{block}") }
}

fn documents(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if path.is_dir() && !SKIPPED.contains(&name) {
            documents(&path, found);
        } else if name.ends_with(".md") {
            found.push(path);
        }
    }
}

fn yaml_blocks(text: &str) -> Vec<String> {
    let blocks = text.split("```yaml\n").skip(1);
    blocks.map(|rest| rest.split("```").next().expect("split gives one at least").to_owned()).collect()
}

#[test]
fn pipelines_in_documents_are_pipelines() {
    let root = repository();
    let mut paths = Vec::new();
    documents(&root, &mut paths);
    let mut blocks = 0;
    for path in paths {
        let origin = path.strip_prefix(&root).expect("below").display().to_string();
        for block in yaml_blocks(&std::fs::read_to_string(&path).expect("text")) {
            parse(&completed(&block), &origin);
            blocks += 1;
        }
    }
    assert!(blocks >= 5, "{blocks} blocks: where did they go?");
}

/// What `make demo` runs is valid where it stands, with its components beside it.
#[test]
fn the_demo_is_valid() {
    let root = repository();
    let demo = std::fs::read_to_string(root.join("demo/pipeline.yaml")).expect("the demo");
    let folder = Folder::new();
    for name in ["threshold", "enrich-flight"] {
        folder.write(&format!("build/plugins/{name}.wasm"), std::fs::read(plugin(name)).expect("a component"));
    }
    folder.write("data/flights-2013-01.csv.gz", std::fs::read(crate::support::month()).expect("the month"));
    folder.write("demo/pipeline.yaml", demo);
    assert!(folder.succeed(&["validate", "demo/pipeline.yaml"]).text().contains("valid, 6 nodes"));
}
