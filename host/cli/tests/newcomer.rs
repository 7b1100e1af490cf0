//! What a newcomer does, command by command: a plugin of each kind is made, tested natively, built and examined; a
//! pipeline is made and read.
#![allow(clippy::unwrap_used, reason = "a panic is how a test reports, in its helpers too")]

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

fn volley(dir: &Path, args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_volley")).args(args).current_dir(dir).output().unwrap()
}

/// The same, when it must succeed; gives what stands on stdout.
fn volley_ok(dir: &Path, args: &[&str]) -> String {
    let output = volley(dir, args);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "volley {args:?}: {}\n{stderr}", output.status);
    String::from_utf8(output.stdout).unwrap()
}

/// Guests of these tests share a target folder across runs, so that only the first one compiles the SDK.
fn target_dir() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("guests")
}

#[test]
fn a_new_plugin_of_each_kind_tests_builds_and_is_what_it_claims() {
    let dir = tempfile::tempdir().unwrap();
    let target = target_dir();
    let target = target.to_str().unwrap();
    for (kind, reads, writes) in [
        ("map", ["quantity", "unit_price"].as_slice(), ["total"].as_slice()),
        ("filter", &["quantity", "unit_price"], &[]),
        ("flat-map", &["text"], &["word"]),
        ("process", &[], &["count"]),
        ("aggregate", &["amount"], &["least", "greatest"]),
        ("scalar", &["fahrenheit"], &["result"]),
        // A format decides on its columns when it is opened.
        ("codec", &[], &[]),
    ] {
        let name = format!("newcomer-{kind}");
        let said = volley_ok(dir.path(), &["plugin", "new", &name, "--kind", kind]);
        assert!(said.contains("volley plugin build"), "{said}");
        let project = dir.path().join(&name);

        let tests = Command::new(volley_cli::toolchain::cargo_program())
            .args(["test", "--target-dir", target])
            .current_dir(&project)
            .output()
            .unwrap();
        let stderr = String::from_utf8_lossy(&tests.stderr);
        assert!(tests.status.success(), "cargo test of {kind}:\n{stderr}");
        assert!(!stderr.contains("warning: unused"), "a new project compiles without warnings:\n{stderr}");
        assert!(String::from_utf8_lossy(&tests.stdout).contains("test tests::"), "it has a test of its own");

        let out = dir.path().join(format!("{name}.wasm"));
        let out = out.to_str().unwrap();
        let built = volley_ok(&project, &["plugin", "build", "--target-dir", target, "--out", out, "--json"]);
        let built: Value = serde_json::from_str(&built).unwrap();
        assert_eq!(built["plugins"][0]["kind"], kind);

        let told: Value = serde_json::from_str(&volley_ok(&project, &["plugin", "inspect", out, "--json"])).unwrap();
        assert_eq!((&told["name"], &told["version"]), (&Value::from(name.as_str()), &Value::from("0.1.0")));
        assert_eq!((&told["kind"], &told["digest"]), (&Value::from(kind), &built["plugins"][0]["digest"]));
        let names = |columns: &Value| -> Vec<String> {
            let columns = columns.as_array().map_or(&[][..], Vec::as_slice).iter();
            columns.map(|column| column["name"].as_str().unwrap().to_owned()).collect()
        };
        assert_eq!((names(&told["columns"]["reads"]), names(&told["columns"]["writes"])), (own(reads), own(writes)));
        assert_eq!(told["problems"].as_array().unwrap().len(), 0);
        assert_eq!(told["debug_info"], false);
        if kind == "process" {
            state_is_seen_in_a_comparison(dir.path(), &project, out, target);
        }
    }
}

/// The next version of a process keeps something else: the comparison says so.
fn state_is_seen_in_a_comparison(dir: &Path, project: &Path, old: &str, target: &str) {
    let code = project.join("src/lib.rs");
    let text = std::fs::read_to_string(&code).unwrap();
    let next = text.replace("count: &mut Value<i64>", "#[state(version = 2)] count: &mut Value<(i64,)>");
    assert_ne!(next, text);
    std::fs::write(
        &code,
        next.replace("copied().unwrap_or(0)", "map_or(0, |(count,)| *count)").replace("set(next)", "set((next,))"),
    )
    .unwrap();
    let new = dir.join("next.wasm");
    let new = new.to_str().unwrap();
    volley_ok(project, &["plugin", "build", "--target-dir", target, "--out", new]);
    let told = volley(dir, &["plugin", "inspect", "--diff", old, new, "--json"]);
    let told: Value = serde_json::from_slice(&told.stdout).unwrap();
    let change = told["changes"].as_array().unwrap().iter().find(|change| change["what"] == "state").unwrap();
    assert_eq!(change["old"], "count (value of Int64, version 1)");
    assert!(change["attention"].as_str().unwrap().contains("migrate"), "{change}");
    assert_eq!(told["verdict"], "attention");
}

