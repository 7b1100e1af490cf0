//! Sizes and durations as people write them: `64MiB`, `200ms`.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{self, Deserialize, Deserializer, Visitor};
use serde::{Serialize, Serializer};

/// A number of bytes: `64MiB`, `1.5GB`, or a plain number. `KiB`, `MiB`, `GiB` count in 1,024s and `KB`, `MB`, `GB` in
/// 1,000s.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ByteCount(pub u64);

impl ByteCount {
    /// That many mebibytes.
    #[must_use]
    pub const fn mebibytes(count: u64) -> Self {
        Self(count * 1024 * 1024)
    }
}

impl FromStr for ByteCount {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let size: bytesize::ByteSize =
            text.parse().map_err(|_| format!("`{text}` is not a size: write one like `64MiB` or `1GB`"))?;
        Ok(Self(size.as_u64()))
    }
}

/// The exact count in the largest unit that divides it.
impl fmt::Display for ByteCount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (unit, shift) in [("GiB", 30), ("MiB", 20), ("KiB", 10)] {
            if self.0 >= 1 << shift && self.0.trailing_zeros() >= shift {
                return write!(f, "{}{unit}", self.0 >> shift);
            }
        }
        write!(f, "{}B", self.0)
    }
}

/// A length of time with its unit: `200ms`, `10s`, `1h 30m`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TimeSpan(pub Duration);

impl FromStr for TimeSpan {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match humantime::parse_duration(text) {
            Ok(duration) => Ok(Self(duration)),
            Err(_) if !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()) => {
                Err(format!("`{text}` has no unit: write `{text}ms` or `{text}s`"))
            }
            Err(_) => Err(format!("`{text}` is not a length of time: write one like `200ms`, `10s` or `1h 30m`")),
        }
    }
}

impl fmt::Display for TimeSpan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        humantime::format_duration(self.0).fmt(f)
    }
}

macro_rules! written_as_text {
    ($type:ident, $expecting:literal, $pattern:literal, $description:literal) => {
        impl Serialize for $type {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                struct Text;

                impl Visitor<'_> for Text {
                    type Value = $type;

                    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                        f.write_str($expecting)
                    }

                    fn visit_str<E: de::Error>(self, text: &str) -> Result<$type, E> {
                        text.parse().map_err(E::custom)
                    }
                }

                deserializer.deserialize_str(Text)
            }
        }

        impl JsonSchema for $type {
            fn schema_name() -> Cow<'static, str> {
                stringify!($type).into()
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!({ "type": ["string", "integer"], "pattern": $pattern, "description": $description })
            }
        }
    };
}

written_as_text!(ByteCount, "a size like `64MiB`", r"^[0-9.]+\s*[A-Za-z]*$", "A size: `64MiB`, `1GB`, or bytes.");
written_as_text!(TimeSpan, "a length of time like `200ms`", r"^[0-9]", "A length of time: `200ms`, `10s`, `1h 30m`.");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes() {
        for (text, bytes, shown) in [
            ("64MiB", 64 << 20, "64MiB"),
            ("64 MiB", 64 << 20, "64MiB"),
            ("1MB", 1_000_000, "1000000B"),
            ("1536KiB", 1536 << 10, "1536KiB"),
            ("512", 512, "512B"),
            ("2GiB", 2 << 30, "2GiB"),
            ("0", 0, "0B"),
        ] {
            let count: ByteCount = text.parse().unwrap();
            assert_eq!(count, ByteCount(bytes), "{text}");
            assert_eq!(count.to_string(), shown);
            assert_eq!(shown.parse(), Ok(count));
        }
        for bad in ["", "MiB", "64 apples", "-1MiB"] {
            assert!(bad.parse::<ByteCount>().unwrap_err().contains("`64MiB`"), "{bad}");
        }
    }

    #[test]
    fn lengths_of_time() {
        for (text, millis, shown) in [("200ms", 200, "200ms"), ("10s", 10_000, "10s"), ("1h 30m", 5_400_000, "1h 30m")]
        {
            let span: TimeSpan = text.parse().unwrap();
            assert_eq!(span, TimeSpan(Duration::from_millis(millis)));
            assert_eq!(span.to_string(), shown);
        }
        assert!("200".parse::<TimeSpan>().unwrap_err().contains("`200ms`"));
        assert!("soon".parse::<TimeSpan>().unwrap_err().contains("like `200ms`"));
    }
}
