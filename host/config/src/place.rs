//! Where something stands in the pipeline: a file, a line and a column, and the path of keys that leads there.

use std::borrow::Cow;
use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Serialize, Serializer};

use crate::error::{ConfigError, Problem};

/// A character of a text: line and column, both counted from 1; a column is a character, not a byte.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position {
    /// The line, from 1.
    pub line: usize,
    /// The character in the line, from 1.
    pub column: usize,
}

/// What was read: the name that errors show, and the text that they quote (none for a command line).
#[derive(Debug)]
pub(crate) struct Document {
    pub(crate) name: String,
    pub(crate) text: Option<String>,
}

impl Document {
    /// The text of a line counted from 1, without its end.
    pub(crate) fn line(&self, line: usize) -> Option<&str> {
        self.text.as_deref()?.lines().nth(line.checked_sub(1)?)
    }
}

/// Where a value stands: enough to say so in an error long after the file was read. Cheap to clone.
#[derive(Clone)]
pub struct Place {
    pub(crate) document: Arc<Document>,
    pub(crate) position: Option<Position>,
    pub(crate) path: Arc<str>,
}

impl Place {
    pub(crate) fn root(document: Arc<Document>) -> Self {
        Self { document, position: None, path: "".into() }
    }

    /// The same path at another character of the file.
    pub(crate) fn at(&self, position: Option<Position>) -> Self {
        Self { position, ..self.clone() }
    }

    /// The place of `key` (or list index) below this one.
    pub(crate) fn below(&self, key: impl fmt::Display, position: Option<Position>) -> Self {
        let path = if self.path.is_empty() { key.to_string() } else { format!("{}.{key}", self.path) };
        Self { document: Arc::clone(&self.document), position, path: path.into() }
    }

    pub(crate) fn problem(&self, problem: Problem) -> ConfigError {
        ConfigError::new(self.clone(), problem)
    }

    /// An error about what stands here, found by somebody who knows more than this crate: an expression that does not
    /// compile, a port that the plugin does not declare.
    #[must_use]
    pub fn error(&self, message: impl Into<String>) -> ConfigError {
        self.problem(Problem::Other(message.into()))
    }

    /// The name of the file, or what stands in its place (`command line`).
    #[must_use]
    pub fn origin(&self) -> &str {
        &self.document.name
    }

    /// Line and column; none for what does not come from a file.
    #[must_use]
    pub fn position(&self) -> Option<Position> {
        self.position
    }

    /// The keys that lead here, joined by dots: `operators.enriched.plugin`. Empty for the whole document.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.path
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.document.name)?;
        if let Some(Position { line, column }) = self.position {
            write!(f, ":{line}:{column}")?;
        }
        if !self.path.is_empty() {
            write!(f, ": {}", self.path)?;
        }
        Ok(())
    }
}

impl fmt::Debug for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Place({self})")
    }
}

/// A value and the place where it was written. Equal when the values are; written out as it stood in the file, so that
/// what came from `${…}` is not shown.
#[derive(Debug, Clone)]
pub struct Located<T> {
    /// The value, with everything substituted.
    pub value: T,
    /// Where it was written.
    pub place: Place,
    pub(crate) written: Option<String>,
}

impl<T> Deref for Located<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}

impl<T: PartialEq> PartialEq for Located<T> {
    fn eq(&self, other: &Self) -> bool {
        self.value == other.value
    }
}

impl<T: Serialize> Serialize for Located<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match &self.written {
            Some(written) => serializer.serialize_str(written),
            None => self.value.serialize(serializer),
        }
    }
}

impl<T: JsonSchema> JsonSchema for Located<T> {
    fn inline_schema() -> bool {
        T::inline_schema()
    }

    fn schema_name() -> Cow<'static, str> {
        T::schema_name()
    }

    fn schema_id() -> Cow<'static, str> {
        T::schema_id()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        T::json_schema(generator)
    }
}
