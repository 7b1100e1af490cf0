//! `volley plugin new`: a Cargo project with one operator, its test, and nothing to adjust before the first build.

use std::path::{Path, PathBuf};

use super::contract::Kind;
use crate::Error;
use crate::new::{NAME_CHARS_MAX, Template, check_name, write_project};

/// Files that are the same for every kind.
const COMMON: [Template; 2] = [
    ("Cargo.toml", include_str!("../../templates/plugin/Cargo.toml.in")),
    (".gitignore", include_str!("../../templates/plugin/gitignore")),
];

/// Names that Cargo refuses, or that would hide a crate which the plugin uses. Cargo refuses Rust's keywords itself,
/// but only at the first build.
const TAKEN: [&str; 9] = ["test", "core", "std", "alloc", "proc_macro", "volley_sdk", "deps", "build", "examples"];

/// Rust's words that could pass for a name, by their spelling in lower-case letters.
const KEYWORDS: [&str; 47] = [
    "abstract", "as", "async", "await", "become", "box", "break", "const", "continue", "crate", "do", "dyn", "else",
    "enum", "extern", "false", "final", "fn", "for", "gen", "if", "impl", "in", "let", "loop", "macro", "match", "mod",
    "move", "mut", "override", "priv", "pub", "ref", "return", "self", "static", "struct", "super", "trait", "true",
    "try", "type", "typeof", "unsafe", "use", "where",
];

/// What a new plugin shall be.
#[derive(Debug, Clone)]
pub struct NewPlugin {
    /// Its name: the crate, the operator, the file.
    pub name: String,
    /// What it does with rows.
    pub kind: Kind,
    /// Where it goes; by default a folder of its name.
    pub dir: Option<PathBuf>,
    /// The folder of the SDK; by default that of the checkout this tool was built from, where it still exists, else
    /// the published crate.
    pub sdk: Option<PathBuf>,
}

/// Makes the project and lists its files.
///
/// # Errors
/// [`Error::BadName`], [`Error::NoSdk`], [`Error::NotEmpty`], [`Error::Io`].
pub fn create(request: &NewPlugin) -> Result<Vec<PathBuf>, Error> {
    check_plugin_name(&request.name)?;
    let dir = request.dir.clone().unwrap_or_else(|| PathBuf::from(&request.name));
    let sdk = sdk_dependency(request.sdk.as_deref())?;
    let (code, readme) = match request.kind {
        Kind::Map => (include_str!("../../templates/plugin/map.rs.in"), include_str!("../../templates/plugin/map.md")),
        Kind::Filter => {
            (include_str!("../../templates/plugin/filter.rs.in"), include_str!("../../templates/plugin/filter.md"))
        }
        Kind::FlatMap => {
            (include_str!("../../templates/plugin/flat-map.rs.in"), include_str!("../../templates/plugin/flat-map.md"))
        }
        Kind::Scalar => {
            (include_str!("../../templates/plugin/scalar.rs.in"), include_str!("../../templates/plugin/scalar.md"))
        }
        Kind::Codec => {
            (include_str!("../../templates/plugin/codec.rs.in"), include_str!("../../templates/plugin/codec.md"))
        }
        Kind::Process => {
            (include_str!("../../templates/plugin/process.rs.in"), include_str!("../../templates/plugin/process.md"))
        }
        Kind::Aggregate => (
            include_str!("../../templates/plugin/aggregate.rs.in"),
            include_str!("../../templates/plugin/aggregate.md"),
        ),
    };
    let files: Vec<Template> = COMMON.into_iter().chain([("src/lib.rs", code), ("README.md", readme)]).collect();
    let rust_min = crate::toolchain::RUST_MIN;
    write_project(
        &dir,
        &files,
        &[
            ("name", &request.name),
            ("crate", &request.name.replace('-', "_")),
            ("sdk", &sdk),
            ("rust_version", &format!("{}.{}", rust_min.0, rust_min.1)),
        ],
    )
}

