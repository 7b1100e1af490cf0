//! Everything that can go wrong in the tool, each with what to do next.

use std::io;
use std::path::PathBuf;
use std::process::ExitCode;

use crate::plugin::contract::KINDS;

/// Why a command of the `volley` tool failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A name for a new project that cannot be one.
    #[error(
        "`{name}` cannot be the name of a {what}: {why}. Names look like `enrich-orders`: a lower-case letter, then letters, digits, `-` or `_`, at most {max} in all"
    )]
    BadName {
        /// What was to be created.
        what: &'static str,
        /// The name given.
        name: String,
        /// The rule it breaks.
        why: String,
        /// The greatest length.
        max: usize,
    },

    /// The folder for a new project holds something already.
    #[error("{} exists and is not empty: choose another name, or another folder with --dir", path.display())]
    NotEmpty {
        /// The folder.
        path: PathBuf,
    },

    /// The folder given as the SDK is none.
    #[error("{} holds no volley-sdk (no Cargo.toml with that package name): --sdk takes the folder `sdk/rust` of a Volley checkout", path.display())]
    NoSdk {
        /// The folder.
        path: PathBuf,
    },

    /// The folder to build holds no Cargo project.
    #[error("{} has no Cargo.toml: run this in a plugin's folder or name one; `volley plugin new NAME` makes one", path.display())]
    NoManifest {
        /// The folder.
        path: PathBuf,
    },

    /// The project has no library that could become a plugin.
    #[error("no package in {} is a plugin: a plugin's Cargo.toml says\n\n    [lib]\n    crate-type = [\"cdylib\", \"rlib\"]\n", path.display())]
    NoPlugin {
        /// The folder.
        path: PathBuf,
    },

    /// Several plugins cannot go into one file.
    #[error("{} holds {plugins} plugins, and --out {} is a file: name a folder", dir.display(), out.display())]
    OutIsFile {
        /// The folder that was built.
        dir: PathBuf,
        /// What `--out` said.
        out: PathBuf,
        /// How many plugins there are.
        plugins: usize,
    },

    /// No way to compile for WebAssembly on this machine.
    #[error("this machine cannot compile for wasm32-unknown-unknown ({found}). One of these installs what is missing:\n\n{}\n\nThen `volley doctor` should be content", commands.iter().map(|c| format!("    {c}")).collect::<Vec<_>>().join("\n"))]
    NoGuestToolchain {
        /// What there is, in words.
        found: String,
        /// Commands, one of which is enough.
        commands: Vec<String>,
    },

    /// A program could not be started.
    #[error("cannot run `{program}`: {source}; `volley doctor` lists what is needed and how to install it")]
    Run {
        /// The program.
        program: String,
        /// Why.
        source: io::Error,
    },

    /// There is no host to make a call again.
    #[error("cannot run {}: {source}; a call is made again by a host: put `volley-host` beside this tool or into PATH, or name it with --host", program.display())]
    NoHost {
        /// The program.
        program: PathBuf,
        /// Why.
        source: io::Error,
    },

    /// Cargo ended with an error, which it has explained on stderr.
    #[error("`cargo {step}` failed in {} ({status}); its messages stand above", dir.display())]
    Cargo {
        /// The sub-command.
        step: &'static str,
        /// Where it ran.
        dir: PathBuf,
        /// How it ended.
        status: String,
    },

    /// Cargo's answer was not what the tool understands.
    #[error(
        "cannot read what `cargo {step}` answered: {why}; is `cargo --version` at least {}?",
        crate::toolchain::RUST_MIN
    )]
    CargoAnswer {
        /// The sub-command.
        step: &'static str,
        /// What was wrong.
        why: String,
    },

    /// The compiled module cannot become a component.
    #[error("`{plugin}` compiled, but cannot become a component: {why}")]
    Encode {
        /// The plugin.
        plugin: String,
        /// The encoder's reason, with advice.
        why: String,
    },

    /// The component does not keep the contract.
    #[error("`{plugin}` is no operator that a host would load: {why}")]
    Contract {
        /// The plugin.
        plugin: String,
        /// What is wrong and what would be right.
        why: String,
    },

    /// The file is something else than a component.
    #[error("{} is not a component: {why}", path.display())]
    NotAComponent {
        /// The file.
        path: PathBuf,
        /// What it is, and what to do.
        why: String,
    },

    /// The file is larger than any plugin.
    #[error("{} has {bytes} bytes; the tool reads plugins of at most {max}", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// Its size.
        bytes: u64,
        /// The limit.
        max: u64,
    },

    /// An offset on the command line that is no number.
    #[error("`{text}` is no code offset: write it as the host prints it, for example 0x1a2b")]
    BadOffset {
        /// What was given.
        text: String,
    },

    /// An offset that lies in no function.
    #[error("offset {offset:#x} lies outside the code of {} ({ranges}): is this the plugin that trapped? The host's message names its digest, and `volley plugin inspect` shows that of the file", path.display())]
    OffsetOutside {
        /// The file.
        path: PathBuf,
        /// The offset.
        offset: u64,
        /// Where code is.
        ranges: String,
    },

    /// No build with debug information belongs to the file.
    #[error("{} carries no source lines, and no build of its code that does lies in\n\n{}\n\nPass one with --debug-build, or build the same source again with `volley plugin build`", path.display(), searched.iter().map(|dir| format!("    {}", dir.display())).collect::<Vec<_>>().join("\n"))]
    NoDebugBuild {
        /// The file.
        path: PathBuf,
        /// The folders that were searched, whether or not they exist.
        searched: Vec<PathBuf>,
    },

    /// The build given with `--debug-build` is of other code.
    #[error("{} was built from other code than {}: its source lines would be wrong. Build the same source again with `volley plugin build`", debug.display(), path.display())]
    OtherCode {
        /// The file.
        path: PathBuf,
        /// The build with debug information.
        debug: PathBuf,
    },

    /// The debug information cannot be read.
    #[error("the debug information in {} cannot be read: {why}", path.display())]
    Dwarf {
        /// The file.
        path: PathBuf,
        /// Why.
        why: String,
    },

    /// A device or a socket cannot become a plugin: renaming would take its place.
    #[error("{} exists and is no ordinary file: --out takes a file or a folder", path.display())]
    OutIsSpecial {
        /// What `--out` said.
        path: PathBuf,
    },

    /// Standard output takes no more.
    #[error("cannot write standard output: {0}")]
    Output(io::Error),

    /// Reading or writing failed.
    #[error("cannot {what} {}: {source}", path.display())]
    Io {
        /// `read`, `write`, `create` …
        what: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

impl Error {
    /// Whether the command line or the project is at fault (exit status 2) rather than a check or build (1).
    pub fn is_usage(&self) -> bool {
        matches!(
            self,
            Self::BadName { .. }
                | Self::NotEmpty { .. }
                | Self::NoSdk { .. }
                | Self::NoManifest { .. }
                | Self::NoPlugin { .. }
                | Self::OutIsFile { .. }
                | Self::OutIsSpecial { .. }
                | Self::BadOffset { .. }
                | Self::NoHost { .. }
        )
    }

    /// Whether the reader of standard output has gone away.
    pub fn is_broken_pipe(&self) -> bool {
        matches!(self, Self::Output(source) if source.kind() == io::ErrorKind::BrokenPipe)
    }

    /// The exit status that stands for this error: 1, 2, or 141 as a shell has it for a broken pipe.
    pub fn exit_code(&self) -> ExitCode {
        ExitCode::from(match self {
            broken if broken.is_broken_pipe() => 141,
            usage if usage.is_usage() => 2,
            _ => 1,
        })
    }

    /// Wraps an I/O error: `what` is a verb, `path` what it was done to.
    pub(crate) fn io(what: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io { what, path, source }
    }

    /// The operator kinds, for messages: `map, filter, flat-map, process, aggregate, scalar or codec`.
    pub(crate) fn kinds() -> String {
        let names: Vec<_> = KINDS.iter().map(|kind| kind.name()).collect();
        let (last, rest) = names.split_last().expect("there are kinds");
        format!("{} or {last}", rest.join(", "))
    }
}
