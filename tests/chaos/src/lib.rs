//! Chaos: whole jobs of `volley-host`, killed at random times and at named places, on disks that fail, and what they put out
//! compared with what they must.
//!
//! A [`Job`] is one pipeline in a folder of its own, started as often as it takes. What it has put out at its end is judged by
//! `check.py`, which knows the closed form of every row and nothing of Volley. Parts of the suite are in [`parts`]; all that
//! they choose comes from one seed. Output is wrong when a row is missing, there twice, or out of order, and when files are
//! left behind that nobody will ever commit. Output that cannot be read is another thing: see [`Stop`].
//!
//! Knows the names of the places where the host can be crashed, and the host as a program.
#![forbid(unsafe_code)]

mod checker;
mod context;
mod job;
mod mount;
pub mod parts;
mod pipeline;
pub mod report;
mod seaweed;
mod section;

pub use checker::Checker;
pub use context::{Chaos, Options, States};
pub use job::{Ended, How, Job, Running};
pub use pipeline::{Shape, State, plugins};
pub use seaweed::Seaweed;
pub use section::{Counts, Section};

/// What is wrong about Volley.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// What a job has put out, by the rows: lost, twice, out of order, or files left behind.
    Output,
    /// A job refuses to go on, with an error, and has no reason to.
    Refusal,
    /// Something else that a host may not do: a panic, no end, an error that does not say what failed.
    Conduct,
}

/// Why something did not go as it must.
#[derive(Debug)]
pub enum Stop {
    /// Volley is wrong.
    Wrong(Fault, String),
    /// Output could not be judged: a file is broken, it has other columns, or the checker itself failed. No scenario may end
    /// so, and it says nothing about rows: no planted fault counts as found by it.
    Unreadable(String),
    /// This suite could not do its work: a program that is missing, a full disk.
    Trouble(String),
}

impl std::fmt::Display for Stop {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Wrong(_, what) => f.write_str(what),
            Self::Unreadable(what) => write!(f, "the output cannot be judged: {what}"),
            Self::Trouble(what) => write!(f, "the suite itself failed: {what}"),
        }
    }
}

impl From<std::io::Error> for Stop {
    fn from(error: std::io::Error) -> Self {
        Self::Trouble(error.to_string())
    }
}

/// What the steps of a scenario give.
pub type Result<T> = std::result::Result<T, Stop>;

/// A host that behaves as none may.
pub(crate) fn wrong<T>(what: impl Into<String>) -> Result<T> {
    Err(Stop::Wrong(Fault::Conduct, what.into()))
}

/// A job that refuses to go on.
pub(crate) fn refused<T>(what: impl Into<String>) -> Result<T> {
    Err(Stop::Wrong(Fault::Refusal, what.into()))
}
