//! Some calls are made twice: whether a plugin is as deterministic as it says.
//!
//! The second call goes to a fresh instance, which is dropped behind it. To a plugin that says `replayable` everything that it
//! can ask for is as it was: time, chance, answers of servers. For one that says `deterministic` time and chance are others,
//! since its results must not depend on them. What differs is counted, and the first of a subtask is told; the job goes on
//! with what the first call gave.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use volley_api::{Clock, SeedSource};

use crate::guest::Guest;
use crate::http::side::Tape;
use crate::imports::random::Random;
use crate::instances::Instances;
use crate::metrics::PluginMetrics;
use crate::plugin::Determinism;
use crate::store::JobParts;
use crate::violation::Violation;
use crate::{Error, Result};

/// How much later it is for a plugin that must not care, in milliseconds: another hour, day, month and year.
const LATER_MS: u64 = 400 * 24 * 60 * 60 * 1_000 + 12_345_678;

/// The seed of a plugin that must not care.
const OTHER_SEED: u64 = 0x5eed;

/// What one subtask does about it.
#[derive(Debug)]
pub(crate) struct Sample {
    /// One of so many calls; 0 for none.
    one_of: u64,
    /// The last call that was made twice.
    last: u64,
    is_told: bool,
}

impl Sample {
    pub(crate) fn new(one_of: u32) -> Self {
        Self { one_of: one_of.into(), last: 0, is_told: false }
    }

    /// Whether the call of that number, from 1 on, is made twice.
    pub(crate) fn has(&self, call: u64) -> bool {
        self.one_of > 0 && call.is_multiple_of(self.one_of)
    }

    /// The same; of several calls of one number, in which a larger one was tried again, the first is it alone.
    pub(crate) fn takes(&mut self, call: u64) -> bool {
        self.has(call) && std::mem::replace(&mut self.last, call) != call
    }

    /// A fresh instance for a second call, unless the plugin says that there is nothing to check, or there is no room for one
    /// now: the first one works, and goes on.
    pub(crate) fn second(&mut self, instances: &Instances) -> Option<Second> {
        match Second::of(instances) {
            Ok(Some(second)) => Some(second),
            Ok(None) => {
                self.one_of = 0;
                None
            }
            Err(error) => {
                tracing::debug!(operator = %instances.context().node, %error, "a call is not made twice");
                None
            }
        }
    }

    /// Counts that a call came to something else the second time, and says so the first time: of which call, and how they
    /// differ. Values of rows are nobody's who reads logs, beyond what is in the words.
    pub(crate) fn report(
        &mut self,
        instances: &Instances,
        declared: &'static str,
        of: impl FnOnce() -> String,
        words: &str,
    ) {
        instances.count(Violation::Nondeterminism);
        if std::mem::replace(&mut self.is_told, true) {
            return;
        }
        let context = instances.context();
        tracing::warn!(
            operator = %context.node,
            subtask = context.subtask.index,
            plugin = %instances.who(),
            "it says that it is {declared}, and the same call made twice gave different results ({}): {words}. The job \
             goes on with the first; a replay after a failure may give others",
            of()
        );
    }
}

/// What a call was told, beside its argument.
#[derive(Debug)]
pub(crate) struct Heard {
    /// Its number, on which chance depends.
    pub(crate) number: u64,
    now_ms: Option<u64>,
    /// What servers answered.
    tape: Tape,
}

impl Heard {
    /// What servers answer in the next call of an instance is kept.
    pub(crate) fn listen(guest: &mut Guest) {
        guest.host_side().http.record(true);
    }

    /// What the call of that number was told, which was the instance's last. Of one that was made again since it asked for
    /// that, the last try counts: it saw another time than those before.
    pub(crate) fn of(guest: &mut Guest, number: u64) -> Self {
        let side = guest.host_side();
        Self { number, now_ms: side.now_ms, tape: side.http.take_tape() }
    }
}

/// A clock that stands, until it is set.
#[derive(Debug)]
struct Standing(AtomicU64);

impl Clock for Standing {
    fn now_ms(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// An instance for second calls: its numbers and lines are nobody's.
pub(crate) struct Second {
    pub(crate) guest: Guest,
    /// What the plugin says that it is.
    pub(crate) declared: &'static str,
    clock: Arc<Standing>,
    /// The host's time, for calls that had not asked for it.
    now_ms: u64,
    later_ms: u64,
}

impl Second {
    /// `None` where the plugin promises nothing.
    fn of(instances: &Instances) -> Result<Option<Self>> {
        let context = instances.context();
        let (declared, later_ms, seeds) = match instances.determinism()? {
            Determinism::Nondeterministic => return Ok(None),
            Determinism::Replayable => ("replayable", 0, context.seeds),
            Determinism::Deterministic => ("deterministic", LATER_MS, SeedSource::new(OTHER_SEED)),
        };
        let now_ms = context.clock.now_ms();
        let clock = Arc::new(Standing(AtomicU64::new(now_ms)));
        let guest = instances.aside(|job| JobParts {
            metrics: Arc::new(PluginMetrics::default()),
            clock: Arc::clone(&clock) as Arc<dyn Clock>,
            random: Random::new(seeds, context.node.clone(), context.subtask),
            is_muted: true,
            ..job
        })?;
        Ok(Some(Self { guest, declared, clock, now_ms, later_ms }))
    }

    /// The next call is told what an earlier one was; gives that one's number.
    pub(crate) fn hear(&mut self, heard: Heard) -> u64 {
        let now_ms = heard.now_ms.unwrap_or(self.now_ms).saturating_add(self.later_ms);
        self.clock.0.store(now_ms, Ordering::Relaxed);
        self.guest.host_side().http.replay(heard.tape);
        heard.number
    }
}

/// How a call that failed the second time differs from one that did not, if it does.
pub(crate) fn failed_again(error: &Error) -> Option<String> {
    match (error, error.violation()) {
        // Another time there may be room, and time enough: neither is the plugin's doing alone.
        (_, Some(Violation::HostBudget | Violation::Deadline)) => None,
        // The row is in the error, and no log is to have it.
        (Error::RejectedRow { code, .. }, _) => Some(format!("then it refused a row, with `{code}`")),
        // The host's own.
        (Error::State(_) | Error::Engine(_) | Error::Wire { .. } | Error::Arrow(_), _) => None,
        _ => Some(format!("then it failed: {error}")),
    }
}
