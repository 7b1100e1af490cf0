//! What all parts of the suite work with: the host, the checker, the seed, and the time that is left.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use tempfile::TempDir;
use volley_fail_point::names_of;

use crate::parts::Calm;
use crate::{Checker, Result, State};

/// Where jobs of a run of the suite keep state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum States {
    /// All of them in the memory of the process.
    Memory,
    /// All of them on disk. The host must have been built with it.
    Rocksdb,
    /// By turns.
    #[default]
    Both,
}

impl States {
    /// Each of them once.
    #[must_use]
    pub fn all(self) -> &'static [State] {
        match self {
            Self::Memory => &[State::Memory],
            Self::Rocksdb => &[State::Rocksdb],
            Self::Both => &[State::Memory, State::Rocksdb],
        }
    }
}

impl fmt::Display for States {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Memory => "memory",
            Self::Rocksdb => "rocksdb",
            Self::Both => "memory and rocksdb by turns",
        })
    }
}

/// How the suite is run.
#[derive(Debug, Clone)]
pub struct Options {
    /// The host, built with the feature `fail-points`.
    pub host: PathBuf,
    /// Everything that is chosen comes from it.
    pub seed: u64,
    /// No scenario begins when this long has passed.
    pub limit: Duration,
    /// Where jobs keep state.
    pub states: States,
    /// Of the named places, these only; all, when it is empty.
    pub places: Vec<String>,
    /// Where a job that went wrong is copied to, whole.
    pub keep: Option<PathBuf>,
    /// Says what is going on.
    pub is_loud: bool,
}

/// The suite at work.
#[derive(Debug)]
pub struct Chaos {
    /// How it is run.
    pub options: Options,
    pub(crate) checker: Checker,
    /// The fault that the host is run with.
    pub(crate) planted: Option<&'static str>,
    /// What undisturbed jobs come to, by kind of state.
    pub(crate) calm: [OnceLock<std::result::Result<Calm, String>>; 2],
    scratch: TempDir,
    ends: Instant,
}

impl Chaos {
    /// Makes ready: a folder for jobs, in memory where there is one, and the checker.
    ///
    /// # Errors
    /// When there is no Python for the checker.
    pub fn new(options: Options) -> Result<Self> {
        // A process that is killed loses nothing of a folder in memory, and ten thousand syncs cost nothing there.
        let scratch = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir())?;
        let ends = Instant::now() + options.limit;
        Ok(Self { options, checker: Checker::start()?, planted: None, calm: Default::default(), scratch, ends })
    }

    /// The same suite over a host with a fault.
    ///
    /// # Errors
    /// As [`Chaos::new`].
    pub fn with_planted(&self, bug: &'static str) -> Result<Self> {
        let limit = self.ends.saturating_duration_since(Instant::now());
        let options = Options { is_loud: false, keep: None, limit, ..self.options.clone() };
        Ok(Self { planted: Some(bug), ..Self::new(options)? })
    }

    /// Whether another scenario may begin.
    #[must_use]
    pub fn has_time(&self) -> bool {
        Instant::now() < self.ends
    }

    /// The random numbers of one scenario: the same for the same seed, whatever ran before.
    #[must_use]
    pub fn random(&self, part: &str, round: u64) -> ChaCha8Rng {
        let part = part.bytes().fold(0_u64, |sum, byte| sum.wrapping_mul(31).wrapping_add(u64::from(byte)));
        let mut random = ChaCha8Rng::seed_from_u64(self.options.seed ^ part.rotate_left(32));
        random.set_stream(round);
        random
    }

    /// Where a scenario of this number keeps state: by turns, and the other way round with the next seed.
    #[must_use]
    pub fn state(&self, number: u64) -> State {
        let all = self.options.states.all();
        all[(self.options.seed.wrapping_add(number) % all.len() as u64) as usize]
    }

    /// The named places to be tried, every so many-th of them.
    pub(crate) fn places(&self, every: usize) -> Vec<&'static str> {
        let is_chosen =
            |name: &&str| self.options.places.is_empty() || self.options.places.iter().any(|chosen| chosen == name);
        let is_there =
            |name: &&str| self.options.states.all().contains(&State::Rocksdb) || !names_of("rocksdb").contains(name);
        volley_fail_point::names().filter(is_chosen).filter(is_there).step_by(every).collect()
    }

    /// Where jobs lie.
    #[must_use]
    pub fn scratch(&self) -> &Path {
        self.scratch.path()
    }

    /// Says something to whoever watches.
    pub fn say(&self, what: &str) {
        if self.options.is_loud {
            eprintln!("{what}");
        }
    }
}
