//! Event time, keys, windows and aggregates, as the pipeline file says them: each key with its meaning, unit and default.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::time::Duration;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize, Serializer};
use volley_api::PortName;

use crate::place::{Located, Place};
use crate::spec::{Expression, NamedExpressions};
use crate::units::TimeSpan;

/// Keys of `event_time` of which exactly one says how watermarks follow.
pub(crate) const WATERMARK_KEYS: [&str; 3] = ["max_out_of_orderness", "strategy", "watermark_column"];
/// The other keys of `event_time`.
pub(crate) const EVENT_TIME_KEYS: [&str; 3] = ["column", "idle_after", "ordered"];
/// Keys of `window` of which exactly one says how rows are cut.
pub(crate) const WINDOW_KINDS: [&str; 4] = ["tumbling", "sliding", "session", "count"];
/// The other keys of `window`.
pub(crate) const WINDOW_KEYS: [&str; 2] = ["allowed_lateness", "late"];
/// The keys of `window.sliding`.
pub(crate) const SLIDING_KEYS: [&str; 2] = ["size", "slide"];
/// The keys of `dedupe`.
pub(crate) const DEDUPE_KEYS: [&str; 2] = ["by", "within"];

const CENTURY: TimeSpan = TimeSpan(Duration::from_secs(100 * 31_557_600));
/// Event time counts in milliseconds; longer than a century is a slip of the pen.
pub(crate) const WINDOW_LIMITS: (TimeSpan, TimeSpan) = (TimeSpan(Duration::from_millis(1)), CENTURY);
/// The same where nothing at all makes sense too.
pub(crate) const LATENESS_LIMITS: (TimeSpan, TimeSpan) = (TimeSpan(Duration::ZERO), CENTURY);
/// The most rows of one window of rows.
pub(crate) const WINDOW_ROWS_MAX: u32 = 1_000_000_000;
/// The most columns of a key.
pub(crate) const KEY_COLUMNS_MAX: usize = 100;

/// The event time of a source's rows, and how it is concluded that no earlier row follows. Exactly one of
/// `max_out_of_orderness`, `strategy` and `watermark_column` is there. A row without an event time goes to the source's
/// `errors` port, or stops the job when nobody reads that.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct EventTimeSpec {
    /// The column that holds it: a timestamp, a date, or `Int64` in milliseconds since 1970.
    #[schemars(length(min = 1))]
    pub column: Located<String>,
    /// How watermarks follow from rows.
    #[serde(flatten)]
    pub watermark: WatermarkSpec,
    /// After how long without rows a file or partition is no longer waited for: 1ms to 100 years. Counted only while it was
    /// asked and had nothing. Default: it is waited for until it ends.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub idle_after: Option<TimeSpan>,
    /// Whether files or partitions follow each other in time, so that one that was not opened yet cannot hold earlier rows.
    /// Otherwise such a one holds the watermark back. Default: false.
    #[serde(skip_serializing_if = "is_false")]
    #[schemars(default)]
    pub ordered: bool,
    /// Where it stands.
    #[serde(skip)]
    pub place: Place,
}

impl PartialEq for EventTimeSpec {
    fn eq(&self, other: &Self) -> bool {
        let both = |spec: &Self| (spec.idle_after, spec.ordered);
        self.column == other.column && self.watermark == other.watermark && both(self) == both(other)
    }
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde hands a reference over")]
fn is_false(value: &bool) -> bool {
    !value
}

/// How the watermark of a file or partition follows from the rows that it has given.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum WatermarkSpec {
    /// No row is more than this behind the latest one so far: 0s to 100 years.
    MaxOutOfOrderness(TimeSpan),
    /// How times go on.
    Strategy(Strategy),
    /// The watermark is the greatest value so far of this column, of the same types as `column`.
    WatermarkColumn(#[schemars(length(min = 1))] Located<String>),
}

/// How times go on from row to row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Strategy {
    /// Event times never descend.
    Monotonous,
}

