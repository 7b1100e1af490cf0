//! Writes epochs and reads them, in a folder and in an object store, whole and damaged.

#[macro_use]
mod store_support;

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use store_support::*;
use volley_api::{Epoch, KEY_GROUPS, SplitId, SplitPosition, SplitState, TaskPart, Watermark};
use volley_checkpoint::Error;
use volley_checkpoint::store::{Checksum, Completion, EpochState, Location, Placement, Run};

on_both!(an_epoch_is_read_as_it_was_written, place, {
    let run = place.start().await;
    let report = write(&place, &run).await;
    let store = place.store();
    assert_eq!(report.warning, None);
    assert_eq!(report.manifest, store.inspect(Epoch(1)).await.expect("there"));
    assert_eq!(store.verify(Epoch(1)).await.expect("read"), []);
    let manifest = &report.manifest;
    assert_eq!((manifest.job.as_str(), manifest.incarnation, manifest.key_groups), (JOB, 1, KEY_GROUPS));
    assert_eq!((manifest.created_ms, manifest.is_final, &manifest.plan), (5, false, &options().plan));
    let restored = store.load(Epoch(1), &place.downloads()).await.expect("whole");
    let splits = &restored.state.splits[&node("flights")];
    assert_eq!(splits[&SplitId::new("a.csv")], SplitState { position: at("1"), reached_ms: Some(70) });
    let operator = &restored.state.operators[&node("count")];
    assert_eq!(operator.watermark, Some(Watermark::AtMs(50)), "the least");
    let panes = &operator.keyed["panes"];
    let read = |part: usize, file: usize| std::fs::read_to_string(&panes[part].files[file].path).expect("there");
    assert_eq!((panes[0].key_groups.start, panes[1].key_groups.end), (0, KEY_GROUPS));
    assert_eq!((read(0, 0).as_str(), read(1, 0).as_str()), ("state 0 at 1", "state 1 at 1"));
    assert_eq!((panes[1].files[1].name.as_str(), read(1, 1).as_str()), ("000001.sst", "a file that is shared"));
    assert_eq!(restored.pending, [output(&run, Epoch(1), "token")]);
    let is_local = !place.location.to_string().starts_with("memory:");
    assert_eq!(restored.downloaded_bytes == 0, is_local);
});

on_both!(shared_files_are_taken_once_and_anew_at_every_tenth_checkpoint, place, {
    let run = place.start().await;
    for epoch in 1..=21_u64 {
        let report = write(&place, &run).await;
        let taken = report.written_files + report.linked_files - 2;
        let is_copying = epoch % 10 == 0;
        assert_eq!((taken, report.reused_files), if is_copying || epoch == 1 { (1, 0) } else { (0, 1) }, "{epoch}");
        let last_copy = if epoch < 10 { 1 } else { epoch / 10 * 10 };
        let names: Vec<_> = report.manifest.files().map(|file| file.path.as_str()).collect();
        assert!(names.contains(&format!("shared/000001.sst.{last_copy}").as_str()), "{names:?}");
        assert_eq!(report.linked_files > 0, epoch == 1 && !place.location.to_string().starts_with("memory:"));
        assert_eq!(report.manifest.bytes(), report.written_bytes + report.linked_bytes + report.reused_bytes);
    }
    // What goes on from a checkpoint need not take its files again, and counts on.
    let restored = place.store().load(Epoch(21), &place.downloads()).await.expect("whole");
    let next = place.start().await;
    next.goes_on_from(&restored);
    let report = write(&place, &next).await;
    assert_eq!((report.manifest.epoch, report.reused_files, report.manifest.checkpoints_since_copy), (22, 1, 2));
    // What has not been read is not trusted.
    let other = place.start().await;
    assert_eq!(write(&place, &other).await.reused_files, 0);
});

on_both!(ids_are_never_used_twice, place, {
    let first = place.start().await;
    write(&place, &first).await;
    let unfinished = first.begin().await.expect("begun");
    assert_eq!(unfinished.epoch(), Epoch(2));
    drop(unfinished);
    let second = place.start().await;
    assert_eq!(second.job_run().incarnation, 2);
    let writer = second.begin().await.expect("begun");
    assert_eq!(writer.epoch(), Epoch(3));
    drop(writer);
    // Also when everything there was is removed.
    second.remove(&[Epoch(1), Epoch(2), Epoch(3)]).await.expect("removed");
    let third = place.start().await;
    let report = write(&place, &third).await;
    assert_eq!((report.manifest.epoch, report.manifest.incarnation), (4, 3));
});

