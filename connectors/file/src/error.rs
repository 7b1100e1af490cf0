//! What can go wrong with files, in messages that name the path, the place in it, and the fix.

use std::io;

use volley_api::ErrorKind;

use crate::SchemaTextError;

/// Everything that can go wrong in this crate. At the border it becomes a [`volley_api::Error`].
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Options that do not fit together or have no meaning.
    #[error("{0}")]
    Options(String),
    /// A type that is not written as [`crate::parse_type`] reads it.
    #[error("column `{column}` of `schema`: {source}")]
    SchemaText {
        /// The column that was declared.
        column: String,
        /// What is wrong with its type.
        source: SchemaTextError,
    },
    /// Nothing stands at a path.
    #[error("{path}: no such file or folder")]
    Missing {
        /// Where it was looked for.
        path: String,
    },
    /// A folder or glob without a file to read.
    #[error("{path}: no file matches ({detail})")]
    NoMatch {
        /// The folder or pattern.
        path: String,
        /// What was looked for in it.
        detail: String,
    },
    /// The operating system refused.
    #[error("cannot {action} {path}: {source}")]
    Io {
        /// What was tried: `read`, `write` …
        action: &'static str,
        /// On which path.
        path: String,
        /// What the operating system said.
        source: io::Error,
    },
    /// A file that is not what its format says, or ends too early.
    #[error("{path}: {detail}")]
    Damaged {
        /// The file.
        path: String,
        /// What is wrong, and at which line or row.
        detail: String,
    },
    /// A file without the column that the source has.
    #[error("{path}: no column `{column}`; the file has {found}")]
    MissingColumn {
        /// The file.
        path: String,
        /// The column that it lacks.
        column: String,
        /// The columns that it has.
        found: String,
    },
    /// A file whose column has another type than the source's.
    #[error("{path}: column `{column}` is {found}, expected {expected}")]
    ColumnType {
        /// The file.
        path: String,
        /// The column.
        column: String,
        /// The type in the file.
        found: String,
        /// The type in the source's schema.
        expected: String,
    },
    /// A file with a column that the source's inferred schema does not have.
    #[error(
        "{path}: column `{column}` is not in the other files; declare `schema` in a pipeline file to choose the columns \
         that are read"
    )]
    ExtraColumn {
        /// The file.
        path: String,
        /// The column.
        column: String,
    },
    /// A type that a format has no place for.
    #[error("column `{column}` has type {found}, which {format} has no place for; {fix}")]
    Unsupported {
        /// The column.
        column: String,
        /// Its type.
        found: String,
        /// The format.
        format: &'static str,
        /// What to do about it.
        fix: String,
    },
    /// An offset or a committable that this connector did not make.
    #[error("not {what} of the file connector: {detail}")]
    Foreign {
        /// What was expected.
        what: &'static str,
        /// What is wrong with it.
        detail: String,
    },
    /// A token of another version of the encoding.
    #[error(
        "a token of the file connector has version {found}, and this build reads version {expected}: let the build that made \
         it finish the job, or begin anew with --fresh"
    )]
    Version {
        /// The token's version.
        found: u32,
        /// The one that is read.
        expected: u32,
    },
    /// A prepared file that is neither staged nor in its final place.
    #[error(
        "{folder} has neither {name} nor its staged file {staged}, so nobody can tell whether it was committed. If it was, \
         and a reader has taken it away, put it back or make an empty file .{name}.taken there; if the sink wrote elsewhere \
         before, set its `path` back; otherwise its rows are lost, and the job has to begin anew with --fresh"
    )]
    Lost {
        /// The sink's folder.
        folder: String,
        /// The final name.
        name: String,
        /// The staged name.
        staged: String,
    },
    /// A staged file that somebody has changed.
    #[error("cannot commit {path}: its staged file {staged} has {found} bytes, and {expected} were prepared")]
    Changed {
        /// The final path.
        path: String,
        /// The staged name.
        staged: String,
        /// Its length.
        found: u64,
        /// The length that it had.
        expected: u64,
    },
    /// A staged file whose bytes are not those that were written.
    #[error(
        "cannot commit {path}: its staged file {staged} has the CRC-32 {found:08x}, and {expected:08x} was prepared: the disk or \
         somebody has changed it. Put it back as it was; otherwise its rows are lost, and the job has to begin anew with --fresh"
    )]
    Flipped {
        /// The final path.
        path: String,
        /// The staged name.
        staged: String,
        /// What was read.
        found: u32,
        /// What was written.
        expected: u32,
    },
    /// An abort of what can be seen already.
    #[error("cannot abort what holds {path}: it is committed already; commit the rest of it")]
    Visible {
        /// The final path.
        path: String,
    },
    /// Something at a file's final place that must not be replaced.
    #[error("cannot commit {path}: {found} stands there, which is not replaced")]
    Irreplaceable {
        /// The final path.
        path: String,
        /// What it is.
        found: &'static str,
    },
    /// A folder with the output of an earlier run.
    #[error(
        "{folder} holds {file} of an earlier run: empty the folder, or set `existing: append` in a pipeline file to add to \
         it"
    )]
    Occupied {
        /// The folder.
        folder: String,
        /// One of the files in it.
        file: String,
    },
    /// A folder with files of a run that comes after this one.
    #[error(
        "{folder} holds {file} of incarnation {found} of job `{job}`, and this is incarnation {incarnation}: if that run has \
         taken over, let this one be; if the job's checkpoints are gone, empty the folder or give the job another name"
    )]
    Later {
        /// The folder.
        folder: String,
        /// The file.
        file: String,
        /// The job.
        job: String,
        /// The incarnation that the file is of.
        found: u64,
        /// The incarnation that is at work.
        incarnation: u64,
    },
    /// A codec refuses or fails.
    #[error("{place}: {}", source.report())]
    Codec {
        /// The file, and where in it.
        place: String,
        /// What the codec says.
        source: volley_api::Error,
    },
    /// An invariant of this crate does not hold.
    #[error("{0}")]
    Broken(String),
}

