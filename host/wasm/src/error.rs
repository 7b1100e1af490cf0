//! What can go wrong with a plugin.

use volley_api::ErrorKind;

use crate::inspect::PluginKind;
use crate::trap::Trap;
use crate::violation::Violation;

/// The result of everything in this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What can go wrong with a plugin. `plugin` is always its name with the short digest.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The component's file cannot be read.
    #[error("cannot read the component {path}: {source}")]
    Read {
        /// The file.
        path: String,
        /// Why.
        source: std::io::Error,
    },
    /// The bytes are not a component.
    #[error("{path} is not a WebAssembly component: {problem}")]
    NotAComponent {
        /// Where the bytes came from.
        path: String,
        /// What they are instead, and what to do.
        problem: String,
    },
    /// The component is not an operator of a world that this host knows, or wants something that is not granted.
    #[error("{plugin} cannot be loaded: {problem}")]
    Load {
        /// The plugin.
        plugin: String,
        /// What is wrong with it, for programs.
        violation: Violation,
        /// What it exports, imports or lacks.
        problem: String,
    },
    /// A plugin shall be trusted, and the host was not told that any may be.
    #[error(
        "{plugin} is not loaded with `trust: trusted`: this host does not allow it (start it with --allow-trusted, or leave \
         the key out, and calls are stopped at their deadline)"
    )]
    TrustNotAllowed {
        /// The plugin.
        plugin: String,
    },
    /// Wasmtime itself failed.
    #[error("the WebAssembly engine: {0}")]
    Engine(String),
    /// `open` refused the configuration.
    #[error("{plugin} refuses its configuration: {message}")]
    InvalidConfig {
        /// The plugin.
        plugin: String,
        /// In the plugin's words.
        message: String,
    },
    /// The input is not what the plugin needs.
    #[error("{plugin} cannot work on this input: {message}")]
    InvalidInput {
        /// The plugin.
        plugin: String,
        /// In the plugin's words, or the host's.
        message: String,
    },
    /// `open` failed otherwise.
    #[error("{plugin} could not open: {message}")]
    Open {
        /// The plugin.
        plugin: String,
        /// In the plugin's words.
        message: String,
    },
    /// The component is of a kind that has another place.
    #[error("{plugin} is a {kind}, and {wanted}: {}", place_of(*kind))]
    WrongPlace {
        /// The plugin.
        plugin: String,
        /// What it is.
        kind: PluginKind,
        /// What is due where it stands.
        wanted: String,
    },
    /// A function refused its arguments, or failed on them, row by row.
    #[error(
        "{plugin} has no value: {message}. `on_error: null` of the function gives null there; a CASE around the call keeps such rows \
         from it"
    )]
    NoValue {
        /// The plugin.
        plugin: String,
        /// In the plugin's words.
        message: String,
    },
    /// A codec cannot read on.
    #[error(
        "source `{source_name}`: {problem} (in the {bytes} bytes that it was called with last). Mend the file there, or the plugin; \
         `--repro DIR` keeps the call"
    )]
    Unreadable {
        /// The source.
        source_name: String,
        /// The first bytes that it cannot get over.
        bytes: usize,
        /// What the codec did.
        problem: String,
    },
    /// The plugin did what the contract forbids.
    #[error("{plugin} broke the contract in `{function}`: {problem}")]
    Contract {
        /// The plugin.
        plugin: String,
        /// The exported function.
        function: String,
        /// What it did, for programs.
        violation: Violation,
        /// What it did, for people.
        problem: String,
    },
    /// One call put out more than it may.
    #[error("operator `{operator}`: {plugin} put out too much in `{function}`: {problem}")]
    Limit {
        /// The node.
        operator: String,
        /// The plugin.
        plugin: String,
        /// The exported function.
        function: String,
        /// Which limit.
        violation: Violation,
        /// What was seen, and the limit.
        problem: String,
    },
    /// The plugin failed too often, and is not started again for a while.
    #[error(
        "operator `{operator}`: {plugin} is quarantined {why}. Mend the plugin, or raise `limits.restarts` if so many rows \
         are expected to fail"
    )]
    Quarantined {
        /// The node.
        operator: String,
        /// The plugin.
        plugin: String,
        /// After what, or for how long.
        why: String,
    },
    /// The plugin trapped, or was stopped by a limit.
    #[error("{0}")]
    Trap(Box<Trap>),
    /// The plugin gave up.
    #[error("operator `{operator}`: {plugin} stops the job: {message}")]
    Fatal {
        /// The node.
        operator: String,
        /// The plugin.
        plugin: String,
        /// In the plugin's words.
        message: String,
    },
    /// The plugin refused a batch as a whole, and the policy is to fail.
    #[error(
        "operator `{operator}`: {plugin} refused a batch of {rows} rows: {message} (a sink for `{operator}.errors` with \
         `on_error: dead_letter` (--errors FILE --on-error dead-letter on the command line), or `on_error: skip` \
         (--on-error skip), lets the job go on)"
    )]
    RejectedBatch {
        /// The node.
        operator: String,
        /// The plugin.
        plugin: String,
        /// Rows of the batch.
        rows: usize,
        /// In the plugin's words.
        message: String,
    },
    /// The plugin refused a row, and nobody reads refused rows.
    #[error(
        "operator `{operator}` refused a row: {code}: {message} ({place}; row: {row}). Attach a sink to \
         `{operator}.errors` (--errors FILE on the command line), or set `on_error: skip` (--on-error skip), to let the \
         job go on"
    )]
    RejectedRow {
        /// The node.
        operator: String,
        /// The reason, for programs.
        code: String,
        /// The reason, for people.
        message: String,
        /// The position of the row in its split, or its index in the batch.
        place: String,
        /// The row as JSON text, cut.
        row: String,
    },
    /// The plugin asked for the same call again too often.
    #[error(
        "operator `{operator}`: {plugin} asked {retries} times to be called again, and would once more. What it waits for (its \
         log may say) is away for longer: with `restart:` the job tries again later, from its last checkpoint"
    )]
    RetriesExhausted {
        /// The node.
        operator: String,
        /// The plugin.
        plugin: String,
        /// How often the call was made again.
        retries: u32,
    },
    /// The input cannot be brought into the form in which it crosses.
    #[error("the input of {plugin}: {source}")]
    Wire {
        /// The plugin.
        plugin: String,
        /// Why.
        source: volley_ipc::Error,
    },
    /// Keyed state could not be read or written.
    #[error("{0}")]
    State(volley_api::Error),
    /// A function of `snapshot` answered that it cannot.
    #[error("{plugin} gives up in `{function}`: {message}")]
    HookFailed {
        /// The plugin.
        plugin: String,
        /// The exported function.
        function: String,
        /// In the plugin's words.
        message: String,
    },
    /// A call has failed and was kept with all that it depends on.
    #[error(
        "{source}. The call is kept in {bundle} (with rows and state as they are): `volley plugin replay {bundle}` makes it again"
    )]
    Kept {
        /// What happened.
        source: Box<Error>,
        /// The folder of the bundle, as a shell takes it.
        bundle: String,
    },
    /// A checkpoint has state that the plugin held itself, and it could not take it over.
    #[error(
        "operator `{operator}` cannot go on from the checkpoint: {source} (its state there is of version {versions}). Run the \
         component that wrote the checkpoint, or begin with --fresh"
    )]
    NotRestored {
        /// The node.
        operator: String,
        /// Versions of the parts, by the plugin's own count.
        versions: String,
        /// What happened.
        source: Box<Error>,
    },
    /// A plugin that holds state itself has failed, and a fresh instance could not be brought to where it was.
    #[error(
        "operator `{operator}`: the plugin has failed, and a fresh instance does not get to where it was: {source}. The job \
         has to go back to its last checkpoint (`restart:` does that by itself)"
    )]
    NotRecovered {
        /// The node.
        operator: String,
        /// What happened.
        source: Box<Error>,
    },
    /// A repro bundle cannot be used.
    #[error("the bundle {path}: {problem}")]
    Bundle {
        /// The folder.
        path: String,
        /// What is wrong with it, and what to do.
        problem: String,
    },
    /// A file of a repro bundle cannot be read.
    #[error("cannot read {path}: {source}")]
    ReadBundle {
        /// The file.
        path: String,
        /// Why.
        source: std::io::Error,
    },
    /// A plugin that holds state itself has failed to give it, too often in a row.
    #[error(
        "operator `{operator}`: the plugin was asked {failures} times in a row for the state that it holds: {source}. Without it no \
         checkpoint is complete: mend its `snapshot`, and start the job again from its last one"
    )]
    SnapshotsFail {
        /// The node.
        operator: String,
        /// How often.
        failures: u32,
        /// What happened the last time.
        source: Box<Error>,
    },
    /// Rows could not be gathered or put together.
    #[error("{0}")]
    Arrow(#[from] arrow::error::ArrowError),
}

