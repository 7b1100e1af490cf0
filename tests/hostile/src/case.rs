//! One hostile guest as its file has it: lines of `;;!` say what it tries and what becomes of it, the rest is its code.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;
use volley_wasm::{OnError, PluginLimits};

use crate::component::holds_state;
use crate::directives::{Directives, Drive, Policy};
use crate::host::Terms;

/// Where the guests are.
const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/guests");

/// What begins a line that is not code.
const DIRECTIVE: &str = ";;!";

/// Reasons that are no matter of single rows.
const OF_THE_JOB: [&str; 3] = ["fatal", "quarantined", "retries"];

/// A folder of guests that try the same kind of thing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Class {
    /// The folder's name.
    pub folder: &'static str,
    /// What its guests try, as a heading.
    pub title: &'static str,
}

/// All classes, in the order of the page for users.
pub const CLASSES: &[Class] = &[
    Class { folder: "load", title: "Files that are no operator" },
    Class { folder: "compile", title: "Code made to be dear to compile" },
    Class { folder: "imports", title: "Asking for what is not granted" },
    Class { folder: "open", title: "Answers of `describe` and `open`" },
    Class { folder: "time", title: "Taking the processor" },
    Class { folder: "memory", title: "Taking memory" },
    Class { folder: "faults", title: "Crashing" },
    Class { folder: "messages", title: "Messages that lie about themselves" },
    Class { folder: "schemas", title: "Columns other than those agreed" },
    Class { folder: "output", title: "Too much output, or the wrong rows" },
    Class { folder: "rejects", title: "Refusing rows" },
    Class { folder: "telemetry", title: "Logs and metrics" },
    Class { folder: "state", title: "Keyed state" },
    Class { folder: "timers", title: "Timers and watermarks" },
    Class { folder: "snapshot", title: "State of its own, and state of earlier versions" },
    Class { folder: "data", title: "Data that looks like something else" },
    Class { folder: "scalar", title: "Functions of expressions" },
    Class { folder: "codec", title: "Formats of bytes that are read" },
    Class { folder: "encode", title: "Formats of bytes that are written" },
];

/// How far a guest gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Stage {
    /// The file is looked at and compiled; none of its code runs.
    Load,
    /// Start functions, `describe` and `open`.
    Bind,
    /// A batch is processed.
    Run,
    /// A checkpoint is taken.
    Snapshot,
    /// `close`.
    Close,
    /// A job goes on from a checkpoint: that of the guest itself, or of what was there before it.
    Restore,
    /// Everything went well, as far as the job can tell.
    End,
}

/// What becomes of the job that a guest is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Outcome {
    /// It does not start: the file is refused, and none of its code runs.
    NotLoaded,
    /// It does not start, nor does it pass `validate`.
    NotStarted,
    /// It stops at the row that did it, or goes on without that row, as `on_error` says.
    StoppedAtRow,
    /// It stops, whatever `on_error` says.
    Stopped,
    /// It goes on without that checkpoint; `tolerable_failures` in a row stop it.
    NoCheckpoint,
    /// It does not go on from its checkpoint, which stays as it is.
    NotRestored,
    /// It fails when all rows are through; nothing that it wrote becomes visible.
    FailedAtTheEnd,
    /// It goes on; the guilty rows are put aside.
    RowsAside,
    /// It goes on; what was too much is counted and dropped.
    Counted,
    /// It goes on: there is nothing to stop.
    Harmless,
}

/// One hostile guest.
#[derive(Debug, Clone)]
pub struct Case {
    /// The folder it is in.
    pub class: Class,
    /// `folder/file`, without the ending.
    pub name: String,
    pub(crate) directives: Directives,
    pub(crate) code: String,
}

impl Case {
    /// What it tries, for people.
    #[must_use]
    pub fn tries(&self) -> &str {
        &self.directives.tries
    }

    /// Where it is stopped.
    #[must_use]
    pub fn ends(&self) -> Stage {
        self.directives.ends
    }

    /// The reasons that are counted.
    pub fn reasons(&self) -> impl Iterator<Item = &str> {
        self.directives.counted.keys().map(String::as_str)
    }

    /// Whether it holds state itself, so that checkpoints have something of it.
    pub(crate) fn holds_state(&self) -> bool {
        holds_state(&self.code)
    }

    /// The processor time that compiling it may take, in a child; without one, it is compiled in this process.
    pub(crate) fn compile_cpu(&self) -> Option<Duration> {
        self.directives.compile_seconds.map(Duration::from_secs)
    }

