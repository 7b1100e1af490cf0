//! The command line: every command with its help, examples and exit status.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use volley_cli::plugin::contract::Kind;
use volley_cli::plugin::replay::ReplayRequest;

const EXIT: &str = "Exit status: 0 done, 1 a check or a build failed or its output could not be written, 2 the command line or \
    the project is wrong, 141 the reader of standard output went away.";

/// Sets up, builds and examines what a Volley host runs: pipelines and WebAssembly operators (plugins).
#[derive(Debug, Parser)]
#[command(name = "volley", version, max_term_width = 100, after_help = EXIT, arg_required_else_help = true)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Check that this machine has the tools, and say how to install what is missing.
    #[command(after_help = concat!("Examples:\n  volley doctor\n  volley doctor --json | jq '.checks[] | select(.ok | not)'\n\n",
        "Exit status: 0 all that is needed is there, 1 something is missing."))]
    Doctor {
        /// Print JSON: {"ok": …, "checks": [{tool, ok, needed, found, version, needed_for, install}]}.
        #[arg(long)]
        json: bool,
    },

    /// Make a pipeline project that runs as it is.
    #[command(after_help = concat!("Examples:\n  volley new delays && cd delays && volley-host run pipeline.yaml\n",
        "  volley new delays --dir pipelines/delays\n\n",
        "Exit status: 0 made, 1 it could not be written, 2 a name that is none, or a folder in use."))]
    New {
        /// Its name: a lower-case letter, then letters, digits, `-` or `_`.
        name: String,
        /// The folder to make [default: one of that name, here].
        #[arg(long)]
        dir: Option<PathBuf>,
    },

    /// Make, build and examine plugins.
    #[command(subcommand, arg_required_else_help = true, after_help = EXIT)]
    Plugin(PluginCommand),
}

#[derive(Debug, Subcommand)]
pub(crate) enum PluginCommand {
    /// Make a plugin project in Rust: one function, its test, ready to build.
    #[command(after_help = concat!("Examples:\n  volley plugin new enrich-orders\n",
        "  volley plugin new only-large --kind filter --dir plugins/only-large\n\n",
        "Exit status: 0 made, 1 it could not be written, 2 a name that is none, or a folder in use."))]
    New(NewArgs),

    /// Compile a plugin, or a workspace of plugins, into components that hosts load.
    ///
    /// Uses the Rust target wasm32-unknown-unknown where it is installed, else Debian's rustc-web with lld. Debug
    /// information is taken out and kept in the target folder and, with --out, in a folder `debug` beside the component:
    /// `volley plugin where` looks in both. The newest four builds of each plugin are kept.
    #[command(after_help = concat!("Examples:\n  volley plugin build\n  volley plugin build my-plugin --out my-plugin.wasm\n",
        "  volley plugin build plugins/ --out components/    (all plugins of a workspace)\n\n",
        "Exit status: 0 built, 1 a compile error or a contract not kept, 2 no plugin there."))]
    Build(BuildArgs),

    /// Show what a component is: name, version, operator, contract, imports, columns, digest, size. It is read, never run.
    #[command(after_help = concat!("Examples:\n  volley plugin inspect my-plugin.wasm\n",
        "  volley plugin inspect my-plugin.wasm --json | jq -r .digest\n",
        "  volley plugin inspect --diff running.wasm new.wasm\n\n",
        "Exit status: 0 hosts of this release would load it, 1 they would not, or it is no component.\n",
        "With --diff: 0 the same, byte for byte; 1 they differ, and NEW can take the place of OLD as far as can be told;\n",
        "3 somebody has to look (more is wanted from the host, or others may depend on what is gone); 4 one of them cannot\n",
        "be read, or is no component."))]
    Inspect {
        /// The component.
        #[arg(required_unless_present = "diff")]
        file: Option<PathBuf>,
        /// Compare two components instead: what differs, and whether the new one can take the old one's place.
        #[arg(long, num_args = 2, value_names = ["OLD", "NEW"], conflicts_with = "file")]
        diff: Vec<PathBuf>,
        /// Print JSON: {name, version, file, digest, bytes, kind, world, contract, imports, exports, columns,
        /// states, memory_bytes, producers, debug_info, problems}; with --diff {old, new, verdict, changes: [{what, old,
        /// new, attention}]}.
        #[arg(long)]
        json: bool,
    },

    /// Turn code offsets of a trap into functions and source lines, from your own build.
    #[command(after_help = concat!("Examples:\n  volley plugin where target/volley/my-plugin.wasm 0x1a2b\n",
        "  volley plugin where deployed.wasm 0x1a2b 0x1c00 --debug-build with-lines.wasm --json\n\n",
        "Exit status: 0 found, 1 no build with source lines, or another plugin's offset, 2 an offset that is no number."))]
    Where(WhereArgs),

    /// Make a call again that has failed in a job, from what `volley-host run --repro DIR` has kept of it.
    ///
    /// It is made by `volley-host`: in a fresh instance that is first brought to where the one of the job was, with the same
    /// rows, state, answers of servers, time and chance. Nothing is asked of the outside.
    #[command(after_help = concat!("Examples:\n  volley plugin replay failed/late-0-0\n",
        "  volley plugin replay failed/late-0-0 --component mended.wasm --allow-other --json | jq .same\n\n",
        "Exit status: 0 the same happened again, to the last byte and code offset, 1 something else happened,\n",
        "2 the call could not be made: no host, no such component, or it is another one."))]
    Replay(ReplayArgs),
}

