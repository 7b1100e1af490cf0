//! Storage and sinks that fail at a named place, once and from then on: the job gives up with a clear error or goes on, and a
//! later start finishes it.

use rand::Rng;

use super::Amount;
use super::calm::{BROKEN_AT, Coming, WORK_MS};
use super::kills::note;
use crate::{Chaos, How, Job, Result, Section, Shape, wrong};

const ERRORS: [&str; 4] = ["ENOSPC", "EIO", "EROFS", "EDQUOT"];

pub(super) fn run(chaos: &Chaos, amount: Amount) -> Section {
    let what = "At every named place an operation fails, with no space, an I/O error, a read-only or a full quota: once, and \
                from the middle of the job on, with one kind of state and with the other. The host must go on or say what \
                failed; a later start ends the job.";
    let mut section = Section::new("errors", what);
    for (index, name) in chaos.places(amount.every).into_iter().enumerate() {
        let error = ERRORS[index % ERRORS.len()];
        for (turn, from_then_on) in (0..).zip(["", "+"]) {
            let number = index as u64 + turn;
            let coming = match chaos.coming(name, number) {
                Ok(Some(coming)) => coming,
                Ok(None) => continue,
                Err(stop) => {
                    section.wrong.push(stop.to_string());
                    return section;
                }
            };
            let plan = format!("{name}:{}{from_then_on}:error={error}", coming.count.div_ceil(2));
            if section.goes_on(chaos) {
                let number = 2 * index as u64 + turn;
                section.scenario(chaos, coming.state, &plan, |section| one(chaos, section, coming, &plan, number));
            }
        }
    }
    section.check_time(chaos, "the rest of the places");
    section
}

fn one(chaos: &Chaos, section: &mut Section, coming: Coming, plan: &str, number: u64) -> Result<()> {
    let mut random = chaos.random("errors", number);
    let mut job = Job::new(chaos, Shape::steady(coming.state, WORK_MS))?;
    job.parallelism = random.random_range(2..=4);
    if let Some(ended) = coming.which.prepare(&mut job)? {
        note(section, &ended, Some(BROKEN_AT))?;
    }
    // A sink that never answers is waited for, so that the host may run on.
    let mut running = coming.which.start(&mut job, &How::failing(plan))?;
    job.parallelism = random.random_range(1..=4);
    if running.sleep(std::time::Duration::from_millis(4 * WORK_MS))? {
        running.kill()?;
        section.now().kills += 1;
        return job.finish_and_check();
    }
    let ended = running.kill()?;
    if ended.is_finished() {
        return job.check();
    }
    if ended.code.is_none() {
        return wrong(format!("an error ends no process, and {plan} did: {}", ended.said));
    }
    note(section, &ended, Some(plan))?;
    if !ended.said.contains("os error") && !ended.said.contains("fail point") {
        return wrong(format!("{plan}: the host does not say what failed: {}", ended.said));
    }
    job.finish_and_check()
}
