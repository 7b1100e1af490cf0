//! Starts of one job beside each other: each has a number of its own, and only the last completes epochs.

#[macro_use]
mod store_support;

use std::collections::BTreeSet;
use std::sync::{Arc, Barrier};

use store_support::*;
use volley_api::Epoch;
use volley_checkpoint::Error;
use volley_checkpoint::store::{Completion, Created, EpochState};

#[test]
fn starts_at_once_get_a_number_each() {
    const STARTS: usize = 8;
    for place in [Place::local(), Place::memory()] {
        for round in 0..5_u64 {
            let gate = Arc::new(Barrier::new(STARTS));
            let start = |_| {
                let (gate, store) = (Arc::clone(&gate), place.store());
                std::thread::spawn(move || {
                    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
                    gate.wait();
                    runtime.block_on(store.start(options())).map(|run| run.job_run().incarnation)
                })
            };
            let starts: Vec<_> = (0..STARTS).map(start).collect();
            let (mut numbers, mut superseded) = (BTreeSet::new(), 0);
            for start in starts {
                match start.join().expect("no panic") {
                    Ok(number) => assert!(numbers.insert(number), "{number} twice"),
                    Err(Error::Superseded { own, seen, .. }) => {
                        assert!(own < seen && numbers.insert(own), "{own} twice");
                        superseded += 1;
                    }
                    Err(error) => panic!("{error}"),
                }
            }
            let expected: BTreeSet<u64> = (1..=STARTS as u64).map(|number| round * STARTS as u64 + number).collect();
            assert_eq!(numbers, expected);
            assert!(superseded < STARTS, "the last one goes on");
        }
    }
}

#[test]
fn of_several_creations_at_once_one_succeeds() {
    for place in [Place::local(), Place::memory()] {
        for name in 0..20 {
            let gate = Arc::new(Barrier::new(4));
            let create = |index: u8| {
                let (gate, blobs) = (Arc::clone(&gate), place.blobs());
                std::thread::spawn(move || {
                    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
                    gate.wait();
                    let created = runtime.block_on(blobs.put_new(&format!("x/{name}"), vec![index; 1000].into()));
                    (index, created.expect("no failure"))
                })
            };
            let threads: Vec<_> = (0..4).map(create).collect();
            let outcomes: Vec<_> = threads.into_iter().map(|thread| thread.join().expect("no panic")).collect();
            let ours: Vec<_> = outcomes.iter().filter(|(_, created)| *created == Created::Ours).collect();
            assert_eq!(ours.len(), 1);
            let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
            let content = runtime.block_on(place.blobs().get(&format!("x/{name}"))).expect("read").expect("there");
            assert_eq!(content, vec![ours[0].0; 1000]);
        }
    }
}

on_both!(an_old_host_completes_nothing, place, {
    let old = place.start().await;
    write(&place, &old).await;
    let mut unfinished = old.begin().await.expect("begun");
    unfinished.take(parts(&place, &old, Epoch(2))).await.expect("taken");
    let new = place.start().await;
    let error = unfinished.complete(Completion::default()).await.expect_err("too late");
    assert!(matches!(error, Error::Superseded { own: 1, seen: 2, .. }), "{error}");
    assert!(matches!(old.check_not_superseded().await, Err(Error::Superseded { .. })));
    assert!(matches!(old.begin().await, Err(Error::Superseded { .. })));
    assert!(matches!(old.remove(&[Epoch(1)]).await, Err(Error::Superseded { .. })));
    new.check_not_superseded().await.expect("the last");
    assert_eq!(write(&place, &new).await.manifest.epoch, 4, "the old host has tried 3");
    let states: Vec<_> = place.store().list().await.expect("listed");
    let complete: Vec<_> = states
        .iter()
        .filter(|entry| matches!(entry.state, EpochState::Complete { .. }))
        .map(|entry| entry.epoch)
        .collect();
    assert_eq!(complete, [Epoch(4), Epoch(1)]);
});

on_both!(an_epoch_that_was_given_up_cannot_be_completed_even_without_a_look, place, {
    let old = place.start().await;
    let mut unfinished = old.begin().await.expect("begun");
    unfinished.take(parts(&place, &old, Epoch(1))).await.expect("taken");
    place.start().await;
    // The claim of the new start is lost from sight, as when the old host had looked just before it.
    place.blobs().delete(&["incarnations/2".to_owned()]).await.expect("removed");
    unfinished.complete(Completion::default()).await.expect_err("given up");
    let entry = place.store().list().await.expect("listed").remove(0);
    assert!(matches!(&entry.state, EpochState::Incomplete { reason } if reason.contains("start 2")), "{entry:?}");
    let error = place.store().load(Epoch(1), &place.downloads()).await.expect_err("given up");
    assert!(matches!(error, Error::Incomplete { .. }), "{error}");
});
