//! The one error type that crosses crate borders: a kind, whose fault it is, whether to try again, and a message.

use std::any::Any;
use std::error::Error as StdError;
use std::fmt;

/// The result of everything in this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Who has to act for an error to go away.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Fault {
    /// Whoever wrote the pipeline file or the command line.
    Config,
    /// Whoever made the input data.
    Data,
    /// The author of a plugin.
    Plugin,
    /// An outside system: a disk, a broker, a network.
    External,
    /// Volley itself.
    Host,
}

/// The handful of kinds of failure that a user meets. Each tells what to do next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The pipeline cannot run as written: correct it.
    Config,
    /// A record is not what was declared: mend the data, or attach an `errors` output.
    Data,
    /// A plugin could not be loaded, broke the contract, trapped or gave up: ask its author.
    Plugin,
    /// An outside system refused or failed: look there.
    External,
    /// The other side of a pipe has gone: nothing to do.
    BrokenPipe,
    /// The job was stopped before it was done.
    Cancelled,
    /// An invariant of Volley does not hold: report it.
    Internal,
}

impl ErrorKind {
    /// Who has to act.
    #[must_use]
    pub fn fault(self) -> Fault {
        match self {
            Self::Config => Fault::Config,
            Self::Data => Fault::Data,
            Self::Plugin => Fault::Plugin,
            Self::External | Self::BrokenPipe | Self::Cancelled => Fault::External,
            Self::Internal => Fault::Host,
        }
    }

    /// The kind in the words of machine-readable output (`--json`): stable, lower case.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Config => "config",
            Self::Data => "data",
            Self::Plugin => "plugin",
            Self::External => "external",
            Self::BrokenPipe => "broken-pipe",
            Self::Cancelled => "cancelled",
            Self::Internal => "internal",
        }
    }
}

/// An error with its kind, a message that names the value seen and the limit or the fix, and its cause.
///
/// Each crate has an enum of its own for what can go wrong in it; at the border of the crate that enum becomes the
/// `cause` of one of these. `Display` shows the message alone; [`Error::report`] shows the whole chain.
#[derive(Debug)]
pub struct Error {
    kind: ErrorKind,
    retryable: bool,
    message: String,
    cause: Option<Box<dyn StdError + Send + Sync>>,
}

impl Error {
    /// An error of `kind` that will not go away by trying again.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self { kind, retryable: false, message: message.into(), cause: None }
    }

    /// The pipeline cannot run as written.
    pub fn config(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Config, message)
    }

    /// A record is not what was declared.
    pub fn data(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Data, message)
    }

    /// A plugin is at fault.
    pub fn plugin(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Plugin, message)
    }

    /// An outside system is at fault.
    pub fn external(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::External, message)
    }

    /// Volley is at fault.
    pub fn internal(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Internal, message)
    }

    /// The same error with the one that it came from.
    #[must_use]
    pub fn caused_by(mut self, cause: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.cause = Some(cause.into());
        self
    }

    /// The same error, marked as one that may go away by trying again.
    #[must_use]
    pub fn retryable(mut self) -> Self {
        self.retryable = true;
        self
    }

    /// The same error with `part` in front of its message: the node, file or phase that it happened in.
    #[must_use]
    pub fn within(mut self, part: impl fmt::Display) -> Self {
        self.message = format!("{part}: {}", self.message);
        self
    }

    /// What kind of failure it is.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// Who has to act.
    #[must_use]
    pub fn fault(&self) -> Fault {
        self.kind.fault()
    }

    /// Whether trying again may help.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        self.retryable
    }

    /// The message and every cause below it, joined by `: `, without saying the same thing twice.
    #[must_use]
    pub fn report(&self) -> String {
        let mut text = self.message.clone();
        let mut cause = self.cause.as_deref().map(|cause| cause as &(dyn StdError + 'static));
        while let Some(error) = cause {
            let line = error.to_string();
            if !text.contains(&line) {
                text.push_str(": ");
                text.push_str(&line);
            }
            cause = error.source();
        }
        text
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.cause.as_deref().map(|cause| cause as _)
    }
}

/// What a caught panic says, where it says it in text.
#[must_use]
pub fn panic_text(panic: &(dyn Any + Send)) -> Option<String> {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn report_joins_the_chain_once() {
        let error = Error::external("cannot read a.csv")
            .caused_by(std::io::Error::other("disk on fire"))
            .within("source flights");
        assert_eq!(error.to_string(), "source flights: cannot read a.csv");
        assert_eq!(error.report(), "source flights: cannot read a.csv: disk on fire");
        let repeated = Error::data("line 3: bad").caused_by(std::io::Error::other("line 3: bad"));
        assert_eq!(repeated.report(), "line 3: bad");
    }

    #[test]
    fn kinds_say_whose_fault() {
        assert_eq!(Error::plugin("x").fault(), Fault::Plugin);
        assert!(!Error::external("x").is_retryable());
        assert!(Error::external("x").retryable().is_retryable());
    }
}