impl Error {
    /// Who has to act.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::InvalidConfig { .. }
            | Self::InvalidInput { .. }
            | Self::Wire { .. }
            | Self::WrongPlace { .. }
            | Self::Bundle { .. }
            | Self::TrustNotAllowed { .. } => ErrorKind::Config,
            Self::NotAComponent { .. }
            | Self::Load { .. }
            | Self::Open { .. }
            | Self::Contract { .. }
            | Self::Limit { .. }
            | Self::Quarantined { .. }
            | Self::Fatal { .. }
            | Self::HookFailed { .. }
            | Self::Unreadable { .. }
            | Self::RejectedBatch { .. } => ErrorKind::Plugin,
            Self::RejectedRow { .. } | Self::NoValue { .. } => ErrorKind::Data,
            // The plugin asked for no more than it may; all of them together did.
            Self::Trap(trap) if trap.reason.violation() == Violation::HostBudget => ErrorKind::Config,
            Self::Trap(_) => ErrorKind::Plugin,
            // A file that is not there or not readable is the disk's matter; one that is no component is the plugin's.
            Self::Read { .. } | Self::ReadBundle { .. } | Self::RetriesExhausted { .. } => ErrorKind::External,
            Self::State(error) => error.kind(),
            Self::Kept { source, .. }
            | Self::NotRestored { source, .. }
            | Self::NotRecovered { source, .. }
            | Self::SnapshotsFail { source, .. } => source.kind(),
            Self::Engine(_) | Self::Arrow(_) => ErrorKind::Internal,
        }
    }

    /// What the plugin did wrong; `None` where it is not the plugin that did something, or not now: a quarantine is
    /// counted where it begins.
    #[must_use]
    pub fn violation(&self) -> Option<Violation> {
        match self {
            Self::Contract { violation, .. } | Self::Limit { violation, .. } | Self::Load { violation, .. } => {
                Some(*violation)
            }
            Self::Trap(trap) => Some(trap.reason.violation()),
            Self::Fatal { .. } => Some(Violation::Fatal),
            Self::RetriesExhausted { .. } => Some(Violation::Retries),
            Self::NotAComponent { .. } => Some(Violation::NotAComponent),
            Self::HookFailed { .. } => Some(Violation::SnapshotFailed),
            // What is within these was counted when it happened.
            Self::Kept { .. } | Self::NotRestored { .. } | Self::NotRecovered { .. } | Self::SnapshotsFail { .. } => {
                None
            }
            _ => None,
        }
    }

    /// Whether single rows may be to blame for a failed call, so that others are worth another try.
    pub(crate) fn may_be_of_rows(&self) -> bool {
        match self {
            Self::Contract { .. } | Self::Limit { .. } => true,
            // Not a fresh instance that cannot be opened, and not what the host has run out of.
            Self::Trap(trap) => trap.in_batch && trap.reason.violation() != Violation::HostBudget,
            _ => false,
        }
    }

    /// The same error with the row that is to blame.
    pub(crate) fn at_row(self, row: &str) -> Self {
        match self {
            Self::Trap(trap) => Self::Trap(Box::new(Trap { row: Some(row.to_owned()), ..*trap })),
            Self::Limit { operator, plugin, function, violation, problem } => {
                Self::Limit { operator, plugin, function, violation, problem: format!("{problem} ({row})") }
            }
            other => other,
        }
    }

    /// Whether the same may go well another time, from the last checkpoint.
    fn may_pass(&self) -> bool {
        match self {
            Self::RetriesExhausted { .. } | Self::NotRecovered { .. } => true,
            Self::Kept { source, .. } => source.may_pass(),
            _ => false,
        }
    }

    /// Wasmtime's errors are no `std::error::Error`; their chain becomes text.
    pub(crate) fn engine(error: &wasmtime::Error) -> Self {
        Self::Engine(format!("{error:#}"))
    }
}

/// Where a component of a kind belongs.
fn place_of(kind: PluginKind) -> &'static str {
    match kind {
        PluginKind::Map | PluginKind::Filter | PluginKind::FlatMap => {
            "run it in an operator, as `plugin: { component: … }`"
        }
        PluginKind::Process => "run it in an operator with keys, as `plugin: { component: … }` beside `key_by: [...]`",
        PluginKind::Aggregate => {
            "run it in an operator with keys, as `plugin: { component: … }` beside `key_by: [...]`, and a `window:` if it is to \
             have one"
        }
        PluginKind::Scalar => "name it under `functions:`, and call it in an expression",
        PluginKind::Codec => "name it in a file's `format: { plugin: { component: … } }`",
    }
}

impl From<Error> for volley_api::Error {
    fn from(error: Error) -> Self {
        // It knows itself whose fault it is and whether another try may help.
        if let Error::State(error) = error {
            return error;
        }
        let api = Self::new(error.kind(), error.to_string());
        let may_pass = error.may_pass();
        let api = if may_pass { api.retryable() } else { api };
        api.caused_by(error)
    }
}
