//! Exit codes: one per kind of failure, stable, so that scripts can tell them apart.

use std::process::ExitCode;

use volley_api::ErrorKind;

/// The table of `volley-host --help` and of the manual.
pub(crate) const HELP: &str = "\
Exit codes:
  0    done; also after Ctrl-C or `stop --drain` on a source that never ends, once what was read is committed; with checkpoints after `stop` too
  1    a defect of Volley: please report it
  2    the command line or the pipeline cannot run as written
  3    the data is not what was declared, and no errors output takes it
  4    a plugin could not be loaded, trapped or gave up
  5    an outside system failed: a disk, a network, a file that is not there; a checkpoint is damaged; a later start of the job has taken over
  6    `replay`: the call came out otherwise than in the job
  130  interrupted: once (or `stop --drain`) with input left, and what was read is committed, or checkpointed (`stop` too); twice (or `stop` without checkpoints), and nothing is
  141  the reader of standard output went away";

/// The code of a job that was stopped with input left, or broken off.
pub(crate) const INTERRUPTED: u8 = 130;

/// The code of a call that was made again and came out otherwise.
pub(crate) const OTHERWISE: u8 = 6;

/// The exit code for a kind of failure.
pub(crate) fn code(kind: ErrorKind) -> ExitCode {
    ExitCode::from(match kind {
        ErrorKind::Config => 2,
        ErrorKind::Data => 3,
        ErrorKind::Plugin => 4,
        ErrorKind::External => 5,
        ErrorKind::Cancelled => INTERRUPTED,
        ErrorKind::BrokenPipe => 141,
        _ => 1,
    })
}
