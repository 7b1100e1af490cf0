//! The parts of the suite.

mod calm;
mod damage;
mod disk;
mod errors;
mod kills;
mod objects;
mod planted;
mod power;
mod recovery;
mod sweep;
mod twins;

use std::time::Instant;

pub(crate) use calm::Calm;

use crate::{Chaos, Section};

/// What can be run by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, clap::ValueEnum)]
pub enum Part {
    /// `kill -9` at random times.
    Kills,
    /// The end at every named place, the first time, in the middle and the last time that it is come to.
    Sweep,
    /// Storage and sinks that fail at every named place, once and for good.
    Errors,
    /// Five ends in a row while a job recovers.
    Recovery,
    /// Two starts of one job at the same time.
    Twins,
    /// Torn and flipped manifests and state.
    Damage,
    /// Full and read-only disks, and checkpoints on another filesystem.
    Disk,
    /// Checkpoints in an object store that is killed, too.
    Objects,
    /// The power goes: what was not synced is gone.
    Power,
    /// Hosts with a fault each, which all of this must find.
    Planted,
}

/// How much of each part.
#[derive(Debug, Clone, Copy)]
pub struct Amount {
    /// So many hosts are killed.
    pub kills: u64,
    /// Of the named places, every so many-th.
    pub every: usize,
    /// So many rounds where there is no natural number of them.
    pub rounds: u64,
}

impl Amount {
    /// All of it, with so many kills.
    #[must_use]
    pub fn whole(kills: u64) -> Self {
        Self { kills, every: 1, rounds: 10 }
    }
}

/// Runs a part.
pub fn run(chaos: &Chaos, part: Part, amount: Amount) -> Section {
    let began = Instant::now();
    let mut section = match part {
        Part::Kills => kills::run(chaos, amount),
        Part::Sweep => sweep::run(chaos, amount),
        Part::Errors => errors::run(chaos, amount),
        Part::Recovery => recovery::run(chaos, amount),
        Part::Twins => twins::run(chaos, amount),
        Part::Damage => damage::run(chaos),
        Part::Disk => disk::run(chaos),
        Part::Objects => objects::run(chaos, amount),
        Part::Power => power::run(chaos, amount),
        Part::Planted => planted::run(chaos, amount),
    };
    section.took = began.elapsed();
    section
}
