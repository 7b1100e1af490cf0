//! Five ends in a row while a job recovers.

use std::time::Duration;

use rand::Rng;
use rand::seq::SliceRandom;

use super::Amount;
use super::kills::{UPGRADE, note};
use crate::{Chaos, How, Job, Result, Section, Shape, State};

/// So many starts in a row recover and do not come to their end.
const ENDS: usize = 5;

pub(super) fn run(chaos: &Chaos, amount: Amount) -> Section {
    let what = "A job is killed, and the five starts after it end on their way back, each at another place: of those between the first \
                step of a start and its first complete checkpoint, all by turns.";
    let mut section = Section::new("recovery", what);
    let kinds = chaos.options.states.all().len() as u64;
    for round in 0..amount.rounds {
        let state = chaos.state(round);
        let mut places: Vec<String> = match chaos.calm(state) {
            Ok(calm) => calm.way_back.iter().cloned().collect(),
            Err(stop) => {
                section.wrong.push(stop.to_string());
                return section;
            }
        };
        places.shuffle(&mut chaos.random("recovery", state as u64));
        let turn = (round / kinds) as usize;
        let places: Vec<_> = places.iter().cycle().skip(turn * ENDS).take(ENDS).map(String::as_str).collect();
        if section.goes_on(chaos) {
            section.scenario(chaos, state, &places.join(" "), |section| one(chaos, section, state, round, &places));
        }
    }
    section.check_time(chaos, "the rest of the rounds");
    section
}

fn one(chaos: &Chaos, section: &mut Section, state: State, round: u64, places: &[&str]) -> Result<()> {
    let mut random = chaos.random("recovery", 1_000 + round);
    let mut job = Job::new(chaos, Shape::random(&mut random, state, 3_000))?;
    let mut running = job.start(&How::default())?;
    running.sleep(Duration::from_millis(random.random_range(700..1_500)))?;
    running.kill()?;
    section.now().kills += 1;
    for place in places {
        job.parallelism = random.random_range(1..=4);
        if random.random_bool(UPGRADE) {
            job.upgrade()?;
        }
        let ended = job.run(&How::failing(format!("{place}:1")))?;
        if ended.is_finished() {
            // Nothing was left to recover at this place.
            return job.check();
        }
        note(section, &ended, Some(place))?;
    }
    job.finish_and_check()
}
