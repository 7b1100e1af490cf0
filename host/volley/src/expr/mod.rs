//! Expressions as values: they print to the SQL text that `volley_expr` reads.

mod aggregate;
mod literal;
mod named;
mod print;
mod text;

use std::fmt;
use std::ops;

pub use aggregate::{
    Aggregate, approx_distinct, avg, count, count_all, count_distinct, count_of, first, last, max, min, stddev, sum,
};
pub use literal::Literal;
pub(crate) use named::{aggregates, select_items};

/// An expression over the columns of one row.
///
/// It is written in one of two ways, which can be mixed: built of [`col`], [`lit`] and the methods below, or as SQL text,
/// which every `impl Into<Expr>` takes. `docs/rust-api.md` shows both side by side.
///
/// ```
/// use volley::{Expr, col, lit, sql};
///
/// let late = col("dep_delay").gt(lit(15)).and(col("carrier").eq(lit("UA")));
/// assert_eq!(late.to_string(), "dep_delay > 15 AND carrier = 'UA'");
/// let mixed = sql("upper(origin)").eq(lit("JFK")).or(late);
/// assert_eq!(mixed.to_string(), "(upper(origin)) = 'JFK' OR dep_delay > 15 AND carrier = 'UA'");
/// ```
///
/// Nothing is checked here: whether columns exist and types fit is known when the plan is checked.
#[derive(Debug, Clone, PartialEq)]
pub struct Expr {
    tree: Tree,
    alias: Option<String>,
}

