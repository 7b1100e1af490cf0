//! The command line.

mod state;
mod stored;

use std::num::NonZeroU32;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

use volley_api::Epoch;
use volley_checkpoint::coordinator::GoOn;
use volley_checkpoint::store::Location;
use volley_config::{BATCH_ROWS_MAX, ByteCount, TimeSpan};
use volley_telemetry::MetricsAddress;

use crate::checkpoints::From;
use crate::exit;

pub(crate) use state::State;
pub(crate) use stored::{AtLocation, Checkpoints, LookAtSavepoint, One, Savepoint, Several};

/// Runs stream-processing pipelines whose operators are WebAssembly components.
#[derive(Debug, Parser)]
#[command(
    name = "volley-host",
    version,
    args_conflicts_with_subcommands = true,
    arg_required_else_help = true,
    after_help = exit::HELP,
    after_long_help = examples_and_exit_codes()
)]
pub(crate) struct Cli {
    /// What to do with a pipeline file.
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
    /// Without a pipeline file: one plugin between an input and an output.
    #[command(flatten)]
    pub(crate) single: Single,
}

fn examples_and_exit_codes() -> String {
    format!(
        "Examples:\n  \
         volley-host run pipeline.yaml\n  \
         volley-host run pipeline.yaml --folder job       # and in another terminal:\n  \
         volley-host status job\n  \
         volley-host savepoint job before-upgrade\n  \
         volley-host stop job\n  \
         volley-host checkpoints list pipeline.yaml\n  \
         volley-host state pipeline.yaml hourly\n  \
         volley-host plan pipeline.yaml\n  \
         volley-host --plugin threshold.wasm --set column=dep_delay --set min=15 \\\n              \
         --input flights.csv --output late.parquet --errors refused.jsonl\n  \
         volley-host --plugin mine.wasm --input-format csv < flights.csv | head\n\n{}",
        exit::HELP
    )
}

/// The command by which the host starts itself as the compiler of one plugin.
pub(crate) const COMPILE: &str = "compile-plugin";

/// The commands that take a pipeline file.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Runs a pipeline to the end of its sources, or until Ctrl-C, and commits what it wrote.
    Run(Run),
    /// Checks a pipeline completely, plugins included, without moving a row.
    Validate(Validate),
    /// Draws the graph of a pipeline: nodes, chains, exchanges and the columns of every output.
    Plan(Plan),
    /// Shows how far a running job is, by the folder that it was started with.
    Status(Status),
    /// Asks a running job to end, by the folder that it was started with.
    Stop(Stop),
    /// Lists, shows or reads through the checkpoints of a pipeline. They are not changed.
    #[command(
        subcommand,
        after_help = "\
Examples:
  volley-host checkpoints list pipeline.yaml
  volley-host checkpoints inspect pipeline.yaml newest
  volley-host checkpoints verify pipeline.yaml && echo whole"
    )]
    Checkpoints(Checkpoints),
    /// Asks a running job for a savepoint, by the folder that it was started with; or looks at one.
    Savepoint(Savepoint),
    /// Lists what an operator keeps by key in a checkpoint or savepoint, or shows and filters its rows. Nothing is changed.
    State(State),
    /// Makes a call of a plugin again that has failed, from what `run --repro DIR` has kept of it. Nothing is asked of the outside.
    Replay(Replay),
    /// Prints the JSON Schema of the pipeline file, for editors.
    Schema,
    /// Compiles one plugin from standard input to standard output. The host starts itself with it; it is not for people.
    #[command(name = COMPILE, hide = true)]
    Compile {
        /// What the host passes to itself.
        #[arg(allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
}

/// What `run` takes.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  volley-host run pipeline.yaml                      # with `checkpoint:`, goes on where the job was
  volley-host run pipeline.yaml --parallelism 4      # the same, dealt out to four instances
  volley-host run pipeline.yaml --from 12            # goes back to checkpoint 12: what was put out since appears again
  volley-host run pipeline.yaml --from ../savepoint  # goes on from a savepoint
  volley-host run pipeline.yaml --fresh              # begins anew")]
pub(crate) struct Run {
    /// The pipeline file (YAML).
    pub(crate) pipeline: PathBuf,
    /// Overrides the pipeline's parallelism.
    #[arg(long)]
    pub(crate) parallelism: Option<NonZeroU32>,
    /// Shows the first N rows of every sink at the end.
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(crate) preview: usize,
    /// Listens in this folder for `volley-host status`, `volley-host stop` and `volley-host savepoint`. It is made if need
    /// be, must be closed to others (mode 700), and has one job at a time. Default: the job listens nowhere.
    #[arg(long, value_name = "DIR")]
    pub(crate) folder: Option<PathBuf>,
    /// What it goes on from.
    #[command(flatten)]
    pub(crate) from: FromArgs,
    /// How to run it.
    #[command(flatten)]
    pub(crate) how: How,
}

