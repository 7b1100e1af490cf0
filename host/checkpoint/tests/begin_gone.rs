//! Starts on checkpoints that are gone although their output is visible: refused, by the name of the sink.

#[macro_use]
mod store_support;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use arrow::datatypes::SchemaRef;
use async_trait::async_trait;
use store_support::*;
use volley_api::{
    CommitStatus, Committable, DeliveryGuarantee, Epoch, JobRun, NodeName, Result, ShownBeyond, Sink, SinkContext,
    SinkWriter,
};
use volley_checkpoint::coordinator::{Begun, GoOn, Start, begin};
use volley_checkpoint::protocol::Settings;
use volley_checkpoint::store::Run;

/// Shows what runs have committed, by incarnation and epoch; nothing is told where it is `None`.
#[derive(Debug, Default)]
struct Shown(Mutex<Option<Vec<(u64, u64)>>>);

impl Shown {
    fn of(shown: &[(u64, u64)]) -> Self {
        Self(Mutex::new(Some(shown.to_vec())))
    }

    fn has(&self, committable: &Committable) -> bool {
        let id = (committable.run.incarnation, committable.epoch.0);
        self.0.lock().expect("no panic").as_ref().is_some_and(|shown| shown.contains(&id))
    }
}

#[async_trait]
impl Sink for Shown {
    fn label(&self) -> String {
        "shown".to_owned()
    }

    fn guarantee(&self) -> DeliveryGuarantee {
        DeliveryGuarantee::ExactlyOnce
    }

    fn check(&self, _: &SchemaRef) -> Result<()> {
        Ok(())
    }

    async fn open(&self, _: SinkContext) -> Result<Box<dyn SinkWriter>> {
        unreachable!("nothing is written")
    }

    async fn commit(&self, _: &Committable) -> Result<()> {
        unreachable!("nothing is committed")
    }

    async fn lookup(&self, committable: &Committable) -> Result<CommitStatus> {
        Ok(if self.has(committable) { CommitStatus::Committed } else { CommitStatus::NotCommitted })
    }

    async fn shows_beyond(&self, since: &JobRun, sink: &NodeName, epoch: Epoch) -> Result<ShownBeyond> {
        assert_eq!((&*since.job, sink.as_str()), (JOB, "out"));
        let shown = self.0.lock().expect("no panic");
        let Some(shown) = &*shown else { return Ok(ShownBeyond::Unknown) };
        let later = shown.iter().filter(|(run, found)| *run >= since.incarnation && *found > epoch.0);
        Ok(later.map(|(_, found)| Epoch(*found)).max().map_or(ShownBeyond::Nothing, ShownBeyond::UpTo))
    }

    async fn abort(&self, _: &Committable) -> Result<()> {
        Ok(())
    }
}

async fn start_with(place: &Place, sink: &Arc<Shown>, go_on: GoOn, accept_duplicates: bool) -> Result<Begun> {
    let sinks: BTreeMap<NodeName, Arc<dyn Sink>> = BTreeMap::from([(node("out"), Arc::clone(sink) as _)]);
    let options = begin_options(place, Settings::every(1_000));
    let begun = begin(
        volley_checkpoint::coordinator::BeginOptions { go_on, accept_duplicates, ..options },
        &sinks,
        &|_| Ok(()),
    );
    match begun.await? {
        Start::Run(begun) => Ok(begun),
        Start::Finish(finishing) => panic!("{finishing:?}"),
    }
}

async fn start(place: &Place, sink: &Arc<Shown>) -> Result<Begun> {
    start_with(place, sink, GoOn::Newest, false).await
}

fn goes_on_from(begun: &Begun) -> Option<u64> {
    begun.restored.as_ref().map(|(epoch, _)| epoch.0)
}

/// Three checkpoints of the first run.
async fn three(place: &Place) -> Run {
    let run = place.start().await;
    for _ in 0..3 {
        write(place, &run).await;
    }
    run
}

async fn lose(place: &Place, files: &[&str]) {
    let files: Vec<_> = files.iter().map(|file| (*file).to_owned()).collect();
    place.blobs().delete(&files).await.expect("gone");
}

const MANIFESTS: [&str; 2] = ["epochs/3/manifest.json", "epochs/3/manifest.copy.json"];

on_both!(a_checkpoint_without_manifests_whose_output_is_visible_is_missed, place, {
    three(&place).await;
    let kept = place.blobs().get(MANIFESTS[0]).await.expect("read").expect("there");
    lose(&place, &MANIFESTS).await;
    let sink = Arc::new(Shown::of(&[(1, 1), (1, 2), (1, 3)]));
    let error = start(&place, &sink).await.expect_err("epoch 3 would be put out again").report();
    for part in ["sink `out` has committed epoch 3", MANIFESTS[0], "checkpoint 2", "--accept-duplicates"] {
        assert!(error.contains(part), "no `{part}` in {error}");
    }
    assert_eq!(place.store().list().await.expect("listed").len(), 3);
    assert_eq!(place.blobs().list("incarnations").await.expect("listed").len(), 1, "nothing was claimed");
    // Put back, one of the two is enough.
    place.blobs().put(MANIFESTS[0], kept).await.expect("put back");
    assert_eq!(goes_on_from(&start(&place, &sink).await.expect("it is back")), Some(3));
});

