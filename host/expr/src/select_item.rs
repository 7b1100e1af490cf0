//! An item of a `select` list as text: `carrier`, `dep_delay * 60 AS dep_delay_s`.

use datafusion_sql::sqlparser::ast::Expr;
use datafusion_sql::sqlparser::tokenizer::Location;

use crate::error::{Error, Result};
use crate::{plan, syntax};

/// A column to make: its name, and the expression that it is made by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SelectItem {
    /// The name of the new column.
    pub name: String,
    /// The expression, as it was written.
    pub sql: String,
}

impl SelectItem {
    /// Reads `expression AS name`, or the bare name of a column, which keeps its name.
    ///
    /// # Errors
    /// [`Error::SelectItem`] for an expression without a name, [`Error::Syntax`] and [`Error::TooLarge`] for what is
    /// not an expression. Whether its columns exist is not looked at.
    pub fn parse(text: &str) -> Result<Self> {
        let read = plan::on_deep_stack(|| {
            let item = syntax::parse_item(text)?;
            Ok(match (item.alias, item.tree) {
                (Some(alias), _) => Some(Self { sql: before(text, alias.as_at).trim().into(), name: alias.name }),
                (None, Expr::Identifier(column)) => Some(Self { sql: text.trim().into(), name: column.value }),
                (None, tree) => syntax::bare_call(&tree).map(|word| Self { sql: text.trim().into(), name: word.value }),
            })
        });
        let read = read.map_err(|error| Error::Internal { sql: text.into(), reason: error.to_string() })?;
        let nameless = || Error::SelectItem {
            text: text.into(),
            reason: "write `expression AS name`, or the name of a column alone".into(),
        };
        read?.ok_or_else(nameless)
    }
}

/// The text before a place, which counts lines and characters from 1.
fn before(text: &str, place: Location) -> &str {
    let (mut line, mut column) = (1, 1);
    for (at, char) in text.char_indices() {
        if (line, column) == (place.line, place.column) {
            return &text[..at];
        }
        (line, column) = if char == '\n' { (line + 1, 1) } else { (line, column + 1) };
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn item(text: &str) -> (String, String) {
        let item = SelectItem::parse(text).unwrap();
        (item.name, item.sql)
    }

    #[test]
    fn names_come_from_as_or_from_the_column() {
        assert_eq!(item(" carrier "), ("carrier".into(), "carrier".into()));
        assert_eq!(item("\"Dep Delay\""), ("Dep Delay".into(), "\"Dep Delay\"".into()));
        assert_eq!(item("dep_delay * 60 AS s"), ("s".into(), "dep_delay * 60".into()));
        assert_eq!(item("CAST(x AS BIGINT)\n  as \"X y\""), ("X y".into(), "CAST(x AS BIGINT)".into()));
        assert_eq!(item("user"), ("user".into(), "user".into()), "though SQL has a function of that name");
        assert_eq!(item("'ä AS ö' AS ü"), ("ü".into(), "'ä AS ö'".into()));
    }

    #[test]
    fn everything_else_is_refused_with_the_form_to_use() {
        for text in ["x + 1", "s.field", "count(x)", "'a'"] {
            let message = SelectItem::parse(text).unwrap_err().to_string();
            assert!(message.contains("write `expression AS name`"), "{text}: {message}");
        }
        let message = SelectItem::parse("x + 1 y").unwrap_err().to_string();
        assert_eq!(
            message,
            "expression `x + 1 y` cannot be read at column 7: expected an operator or the end, found `y`"
        );
        assert!(SelectItem::parse("x AS").unwrap_err().to_string().contains("at its end"));
    }
}
