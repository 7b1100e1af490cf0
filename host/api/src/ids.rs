//! Names and numbers that identify the parts of a job.

use std::fmt;
use std::sync::Arc;

/// A name that is not `[a-z][a-z0-9_-]*` of at most 64 bytes.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is not a name: use a lower-case letter, then letters, digits, `_` or `-`, at most {NAME_BYTES_MAX} in all"
)]
pub struct InvalidName(String);

/// The longest name, in bytes: names become metric labels, folder names and state keys.
const NAME_BYTES_MAX: usize = 64;

fn check(name: &str) -> Result<(), InvalidName> {
    let mut bytes = name.bytes();
    let starts_well = bytes.next().is_some_and(|b| b.is_ascii_lowercase());
    let goes_on_well = bytes.all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_' || b == b'-');
    if starts_well && goes_on_well && name.len() <= NAME_BYTES_MAX {
        Ok(())
    } else {
        Err(InvalidName(name.chars().take(NAME_BYTES_MAX + 16).collect()))
    }
}

macro_rules! name_type {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Arc<str>);

        impl $name {
            /// Checks and takes a name.
            ///
            /// # Errors
            /// When it is not `[a-z][a-z0-9_-]*` of at most 64 bytes.
            pub fn new(name: &str) -> Result<Self, InvalidName> {
                check(name)?;
                Ok(Self(name.into()))
            }

            /// The name as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&*self.0, f)
            }
        }
    };
}

name_type! {
    /// The name of a source, operator or sink: unique in its pipeline, and the `uid` under which its state is kept.
    NodeName
}

name_type! {
    /// The name of an output of a node: `out` (the main one), `errors`, or one that a plugin declares.
    PortName
}

impl PortName {
    /// The main output, which `from: node` without a port means.
    #[must_use]
    pub fn main() -> Self {
        Self("out".into())
    }

    /// Where refused rows go.
    #[must_use]
    pub fn errors() -> Self {
        Self("errors".into())
    }
}

/// One of the parallel instances of a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct SubtaskId {
    /// Counted from 0; less than `parallelism`.
    pub index: u32,
    /// How many instances the node has; at least 1.
    pub parallelism: u32,
}

impl SubtaskId {
    /// The only instance of a node that has one.
    pub const SINGLE: Self = Self { index: 0, parallelism: 1 };
}

/// The number of a checkpoint interval. Epochs ascend and are never used twice in the life of a job (design §6).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Epoch(pub u64);

impl fmt::Display for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_checked() {
        for good in ["a", "flights", "enriched-2", "late_rows"] {
            assert!(NodeName::new(good).is_ok(), "{good}");
        }
        let long = "a".repeat(65);
        for bad in ["", "A", "2a", "-a", "a.b", "a b", "ä", long.as_str()] {
            assert!(NodeName::new(bad).is_err(), "{bad}");
        }
    }
}
