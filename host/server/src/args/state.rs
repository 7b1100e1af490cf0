//! `state` on the command line.

use std::path::PathBuf;
use std::str::FromStr;

use clap::Args;

use super::{Host, One};

/// What `state` takes.
#[derive(Debug, Args)]
#[command(after_help = "\
Without STATE it lists the states of the operator with their columns; where there is one, its rows are shown. The pipeline \
file says what the bytes are: it is checked as `validate` does. Nothing is changed, and the job may run.

Examples:
  volley-host state pipeline.yaml hourly
  volley-host state pipeline.yaml hourly windows --where \"carrier = 'UA' AND flights_count > 10\"
  volley-host state pipeline.yaml sessions session --checkpoint 12 --select user,rows --json
  volley-host state pipeline.yaml sessions host-event-timers --savepoint before-upgrade --count")]
pub(crate) struct State {
    /// The pipeline file (YAML) that wrote the state, or one whose operator has the same keys, window and aggregates.
    pub(crate) pipeline: PathBuf,
    /// The operator.
    pub(crate) operator: String,
    /// Which of its states.
    pub(crate) state: Option<String>,
    /// The number of a checkpoint, or `newest`.
    #[arg(long, value_name = "EPOCH", default_value = "newest", conflicts_with = "savepoint")]
    pub(crate) checkpoint: One,
    /// Looks at a savepoint instead: a folder, or a URL.
    #[arg(long, value_name = "LOCATION")]
    pub(crate) savepoint: Option<String>,
    /// Only rows for which this is true: a SQL expression over the columns.
    #[arg(long = "where", value_name = "EXPR")]
    pub(crate) filter: Option<String>,
    /// Only these columns, in this order.
    #[arg(long, value_name = "COLUMNS", value_delimiter = ',')]
    pub(crate) select: Vec<String>,
    /// How many rows are shown: a number, or `all`.
    #[arg(long, value_name = "ROWS", default_value = "100")]
    pub(crate) limit: Limit,
    /// Counts the rows, and shows none.
    #[arg(long, conflicts_with_all = ["select", "limit"])]
    pub(crate) count: bool,
    /// Prints JSON: a line for each row; one value for the list, and for --count.
    #[arg(long)]
    pub(crate) json: bool,
    /// What the host allows.
    #[command(flatten)]
    pub(crate) host: Host,
}

impl State {
    /// Whether it asks for rows, which are of one state.
    pub(crate) fn wants_rows(&self) -> bool {
        self.count || self.filter.is_some() || !self.select.is_empty()
    }
}

/// How many rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Limit(pub(crate) usize);

impl FromStr for Limit {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "all" => Ok(Self(usize::MAX)),
            _ => text.parse().map(Self).map_err(|_| "write a number of rows, or `all`".to_owned()),
        }
    }
}
