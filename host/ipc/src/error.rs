//! What can be wrong with a message, or with data that should become one.

use arrow::error::ArrowError;

/// The result of everything in this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why a message was refused, or could not be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// More bytes than the limit.
    #[error("the message has {bytes} bytes; the limit is {limit}")]
    TooManyBytes {
        /// Bytes of the whole message.
        bytes: usize,
        /// The cap it broke.
        limit: usize,
    },
    /// More rows than the limit.
    #[error("the batch claims {rows} rows; the limit is {limit}")]
    TooManyRows {
        /// Rows that the message claims.
        rows: i64,
        /// The cap it broke.
        limit: usize,
    },
    /// More bytes once decoded than the limit: overlapping buffers, or rows that take no bytes.
    #[error("the batch would stand for {bytes} bytes once decoded; the limit is {limit}")]
    TooManyLogicalBytes {
        /// Bytes counted until the limit was passed.
        bytes: u64,
        /// The cap it broke.
        limit: usize,
    },
    /// The bytes around the metadata are not those of an encapsulated message.
    #[error("not an encapsulated Arrow IPC message: {0}")]
    Envelope(String),
    /// The metadata is not a flatbuffer of a message.
    #[error("the metadata is not a valid Arrow IPC flatbuffer: {0}")]
    Flatbuffer(String),
    /// The message is of another kind, or of a form that is not part of the contract.
    #[error("{0}")]
    Unsupported(String),
    /// Nodes or buffers do not fit the schema or the body.
    #[error("column `{column}`: {problem}")]
    Layout {
        /// The column, with the path to the child.
        column: String,
        /// What is wrong.
        problem: String,
    },
    /// A schema that nobody may send.
    #[error("field `{field}`: {problem}")]
    Schema {
        /// The field, with the path to the child.
        field: String,
        /// What is wrong.
        problem: String,
    },
    /// Arrow refused the data, or could not encode or convert it.
    #[error("{}", shown(&.0.to_string()))]
    Arrow(#[from] ArrowError),
}

impl Error {
    pub(crate) fn layout(column: &str, problem: impl Into<String>) -> Self {
        Self::Layout { column: shown(column), problem: problem.into() }
    }

    pub(crate) fn schema(field: &str, problem: impl Into<String>) -> Self {
        Self::Schema { field: shown(field), problem: problem.into() }
    }

    /// The same about a child of `parent`. Paths are put together on the way out, so that a good batch pays for none.
    pub(crate) fn within(self, parent: &str) -> Self {
        match self {
            Self::Layout { column, problem } => Self::Layout { column: format!("{}.{column}", shown(parent)), problem },
            other => other,
        }
    }
}

/// The most characters of one name or text from outside that an error repeats.
const SHOWN_CHARS_MAX: usize = 300;

/// Text from outside as it may stand in a log: on one line, without anything that steers a terminal, and not endless.
pub(crate) fn shown(text: &str) -> String {
    let mut out = String::new();
    for (at, char) in text.chars().enumerate() {
        match char {
            _ if at == SHOWN_CHARS_MAX => {
                out.push('…');
                break;
            }
            '"' | '\'' | '\\' => out.push(char),
            other => out.extend(other.escape_debug()),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn foreign_names_stay_on_their_line() {
        let error = Error::layout("größe \"x\"\n\u{1b}[2Jgone\u{202e}", "wrong").within("s\r").to_string();
        assert_eq!(error, r#"column `s\r.größe "x"\n\u{1b}[2Jgone\u{202e}`: wrong"#);
        let long = Error::schema(&"n".repeat(1 << 20), "wrong").to_string();
        assert!(long.len() < 400 && long.contains("n…"), "{long}");
        let arrow = Error::from(ArrowError::SchemaError("a\nb".repeat(1000))).to_string();
        assert!(arrow.contains(r"a\nb") && arrow.chars().count() < 700, "{arrow}");
    }
}
