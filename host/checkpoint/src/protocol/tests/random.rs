//! The world at random: any order of reports, answers, failures, lost answers, crashes and wishes; then fair weather.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestError, TestRng, TestRunner};

use super::actions::{Action, Judge, Sort};
use super::job::Size;
use super::outside::{Checked, ensure};
use super::world::World;
use crate::protocol::Settings;
use crate::protocol::planted::PlantedBug;

/// A job, and the choices of whoever steers it.
#[derive(Debug, Clone)]
pub(super) struct Case {
    size: Size,
    settings: Settings,
    choices: Vec<u16>,
}

prop_compose! {
    pub(super) fn cases()(
        tasks in 1_u8..5,
        rows in 0_u8..12,
        sinks in 1_usize..3,
        pending_epochs_max in 1_u32..4,
        tolerable_failures in 0_u32..4,
        commit_attempts_max in 1_u32..4,
        min_pause_ms in prop_oneof![Just(0_u64), Just(50)],
        interval_ms in prop_oneof![Just(0_u64), Just(20), Just(200)],
        choices in vec(any::<u16>(), 0..400),
    ) -> Case {
        let settings = Settings {
            min_pause_ms,
            timeout_ms: 300,
            stop_wait_ms: 150,
            tolerable_failures,
            pending_epochs_max,
            commit_attempts_max,
            retry_pause_ms: 10,
            retry_pause_ms_max: 100,
            ..Settings::every(interval_ms)
        };
        Case { size: Size { tasks, rows, sinks }, settings, choices }
    }
}

/// How often things happen, beside one another.
fn weight(sort: Sort, action: &Action) -> usize {
    match (sort, action) {
        // Rows are few, and barriers should come between them.
        (Sort::Normal, Action::Read(_)) => 8,
        (Sort::Normal, Action::Finish(_)) => 4,
        (Sort::Normal, _) => 24,
        (Sort::Time, _) => 16,
        (Sort::Fault, _) => 4,
        (Sort::Crash | Sort::Wish, _) => 1,
    }
}

/// Plays a case to its end: first as chosen, then without further faults until the job has finished.
pub(super) fn play(case: &Case, bug: Option<PlantedBug>, judge: Judge) -> Checked {
    let mut world = World::new(case.size.clone(), case.settings.clone(), bug, judge)?;
    for choice in &case.choices {
        let actions = world.actions();
        let total: usize = actions.iter().map(|(action, sort)| weight(*sort, action)).sum();
        if total == 0 {
            break;
        }
        let mut left = usize::from(*choice) % total;
        let chosen = actions.into_iter().find(|(action, sort)| {
            let weight = weight(*sort, action);
            let is_it = left < weight;
            left = left.saturating_sub(weight);
            is_it
        });
        let (action, _) = chosen.ok_or("no choice")?;
        world.act(&action)?;
    }
    finish(world)
}

/// Lets everything go well until the job has finished.
fn finish(mut world: World) -> Checked {
    for _ in 0..5_000 {
        let actions = world.actions();
        let Some(action) = best(&actions) else { break };
        world.act(&action)?;
    }
    ensure!(world.is_over, "the job does not come to its end: {world:?}");
    Ok(())
}

/// Rows come before barriers, since barriers may come without end.
fn best(actions: &[(Action, Sort)]) -> Option<Action> {
    let rank = |action: &Action, sort: Sort| match (sort, action) {
        (Sort::Normal, Action::Read(_) | Action::Finish(_)) => Some(0),
        (Sort::Normal, _) => Some(1),
        (Sort::Time, _) => Some(2),
        _ => None,
    };
    let ranked = actions.iter().filter_map(|(action, sort)| Some((rank(action, *sort)?, action)));
    ranked.min_by_key(|(rank, _)| *rank).map(|(_, action)| action.clone())
}

/// Plays many cases; gives what went wrong in the simplest that went wrong.
pub(super) fn play_many(cases_count: u32, bug: Option<PlantedBug>, judge: Judge) -> Checked {
    let config = Config { cases: cases_count, failure_persistence: None, max_shrink_iters: 2_000, ..Config::default() };
    // A planted fault is found with the same cases each time; without one, new cases are welcome.
    let mut runner = match bug {
        Some(_) => TestRunner::new_with_rng(config, TestRng::deterministic_rng(RngAlgorithm::ChaCha)),
        None => TestRunner::new(config),
    };
    let result = runner.run(&cases(), |case| play(&case, bug, judge).map_err(TestCaseError::fail));
    result.map_err(|error| match error {
        TestError::Fail(reason, case) => format!("{reason}; {case:?}"),
        other => other.to_string(),
    })
}

#[test]
fn every_row_is_committed_once_whatever_happens() {
    play_many(4_096, None, Judge::Rules).unwrap();
}
