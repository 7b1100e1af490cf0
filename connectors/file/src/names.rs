//! The names of files in a folder, and what they tell of the run that made them.
//!
//! A job that takes checkpoints has itself, its sink and its incarnation in the names of its files, so that the next run
//! knows its own, and no run ever has a name that an earlier one had. `@` stands between them: no name has it.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::Arc;

use volley_api::{Epoch, JobRun, NodeName};

use crate::Error;

/// What the names of files in a folder begin with.
pub(crate) const PART: &str = "part-";
/// What stands in the name of a staged file, before what makes it unique.
pub(crate) const STAGED: &str = ".staged-";
/// The end of the name of the file by which a user says that a committed file was taken away.
pub(crate) const TAKEN: &str = ".taken";
/// The longest name of a job in the name of a file, in bytes. Names of files may have 255 in all.
const JOB_BYTES_MAX: usize = 64;

/// What all files of a run have in their names behind `part-`: with checkpoints the same for a run wherever it is asked
/// for; without, when it began and a random number.
///
/// # Errors
/// When the job's name is too long.
pub(crate) fn run_part(run: &JobRun, sink: &NodeName, now_ms: u64) -> Result<Arc<str>, Error> {
    if run.incarnation > 0 {
        let owner = owner(run, sink)?;
        return Ok(format!("{owner}{}", run.incarnation).into());
    }
    // The keys of the standard library's hash maps are its one source of random numbers.
    let random = RandomState::new().build_hasher().finish() as u32;
    Ok(format!("{now_ms:011x}-{random:08x}").into())
}

/// What stands before the incarnation: `job@sink@`.
fn owner(run: &JobRun, sink: &NodeName) -> Result<String, Error> {
    let mut job = String::new();
    for byte in run.job.bytes() {
        match byte {
            b'a'..=b'z' | b'0'..=b'9' | b'_' | b'-' => job.push(byte.into()),
            // Names of pipeline files have no such characters; names of programs may.
            _ => job.push_str(&format!("%{byte:02x}")),
        }
    }
    if job.len() > JOB_BYTES_MAX {
        return Err(Error::Options(format!(
            "the job's name `{}` cannot stand in the names of files: use at most {JOB_BYTES_MAX} of a to z, digits, `_` and \
             `-`",
            run.job
        )));
    }
    Ok(format!("{job}@{sink}@"))
}

/// What a file in a folder is to a sink of a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Committed.
    Part,
    /// Staged.
    Staged,
    /// A user's word that a committed file was taken away.
    Taken,
}

/// Tells a sink's own files in a folder from those of others.
pub(crate) struct Own {
    /// What its names have behind `part-`, up to the incarnation.
    owner: String,
}

impl Own {
    pub(crate) fn new(run: &JobRun, sink: &NodeName) -> Result<Self, Error> {
        Ok(Self { owner: owner(run, sink)? })
    }

    /// The incarnation that made the file of that name, and what it is; `None` for a file of anybody else.
    pub(crate) fn of(&self, name: &str) -> Option<(u64, Kind)> {
        self.parts_of(name).map(|(incarnation, kind, _)| (incarnation, kind))
    }

    /// The incarnation and the epoch of a file that was committed, be it there or taken away.
    pub(crate) fn committed(&self, name: &str) -> Option<(u64, Epoch)> {
        let (incarnation, kind, rest) = self.parts_of(name)?;
        if kind == Kind::Staged {
            return None;
        }
        // `WRITER-EPOCH.FORMAT`, or `WRITER-EPOCH-N.FORMAT`.
        let epoch = rest.split('.').next()?.split('-').nth(1)?;
        Some((incarnation, Epoch(epoch.parse().ok()?)))
    }

