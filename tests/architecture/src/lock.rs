//! One arrow, one datafusion: two versions of either do not exchange a single batch.

use std::collections::BTreeMap;

use crate::Finding;

/// Families of crates that stand in the lock file once each: the name itself, or the name and a dash.
pub const ONCE: &[&str] = &["arrow", "datafusion", "parquet", "wasmtime"];

/// Families that may stand several times in one lock file: each peer of the plugin boundary brings its own engine.
const SEVERAL: &[(&str, &str)] = &[("benches/peers/Cargo.lock", "wasmtime")];

/// Crates of those families that stand in a `Cargo.lock` more than once.
///
/// # Panics
/// When the text is not a lock file.
pub fn check(path: &str, text: &str) -> Vec<Finding> {
    let lock: toml::Table = text.parse().unwrap_or_else(|error| panic!("{path}: {error}"));
    let packages = lock.get("package").and_then(toml::Value::as_array).expect("a lock file lists packages");
    let mut versions: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for package in packages {
        let field = |key| package.get(key).and_then(toml::Value::as_str).expect("packages have a name and a version");
        versions.entry(field("name")).or_default().push(field("version"));
    }
    versions
        .iter()
        .filter(|(name, seen)| seen.len() > 1 && is_watched(path, name))
        .map(|(name, seen)| format!("{path}: {name} stands there {} times ({})", seen.len(), seen.join(", ")))
        .collect()
}

fn is_watched(path: &str, name: &str) -> bool {
    let is_of = |family: &str| name.strip_prefix(family).is_some_and(|rest| rest.is_empty() || rest.starts_with('-'));
    ONCE.iter().any(|family| is_of(family) && !SEVERAL.contains(&(path, *family)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lock(packages: &[(&str, &str)]) -> String {
        let entry =
            |(name, version): &(&str, &str)| format!("[[package]]\nname = \"{name}\"\nversion = \"{version}\"\n");
        packages.iter().map(entry).collect()
    }

    #[test]
    fn a_second_arrow_or_datafusion_is_found() {
        for name in ["arrow", "arrow-array", "datafusion-expr", "parquet"] {
            let found = check("Cargo.lock", &lock(&[(name, "57.0.0"), ("serde", "1.0.0"), (name, "58.0.0")]));
            assert_eq!(found, [format!("Cargo.lock: {name} stands there 2 times (57.0.0, 58.0.0)")]);
        }
    }

    #[test]
    fn peers_bring_their_engines_and_no_second_arrow() {
        let twice = |path, name| check(path, &lock(&[(name, "36.0.0"), (name, "48.0.0")]));
        assert!(twice("benches/peers/Cargo.lock", "wasmtime").is_empty());
        assert_eq!(twice("benches/peers/Cargo.lock", "arrow-array").len(), 1);
        assert_eq!(twice("Cargo.lock", "wasmtime").len(), 1);
    }

    #[test]
    fn other_crates_may_stand_twice() {
        assert!(check("Cargo.lock", &lock(&[("syn", "1.0.0"), ("syn", "2.0.0"), ("arrow", "58.0.0")])).is_empty());
        assert!(check("Cargo.lock", &lock(&[("arrowhead", "1.0.0"), ("arrowhead", "2.0.0")])).is_empty());
    }
}
