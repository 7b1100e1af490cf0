//! Reads the repository: the only module here that touches files.

use std::fs;
use std::path::{Path, PathBuf};

use crate::manifest::Manifest;

/// Names of what is not ours, wherever it is: git's own (a folder, and in a linked worktree a file that names one), and
/// folders that compilers make.
const SKIPPED: [&str; 3] = [".git", "target", "__pycache__"];

/// Folders that commands of ours make, from the root.
const MADE_BY_COMMANDS: [&str; 2] = ["build", "demo/out"];

/// Folders whose source files are inputs of tests, such as programs that must not compile.
const INPUTS: [&str; 3] = ["ui", "fixtures", "testdata"];

/// Endings of the files that are text of ours.
const TEXT: [&str; 11] = ["rs", "toml", "md", "yaml", "yml", "wit", "wat", "sh", "py", "json", "txt"];

/// A bound on the walk, so that a checkout with a foreign folder in it fails instead of running for long.
const FILES_MAX: usize = 20_000;

/// A checkout of the project.
#[derive(Debug, Clone)]
pub struct Repository {
    root: PathBuf,
}

impl Repository {
    /// The checkout that these tests were compiled in.
    ///
    /// # Panics
    /// When the tests' folder is not two below the root.
    pub fn here() -> Self {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).expect("tests/architecture has a root");
        Self { root: root.to_path_buf() }
    }

    /// Whether a path, relative to the root, exists.
    pub fn exists(&self, path: &str) -> bool {
        self.root.join(path).exists()
    }

    /// The text of a file of the repository.
    ///
    /// # Panics
    /// When it cannot be read.
    pub fn read(&self, path: &str) -> String {
        fs::read_to_string(self.root.join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
    }

    /// The manifests of the workspace's members.
    ///
    /// # Panics
    /// When the root manifest lists none.
    pub fn members(&self) -> Vec<Manifest> {
        let root = Manifest::parse("Cargo.toml", &self.read("Cargo.toml"));
        let members = root.table.get("workspace").and_then(|workspace| workspace.get("members"));
        let members = members.and_then(toml::Value::as_array).expect("the root manifest lists members");
        let path = |member: &toml::Value| format!("{}/Cargo.toml", member.as_str().expect("members are paths"));
        members.iter().map(path).map(|path| Manifest::parse(&path, &self.read(&path))).collect()
    }

    /// The manifests of the example operators.
    pub fn plugins(&self) -> Vec<Manifest> {
        self.manifests_below("plugins/")
    }

    /// The manifests of the benches that set the plugin boundary, and the engine, beside their peers; guests included.
    pub fn peers(&self) -> Vec<Manifest> {
        let mut manifests = self.manifests_below("benches/peers/");
        manifests.extend(self.manifests_below("benches/engine-peers/"));
        manifests
    }

    fn manifests_below(&self, folder: &str) -> Vec<Manifest> {
        let files = self.files().into_iter().filter(|path| path.starts_with(folder) && path.ends_with("/Cargo.toml"));
        files.map(|path| Manifest::parse(&path, &self.read(&path))).collect()
    }

    /// The lock files of all workspaces.
    pub fn locks(&self) -> Vec<String> {
        self.files().into_iter().filter(|path| path == "Cargo.lock" || path.ends_with("/Cargo.lock")).collect()
    }

    /// Source files in Rust, but not those that are inputs of tests.
    pub fn sources(&self) -> Vec<String> {
        let is_input = |path: &str| path.split('/').any(|part| INPUTS.contains(&part));
        self.files().into_iter().filter(|path| path.ends_with(".rs") && !is_input(path)).collect()
    }

    /// Files of text: those with a known ending, and those without any (scripts, the Makefile).
    pub fn texts(&self) -> Vec<String> {
        let is_text = |path: &str| {
            let name = path.rsplit('/').next().unwrap_or(path);
            name.rsplit_once('.').is_none_or(|(stem, ending)| stem.is_empty() || TEXT.contains(&ending))
        };
        self.files().into_iter().filter(|path| is_text(path)).collect()
    }

    /// The files with an ending in a folder, sorted.
    pub fn files_in(&self, folder: &str, ending: &str) -> Vec<String> {
        let is_there = |path: &String| {
            let name = path.strip_prefix(folder).and_then(|rest| rest.strip_prefix('/'));
            name.is_some_and(|name| name.ends_with(&format!(".{ending}")))
        };
        self.files().into_iter().filter(is_there).collect()
    }

    /// Every file, relative to the root, with `/`, sorted.
    fn files(&self) -> Vec<String> {
        let mut found = Vec::new();
        let mut folders = vec![self.root.clone()];
        while let Some(folder) = folders.pop() {
            let entries = fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
            for entry in entries {
                let entry = entry.expect("a folder that can be opened can be listed");
                let kind = entry.file_type().expect("the kind of a listed entry is known");
                let path = self.relative(&entry.path());
                let name = path.rsplit('/').next().unwrap_or(&path);
                if SKIPPED.contains(&name) {
                    continue;
                }
                if kind.is_dir() && !MADE_BY_COMMANDS.contains(&path.as_str()) {
                    folders.push(entry.path());
                } else if kind.is_file() {
                    found.push(path);
                }
            }
            assert!(found.len() <= FILES_MAX, "more than {FILES_MAX} files: is something foreign in the checkout?");
        }
        found.sort();
        found
    }

    fn relative(&self, path: &Path) -> String {
        let relative = path.strip_prefix(&self.root).expect("the walk stays below the root");
        relative.to_string_lossy().replace('\\', "/")
    }
}