on_both!(what_a_task_left_is_carried_on, place, {
    let run = place.start().await;
    let mut first = run.begin().await.expect("begun");
    let left = vec![
        split("done.csv", SplitPosition::Ended),
        split_time("done.csv", 9),
        watermark("count", 0, Watermark::End),
        keyed("count", 0, vec![in_memory("entries", "left")]),
        TaskPart::Output(output(&run, first.epoch(), "old")),
    ];
    let left = first.take(left).await.expect("taken");
    first.complete(Completion::default()).await.expect("complete");
    let mut second = run.begin().await.expect("begun");
    second.carry(&left).expect("nothing else of it");
    second.take(vec![watermark("count", 1, Watermark::AtMs(3))]).await.expect("taken");
    let pending = left.outputs().to_vec();
    let report = second.complete(Completion { pending, is_final: true, now_ms: 1 }).await.expect("complete");
    assert_eq!((report.reused_files, report.written_files, report.manifest.is_final), (1, 0, true));
    run.remove(&[Epoch(1)]).await.expect("removed");
    let restored = place.store().load(Epoch(2), &place.downloads()).await.expect("whole");
    let split = &restored.state.splits[&node("flights")][&SplitId::new("done.csv")];
    assert_eq!(*split, SplitState { position: SplitPosition::Ended, reached_ms: Some(9) });
    assert_eq!(restored.state.operators[&node("count")].watermark, Some(Watermark::AtMs(3)));
    assert_eq!(restored.pending, [output(&run, Epoch(1), "old")]);
    let file = &restored.state.operators[&node("count")].keyed["panes"][0].files[0];
    assert_eq!(std::fs::read(&file.path).expect("there"), b"left");
});

on_both!(event_time_is_over_only_when_it_is_for_all, place, {
    let run = place.start().await;
    let mut writer = run.begin().await.expect("begun");
    let ended = |operator: &str, index| watermark(operator, index, Watermark::End);
    let parts = vec![ended("a", 0), ended("a", 1), ended("b", 0), watermark("b", 1, Watermark::AtMs(7))];
    writer.take(parts).await.expect("taken");
    writer.complete(Completion::default()).await.expect("complete");
    let operators = place.store().load(Epoch(1), &place.downloads()).await.expect("whole").state.operators;
    assert_eq!(operators[&node("a")].watermark, Some(Watermark::End));
    assert_eq!(operators[&node("b")].watermark, Some(Watermark::AtMs(7)));
});

on_both!(contradictions_are_refused, place, {
    let run = place.start().await;
    let two = vec![split("a", at("1")), split("a", at("2"))];
    let only_time = vec![split_time("a", 1)];
    let twice = vec![keyed("count", 0, vec![]), keyed("count", 0, vec![])];
    let names = vec![keyed("count", 0, vec![in_memory("x", "1"), in_memory("x", "2")])];
    for (parts, says) in [(two, "two positions"), (only_time, "no position"), (twice, "twice"), (names, "two files")] {
        let mut writer = run.begin().await.expect("begun");
        let outcome = match writer.take(parts).await {
            Ok(_) => writer.complete(Completion::default()).await.map(|_| ()),
            Err(error) => Err(error),
        };
        let error = outcome.expect_err(says);
        assert!(matches!(error, Error::Broken(_)) && error.to_string().contains(says), "{error}");
    }
    assert!(place.store().newest().await.expect("listed").complete.is_none());
});

