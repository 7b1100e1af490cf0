//! Aggregates as values: they print to the SQL text that `volley_expr` reads.

use std::fmt;

use super::{Expr, Tree};

/// What is computed of all rows of a group: `sum(amount)`. `docs/aggregates.md` says what each does with nulls and types.
///
/// The argument is an expression or, as text, SQL: `sum("amount")`, `sum("amount * rate")`, `sum(col("a") + col("b"))`. The
/// result is called like the function and the column, `sum_amount`, until [`Aggregate::alias`] gives it another name; an
/// argument that is not just a column needs one.
///
/// SQL text with a name is an aggregate too, wherever one is taken: `"avg(dep_delay) AS mean_delay"`.
#[derive(Debug, Clone, PartialEq)]
pub struct Aggregate {
    call: Call,
    filter: Option<Expr>,
    alias: Option<String>,
}

#[derive(Debug, Clone, PartialEq)]
enum Call {
    /// The function, and what it is called with; `None` for `*`.
    Function(&'static str, Option<Expr>),
    /// SQL text of the user's own.
    Sql(String),
}

impl Aggregate {
    fn of(function: &'static str, argument: impl Into<Expr>) -> Self {
        Self { call: Call::Function(function, Some(argument.into())), filter: None, alias: None }
    }

    /// The same aggregate of the rows alone for which a condition is true.
    ///
    /// A condition that it has already holds too.
    #[must_use]
    pub fn filter(mut self, condition: impl Into<Expr>) -> Self {
        let condition = condition.into();
        self.filter = Some(match self.filter {
            Some(before) => before.and(condition),
            None => condition,
        });
        self
    }

    /// The same aggregate with the name of the column that it makes.
    #[must_use]
    pub fn alias(mut self, name: impl Into<String>) -> Self {
        self.alias = Some(name.into());
        self
    }

    /// Whether it is SQL text of the user's own.
    pub(super) fn is_text(&self) -> bool {
        matches!(self.call, Call::Sql(_))
    }

    /// The name of its column, where it has one.
    pub(super) fn name(&self) -> Option<String> {
        self.alias.clone().or_else(|| match &self.call {
            Call::Function(function, None) => Some((*function).to_owned()),
            Call::Function(function, Some(argument)) => match &argument.tree {
                Tree::Column(column) => Some(format!("{function}_{column}")),
                Tree::Sql(text) if is_plain(text) => Some(format!("{function}_{text}")),
                _ => None,
            },
            Call::Sql(_) => None,
        })
    }
}

/// Whether a text is the bare name of a column.
fn is_plain(text: &str) -> bool {
    text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') && text.starts_with(|c: char| !c.is_ascii_digit())
}

impl fmt::Display for Aggregate {
    /// The SQL text, without the name.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.call {
            Call::Function(function, Some(argument)) => write!(f, "{function}({argument})")?,
            Call::Function(function, None) => write!(f, "{function}(*)")?,
            Call::Sql(text) => f.write_str(text)?,
        }
        match &self.filter {
            Some(condition) => write!(f, " FILTER (WHERE {condition})"),
            None => Ok(()),
        }
    }
}

/// SQL text: `avg(dep_delay) AS mean_delay`.
impl From<&str> for Aggregate {
    fn from(text: &str) -> Self {
        Self { call: Call::Sql(text.to_owned()), filter: None, alias: None }
    }
}

/// SQL text: `avg(dep_delay) AS mean_delay`.
impl From<String> for Aggregate {
    fn from(text: String) -> Self {
        Self { call: Call::Sql(text), filter: None, alias: None }
    }
}

/// How many rows there are; the column is called `count`.
#[must_use]
pub fn count() -> Aggregate {
    Aggregate { call: Call::Function("count", None), filter: None, alias: None }
}

/// How many rows there are: [`count`], by a name that says it beside [`count_of`].
#[must_use]
pub fn count_all() -> Aggregate {
    count()
}

macro_rules! functions {
    ($($(#[$doc:meta])* $rust:ident = $function:literal),* $(,)?) => {
        $(
            $(#[$doc])*
            #[must_use]
            pub fn $rust(argument: impl Into<Expr>) -> Aggregate {
                Aggregate::of($function, argument)
            }
        )*
    };
}

functions! {
    /// How many values there are that are not null.
    count_of = "count",
    /// The sum.
    sum = "sum",
    /// The mean.
    avg = "avg",
    /// The least value.
    min = "min",
    /// The greatest value.
    max = "max",
    /// The value of the row that is first by event time.
    first = "first",
    /// The value of the row that is last by event time.
    last = "last",
    /// The standard deviation of a sample.
    stddev = "stddev",
    /// How many different values there are, exactly: each is kept.
    count_distinct = "count_distinct",
    /// About how many different values there are, in bounded memory.
    approx_distinct = "approx_distinct",
}
