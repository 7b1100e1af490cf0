//! Runs every rule over the repository as it stands.

use volley_test_architecture::repository::Repository;
use volley_test_architecture::{Finding, arrows, contract, documents, inheritance, lock, sources, words};

/// The documents whose paths must exist.
const DOCUMENTS: [&str; 20] = [
    "ARCHITECTURE.md",
    "README.md",
    "CONTRIBUTING.md",
    "data/README.md",
    "benches/peers/README.md",
    "benches/engine-peers/README.md",
    "benches/nexmark/README.md",
    "connectors/nexmark/README.md",
    "docs/aggregate-plugins.md",
    "docs/aggregates.md",
    "docs/checkpoints.md",
    "docs/codec-plugins.md",
    "docs/guarantees.md",
    "docs/process-plugins.md",
    "docs/row-plugins.md",
    "docs/rust-api.md",
    "docs/scalar-plugins.md",
    "docs/state-of-plugins.md",
    "docs/what-a-plugin-can-and-cannot-do.md",
    "docs/windows-and-aggregates.md",
];

#[track_caller]
fn assert_none(findings: &[Finding]) {
    assert!(findings.is_empty(), "\n  {}\n", findings.join("\n  "));
}

/// A rule that reads nothing passes in silence; this makes sure that it reads.
#[track_caller]
fn at_least<T>(count_min: usize, items: Vec<T>) -> Vec<T> {
    assert!(items.len() >= count_min, "only {} found: the walk is broken", items.len());
    items
}

#[test]
fn each_crate_knows_only_what_it_may() {
    let repository = Repository::here();
    assert_none(&arrows::check(&at_least(10, repository.members())));
    assert_none(&arrows::check(&repository.plugins()));
    assert_none(&arrows::check(&at_least(4, repository.peers())));
}

#[test]
fn members_inherit_from_the_catalogue() {
    assert_none(&inheritance::check(&at_least(10, Repository::here().members())));
}

#[test]
fn arrow_and_datafusion_stand_once_in_every_lock_file() {
    let repository = Repository::here();
    let locks = at_least(4, repository.locks());
    assert_none(&locks.iter().flat_map(|path| lock::check(path, &repository.read(path))).collect::<Vec<_>>());
}

#[test]
fn documents_name_only_what_exists() {
    let repository = Repository::here();
    let check =
        |document: &&str| documents::check(document, &repository.read(document), |path| repository.exists(path));
    assert_none(&DOCUMENTS.iter().flat_map(check).collect::<Vec<_>>());
}

#[test]
fn a_released_contract_does_not_change() {
    let repository = Repository::here();
    let files = at_least(13, repository.files_in("wit/volley-operator@0.1.0", "wit"));
    let texts: Vec<_> = files.iter().map(|path| repository.read(path)).collect();
    let names = files.iter().map(|path| path.rsplit('/').next().unwrap_or(path));
    let now = contract::meaning(names.zip(texts.iter().map(String::as_str)));
    let released = repository.read("tests/golden/contract/volley-operator@0.1.0.txt");
    assert_none(&contract::check("wit/volley-operator@0.1.0", &released, &now));
}

#[test]
fn the_readme_shows_the_demo_as_it_is() {
    let repository = Repository::here();
    let shown = documents::fenced(&repository.read("README.md"), "yaml");
    assert_eq!(shown, [repository.read("demo/pipeline.yaml")], "copy demo/pipeline.yaml into README.md");
}

#[test]
fn the_readme_lists_the_exit_codes_of_the_host() {
    let repository = Repository::here();
    let readme = repository.read("README.md");
    let rows = at_least(5, documents::exit_code_rows(&repository.read("host/server/src/exit.rs")));
    let missing: Vec<_> = rows.into_iter().filter(|row| !readme.lines().any(|line| line == row)).collect();
    assert_none(&missing.iter().map(|row| format!("README.md lacks {row}")).collect::<Vec<_>>());
}

#[test]
fn source_files_are_short_and_open_with_their_purpose() {
    let repository = Repository::here();
    let files = at_least(20, repository.sources());
    assert_none(&files.iter().flat_map(|path| sources::check(path, &repository.read(path))).collect::<Vec<_>>());
}

#[test]
fn no_file_names_a_machine_or_a_registry_host() {
    let repository = Repository::here();
    let files = at_least(30, repository.texts());
    assert_none(&files.iter().flat_map(|path| words::check(path, &repository.read(path))).collect::<Vec<_>>());
}
