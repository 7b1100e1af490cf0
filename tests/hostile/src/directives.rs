//! What the lines of `;;!` say of a guest.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::case::Stage;

/// Limits that differ from those of the suite, see `Case::limits`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    pub(crate) memory: Option<usize>,
    pub(crate) deadline_ms: Option<u64>,
    pub(crate) open_deadline_ms: Option<u64>,
    pub(crate) output_bytes: Option<usize>,
    pub(crate) output_rows: Option<usize>,
    pub(crate) rows_per_row: Option<usize>,
    pub(crate) transfer: Option<usize>,
    pub(crate) restarts: Option<usize>,
}

/// What the lines of `;;!` say. They are TOML.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Directives {
    /// What the guest tries, for people.
    pub(crate) tries: String,
    /// Where it is stopped.
    #[serde(default = "at_the_end")]
    pub(crate) ends: Stage,
    /// Words that the error must have.
    #[serde(default)]
    pub(crate) says: Vec<String>,
    /// Reasons that are counted, and how often; no other may be.
    #[serde(default)]
    pub(crate) counted: BTreeMap<String, Count>,
    /// Refused rows, as `row code`, when it matters.
    pub(crate) refused: Option<Vec<String>>,
    /// Rows that leave through the main port, when it matters.
    pub(crate) rows_out: Option<usize>,
    /// Words that the log must have.
    #[serde(default)]
    pub(crate) logs: Vec<String>,
    /// The kind of operator.
    #[serde(default = "filter")]
    pub(crate) kind: String,
    /// States of kind `value` that a process declares: names, and columns as in `writes`.
    #[serde(default)]
    pub(crate) states: Vec<(String, Vec<String>)>,
    /// Maps that it declares behind them: names, columns of the keys and of the values.
    #[serde(default)]
    pub(crate) maps: Vec<(String, Vec<String>, Vec<String>)>,
    /// Lists that it declares behind these, as `states`.
    #[serde(default)]
    pub(crate) lists: Vec<(String, Vec<String>)>,
    /// Sums that it declares behind these, as `states`: each column is added up.
    #[serde(default)]
    pub(crate) sums: Vec<(String, Vec<String>)>,
    /// The same as `states`, as the process declared them that was there before it and has left a checkpoint.
    #[serde(default)]
    pub(crate) earlier: Vec<(String, Vec<String>)>,
    /// How many instances there are; this is the first of them.
    #[serde(default = "one")]
    pub(crate) instances: u32,
    /// What a codec does.
    #[serde(default)]
    pub(crate) drive: Drive,
    /// Of a codec that reads messages: words of the error with which it ends where it is given the same as pieces of a file.
    /// Without any it goes well.
    #[serde(default)]
    pub(crate) in_a_file: Vec<String>,
    /// State that all of the job may have, in bytes, other than the suite's.
    pub(crate) state_bytes: Option<usize>,
    /// Whether the job stops whatever `on_error` says, because it is no row that is to blame.
    #[serde(default)]
    pub(crate) always: bool,
    /// Columns that `open` says it reads.
    #[serde(default = "reads_x")]
    pub(crate) reads: Vec<String>,
    /// Columns that `open` says it writes, as `name: Type`. One `y: Int64` unless told.
    pub(crate) writes: Option<Vec<String>>,
    /// Whether they replace the input's.
    #[serde(default)]
    pub(crate) replaces: bool,
    /// Columns of the canned message; those of `writes` unless told.
    pub(crate) sends: Option<Vec<String>>,
    /// Rows of the input.
    #[serde(default = "three")]
    pub(crate) rows: usize,
    /// Rows of the canned message; those of the input unless told.
    pub(crate) sends_rows: Option<usize>,
    /// The row of the input that has [`crate::component::POISON`] as `x`.
    pub(crate) poison: Option<usize>,
    /// Bytes of the input's text in each row, instead of a few.
    pub(crate) long_text: Option<usize>,
    /// Functions of the host that it imports.
    #[serde(default)]
    pub(crate) imports: Vec<String>,
    /// Whether it may import WASI, as a filter that a toolchain has filled with it.
    #[serde(default)]
    pub(crate) wasi: bool,
    /// Pages of memory to begin with.
    pub(crate) pages: Option<u32>,
    /// The code is added to a good component, instead of making an operator.
    #[serde(default)]
    pub(crate) beside: bool,
    /// The file is these bytes, in hexadecimal.
    pub(crate) bytes: Option<String>,
    /// Only so many bytes of the component are there.
    pub(crate) cut: Option<usize>,
    /// The policy for refused rows: `fail` unless told.
    #[serde(default)]
    pub(crate) on_error: Policy,
    /// Compile it in a child process, in so many seconds of processor time at most.
    pub(crate) compile_seconds: Option<u64>,
    /// Limits other than the suite's.
    #[serde(default)]
    pub(crate) limits: Limits,
}

/// How often a reason is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
pub(crate) enum Count {
    Exactly(u64),
    /// As often as the machine is fast.
    Some(Many),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Many {
    Many,
}

#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Policy {
    #[default]
    Fail,
    DeadLetter,
    Skip,
}

/// What a codec does.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Drive {
    /// It reads messages.
    #[default]
    Messages,
    /// It reads pieces of a file.
    File,
    /// It writes.
    Encode,
}

fn at_the_end() -> Stage {
    Stage::End
}

fn filter() -> String {
    "filter".to_owned()
}

fn reads_x() -> Vec<String> {
    vec!["x".to_owned()]
}

fn three() -> usize {
    3
}

fn one() -> u32 {
    1
}