fn check_plugin_name(name: &str) -> Result<(), Error> {
    check_name("plugin", name)?;
    let identifier = name.replace('-', "_");
    if TAKEN.contains(&identifier.as_str()) || KEYWORDS.contains(&identifier.as_str()) {
        let why = "Rust or Cargo has another meaning for it".to_owned();
        return Err(Error::BadName { what: "plugin", name: name.to_owned(), why, max: NAME_CHARS_MAX });
    }
    Ok(())
}

/// What stands behind `volley-sdk =` in the manifest.
fn sdk_dependency(given: Option<&Path>) -> Result<String, Error> {
    let checkout = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../sdk/rust");
    let folder = match given {
        Some(folder) if !holds_sdk(folder) => return Err(Error::NoSdk { path: folder.into() }),
        Some(folder) => folder.to_path_buf(),
        None if holds_sdk(&checkout) => checkout,
        None => return Ok(toml_string("0.1")),
    };
    let folder = folder.canonicalize().map_err(Error::io("find", &folder))?;
    Ok(format!("{{ path = {} }}", toml_string(&folder.to_string_lossy())))
}

fn holds_sdk(folder: &Path) -> bool {
    let manifest = std::fs::read_to_string(folder.join("Cargo.toml")).unwrap_or_default();
    manifest.lines().any(|line| line.replace(' ', "") == "name=\"volley-sdk\"")
}

/// A basic string of TOML.
fn toml_string(text: &str) -> String {
    let escaped: String = text
        .chars()
        .map(|c| match c {
            '"' | '\\' => format!("\\{c}"),
            c if c.is_control() => format!("\\u{:04x}", c as u32),
            c => c.to_string(),
        })
        .collect();
    format!("\"{escaped}\"")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plugin::contract::KINDS;

    fn request(name: &str, dir: &Path, kind: Kind) -> NewPlugin {
        NewPlugin { name: name.into(), kind, dir: Some(dir.join(name)), sdk: None }
    }

    #[test]
    fn every_kind_gives_a_manifest_that_cargo_reads_and_no_word_is_left_open() {
        let dir = tempfile::tempdir().unwrap();
        for kind in KINDS {
            let name = format!("my-{}", kind.name());
            let files = create(&request(&name, dir.path(), kind)).unwrap();
            for file in &files {
                let text = std::fs::read_to_string(file).unwrap();
                assert!(!text.contains("{{") || !text.contains("}}"), "{}: {text}", file.display());
            }
            let manifest = std::fs::read_to_string(dir.path().join(&name).join("Cargo.toml")).unwrap();
            let manifest: toml::Table = manifest.parse().unwrap();
            assert_eq!(manifest["package"]["name"].as_str(), Some(name.as_str()));
            assert_eq!(manifest["lib"]["crate-type"].as_array().unwrap().len(), 2);
            assert!(manifest["workspace"].as_table().unwrap().is_empty(), "it must build inside other workspaces");
            let sdk = manifest["dependencies"]["volley-sdk"]["path"].as_str().unwrap();
            assert!(holds_sdk(Path::new(sdk)), "{sdk}");
            let code = std::fs::read_to_string(dir.path().join(&name).join("src/lib.rs")).unwrap();
            assert!(code.contains(&format!("volley_sdk::{}", kind.name().replace('-', "_"))), "{code}");
        }
    }

    #[test]
    fn names_that_rust_needs_itself_are_refused() {
        let dir = tempfile::tempdir().unwrap();
        for name in ["match", "test", "volley-sdk", "Loud"] {
            let error = create(&request(name, dir.path(), Kind::Map)).unwrap_err();
            assert!(matches!(error, Error::BadName { .. }), "{name}: {error}");
        }
    }

    #[test]
    fn a_folder_without_the_sdk_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let mut request = request("mine", dir.path(), Kind::Map);
        request.sdk = Some(dir.path().into());
        assert!(matches!(create(&request), Err(Error::NoSdk { .. })));
        assert!(!dir.path().join("mine").exists());
    }

    #[test]
    fn strange_paths_are_quoted() {
        assert_eq!(toml_string(r#"C:\a "b""#), r#""C:\\a \"b\"""#);
    }
}
