//! How a run begins beside another that still runs, and behind one that was killed at its very end.

#[macro_use]
mod store_support;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use arrow::datatypes::SchemaRef;
use async_trait::async_trait;
use store_support::*;
use volley_api::{
    CommitStatus, Committable, DeliveryGuarantee, Epoch, JobRun, NodeName, Result, Sink, SinkContext, SinkWriter,
    TaskId,
};
use volley_checkpoint::Error;
use volley_checkpoint::coordinator::{Begun, Finishing, RestoreCheck, Start, begin};
use volley_checkpoint::protocol::{Decision, Fact, Settings};
use volley_checkpoint::store::{Completion, EpochState, Run};

/// Remembers what was committed and what was kept from being cleaned up.
#[derive(Debug, Default)]
struct Shelf {
    visible: Mutex<Vec<Epoch>>,
    kept: Mutex<Vec<Epoch>>,
}

#[async_trait]
impl Sink for Shelf {
    fn label(&self) -> String {
        "shelf".to_owned()
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

    async fn commit(&self, committable: &Committable) -> Result<()> {
        self.visible.lock().expect("no panic").push(committable.epoch);
        Ok(())
    }

    async fn lookup(&self, committable: &Committable) -> Result<CommitStatus> {
        let is_there = self.visible.lock().expect("no panic").contains(&committable.epoch);
        Ok(if is_there { CommitStatus::Committed } else { CommitStatus::NotCommitted })
    }

    async fn abort(&self, committable: &Committable) -> Result<()> {
        let is_visible = self.visible.lock().expect("no panic").contains(&committable.epoch);
        assert!(!is_visible, "what is visible is not thrown away");
        Ok(())
    }

    async fn clean_up(&self, _: &JobRun, _: &NodeName, kept: &[Committable]) -> Result<()> {
        *self.kept.lock().expect("no panic") = kept.iter().map(|committable| committable.epoch).collect();
        Ok(())
    }
}

fn sinks(shelf: &Arc<Shelf>) -> BTreeMap<NodeName, Arc<dyn Sink>> {
    BTreeMap::from([(node("out"), Arc::clone(shelf) as _)])
}

async fn go_on(place: &Place, shelf: &Arc<Shelf>) -> Result<Begun> {
    match start(place, shelf, &|_| Ok(())).await? {
        Start::Run(begun) => Ok(begun),
        Start::Finish(finishing) => panic!("{finishing:?}"),
    }
}

/// A start of a job that has finished.
async fn finish(place: &Place, shelf: &Arc<Shelf>) -> Result<Finishing> {
    match start(place, shelf, &|_| panic!("none of its tasks is started")).await? {
        Start::Finish(finishing) => Ok(finishing),
        Start::Run(begun) => panic!("{begun:?}"),
    }
}

async fn start(place: &Place, shelf: &Arc<Shelf>, check: &RestoreCheck<'_>) -> Result<Start> {
    begin(begin_options(place, Settings::every(1_000)), &sinks(shelf), check).await
}

/// Writes the last epoch of a job, with output of it and of one before.
async fn write_last(place: &Place, run: &Run) -> Epoch {
    let mut writer = run.begin().await.expect("begun");
    let epoch = writer.epoch();
    writer.take(vec![split("a.csv", at("end")), output_part(run, epoch)]).await.expect("taken");
    let pending = vec![output(run, Epoch(epoch.0 - 1), "token")];
    let completion = Completion { now_ms: 5, is_final: true, pending };
    writer.complete(completion).await.expect("complete");
    assert!(place.store().inspect(epoch).await.expect("there").is_final);
    epoch
}

fn output_part(run: &Run, epoch: Epoch) -> volley_api::TaskPart {
    volley_api::TaskPart::Output(output(run, epoch, "token"))
}

/// How many starts have claimed a number.
async fn claims(place: &Place) -> usize {
    place.blobs().list("incarnations").await.expect("listed").len()
}

on_both!(what_a_finished_job_had_not_come_to_commit_is_committed, place, {
    let shelf = Arc::new(Shelf::default());
    let run = place.start().await;
    write(&place, &run).await;
    let last = write_last(&place, &run).await;
    // Killed here: its last epoch is complete, and of its output only that of the one before is visible.
    let before = Epoch(last.0 - 1);
    shelf.visible.lock().expect("no panic").push(before);
    let finishing = finish(&place, &shelf).await.expect("there is output to commit");
    assert_eq!(finishing.epoch(), last);
    assert_eq!(*shelf.kept.lock().expect("no panic"), [before, last]);
    finishing.commit(&sinks(&shelf)).await.expect("committed");
    assert_eq!(*shelf.visible.lock().expect("no panic"), [before, last], "each once");
    // Once more, there is nothing to do: the manifest still holds the output, and it is looked up.
    assert_eq!(claims(&place).await, 2);
    let error = finish(&place, &shelf).await.expect_err("finished").report();
    assert!(error.contains("has finished (checkpoint 2 is its last): nothing is left to do"), "{error}");
    assert_eq!(claims(&place).await, 2, "it is refused before it takes a place");
    assert_eq!(*shelf.visible.lock().expect("no panic"), [before, last]);
});

on_both!(a_start_that_is_refused_disturbs_no_other, place, {
    let run = place.start().await;
    write(&place, &run).await;
    let refuse = |state: &volley_api::JobState| {
        assert_eq!(state.splits.len(), 1, "what the checkpoint has");
        Err(volley_api::Error::config("the plan has changed"))
    };
    let error = start(&place, &Arc::default(), &refuse).await.expect_err("refused").report();
    assert!(error.contains("the plan has changed"), "{error}");
    assert_eq!(claims(&place).await, 1);
    run.check_not_superseded().await.expect("it runs on");
    write(&place, &run).await;
});

// A checkpoint that was found damaged, by a look into its files, is none of those that are kept.
on_both!(a_damaged_checkpoint_is_not_among_those_that_are_kept, place, {
    let run = place.start().await;
    for _ in 0..3 {
        write(&place, &run).await;
    }
    let newest = place.store().inspect(Epoch(3)).await.expect("there");
    let own = newest.files().find(|file| file.path.starts_with("epochs/3/")).expect("a file of its own").path.clone();
    flip(&*place.blobs(), &own).await;
    let begun = go_on(&place, &Arc::default()).await.expect("nothing of it is committed");
    assert_eq!(begun.restored.as_ref().map(|(epoch, _)| *epoch), Some(Epoch(2)));
    let mut protocol = begun.protocol;
    let next = begun.run.next_epoch();
    protocol.step(0, Fact::TasksKnown { tasks: 1 });
    for epoch in [next, Epoch(next.0 + 1)] {
        protocol.step(0, Fact::CheckpointAsked { is_savepoint: false });
        protocol.step(0, Fact::TaskPassed { task: TaskId(0), epoch, output: Vec::new() });
        protocol.step(0, Fact::DataDurable { epoch });
        let decisions = protocol.step(0, Fact::ManifestComplete { epoch });
        let removed: Vec<Epoch> = decisions
            .into_iter()
            .filter_map(|decision| match decision {
                Decision::Remove { epochs } => Some(epochs),
                _ => None,
            })
            .flatten()
            .collect();
        // 1, 2 and 4 are kept; then 2, 4 and 5.
        assert_eq!(removed, [if epoch == next { Epoch(3) } else { Epoch(1) }], "at {epoch}");
        protocol.step(0, Fact::CleanedUp { is_complete: true });
    }
});

// Killed between the two, or one of them damaged since: one flipped bit more, and the job could not go on.
on_both!(what_a_start_goes_on_from_has_both_manifests_again, place, {
    let run = place.start().await;
    write(&place, &run).await;
    let blobs = place.blobs();
    let [first, copy] = ["epochs/1/manifest.json", "epochs/1/manifest.copy.json"];
    let whole = blobs.get(first).await.expect("read").expect("there");
    for (path, is_gone) in [(copy, true), (first, true), (copy, false), (first, false)] {
        if is_gone {
            blobs.delete(&[path.to_owned()]).await.expect("gone");
        } else {
            flip(&*blobs, path).await;
        }
        let begun = go_on(&place, &Arc::default()).await.expect("one is enough");
        assert_eq!(begun.restored.map(|(epoch, _)| epoch), Some(Epoch(1)));
        for path in [first, copy] {
            assert_eq!(blobs.get(path).await.expect("read").as_ref(), Some(&whole), "{path}");
        }
    }
});

// They are listed before each commit.
on_both!(claims_of_long_ago_are_removed, place, {
    let mut last = 0;
    for start in 1..=5_u64 {
        let begun = go_on(&place, &Arc::default()).await.expect("begun");
        assert_eq!(begun.run.job_run().incarnation, start);
        // Its own, that of the start which wrote what it goes on from, and those of starts in between.
        assert_eq!(claims(&place).await as u64, start - last + u64::from(last > 0));
        if start != 3 {
            write(&place, &begun.run).await;
            last = start;
        }
    }
});

/// Completes epochs, and removes old ones, until a later start has taken over.
async fn run_on(place: &Place, run: &Run) {
    loop {
        let outcome = async {
            let mut writer = run.begin().await?;
            let epoch = writer.epoch().0;
            writer.take(parts(place, run, writer.epoch())).await?;
            writer.complete(Completion::default()).await?;
            let old = epoch.saturating_sub(3);
            if old > 0 { run.remove(&[Epoch(old)]).await.map(drop) } else { Ok(()) }
        };
        match outcome.await {
            Ok(()) | Err(Error::Broken(_)) => {}
            Err(Error::Superseded { .. }) => return,
            Err(error) => panic!("{error}"),
        }
    }
}

/// The other may have committed all that it has completed: to go on from anything older would put that out again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_start_goes_on_from_the_last_epoch_that_the_other_completed() {
    for place in [Place::local(), Place::memory()] {
        let place = Arc::new(place);
        for _ in 0..15 {
            let (other, run) = (Arc::clone(&place), place.start().await);
            let running = tokio::spawn(async move { run_on(&other, &run).await });
            tokio::time::sleep(std::time::Duration::from_millis(15)).await;
            let begun = go_on(&place, &Arc::default()).await.expect("it takes over");
            running.await.expect("no panic");
            let entries = place.store().list().await.expect("listed");
            let newest = entries.iter().find(|entry| matches!(entry.state, EpochState::Complete { .. }));
            assert_eq!(begun.restored.map(|(epoch, _)| epoch), newest.map(|entry| entry.epoch));
        }
    }
}
