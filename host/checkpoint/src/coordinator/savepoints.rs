//! Savepoints that wait: for their epoch, and then for the commits of its output, so that nothing which is staged for the job's
//! own sinks is needed where they go on.
//!
//! They do not wait for ever: a sink that is out would keep whoever asked waiting for something that cannot come.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use volley_api::{Epoch, Error};

use super::ask::Reply;
use crate::protocol::CommittableId;
use crate::store::Location;

/// The most savepoints that may be asked for at a time.
const SAVEPOINTS_MAX: usize = 8;

/// Those that are under way and not being copied yet.
#[derive(Debug)]
pub(super) struct Savepoints {
    asked: Vec<Asked>,
    complete: Vec<Complete>,
    /// How long each may wait for commits.
    within: Duration,
    /// Since when no epoch can begin, since output waits.
    blocked_since: Option<Instant>,
}

#[derive(Debug)]
struct Asked {
    /// Any epoch from this one on will do.
    from: Epoch,
    target: Location,
    reply: Reply,
}

/// One whose epoch is complete.
#[derive(Debug)]
struct Complete {
    epoch: Epoch,
    /// What its manifest holds.
    output: BTreeSet<CommittableId>,
    since: Instant,
    target: Location,
    reply: Reply,
}

impl Savepoints {
    pub(super) fn new(within: Duration) -> Self {
        Self { asked: Vec::new(), complete: Vec::new(), within, blocked_since: None }
    }

    /// One is wanted of an epoch from this one on.
    pub(super) fn wait(&mut self, from: Epoch, target: Location, reply: Reply) {
        if self.asked.len() + self.complete.len() < SAVEPOINTS_MAX {
            self.asked.push(Asked { from, target, reply });
        } else {
            let message = format!("{SAVEPOINTS_MAX} savepoints are under way already: ask again later");
            drop(reply.send(Err(Error::external(message))));
        }
    }

    /// An epoch is complete: whether it will do for any of them. `output` is what its manifest holds.
    pub(super) fn complete(&mut self, epoch: Epoch, output: &BTreeSet<CommittableId>) -> usize {
        let due: Vec<_> = self.asked.extract_if(.., |asked| asked.from <= epoch).collect();
        let (count, since) = (due.len(), Instant::now());
        let complete = |Asked { target, reply, .. }| Complete { epoch, output: output.clone(), since, target, reply };
        self.complete.extend(due.into_iter().map(complete));
        count
    }

    /// Those of which nothing is among what is `pending`.
    pub(super) fn due(&mut self, pending: impl Fn() -> BTreeSet<CommittableId>) -> Vec<(Epoch, Location, Reply)> {
        if self.complete.is_empty() {
            return Vec::new();
        }
        let pending = pending();
        let due = self.complete.extract_if(.., |complete| complete.output.is_disjoint(&pending));
        due.map(|Complete { epoch, target, reply, .. }| (epoch, target, reply)).collect()
    }

    /// Answers those that have waited too long, and gives the epochs that they do not need any more. `is_blocked` where no
    /// epoch begins before output is committed; `oldest` is what waits longest.
    pub(super) fn give_up(&mut self, is_blocked: bool, oldest: Option<&CommittableId>) -> Vec<Epoch> {
        let now = Instant::now();
        self.blocked_since = (is_blocked && !self.asked.is_empty()).then(|| self.blocked_since.unwrap_or(now));
        let is_over = |since: Instant| now.saturating_duration_since(since) >= self.within;
        let refuse = |reply: Reply| {
            let of = oldest.map_or_else(String::new, |id| format!(" ({id})"));
            let message = format!(
                "output has waited for {:?} to be committed{of}, and a savepoint holds none: ask again when the sink takes it",
                self.within
            );
            // Whoever asked may have gone.
            drop(reply.send(Err(Error::external(message).retryable())));
        };
        if self.blocked_since.is_some_and(is_over) {
            self.asked.drain(..).for_each(|asked| refuse(asked.reply));
        }
        let over: Vec<_> = self.complete.extract_if(.., |complete| is_over(complete.since)).collect();
        let epochs = over.iter().map(|complete| complete.epoch).collect();
        over.into_iter().for_each(|complete| refuse(complete.reply));
        epochs
    }

    /// When the next has waited too long.
    pub(super) fn wake_at(&self) -> Option<Instant> {
        let since = self.complete.iter().map(|complete| complete.since).chain(self.blocked_since);
        since.min().map(|since| since + self.within)
    }
}
