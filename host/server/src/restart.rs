//! `restart:` of the pipeline file: whether and when a job that failed is started again.
//!
//! A job that takes checkpoints goes on from the last one, whatever it has committed. One that takes none starts from the
//! beginning. That is right only while nothing of what it wrote can be seen: if it came to commit it is not started again,
//! and neither is one that reads or writes a stream.

use std::num::NonZeroU32;
use std::time::Duration;

use volley_api::{DeliveryGuarantee, Error, ErrorKind, NodeName, Replay, Result};
use volley_config::{PipelineSpec, RestartSpec, RestartStrategy, SinkSpec};

use crate::{connectors, streams};

/// Restarts of one job, unless the pipeline says otherwise.
const ATTEMPTS: u32 = 3;
/// The pause before the first.
const DELAY: Duration = Duration::from_secs(1);
/// A job that has run for this long was well: what fails it then has nothing to do with what failed it before.
const HEALTHY: Duration = Duration::from_secs(600);
/// The longest pause of `exponential`.
const DELAY_MAX: Duration = Duration::from_secs(60);

/// A job that was not brought to its end.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) error: Error,
    /// How long it ran.
    pub(crate) ran: Duration,
    /// Whether something that it wrote may be visible, and would be made again.
    pub(crate) came_to_commit: bool,
}

/// Before the job runs there is nothing to commit.
impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self { error, ran: Duration::ZERO, came_to_commit: false }
    }
}

/// The restarts of one job.
#[derive(Debug)]
pub(crate) struct Restarts {
    /// 0 without a policy.
    attempts: u32,
    made: u32,
    /// The first pause.
    delay_first: Duration,
    /// The next one.
    delay: Duration,
    /// `None` where the pause stays the same.
    delay_max: Option<Duration>,
}

impl Restarts {
    /// As the pipeline file has it.
    pub(crate) fn new(spec: &RestartSpec) -> Self {
        let strategy = spec.strategy.as_ref().map_or(RestartStrategy::None, |strategy| strategy.value);
        let delay_max = spec.max_delay.map_or(DELAY_MAX, |span| span.0);
        let (attempts, delay_max) = match strategy {
            RestartStrategy::None => (0, None),
            RestartStrategy::FixedDelay => (spec.attempts.map_or(ATTEMPTS, NonZeroU32::get), None),
            RestartStrategy::Exponential => (spec.attempts.map_or(ATTEMPTS, NonZeroU32::get), Some(delay_max)),
        };
        let delay = spec.delay.map_or(DELAY, |span| span.0);
        Self { attempts, made: 0, delay_first: delay, delay, delay_max }
    }

    /// How long to wait before the next start; `None` when there is to be none.
    pub(crate) fn next(&mut self, failure: &Failure) -> Option<Duration> {
        if failure.ran >= HEALTHY {
            (self.made, self.delay) = (0, self.delay_first);
        }
        // Who broke a job off does not want it back.
        let may_pass = failure.error.is_retryable() && failure.error.kind() != ErrorKind::Cancelled;
        if !may_pass || failure.came_to_commit || self.made >= self.attempts {
            return None;
        }
        let pause = self.delay;
        if let Some(max) = self.delay_max {
            // A first pause that is longer than the default of the longest stays as it was written.
            self.delay = pause.saturating_mul(2).min(max.max(pause));
        }
        self.made += 1;
        Some(pause)
    }

    /// How many restarts there were, the one that is waited for included.
    pub(crate) fn made(&self) -> u32 {
        self.made
    }

    /// How many there may be.
    pub(crate) fn attempts(&self) -> u32 {
        self.attempts
    }
}

/// Refuses a policy that a job cannot keep, before anything is opened: what came through standard input or went to
/// standard output has gone.
pub(crate) fn check(spec: &PipelineSpec) -> Result<()> {
    for source in spec.sources.iter().filter(|source| streams::is_stream(&source.connector)) {
        check_source(spec, &source.name, Replay::None)?;
    }
    for sink in spec.sinks.iter().filter(|sink| streams::is_stream(&sink.connector)) {
        check_sink(spec, sink, DeliveryGuarantee::Immediate)?;
    }
    Ok(())
}

