//! Chaos: whole jobs of `volley-host`, killed at random times and at named places, on disks that fail, and what they put out
//! compared with what they must.
//!
//! A [`Job`] is one pipeline in a folder of its own, started as often as it takes. What it has put out at its end is judged by
//! `check.py`, which knows the closed form of every row and nothing of Volley. Parts of the suite are in [`parts`]; all that
//! they choose comes from one seed. Output is wrong when a row is missing, there twice, or out of order, and when files are
//! left behind that nobody will ever commit.
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

pub use checker::Checker;
pub use context::{Chaos, Options};
pub use job::{Ended, How, Job, Running};
pub use pipeline::{Shape, State};

/// Why something did not go as it must.
#[derive(Debug)]
pub enum Stop {
    /// Volley is wrong: output, a message, an exit code.
    Wrong(String),
    /// This suite could not do its work: a program that is missing, a full disk.
    Trouble(String),
}

impl std::fmt::Display for Stop {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Wrong(what) => f.write_str(what),
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

/// Something about Volley that is wrong.
pub(crate) fn wrong<T>(what: impl Into<String>) -> Result<T> {
    Err(Stop::Wrong(what.into()))
}