on_both!(nothing_is_left_of_the_checkpoint, place, {
    three(&place).await;
    let left = place.blobs().list("epochs/3").await.expect("listed");
    lose(&place, &left.iter().map(|file| file.path.as_str()).collect::<Vec<_>>()).await;
    let sink = Arc::new(Shown::of(&[(1, 3)]));
    let error = start(&place, &sink).await.expect_err("epoch 3 would be put out again").report();
    assert!(error.contains("sink `out` has committed epoch 3"), "{error}");
    let mut begun = start_with(&place, &sink, GoOn::Newest, true).await.expect("a person has said so");
    assert_eq!((goes_on_from(&begun), begun.run.next_epoch()), (Some(2), Epoch(4)), "3 is not used again");
    // It ran, and failed before its first checkpoint.
    begun.forget_others().await.expect("said");
    assert_eq!(goes_on_from(&start(&place, &sink).await.expect("it has been said")), Some(2));
});

on_both!(all_checkpoints_are_gone, place, {
    three(&place).await;
    for epoch in 1..=3 {
        let left = place.blobs().list(&format!("epochs/{epoch}")).await.expect("listed");
        lose(&place, &left.iter().map(|file| file.path.as_str()).collect::<Vec<_>>()).await;
    }
    let sink = Arc::new(Shown::of(&[(1, 2)]));
    let error = start(&place, &sink).await.expect_err("all would be put out again").report();
    assert!(error.contains("sink `out` has committed epoch 2") && error.contains("none is there"), "{error}");
});

on_both!(what_is_not_visible_or_not_told_stops_no_start, place, {
    three(&place).await;
    lose(&place, &MANIFESTS).await;
    for sink in [Shown::of(&[]), Shown::of(&[(1, 1), (1, 2)]), Shown::default()] {
        let begun = start(&place, &Arc::new(sink)).await.expect("it may never have been complete");
        assert_eq!(goes_on_from(&begun), Some(2));
    }
});

on_both!(a_first_start_leaves_it_to_the_sink, place, {
    let begun = start(&place, &Arc::new(Shown::of(&[(1, 7)]))).await.expect("the sink refuses it when it is opened");
    assert_eq!((goes_on_from(&begun), begun.run.next_epoch()), (None, Epoch(1)));
});

on_both!(a_manifest_that_cannot_be_read_names_the_sink, place, {
    three(&place).await;
    for path in MANIFESTS {
        flip(&*place.blobs(), path).await;
    }
    let error = start(&place, &Arc::new(Shown::of(&[(1, 3)]))).await.expect_err("damaged").report();
    for part in ["sink `out` has committed epoch 3", MANIFESTS[0], "--accept-duplicates"] {
        assert!(error.contains(part), "no `{part}` in {error}");
    }
    let error = start(&place, &Arc::new(Shown::default())).await.expect_err("damaged").report();
    assert!(error.contains("what it committed cannot be told"), "{error}");
});

// What was committed above is of no account any more, until the job has a checkpoint of its own.
on_both!(who_has_left_checkpoints_is_not_held_to_their_output, place, {
    three(&place).await;
    let sink = Arc::new(Shown::of(&[(1, 1), (1, 2), (1, 3)]));
    for (go_on, from) in [(GoOn::Epoch(Epoch(2)), Some(2)), (GoOn::Fresh, None)] {
        let mut begun = start_with(&place, &sink, go_on.clone(), false).await.expect("as was said");
        assert_eq!(goes_on_from(&begun), from);
        begun.forget_others().await.expect("forgotten");
        // Killed before its first checkpoint.
        for _ in 0..2 {
            assert_eq!(goes_on_from(&start(&place, &sink).await.expect("the newest that is left")), from, "{go_on:?}");
        }
    }
    // Of its own checkpoints none is forgotten.
    let begun = start(&place, &sink).await.expect("from the beginning");
    let (run, own) = (begun.run.job_run().incarnation, write(&place, &begun.run).await.manifest.epoch);
    sink.0.lock().expect("no panic").get_or_insert_default().push((run, own));
    let manifests = ["manifest.json", "manifest.copy.json"].map(|name| format!("epochs/{own}/{name}"));
    lose(&place, &manifests.each_ref().map(String::as_str)).await;
    let error = start(&place, &sink).await.expect_err("its own output").report();
    assert!(error.contains(&format!("sink `out` has committed epoch {own}")), "{error}");
});
