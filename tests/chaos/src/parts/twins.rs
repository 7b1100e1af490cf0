//! Two starts of one job at the same time: one must stop and say why, and the output must not show that there were two.

use std::time::Duration;

use rand::Rng;

use super::Amount;
use crate::{Chaos, Ended, How, Job, Result, Section, Shape, wrong};

/// How long both together may take.
const LIMIT: Duration = Duration::from_secs(60);

pub(super) fn run(chaos: &Chaos, amount: Amount) -> Section {
    let what = "A job is started twice: at the same moment, and while it has been running for a while.";
    let mut section = Section::new("twins", what);
    for round in 0..amount.rounds {
        if section.goes_on(chaos) {
            section
                .scenario(chaos, chaos.state(round), &format!("round {round}"), |section| one(chaos, section, round));
        }
    }
    section.check_time(chaos, "the rest of the rounds");
    section
}

fn one(chaos: &Chaos, section: &mut Section, round: u64) -> Result<()> {
    let mut random = chaos.random("twins", round);
    let mut job = Job::new(chaos, Shape::random(&mut random, chaos.state(round), 3_000))?;
    let mut first = job.start(&How { parallelism: random.random_range(1..=4), ..How::default() })?;
    if !round.is_multiple_of(3) {
        first.sleep(Duration::from_millis(random.random_range(200..2_000)))?;
    }
    // A start that takes its time between looking for the newest checkpoint and claiming its place.
    let fail_point = (round % 2 == 1).then(|| "begin-chosen:1:pause=400".to_owned());
    let second = job.start(&How { parallelism: random.random_range(1..=4), fail_point, ..How::default() })?;
    let (first, second) = (first.wait(LIMIT)?, second.wait(LIMIT)?);
    for ended in [&first, &second] {
        ended.check_manners()?;
    }
    // State on disk is in a folder that one process has: the other does not come so far as to take over.
    let is_superseded = |ended: &Ended| {
        ended.code == Some(5) && ended.said.contains("has taken over")
            || ended.code == Some(2) && ended.said.contains("is in use by another process")
    };
    let losers = [&first, &second].into_iter().filter(|ended| !ended.is_finished()).collect::<Vec<_>>();
    match losers[..] {
        // The first had come to its end before the second looked.
        [] => {}
        [loser] if is_superseded(loser) => section.now().failures += 1,
        [loser] => return wrong(format!("one stopped with {:?} and said: {}", loser.code, loser.said)),
        _ => return wrong(format!("both stopped: {} And: {}", first.said, second.said)),
    }
    job.check()
}
