//! `volley plugin build`: from a Cargo project to components that hosts load.

use std::path::{Path, PathBuf};

use super::cargo::{CargoOptions, Package, Project};
use super::contract::Kind;
use super::sections::ship;
use super::{check_replaceable, componentize, debug_build, digest, read, write};
use crate::Error;
use crate::toolchain::{GuestFacts, pick};

/// What to build and where it goes.
#[derive(Debug, Clone, Default)]
pub struct BuildRequest {
    /// The folder of a plugin, or of a workspace of plugins.
    pub dir: PathBuf,
    /// A file for one plugin, a folder for several (or for one, when it exists as a folder or ends in `/`); by default
    /// `<target>/volley/<name>.wasm`.
    pub out: Option<PathBuf>,
    /// Leave debug information in what is written; by default it is taken out and kept in the target folder and, with
    /// `out`, in a folder `debug` beside the components too.
    pub debug_info: bool,
    /// Never ask the network.
    pub offline: bool,
    /// Refuse to change the lock file.
    pub locked: bool,
    /// Another target folder than cargo's own choice; by default that of `CARGO_TARGET_DIR`, if it is set.
    pub target_dir: Option<PathBuf>,
}

/// One plugin that was built.
#[derive(Debug, Clone)]
pub struct BuiltPlugin {
    /// The package's name.
    pub name: String,
    /// What it does with rows.
    pub kind: Kind,
    /// The component.
    pub path: PathBuf,
    /// The same with source lines, for `volley plugin where`.
    pub debug_build: PathBuf,
    /// Size of the component.
    pub bytes: u64,
    /// Its identity, `sha256:…`.
    pub digest: String,
}

/// Builds one plugin, or all plugins of a workspace with one call of cargo, whose progress goes to stderr.
///
/// Files appear under their final names only when they are whole. Nothing is written when one of the plugins does not
/// compile or does not keep the contract.
///
/// # Errors
/// See [`Error`]: a project that is none, no guest toolchain, cargo's failure, a contract that is not kept.
pub fn build(request: &BuildRequest) -> Result<Vec<BuiltPlugin>, Error> {
    let options = CargoOptions { offline: request.offline, locked: request.locked, target_dir: target_dir(request)? };
    let project = Project::read(&request.dir, &options)?;
    let destination = Destination::choose(request, &project)?;
    let toolchain = pick(&GuestFacts::gather(&request.dir))?;
    let modules = project.compile(&toolchain, &options)?;
    let parts: Vec<Finished> =
        modules.iter().map(|(package, module)| Finished::from_module(package, module)).collect::<Result<_, _>>()?;
    parts.into_iter().map(|part| part.write(&destination, &project.target_dir, request.debug_info)).collect()
}

/// The target folder that the caller names, by option or environment. It counts from the caller's folder, and cargo
/// runs in the plugin's: a relative path must not be left to it.
fn target_dir(request: &BuildRequest) -> Result<Option<PathBuf>, Error> {
    let environment = || std::env::var_os("CARGO_TARGET_DIR").filter(|dir| !dir.is_empty()).map(PathBuf::from);
    let named = request.target_dir.clone().or_else(environment);
    named.map(|dir| std::path::absolute(&dir).map_err(Error::io("find", dir))).transpose()
}

/// Where components go.
enum Destination {
    File(PathBuf),
    Folder(PathBuf),
}

impl Destination {
    fn choose(request: &BuildRequest, project: &Project) -> Result<Self, Error> {
        let Some(out) = &request.out else {
            return Ok(Self::Folder(project.target_dir.join("volley")));
        };
        let names_folder = out.is_dir() || out.to_string_lossy().ends_with(['/', std::path::MAIN_SEPARATOR]);
        match (project.plugins.len(), project.single) {
            (1, true) if !names_folder => {
                check_replaceable(out)?;
                Ok(Self::File(out.clone()))
            }
            // A workspace of one stays a workspace: whether its plugin lands in a file must not hang on its siblings.
            (plugins, _) if out.exists() && !out.is_dir() => {
                Err(Error::OutIsFile { dir: request.dir.clone(), out: out.clone(), plugins })
            }
            _ => Ok(Self::Folder(out.clone())),
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        match self {
            Self::File(path) => path.clone(),
            Self::Folder(dir) => dir.join(format!("{name}.wasm")),
        }
    }
}

/// A component, checked, not yet written.
struct Finished {
    name: String,
    kind: Kind,
    full: Vec<u8>,
    stripped: Vec<u8>,
}

impl Finished {
    fn from_module(package: &Package, module: &Path) -> Result<Self, Error> {
        let name = package.name.clone();
        let full = componentize::encode(&name, &read(module)?)?;
        let operator = componentize::check(&name, &full)?;
        let stripped =
            ship(&full, &name.replace('-', "_")).map_err(|why| Error::Encode { plugin: name.clone(), why })?;
        Ok(Self { name, kind: operator.kind, full, stripped })
    }

    fn write(self, destination: &Destination, target_dir: &Path, debug_info: bool) -> Result<BuiltPlugin, Error> {
        let component = if debug_info { &self.full } else { &self.stripped };
        let (path, digest) = (destination.path(&self.name), digest(component));
        let debug_build = match debug_info {
            true => path.clone(),
            false => {
                let kept = debug_build::keep(&target_dir.join("volley"), &self.name, &digest, &self.full)?;
                // The component will trap long after anyone remembers which target folder it was built in.
                debug_build::keep_beside(&path, &self.name, &kept)?;
                kept
            }
        };
        write(&path, component)?;
        Ok(BuiltPlugin { bytes: component.len() as u64, name: self.name, kind: self.kind, path, debug_build, digest })
    }
}
