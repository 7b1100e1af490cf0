//! What can be wrong with a plan or go wrong in a job, apart from what its parts report.

use volley_api::{NodeName, PortName};

/// A plan that cannot run, or a job that broke off.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Two nodes bear one name.
    #[error("two nodes are called `{0}`: sources, operators and sinks share one set of names")]
    DuplicateNode(NodeName),
    /// An input names a node that does not exist.
    #[error("`{node}` reads from `{input}`, which does not exist")]
    UnknownInput {
        /// The reader.
        node: NodeName,
        /// The name that it gave.
        input: NodeName,
    },
    /// An input names a sink.
    #[error("`{input}` is a sink and has no output to read")]
    InputIsSink {
        /// The sink.
        input: NodeName,
    },
    /// An input names a port that its node has not.
    #[error("there is no `{input}.{port}`; the outputs of `{input}` are: {known}")]
    UnknownPort {
        /// The node that is read from.
        input: NodeName,
        /// The port that it has not.
        port: PortName,
        /// The ports that it has, separated by commas.
        known: String,
    },
    /// A node has no input, or a cycle leads to it.
    #[error("`{0}` cannot be reached from any source: its inputs form a cycle")]
    Cycle(NodeName),
    /// A node has an empty list of inputs.
    #[error("there is no input to read")]
    NoInput,
    /// Two sinks write to one place.
    #[error("`{other}` and `{node}` both write to {target}: give each its own")]
    SharedTarget {
        /// The sink.
        node: NodeName,
        /// The sink that stands before it.
        other: NodeName,
        /// What both write to.
        target: String,
    },
    /// The inputs of a union do not fit together.
    #[error("`{first}` and `{other}` cannot be united: {difference}")]
    UnionMismatch {
        /// The first input.
        first: String,
        /// The input that differs.
        other: String,
        /// In what.
        difference: String,
    },
    /// More instances than a job may have.
    #[error("`{node}`: parallelism {parallelism} is above the limit of {limit}")]
    Parallelism {
        /// The node.
        node: NodeName,
        /// What was asked for.
        parallelism: u32,
        /// [`crate::PARALLELISM_MAX`].
        limit: u32,
    },
    /// A column that the input has not.
    #[error("{role}: there is no column `{column}`{nearest}; the columns are {known}")]
    UnknownColumn {
        /// What the column was to be.
        role: &'static str,
        /// The name.
        column: String,
        /// ` (did you mean ...?)`, where a known name is near.
        nearest: String,
        /// The known names.
        known: String,
    },
    /// A column whose values are no times.
    #[error("event time `{column}` is {found}: it must be Int64 (milliseconds since 1970), a timestamp or a date")]
    EventTimeType {
        /// The column.
        column: String,
        /// Its type.
        found: String,
    },
    /// A window or a keyed aggregate that cannot be.
    #[error("{problem}")]
    Window {
        /// What is wrong, and what to write instead.
        problem: String,
    },
    /// The windows of one subtask take more memory than they may.
    #[error(
        "the windows hold {bytes} bytes of {keys} keys, and the limit is {limit}: raise it (`state: {{ memory: ... }}`), make windows smaller or lateness shorter; state on disk needs the `rocksdb` feature"
    )]
    WindowMemory {
        /// What they take, in bytes.
        bytes: usize,
        /// Keys of all windows.
        keys: usize,
        /// The limit, in bytes.
        limit: usize,
    },
    /// What one subtask of a dedupe knows takes more memory than it may.
    #[error(
        "dedupe knows {keys} rows in {bytes} bytes, and the limit is {limit}: raise it (`state: {{ memory: ... }}`) or make `within` shorter; state on disk needs the `rocksdb` feature"
    )]
    DedupeMemory {
        /// What they take, in bytes.
        bytes: usize,
        /// How many rows that were kept are known.
        keys: usize,
        /// The limit, in bytes.
        limit: usize,
    },
    /// A row without a usable event time reached a window, and nobody takes refused rows.
    #[error("{message} (to keep such rows and go on, attach a sink to `{node}.errors`)")]
    RefusedRow {
        /// The node.
        node: NodeName,
        /// What is wrong with the row.
        message: String,
    },
    /// A node that needs event time reads a stream without.
    #[error(
        "{what} needs event time, and the input has none: give each source `event_time: {{ column: ... }}`, and keep that column on the way"
    )]
    NoEventTime {
        /// What needs it.
        what: String,
    },
    /// A record could not be read and nobody takes refused records.
    #[error(
        "{message} (to keep such records and go on, attach a sink to `{node}.errors`; on the command line: --errors FILE)"
    )]
    UnreadReject {
        /// The source.
        node: NodeName,
        /// What was wrong with the record.
        message: String,
    },
    /// A task broke off without saying why.
    #[error("task {task} panicked: {message}")]
    Panicked {
        /// Which one.
        task: String,
        /// The panic's own message.
        message: String,
    },
    /// All tasks stopped though none failed.
    #[error("the job broke off, but no task says why")]
    NoCause,
    /// The operating system refused a thread.
    #[error("cannot start a thread for {task}: {source}")]
    Thread {
        /// What the thread was for.
        task: String,
        /// The refusal.
        source: std::io::Error,
    },
    /// Arrow refused an operation that the plan had checked.
    #[error("{node}: {source}")]
    Arrow {
        /// Where.
        node: NodeName,
        /// What Arrow said.
        source: arrow::error::ArrowError,
    },
}

impl Error {
    /// A name that is none of the known ones, with the nearest of them.
    pub(crate) fn unknown_column<'a>(role: &'static str, column: &str, known: impl Iterator<Item = &'a str>) -> Self {
        let known: Vec<&str> = known.collect();
        let distance = |name: &&&str| strsim::damerau_levenshtein(name, column);
        let near = |name: &&str| strsim::damerau_levenshtein(name, column) <= column.len().max(3) / 3;
        let nearest = known.iter().min_by_key(distance).filter(|name| near(name));
        Self::UnknownColumn {
            role,
            column: column.to_owned(),
            nearest: nearest.map_or_else(String::new, |name| format!(" (did you mean `{name}`?)")),
            known: known.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", "),
        }
    }
}

impl From<Error> for volley_api::Error {
    fn from(error: Error) -> Self {
        let message = error.to_string();
        match error {
            Error::UnreadReject { .. } | Error::RefusedRow { .. } => Self::data(message),
            Error::Panicked { .. } | Error::NoCause | Error::Arrow { .. } => Self::internal(message),
            Error::Thread { source, .. } => Self::external(message).caused_by(source),
            _ => Self::config(message),
        }
    }
}
