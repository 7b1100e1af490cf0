//! Every example operator keeps the promises of its world.

use std::collections::BTreeSet;

use volley_test_conformance::{Sample, check};

use crate::support::{plugin, repository};

/// Names in a folder: of folders with a manifest, or of files with this ending, which is left out.
fn names(folder: &str, ending: &str) -> BTreeSet<String> {
    let entries = std::fs::read_dir(repository().join(folder)).expect("a folder");
    let name = |entry: std::io::Result<std::fs::DirEntry>| {
        let path = entry.expect("an entry").path();
        let is_one = path.join("Cargo.toml").is_file() || path.extension().is_some_and(|found| found == ending);
        is_one.then(|| path.file_stem().expect("a name").to_string_lossy().into_owned())
    };
    entries.filter_map(name).collect()
}

#[track_caller]
fn conforms(name: &str) {
    let path = repository().join(format!("tests/conformance/samples/{name}.toml"));
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let sample = Sample::parse(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let component = std::fs::read(plugin(name)).expect("a component");
    let verdict = check(&component, &sample);
    assert!(verdict.broken.is_empty(), "{name}: {:#?}", verdict.broken);
    assert!(verdict.kept.len() >= 6, "{name} was asked too little: {:?}", verdict.kept);
}

/// An operator of another toolchain: the suite asks nothing that only the SDK knows.
#[test]
fn an_operator_in_c() {
    let folder = std::env::var_os("VOLLEY_TEST_GUESTS").map_or_else(|| repository().join("build/guests"), Into::into);
    let path = folder.join("keep-above-c.wasm");
    let component =
        std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}: run scripts/guests", path.display()));
    let sample = Sample::parse("config = { limit = 3 }\ncolumns = ['id: Int64!', 'x: Int64']").expect("a sample");
    let verdict = check(&component, &sample);
    assert!(verdict.broken.is_empty() && verdict.kept.len() >= 6, "{verdict:#?}");
}

macro_rules! operators {
    ($($name:ident: $file:literal),* $(,)?) => {
        $(#[test]
        fn $name() {
            conforms($file);
        })*

        const TRIED: &[&str] = &[$($file),*];
    };
}

operators! {
    anomaly: "anomaly",
    baseline: "baseline",
    celsius: "celsius",
    enrich_flight: "enrich-flight",
    explode: "explode",
    filter_project: "filter-project",
    greatest: "greatest",
    identity: "identity",
    journeys: "journeys",
    look_up: "look-up",
    quantile_sketch: "quantile-sketch",
    running_total: "running-total",
    sessionizer: "sessionizer",
    sum_avg: "sum-avg",
    threshold: "threshold",
    ticks: "ticks",
    top_k: "top-k",
}

#[test]
fn no_operator_is_forgotten() {
    let tried: BTreeSet<String> = TRIED.iter().map(|name| (*name).to_owned()).collect();
    assert_eq!(names("plugins", "none"), tried);
    assert_eq!(names("tests/conformance/samples", "toml"), tried);
}