    /// As [`Own::of`], with what stands behind the incarnation.
    fn parts_of<'a>(&self, name: &'a str) -> Option<(u64, Kind, &'a str)> {
        let hidden = name.strip_prefix('.');
        let rest = hidden.unwrap_or(name).strip_prefix(PART)?.strip_prefix(&self.owner)?;
        let (incarnation, rest) = rest.split_once('-')?;
        let is_number = !incarnation.is_empty() && incarnation.bytes().all(|byte| byte.is_ascii_digit());
        let incarnation = is_number.then(|| incarnation.parse().ok()).flatten()?;
        let kind = match hidden {
            None => Kind::Part,
            Some(_) if rest.ends_with(TAKEN) => Kind::Taken,
            Some(_) if rest.contains(STAGED) => Kind::Staged,
            Some(_) => return None,
        };
        Some((incarnation, kind, rest))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn run(job: &str, incarnation: u64) -> JobRun {
        JobRun { job: job.into(), incarnation }
    }

    fn node(name: &str) -> NodeName {
        NodeName::new(name).expect("a name")
    }

    #[test]
    fn names_say_who_made_a_file() {
        let own = Own::new(&run("a-1", 7), &node("out")).expect("a name");
        assert_eq!(&*run_part(&run("a-1", 7), &node("out"), 5).expect("a name"), "a-1@out@7");
        assert_eq!(own.of("part-a-1@out@7-0-3.csv"), Some((7, Kind::Part)));
        assert_eq!(own.of(".part-a-1@out@12-0.staged-1-2-3"), Some((12, Kind::Staged)));
        assert_eq!(own.of(".part-a-1@out@7-0-3.csv.taken"), Some((7, Kind::Taken)));
        for other in [
            "part-a@out@7-0-3.csv",
            "part-a-1@out-2@7-0-3.csv",
            "part-a-1@outer@7-0-3.csv",
            "part-a-1@out@+7-0-3.csv",
            "part-a-1@out@-0-3.csv",
            ".part-a-1@out@7-0-3.csv.crc",
            "part-018bcfe5680-0000000a-0-1.csv",
            "out.csv",
        ] {
            assert_eq!(own.of(other), None, "{other}");
        }
        assert_eq!(own.committed("part-a-1@out@7-0-3.csv"), Some((7, Epoch(3))));
        assert_eq!(own.committed("part-a-1@out@7-12-31-4.csv.gz"), Some((7, Epoch(31))));
        assert_eq!(own.committed(".part-a-1@out@7-0-3-1.csv.taken"), Some((7, Epoch(3))));
        for other in [".part-a-1@out@12-0.staged-1-2-3", "part-a-1@out@7-0.csv", "part-a-1@outer@7-0-3.csv"] {
            assert_eq!(own.committed(other), None, "{other}");
        }
        let odd = own_name("Täglich 2");
        assert_eq!(odd, "T%c3%a4glich%202@out@1".replace('T', "%54"));
        let error = run_part(&run(&"x".repeat(65), 1), &node("out"), 0).expect_err("too long").to_string();
        assert!(error.contains("at most 64"), "{error}");
    }

    fn own_name(job: &str) -> String {
        run_part(&run(job, 1), &node("out"), 0).expect("a name").to_string()
    }

    proptest! {
        /// No two runs have a name in common, and each knows its own files only.
        #[test]
        fn runs_have_names_of_their_own(
            jobs in prop::array::uniform2("[a-c1-][a-c1@ -]{0,3}"),
            sinks in prop::array::uniform2("[a-b][a-b1-]{0,3}"),
            incarnations in prop::array::uniform2(1..20_u64),
            numbers in prop::array::uniform2((0..3_u32, 0..20_u64)),
        ) {
            let name = |at: usize| {
                let run = run_part(&run(&jobs[at], incarnations[at]), &node(&sinks[at]), 0).expect("short");
                format!("{PART}{run}-{}-{}.csv", numbers[at].0, numbers[at].1)
            };
            let is_same = jobs[0] == jobs[1] && sinks[0] == sinks[1];
            let own = Own::new(&run(&jobs[0], 1), &node(&sinks[0])).expect("short");
            prop_assert_eq!(own.of(&name(1)), is_same.then_some((incarnations[1], Kind::Part)));
            let is_equal = is_same && incarnations[0] == incarnations[1] && numbers[0] == numbers[1];
            prop_assert_eq!(name(0) == name(1), is_equal);
        }
    }
}
