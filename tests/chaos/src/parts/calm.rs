//! What jobs come to that nobody disturbs: where and how often they can be disturbed.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use crate::job::LISTENS;
use crate::{Chaos, Ended, How, Job, Result, Running, Shape, State, Stop};

/// How long the job would take undisturbed, in milliseconds.
pub(super) const WORK_MS: u64 = 1_200;
/// Where a start ends before one that recovers: output is prepared and not all of it is visible.
pub(super) const BROKEN_AT: &str = "rename-before:6";
/// With this a start has come back: the first of its own checkpoints is complete.
pub(super) const IS_BACK: &str = "epoch-complete";

/// How often each place is come to.
type Counts = BTreeMap<String, u64>;

/// How often places are come to, by kind of start.
#[derive(Debug)]
pub(crate) struct Calm {
    counts: Vec<(Which, Counts)>,
    /// The places that a start comes to which goes on, until its first checkpoint is complete.
    pub(super) way_back: BTreeSet<String>,
}

/// Which start is disturbed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Which {
    /// The first.
    Fresh,
    /// One of which a savepoint is asked.
    Saved,
    /// The second, after the first has ended in the middle.
    Recovered,
    /// The same with one subtask more.
    Rescaled,
}

impl Which {
    /// In a report.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Fresh => "1st",
            Self::Saved => "1st, saved",
            Self::Recovered => "2nd",
            Self::Rescaled => "2nd, rescaled",
        }
    }

    /// Brings a new job to where this start is the next, and gives how a start before it ended.
    pub(super) fn prepare(self, job: &mut Job<'_>) -> Result<Option<Ended>> {
        if matches!(self, Self::Fresh | Self::Saved) {
            return Ok(None);
        }
        let ended = job.run(&How::failing(BROKEN_AT))?;
        job.upgrade()?;
        job.parallelism += u32::from(self == Self::Rescaled);
        Ok(Some(ended))
    }

    /// Starts the job in this way.
    pub(super) fn start(self, job: &mut Job<'_>, how: &How) -> Result<Running> {
        if self != Self::Saved {
            return job.start(how);
        }
        let arguments = ["--folder", LISTENS].map(str::to_owned).to_vec();
        let mut running = job.start(&How { arguments, ..how.clone() })?;
        job.save(&mut running)?;
        Ok(running)
    }
}

/// How a place is come to.
#[derive(Debug, Clone, Copy)]
pub(super) struct Coming {
    pub(super) state: State,
    pub(super) which: Which,
    /// How often.
    pub(super) count: u64,
}

impl Calm {
    /// Looks at a job of each kind.
    fn look(chaos: &Chaos, state: State) -> Result<Self> {
        let mut calm = Self { counts: Vec::new(), way_back: BTreeSet::new() };
        for which in [Which::Fresh, Which::Saved, Which::Recovered, Which::Rescaled] {
            let mut job = Job::new(chaos, Shape::steady(state, WORK_MS))?;
            let log = job.folder().join("places");
            if let Some(ended) = which.prepare(&mut job)?.filter(|ended| ended.code.is_some()) {
                let message = "it did not end at a named place: build it with --features volley-host/fail-points";
                return Err(Stop::Trouble(format!("{}: {message}: {}", chaos.options.host.display(), ended.said)));
            }
            which.start(&mut job, &How { log: Some(log.clone()), ..How::default() })?.finish()?;
            job.check()?;
            let places = read(&log)?;
            if which == Which::Recovered {
                let back = places.iter().position(|place| place == IS_BACK).map_or(places.len(), |at| at + 1);
                calm.way_back = places[..back].iter().cloned().collect();
            }
            calm.counts.push((which, counts(&places)));
        }
        Ok(calm)
    }

    /// Which start comes to a place first, and how often.
    fn of(&self, name: &str) -> Option<(Which, u64)> {
        self.counts.iter().find_map(|(which, counts)| Some((*which, *counts.get(name)?)))
    }
}

impl Chaos {
    /// What undisturbed jobs with this kind of state come to, looked at once.
    pub(super) fn calm(&self, state: State) -> Result<&Calm> {
        let found = self.calm[state as usize].get_or_init(|| Calm::look(self, state).map_err(|stop| stop.to_string()));
        found.as_ref().map_err(|stop| Stop::Trouble(format!("an undisturbed job, {state}: {stop}")))
    }

    /// How a place is come to in a scenario of this number: with the state whose turn it is, or else with the one that comes
    /// there. `None` for a place that no job comes to.
    pub(super) fn coming(&self, name: &str, number: u64) -> Result<Option<Coming>> {
        let first = self.state(number);
        let others = self.options.states.all().iter().copied().filter(|state| *state != first);
        for state in std::iter::once(first).chain(others) {
            if let Some((which, count)) = self.calm(state)?.of(name) {
                return Ok(Some(Coming { state, which, count }));
            }
        }
        Ok(None)
    }
}

fn read(log: &Path) -> Result<Vec<String>> {
    Ok(fs::read_to_string(log)?.lines().map(str::to_owned).collect())
}

fn counts(places: &[String]) -> Counts {
    let mut counts = Counts::new();
    for place in places {
        *counts.entry(place.clone()).or_default() += 1;
    }
    counts
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::{Options, States};

    fn calm(counts: &[(&str, u64)]) -> Calm {
        let fresh = counts.iter().map(|(name, count)| ((*name).to_owned(), *count)).collect();
        let recovered = Counts::from([("back".to_owned(), 2)]);
        Calm { counts: vec![(Which::Fresh, fresh), (Which::Recovered, recovered)], way_back: BTreeSet::new() }
    }

    fn chaos(seed: u64, states: States) -> Chaos {
        let (host, limit) = ("no-host".into(), Duration::from_secs(60));
        let chaos = Chaos::new(Options { host, seed, limit, states, places: Vec::new(), keep: None, is_loud: false });
        let chaos = chaos.expect("a checker");
        for (state, counts) in [(State::Memory, &[("both", 3)][..]), (State::Rocksdb, &[("both", 4), ("disk", 5)])] {
            assert!(chaos.calm[state as usize].set(Ok(calm(counts))).is_ok());
        }
        chaos
    }

    #[test]
    fn a_place_is_tried_with_the_state_that_comes_there_and_otherwise_by_turns() {
        let chaos = chaos(1, States::Both);
        let coming = |name, number| {
            let coming = chaos.coming(name, number).expect("looked at before")?;
            Some((coming.state, coming.which, coming.count))
        };
        let (memory, disk) = ((State::Memory, Which::Fresh, 3), (State::Rocksdb, Which::Fresh, 4));
        assert_eq!([0, 1, 2].map(|number| coming("both", number)), [Some(disk), Some(memory), Some(disk)]);
        assert_eq!([0, 1].map(|number| coming("disk", number)), [Some((State::Rocksdb, Which::Fresh, 5)); 2]);
        assert_eq!(coming("back", 1), Some((State::Memory, Which::Recovered, 2)));
        assert_eq!(coming("nowhere", 0), None);
    }

    #[test]
    fn the_next_seed_turns_round_and_one_state_is_kept_to() {
        let state = |chaos: &Chaos, number| chaos.coming("both", number).expect("looked at").map(|coming| coming.state);
        assert_eq!(
            [0, 1].map(|number| state(&chaos(2, States::Both), number)),
            [Some(State::Memory), Some(State::Rocksdb)]
        );
        let kept = chaos(1, States::Memory);
        assert_eq!([0, 1].map(|number| state(&kept, number)), [Some(State::Memory); 2]);
        assert!(kept.coming("disk", 0).expect("looked at").is_none());
    }
}
