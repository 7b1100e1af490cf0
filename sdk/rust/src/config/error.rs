//! Why a configuration was refused, with the key that was wrong.

use std::fmt::{self, Display};

use serde::de::{self, Expected, Unexpected};

use crate::text::{Quoted, Whole};

/// The reason, and the way from the outermost value to where it is. In a box, because results are passed on through many
/// hands.
#[derive(Debug)]
pub(super) struct Error(Box<Failed>);

#[derive(Debug)]
struct Failed {
    path: String,
    reason: String,
}

impl Error {
    /// The text is not JSON here.
    pub(super) fn syntax(at: usize, wanted: &str) -> Self {
        de::Error::custom(format_args!("not JSON at byte {at}: {wanted}"))
    }

    /// What went wrong, went wrong inside the value of this key.
    pub(super) fn under_key(mut self, key: &str) -> Self {
        self.under(key);
        self
    }

    /// What went wrong, went wrong inside this item of a list.
    pub(super) fn under_index(mut self, index: usize) -> Self {
        self.under(&format!("[{index}]"));
        self
    }

    fn under(&mut self, part: &str) {
        let path = &mut self.0.path;
        if !path.is_empty() && !path.starts_with('[') {
            path.insert(0, '.');
        }
        path.insert_str(0, part);
    }

    #[cold]
    #[inline(never)]
    fn new(reason: &dyn Display) -> Self {
        Self(Box::new(Failed { path: String::new(), reason: format!("{reason}") }))
    }
}

impl Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.0.path.is_empty() {
            f.write_str(&self.0.path)?;
            f.write_str(": ")?;
        }
        f.write_str(&self.0.reason)
    }
}

impl std::error::Error for Error {}

impl de::Error for Error {
    fn custom<T: Display>(reason: T) -> Self {
        Self::new(&reason)
    }

    fn invalid_type(found: Unexpected<'_>, wanted: &dyn Expected) -> Self {
        Self::custom(format_args!("invalid type: {}, expected {wanted}", Found(found)))
    }

    fn invalid_value(found: Unexpected<'_>, wanted: &dyn Expected) -> Self {
        Self::custom(format_args!("invalid value: {}, expected {wanted}", Found(found)))
    }
}

/// As serde prints it, but for floats: printing them would be a fifth of a small component.
struct Found<'a>(Unexpected<'a>);

impl Display for Found<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Unexpected::Bool(value) => write!(f, "boolean `{value}`"),
            Unexpected::Unsigned(value) => write!(f, "integer `{}`", Whole(value.into())),
            Unexpected::Signed(value) => write!(f, "integer `{}`", Whole(value.into())),
            Unexpected::Float(_) => f.write_str("floating point number"),
            Unexpected::Str(value) => write!(f, "string {}", Quoted(value)),
            Unexpected::Unit => f.write_str("null"),
            Unexpected::Seq => f.write_str("sequence"),
            Unexpected::Map => f.write_str("map"),
            Unexpected::Other(what) => f.write_str(what),
            _ => f.write_str("another kind of value"),
        }
    }
}
