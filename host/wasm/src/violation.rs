//! Everything that a plugin can do wrong, each with the label under which it is counted.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};

/// Why a plugin was stopped, or something of it was dropped. Each is counted once per call that it happened in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Violation {
    /// It reached `unreachable`: with Rust, a panic or an abort.
    Unreachable,
    /// It read or wrote outside its memory or a table.
    OutOfBounds,
    /// It called itself too deep.
    StackOverflow,
    /// A call took more CPU time than it may.
    Deadline,
    /// It asked for more memory than it may have, and did not get over the refusal.
    Memory,
    /// It asked for larger tables than it may have, and did not get over the refusal.
    Table,
    /// All plugins of the host together have as much memory, or as many instances, as they may.
    HostBudget,
    /// It divided by zero or converted a number that does not fit.
    Arithmetic,
    /// It called an import at a time when the contract forbids it.
    ImportNotAllowed,
    /// It called `exit`.
    Exit,
    /// It held more handles than it may.
    Handles,
    /// It trapped for another reason.
    OtherTrap,
    /// It gave back a batch that the gate refuses.
    BadBatch,
    /// It gave back another number of rows than came in.
    WrongRows,
    /// Its bitmap is too short or too long.
    BadBitmap,
    /// Its rejects do not ascend, or are none of its rows.
    BadRejects,
    /// `open` agreed to what the contract does not allow.
    BadBinding,
    /// `open` gave two answers to one question.
    ImpureOpen,
    /// It declares keyed state that its world does not have, or that is none.
    StateDeclared,
    /// It broke the contract in another way.
    OtherContract,
    /// One call put out too many bytes.
    OutputBytes,
    /// One call put out too many rows.
    OutputRows,
    /// One row became too many rows, or too many bytes.
    Amplification,
    /// One call emitted too often.
    Emits,
    /// Too many bytes crossed in one call, both ways together.
    TransferBytes,
    /// A batch that it emitted was refused, and it was told so.
    EmitRefused,
    /// It named a state, a key or columns that it may not, and was told so.
    StateRefused,
    /// A value of state has too many bytes, or one call wrote too many.
    StateValue,
    /// One call read and wrote too many entries of state, or one key has too many.
    StateEntries,
    /// It named a key or a time for a timer that it may not, and was told so.
    TimerRefused,
    /// There are too many timers: of one key, in one call, or in all.
    Timers,
    /// It gave too many parts of its own state.
    SnapshotParts,
    /// It gave too many bytes of its own state.
    SnapshotBytes,
    /// It gave state of key groups that are not its own.
    SnapshotKeyGroup,
    /// It could not give its own state, or not take it over.
    SnapshotFailed,
    /// A call that was made again did something else, though it is said to be replayable.
    Diverged,
    /// It gave up: `fatal`.
    Fatal,
    /// It asked for the same call again too often.
    Retries,
    /// A line for the log was dropped: too many in one call, or in one second.
    LogLines,
    /// A line for the log was dropped: too many bytes in one call, or in one second.
    LogBytes,
    /// A number was dropped: too many names.
    MetricSeries,
    /// A number was dropped: a bad name, another kind than at first, or not a number.
    MetricName,
    /// It is no component, or damaged, or uses what is switched off.
    NotAComponent,
    /// It is no operator of a world that this host knows.
    UnknownWorld,
    /// It imports what is not granted.
    ImportNotGranted,
    /// One of its functions is not that of the contract.
    WrongType,
    /// Compiling it took more than it may.
    CompileLimit,
    /// It is quarantined.
    Quarantined,
    /// A codec's frames are not those that it was called with, not in order, or not whole where the stream ends.
    BadFrames,
    /// It asked a server that it may not, and was told so.
    HttpDenied,
    /// One call sent too many requests, or these and their answers have too many bytes, and it was told so.
    HttpLimit,
    /// The same call gave another result when it was made again, and the plugin says that it does not.
    Nondeterminism,
}

