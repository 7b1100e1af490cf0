//! A minute of chaos: what `make chaos` does for an hour, in every run of the tests.

use std::time::Duration;

use volley_test_chaos::parts::{self, Amount, Part};
use volley_test_chaos::{Chaos, Options, State};

/// No scenario begins when this long has passed, however slow the machine is.
const LIMIT: Duration = Duration::from_secs(40);

/// Runs parts of the suite.
fn survive(chosen: &[Part], places: &[&str], amount: Amount) {
    let options = Options {
        host: env!("CARGO_BIN_EXE_volley-host").into(),
        seed: 1,
        limit: LIMIT,
        state: State::Memory,
        places: places.iter().map(|place| (*place).to_owned()).collect(),
        keep: None,
        is_loud: false,
    };
    let chaos = Chaos::new(options).unwrap_or_else(|stop| panic!("{stop}"));
    for part in chosen {
        let section = parts::run(&chaos, *part, amount);
        assert!(section.wrong.is_empty(), "{part:?}: {}", section.wrong.join("\n"));
        assert!(section.tried > 0, "{part:?}: nothing was tried: {:?}", section.skipped);
    }
}

fn amount() -> Amount {
    Amount { kills: 8, every: 1, rounds: 2 }
}

#[test]
fn kills_are_survived() {
    survive(&[Part::Kills], &[], amount());
}

#[test]
fn ends_and_errors_at_named_places_are_survived() {
    survive(&[Part::Sweep], &["manifest-between", "rename-after", "final-complete"], amount());
}

#[test]
fn a_recovery_may_end_five_times_and_a_job_start_twice() {
    survive(&[Part::Recovery, Part::Twins], &[], amount());
}
