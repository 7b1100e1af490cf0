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

impl From<Error> for volley_api::Error {
    fn from(error: Error) -> Self {
        let message = error.to_string();
        match error {
            Error::UnreadReject { .. } => Self::data(message),
            Error::Panicked { .. } | Error::NoCause | Error::Arrow { .. } => Self::internal(message),
            Error::Thread { source, .. } => Self::external(message).caused_by(source),
            _ => Self::config(message),
        }
    }
}
