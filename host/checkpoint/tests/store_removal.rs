//! Removal keeps what is named, and leaves nothing else behind.

#[macro_use]
mod store_support;

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use store_support::*;
use volley_api::Epoch;
use volley_checkpoint::Error;
use volley_checkpoint::store::{Completion, EpochWriter, Run};

on_both!(an_epoch_that_is_being_written_keeps_what_it_names, place, {
    let run = place.start().await;
    write(&place, &run).await;
    let mut writer = run.begin().await.expect("begun");
    writer.take(parts(&place, &run, Epoch(2))).await.expect("taken");
    assert!(matches!(run.remove(&[Epoch(2)]).await, Err(Error::Broken(_))), "it is being written");
    let report = run.remove(&[Epoch(1)]).await.expect("removed");
    assert_eq!((report.files, report.is_careful), (2, false), "its own two, and not the shared one");
    let report = writer.complete(Completion::default()).await.expect("complete");
    assert_eq!(report.reused_files, 1);
    assert_eq!(place.store().verify(Epoch(2)).await.expect("read"), []);
    assert_eq!(run.remove(&[Epoch(2)]).await.expect("removed").files, 3);
    let left: Vec<_> = place.blobs().list("").await.expect("listed").into_iter().map(|file| file.path).collect();
    assert_eq!(left, ["epochs/2/begun.json", "incarnations/1"], "the id stays taken");
});

on_both!(nothing_goes_while_a_manifest_cannot_be_read, place, {
    let run = place.start().await;
    for _ in 0..2 {
        write(&place, &run).await;
    }
    for copy in ["epochs/2/manifest.json", "epochs/2/manifest.copy.json"] {
        flip(&*place.blobs(), copy).await;
    }
    let next = place.start().await;
    let report = next.remove(&[Epoch(1)]).await.expect("removed");
    assert_eq!((report.files, report.is_careful), (0, true));
    assert_eq!(next.remove(&[Epoch(1), Epoch(2)]).await.expect("removed").files, 5);
});

on_both!(what_was_given_up_stays_so, place, {
    let old = place.start().await;
    let mut unfinished = old.begin().await.expect("begun");
    unfinished.take(parts(&place, &old, Epoch(1))).await.expect("taken");
    let new = place.start().await;
    assert_eq!(new.remove(&[Epoch(1)]).await.expect("removed").files, 3);
    place.blobs().delete(&["incarnations/2".to_owned()]).await.expect("removed");
    unfinished.complete(Completion::default()).await.expect_err("its files are gone");
});

#[derive(Debug, Clone)]
enum Step {
    /// Writes an epoch with these shared files; or begins it only.
    Write { files: BTreeSet<u8>, is_finished: bool },
    /// Begins an epoch, takes its files, and leaves it open until the next of these.
    Open { files: BTreeSet<u8> },
    /// Removes the nth epoch that there is, counted from the oldest.
    Remove { nth: usize },
    /// Starts again from the newest epoch.
    Restart,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let files = || proptest::collection::btree_set(0..3_u8, 0..3);
    let step = prop_oneof![
        4 => (files(), proptest::bool::weighted(0.8)).prop_map(|(files, is_finished)| Step::Write { files, is_finished }),
        2 => files().prop_map(|files| Step::Open { files }),
        4 => (0..2_usize).prop_map(|nth| Step::Remove { nth }),
        1 => Just(Step::Restart),
    ];
    proptest::collection::vec(step, 1..30)
}

/// What should be there.
#[derive(Default)]
struct Model {
    complete: BTreeMap<u64, BTreeSet<u8>>,
    unfinished: BTreeSet<u64>,
}

async fn begin(place: &Place, run: &Run, files: &BTreeSet<u8>) -> EpochWriter {
    let mut writer = run.begin().await.expect("begun");
    let files = files.iter().map(|file| {
        let name = format!("{file:06}.sst");
        with_identity(&name, &place.source(&name, format!("file {file}").as_bytes()))
    });
    let mut files: Vec<_> = files.collect();
    files.push(in_memory("own", format!("of {}", writer.epoch())));
    writer.take(vec![keyed("count", 0, files)]).await.expect("taken");
    writer
}

async fn run_steps(place: &Place, steps: Vec<Step>) {
    let (mut run, mut model, mut open) = (place.start().await, Model::default(), None::<(EpochWriter, BTreeSet<u8>)>);
    for step in steps {
        match step {
            Step::Write { files, is_finished } => {
                let writer = begin(place, &run, &files).await;
                let epoch = writer.epoch().0;
                if is_finished {
                    writer.complete(Completion::default()).await.expect("complete");
                    model.complete.insert(epoch, files);
                } else {
                    model.unfinished.insert(epoch);
                }
            }
            Step::Open { files } => {
                if let Some((writer, files)) = open.take() {
                    let epoch = writer.epoch().0;
                    writer.complete(Completion::default()).await.expect("complete");
                    model.complete.insert(epoch, files);
                }
                open = Some((begin(place, &run, &files).await, files));
            }
            Step::Remove { nth } => {
                let there: Vec<_> = model
                    .complete
                    .keys()
                    .chain(&model.unfinished)
                    .copied()
                    .collect::<BTreeSet<_>>()
                    .into_iter()
                    .collect();
                if let Some(epoch) = there.get(nth) {
                    run.remove(&[Epoch(*epoch)]).await.expect("removed");
                    model.complete.remove(epoch);
                    model.unfinished.remove(epoch);
                }
            }
            Step::Restart => {
                if let Some((writer, _)) = open.take() {
                    model.unfinished.insert(writer.epoch().0);
                }
                run = place.start().await;
                if let Some(newest) = place.store().newest().await.expect("listed").complete {
                    run.goes_on_from(&place.store().load(newest.epoch(), &place.downloads()).await.expect("whole"));
                }
            }
        }
        check(place, &model).await;
    }
    if let Some((writer, _)) = open.take() {
        model.unfinished.insert(writer.epoch().0);
    }
    // Once everything that is unfinished is removed, nothing is there but what manifests name.
    let rest: Vec<_> = model.unfinished.iter().copied().map(Epoch).collect();
    run.remove(&rest).await.expect("removed");
    let mut named = BTreeSet::new();
    for epoch in model.complete.keys() {
        let manifest = place.store().inspect(Epoch(*epoch)).await.expect("there");
        named.extend(manifest.files().map(|file| file.path.clone()));
    }
    let there = place.blobs().list("").await.expect("listed").into_iter().map(|file| file.path);
    let is_mark =
        |path: &String| path.contains("/begun.") || path.contains("/manifest.") || path.starts_with("incarnations");
    assert_eq!(there.filter(|path| !is_mark(path)).collect::<BTreeSet<_>>(), named);
}

async fn check(place: &Place, model: &Model) {
    let store = place.store();
    for (epoch, files) in &model.complete {
        let restored = store.load(Epoch(*epoch), &place.downloads()).await.expect("whole");
        let found = &restored.state.operators[&node("count")].keyed["panes"][0].files;
        for (file, found) in files.iter().zip(found) {
            assert_eq!(std::fs::read_to_string(&found.path).expect("there"), format!("file {file}"));
        }
        assert_eq!(found.len(), files.len() + 1);
    }
    assert_eq!(
        store.newest().await.expect("listed").complete.map(|manifest| manifest.epoch),
        model.complete.keys().last().copied()
    );
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 16, ..ProptestConfig::default() })]

    #[test]
    fn removal_keeps_what_is_named_and_nothing_else(steps in steps()) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        for place in [Place::local(), Place::memory()] {
            runtime.block_on(run_steps(&place, steps.clone()));
        }
    }
}
