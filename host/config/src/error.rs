//! What can be wrong with a pipeline file, where, and what to do about it.

use std::fmt;

use volley_api::InvalidName;

use crate::place::{Place, Position};
use crate::suggest::Unknown;

/// How many errors are shown at once; a file with more usually has one cause.
const ERRORS_SHOWN_MAX: usize = 20;
/// The longest piece of a source line that an error quotes, in characters.
const QUOTED_CHARS_MAX: usize = 110;
/// The longest piece of a value that an error shows, in characters.
const VALUE_CHARS_MAX: usize = 80;
/// A shorter value is hidden only where it is quoted: it is no secret, and may be a part of another word.
const SECRET_BYTES_MIN: usize = 4;

/// What is wrong, in words that name the value seen and the fix.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Problem {
    /// The text is not YAML.
    #[error("this is not YAML: {0}")]
    Syntax(String),
    /// A bound of the reader is exceeded: text, depth, number of values.
    #[error("{what}: {seen}, at most {max} are allowed")]
    TooMuch {
        /// What was counted.
        what: &'static str,
        /// How many there were when counting stopped.
        seen: usize,
        /// The bound.
        max: usize,
    },
    /// A feature of YAML that a pipeline file may not use.
    #[error("{what} are not allowed in a pipeline file: {instead}")]
    YamlFeature {
        /// The feature, in the plural.
        what: &'static str,
        /// What to write instead.
        instead: &'static str,
    },
    /// A key stands twice in one mapping.
    #[error("the key `{key}` stands here a second time; the first is on line {first_line}")]
    DuplicateKey {
        /// The key.
        key: String,
        /// The line of the first one, from 1.
        first_line: usize,
    },
    /// A key, node or value that nobody knows.
    #[error("{0}")]
    Unknown(Unknown),
    /// A key that must be there and is not.
    #[error("the key `{0}` is missing")]
    Missing(String),
    /// A value of another type or outside its limits.
    #[error("{0}")]
    Value(String),
    /// A name that is not one.
    #[error(transparent)]
    Name(#[from] InvalidName),
    /// A `${…}` that cannot be substituted.
    #[error("{0}")]
    Substitution(String),
    /// The nodes do not form a pipeline.
    #[error("{0}")]
    Graph(String),
    /// What somebody else found wrong with a value of this file.
    #[error("{0}")]
    Other(String),
}

/// A value in backquotes: on one line, and cut when it is long.
pub(crate) fn quoted(value: &str) -> String {
    let line = value.chars().take(VALUE_CHARS_MAX).map(visible).collect::<String>();
    let more = if value.chars().nth(VALUE_CHARS_MAX).is_some() { "…" } else { "" };
    format!("`{line}{more}`")
}

impl Problem {
    /// The same problem with the text of a substituted value replaced by the reference that it came from.
    pub(crate) fn hide(self, value: &str, written: &str) -> Self {
        match self {
            Self::Value(message) => {
                let message = message.replace(&quoted(value), &format!("`{written}`"));
                let secret = value.len() >= SECRET_BYTES_MIN;
                Self::Value(if secret { message.replace(value, written) } else { message })
            }
            Self::Unknown(unknown) => Self::Unknown(Unknown { name: written.to_owned(), ..unknown }),
            other => other,
        }
    }
}

/// One thing that is wrong, and where.
///
/// `Display` is one line, `file:line:column: path: message`; [`ConfigError::report`] adds the line of the file.
#[derive(Debug, Clone)]
pub struct ConfigError(Box<(Place, Problem)>);

impl ConfigError {
    pub(crate) fn new(place: Place, problem: Problem) -> Self {
        Self(Box::new((place, problem)))
    }

    /// Where it is.
    #[must_use]
    pub fn place(&self) -> &Place {
        &self.0.0
    }

    /// What it is.
    #[must_use]
    pub fn problem(&self) -> &Problem {
        &self.0.1
    }

    /// The error followed by the line of the file that it is about, a caret below the character.
    #[must_use]
    pub fn report(&self) -> String {
        match frame(self.place()) {
            Some(frame) => format!("{self}\n{frame}"),
            None => self.to_string(),
        }
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place(), self.problem())
    }
}

impl std::error::Error for ConfigError {}

impl From<ConfigError> for volley_api::Error {
    fn from(error: ConfigError) -> Self {
        Self::config(error.to_string()).caused_by(error)
    }
}

