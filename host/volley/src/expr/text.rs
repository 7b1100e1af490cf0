//! Names and values as SQL writes them.

/// Words of the grammar, of which a column of that name is quoted. Some need not be, but are hard to read without; types,
/// functions and units of time (`date`, `count`, `day`) are names like others, and common ones.
const WORDS: &[&str] = &[
    "all",
    "and",
    "any",
    "array",
    "as",
    "between",
    "by",
    "case",
    "cast",
    "collate",
    "convert",
    "distinct",
    "div",
    "else",
    "end",
    "escape",
    "except",
    "exists",
    "extract",
    "false",
    "from",
    "group",
    "having",
    "if",
    "ilike",
    "in",
    "intersect",
    "interval",
    "into",
    "is",
    "isnull",
    "join",
    "lambda",
    "like",
    "limit",
    "not",
    "notnull",
    "null",
    "on",
    "or",
    "order",
    "outer",
    "over",
    "overlay",
    "regexp",
    "returning",
    "rlike",
    "select",
    "set",
    "similar",
    "some",
    "struct",
    "substring",
    "table",
    "then",
    "trim",
    "true",
    "try_cast",
    "union",
    "unnest",
    "using",
    "values",
    "when",
    "where",
    "with",
    "within",
    "xor",
];

/// A column's name as an expression has to write it.
pub(crate) fn identifier(name: &str) -> String {
    let mut chars = name.chars();
    let starts_well = chars.next().is_some_and(|c| c.is_ascii_alphabetic() || c == '_');
    let goes_on_well = chars.all(|c| c.is_ascii_alphanumeric() || c == '_');
    let is_word = || WORDS.contains(&&*name.to_ascii_lowercase());
    if starts_well && goes_on_well && name != "_" && !is_word() {
        name.to_owned()
    } else {
        format!("\"{}\"", name.replace('"', "\"\""))
    }
}

/// A text as an expression has to write it.
pub(crate) fn text(value: &str) -> String {
    format!("'{}'", value.replace('\'', "''"))
}

/// A float as an expression has to write it.
pub(crate) fn float(value: f64) -> String {
    if value.is_nan() {
        "CAST('NaN' AS DOUBLE)".to_owned()
    } else if value.is_infinite() {
        format!("CAST('{}' AS DOUBLE)", if value > 0.0 { "Infinity" } else { "-Infinity" })
    } else {
        // With a point or an exponent, so that it is not taken for an integer, and to the last bit.
        format!("{value:?}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_quoted_where_they_have_to_be() {
        for plain in ["amount", "Dep_Delay", "_x", "a1", "at", "date", "double"] {
            assert_eq!(identifier(plain), plain);
        }
        assert_eq!(identifier("Dep Delay"), "\"Dep Delay\"");
        assert_eq!(identifier("say \"hi\""), "\"say \"\"hi\"\"\"");
        for word in ["select", "Order", "interval", "1a", "ä", "", "_"] {
            assert_eq!(identifier(word), format!("\"{word}\""));
        }
    }

    #[test]
    fn floats_stay_floats() {
        assert_eq!(float(1.0), "1.0");
        assert_eq!(float(-0.1), "-0.1");
        assert_eq!(float(1e300), "1e300");
        assert_eq!(float(f64::NEG_INFINITY), "CAST('-Infinity' AS DOUBLE)");
    }
}
