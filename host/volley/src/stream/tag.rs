//! Names of side outputs.

use std::fmt;

/// The name of a side output, for whoever puts it out and whoever reads it: a port that a plugin declares, or the late rows
/// of a window.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct OutputTag(String);

impl OutputTag {
    /// A tag of that name: a lower-case letter, then letters, digits, `_` or `-`, which is checked with the plan.
    #[must_use]
    pub fn new(name: impl Into<String>) -> Self {
        Self(name.into())
    }

    /// The name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for OutputTag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