impl Violation {
    /// All of them, in the order of their declaration.
    pub const ALL: [Self; 52] = [
        Self::Unreachable,
        Self::OutOfBounds,
        Self::StackOverflow,
        Self::Deadline,
        Self::Memory,
        Self::Table,
        Self::HostBudget,
        Self::Arithmetic,
        Self::ImportNotAllowed,
        Self::Exit,
        Self::Handles,
        Self::OtherTrap,
        Self::BadBatch,
        Self::WrongRows,
        Self::BadBitmap,
        Self::BadRejects,
        Self::BadBinding,
        Self::ImpureOpen,
        Self::StateDeclared,
        Self::OtherContract,
        Self::OutputBytes,
        Self::OutputRows,
        Self::Amplification,
        Self::Emits,
        Self::TransferBytes,
        Self::EmitRefused,
        Self::StateRefused,
        Self::StateValue,
        Self::StateEntries,
        Self::TimerRefused,
        Self::Timers,
        Self::SnapshotParts,
        Self::SnapshotBytes,
        Self::SnapshotKeyGroup,
        Self::SnapshotFailed,
        Self::Diverged,
        Self::Fatal,
        Self::Retries,
        Self::LogLines,
        Self::LogBytes,
        Self::MetricSeries,
        Self::MetricName,
        Self::NotAComponent,
        Self::UnknownWorld,
        Self::ImportNotGranted,
        Self::WrongType,
        Self::CompileLimit,
        Self::Quarantined,
        Self::BadFrames,
        Self::HttpDenied,
        Self::HttpLimit,
        Self::Nondeterminism,
    ];

    /// Its label in metrics: `out_of_bounds`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unreachable => "unreachable",
            Self::OutOfBounds => "out_of_bounds",
            Self::StackOverflow => "stack_overflow",
            Self::Deadline => "deadline",
            Self::Memory => "memory",
            Self::Table => "table",
            Self::HostBudget => "host_budget",
            Self::Arithmetic => "arithmetic",
            Self::ImportNotAllowed => "import_not_allowed",
            Self::Exit => "exit",
            Self::Handles => "handles",
            Self::OtherTrap => "other_trap",
            Self::BadBatch => "bad_batch",
            Self::WrongRows => "wrong_rows",
            Self::BadBitmap => "bad_bitmap",
            Self::BadRejects => "bad_rejects",
            Self::BadBinding => "bad_binding",
            Self::ImpureOpen => "impure_open",
            Self::StateDeclared => "state_declared",
            Self::OtherContract => "other_contract",
            Self::OutputBytes => "output_bytes",
            Self::OutputRows => "output_rows",
            Self::Amplification => "amplification",
            Self::Emits => "emits",
            Self::TransferBytes => "transfer_bytes",
            Self::EmitRefused => "emit_refused",
            Self::StateRefused => "state_refused",
            Self::StateValue => "state_value",
            Self::StateEntries => "state_entries",
            Self::TimerRefused => "timer_refused",
            Self::Timers => "timers",
            Self::SnapshotParts => "snapshot_parts",
            Self::SnapshotBytes => "snapshot_bytes",
            Self::SnapshotKeyGroup => "snapshot_key_group",
            Self::SnapshotFailed => "snapshot_failed",
            Self::Diverged => "diverged",
            Self::Fatal => "fatal",
            Self::Retries => "retries",
            Self::LogLines => "log_lines",
            Self::LogBytes => "log_bytes",
            Self::MetricSeries => "metric_series",
            Self::MetricName => "metric_name",
            Self::NotAComponent => "not_a_component",
            Self::UnknownWorld => "unknown_world",
            Self::ImportNotGranted => "import_not_granted",
            Self::WrongType => "wrong_type",
            Self::CompileLimit => "compile_limit",
            Self::Quarantined => "quarantined",
            Self::BadFrames => "bad_frames",
            Self::HttpDenied => "http_denied",
            Self::HttpLimit => "http_limit",
            Self::Nondeterminism => "nondeterminism",
        }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// How often each happened; shared by everything that counts for one plugin.
#[derive(Debug)]
pub(crate) struct Violations([AtomicU64; Violation::ALL.len()]);

impl Violations {
    pub(crate) fn count(&self, violation: Violation) {
        // Declared in the order of `ALL`, from 0 on.
        self.0[violation as usize].fetch_add(1, Ordering::Relaxed);
    }

    /// Those that happened at all.
    pub(crate) fn snapshot(&self) -> BTreeMap<Violation, u64> {
        let counts =
            Violation::ALL.iter().map(|violation| (*violation, self.0[*violation as usize].load(Ordering::Relaxed)));
        counts.filter(|(_, count)| *count > 0).collect()
    }
}

impl Default for Violations {
    fn default() -> Self {
        Self(std::array::from_fn(|_| AtomicU64::new(0)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_has_a_place_and_a_label_of_its_own() {
        let labels: std::collections::HashSet<&str> =
            Violation::ALL.iter().map(|violation| violation.as_str()).collect();
        assert_eq!(labels.len(), Violation::ALL.len());
        for (index, violation) in Violation::ALL.iter().enumerate() {
            assert_eq!(*violation as usize, index);
        }
        let violations = Violations::default();
        violations.count(Violation::Quarantined);
        violations.count(Violation::Unreachable);
        violations.count(Violation::Unreachable);
        assert_eq!(violations.snapshot(), BTreeMap::from([(Violation::Unreachable, 2), (Violation::Quarantined, 1)]));
    }
}