/// Aggregates the rows of each key, within windows: `key_by`, perhaps `window`, and `aggregate`.
///
/// The results have the keys, `window_start` and `window_end` (of windows of time), the aggregates, and `revision` where
/// late rows are allowed.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct AggregateSpec {
    /// The columns in which rows must agree to be aggregated together: a name or a list.
    #[serde(serialize_with = "names")]
    #[schemars(with = "Names")]
    pub key_by: Vec<Located<String>>,
    /// How the rows of a key are cut into windows. Default: one window for all of them, which ends with the input.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "WindowSpec", default)]
    pub window: Option<WindowSpec>,
    /// The results by name, each one call of an aggregate: `count(*)`, `avg(dep_delay)`.
    #[schemars(with = "BTreeMap<String, Expression>", extend("minProperties" = 1))]
    pub aggregate: NamedExpressions,
}

/// How the rows of a key are cut into windows: exactly one of `tumbling`, `sliding`, `session` and `count`. Windows of time
/// need `event_time` at the sources, and are aligned to 1970-01-01T00:00:00Z.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct WindowSpec {
    /// Where one window ends and the next begins.
    #[serde(flatten)]
    pub kind: WindowKind,
    /// Rows that come at most this long after their window was put out still count: the result of their key is put out
    /// again with the next `revision`. 0s to 100 years, for windows of time. Default: 0s.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub allowed_lateness: Option<TimeSpan>,
    /// The port that rows leave by that come too late, for windows of time. Default: they are counted and dropped.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "port")]
    #[schemars(with = "Option<String>", regex(pattern = "^[a-z][a-z0-9_-]{0,63}$"))]
    pub late: Option<PortName>,
}

/// Where one window ends and the next begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum WindowKind {
    /// Windows of this size, one behind the other: 1ms to 100 years.
    Tumbling(TimeSpan),
    /// Windows of one size, of which one begins at every slide.
    Sliding(SlidingSpec),
    /// For each key from its first row to one after which nothing came for this long: 1ms to 100 years.
    Session(TimeSpan),
    /// For each key so many rows, in the order in which they come: 1 to 1,000,000,000.
    Count(#[schemars(range(min = 1, max = 1_000_000_000))] NonZeroU32),
}

impl WindowKind {
    /// Whether rows are cut by their event time.
    #[must_use]
    pub fn is_of_time(&self) -> bool {
        !matches!(self, Self::Count(_))
    }
}

/// Windows of one size, of which one begins at every slide.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct SlidingSpec {
    /// The size: 1ms to 100 years.
    pub size: TimeSpan,
    /// From one beginning to the next: 1ms to the size.
    pub slide: TimeSpan,
}

/// Keeps the first row of each key, and drops those whose event time is near that of one that was kept. Needs `event_time`
/// at the sources.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct DedupeSpec {
    /// The columns in which rows must agree to be the same: a name or a list.
    #[serde(serialize_with = "names")]
    #[schemars(with = "Names")]
    pub by: Vec<Located<String>>,
    /// Less than this apart, before or after, a row is a repeat: 1ms to 100 years. A key is forgotten when the watermark is
    /// this far past it.
    pub within: TimeSpan,
}

/// The schema of one column name or a list of them.
pub(crate) struct Names;

impl JsonSchema for Names {
    fn schema_name() -> Cow<'static, str> {
        "Names".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let one = json_schema!({ "type": "string", "minLength": 1 });
        json_schema!({
            "description": "A column's name, or a list of them.",
            "anyOf": [one, { "type": "array", "items": one, "minItems": 1, "uniqueItems": true }]
        })
    }
}

pub(crate) fn names<S: Serializer>(names: &[Located<String>], serializer: S) -> Result<S::Ok, S::Error> {
    match names {
        [one] => one.serialize(serializer),
        several => serializer.collect_seq(several),
    }
}

#[allow(clippy::ref_option, reason = "serde hands a reference over")]
fn port<S: Serializer>(port: &Option<PortName>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(port.as_ref().map_or("", PortName::as_str))
}
