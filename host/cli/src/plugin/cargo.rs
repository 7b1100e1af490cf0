//! Runs cargo for guests: which packages are plugins, and where it put the modules it linked.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde::Deserialize;

use crate::Error;
use crate::toolchain::{GuestToolchain, cargo_program};

/// Variables of the caller that are meant for other targets or wrap the compiler (coverage, lints): with them a guest
/// would not link, or not be what its author tests.
const CLEARED: [&str; 8] = [
    "RUSTFLAGS",
    "CARGO_ENCODED_RUSTFLAGS",
    "CARGO_BUILD_RUSTFLAGS",
    "CARGO_BUILD_TARGET",
    "RUSTC_WRAPPER",
    "RUSTC_WORKSPACE_WRAPPER",
    "CARGO_BUILD_RUSTC_WRAPPER",
    "CARGO_BUILD_RUSTC_WORKSPACE_WRAPPER",
];

/// Flags for guests. That panics abort is the target's default already; saying so makes cargo leave out a
/// `[build] rustflags` that the user's configuration holds for the native target.
const GUEST_FLAGS: (&str, &str) = ("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_RUSTFLAGS", "-Cpanic=abort");

/// How cargo is to be called.
#[derive(Debug, Clone, Default)]
pub struct CargoOptions {
    /// Never ask the network.
    pub offline: bool,
    /// Refuse to change the lock file.
    pub locked: bool,
    /// Another target folder than cargo's own choice.
    pub target_dir: Option<PathBuf>,
}

/// A Cargo package that becomes a plugin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Package {
    /// Cargo's own identification.
    pub id: String,
    /// Its name, dashes kept.
    pub name: String,
}

/// A Cargo project: one package, or a workspace of them.
#[derive(Debug)]
pub struct Project {
    /// The folder that was asked about.
    pub dir: PathBuf,
    /// The packages whose library is a `cdylib`, by name.
    pub plugins: Vec<Package>,
    /// Whether `dir` is a package of its own rather than a workspace of several.
    pub single: bool,
    /// Where cargo puts what it builds.
    pub target_dir: PathBuf,
}

#[derive(Deserialize)]
struct Metadata {
    packages: Vec<MetaPackage>,
    workspace_members: Vec<String>,
    target_directory: PathBuf,
}

#[derive(Deserialize)]
struct MetaPackage {
    id: String,
    name: String,
    manifest_path: PathBuf,
    targets: Vec<MetaTarget>,
}

#[derive(Deserialize)]
struct MetaTarget {
    crate_types: Vec<String>,
}

#[derive(Deserialize)]
struct Message {
    reason: String,
    #[serde(default)]
    package_id: String,
    target: Option<MetaTarget>,
    #[serde(default)]
    filenames: Vec<PathBuf>,
}

impl MetaTarget {
    fn is_cdylib(&self) -> bool {
        self.crate_types.iter().any(|kind| kind == "cdylib")
    }
}

impl Project {
    /// Asks cargo what `dir` holds: its own package, or all members when it is a workspace without one.
    ///
    /// # Errors
    /// [`Error::NoManifest`], [`Error::NoPlugin`], [`Error::Cargo`] when the manifest is not right.
    pub fn read(dir: &Path, options: &CargoOptions) -> Result<Self, Error> {
        let manifest = dir.join("Cargo.toml");
        if !manifest.is_file() {
            return Err(Error::NoManifest { path: dir.into() });
        }
        let mut cargo = command(dir, "metadata", options);
        cargo.args(["--no-deps", "--format-version", "1"]);
        let output = cargo.stderr(Stdio::inherit()).output().map_err(run_error)?;
        if !output.status.success() {
            return Err(Error::Cargo { step: "metadata", dir: dir.into(), status: output.status.to_string() });
        }
        let metadata: Metadata = serde_json::from_slice(&output.stdout)
            .map_err(|error| Error::CargoAnswer { step: "metadata", why: error.to_string() })?;
        let manifest = manifest.canonicalize().map_err(Error::io("read", &manifest))?;
        Self::choose(dir, &manifest, metadata, options)
    }

    fn choose(dir: &Path, manifest: &Path, metadata: Metadata, options: &CargoOptions) -> Result<Self, Error> {
        let own = |package: &MetaPackage| {
            package.manifest_path.canonicalize().is_ok_and(|path| path == manifest) || package.manifest_path == manifest
        };
        let single = metadata.packages.iter().any(own);
        let mut plugins: Vec<Package> = metadata
            .packages
            .iter()
            .filter(|package| if single { own(package) } else { metadata.workspace_members.contains(&package.id) })
            .filter(|package| package.targets.iter().any(MetaTarget::is_cdylib))
            .map(|package| Package { id: package.id.clone(), name: package.name.clone() })
            .collect();
        if plugins.is_empty() {
            return Err(Error::NoPlugin { path: dir.into() });
        }
        plugins.sort_by(|a, b| a.name.cmp(&b.name));
        let target_dir = options.target_dir.clone().unwrap_or(metadata.target_directory);
        Ok(Self { dir: dir.into(), plugins, single, target_dir })
    }

