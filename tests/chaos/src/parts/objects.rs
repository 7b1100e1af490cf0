//! Checkpoints in an object store: the host is killed, and so is the store.

use std::fs;
use std::path::Path;
use std::thread;
use std::time::Duration;

use rand::Rng;

use super::Amount;
use super::calm::IS_BACK;
use super::kills::note;
use crate::{Chaos, How, Job, Result, Seaweed, Section, Shape};

/// Most starts that are killed of one job.
const STARTS_MAX: u32 = 6;
/// While the store is away, checkpoints fail; jobs wait for it to come back.
const PATIENCE: (u64, u32) = (1_500, 1_000);

pub(super) fn run(chaos: &Chaos, amount: Amount) -> Section {
    let what = "Checkpoints lie in an object store (SeaweedFS, by S3). Hosts are killed and go on from there; every second job sees the \
                store killed in the middle, and come back.";
    let mut section = Section::new("objects", what);
    let mut store = match Seaweed::start() {
        Ok(store) => store,
        Err(stop) => {
            section.skipped.push(format!("no object store: {stop}"));
            return section;
        }
    };
    for round in 0..amount.rounds {
        if section.goes_on(chaos) {
            // Both kinds of state see both, in four rounds.
            let (state, is_store_killed) = (chaos.state(round), (round + round / 2) % 2 == 1);
            let name = format!("round {round}{}", if is_store_killed { ", the store is killed" } else { "" });
            section.scenario(chaos, state, &name, |section| {
                let checked = one(chaos, section, &mut store, round, is_store_killed);
                if checked.is_err() && is_store_killed {
                    // For the rounds that come.
                    store.kill()?;
                    store.start_again()?;
                }
                checked
            });
        }
    }
    section.check_time(chaos, "the rest of the rounds");
    section
}

fn one(chaos: &Chaos, section: &mut Section, store: &mut Seaweed, round: u64, is_store_killed: bool) -> Result<()> {
    let mut random = chaos.random("objects", round);
    let shape = Shape::random(&mut random, chaos.state(round), 4_000);
    let checkpoints = Some(store.url(&format!("chaos/{}/{round}", std::process::id())));
    let mut job = Job::new(chaos, Shape { checkpoints, patience: Some(PATIENCE), ..shape })?;
    job.environment = store.environment();
    for start in 0..STARTS_MAX {
        let log = job.folder().join(format!("places.{start}"));
        let how = How { parallelism: random.random_range(1..=4), log: Some(log.clone()), ..How::default() };
        let mut running = job.start(&how)?;
        let mut goes_on = running.sleep(Duration::from_millis(random.random_range(600..1_500)))?;
        if is_store_killed {
            // A start that finds no store ends, as it must; one that has come so far waits.
            while goes_on && !has_checkpoint(&log) {
                goes_on = running.sleep(Duration::from_millis(20))?;
            }
        }
        if goes_on && is_store_killed {
            store.kill()?;
            section.now().kills += 1;
            thread::sleep(Duration::from_millis(random.random_range(50..1_500)));
            store.start_again()?;
            goes_on = running.sleep(Duration::from_millis(random.random_range(600..1_500)))?;
        }
        let ended = running.kill()?;
        if goes_on {
            section.now().kills += 1;
        } else if ended.is_finished() {
            return job.check();
        } else {
            note(section, &ended, None)?;
        }
    }
    job.finish_and_check()
}

fn has_checkpoint(log: &Path) -> bool {
    fs::read_to_string(log).is_ok_and(|places| places.lines().any(|place| place == IS_BACK))
}
