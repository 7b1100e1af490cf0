//! The end at every named place: the first time that it is come to, in the middle, and the last time.

use rand::Rng;
use volley_fail_point::FAIL_POINTS;

use super::Amount;
use super::calm::{BROKEN_AT, Coming, WORK_MS};
use super::kills::note;
use crate::{Chaos, How, Job, Result, Section, Shape};

/// A job that does not come so often to a place as the one that was looked at is run again, this often at most, to end there a
/// quarter earlier.
const ATTEMPTS: u32 = 4;

/// Which of the times that a place is come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Time {
    First,
    Middle,
    Last,
}

impl Time {
    const ALL: [Self; 3] = [Self::First, Self::Middle, Self::Last];

    fn nth(self, count: u64) -> u64 {
        match self {
            Self::First => 1,
            Self::Middle => count.div_ceil(2),
            // The last that is come to for sure: how often differs a little from run to run.
            Self::Last if count > 10 => count * 8 / 10,
            Self::Last => count,
        }
    }
}

pub(super) fn run(chaos: &Chaos, amount: Amount) -> Section {
    let what = "A job ends at every named place: the first time that it is come to, in the middle, and the last time (the number \
                of the time stands before the state). Where state is kept takes turns; a place that only one kind comes to is tried \
                with that. Starts have two to four subtasks, and those after them one to four. Places that only a start comes \
                to which goes on end that one, the second, with a subtask more where only that comes there; where a savepoint \
                comes there, one is asked for.";
    let mut section = Section::new("sweep", what);
    section.table.push(["part", "place", "start", "first", "middle", "last"].map(str::to_owned).to_vec());
    let (mut reached, mut places, mut unreached) = (0, 0, Vec::new());
    for (index, name) in chaos.places(amount.every).into_iter().enumerate() {
        places += 1;
        let number = index as u64;
        match chaos.coming(name, number) {
            Ok(Some(_)) => reached += 1,
            Ok(None) => {
                unreached.push(name);
                continue;
            }
            Err(stop) => {
                section.wrong.push(stop.to_string());
                return section;
            }
        }
        let actions: &[&str] = if name == "tmp-write" { &["", ":torn"] } else { &[""] };
        for action in actions {
            place(chaos, &mut section, number, name, action);
        }
    }
    section.notes.push(format!("{reached} of {places} places were come to."));
    if !unreached.is_empty() {
        let names = unreached.join(", ");
        section.skipped.push(format!("{names}: no job of this suite comes to them"));
    }
    section.check_time(chaos, "the rest of the places");
    section
}

/// All times of one place, as a row of the table.
fn place(chaos: &Chaos, section: &mut Section, number: u64, name: &str, action: &str) {
    let part = FAIL_POINTS.iter().find(|(_, names)| names.contains(&name)).map_or("", |(part, _)| part);
    let mut row = vec![part.to_owned(), format!("{name}{action}"), String::new()];
    let mut tried = Vec::new();
    for (turn, time) in (0..).zip(Time::ALL) {
        let Ok(Some(coming)) = chaos.coming(name, number + turn) else { return };
        let nth = time.nth(coming.count);
        row[2] = coming.which.name().to_owned();
        if tried.contains(&(nth, coming.state)) || !section.goes_on(chaos) {
            row.push(String::new());
            continue;
        }
        tried.push((nth, coming.state));
        let mut ended_at = None;
        let is_right = section.scenario(chaos, coming.state, &format!("{name}:{nth}{action}"), |section| {
            ended_at = one(chaos, section, coming, &Plan { name, nth, action, time, number: 3 * number + turn })?;
            Ok(())
        });
        row.push(match ended_at {
            _ if !is_right => format!("NOT RIGHT · {}", coming.state),
            Some(nth) => format!("{nth} · {}", coming.state),
            None => "not come to".to_owned(),
        });
    }
    section.table.push(row);
}

/// Where a start ends.
struct Plan<'a> {
    name: &'a str,
    nth: u64,
    action: &'a str,
    time: Time,
    /// Of the scenario.
    number: u64,
}

/// A job one of whose starts is disturbed; then undisturbed, and checked. The time at which it ended, if it did.
fn one(chaos: &Chaos, section: &mut Section, coming: Coming, plan: &Plan<'_>) -> Result<Option<u64>> {
    let mut random = chaos.random("sweep", plan.number);
    let mut nth = plan.nth;
    for _ in 0..ATTEMPTS {
        let mut job = Job::new(chaos, Shape::steady(coming.state, WORK_MS))?;
        // Places were counted with two; more come to them no less often, and to the last ones later.
        job.parallelism = if plan.time == Time::Last { 2 } else { random.random_range(2..=4) };
        if let Some(ended) = coming.which.prepare(&mut job)? {
            note(section, &ended, Some(BROKEN_AT))?;
        }
        let at = format!("{}:{nth}{}", plan.name, plan.action);
        let ended = coming.which.start(&mut job, &How::failing(at.as_str()))?.finish()?;
        job.parallelism = random.random_range(1..=4);
        if !ended.is_finished() {
            note(section, &ended, Some(&at))?;
            job.finish_and_check()?;
            return Ok(Some(nth));
        }
        job.check()?;
        if nth == 1 {
            break;
        }
        nth = nth * 3 / 4;
    }
    Ok(None)
}
