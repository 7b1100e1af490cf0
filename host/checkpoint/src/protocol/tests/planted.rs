//! Faults planted in the machine are found, at random and exhaustively.

use super::actions::Judge;
use super::exhaustive::{Budget, explore, small};
use super::random::play_many;
use crate::protocol::planted::PlantedBug;

/// Both searches must find the fault, and by the rule that it breaks.
fn is_found(bug: PlantedBug, rule: &str) {
    let at_random = play_many(4_096, Some(bug), Judge::Rules).unwrap_err();
    assert!(at_random.contains(rule), "{bug:?} at random: {at_random}");
    let (size, settings) = small();
    let budget = Budget { wakes: 2, faults: 1, crashes: 0, wishes: 0 };
    let shortest = explore(size, settings, budget, Some(bug)).unwrap_err();
    println!("{bug:?}: {shortest}");
    assert!(shortest.contains(rule), "{bug:?} exhaustively: {shortest}");
}

#[test]
fn a_commit_before_the_manifest_is_found() {
    is_found(PlantedBug::CommitBeforeManifest, "no complete manifest holds it");
}

#[test]
fn an_epoch_that_is_used_again_is_found() {
    is_found(PlantedBug::ReuseEpoch, "begins");
}

#[test]
fn a_committable_that_a_manifest_lacks_is_found() {
    is_found(PlantedBug::DropPendingToken, "does not hold");
}

#[test]
fn commits_out_of_order_are_found() {
    is_found(PlantedBug::CommitOutOfOrder, "is committed before");
}

#[test]
fn a_commit_that_is_repeated_blindly_is_found() {
    is_found(PlantedBug::RetryAfterLostAnswer, "was to be looked up");
}

#[test]
fn an_epoch_that_is_removed_too_early_is_found() {
    is_found(PlantedBug::CleanUpTooEarly, "needs it");
}

/// The rules might be wrong as the machine is: what is visible in the end tells too.
#[test]
fn what_spoils_output_is_found_without_the_rules() {
    // Whatever an epoch that is used again spoils first.
    play_many(4_096, Some(PlantedBug::ReuseEpoch), Judge::Rows).unwrap_err();
    for (bug, outcome) in [
        (PlantedBug::CommitBeforeManifest, "are visible, and should be"),
        (PlantedBug::DropPendingToken, "are visible, and should be"),
        (PlantedBug::CommitOutOfOrder, "was committed after epoch"),
        (PlantedBug::RetryAfterLostAnswer, "was committed twice"),
    ] {
        let problem = play_many(4_096, Some(bug), Judge::Rows).unwrap_err();
        println!("{bug:?}: {problem}");
        assert!(problem.contains(outcome), "{bug:?}: {problem}");
    }
    play_many(1_024, None, Judge::Rows).unwrap();
}