on_both!(a_manifest_is_read_from_either_copy, place, {
    let run = place.start().await;
    write(&place, &run).await;
    let report = write(&place, &run).await;
    let (store, blobs) = (place.store(), place.blobs());
    let copies = ["epochs/2/manifest.json", "epochs/2/manifest.copy.json"];
    let whole = blobs.get(copies[0]).await.expect("read").expect("there");
    for bad in copies {
        for damage in ["cut", "flip", "head", "gone"] {
            match damage {
                "cut" => cut(&*blobs, bad).await,
                "flip" => flip(&*blobs, bad).await,
                "head" => {
                    // A version that is not covered by the checksum of the body.
                    let text = String::from_utf8(whole.to_vec()).expect("text").replacen(" 1 ", " 9 ", 1);
                    blobs.put(bad, text.into()).await.expect("written");
                }
                _ => blobs.delete(&[bad.to_owned()]).await.expect("removed"),
            }
            assert_eq!(store.inspect(Epoch(2)).await.expect("the other"), report.manifest, "{bad} {damage}");
            // A host that was killed between the two has written one only.
            let wrong = usize::from(damage != "gone");
            assert_eq!(store.verify(Epoch(2)).await.expect("read").len(), wrong, "{bad} {damage}");
            let entry = store.list().await.expect("listed").remove(0);
            assert!(matches!(&entry.state, EpochState::Complete { notes, .. } if notes[0].path == bad), "{entry:?}");
            blobs.put(bad, whole.clone()).await.expect("written");
        }
    }
    cut(&*blobs, copies[0]).await;
    flip(&*blobs, copies[1]).await;
    let newest = store.newest().await.expect("listed");
    assert_eq!(newest.complete.expect("the one before").epoch, 1);
    assert!(matches!(&newest.damaged[0].state, EpochState::Damaged { damage, manifest: None } if damage.len() == 2));
    let error = store.load(Epoch(2), &place.downloads()).await.expect_err("damaged");
    assert!(matches!(&error, Error::Damaged { before: Some(Epoch(1)), damage, .. } if damage.len() == 2), "{error}");
    assert!(error.to_string().contains("CRC32C"), "{error}");
});

on_both!(damaged_files_are_named, place, {
    let run = place.start().await;
    write(&place, &run).await;
    write(&place, &run).await;
    let (store, blobs) = (place.store(), place.blobs());
    let own = "epochs/2/count.panes.0.entries";
    let whole = blobs.get(own).await.expect("read").expect("there");
    for (damage, is_seen_by_length) in [("flip", false), ("cut", true), ("gone", true)] {
        match damage {
            "flip" => flip(&*blobs, own).await,
            "cut" => cut(&*blobs, own).await,
            _ => blobs.delete(&[own.to_owned()]).await.expect("removed"),
        }
        let found = store.verify(Epoch(2)).await.expect("read");
        assert!(found.len() == 1 && found[0].path == own, "{damage}: {found:?}");
        assert_eq!(store.verify(Epoch(1)).await.expect("read"), []);
        let state = store.list().await.expect("listed").remove(0).state;
        assert_eq!(matches!(state, EpochState::Damaged { manifest: Some(_), .. }), is_seen_by_length, "{damage}");
        let error = store.load(Epoch(2), &place.downloads()).await.expect_err(damage);
        assert!(matches!(&error, Error::Damaged { before: Some(Epoch(1)), damage, .. } if *damage == found), "{error}");
        store.inspect(Epoch(2)).await.expect("the manifest is whole: its offsets are needed");
        blobs.put(own, whole.clone()).await.expect("written");
    }
    // A shared file damages all that name it.
    flip(&*blobs, "shared/000001.sst.1").await;
    for epoch in [1, 2] {
        assert_eq!(store.verify(Epoch(epoch)).await.expect("read")[0].path, "shared/000001.sst.1");
    }
});

on_both!(a_shared_file_that_is_lost_fails_the_epoch_and_is_taken_again, place, {
    let run = place.start().await;
    write(&place, &run).await;
    place.blobs().delete(&["shared/000001.sst.1".to_owned()]).await.expect("removed");
    let mut writer = run.begin().await.expect("begun");
    let parts = parts(&place, &run, Epoch(2));
    writer.take(parts).await.expect("taken");
    let error = writer.complete(Completion::default()).await.expect_err("it is gone");
    assert!(matches!(&error, Error::ReadBack { what, .. } if what.ends_with("shared/000001.sst.1")), "{error}");
    assert_eq!(write(&place, &run).await.reused_files, 0);
    assert_eq!(place.store().verify(Epoch(3)).await.expect("read"), []);
});