/// What a run with checkpoints goes on from: the newest of the job, unless this says otherwise.
#[derive(Debug, Args, Clone)]
pub(crate) struct FromArgs {
    /// Goes on from this: the number of a checkpoint of the job, or the folder or URL of a savepoint. Later checkpoints of
    /// the job (with a savepoint, all) are removed once it runs; what they committed stays, and is put out again.
    #[arg(long, value_name = "CHECKPOINT", conflicts_with = "fresh")]
    pub(crate) from: Option<String>,
    /// Begins anew, and removes the checkpoints that the job has once it runs. What they committed stays.
    #[arg(long)]
    pub(crate) fresh: bool,
    /// Where the newest checkpoint is damaged, goes on from an older one, although rows may be put out again.
    #[arg(long)]
    pub(crate) accept_duplicates: bool,
}

impl FromArgs {
    /// In the terms of checkpoints.
    pub(crate) fn parse(&self) -> volley_api::Result<From> {
        let go_on = match &self.from {
            _ if self.fresh => GoOn::Fresh,
            None => GoOn::Newest,
            Some(text) => match text.parse() {
                Ok(epoch) => GoOn::Epoch(Epoch(epoch)),
                Err(_) => GoOn::Savepoint(Location::parse(text)?),
            },
        };
        Ok(From { go_on, accept_duplicates: self.accept_duplicates })
    }
}

