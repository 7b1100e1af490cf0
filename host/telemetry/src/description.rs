//! What a metric is called, what it means and in which unit it counts.

use std::borrow::Cow;

/// How the numbers of a metric are to be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A sum that only grows. Its name ends in `_total`.
    Counter,
    /// A number that goes up and down.
    Gauge,
    /// How many observations fell below each of some bounds, how many there were, and their sum.
    Histogram,
    /// How many observations there were, and their sum.
    Summary,
}

impl Kind {
    /// The word of a `# TYPE` line.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
            Self::Summary => "summary",
        }
    }

    /// What is put behind the name of the metric in the names of its lines.
    pub(crate) const fn suffixes(self) -> &'static [&'static str] {
        match self {
            Self::Counter | Self::Gauge => &[""],
            Self::Histogram => &["_bucket", "_sum", "_count"],
            Self::Summary => &["_sum", "_count"],
        }
    }
}

/// In what a metric counts. Names end in it (before `_total`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// Things: rows, calls.
    Count,
    /// Bytes.
    Bytes,
    /// Milliseconds. Handles count them in whole nanoseconds, and the page shows milliseconds.
    Milliseconds,
    /// Seconds. Handles count them in whole nanoseconds, and the page shows seconds.
    Seconds,
}

impl Unit {
    /// What one step of a handle is worth on the page.
    pub(crate) const fn divisor(self) -> Option<f64> {
        match self {
            Self::Count | Self::Bytes => None,
            Self::Milliseconds => Some(1e6),
            Self::Seconds => Some(1e9),
        }
    }

    const fn suffix(self) -> &'static str {
        match self {
            Self::Count => "",
            Self::Bytes => "_bytes",
            Self::Milliseconds => "_ms",
            Self::Seconds => "_seconds",
        }
    }
}

/// A metric as its crate lists it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Description {
    /// The name: `[a-zA-Z_:][a-zA-Z0-9_:]*`.
    pub name: Cow<'static, str>,
    /// What it counts, in a sentence.
    pub help: Cow<'static, str>,
    /// How it is to be read.
    pub kind: Kind,
    /// In what it counts.
    pub unit: Unit,
    /// The names of its labels: `[a-zA-Z_][a-zA-Z0-9_]*`, without `le` and `quantile`.
    pub labels: &'static [&'static str],
}

impl Description {
    /// A metric of a list.
    #[must_use]
    pub const fn new(
        kind: Kind,
        unit: Unit,
        name: &'static str,
        labels: &'static [&'static str],
        help: &'static str,
    ) -> Self {
        Self { name: Cow::Borrowed(name), help: Cow::Borrowed(help), kind, unit, labels }
    }

    /// What is wrong with it, for the test of the list that it stands in.
    #[must_use]
    pub fn problem(&self) -> Option<String> {
        let Self { name, .. } = self;
        let stem = name.strip_suffix("_total");
        let problem = if !is_metric_name(name) {
            "is no name of a metric"
        } else if (self.kind == Kind::Counter) != stem.is_some() {
            "ends in `_total` if and only if it is a counter"
        } else if !stem.unwrap_or(name).ends_with(self.unit.suffix()) && self.unit.divisor().is_some() {
            "counts time and does not say in which unit"
        } else if self.help.is_empty() {
            "has no help"
        } else if !self.labels.iter().all(|label| is_label_name(label)) {
            "has a label whose name is none"
        } else {
            return None;
        };
        Some(format!("{name} {problem}"))
    }
}

/// Whether a metric may be called so.
pub(crate) fn is_metric_name(name: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b':';
    !name.is_empty() && !name.as_bytes()[0].is_ascii_digit() && name.bytes().all(plain)
}

/// Whether a label may be called so; the two that the format itself uses may not.
fn is_label_name(name: &str) -> bool {
    is_metric_name(name) && !name.contains(':') && !matches!(name, "le" | "quantile")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_follow_the_habits_of_the_format() {
        let of = |kind, unit, name, labels| Description::new(kind, unit, name, labels, "Help.").problem();
        assert_eq!(of(Kind::Counter, Unit::Count, "volley_x_total", &["a"]), None);
        assert_eq!(of(Kind::Counter, Unit::Seconds, "volley_x_seconds_total", &[]), None);
        assert_eq!(of(Kind::Histogram, Unit::Seconds, "volley_x_seconds", &[]), None);
        assert_eq!(of(Kind::Histogram, Unit::Milliseconds, "volley_x_ms", &[]), None);
        let bad: [(Kind, Unit, &'static str, &'static [&'static str], &str); 8] = [
            (Kind::Counter, Unit::Count, "volley_x", &[], "_total"),
            (Kind::Gauge, Unit::Count, "volley_x_total", &[], "_total"),
            (Kind::Gauge, Unit::Seconds, "volley_x", &[], "which unit"),
            (Kind::Histogram, Unit::Milliseconds, "volley_x_seconds", &[], "which unit"),
            (Kind::Gauge, Unit::Count, "9x", &[], "no name"),
            (Kind::Gauge, Unit::Count, "", &[], "no name"),
            (Kind::Gauge, Unit::Count, "x", &["le"], "label"),
            (Kind::Gauge, Unit::Count, "x", &["a:b"], "label"),
        ];
        for (kind, unit, name, labels, words) in bad {
            let problem = of(kind, unit, name, labels).expect(name);
            assert!(problem.contains(words), "{problem} should say {words}");
        }
        assert!(Description::new(Kind::Gauge, Unit::Count, "x", &[], "").problem().is_some());
    }
}