on_both!(foreign_checkpoints_are_refused_with_both_values, place, {
    let run = place.start().await;
    write(&place, &run).await;
    let report = write(&place, &run).await;
    let (store, blobs) = (place.store(), place.blobs());
    let as_bytes = |format: u32, body: &str| {
        format!("volley-manifest {format} {} {:08x}\n{body}", body.len(), crc32c::crc32c(body.as_bytes()))
    };
    let body = serde_json::to_string(&report.manifest).expect("JSON");
    let job = body.replace(JOB, "another");
    let groups = body.replace("\"key_groups\":256,\"plan\"", "\"key_groups\":128,\"plan\"");
    let newer = "{\"format\":2,\"what\":[\"no host of version 1 knows\"]}".to_owned();
    let cases =
        [(1, job, ["`another`", "`flights by hour`"]), (1, groups, ["128", "256"]), (2, newer, ["2", "up to 1"])];
    for (format, body, says) in cases {
        for copy in ["epochs/2/manifest.json", "epochs/2/manifest.copy.json"] {
            blobs.put(copy, as_bytes(format, &body).into()).await.expect("written");
        }
        let errors = [
            store.newest().await.map(|_| ()),
            store.inspect(Epoch(2)).await.map(|_| ()),
            store.load(Epoch(2), &place.downloads()).await.map(|_| ()),
        ];
        for error in errors {
            let error = error.expect_err("foreign");
            assert!(says.iter().all(|part| error.to_string().contains(part)), "{error}");
            assert_eq!(volley_api::Error::from(error).kind(), volley_api::ErrorKind::Config);
        }
        assert!(matches!(store.list().await.expect("listed")[0].state, EpochState::Foreign { .. }));
        store.inspect(Epoch(1)).await.expect("that one is ours");
    }
});

on_both!(what_is_not_there_is_said_so, place, {
    let store = place.store();
    assert!(store.list().await.expect("an empty list").is_empty());
    assert!(matches!(store.inspect(Epoch(1)).await, Err(Error::NoSuchEpoch { epoch: Epoch(1), .. })));
    let run = place.start().await;
    let mut writer = run.begin().await.expect("begun");
    let parts = parts(&place, &run, Epoch(1));
    writer.take(parts).await.expect("taken");
    let error = store.load(Epoch(1), &place.downloads()).await.expect_err("being written");
    assert!(matches!(error, Error::Incomplete { epoch: Epoch(1), .. }), "{error}");
    assert!(matches!(store.list().await.expect("listed")[0].state, EpochState::Incomplete { .. }));
});

// For want of time or room: the next ones do without, and it is tried again ten epochs later.
on_both!(a_copy_that_fails_is_put_off, place, {
    let mut run = place.start().await;
    for _ in 1..10 {
        write(&place, &run).await;
    }
    // Too slow: given up while it still copies.
    let mut slow = run.begin().await.expect("begun");
    let report = write(&place, &run).await;
    assert_eq!((report.manifest.epoch, report.reused_files, report.manifest.checkpoints_since_copy), (11, 1, 1));
    slow.take(parts(&place, &run, Epoch(10))).await.expect("taken");
    drop(slow);
    for epoch in 12..20 {
        assert_eq!(write(&place, &run).await.reused_files, 1, "{epoch}");
    }
    // Once more, and the host with it; what it goes on from says that a copy is due.
    for _ in 0..2 {
        run.begin().await.expect("begun").take(parts(&place, &run, run.next_epoch())).await.expect("taken");
        run = place.start().await;
        let newest = place.store().newest().await.expect("listed").complete.expect("complete");
        run.goes_on_from(&place.store().load(newest.epoch(), &place.downloads()).await.expect("whole"));
        let report = write(&place, &run).await;
        assert_eq!((report.reused_files, report.manifest.checkpoints_since_copy), (1, 1));
        for _ in 2..10 {
            assert_eq!(write(&place, &run).await.reused_files, 1);
        }
    }
    let report = write(&place, &run).await;
    assert_eq!((report.reused_files, report.manifest.checkpoints_since_copy), (0, 0), "a copy");
});

#[tokio::test]
async fn a_state_file_that_has_changed_is_not_copied_anew() {
    let place = Place::memory();
    let run = place.start().await;
    for _ in 1..10 {
        write(&place, &run).await;
    }
    std::fs::write(place.folder.path().join("000001.sst"), b"a file that is sharer").expect("written");
    // Nor linked, although the next epochs copy nothing.
    for epoch in [10, 11, 12] {
        let mut writer = run.begin().await.expect("begun");
        let error = writer.take(parts(&place, &run, Epoch(epoch))).await.expect_err("it has changed");
        assert!(matches!(&error, Error::ReadBack { what, .. } if what.contains("`000001.sst`")), "{error}");
    }
}

