//! The world exhaustively: every order of everything that can happen in a small case, breadth first.

use std::collections::HashSet;
use std::hash::{Hash, Hasher};

use super::actions::{Action, Judge, Sort};
use super::job::Size;
use super::world::World;
use crate::protocol::Settings;
use crate::protocol::planted::PlantedBug;

/// How much may go wrong on one path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Budget {
    /// Times that the clock moves on: to the next epoch, or to the end of one that hangs.
    pub(super) wakes: u8,
    pub(super) faults: u8,
    pub(super) crashes: u8,
    pub(super) wishes: u8,
}

impl Budget {
    fn after(mut self, sort: Sort) -> Option<Self> {
        let left = match sort {
            Sort::Normal => return Some(self),
            Sort::Time => &mut self.wakes,
            Sort::Fault => &mut self.faults,
            Sort::Crash => &mut self.crashes,
            Sort::Wish => &mut self.wishes,
        };
        *left = left.checked_sub(1)?;
        Some(self)
    }
}

/// How large the search was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Explored {
    pub(super) states: usize,
    pub(super) steps: usize,
    pub(super) ends: usize,
}

/// Two hashes in one go, since hashing is most of the work.
struct Fingerprint(u64, u64);

impl Fingerprint {
    /// With 128 bits two states are not taken for one.
    fn of(state: &impl Hash) -> (u64, u64) {
        let mut fingerprint = Self(0x243f_6a88_85a3_08d3, 0x1319_8a2e_0370_7344);
        state.hash(&mut fingerprint);
        (fingerprint.0, fingerprint.1)
    }
}

impl Hasher for Fingerprint {
    fn write(&mut self, bytes: &[u8]) {
        let folded = |value: u64, by: u64| {
            let product = u128::from(value) * u128::from(by);
            #[expect(clippy::cast_possible_truncation, reason = "both halves are taken")]
            let halves = (product as u64, (product >> 64) as u64);
            halves.0 ^ halves.1
        };
        for chunk in bytes.chunks(8) {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            let word = u64::from_le_bytes(word);
            self.0 = folded(self.0 ^ word, 0x9e37_79b9_7f4a_7c15).rotate_left(23);
            self.1 = folded(self.1.wrapping_add(word), 0xd1b5_4a32_d192_ed03).rotate_left(31) ^ word;
        }
    }

    fn finish(&self) -> u64 {
        self.0 ^ self.1
    }
}

/// Visits every state that can be reached. An error tells the shortest way to what went wrong.
pub(super) fn explore(
    size: Size,
    settings: Settings,
    budget: Budget,
    bug: Option<PlantedBug>,
) -> Result<Explored, String> {
    let mut explored = Explored { states: 0, steps: 0, ends: 0 };
    let mut seen = HashSet::new();
    // How each state was first reached: from which, and by what.
    let mut ways: Vec<(usize, Option<Action>)> = vec![(0, None)];
    let mut frontier = vec![(0, World::new(size, settings, bug, Judge::Rules)?, budget)];
    while !frontier.is_empty() {
        let mut next = Vec::new();
        for (at, world, budget) in frontier {
            explored.states += 1;
            let actions = world.actions();
            let can_go_on = actions.iter().any(|(_, sort)| *sort == Sort::Normal);
            if world.is_over {
                explored.ends += 1;
            } else if !can_go_on && budget.wakes == 0 {
                return Err(format!("stuck after {:?}: {world:?}", way(&ways, at)));
            }
            for (action, sort) in actions {
                let Some(left) = budget.after(sort) else { continue };
                let mut after = world.clone();
                explored.steps += 1;
                if let Err(problem) = after.act(&action) {
                    let mut way = way(&ways, at);
                    way.push(action);
                    return Err(format!("{problem}; after {way:?}"));
                }
                if seen.insert(Fingerprint::of(&(&after, left))) {
                    ways.push((at, Some(action)));
                    next.push((ways.len() - 1, after, left));
                }
            }
        }
        frontier = next;
    }
    Ok(explored)
}

fn way(ways: &[(usize, Option<Action>)], mut at: usize) -> Vec<Action> {
    let mut actions = Vec::new();
    while let (before, Some(action)) = &ways[at] {
        actions.push(action.clone());
        at = *before;
    }
    actions.reverse();
    actions
}

/// Two tasks with a row each before and after a barrier, one sink. Pauses are 0, so that nothing but an epoch needs time.
pub(super) fn small() -> (Size, Settings) {
    let settings = Settings {
        timeout_ms: 100,
        pending_epochs_max: 2,
        tolerable_failures: 1,
        retry_pause_ms: 0,
        ..Settings::every(1_000)
    };
    (Size { tasks: 2, rows: 2, sinks: 1 }, settings)
}

fn check(name: &str, rows: u8, budget: Budget) {
    let (size, settings) = small();
    let explored = explore(Size { rows, ..size }, settings, budget, None).unwrap();
    println!("{name}: {} states, {} steps, {} ends", explored.states, explored.steps, explored.ends);
    assert!(explored.ends > 0);
}

#[test]
fn a_lost_answer_and_a_crash_in_every_order() {
    check("a lost answer and a crash", 1, Budget { wakes: 2, faults: 1, crashes: 1, wishes: 0 });
}

#[test]
fn two_faults_in_every_order() {
    check("two faults", 1, Budget { wakes: 2, faults: 2, crashes: 0, wishes: 0 });
}

#[test]
fn two_crashes_in_every_order() {
    check("two crashes", 1, Budget { wakes: 1, faults: 0, crashes: 2, wishes: 0 });
}

#[test]
fn a_wish_and_a_fault_in_every_order() {
    check("a wish and a fault", 1, Budget { wakes: 0, faults: 1, crashes: 0, wishes: 1 });
}

#[test]
fn a_wish_and_a_crash_in_every_order() {
    check("a wish and a crash", 1, Budget { wakes: 0, faults: 0, crashes: 1, wishes: 1 });
}

#[test]
fn more_rows_and_a_fault_in_every_order() {
    check("two rows a task and a fault", 2, Budget { wakes: 2, faults: 1, crashes: 0, wishes: 0 });
}

/// With room for one epoch that waits: a stop comes while its commit has no answer, and leaves it to the next run.
#[test]
fn a_stop_while_output_waits_in_every_order() {
    let (size, settings) = small();
    let settings = Settings { pending_epochs_max: 1, stop_wait_ms: 10, ..settings };
    let budget = Budget { wakes: 2, faults: 1, crashes: 0, wishes: 1 };
    let explored = explore(Size { rows: 1, tasks: 1, ..size }, settings, budget, None).unwrap();
    println!("a stop: {} states, {} steps, {} ends", explored.states, explored.steps, explored.ends);
    assert!(explored.ends > 0);
}