    /// Compiles all plugins in one go, with line tables, and says where each module is. Cargo's progress and messages
    /// go to stderr.
    ///
    /// # Errors
    /// [`Error::Cargo`] when cargo fails, [`Error::CargoAnswer`] when it does not tell where a module went.
    pub fn compile(
        &self,
        toolchain: &GuestToolchain,
        options: &CargoOptions,
    ) -> Result<Vec<(Package, PathBuf)>, Error> {
        let mut cargo = command(&self.dir, "build", options);
        cargo.args(["--release", "--lib", "--message-format", "json-render-diagnostics"]);
        for package in &self.plugins {
            cargo.args(["--package", &package.id]);
        }
        toolchain.apply(&mut cargo);
        if std::env::var_os(GUEST_FLAGS.0).is_none() {
            cargo.env(GUEST_FLAGS.0, GUEST_FLAGS.1);
        }
        // The lines serve `volley plugin where`; what ships is stripped of them afterwards.
        cargo.env("CARGO_PROFILE_RELEASE_DEBUG", "line-tables-only").env("CARGO_PROFILE_RELEASE_STRIP", "none");
        let mut modules = self.run_build(cargo)?;
        let take = |package: &Package| {
            let path = modules.remove(&package.id).ok_or_else(|| Error::CargoAnswer {
                step: "build",
                why: format!("it names no .wasm file for `{}`", package.name),
            })?;
            Ok((package.clone(), path))
        };
        self.plugins.iter().map(take).collect()
    }

    /// Runs the build and collects the modules by package.
    fn run_build(&self, mut cargo: Command) -> Result<BTreeMap<String, PathBuf>, Error> {
        let mut child = cargo.stdout(Stdio::piped()).stderr(Stdio::inherit()).spawn().map_err(run_error)?;
        let stdout = child.stdout.take().expect("stdout was asked for as a pipe");
        let mut modules = BTreeMap::new();
        for line in BufReader::new(stdout).lines() {
            let line = line.map_err(Error::io("read the answer of cargo in", &self.dir))?;
            if let Some((package, path)) = linked_module(&line) {
                modules.insert(package, path);
            }
        }
        let status = child.wait().map_err(run_error)?;
        if !status.success() {
            return Err(Error::Cargo { step: "build", dir: self.dir.clone(), status: status.to_string() });
        }
        Ok(modules)
    }
}

/// The package and module that one line of cargo's JSON reports as linked, if it does.
fn linked_module(line: &str) -> Option<(String, PathBuf)> {
    let message: Message = serde_json::from_str(line).ok()?;
    if message.reason != "compiler-artifact" || !message.target?.is_cdylib() {
        return None;
    }
    let path = message.filenames.into_iter().find(|path| path.extension().is_some_and(|ext| ext == "wasm"))?;
    Some((message.package_id, path))
}

fn command(dir: &Path, step: &str, options: &CargoOptions) -> Command {
    let mut cargo = Command::new(cargo_program());
    cargo.arg(step).current_dir(dir).stdin(Stdio::null());
    for name in CLEARED {
        cargo.env_remove(name);
    }
    if options.offline {
        cargo.arg("--offline");
    }
    if options.locked {
        cargo.arg("--locked");
    }
    if let Some(target_dir) = &options.target_dir {
        cargo.env("CARGO_TARGET_DIR", target_dir);
    }
    cargo
}

fn run_error(source: std::io::Error) -> Error {
    Error::Run { program: cargo_program().to_string_lossy().into_owned(), source }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn metadata(manifests: &[(&str, &str, &str)]) -> Metadata {
        let package = |(name, manifest, kind): &(&str, &str, &str)| MetaPackage {
            id: format!("path+file:///w#{name}@0.1.0"),
            name: (*name).into(),
            manifest_path: manifest.into(),
            targets: vec![MetaTarget { crate_types: vec![(*kind).into(), "rlib".into()] }],
        };
        let packages: Vec<_> = manifests.iter().map(package).collect();
        let workspace_members = packages.iter().map(|package| package.id.clone()).collect();
        Metadata { packages, workspace_members, target_directory: "/w/target".into() }
    }

    fn choose(manifest: &str, metadata: Metadata) -> Result<Project, Error> {
        let options = CargoOptions::default();
        Project::choose(Path::new("/w"), Path::new(manifest), metadata, &options)
    }

    #[test]
    fn a_workspace_gives_all_its_plugins_and_nothing_else() {
        let project = choose(
            "/w/Cargo.toml",
            metadata(&[
                ("threshold", "/w/threshold/Cargo.toml", "cdylib"),
                ("explode", "/w/explode/Cargo.toml", "cdylib"),
                ("helpers", "/w/helpers/Cargo.toml", "lib"),
            ]),
        )
        .unwrap();
        let names: Vec<_> = project.plugins.iter().map(|package| package.name.as_str()).collect();
        assert_eq!((names, project.single), (vec!["explode", "threshold"], false));
    }

    #[test]
    fn a_member_gives_itself_alone() {
        let both = || metadata(&[("a", "/w/a/Cargo.toml", "cdylib"), ("b", "/w/b/Cargo.toml", "lib")]);
        let project = choose("/w/a/Cargo.toml", both()).unwrap();
        assert_eq!((project.plugins.len(), project.single), (1, true));
        assert!(matches!(choose("/w/b/Cargo.toml", both()), Err(Error::NoPlugin { .. })));
    }

    #[test]
    fn linked_modules_are_recognised_among_other_messages() {
        let line = r#"{"reason":"compiler-artifact","package_id":"p","target":{"crate_types":["cdylib","rlib"]},
            "filenames":["/t/a.rlib","/t/a.wasm"]}"#;
        assert_eq!(linked_module(line), Some(("p".into(), "/t/a.wasm".into())));
        for other in [
            r#"{"reason":"compiler-artifact","package_id":"p","target":{"crate_types":["rlib"]},"filenames":["/t/a.rlib"]}"#,
            r#"{"reason":"build-finished","success":true}"#,
            "not json",
        ] {
            assert_eq!(linked_module(other), None, "{other}");
        }
    }
}