on_both!(large_files_come_whole, place, {
    const PART: usize = 8 << 20;
    for bytes in [0, PART - 1, PART, PART + 1, 4 * PART, 5 * PART + 3] {
        let content: Vec<u8> = (0..bytes).map(|index| (index / 1000) as u8).collect();
        let checksum = Checksum::of(&content);
        let from = place.source(&format!("large-{bytes}"), &content);
        let (blobs, path) = (place.blobs(), format!("shared/large.{bytes}"));
        let placed = blobs.put_file(&path, &from, Placement::Copy).await.expect("copied");
        assert_eq!((placed.is_linked, placed.checksum), (false, checksum));
        assert_eq!(blobs.checksum(&path).await.expect("read"), Some(checksum));
        let to = place.folder.path().join("back");
        assert_eq!(blobs.download(&path, &to).await.expect("read"), Some(checksum));
        assert_eq!(std::fs::read(&to).expect("there"), content);
        blobs.put(&path, content.into()).await.expect("written");
        assert_eq!(blobs.checksum(&path).await.expect("read"), Some(checksum));
    }
});

/// Whoever looks while epochs are written and removed sees them complete or not, and never damaged.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reader_sees_no_half_epoch() {
    static DONE: AtomicBool = AtomicBool::new(false);
    let place = Place::local();
    let store = place.store();
    let reader = tokio::spawn(async move {
        let mut looks = 0;
        while !DONE.load(Ordering::SeqCst) {
            for entry in store.list().await.expect("listed") {
                assert!(
                    matches!(entry.state, EpochState::Complete { .. } | EpochState::Incomplete { .. }),
                    "{entry:?}"
                );
            }
            looks += 1;
        }
        looks
    });
    let run = place.start().await;
    for epoch in 1..=30 {
        write(&place, &run).await;
        if epoch > 3 {
            run.remove(&[Epoch(epoch - 3)]).await.expect("removed");
        }
    }
    DONE.store(true, Ordering::SeqCst);
    assert!(reader.await.expect("no assertion failed") > 5);
}

#[tokio::test]
async fn links_share_the_file_and_copies_do_not() {
    use std::os::unix::fs::MetadataExt;
    let place = Place::local();
    let run = place.start().await;
    write(&place, &run).await;
    let inode = |path: &Path| std::fs::metadata(path).expect("there").ino();
    let taken = place.blobs().local_path("shared/000001.sst.1").expect("local");
    let source = place.folder.path().join("000001.sst");
    assert_eq!(inode(&taken), inode(&source));
    let copied = place.blobs().put_file("shared/other.1", &source, Placement::Copy).await.expect("copied");
    assert!(!copied.is_linked && inode(&place.blobs().local_path("shared/other.1").expect("local")) != inode(&source));
}

#[tokio::test]
async fn on_another_filesystem_files_are_copied() {
    use std::os::unix::fs::MetadataExt;
    let place = Place::local();
    let device = |path: &Path| std::fs::metadata(path).map(|metadata| metadata.dev()).ok();
    let other =
        tempfile::tempdir_in("/dev/shm").ok().filter(|other| device(other.path()) != device(place.folder.path()));
    let Some(other) = other else {
        eprintln!("SKIPPED: /dev/shm is no other filesystem than {}", place.folder.path().display());
        return;
    };
    let elsewhere = Place { location: Location::folder(other.path()), folder: place.folder };
    let run = elsewhere.start().await;
    let report = write(&elsewhere, &run).await;
    assert_eq!((report.linked_files, report.written_files), (0, 3));
    assert_eq!(elsewhere.store().verify(Epoch(1)).await.expect("read"), []);
    assert_eq!(write(&elsewhere, &run).await.reused_files, 1);
}

#[tokio::test]
async fn a_place_that_cannot_be_written_is_named() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("file");
    std::fs::write(&file, "").expect("written");
    // Not even root makes a folder below a file, or in /sys.
    for place in [file.as_path(), Path::new("/sys/volley")] {
        let store = volley_checkpoint::store::CheckpointStore::open(&Location::folder(place), "job").expect("a store");
        let error = store.start(options()).await.map(|run: Run| run.job_run().clone()).expect_err("not writable");
        assert!(error.to_string().contains(&place.display().to_string()), "{error}");
        assert_eq!(volley_api::Error::from(error).kind(), volley_api::ErrorKind::External);
    }
}
