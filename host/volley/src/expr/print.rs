//! From tree to SQL text, with the parentheses that it needs.

use std::fmt;

use super::{Level, Tree, text};

impl Tree {
    fn level(&self) -> Level {
        match self {
            Self::Sql(_) => Level::Unknown,
            Self::Binary(_, _, level, _) | Self::Prefix(_, level, _) => *level,
            Self::Postfix(..) | Self::Between(..) | Self::In(..) => Level::Compare,
            Self::Literal(literal) if literal.is_signed() => Level::Sign,
            Self::Column(_) | Self::Literal(_) | Self::Cast(..) | Self::Call(..) => Level::Alone,
        }
    }
}

/// An operand that needs no parentheses from that level on.
struct Operand<'a>(&'a Tree, Level);

impl fmt::Display for Operand<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(tree, least) = *self;
        if tree.level() >= least { tree.fmt(f) } else { write!(f, "({tree})") }
    }
}

impl Level {
    /// The least level of a left operand: chains of one level go on from left to right, as they are read. Comparisons do
    /// not chain.
    fn left(self) -> Self {
        if self == Self::Compare { self.right() } else { self }
    }

    /// The least level of a right operand.
    fn right(self) -> Self {
        match self {
            Self::Unknown => Self::Or,
            Self::Or => Self::And,
            // `a AND NOT b` needs none, but is misread without.
            Self::And | Self::Not => Self::Compare,
            Self::Compare => Self::Add,
            Self::Add => Self::Multiply,
            Self::Multiply => Self::Sign,
            Self::Sign | Self::Alone => Self::Alone,
        }
    }
}

impl fmt::Display for Tree {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Column(name) => f.write_str(&text::identifier(name)),
            Self::Literal(value) => value.fmt(f),
            Self::Sql(text) => f.write_str(text),
            Self::Binary(left, operator, level, right) => {
                write!(f, "{} {operator} {}", Operand(left, level.left()), Operand(right, level.right()))
            }
            Self::Prefix(operator, Level::Not, operand) => write!(f, "{operator}{}", Operand(operand, Level::Add)),
            Self::Prefix(operator, level, operand) => write!(f, "{operator}{}", Operand(operand, level.right())),
            Self::Postfix(operand, words) => write!(f, "{} {words}", Operand(operand, Level::Add)),
            Self::Between(value, low, high) => {
                let [value, low, high] = [value, low, high].map(|part| Operand(part, Level::Add));
                write!(f, "{value} BETWEEN {low} AND {high}")
            }
            // SQL has no empty list.
            Self::In(_, values) if values.is_empty() => f.write_str("FALSE"),
            Self::In(value, values) => {
                write!(f, "{} IN (", Operand(value, Level::Add))?;
                list(f, values)
            }
            Self::Cast(function, value, sql_type) => write!(f, "{function}({value} AS {sql_type})"),
            Self::Call(function, arguments) => {
                write!(f, "{function}(")?;
                list(f, arguments)
            }
        }
    }
}

/// The items, and the parenthesis behind them.
fn list(f: &mut fmt::Formatter<'_>, items: &[Tree]) -> fmt::Result {
    for (index, item) in items.iter().enumerate() {
        let comma = if index == 0 { "" } else { ", " };
        write!(f, "{comma}{item}")?;
    }
    f.write_str(")")
}

#[cfg(test)]
mod tests {
    use crate::{Expr, col, lit, not, sql};

    fn is(expr: Expr, text: &str) {
        assert_eq!(expr.to_string(), text);
    }

    #[test]
    fn parentheses_stand_where_they_are_needed() {
        let (a, b, c) = (|| col("a"), || col("b"), || col("c"));
        is(a().gt(lit(1)).and(b().lt(lit(2))).and(c().is_null()), "a > 1 AND b < 2 AND c IS NULL");
        is(a().or(b()).and(c()), "(a OR b) AND c");
        is(a().or(b().and(c())), "a OR b AND c");
        is(a().or(b().or(c())), "a OR (b OR c)");
        is((a() + b()) * c(), "(a + b) * c");
        is(a() - (b() - c()), "a - (b - c)");
        is(a() - b() - c(), "a - b - c");
        is(a() / b() % lit(2), "a / b % 2");
        is(not(a().eq(b())), "NOT (a = b)");
        is(!a(), "NOT a");
        is(a().and(!b()), "a AND (NOT b)");
        is(a().eq(b()).eq(c()), "(a = b) = c");
        is(a().eq(b()).is_null(), "(a = b) IS NULL");
        is((a() + b()).between(lit(-1), lit(1)), "a + b BETWEEN -1 AND 1");
        is(a().in_list([lit("x"), lit("it's")]), "a IN ('x', 'it''s')");
        is(a().in_list([]), "FALSE");
        is(-lit(-5) - lit(-3), "-(-5) - -3");
        is(sql("a OR b").and(c()), "(a OR b) AND c");
        is(sql("a + 1").cast("BIGINT") * lit(2), "CAST(a + 1 AS BIGINT) * 2");
        is(col("Dep Delay").try_cast("DOUBLE").gt(lit(None::<f64>)), "TRY_CAST(\"Dep Delay\" AS DOUBLE) > NULL");
        is(lit(true).and(lit(1.0).eq(lit(1_u8))), "TRUE AND 1.0 = 1");
    }
}