fn own(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

#[test]
fn a_new_pipeline_is_one_that_hosts_read() {
    let dir = tempfile::tempdir().unwrap();
    // A name that YAML would read as something else than a text, were it not quoted.
    volley_ok(dir.path(), &["new", "null", "--dir", "job"]);
    let job = dir.path().join("job");
    let known = volley_config::KnownConnectors { sources: &["file"], sinks: &["file"] };
    let spec = volley_config::load(&job.join("pipeline.yaml"), &known).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(spec.name.as_str(), "null");
    assert!(
        job.join("data/orders.csv").is_file() && job.join("README.md").is_file() && job.join(".gitignore").is_file()
    );
    let data = std::fs::read_to_string(job.join("data/orders.csv")).unwrap();
    let widths: Vec<usize> = data.lines().map(|line| line.split(',').count()).collect();
    assert!(widths.len() > 5 && widths.iter().all(|width| *width == widths[0]), "{widths:?}");
}

#[test]
fn what_is_wrong_is_said_with_the_documented_exit_status() {
    let dir = tempfile::tempdir().unwrap();
    let here = dir.path();
    std::fs::write(here.join("a.csv"), "a\n1\n").unwrap();
    for (args, status, words) in [
        (["new", "Bad Name"].as_slice(), 2, "lower-case letter"),
        (&["plugin", "new", "match"], 2, "another meaning"),
        (&["plugin", "new", "mine", "--sdk", "."], 2, "holds no volley-sdk"),
        (&["plugin", "build"], 2, "has no Cargo.toml"),
        (&["plugin", "inspect", "a.csv"], 1, "text file"),
        (&["plugin", "inspect", "missing.wasm"], 1, "missing.wasm"),
        (&["plugin", "where", "a.csv", "zz"], 2, "0x1a2b"),
        (&["plugin", "frobnicate"], 2, "unrecognized"),
    ] {
        let output = volley(here, args);
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(status), "{args:?}: {stderr}");
        assert!(stderr.contains(words), "{args:?}: {stderr}");
    }
    assert_eq!(std::fs::read_dir(here).unwrap().count(), 1, "nothing was left behind");
}

#[test]
fn a_project_that_is_no_plugin_and_one_that_does_not_compile_are_told_apart() {
    let dir = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| {
        let path = dir.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    };
    write("Cargo.toml", "[package]\nname = \"plain\"\nversion = \"0.1.0\"\nedition = \"2024\"\n[workspace]\n");
    write("src/lib.rs", "pub fn f() {}\n");
    let build = || volley(dir.path(), &["plugin", "build", "--offline", "--target-dir", "t"]);
    let output = build();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{stderr}");
    assert!(stderr.contains("crate-type"), "{stderr}");

    write(
        "Cargo.toml",
        "[package]\nname = \"plain\"\nversion = \"0.1.0\"\nedition = \"2024\"\n[lib]\ncrate-type = [\"cdylib\"]\n[workspace]\n",
    );
    let output = build();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    assert!(stderr.contains("no operator kind"), "{stderr}");
    assert!(!dir.path().join("t/volley").exists(), "nothing is written for what is no operator");

    write("src/lib.rs", "pub fn f() { nonsense }\n");
    let output = build();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    assert!(stderr.contains("nonsense") && stderr.contains("`cargo build` failed"), "{stderr}");
}

#[test]
fn a_workspace_is_built_into_a_folder() {
    let dir = tempfile::tempdir().unwrap();
    for name in ["one-map", "two-filter"] {
        let kind = name.split_once('-').unwrap().1;
        volley_ok(dir.path(), &["plugin", "new", name, "--kind", kind]);
        let manifest = dir.path().join(name).join("Cargo.toml");
        let text = std::fs::read_to_string(&manifest).unwrap().replace("\n[workspace]\n", "\n");
        std::fs::write(manifest, text).unwrap();
    }
    std::fs::write(dir.path().join("one-map/src/lib.rs"), BATCH_WISE).unwrap();
    std::fs::write(dir.path().join("Cargo.toml"), "[workspace]\nresolver = \"3\"\nmembers = [\"*-*\"]\n").unwrap();
    let target = target_dir();
    let target = target.to_str().unwrap();
    let said = volley_ok(dir.path(), &["plugin", "build", "--target-dir", target, "--out", "components"]);
    assert!(said.contains("Built 2 plugins"), "{said}");
    for name in ["one-map", "two-filter"] {
        assert!(dir.path().join(format!("components/{name}.wasm")).is_file(), "{name}");
    }
    let told = volley_ok(dir.path(), &["plugin", "inspect", "components/one-map.wasm"]);
    let lines: Vec<Vec<&str>> = told.lines().map(|line| line.split_whitespace().collect()).collect();
    for line in ["name one-map", "version 0.1.0"] {
        assert!(lines.contains(&line.split(' ').collect()), "{told} lacks {line}");
    }
    for columns in ["reads", "writes"] {
        let line = told.lines().find(|line| line.starts_with(columns)).unwrap();
        assert!(line.contains("decided by its configuration (`volley-host plan` shows them)"), "{told}");
    }
}

/// A map whose column the configuration names.
const BATCH_WISE: &str = r#"
use volley_sdk::{Batch, Binding, DataType, Failure, MapOperator, Mapped, OpenError, Schema, build::{Builder, Float64Builder}};

pub struct Copy;

impl MapOperator for Copy {
    type Config = std::collections::BTreeMap<String, String>;

    fn open(config: Self::Config, _: &Schema) -> Result<(Self, Binding), OpenError> {
        Ok((Self, Binding::reads(config.into_values()).append([("copy", DataType::Float64)])))
    }

    fn map(&mut self, batch: &Batch<'_>) -> Result<Mapped, Failure> {
        let mut copy = Float64Builder::new();
        for number in batch.at(0).numbers()?.iter() {
            copy.push_option(number);
        }
        Ok(Mapped::new(vec![copy.finish()]))
    }
}

volley_sdk::export_map!(Copy);
"#;

#[test]
fn doctor_says_what_this_machine_has() {
    let output = volley(Path::new("."), &["doctor", "--json"]);
    let told: Value = serde_json::from_slice(&output.stdout).unwrap();
    let checks = told["checks"].as_array().unwrap();
    assert!(checks.iter().any(|check| check["tool"] == "cargo" && check["ok"] == true), "{told:#}");
    assert_eq!(output.status.code(), Some(if told["ok"] == true { 0 } else { 1 }));
    let text = volley(Path::new("."), &["doctor"]);
    assert!(String::from_utf8_lossy(&text.stdout).contains("needed for"));
}
