//! Five ends in a row while a job recovers.

use std::time::Duration;

use rand::Rng;
use rand::seq::SliceRandom;

use super::Amount;
use super::kills::note;
use crate::report::Section;
use crate::{Chaos, How, Job, Result, Shape};

/// The way of a start from its first step to its first checkpoint and the commits of what was left.
const PLACES: [&str; 25] = [
    "restore-listed",
    "begin-chosen",
    "claim-before",
    "claim-after",
    "claim-fenced",
    "begin-claimed",
    "sink-clean-up",
    "sink-clean-up-file",
    "begin-cleaned",
    "restore-sinks",
    "state-restore",
    "restore-operators",
    "job-before-start",
    "lookup-before",
    "sink-lookup",
    "rename-before",
    "rename-after",
    "rename-before-folder-sync",
    "commit-after",
    "epoch-begun",
    "barrier-after",
    "reader-after-barrier",
    "chain-aligned",
    "upload-middle",
    "manifest-between",
];

/// So many starts in a row recover and do not come to their end.
const ENDS: usize = 5;

pub(super) fn run(chaos: &Chaos, amount: Amount) -> Section {
    let what = "A job is killed, and the five starts after it end on their way back, each at another place.";
    let mut section = Section::new("recovery", what);
    for round in 0..amount.rounds {
        let mut places = PLACES;
        places.shuffle(&mut chaos.random("recovery", round / 5));
        // Five rounds come to all of them.
        let places: Vec<_> = places.iter().skip(round as usize % 5).step_by(5).take(ENDS).copied().collect();
        if section.goes_on(chaos) {
            section.scenario(chaos, &places.join(" "), |section| one(chaos, section, round, &places));
        }
    }
    section.check_time(chaos, "the rest of the rounds");
    section
}

fn one(chaos: &Chaos, section: &mut Section, round: u64, places: &[&str]) -> Result<()> {
    let mut random = chaos.random("recovery", 1_000 + round);
    let mut job = Job::new(chaos, Shape::random(&mut random, chaos.options.state, 3_000))?;
    let mut running = job.start(&How::default())?;
    running.sleep(Duration::from_millis(random.random_range(700..1_500)))?;
    running.kill()?;
    section.kills += 1;
    for place in places {
        let parallelism = random.random_range(1..=4);
        let how = How { parallelism, ..How::failing(format!("{place}:1")) };
        let ended = job.run(&how)?;
        if ended.is_finished() {
            // Nothing was left to recover at this place.
            return job.check();
        }
        note(section, &ended, Some(place))?;
    }
    job.finish_and_check()
}
