//! Hosts with a fault each: whoever looks for faults must find them.

use std::time::Instant;

use volley_fail_point::PLANTED_BUGS;

use super::{Amount, kills, power};
use crate::{Chaos, Fault, How, Job, Result, Section, Shape, Stop};

/// A fault that so many jobs do not show is not found.
const ROUNDS: u64 = 25;
/// The one that only a power cut shows.
const NEEDS_POWER: &str = "skip-staged-sync";

/// How a fault was found.
struct Found {
    /// By rows or by a job that refuses.
    by: &'static str,
    round: u64,
    how: String,
}

pub(super) fn run(chaos: &Chaos, amount: Amount) -> Section {
    let what = "Each fault is built into the host and switched on by a variable; jobs are disturbed in every way, until one of them \
                goes wrong, which is what must happen here. A fault is found by wrong output, or by a job that refuses to go on, \
                and by nothing else: not by output that cannot be judged, and not by a panic. Before that, the same jobs pass \
                without a fault.";
    let mut section = Section::new("planted", what);
    match has_faults(chaos) {
        Ok(()) => {}
        Err(stop) => {
            section.wrong.push(stop.to_string());
            return section;
        }
    }
    for round in 1..=amount.rounds {
        if section.goes_on(chaos) {
            let name = format!("no fault, job {round}");
            section.scenario(chaos, chaos.state(round), &name, |section| kills::one(chaos, section, round, true));
        }
    }
    if !section.wrong.is_empty() || !section.unreadable.is_empty() {
        // What a sound host does not pass finds no fault.
        return section;
    }
    section.table.push(["fault", "found by", "job", "state", "seconds", "how"].map(str::to_owned).to_vec());
    let (mut found, mut sought) = (0, 0);
    for bug in PLANTED_BUGS.iter().copied() {
        if !chaos.has_time() {
            break;
        }
        if bug == NEEDS_POWER && power::can_mount(chaos).is_err() {
            section.skipped.push(format!("{bug}: no image can be mounted here, and only a power cut shows it"));
            continue;
        }
        sought += 1;
        let began = Instant::now();
        match seek(chaos, &mut section, bug) {
            Ok(Some(Found { by, round, how })) => {
                found += 1;
                chaos.say(&format!("      planted · {bug}: found by {by} in job {round}: {how}"));
                let (state, seconds) = (chaos.state(round), began.elapsed().as_secs());
                let row =
                    [bug.to_owned(), by.to_owned(), round.to_string(), state.to_string(), seconds.to_string(), how];
                section.table.push(row.to_vec());
            }
            Ok(None) => section.wrong.push(format!("{bug}: not found in {ROUNDS} jobs")),
            Err(stop) => section.skipped.push(format!("{bug}: {stop}")),
        }
    }
    section.notes.insert(0, format!("{found} of {sought} found."));
    section.check_time(chaos, "the rest of the faults");
    section
}

/// In which job a fault is found, and how.
fn seek(chaos: &Chaos, section: &mut Section, bug: &'static str) -> Result<Option<Found>> {
    let chaos = chaos.with_planted(bug)?;
    for round in 1..=ROUNDS {
        if !chaos.has_time() {
            return Err(Stop::Trouble("the time was up".to_owned()));
        }
        section.with(chaos.state(round));
        section.now().tried += 1;
        let began = Instant::now();
        let outcome = match bug {
            NEEDS_POWER => power::one(&chaos, section, round),
            _ => kills::one(&chaos, section, round, true),
        };
        section.now().took += began.elapsed();
        match outcome {
            Ok(()) => {}
            Err(Stop::Wrong(Fault::Output, how)) => return Ok(Some(Found { by: "its output", round, how })),
            Err(Stop::Wrong(Fault::Refusal, how)) => return Ok(Some(Found { by: "a refusal", round, how })),
            // The fault shows, and not in the way that counts.
            Err(stop @ (Stop::Wrong(Fault::Conduct, _) | Stop::Unreadable(_))) => {
                section.notes.push(format!("{bug}, job {round}: does not count: {stop}"));
            }
            Err(stop) => return Err(stop),
        }
    }
    Ok(None)
}

/// Looks whether the host has faults that can be switched on: one that has none would be sought in for a long time.
fn has_faults(chaos: &Chaos) -> Result<()> {
    let chaos = chaos.with_planted("no-such-fault")?;
    let mut job = Job::new(&chaos, Shape::steady(chaos.state(0), 300))?;
    let ended = job.start(&How::default())?.wait(std::time::Duration::from_secs(60))?;
    match ended.is_finished() {
        false => Ok(()),
        true => Err(Stop::Trouble(format!(
            "{}: it has no faults to switch on: build it with --features volley-host/planted-bugs",
            chaos.options.host.display()
        ))),
    }
}