/// What an expression is made of.
#[derive(Debug, Clone, PartialEq)]
enum Tree {
    Column(String),
    Literal(Literal),
    /// SQL text of the user's own.
    Sql(String),
    /// An operator between two operands.
    Binary(Box<Tree>, &'static str, Level, Box<Tree>),
    /// An operator in front.
    Prefix(&'static str, Level, Box<Tree>),
    /// Words behind: `IS NULL`.
    Postfix(Box<Tree>, &'static str),
    Between(Box<Tree>, Box<Tree>, Box<Tree>),
    In(Box<Tree>, Vec<Tree>),
    /// The function and the type.
    Cast(&'static str, Box<Tree>, String),
    Call(String, Vec<Tree>),
}

/// How tightly a form binds, loosest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Level {
    /// Text of the user's own, about which nothing is known.
    Unknown,
    Or,
    And,
    Not,
    Compare,
    Add,
    Multiply,
    Sign,
    Alone,
}

/// The column of that name, exactly as the schema has it: upper and lower case matter, and nothing needs quoting.
#[must_use]
pub fn col(name: impl Into<String>) -> Expr {
    Tree::Column(name.into()).into_expr()
}

/// A value.
#[must_use]
pub fn lit(value: impl Into<Literal>) -> Expr {
    Tree::Literal(value.into()).into_expr()
}

/// SQL text as a part of a larger expression; where an expression is nothing but text, the text alone will do. It may end
/// in `AS name` where an expression has a name.
#[must_use]
pub fn sql(text: impl Into<String>) -> Expr {
    Tree::Sql(text.into()).into_expr()
}

/// The call of a function: `call("upper", [col("origin")])`.
#[must_use]
pub fn call(function: impl Into<String>, arguments: impl IntoIterator<Item = Expr>) -> Expr {
    Tree::Call(function.into(), arguments.into_iter().map(|argument| argument.tree).collect()).into_expr()
}

/// `NOT x`: true where the condition is false, null where it is null. The operator `!` does the same.
#[must_use]
pub fn not(condition: Expr) -> Expr {
    Tree::Prefix("NOT ", Level::Not, Box::new(condition.tree)).into_expr()
}

impl Tree {
    fn into_expr(self) -> Expr {
        Expr { tree: self, alias: None }
    }
}

impl Expr {
    fn binary(self, operator: &'static str, level: Level, other: Self) -> Self {
        Tree::Binary(Box::new(self.tree), operator, level, Box::new(other.tree)).into_expr()
    }

    fn postfix(self, words: &'static str) -> Self {
        Tree::Postfix(Box::new(self.tree), words).into_expr()
    }

    /// `=`; null where either side is null, like all comparisons.
    #[must_use]
    pub fn eq(self, other: Self) -> Self {
        self.binary("=", Level::Compare, other)
    }

    /// `<>`.
    #[must_use]
    pub fn not_eq(self, other: Self) -> Self {
        self.binary("<>", Level::Compare, other)
    }

    /// `<`.
    #[must_use]
    pub fn lt(self, other: Self) -> Self {
        self.binary("<", Level::Compare, other)
    }

    /// `<=`.
    #[must_use]
    pub fn lt_eq(self, other: Self) -> Self {
        self.binary("<=", Level::Compare, other)
    }

    /// `>`.
    #[must_use]
    pub fn gt(self, other: Self) -> Self {
        self.binary(">", Level::Compare, other)
    }

    /// `>=`.
    #[must_use]
    pub fn gt_eq(self, other: Self) -> Self {
        self.binary(">=", Level::Compare, other)
    }

    /// `LIKE`, where `%` stands for any characters and `_` for one.
    #[must_use]
    pub fn like(self, pattern: Self) -> Self {
        self.binary("LIKE", Level::Compare, pattern)
    }

    /// Both conditions.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        self.binary("AND", Level::And, other)
    }

    /// Either condition.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        self.binary("OR", Level::Or, other)
    }

    /// Whether it is null: true or false, never null.
    #[must_use]
    pub fn is_null(self) -> Self {
        self.postfix("IS NULL")
    }

    /// Whether it is not null: true or false, never null.
    #[must_use]
    pub fn is_not_null(self) -> Self {
        self.postfix("IS NOT NULL")
    }

    /// From `low` to `high`, both included.
    #[must_use]
    pub fn between(self, low: Self, high: Self) -> Self {
        Tree::Between(Box::new(self.tree), Box::new(low.tree), Box::new(high.tree)).into_expr()
    }

    /// One of these values; of none of them when there are none.
    #[must_use]
    pub fn in_list(self, values: impl IntoIterator<Item = Self>) -> Self {
        Tree::In(Box::new(self.tree), values.into_iter().map(|value| value.tree).collect()).into_expr()
    }

    /// The same value as another type, by its SQL name: `BIGINT`, `DOUBLE`, `VARCHAR`, `TIMESTAMP`, `DECIMAL(10, 2)` …
    /// A value that does not fit fails the job.
    #[must_use]
    pub fn cast(self, sql_type: impl Into<String>) -> Self {
        Tree::Cast("CAST", Box::new(self.tree), sql_type.into()).into_expr()
    }

    /// As [`Expr::cast`], but null for a value that does not fit.
    #[must_use]
    pub fn try_cast(self, sql_type: impl Into<String>) -> Self {
        Tree::Cast("TRY_CAST", Box::new(self.tree), sql_type.into()).into_expr()
    }

    /// The same expression with the name of the column that it makes. Only a list of columns looks at it
    /// ([`DataStream::select_expr`](crate::DataStream::select_expr)); within another expression it is dropped.
    #[must_use]
    pub fn alias(mut self, name: impl Into<String>) -> Self {
        self.alias = Some(name.into());
        self
    }
}

impl fmt::Display for Expr {
    /// The SQL text, without the name.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.tree.fmt(f)
    }
}

/// SQL text.
impl From<&str> for Expr {
    fn from(text: &str) -> Self {
        sql(text)
    }
}

/// SQL text.
impl From<String> for Expr {
    fn from(text: String) -> Self {
        sql(text)
    }
}

macro_rules! operators {
    ($($trait:ident $method:ident $sign:literal $level:ident),*) => {
        $(
            impl ops::$trait for Expr {
                type Output = Self;

                fn $method(self, other: Self) -> Self {
                    self.binary($sign, Level::$level, other)
                }
            }
        )*
    };
}

operators! { Add add "+" Add, Sub sub "-" Add, Mul mul "*" Multiply, Div div "/" Multiply, Rem rem "%" Multiply }

impl ops::Neg for Expr {
    type Output = Self;

    fn neg(self) -> Self {
        Tree::Prefix("-", Level::Sign, Box::new(self.tree)).into_expr()
    }
}

impl ops::Not for Expr {
    type Output = Self;

    fn not(self) -> Self {
        not(self)
    }
}
