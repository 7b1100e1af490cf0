//! Storage and sinks that fail at a named place, once and from then on: the job gives up with a clear error or goes on, and a
//! later start finishes it.

use super::Amount;
use super::kills::note;
use super::sweep::{BROKEN_AT, Calm, WORK_MS, Which};
use crate::report::Section;
use crate::{Chaos, How, Job, Result, Shape, wrong};

const ERRORS: [&str; 4] = ["ENOSPC", "EIO", "EROFS", "EDQUOT"];

pub(super) fn run(chaos: &Chaos, amount: Amount) -> Section {
    let what = "At every named place an operation fails, with no space, an I/O error, a read-only or a full quota: once, and \
                from the middle of the job on. The host must go on or say what failed; a later start ends the job.";
    let mut section = Section::new("errors", what);
    let calm = match Calm::look(chaos) {
        Ok(calm) => calm,
        Err(stop) => {
            section.wrong.push(format!("an undisturbed job: {stop}"));
            return section;
        }
    };
    for (index, name) in chaos.places(amount.every).into_iter().enumerate() {
        let Some((which, count)) = calm.of(name) else { continue };
        let error = ERRORS[index % ERRORS.len()];
        let middle = count.div_ceil(2);
        for plan in [format!("{name}:{middle}:error={error}"), format!("{name}:{middle}+:error={error}")] {
            if section.goes_on(chaos) {
                section.scenario(chaos, &plan, |section| one(chaos, section, which, &plan));
            }
        }
    }
    section.check_time(chaos, "the rest of the places");
    section
}

fn one(chaos: &Chaos, section: &mut Section, which: Which, plan: &str) -> Result<()> {
    let mut job = Job::new(chaos, Shape::steady(chaos.options.state, WORK_MS))?;
    if which != Which::Fresh {
        let ended = job.run(&How::failing(BROKEN_AT))?;
        note(section, &ended, Some(BROKEN_AT))?;
    }
    // A sink that never answers is waited for, so that the host may run on.
    let mut running = job.start(&which.failing(plan))?;
    if running.sleep(std::time::Duration::from_millis(4 * WORK_MS))? {
        running.kill()?;
        section.kills += 1;
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
