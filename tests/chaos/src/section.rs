//! What one part of the suite did, counted for each place where jobs keep state.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use crate::{Chaos, Result, State, Stop};

/// A part gives up after so many findings: they are hardly all different.
const WRONG_MAX: usize = 10;

/// Numbers of the jobs with one kind of state.
#[derive(Debug, Clone, Copy, Default)]
pub struct Counts {
    /// How many scenarios were run.
    pub tried: u64,
    /// How many hosts were killed from outside.
    pub kills: u64,
    /// How many ended at a place where they were made to.
    pub deaths: u64,
    /// How many gave up with an error, which was asked for.
    pub failures: u64,
    /// How many scenarios went wrong.
    pub wrong: u64,
    /// How many ended with output that cannot be judged.
    pub unreadable: u64,
    /// How long they took, together.
    pub took: Duration,
}

impl std::ops::AddAssign for Counts {
    fn add_assign(&mut self, other: Self) {
        self.tried += other.tried;
        self.kills += other.kills;
        self.deaths += other.deaths;
        self.failures += other.failures;
        self.wrong += other.wrong;
        self.unreadable += other.unreadable;
        self.took += other.took;
    }
}

/// What one part of the suite did.
#[derive(Debug, Default)]
pub struct Section {
    /// Its name.
    pub name: &'static str,
    /// What it does, in a sentence.
    pub what: &'static str,
    /// Numbers, for each kind of state.
    pub counts: BTreeMap<State, Counts>,
    /// What is wrong.
    pub wrong: Vec<String>,
    /// What could not be judged.
    pub unreadable: Vec<String>,
    /// What could not be tried, and why.
    pub skipped: Vec<String>,
    /// What else there is to say.
    pub notes: Vec<String>,
    /// Rows of a table, the first one with its titles.
    pub table: Vec<Vec<String>>,
    /// How long it took, by the clock.
    pub took: Duration,
    /// The state of the jobs of the scenario that runs.
    state: State,
}

impl Section {
    /// Of a part that has not begun.
    #[must_use]
    pub fn new(name: &'static str, what: &'static str) -> Self {
        Self { name, what, ..Self::default() }
    }

    /// Whether another scenario is to be run.
    #[must_use]
    pub fn goes_on(&self, chaos: &Chaos) -> bool {
        self.wrong.len() + self.unreadable.len() < WRONG_MAX && chaos.has_time()
    }

    /// The numbers of the scenario that runs.
    pub fn now(&mut self) -> &mut Counts {
        self.counts.entry(self.state).or_default()
    }

    /// The sum over all kinds of state.
    #[must_use]
    pub fn total(&self) -> Counts {
        self.counts.values().fold(Counts::default(), |mut sum, counts| {
            sum += *counts;
            sum
        })
    }

    /// Says with which state the jobs are that come now.
    pub fn with(&mut self, state: State) {
        self.state = state;
    }

    /// Runs a scenario with one kind of state and notes what came of it: whether all was right.
    pub fn scenario(
        &mut self,
        chaos: &Chaos,
        state: State,
        name: &str,
        run: impl FnOnce(&mut Self) -> Result<()>,
    ) -> bool {
        let began = Instant::now();
        self.with(state);
        let outcome = run(self);
        self.with(state);
        self.now().tried += 1;
        self.now().took += began.elapsed();
        let ms = began.elapsed().as_millis();
        let Err(stop) = outcome else {
            chaos.say(&format!("      {} · {name}, {state}: right ({ms} ms)", self.name));
            return true;
        };
        let found = format!("{name}, {state}: {stop}");
        chaos.say(&format!("      {} · {found}", self.name));
        match stop {
            Stop::Wrong(..) => {
                self.now().wrong += 1;
                self.wrong.push(found);
            }
            Stop::Unreadable(_) => {
                self.now().unreadable += 1;
                self.unreadable.push(found);
            }
            Stop::Trouble(_) => self.skipped.push(found),
        }
        false
    }

    /// Notes that there was no time left for the rest.
    pub fn check_time(&mut self, chaos: &Chaos, what: &str) {
        if !chaos.has_time() {
            self.skipped.push(format!("{what}: the time was up"));
        }
    }
}
