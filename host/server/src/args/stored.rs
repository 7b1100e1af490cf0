//! `checkpoints` and `savepoint` on the command line.

use std::path::PathBuf;
use std::str::FromStr;

use clap::{Args, Subcommand};
use volley_api::Epoch;
use volley_config::TimeSpan;

/// What may be asked of the checkpoints of a pipeline. They are read and never changed, so that the job may run meanwhile.
#[derive(Debug, Subcommand)]
pub(crate) enum Checkpoints {
    /// Lists them, the newest first.
    List(List),
    /// Shows what one of them holds: how far sources were read, what operators keep, output that waits for its commit.
    Inspect(Inspect),
    /// Reads every byte of them and compares it with what was written. Exit code 5 when something is missing or changed.
    Verify(Verify),
}

/// What `checkpoints list` takes.
#[derive(Debug, Args)]
pub(crate) struct List {
    /// The pipeline file (YAML), whose `checkpoint:` says where they are.
    pub(crate) pipeline: PathBuf,
    /// Prints the list as JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

/// What `checkpoints inspect` takes.
#[derive(Debug, Args)]
pub(crate) struct Inspect {
    /// The pipeline file (YAML), whose `checkpoint:` says where they are.
    pub(crate) pipeline: PathBuf,
    /// The number of a checkpoint, or `newest`.
    #[arg(value_name = "EPOCH", default_value = "newest")]
    pub(crate) which: One,
    /// Prints it as JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

/// What `checkpoints verify` takes.
#[derive(Debug, Args)]
pub(crate) struct Verify {
    /// The pipeline file (YAML), whose `checkpoint:` says where they are.
    pub(crate) pipeline: PathBuf,
    /// The number of a checkpoint, or `all`.
    #[arg(value_name = "EPOCH", default_value = "all")]
    pub(crate) which: Several,
    /// Prints the outcome as JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

/// One checkpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum One {
    /// The newest whose manifest can be read.
    Newest,
    /// The one with this number.
    Epoch(Epoch),
}

impl FromStr for One {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "newest" => Ok(Self::Newest),
            _ => epoch(text).map(Self::Epoch).ok_or_else(|| "write the number of a checkpoint, or `newest`".to_owned()),
        }
    }
}

/// One checkpoint, or each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Several {
    /// All that are complete, or were.
    All,
    /// The one with this number.
    Epoch(Epoch),
}

impl FromStr for Several {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "all" => Ok(Self::All),
            _ => epoch(text).map(Self::Epoch).ok_or_else(|| "write the number of a checkpoint, or `all`".to_owned()),
        }
    }
}

fn epoch(text: &str) -> Option<Epoch> {
    text.parse().ok().map(Epoch)
}

/// What `savepoint` takes.
#[derive(Debug, Args)]
#[command(
    args_conflicts_with_subcommands = true,
    subcommand_negates_reqs = true,
    after_help = "\
A savepoint is one checkpoint with every file that it needs, in a place of its own: it can be moved, and nothing removes it.
`volley-host run PIPELINE --from TARGET` goes on from it. The job runs on meanwhile.

Examples:
  volley-host savepoint job before-upgrade
  volley-host savepoint verify before-upgrade
  volley-host run pipeline.yaml --from before-upgrade"
)]
pub(crate) struct Savepoint {
    /// Looks at one that was taken.
    #[command(subcommand)]
    pub(crate) look: Option<LookAtSavepoint>,
    /// The folder that the job was started with (`run --folder DIR`).
    #[arg(value_name = "DIR", required = true)]
    pub(crate) folder: Option<PathBuf>,
    /// Where to write it: a folder that is empty or not there yet, or the URL of one in an object store.
    #[arg(value_name = "TARGET", required = true)]
    pub(crate) target: Option<String>,
    /// How long to wait: the job takes a checkpoint, and copies it. It goes on doing so when nobody waits any more.
    #[arg(long, value_name = "TIME", default_value = "1h")]
    pub(crate) timeout: TimeSpan,
    /// Prints the outcome as JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

/// What may be asked of a savepoint.
#[derive(Debug, Subcommand)]
pub(crate) enum LookAtSavepoint {
    /// Shows what a savepoint holds.
    Inspect(AtLocation),
    /// Reads every byte of a savepoint. Exit code 5 when something is missing or changed.
    Verify(AtLocation),
}

/// A savepoint.
#[derive(Debug, Args)]
pub(crate) struct AtLocation {
    /// Where it is: a folder, or a URL.
    pub(crate) location: String,
    /// Prints it as JSON.
    #[arg(long)]
    pub(crate) json: bool,
}