#[derive(Debug, Args)]
pub(crate) struct NewArgs {
    /// Its name: a lower-case letter, then letters, digits, `-` or `_`.
    pub(crate) name: String,
    /// What it does with rows.
    #[arg(long, value_enum, default_value = "map")]
    pub(crate) kind: KindArg,
    /// The folder to make [default: one of that name, here].
    #[arg(long)]
    pub(crate) dir: Option<PathBuf>,
    /// The folder `sdk/rust` of a Volley checkout [default: the one this tool was built from, else crates.io].
    #[arg(long, value_name = "PATH")]
    pub(crate) sdk: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct BuildArgs {
    /// The plugin's folder, or that of a workspace of plugins.
    #[arg(default_value = ".")]
    pub(crate) dir: PathBuf,
    /// A file, or a folder when there are several plugins [default: <target>/volley/NAME.wasm].
    #[arg(long, short)]
    pub(crate) out: Option<PathBuf>,
    /// Leave debug information in the component, which makes it many times as large.
    #[arg(long)]
    pub(crate) debug_info: bool,
    /// Do not ask the network: dependencies must be in cargo's cache.
    #[arg(long)]
    pub(crate) offline: bool,
    /// Fail when Cargo.lock is missing or would change.
    #[arg(long)]
    pub(crate) locked: bool,
    /// Where cargo builds [default: cargo's own choice].
    #[arg(long)]
    pub(crate) target_dir: Option<PathBuf>,
    /// Print JSON: {"seconds": …, "plugins": [{name, kind, path, debug_build, bytes, digest}]}.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct WhereArgs {
    /// The component that trapped.
    pub(crate) file: PathBuf,
    /// Code offsets as the host prints them, for example 0x1a2b.
    #[arg(required = true)]
    pub(crate) offsets: Vec<String>,
    /// A build of the same code with source lines [default: FILE itself, or what `volley plugin build` kept].
    #[arg(long, value_name = "FILE")]
    pub(crate) debug_build: Option<PathBuf>,
    /// Print JSON: [{offset, frames: [{function, file, line, column}]}], innermost function first.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct ReplayArgs {
    /// The folder of one kept call, as the job's error names it.
    pub(crate) bundle: PathBuf,
    /// The component [default: the file that the job ran].
    #[arg(long, value_name = "FILE")]
    pub(crate) component: Option<PathBuf>,
    /// Take a component of another digest, to see whether that one gets over the call.
    #[arg(long)]
    pub(crate) allow_other: bool,
    /// The host [default: `volley-host` beside this tool, else in PATH].
    #[arg(long, value_name = "FILE")]
    pub(crate) host: Option<PathBuf>,
    /// Print JSON: {same, operator, instance, instances, function, calls_before, digest, digest_now, before, now, error,
    /// error_now}.
    #[arg(long)]
    pub(crate) json: bool,
}

impl From<ReplayArgs> for ReplayRequest {
    fn from(args: ReplayArgs) -> Self {
        let ReplayArgs { bundle, component, allow_other, host, json } = args;
        Self { bundle, component, allow_other, json, host }
    }
}

/// The kinds, as words on the command line.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum KindArg {
    /// One row out for each row in.
    Map,
    /// Keep or drop rows.
    Filter,
    /// Any number of rows for each row.
    FlatMap,
    /// The same for the rows of keys, with state and timers.
    Process,
    /// One row for the rows of each key and window.
    Aggregate,
    /// A function for expressions.
    Scalar,
    /// A format of bytes.
    Codec,
}

impl From<KindArg> for Kind {
    fn from(kind: KindArg) -> Self {
        match kind {
            KindArg::Map => Self::Map,
            KindArg::Filter => Self::Filter,
            KindArg::FlatMap => Self::FlatMap,
            KindArg::Process => Self::Process,
            KindArg::Aggregate => Self::Aggregate,
            KindArg::Scalar => Self::Scalar,
            KindArg::Codec => Self::Codec,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent_and_every_command_states_its_exit_status() {
        let mut root = Cli::command();
        root.build();
        root.clone().debug_assert();
        let mut commands = vec![root];
        while let Some(command) = commands.pop() {
            if command.get_name() == "help" {
                continue;
            }
            let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
            assert!(help.contains("Exit status"), "{}", command.get_name());
            commands.extend(command.get_subcommands().cloned());
        }
    }
}