impl Error {
    /// An error of the operating system on one path.
    pub(crate) fn io(action: &'static str, path: impl Into<String>, source: io::Error) -> Self {
        let path = path.into();
        match source.kind() {
            io::ErrorKind::NotFound if action == "read" => Self::Missing { path },
            _ => Self::Io { action, path, source },
        }
    }

    /// A file that is not as it should be.
    pub(crate) fn damaged(path: &str, detail: impl Into<String>) -> Self {
        Self::Damaged { path: path.to_owned(), detail: detail.into() }
    }

    /// What a codec said of a place.
    pub(crate) fn codec(place: impl Into<String>, source: volley_api::Error) -> Self {
        Self::Codec { place: place.into(), source }
    }

    fn kind(&self) -> ErrorKind {
        match self {
            Self::Codec { source, .. } => source.kind(),
            Self::Options(_) | Self::SchemaText { .. } | Self::Unsupported { .. } => ErrorKind::Config,
            Self::Occupied { .. } | Self::Later { .. } | Self::Version { .. } => ErrorKind::Config,
            Self::Damaged { .. } | Self::MissingColumn { .. } | Self::ColumnType { .. } | Self::ExtraColumn { .. } => {
                ErrorKind::Data
            }
            Self::Io { source, .. } if source.kind() == io::ErrorKind::BrokenPipe => ErrorKind::BrokenPipe,
            // Whoever wrote the pipeline may be right, and the files late or elsewhere.
            Self::Missing { .. } | Self::NoMatch { .. } => ErrorKind::External,
            Self::Io { .. }
            | Self::Lost { .. }
            | Self::Changed { .. }
            | Self::Flipped { .. }
            | Self::Irreplaceable { .. } => ErrorKind::External,
            Self::Foreign { .. } | Self::Visible { .. } | Self::Broken(_) => ErrorKind::Internal,
        }
    }
}

impl Error {
    /// Whether the same attempt may succeed later: files that are not there yet, and troubles of disks and networks that pass.
    fn may_pass(&self) -> bool {
        use io::ErrorKind as Kind;
        match self {
            Self::Missing { .. } | Self::NoMatch { .. } => true,
            Self::Codec { source, .. } => source.is_retryable(),
            Self::Io { source, .. } => matches!(
                source.kind(),
                Kind::Interrupted
                    | Kind::TimedOut
                    | Kind::ResourceBusy
                    | Kind::StaleNetworkFileHandle
                    | Kind::HostUnreachable
                    | Kind::NetworkUnreachable
                    | Kind::NetworkDown
                    | Kind::StorageFull
                    | Kind::QuotaExceeded
            ),
            _ => false,
        }
    }
}

impl From<Error> for volley_api::Error {
    fn from(error: Error) -> Self {
        let may_pass = error.may_pass();
        let api = Self::new(error.kind(), error.to_string()).caused_by(error);
        if may_pass { api.retryable() } else { api }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_follow_the_fault() {
        let kind = |error: Error| volley_api::Error::from(error).kind();
        let io = |kind| Error::io("write", "out.csv", io::Error::from(kind));
        assert_eq!(kind(io(io::ErrorKind::BrokenPipe)), ErrorKind::BrokenPipe);
        assert_eq!(kind(io(io::ErrorKind::StorageFull)), ErrorKind::External);
        assert_eq!(kind(Error::io("read", "a", io::ErrorKind::NotFound.into())), ErrorKind::External);
        assert_eq!(kind(Error::damaged("a", "truncated")), ErrorKind::Data);
        let may_pass = |error: Error| volley_api::Error::from(error).is_retryable();
        assert!(may_pass(Error::io("read", "a", io::ErrorKind::NotFound.into())), "the file may be late");
        assert!(may_pass(io(io::ErrorKind::StorageFull)));
        assert!(!may_pass(io(io::ErrorKind::PermissionDenied)) && !may_pass(Error::damaged("a", "truncated")));
        assert!(volley_api::Error::from(io(io::ErrorKind::StorageFull)).report().contains("out.csv"));
    }
}