/// Refuses a policy over a source that cannot be read again.
pub(crate) fn check_source(spec: &PipelineSpec, name: &NodeName, replay: Replay) -> Result<()> {
    match replay {
        Replay::Exact => Ok(()),
        Replay::None => refuse(spec, &format!("`{name}` reads a stream, which cannot be read again")),
    }
}

/// Refuses a policy over a sink whose rows are seen before they are committed.
pub(crate) fn check_sink(spec: &PipelineSpec, sink: &SinkSpec, guarantee: DeliveryGuarantee) -> Result<()> {
    // Nobody sees what is dropped.
    if guarantee != DeliveryGuarantee::Immediate || sink.connector.kind == connectors::DISCARD {
        return Ok(());
    }
    refuse(spec, &format!("`{}` writes to a stream, where rows would appear again", *sink.name))
}

fn refuse(spec: &PipelineSpec, problem: &str) -> Result<()> {
    // With checkpoints it is for those to say what they need.
    if spec.checkpoint.is_some() {
        return Ok(());
    }
    let strategy = spec.restart.strategy.as_ref().filter(|chosen| chosen.value != RestartStrategy::None);
    let Some(strategy) = strategy else { return Ok(()) };
    let message =
        format!("a restarted job begins from the start, and {problem}: give it a file, or write `strategy: none`");
    Err(strategy.place.error(message).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failure(error: Error) -> Failure {
        error.into()
    }

    fn pauses(mut restarts: Restarts) -> Vec<u64> {
        let lost = || failure(Error::external("lost").retryable());
        std::iter::from_fn(|| restarts.next(&lost()))
            .map(|pause| u64::try_from(pause.as_millis()).expect("short"))
            .collect()
    }

    fn restarts(attempts: u32, delay_ms: u64, max_ms: Option<u64>) -> Restarts {
        Restarts {
            attempts,
            made: 0,
            delay_first: Duration::from_millis(delay_ms),
            delay: Duration::from_millis(delay_ms),
            delay_max: max_ms.map(Duration::from_millis),
        }
    }

    #[test]
    fn pauses_follow_the_strategy() {
        assert_eq!(pauses(Restarts::new(&RestartSpec::default())), [0; 0]);
        assert_eq!(pauses(restarts(3, 200, None)), [200, 200, 200]);
        assert_eq!(pauses(restarts(6, 100, Some(1_000))), [100, 200, 400, 800, 1_000, 1_000]);
        assert_eq!(pauses(restarts(2, 5_000, Some(1_000))), [5_000, 5_000]);
    }

    #[test]
    fn a_healthy_stretch_begins_the_count_anew() {
        let lost = || failure(Error::external("lost").retryable());
        let mut restarts = restarts(2, 100, Some(1_000));
        let healthy = Failure { ran: HEALTHY, ..lost() };
        let pauses: Vec<_> = [lost(), lost(), lost(), healthy, lost()].iter().map(|one| restarts.next(one)).collect();
        let ms = |ms| Some(Duration::from_millis(ms));
        assert_eq!(pauses, [ms(100), ms(200), None, ms(100), ms(200)]);
    }

    #[test]
    fn what_does_not_pass_or_was_committed_is_final() {
        let lost = || Error::external("lost").retryable();
        for (name, failure) in [
            ("not retryable", failure(Error::external("gone"))),
            ("broken off", failure(Error::new(ErrorKind::Cancelled, "stop").retryable())),
            ("committed", Failure { came_to_commit: true, ..failure(lost()) }),
        ] {
            assert_eq!(restarts(3, 1, None).next(&failure), None, "{name}");
        }
        assert!(restarts(3, 1, None).next(&failure(lost())).is_some());
    }
}