/// What `status` takes.
#[derive(Debug, Args)]
pub(crate) struct Status {
    /// The folder that the job was started with (`run --folder DIR`).
    #[arg(value_name = "DIR")]
    pub(crate) folder: PathBuf,
    /// Prints the status as JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

/// What `stop` takes.
#[derive(Debug, Args)]
#[command(after_help = "\
Without --drain a job that takes checkpoints takes a last one, from which its next run goes on; asked a second time it is
broken off. A job that takes none is broken off at once: what it has written and not committed is thrown away.
With --drain the job is finished: a later run has nothing to go on with.
It asks and does not wait: the job ends when it has done so, with the exit code that it would have after Ctrl-C.

Examples:
  volley-host stop job            # with checkpoints: to go on another time
  volley-host stop job --drain    # for good")]
pub(crate) struct Stop {
    /// The folder that the job was started with (`run --folder DIR`).
    #[arg(value_name = "DIR")]
    pub(crate) folder: PathBuf,
    /// Finishes it: sources are read no further, what was read is processed, windows are put out, sinks commit. So does the
    /// first Ctrl-C where a job takes no checkpoints.
    #[arg(long)]
    pub(crate) drain: bool,
    /// Prints the outcome as JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

/// What `replay` takes.
#[derive(Debug, Args)]
#[command(after_help = "\
The instance is brought to where it was, and gets the same rows, the same state, the same answers of servers, time and chance.
The exit code is 0 where the same happens again, to the last byte and code offset, and 6 where something else does.

Examples:
  volley-host run pipeline.yaml --repro failed       # keeps what fails
  volley-host replay failed/late-0-0
  volley-host replay failed/late-0-0 --component mended.wasm --allow-other")]
pub(crate) struct Replay {
    /// The folder of one kept call, as the job's error names it.
    #[arg(value_name = "BUNDLE")]
    pub(crate) bundle: PathBuf,
    /// The component. Default: the file that the job ran.
    #[arg(long, value_name = "FILE")]
    pub(crate) component: Option<PathBuf>,
    /// Takes a component of another digest, to see whether that one gets over the call.
    #[arg(long)]
    pub(crate) allow_other: bool,
    /// Prints what happened as JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

/// What `validate` takes.
#[derive(Debug, Args)]
pub(crate) struct Validate {
    /// The pipeline file (YAML).
    pub(crate) pipeline: PathBuf,
    /// Prints the outcome as JSON.
    #[arg(long)]
    pub(crate) json: bool,
    /// What the host allows.
    #[command(flatten)]
    pub(crate) host: Host,
}

/// What `plan` takes.
#[derive(Debug, Args)]
pub(crate) struct Plan {
    /// The pipeline file (YAML).
    pub(crate) pipeline: PathBuf,
    /// Overrides the pipeline's parallelism.
    #[arg(long)]
    pub(crate) parallelism: Option<NonZeroU32>,
    /// Prints the plan as JSON.
    #[arg(long)]
    pub(crate) json: bool,
    /// What the host allows.
    #[command(flatten)]
    pub(crate) host: Host,
}

/// What the host allows, which no pipeline file can change.
#[derive(Debug, Args, Clone, Copy)]
pub(crate) struct Host {
    /// Honours `trust: trusted` of plugins: their code runs without a deadline. For code that you vouch for.
    #[arg(long)]
    pub(crate) allow_trusted: bool,
    /// Lets plugins reach the servers that they are granted in private networks and on this machine too.
    #[arg(long)]
    pub(crate) http_allow_private: bool,
}

/// How a job is run and reported.
#[derive(Debug, Args, Clone)]
pub(crate) struct How {
    /// Prints the summary, or the error, as JSON on standard output.
    #[arg(long)]
    pub(crate) json: bool,
    /// Shows neither progress nor summary.
    #[arg(long, short)]
    pub(crate) quiet: bool,
    /// The most rows of one batch; the output never depends on it.
    #[arg(long, value_name = "ROWS", value_parser = batch_rows)]
    pub(crate) batch_rows: Option<NonZeroU32>,
    /// What the host allows.
    #[command(flatten)]
    pub(crate) host: Host,
    /// Keeps each call of a plugin that fails, with all that it depends on, in a folder of its own within this one: at most 16
    /// in a job, of at most 64 MiB each. `volley plugin replay` makes such a call again. They have rows and state of the job
    /// in them as they are. Default: none is kept.
    #[arg(long, value_name = "DIR")]
    pub(crate) repro: Option<PathBuf>,
    /// Serves metrics for Prometheus at http://ADDR/metrics while the job runs, for example 127.0.0.1:9464. Loopback
    /// addresses only; port 0 picks a free one, and standard error says which.
    #[arg(long, value_name = "ADDR")]
    pub(crate) metrics: Option<MetricsAddress>,
}

fn batch_rows(text: &str) -> Result<NonZeroU32, String> {
    let rows = text.parse::<NonZeroU32>().ok().filter(|rows| rows.get() <= BATCH_ROWS_MAX);
    rows.ok_or_else(|| format!("use a number from 1 to {BATCH_ROWS_MAX}"))
}

/// What becomes of rows that the plugin refuses without --errors, of batches that it refuses as a whole, and of rows that make
/// it fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum OnError {
    /// The job stops.
    Fail,
    /// Batches refused as a whole, and rows that make the plugin fail, go to --errors too.
    DeadLetter,
    /// They are counted and dropped.
    Skip,
}

/// How far the plugin's code is trusted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Trust {
    /// Calls are stopped at their deadline.
    Untrusted,
    /// The code runs without a deadline; needs --allow-trusted.
    Trusted,
}

/// One plugin between an input and an output: a Unix filter.
#[derive(Debug, Args)]
pub(crate) struct Single {
    /// The component to run.
    #[arg(long, value_name = "FILE")]
    pub(crate) plugin: Option<PathBuf>,
    /// Where rows come from: a file, a glob, a folder, or `-` for standard input.
    #[arg(long, value_name = "FILE", default_value = "-", requires = "plugin")]
    pub(crate) input: String,
    /// Where rows go: a file, a folder (with a trailing `/`), or `-` for standard output.
    #[arg(long, value_name = "FILE", default_value = "-", requires = "plugin")]
    pub(crate) output: String,
    /// csv, jsonl, parquet, avro or arrow. Default: by the file's extension; jsonl on standard input.
    #[arg(long, value_name = "FORMAT", requires = "plugin")]
    pub(crate) input_format: Option<String>,
    /// csv, jsonl, parquet, avro or arrow. Default: by the file's extension; jsonl on standard output.
    #[arg(long, value_name = "FORMAT", requires = "plugin")]
    pub(crate) output_format: Option<String>,
    /// One setting of the plugin's configuration, as it would stand in a pipeline file: `min=15` is a number, `on=true` a
    /// truth value, `name=x` a text, `list=[1, 2]` a list, `a.b=1` reaches inside.
    #[arg(long = "set", value_name = "KEY=VALUE", requires = "plugin")]
    pub(crate) settings: Vec<String>,
    /// Takes refused rows and records that could not be read (JSON Lines unless the extension says otherwise).
    #[arg(long, value_name = "FILE", requires = "plugin")]
    pub(crate) errors: Option<String>,
    /// Takes a side output of the plugin, by the name of its port. May be given several times.
    #[arg(long = "side", value_name = "PORT=FILE", requires = "plugin")]
    pub(crate) sides: Vec<String>,
    /// What becomes of rows that the plugin refuses without --errors, and of batches that it refuses as a whole.
    #[arg(long, value_enum, default_value_t = OnError::Fail, requires = "plugin")]
    pub(crate) on_error: OnError,
    /// How far the plugin's code is trusted.
    #[arg(long, value_enum, default_value_t = Trust::Untrusted, requires = "plugin")]
    pub(crate) trust: Trust,
    /// A column that the plugin may see. May be given several times; without it, it sees all.
    #[arg(long = "grant-column", value_name = "NAME", requires = "plugin")]
    pub(crate) grant_columns: Vec<String>,
    /// A server that the plugin may send requests to, for example https://api.example.com:443. May be given several times.
    #[arg(long, value_name = "SERVER", requires = "plugin")]
    pub(crate) grant_http: Vec<String>,
    /// The most memory that each instance may use, for example 256MiB. Default: 64MiB.
    #[arg(long, value_name = "SIZE", requires = "plugin")]
    pub(crate) memory: Option<ByteCount>,
    /// The most processor time that one call may take, for example 200ms. Default: 1s.
    #[arg(long, value_name = "TIME", requires = "plugin")]
    pub(crate) deadline: Option<TimeSpan>,
    /// How many instances of the plugin run at once. More than one does not keep the order of rows.
    #[arg(long, default_value = "1", requires = "plugin")]
    pub(crate) parallelism: NonZeroU32,
    /// How to run it.
    #[command(flatten)]
    pub(crate) how: How,
}
