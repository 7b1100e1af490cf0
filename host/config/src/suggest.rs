//! The nearest known name to one that nobody knows.

use std::fmt;

/// How many known names an error lists before it stops.
const KNOWN_SHOWN_MAX: usize = 24;
/// Names longer than this are no typing mistakes; it also bounds the quadratic comparison.
const COMPARED_CHARS_MAX: usize = 64;

/// How many known names are compared.
const CANDIDATES_MAX: usize = 1_000;

/// A name that is not among the known ones.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unknown {
    /// What kind of name it is, in a word: `key`, `node`, `value`.
    pub what: &'static str,
    /// The name as written.
    pub name: String,
    /// The known name that it resembles most, if it resembles one.
    pub suggestion: Option<String>,
    /// Everything that could have stood there.
    pub known: Vec<String>,
}

impl Unknown {
    /// Looks for the nearest of `known`, which are kept in the order given.
    #[must_use]
    pub fn new(what: &'static str, name: &str, known: &[&str]) -> Self {
        Self {
            what,
            name: name.chars().take(2 * COMPARED_CHARS_MAX).collect(),
            suggestion: nearest(name, known).map(str::to_owned),
            known: known.iter().map(|&name| name.to_owned()).collect(),
        }
    }
}

impl fmt::Display for Unknown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "unknown {} `{}`", self.what, self.name)?;
        if let Some(suggestion) = &self.suggestion {
            write!(f, "; did you mean `{suggestion}`?")?;
        }
        if self.known.is_empty() {
            return f.write_str(" (none is known here)");
        }
        let shown = &self.known[..self.known.len().min(KNOWN_SHOWN_MAX)];
        let more = if shown.len() < self.known.len() { ", …" } else { "" };
        write!(f, " (known: {}{more})", shown.join(", "))
    }
}

/// The candidate that differs from `name` by the fewest slips of the finger, when those are few for its length.
/// Letter case and `-` against `_` do not count.
#[must_use]
pub fn nearest<'a>(name: &str, candidates: &[&'a str]) -> Option<&'a str> {
    let wanted = fold(name)?;
    let (slips, best) = candidates
        .iter()
        .take(CANDIDATES_MAX)
        .filter_map(|&candidate| Some((strsim::damerau_levenshtein(&wanted, &fold(candidate)?), candidate)))
        .min_by_key(|(slips, _)| *slips)?;
    let allowed = (wanted.chars().count().max(best.chars().count()) / 3).max(1);
    (slips <= allowed).then_some(best)
}

fn fold(name: &str) -> Option<String> {
    let short = name.chars().nth(COMPARED_CHARS_MAX).is_none();
    short.then(|| name.to_lowercase().replace('-', "_"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_of_the_finger_are_recognised() {
        let known = ["filter", "select", "with_columns", "plugin"];
        assert_eq!(nearest("filtre", &known), Some("filter"));
        assert_eq!(nearest("with-column", &known), Some("with_columns"));
        assert_eq!(nearest("PLUGIN", &known), Some("plugin"));
        assert_eq!(nearest("from", &known), None);
        assert_eq!(nearest(&"f".repeat(100_000), &known), None);
        assert_eq!(nearest("a", &[]), None);
    }

    #[test]
    fn message_lists_what_is_known() {
        let unknown = Unknown::new("key", "filtre", &["filter", "plugin"]);
        assert_eq!(unknown.to_string(), "unknown key `filtre`; did you mean `filter`? (known: filter, plugin)");
        let many: Vec<String> = (0..40).map(|n| format!("column_{n}")).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        assert!(Unknown::new("key", "zzz", &many).to_string().ends_with("column_23, …)"));
    }
}
