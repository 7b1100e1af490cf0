//! Builds with source lines, kept beside the stripped ones so that `volley plugin where` finds them.
//!
//! They lie under `<target>/volley/debug/` and in a folder `debug` beside the component, wherever `--out` put it; named
//! after the plugin and the digest of the component that was shipped, so that a trap of last week's plugin still finds
//! its lines after the source has moved on.

use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::compact::compact;
use super::sections::core_modules;
use super::{digest, read, write};
use crate::Error;

/// How many builds of one plugin are kept in a folder: each has up to 20 MB, and one that trapped is rarely older than that.
pub const KEPT_MAX: usize = 4;

/// Digits of the digest in a file's name.
const DIGEST_DIGITS: usize = 16;

/// The folder for builds with source lines beside components.
fn folder(components: &Path) -> PathBuf {
    components.join("debug")
}

fn file_name(plugin: &str, digest: &str) -> String {
    let hex = digest.trim_start_matches("sha256:");
    format!("{plugin}-{}.wasm", &hex[..DIGEST_DIGITS.min(hex.len())])
}

/// Keeps the unstripped build of a component that was shipped with the given digest, in the folder beside where
/// components lie, and forgets the oldest ones.
pub(crate) fn keep(components: &Path, plugin: &str, shipped: &str, unstripped: &[u8]) -> Result<PathBuf, Error> {
    let dir = folder(components);
    let path = dir.join(file_name(plugin, shipped));
    write(&path, unstripped)?;
    forget_oldest(&dir, plugin, &path);
    Ok(path)
}

/// Puts a build that was kept into the folder beside the component too, as a link where the file system has them, and
/// forgets the oldest ones there.
pub(crate) fn keep_beside(component: &Path, plugin: &str, kept: &Path) -> Result<(), Error> {
    let components = component.parent().unwrap_or(Path::new(""));
    let dir = folder(components);
    let path = dir.join(kept.file_name().expect("a build that was kept has a name"));
    if same_file(&path, kept) {
        return Ok(());
    }
    std::fs::create_dir_all(&dir).map_err(Error::io("create", &dir))?;
    if std::fs::hard_link(kept, &path).is_err() {
        // Something of that name is there already, or the folders lie on different disks.
        write(&path, &read(kept)?)?;
    }
    forget_oldest(&dir, plugin, &path);
    Ok(())
}

fn same_file(a: &Path, b: &Path) -> bool {
    matches!((a.canonicalize(), b.canonicalize()), (Ok(a), Ok(b)) if a == b)
}

fn forget_oldest(dir: &Path, plugin: &str, written: &Path) {
    for old in oldest(dir, plugin, written) {
        // Another build may have removed it already, and a leftover does no harm.
        let _ = std::fs::remove_file(old);
    }
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
    stem.rsplit_once('-').is_some_and(|(name, hex)| {
        name == plugin && hex.len() == DIGEST_DIGITS && hex.bytes().all(|digit| digit.is_ascii_hexdigit())
    })
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
    Err(Error::NoDebugBuild { path: component_path.into(), searched: folders })
}

/// Whether two components consist of the same code, so that the source lines of one are right for the other: the same
/// instructions, however wide their numbers are written.
pub(crate) fn same_code(a: &[u8], b: &[u8]) -> bool {
    let code = |bytes: &[u8]| -> Option<Vec<Vec<u8>>> {
        let modules = core_modules(bytes).ok()?;
        Some(modules.into_iter().map(|module| module.code.map_or(Vec::new(), |range| compact(&bytes[range]))).collect())
    };
    matches!((code(a), code(b)), (Some(a), Some(b)) if a == b)
}

/// Folders that may hold the build, whether or not they exist: beside the component; below cargo's target folder where
/// the environment names one; and below the folder `target` of the component's folder, the working folder and all above.
fn folders_for(component_path: &Path) -> Vec<PathBuf> {
    let absolute = |path: &Path| std::path::absolute(path).unwrap_or_else(|_| path.into());
    let file = absolute(component_path);
    let mut found = Vec::new();
    // The usual case: the component still lies where it was built to.
    let beside = file.parent().map(folder);
    let in_target = |target: &Path| folder(&target.join("volley"));
    let named = std::env::var_os("CARGO_TARGET_DIR").filter(|dir| !dir.is_empty());
    let environment = named.map(|dir| in_target(&absolute(Path::new(&dir))));
    let working = absolute(Path::new("."));
    let above = file.ancestors().skip(1).chain(working.ancestors());
    let above = above.map(|dir| in_target(&dir.join("target")));
    for dir in beside.into_iter().chain(environment).chain(above) {
        if !found.contains(&dir) {
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
        let target = dir.path().join("target/volley");
        keep(&target, "mine", &digest(&shipped), &with_lines).unwrap();
        keep(&target, "mine", "sha256:0000000000000000", &other).unwrap();
        let elsewhere = dir.path().join("deploy").join("renamed.wasm");
        assert_eq!(find(&elsewhere, &shipped).unwrap(), with_lines);
        let message = find(&elsewhere, &component("(func return)")).unwrap_err().to_string();
        assert!(message.contains("--debug-build"), "{message}");
        for searched in ["deploy/debug", "deploy/target/volley/debug", "target/volley/debug"] {
            let searched = dir.path().join(searched).display().to_string();
            assert!(message.lines().any(|line| line.trim() == searched), "{message} lacks {searched}");
        }
    }

    #[test]
    fn the_folder_beside_the_component_is_kept_like_that_in_the_target_folder() {
        let dir = tempfile::tempdir().unwrap();
        let (target, out) = (dir.path().join("t/volley"), dir.path().join("out"));
        let component = out.join("mine.wasm");
        for round in 0..KEPT_MAX + 3 {
            let kept = keep(&target, "mine", &format!("sha256:{round:016x}"), &[round as u8]).unwrap();
            keep_beside(&component, "mine", &kept).unwrap();
            let beside = out.join("debug").join(kept.file_name().unwrap());
            assert_eq!(std::fs::read(beside).unwrap(), [round as u8]);
        }
        // A build of the same shipped code again, with other lines: neither folder keeps the old ones.
        let again = format!("sha256:{:016x}", KEPT_MAX + 2);
        let kept = keep(&target, "mine", &again, b"again").unwrap();
        keep_beside(&component, "mine", &kept).unwrap();
        assert_eq!(std::fs::read(out.join("debug").join(kept.file_name().unwrap())).unwrap(), b"again");
        assert_eq!(builds_in(&out.join("debug")).count(), KEPT_MAX);
        // Without `--out` both are one folder.
        keep_beside(&target.join("mine.wasm"), "mine", &kept).unwrap();
        assert_eq!(std::fs::read(&kept).unwrap(), b"again");
    }

    #[test]
    fn files_that_only_look_like_builds_are_let_alone() {
        assert!(is_of(Path::new("mine-0123456789abcdef.wasm"), "mine"));
        for other in ["mine-too-much-to-say.wasm", "mine-0123456789abcdeg.wasm", "mine-0123.wasm", "mine.wasm"] {
            assert!(!is_of(Path::new(other), "mine"), "{other}");
        }
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
