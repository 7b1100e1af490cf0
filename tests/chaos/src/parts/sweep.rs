//! The end at every named place: the first time that it is come to, in the middle, and the last time.

use std::collections::BTreeMap;
use std::fs;

use volley_fail_point::{FAIL_POINTS, names};

use super::Amount;
use super::kills::note;
use crate::report::Section;
use crate::{Chaos, How, Job, Result, Shape, Stop};

/// How long the job would take undisturbed, in milliseconds.
pub(super) const WORK_MS: u64 = 1_200;
/// Where a start ends before one that recovers: output is prepared and not all of it is visible.
pub(super) const BROKEN_AT: &str = "rename-before:6";

/// How often each place is come to.
pub(super) type Counts = BTreeMap<String, u64>;

/// How often places are come to, by a job from its beginning, by one that goes on, and by one that goes on with other subtasks.
#[derive(Debug)]
pub(super) struct Calm {
    pub(super) fresh: Counts,
    pub(super) recovered: Counts,
    pub(super) rescaled: Counts,
}

/// Which start is disturbed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Which {
    /// The first.
    Fresh,
    /// The second, after the first has ended in the middle.
    Recovered,
    /// The same with more subtasks than before, which read the state of others.
    Rescaled,
}

impl Which {
    /// The start with that plan.
    pub(super) fn failing(self, plan: &str) -> How {
        How { parallelism: if self == Self::Rescaled { 3 } else { 0 }, ..How::failing(plan) }
    }
}

impl Calm {
    /// Looks at three jobs.
    pub(super) fn look(chaos: &Chaos) -> Result<Self> {
        let steady = || Shape::steady(chaos.options.state, WORK_MS);
        let mut job = Job::new(chaos, steady())?;
        let log = job.folder().join("places");
        job.run(&How { log: Some(log.clone()), ..How::default() })?;
        job.check()?;
        let fresh = counts(&log)?;
        let goes_on = |parallelism: u32| {
            let mut job = Job::new(chaos, steady())?;
            let log = job.folder().join("places");
            let ended = job.run(&How::failing(BROKEN_AT))?;
            if ended.code.is_some() {
                let message = "it did not end at a named place: build it with --features volley-host/fail-points";
                return Err(Stop::Trouble(format!("{}: {message}", chaos.options.host.display())));
            }
            job.run(&How { log: Some(log.clone()), parallelism, ..How::default() })?;
            job.check()?;
            counts(&log)
        };
        Ok(Self { fresh, recovered: goes_on(0)?, rescaled: goes_on(3)? })
    }

    /// Which start comes to a place, and how often.
    pub(super) fn of(&self, name: &str) -> Option<(Which, u64)> {
        let fresh = self.fresh.get(name).map(|count| (Which::Fresh, *count));
        let recovered = || self.recovered.get(name).map(|count| (Which::Recovered, *count));
        let rescaled = || self.rescaled.get(name).map(|count| (Which::Rescaled, *count));
        fresh.or_else(recovered).or_else(rescaled)
    }
}

fn counts(log: &std::path::Path) -> Result<Counts> {
    let mut counts = Counts::new();
    for line in fs::read_to_string(log)?.lines() {
        *counts.entry(line.to_owned()).or_default() += 1;
    }
    Ok(counts)
}

pub(super) fn run(chaos: &Chaos, amount: Amount) -> Section {
    let what = "A job ends at every named place: the first time that it is come to, in the middle, and the last time. Places \
                that only a recovery comes to end that.";
    let mut section = Section::new("sweep", what);
    let calm = match Calm::look(chaos) {
        Ok(calm) => calm,
        Err(stop) => {
            section.wrong.push(format!("an undisturbed job: {stop}"));
            return section;
        }
    };
    let (mut reached, mut unreached) = (0, Vec::new());
    for name in chaos.places(amount.every) {
        let Some((which, count)) = calm.of(name) else {
            unreached.push(name);
            continue;
        };
        reached += 1;
        let mut times = vec![1, count.div_ceil(2), last(count)];
        times.dedup();
        for nth in times {
            let actions: &[&str] = if name == "tmp-write" { &["", ":torn"] } else { &[""] };
            for action in actions.iter().filter(|_| section.goes_on(chaos)).collect::<Vec<_>>() {
                let plan = format!("{name}:{nth}{action}");
                section.scenario(chaos, &plan, |section| one(chaos, section, which, &plan));
            }
        }
    }
    section.notes.push(format!("{reached} of {} places were come to.", names().count()));
    if !unreached.is_empty() {
        let names = unreached.join(", ");
        section.skipped.push(format!("{names}: no job of this suite comes to them"));
    }
    for (part, names) in FAIL_POINTS {
        section.notes.push(format!("{part}: {}", names.join(", ")));
    }
    section.check_time(chaos, "the rest of the places");
    section
}

/// The last time that is come to for sure: how often differs a little from run to run.
fn last(count: u64) -> u64 {
    if count > 10 { count * 8 / 10 } else { count }
}

/// A job one of whose starts is disturbed; then undisturbed, and checked.
pub(super) fn one(chaos: &Chaos, section: &mut Section, which: Which, plan: &str) -> Result<()> {
    let mut job = Job::new(chaos, Shape::steady(chaos.options.state, WORK_MS))?;
    if which != Which::Fresh {
        let ended = job.run(&How::failing(BROKEN_AT))?;
        note(section, &ended, Some(BROKEN_AT))?;
    }
    let ended = job.run(&which.failing(plan))?;
    if ended.is_finished() {
        section.notes.push(format!("{plan}: not come to in this run."));
        return job.check();
    }
    note(section, &ended, Some(plan))?;
    job.finish_and_check()
}
