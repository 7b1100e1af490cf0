//! Savepoints hold all that they need, wherever they lie, and half of one is none.

#[macro_use]
mod store_support;

use store_support::*;
use volley_api::{Epoch, SplitId};
use volley_checkpoint::Error;
use volley_checkpoint::store::{EpochState, Location, RunOptions, Savepoint};

on_both!(a_savepoint_stands_alone, place, {
    let run = place.start().await;
    write(&place, &run).await;
    write(&place, &run).await;
    let store = place.store();
    for target in [Place::local(), Place::memory()] {
        let report = store.export(Epoch(2), &target.location).await.expect("copied");
        assert_eq!((report.files, report.bytes), (3, store.inspect(Epoch(2)).await.expect("there").bytes()));
        let savepoint = Savepoint::open(&target.location).expect("a location");
        assert_eq!(savepoint.inspect().await.expect("there"), store.inspect(Epoch(2)).await.expect("there"));
        assert_eq!(savepoint.verify().await.expect("read"), []);
        let again = store.export(Epoch(2), &target.location).await.expect_err("not empty");
        assert!(matches!(again, Error::TargetNotEmpty { .. }), "{again}");
        let other = savepoint.load("another", &target.downloads()).await.expect_err("another job");
        assert!(matches!(&other, Error::OtherJob { found, expected, .. } if found == JOB && expected == "another"));
        let restored = savepoint.load(JOB, &target.downloads()).await.expect("whole");
        assert_eq!(restored.state.splits[&node("flights")][&SplitId::new("a.csv")].position, at("2"));
        assert_eq!(restored.pending.len(), 1);
        // Elsewhere, numbers go on above its own.
        let elsewhere = place.another();
        let (incarnation, epoch) = (restored.manifest.incarnation, restored.manifest.epoch());
        let above = Some((incarnation, epoch));
        let next = elsewhere.store().start(RunOptions { above, ..options() }).await.expect("a start");
        let report = write(&elsewhere, &next).await;
        assert_eq!((report.manifest.incarnation, report.manifest.epoch()), (incarnation + 1, Epoch(epoch.0 + 1)));
        // Its files are not the store's: a run that goes on from it takes its own.
        let next = place.start().await;
        next.goes_on_from(&restored);
        assert_eq!(write(&place, &next).await.reused_files, 0);
    }
});

#[tokio::test]
async fn a_savepoint_of_what_is_committed_holds_no_output() {
    let (place, target) = (Place::local(), Place::local());
    let run = place.start().await;
    write(&place, &run).await;
    let store = place.store();
    store.export_committed(Epoch(1), &target.location).await.expect("copied");
    let savepoint = Savepoint::open(&target.location).expect("a location");
    let (held, copied) = (store.inspect(Epoch(1)).await.expect("there"), savepoint.inspect().await.expect("there"));
    assert_eq!((held.pending.len(), copied.pending.len()), (1, 0));
    assert_eq!((held.sources, held.operators), (copied.sources, copied.operators));
    assert!(savepoint.load(JOB, &target.downloads()).await.expect("whole").pending.is_empty());
}

#[tokio::test]
async fn a_savepoint_can_be_moved_and_outlives_the_store() {
    let place = Place::local();
    let run = place.start().await;
    write(&place, &run).await;
    let (here, there) = (place.folder.path().join("here"), place.folder.path().join("there"));
    place.store().export(Epoch(1), &Location::folder(&here)).await.expect("copied");
    std::fs::rename(&here, &there).expect("moved");
    std::fs::remove_dir_all(place.folder.path().join("checkpoints")).expect("removed");
    std::fs::write(place.folder.path().join("000001.sst"), "changed by its owner").expect("written");
    let restored = Savepoint::open(&Location::folder(&there)).expect("a location");
    let restored = restored.load(JOB, &place.downloads()).await.expect("whole");
    let files = &restored.state.operators[&node("count")].keyed["panes"][1].files;
    assert_eq!(std::fs::read(&files[1].path).expect("there"), b"a file that is shared");
    assert!(files[1].path.starts_with(&there));
}

on_both!(half_a_savepoint_is_none, place, {
    let run = place.start().await;
    write(&place, &run).await;
    let target = place.another();
    place.store().export(Epoch(1), &target.location).await.expect("copied");
    let (savepoint, blobs) =
        (Savepoint::open(&target.location).expect("a location"), target.location.open("").expect("it"));
    let names: Vec<_> = blobs.list("").await.expect("listed").into_iter().map(|file| file.path).collect();
    assert_eq!(names.len(), 5);
    for name in names.iter().filter(|name| !name.starts_with("manifest")) {
        let whole = blobs.get(name).await.expect("read").expect("there");
        for damage in ["gone", "cut", "flip"] {
            match damage {
                "gone" => blobs.delete(std::slice::from_ref(name)).await.expect("removed"),
                "cut" => cut(&*blobs, name).await,
                _ => flip(&*blobs, name).await,
            }
            let error = savepoint.load(JOB, &target.downloads()).await.expect_err(damage);
            assert!(matches!(&error, Error::Damaged { damage, .. } if damage[0].path == *name), "{error}");
            assert_eq!(savepoint.verify().await.expect("read").len(), 1);
            blobs.put(name, whole.clone()).await.expect("written");
        }
    }
    for name in ["manifest.json", "manifest.copy.json"] {
        savepoint.inspect().await.expect("one of them is enough");
        blobs.delete(&[name.to_owned()]).await.expect("removed");
    }
    let error = savepoint.load(JOB, &target.downloads()).await.expect_err("no manifest");
    assert!(matches!(&error, Error::NoSavepoint { reason, .. } if reason.contains("not copied to its end")), "{error}");
    let empty = place.another();
    let error = Savepoint::open(&empty.location).expect("a location").inspect().await.expect_err("nothing");
    assert!(matches!(&error, Error::NoSavepoint { reason, .. } if reason.contains("nothing")), "{error}");
});

on_both!(a_damaged_epoch_makes_no_savepoint, place, {
    let run = place.start().await;
    write(&place, &run).await;
    flip(&*place.blobs(), "epochs/1/count.panes.1.entries").await;
    let target = place.another();
    let error = place.store().export(Epoch(1), &target.location).await.expect_err("damaged");
    assert!(matches!(error, Error::Damaged { .. }), "{error}");
    Savepoint::open(&target.location).expect("a location").inspect().await.expect_err("no manifest");
    assert!(matches!(place.store().list().await.expect("listed")[0].state, EpochState::Complete { .. }));
});
