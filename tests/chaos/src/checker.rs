//! Asks `check.py`, which runs beside the suite: to start Python and DuckDB for every job would take longer than to check.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::{Mutex, PoisonError};

use serde_json::{Value, json};

use crate::{Fault, Result, Shape, Stop};

/// The checker, running.
#[derive(Debug)]
pub struct Checker(Mutex<Running>);

#[derive(Debug)]
struct Running {
    child: Child,
    questions: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Checker {
    /// Starts it with the Python that `VOLLEY_TEST_PYTHON` names, or else the one that `scripts/setup test` makes.
    ///
    /// # Errors
    /// When that Python is not there.
    pub fn start() -> Result<Self> {
        let python = python();
        if !python.is_file() {
            let message = format!("{} is missing: run `scripts/setup test`", python.display());
            return Err(Stop::Trouble(message));
        }
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("check.py");
        let mut child =
            Command::new(python).arg("-B").arg(script).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let (questions, answers) = (child.stdin.take(), child.stdout.take().map(BufReader::new));
        let (Some(questions), Some(answers)) = (questions, answers) else {
            return Err(Stop::Trouble("the checker has no pipes".to_owned()));
        };
        Ok(Self(Mutex::new(Running { child, questions, answers })))
    }

    /// Compares the output in a folder with what it must be.
    ///
    /// # Errors
    /// [`Stop::Wrong`] when rows differ, and [`Stop::Unreadable`] when that cannot be told.
    pub fn check(&self, folder: &Path, shape: &Shape) -> Result<()> {
        let Shape { rows, users, splits, .. } = shape;
        let sinks = shape.sinks();
        self.ask(&json!({ "folder": folder, "rows": rows, "users": users, "splits": splits, "sinks": sinks }))
    }

    /// As [`Checker::check`], with a question in JSON.
    pub(crate) fn ask(&self, question: &Value) -> Result<()> {
        let failed = |what: String| Stop::Unreadable(format!("the checker failed: {what}"));
        let mut running = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        writeln!(running.questions, "{question}").map_err(|error| failed(error.to_string()))?;
        let mut line = String::new();
        running.answers.read_line(&mut line).map_err(|error| failed(error.to_string()))?;
        let answer: Value = serde_json::from_str(&line).map_err(|_| failed(format!("it answered `{line}`")))?;
        let list = |name: &str| -> Result<Vec<String>> {
            let lines = answer[name].as_array().ok_or_else(|| failed(format!("it answered `{line}`")))?;
            Ok(lines.iter().map(|line| line.as_str().unwrap_or_default().to_owned()).collect())
        };
        let (wrong, unreadable) = (list("wrong")?, list("unreadable")?);
        match (wrong.is_empty(), unreadable.is_empty()) {
            (true, true) => Ok(()),
            (true, false) => Err(Stop::Unreadable(unreadable.join("; "))),
            // What could be read is wrong, whatever the rest holds.
            (false, _) => Err(Stop::Wrong(Fault::Output, [wrong, unreadable].concat().join("; "))),
        }
    }
}

impl Drop for Checker {
    fn drop(&mut self) {
        let running = self.0.get_mut().unwrap_or_else(PoisonError::into_inner);
        // It may have ended already.
        drop(running.child.kill());
        drop(running.child.wait());
    }
}

/// The Python of the tests, with other programs beside it.
pub(crate) fn python() -> PathBuf {
    let cache = || std::env::var_os("VOLLEY_CACHE").map(PathBuf::from);
    let home = || PathBuf::from(std::env::var_os("HOME").unwrap_or_default()).join(".cache/volley");
    let given = std::env::var_os("VOLLEY_TEST_PYTHON").map(PathBuf::from);
    given.unwrap_or_else(|| cache().unwrap_or_else(home).join("venv/bin/python"))
}
