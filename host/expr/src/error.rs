//! What can be wrong with an expression, in words for whoever wrote it.

use crate::wording::shortened;

/// The result of everything in this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why an expression cannot be used, or could not be evaluated. Every message names the expression.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The text is not an expression.
    #[error("expression `{}` cannot be read at {at}: {reason}", shortened(sql))]
    Syntax {
        /// The expression.
        sql: String,
        /// Where: `column 7`, `line 2, column 3` or `its end`.
        at: String,
        /// What was expected there.
        reason: String,
    },
    /// The text goes beyond a limit.
    #[error("expression `{}` has {seen} {unit}, and the limit is {limit}: split it over several nodes", shortened(sql))]
    TooLarge {
        /// The expression.
        sql: String,
        /// How many there are.
        seen: usize,
        /// How many there may be.
        limit: usize,
        /// Of what.
        unit: &'static str,
    },
    /// A name that is no column of the input.
    #[error("expression `{}` reads `{name}` ({at}), which is not a column of the input{hint}", shortened(sql))]
    UnknownColumn {
        /// The expression.
        sql: String,
        /// The name as written.
        name: String,
        /// Where it stands in the expression.
        at: String,
        /// The nearest known name, and all of them.
        hint: String,
    },
    /// A name that is no function.
    #[error("expression `{}` calls `{name}` ({at}), which is not a known function{hint}", shortened(sql))]
    UnknownFunction {
        /// The expression.
        sql: String,
        /// The name as written.
        name: String,
        /// Where it stands in the expression.
        at: String,
        /// The nearest known name.
        hint: String,
    },
    /// Something that SQL has and a pipeline's expression has not.
    #[error("expression `{}` {what}", shortened(sql))]
    Refused {
        /// The expression.
        sql: String,
        /// What it does, and why that is refused.
        what: String,
    },
    /// The types do not fit together, or something is not supported.
    #[error("expression `{}` does not fit its input: {reason}", shortened(sql))]
    Type {
        /// The expression.
        sql: String,
        /// What does not fit.
        reason: String,
    },
    /// Constants for which there is no result.
    #[error("expression `{}` fails for every row: {reason}", shortened(sql))]
    Constant {
        /// The expression.
        sql: String,
        /// What goes wrong.
        reason: String,
    },
    /// A condition that is not true or false.
    #[error("filter `{}` gives {found}, not true or false: compare it with something", shortened(sql))]
    NotBoolean {
        /// The expression.
        sql: String,
        /// The type that it gives.
        found: String,
    },
    /// A text that is no item of a `select` list.
    #[error("`{}` is not an item of a select list: {reason}", shortened(text))]
    SelectItem {
        /// The item.
        text: String,
        /// What it should be.
        reason: String,
    },
    /// A list of columns that cannot be made.
    #[error("{0}")]
    Columns(String),
    /// A row for which there is no result.
    #[error("expression `{}` fails{row}: {reason}{fix}", shortened(sql))]
    Evaluate {
        /// The expression.
        sql: String,
        /// Index of the row in the batch.
        row_index: usize,
        /// The row, by the values that the expression reads.
        row: String,
        /// What went wrong.
        reason: String,
        /// How the expression could avoid it, where that is known.
        fix: &'static str,
    },
    /// A text that is not one call of an aggregate, or a call that its argument does not fit.
    #[error("aggregate `{}` {what}", shortened(sql))]
    Aggregate {
        /// The aggregate.
        sql: String,
        /// What is wrong with it, and what to write instead.
        what: String,
    },
    /// A result that its type cannot hold.
    #[error("aggregate `{name} = {}` {reason}", shortened(sql))]
    Overflow {
        /// The name of the result.
        name: String,
        /// The aggregate.
        sql: String,
        /// What went beyond what, and how to avoid it.
        reason: String,
    },
    /// State, or a call of the aggregator, that is not what was agreed.
    #[error("aggregate `{name} = {}`: {reason}", shortened(sql))]
    State {
        /// The name of the result.
        name: String,
        /// The aggregate.
        sql: String,
        /// What was seen.
        reason: String,
    },
    /// A function that was given refuses its arguments, fails on a row, or fails altogether.
    #[error("expression `{}` calls `{function}`{row}: {reason}", shortened(sql))]
    Function {
        /// The expression.
        sql: String,
        /// The function's name in expressions.
        function: String,
        /// Index of the row in the batch, where it is one that is to blame.
        row_index: Option<usize>,
        /// The row, by the values that the expression reads; or nothing.
        row: String,
        /// What the function says.
        reason: String,
        /// Who has to act.
        kind: volley_api::ErrorKind,
        /// Whether trying again may help.
        is_retryable: bool,
    },
    /// Names of functions that cannot be given.
    #[error("{0}")]
    Functions(String),
    /// An assumption about DataFusion that does not hold.
    #[error("expression `{}`: {reason}", shortened(sql))]
    Internal {
        /// The expression.
        sql: String,
        /// What was seen.
        reason: String,
    },
}

impl Error {
    /// The same error with another index for its row, where it has one.
    pub(crate) fn at_row(mut self, index: impl FnOnce(usize) -> usize) -> Self {
        if let Self::Evaluate { row_index, .. } | Self::Function { row_index: Some(row_index), .. } = &mut self {
            *row_index = index(*row_index);
        }
        self
    }
}

impl From<Error> for volley_api::Error {
    fn from(error: Error) -> Self {
        let kind = match &error {
            Error::Function { kind, .. } => *kind,
            Error::Evaluate { .. } | Error::Overflow { .. } => volley_api::ErrorKind::Data,
            Error::Internal { .. } | Error::State { .. } => volley_api::ErrorKind::Internal,
            _ => volley_api::ErrorKind::Config,
        };
        let may_pass = matches!(&error, Error::Function { is_retryable: true, .. });
        let api = Self::new(kind, error.to_string());
        if may_pass { api.retryable() } else { api }
    }
}