fn frame(place: &Place) -> Option<String> {
    let Position { line, column } = place.position()?;
    let text = place.document.line(line)?;
    let first = column.saturating_sub(QUOTED_CHARS_MAX);
    let quoted: String = text.chars().skip(first).take(QUOTED_CHARS_MAX).map(visible).collect();
    let number = line.to_string();
    let margin = " ".repeat(number.len());
    let indent = " ".repeat(column.saturating_sub(first + 1));
    Some(format!("{number} | {}\n{margin} | {indent}^", quoted.trim_end()))
}

/// Control characters would move the cursor of a terminal, and tabs the caret.
fn visible(c: char) -> char {
    if c.is_control() { ' ' } else { c }
}

/// Everything that was found wrong with a file, in the order of its lines. Never empty.
#[derive(Debug, Clone)]
pub struct ConfigErrors(Vec<ConfigError>);

impl ConfigErrors {
    /// The errors, one at least.
    #[must_use]
    pub fn errors(&self) -> &[ConfigError] {
        &self.0
    }

    /// Every error with the line that it is about.
    #[must_use]
    pub fn report(&self) -> String {
        self.join(ConfigError::report)
    }

    fn join(&self, show: impl Fn(&ConfigError) -> String) -> String {
        let mut lines: Vec<String> = self.0.iter().take(ERRORS_SHOWN_MAX).map(show).collect();
        if self.0.len() > ERRORS_SHOWN_MAX {
            lines.push(format!("… and {} more", self.0.len() - ERRORS_SHOWN_MAX));
        }
        lines.join("\n")
    }
}

impl fmt::Display for ConfigErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.join(ConfigError::to_string))
    }
}

impl std::error::Error for ConfigErrors {}

impl From<ConfigError> for ConfigErrors {
    fn from(error: ConfigError) -> Self {
        Self(vec![error])
    }
}

impl From<ConfigErrors> for volley_api::Error {
    fn from(errors: ConfigErrors) -> Self {
        Self::config(errors.to_string()).caused_by(errors)
    }
}

/// Where errors are gathered, so that one run shows as many as possible.
#[derive(Debug, Default)]
pub(crate) struct Findings(Vec<ConfigError>);

impl Findings {
    pub(crate) fn push(&mut self, place: &Place, problem: Problem) {
        self.0.push(place.problem(problem));
    }

    /// The value, or none and the error noted.
    pub(crate) fn note<T>(&mut self, result: Result<T, ConfigError>) -> Option<T> {
        result.map_err(|error| self.0.push(error)).ok()
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// What was found, sorted by line; `value` when nothing was.
    pub(crate) fn finish<T>(mut self, value: T) -> Result<T, ConfigErrors> {
        if self.0.is_empty() {
            return Ok(value);
        }
        self.0.sort_by_key(|error| (error.place().position().is_none(), error.place().position()));
        Err(ConfigErrors(self.0))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::place::Document;

    fn place(text: &str, line: usize, column: usize) -> Place {
        let document = Document { name: "p.yaml".to_owned(), text: Some(text.to_owned()) };
        Place::root(Arc::new(document)).below("a", Some(Position { line, column }))
    }

    #[test]
    fn report_points_at_the_character() {
        let error = place("x: 1\n\ta: ä b\n", 2, 7).error("bad");
        assert_eq!(error.report(), "p.yaml:2:7: a: bad\n2 |  a: ä b\n  |       ^");
    }

    #[test]
    fn long_lines_are_cut_around_the_caret() {
        let error = place(&"x".repeat(10_000), 1, 5_000).error("bad");
        let report = error.report();
        assert!(report.len() < 400, "{report}");
        assert!(report.ends_with('^'));
    }

    #[test]
    fn many_errors_are_cut() {
        let mut findings = Findings::default();
        for line in (1..=30).rev() {
            findings.push(&place("", line, 1), Problem::Other("bad".to_owned()));
        }
        let errors = findings.finish(()).unwrap_err();
        let text = errors.to_string();
        assert!(text.starts_with("p.yaml:1:1: a: bad\np.yaml:2:1"), "{text}");
        assert!(text.ends_with("… and 10 more"), "{text}");
        let error = volley_api::Error::from(errors);
        assert_eq!(error.kind(), volley_api::ErrorKind::Config);
        assert_eq!(error.report(), text);
    }
}
