//! `kill -9` at random times, again and again, until the job has come to its end all the same.

use std::time::Duration;

use rand::Rng;
use rand::seq::IndexedRandom;
use volley_fail_point::FAIL_POINTS;

use super::Amount;
use crate::{Chaos, Ended, How, Job, Result, Section, Shape, refused, wrong};

/// The most disturbances of one job.
const DISTURBANCES_MAX: u32 = 40;
/// How long a job would take undisturbed, in milliseconds.
const WORK_MS: std::ops::Range<u64> = 2_000..7_000;

/// How likely it is that a start, and all after it, run the next version of a plugin.
pub(super) const UPGRADE: f64 = 0.15;

pub(super) fn run(chaos: &Chaos, amount: Amount) -> Section {
    let what = "Jobs are killed at random times and started again, with one to four subtasks, until they end; at one of the \
                starts a plugin with state becomes the next version of itself.";
    let mut section = Section::new("kills", what);
    let mut round = 0;
    let is_enough = |section: &Section, round| {
        section.total().kills >= amount.kills && round >= chaos.options.states.all().len() as u64
    };
    while !is_enough(&section, round) && section.goes_on(chaos) {
        round += 1;
        let name = format!("round {round}, {} of {} kills", section.total().kills, amount.kills);
        section.scenario(chaos, chaos.state(round), &name, |section| one(chaos, section, round, false));
    }
    let left = amount.kills.saturating_sub(section.total().kills);
    if left > 0 {
        section.skipped.push(format!("{left} of {} kills", amount.kills));
    }
    section
}

/// A job that is disturbed until it has ended or was disturbed often enough; then undisturbed, and checked. With `all` it is
/// disturbed in every way that there is, and not by kills alone.
pub(super) fn one(chaos: &Chaos, section: &mut Section, round: u64, all: bool) -> Result<()> {
    let mut random = chaos.random(if all { "all" } else { "kills" }, round);
    let work_ms = random.random_range(WORK_MS);
    let shape = Shape::random(&mut random, chaos.state(round), work_ms);
    let mut job = Job::new(chaos, shape)?;
    for _ in 0..DISTURBANCES_MAX {
        let fail_point = (all && random.random_bool(0.7)).then(|| disturbance(&mut random));
        let how = How { fail_point, parallelism: random.random_range(1..=4), ..How::default() };
        if random.random_bool(UPGRADE) {
            job.upgrade()?;
        }
        let early = random.random_bool(0.3);
        let span = Duration::from_millis(random.random_range(if early { 0..400 } else { 300..1_500 }));
        let mut running = job.start(&how)?;
        if running.sleep(span)? {
            running.kill()?;
            section.now().kills += 1;
            continue;
        }
        let ended = running.kill()?;
        if ended.is_finished() {
            return job.check();
        }
        note(section, &ended, how.fail_point.as_deref())?;
    }
    job.finish_and_check()
}

/// Counts how a disturbed start ended by itself.
pub(super) fn note(section: &mut Section, ended: &Ended, fail_point: Option<&str>) -> Result<()> {
    match (ended.code, fail_point) {
        (None, None) => wrong(format!("a signal ended a start that nobody disturbed: {}", ended.said)),
        (_, None) => refused(format!("a start that nobody disturbed ended with {:?}: {}", ended.code, ended.said)),
        (None, Some(_)) => {
            section.now().deaths += 1;
            Ok(())
        }
        // Outside systems that fail have a code of their own.
        (Some(5), Some(_)) => {
            section.now().failures += 1;
            Ok(())
        }
        (code, Some(plan)) => refused(format!("with {plan} the host ended with {code:?}: {}", ended.said)),
    }
}

/// Something that goes wrong in the host: an end, an error, or a sink that takes nothing for a while.
fn disturbance(random: &mut impl Rng) -> String {
    if random.random_bool(0.2) {
        return format!("commit-before:{}+:error=EIO", random.random_range(1..30));
    }
    let (_, names) = FAIL_POINTS.choose(random).copied().unwrap_or_default();
    let name = names.choose(random).copied().unwrap_or("claim-before");
    let nth = if random.random_bool(0.5) { random.random_range(1..5) } else { random.random_range(1..60) };
    let action = match random.random_range(0..10) {
        0 => ":error=EIO",
        1 => ":error=ENOSPC",
        2 => ":error=EROFS",
        _ => "",
    };
    format!("{name}:{nth}{action}")
}