    /// What becomes of the job.
    #[must_use]
    pub fn outcome(&self) -> Outcome {
        let directives = &self.directives;
        match directives.ends {
            Stage::Load => Outcome::NotLoaded,
            Stage::Bind => Outcome::NotStarted,
            Stage::Snapshot => Outcome::NoCheckpoint,
            Stage::Restore => Outcome::NotRestored,
            Stage::Close => Outcome::FailedAtTheEnd,
            // Sinks have nobody to give a row to.
            Stage::Run if directives.always || directives.drive == Drive::Encode => Outcome::Stopped,
            Stage::Run if self.reasons().any(|reason| OF_THE_JOB.contains(&reason)) => Outcome::Stopped,
            Stage::Run => Outcome::StoppedAtRow,
            Stage::End if directives.refused.as_ref().is_some_and(|rows| !rows.is_empty()) => Outcome::RowsAside,
            Stage::End if !directives.counted.is_empty() => Outcome::Counted,
            Stage::End => Outcome::Harmless,
        }
    }

    /// What an instance may use: little, so that each check is short and its bound on the host's memory a close one.
    pub(crate) fn limits(&self) -> PluginLimits {
        let own = &self.directives.limits;
        PluginLimits {
            memory_bytes_max: own.memory.unwrap_or(16 << 20),
            deadline: Duration::from_millis(own.deadline_ms.unwrap_or(40)),
            open_deadline: Duration::from_millis(own.open_deadline_ms.unwrap_or(100)),
            output_bytes_max: own.output_bytes.unwrap_or(4 << 20),
            output_rows_max: own.output_rows.unwrap_or(1 << 16),
            rows_per_row_max: own.rows_per_row.unwrap_or(1 << 16),
            transfer_bytes_max: own.transfer.unwrap_or(16 << 20),
            restarts_max: own.restarts.unwrap_or(100),
            ..PluginLimits::default()
        }
    }

    /// How a job runs it.
    pub(crate) fn terms(&self) -> Terms {
        let on_error = match self.directives.on_error {
            Policy::Fail => OnError::Fail,
            Policy::DeadLetter => OnError::DeadLetter,
            Policy::Skip => OnError::Skip,
        };
        let state_bytes = self.directives.state_bytes.unwrap_or(Terms::default().state_bytes);
        Terms { limits: self.limits(), on_error, state_bytes, drive: self.directives.drive }
    }

    /// Whether a job that reads files stops where one that reads messages does not; `None` where it is no codec that reads.
    #[must_use]
    pub fn stops_in_a_file(&self) -> Option<bool> {
        let is_reader = self.directives.kind == "codec" && self.directives.drive == Drive::Messages;
        let reads = matches!(self.directives.ends, Stage::Run | Stage::End);
        (is_reader && reads).then_some(!self.directives.in_a_file.is_empty())
    }

    fn parse(class: Class, name: String, text: &str) -> Self {
        let directives: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix(DIRECTIVE)).collect();
        let directives = toml::from_str(&directives.join("\n")).unwrap_or_else(|error| panic!("{name}: {error}"));
        Self { class, name, directives, code: text.to_owned() }
    }
}

/// The guests of a class, by name.
///
/// # Panics
/// When a file cannot be read or its directives are wrong.
#[must_use]
pub fn cases(class: Class) -> Vec<Case> {
    let folder = Path::new(FOLDER).join(class.folder);
    let entries = std::fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut files: Vec<PathBuf> =
        entries.map(|entry| entry.expect("a folder that opens can be listed").path()).collect();
    files.sort();
    let case = |file: &PathBuf| {
        let text = std::fs::read_to_string(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        let stem = file.file_stem().expect("a file of a folder has a name").to_string_lossy();
        Case::parse(class, format!("{}/{stem}", class.folder), &text)
    };
    files.iter().map(case).collect()
}

/// The guest of that name, `folder/file`.
///
/// # Panics
/// When there is none.
pub(crate) fn case(name: &str) -> Case {
    let found = CLASSES.iter().flat_map(|class| cases(*class)).find(|case| case.name == name);
    found.unwrap_or_else(|| panic!("no guest is named {name}"))
}

/// The folders that are there: a test holds [`CLASSES`] to them.
///
/// # Panics
/// When the folder cannot be read.
#[must_use]
pub fn folders() -> Vec<String> {
    let entries = std::fs::read_dir(FOLDER).unwrap_or_else(|error| panic!("{FOLDER}: {error}"));
    let name = |entry: std::io::Result<std::fs::DirEntry>| entry.expect("listed").file_name().into_string();
    let mut names: Vec<String> = entries.map(|entry| name(entry).expect("plain names")).collect();
    names.sort();
    names
}
