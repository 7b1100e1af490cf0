//! Members inherit versions, lints and edition from the catalogue in the root manifest: one place to change each.

use crate::Finding;
use crate::manifest::Manifest;

/// Fields of `[package]` that every member takes from the workspace.
const INHERITED: [&str; 4] = ["version", "edition", "rust-version", "license"];

/// What the members of the workspace write down themselves although the catalogue has it.
pub fn check(members: &[Manifest]) -> Vec<Finding> {
    members.iter().flat_map(check_one).collect()
}

fn check_one(manifest: &Manifest) -> Vec<Finding> {
    let path = &manifest.path;
    let mut findings = Vec::new();
    for field in INHERITED {
        let value = manifest.table.get("package").and_then(|package| package.get(field));
        if !value.is_some_and(inherits) {
            findings.push(format!("{path}: write `{field}.workspace = true`"));
        }
    }
    if !manifest.table.get("lints").is_some_and(inherits) {
        findings.push(format!("{path}: write `[lints]` with `workspace = true`"));
    }
    for dependency in manifest.dependencies().iter().filter(|d| !inherits(&d.value)) {
        findings.push(format!("{path}: {} has a version of its own; move it to the catalogue", dependency.name));
    }
    findings
}

fn inherits(value: &toml::Value) -> bool {
    value.get("workspace").and_then(toml::Value::as_bool) == Some(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = r#"
        [package]
        name = "a"
        version.workspace = true
        edition.workspace = true
        rust-version.workspace = true
        license.workspace = true
        [lints]
        workspace = true
        [dependencies]
        serde = { workspace = true, features = ["rc"] }
    "#;

    fn findings(text: &str) -> Vec<Finding> {
        check(&[Manifest::parse("a/Cargo.toml", text)])
    }

    #[test]
    fn a_member_that_inherits_everything_passes() {
        assert!(findings(GOOD).is_empty());
    }

    #[test]
    fn a_version_of_its_own_is_found() {
        for own in ["serde = \"1\"", "serde = { version = \"1\" }", "serde = { path = \"../serde\" }"] {
            let found = findings(&GOOD.replace("serde = { workspace = true, features = [\"rc\"] }", own));
            assert_eq!(found, ["a/Cargo.toml: serde has a version of its own; move it to the catalogue"]);
        }
    }

    #[test]
    fn missing_lints_and_an_edition_of_its_own_are_found() {
        let found = findings(&GOOD.replace("[lints]", "[other]"));
        assert_eq!(found, ["a/Cargo.toml: write `[lints]` with `workspace = true`"]);
        let found = findings(&GOOD.replace("edition.workspace = true", "edition = \"2021\""));
        assert_eq!(found, ["a/Cargo.toml: write `edition.workspace = true`"]);
    }
}
