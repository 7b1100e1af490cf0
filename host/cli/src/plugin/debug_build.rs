//! Builds with source lines, kept beside the stripped ones so that `volley plugin where` finds them.
//!
//! They lie under `<target>/volley/debug/`, named after the plugin and the digest of the component that was shipped,
//! so that a trap of last week's plugin still finds its lines after the source has moved on.

use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::sections::core_modules;
use super::{digest, read, write};
use crate::Error;

/// How many builds of one plugin are kept: each has up to 20 MB, and one that trapped is rarely older than that.
pub const KEPT_MAX: usize = 4;

/// Digits of the digest in a file's name.
const DIGEST_DIGITS: usize = 16;

/// The folder for builds with source lines under a target folder.
fn folder(target_dir: &Path) -> PathBuf {
    target_dir.join("volley").join("debug")
}

fn file_name(plugin: &str, digest: &str) -> String {
    let hex = digest.trim_start_matches("sha256:");
    format!("{plugin}-{}.wasm", &hex[..DIGEST_DIGITS.min(hex.len())])
}

/// Keeps the unstripped build of a component that was shipped with the given digest, and forgets the oldest ones.
pub(crate) fn keep(target_dir: &Path, plugin: &str, shipped: &str, unstripped: &[u8]) -> Result<PathBuf, Error> {
    let dir = folder(target_dir);
    let path = dir.join(file_name(plugin, shipped));
    write(&path, unstripped)?;
    for old in oldest(&dir, plugin, &path) {
        // Another build may have removed it already, and a leftover does no harm.
        let _ = std::fs::remove_file(old);
    }
    Ok(path)
}

/// Builds of `plugin` beyond the newest [`KEPT_MAX`], never the one just written.
fn oldest(dir: &Path, plugin: &str, written: &Path) -> Vec<PathBuf> {
    let mut builds: Vec<(SystemTime, PathBuf)> = builds_in(dir)
        .filter(|path| path != written && is_of(path, plugin))
        .filter_map(|path| Some((path.metadata().and_then(|meta| meta.modified()).ok()?, path)))
        .collect();
    builds.sort_by(|a, b| b.cmp(a));
    builds.into_iter().skip(KEPT_MAX - 1).map(|(_, path)| path).collect()
}

fn is_of(path: &Path, plugin: &str) -> bool {
    let stem = path.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
    stem.rsplit_once('-').is_some_and(|(name, hex)| name == plugin && hex.len() == DIGEST_DIGITS)
}

fn builds_in(dir: &Path) -> impl Iterator<Item = PathBuf> {
    std::fs::read_dir(dir)
        .into_iter()
        .flatten()
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.extension().is_some_and(|ext| ext == "wasm"))
}

/// Finds the build with source lines that belongs to a component: first by digest, then by equal code.
///
/// # Errors
/// [`Error::NoDebugBuild`], which lists the folders that were searched.
pub(crate) fn find(component_path: &Path, component: &[u8]) -> Result<Vec<u8>, Error> {
    let digest = digest(component);
    let folders = folders_for(component_path);
    let ending = file_name("", &digest);
    let (by_digest, others): (Vec<_>, Vec<_>) =
        folders.iter().flat_map(|dir| builds_in(dir)).partition(|path| path.to_string_lossy().ends_with(&ending));
    for path in by_digest.into_iter().chain(others) {
        // What cannot be read is not the build that is looked for.
        if let Ok(candidate) = read(&path)
            && same_code(component, &candidate)
        {
            return Ok(candidate);
        }
    }
    let searched: Vec<_> = folders.iter().map(|dir| dir.display().to_string()).collect();
    Err(Error::NoDebugBuild { path: component_path.into(), searched: searched.join(", ") })
}

/// Whether two components consist of the same code, so that the source lines of one are right for the other.
pub(crate) fn same_code(a: &[u8], b: &[u8]) -> bool {
    let code = |bytes: &[u8]| -> Option<Vec<Vec<u8>>> {
        let modules = core_modules(bytes).ok()?;
        Some(modules.into_iter().map(|module| module.code.map_or(Vec::new(), |range| bytes[range].to_vec())).collect())
    };
    matches!((code(a), code(b)), (Some(a), Some(b)) if a == b)
}

/// Folders that may hold the build: below the component's folder and the working folder and all above them, and below
/// cargo's target folder where the environment names one.
fn folders_for(component_path: &Path) -> Vec<PathBuf> {
    let absolute = |path: &Path| std::path::absolute(path).unwrap_or_else(|_| path.into());
    let file = absolute(component_path);
    let mut found = Vec::new();
    // The usual case: the component still lies in `<target>/volley/`.
    let beside = file.parent().map(|dir| dir.join("debug"));
    let environment = std::env::var_os("CARGO_TARGET_DIR").map(|dir| folder(&absolute(Path::new(&dir))));
    let working = absolute(Path::new("."));
    let above = [file.as_path(), &working];
    let above = above.into_iter().flat_map(Path::ancestors).map(|dir| folder(&dir.join("target")));
    for dir in beside.into_iter().chain(environment).chain(above) {
        if dir.is_dir() && !found.contains(&dir) {
            found.push(dir);
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn component(text: &str) -> Vec<u8> {
        wat::parse_str(format!("(component (core module {text}))")).unwrap()
    }

    #[test]
    fn the_build_is_found_by_its_code_wherever_the_component_lies() {
        let dir = tempfile::tempdir().unwrap();
        let with_lines = component(r#"(func unreachable) (@custom ".debug_line" "lines")"#);
        let other = component(r#"(func nop) (@custom ".debug_line" "lines")"#);
        let shipped = component("(func unreachable)");
        let target = dir.path().join("target");
        keep(&target, "mine", &digest(&shipped), &with_lines).unwrap();
        keep(&target, "mine", "sha256:0000000000000000", &other).unwrap();
        let elsewhere = dir.path().join("deploy").join("renamed.wasm");
        assert_eq!(find(&elsewhere, &shipped).unwrap(), with_lines);
        let message = find(&elsewhere, &component("(func return)")).unwrap_err().to_string();
        assert!(message.contains("--debug-build") && message.contains("debug"), "{message}");
    }

    #[test]
    fn old_builds_are_forgotten_but_not_those_of_other_plugins() {
        let dir = tempfile::tempdir().unwrap();
        keep(dir.path(), "mine-too", "sha256:ffffffffffffffff", b"x").unwrap();
        for round in 0..KEPT_MAX + 3 {
            keep(dir.path(), "mine", &format!("sha256:{round:016x}"), b"x").unwrap();
        }
        let builds: Vec<_> = builds_in(&folder(dir.path())).collect();
        assert_eq!(builds.iter().filter(|path| is_of(path, "mine")).count(), KEPT_MAX);
        assert_eq!(builds.iter().filter(|path| is_of(path, "mine-too")).count(), 1);
    }
}
