//! The epoch protocol: a pure state machine. Facts go in, decisions come out.
//!
//! [`Protocol`] reads no clock, does no I/O, starts no thread and throws no dice: a driver tells it what has happened,
//! with the time, and carries out what it decides. So every interleaving of messages, failures and crashes can be
//! replayed by a test, and is.
//!
//! # An epoch
//!
//! One epoch is in flight at a time, since barriers are aligned: no barrier is injected while another epoch is being
//! collected or stored.
//!
//! 1. [`Decision::InjectBarrier`]; each task reports [`Fact::TaskPassed`], or [`Fact::TaskFinished`] if it ends first.
//! 2. [`Decision::StoreParts`] when every task has passed or finished: parts of those that passed, and what finished
//!    ones left. [`Fact::DataDurable`] answers.
//! 3. [`Decision::WriteManifest`] with the committables of every epoch not known committed. [`Fact::ManifestComplete`]
//!    makes the epoch complete.
//! 4. [`Decision::Commit`] for each committable that a complete manifest holds, in epoch order for each sink.
//!
//! When all tasks have finished, a last epoch without a barrier is the job's final one.
//!
//! # While output waits
//!
//! At most `pending_epochs_max` complete epochs wait for their commits: then sources pause, and no epoch begins. The last
//! epoch of a run, before a stop or when all tasks have finished, begins all the same, so that there may be one more: its
//! manifest holds the output of all that wait. A job that somebody wants to stop gives the commits
//! [`Settings::stop_wait_ms`] from then on; what is not committed by then is left to the next run, as after a crash. Without
//! such a wish it waits for them.
//!
//! # What holds
//!
//! - Nothing is committed unless a manifest that holds it is known complete.
//! - A commit whose answer was lost is looked up, and committed again only when the outside system says that it is not
//!   committed. [`CommitStatus::Unknown`](volley_api::CommitStatus::Unknown) is asked again later, without end: until it
//!   is settled at most `pending_epochs_max` epochs wait, and then sources pause, so that an outage of a sink is
//!   back-pressure and not a failure.
//! - A manifest holds every committable not known committed; one leaves only after an answer that says so.
//! - What a restored manifest holds is looked up first, and all of it is settled before output of this run is committed.
//! - Ids of epochs ascend and are never used twice, whatever became of them.
//! - Nothing is removed that a waiting commit needs, nor the newest `retain` complete epochs, nor a savepoint or a
//!   pinned epoch. An epoch whose id a waiting committable bears is kept even if it was abandoned: a sink may keep the
//!   output itself there.
//! - After [`Decision::Fail`], [`Decision::Done`] and [`Decision::StopSuperseded`] nothing more is decided.
//!
//! # Output of an abandoned epoch belongs to the next complete one
//!
//! A task that has passed the barrier of an epoch has read on, and what its sinks prepared is staged, once. If the epoch
//! is abandoned, the sources do not go back, so that output must not be aborted: nobody would write those rows again. It
//! joins the manifest of the next complete epoch, whose offsets lie behind it, and is committed with that, before the
//! output of later epochs. The same holds for reports of an abandoned epoch that come late: a task reports epochs in
//! order, so all of them are there when a later epoch is complete. If the job fails before that, the job goes on from the
//! last complete epoch, reads the rows again, and what was staged is cleaned up as nobody's.
//!
//! An epoch is abandoned also when nobody knows whether its manifest was written. Nothing of it is removed from the store
//! then until a later epoch is complete: a job that fails meanwhile may find it complete and go on from it.
//!
//! # How it is tested
//!
//! A simulated job, store and sinks drive the machine through random orders, failures, lost answers and crashes, and
//! through *all* orders of a small case, breadth first. Tools that explore interleavings of threads (loom, shuttle) have
//! nothing to hold on to here: the machine is one value that one driver owns, and its interleavings are orders of facts,
//! which the search enumerates without a scheduler. Six planted faults show that the checks find what they are for.

mod collect;
mod commits;
mod decisions;
mod ending;
mod facts;
mod failure;
mod flight;
mod machine;
mod planted;
mod retention;
mod schedule;
mod settings;
#[cfg(test)]
mod tests;

pub use decisions::{Decision, End, ManifestOrder};
pub use facts::{CommitAnswer, CommittableId, Fact, LookUpAnswer};
pub use failure::{EpochFailure, Failure, StartError};
pub use machine::Protocol;
pub use settings::{Found, Restored, Settings};
