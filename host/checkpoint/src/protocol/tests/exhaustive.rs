//! The world exhaustively: every order of everything that can happen in a small case, breadth first.

use std::collections::HashSet;
use std::hash::Hash;

use xxhash_rust::xxh3::Xxh3Default;

use super::job::Size;
use super::world::{Action, Sort, World};
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

/// With 128 bits two states are not taken for one.
fn fingerprint(state: &impl Hash) -> u128 {
    let mut hasher = Xxh3Default::new();
    state.hash(&mut hasher);
    hasher.digest128()
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
    let mut frontier = vec![(0, World::new(size, settings, bug)?, budget)];
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
                if seen.insert(fingerprint(&(&after, left))) {
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
