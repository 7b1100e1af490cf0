//! Syncs that fail, and those that another process did not come to: nothing is committed by what may be lost.

mod store_support;

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use store_support::*;
use volley_checkpoint::coordinator::{BeginOptions, GoOn, begin};
use volley_checkpoint::protocol::Settings;
use volley_checkpoint::store::{Completion, Location};

const FOLDER: &str = "VOLLEY_SYNC_FOLDER";

fn place(folder: &Path) -> Place {
    Place {
        location: Location::folder(&folder.join("checkpoints")),
        folder: tempfile::tempdir_in(folder).expect("a folder"),
    }
}

/// What the test `name` says in a process of its own, in which a place fails.
fn child(name: &str, folder: &Path, fail_point: &str) -> String {
    let mut command = Command::new(std::env::current_exe().expect("this test"));
    command.args(["--exact", name, "--nocapture"]).env(FOLDER, folder).env("VOLLEY_FAIL_POINT", fail_point);
    let output = command.output().expect("it runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Three epochs with a file that all share.
#[tokio::test]
async fn epochs() {
    let Some(folder) = std::env::var_os(FOLDER) else { return };
    let place = place(Path::new(&folder));
    let run = place.start().await;
    for _ in 0..3 {
        let outcome = async {
            let mut writer = run.begin().await?;
            let sst = place.source("000001.sst", b"a file that is shared");
            writer.take(vec![keyed("count", 0, vec![with_identity("000001.sst", &sst)])]).await?;
            writer.complete(Completion::default()).await
        };
        match outcome.await {
            Ok(report) => println!("complete {}", report.manifest.epoch),
            Err(error) => println!("failed: {error}"),
        }
    }
}

#[test]
fn a_file_that_failed_to_sync_is_relied_on_by_no_later_epoch() {
    let folder = tempfile::tempdir().expect("a folder");
    // After the claim of the start and that of the epoch.
    let said = child("epochs", folder.path(), "tmp-before-sync:3:error=EIO");
    let lines: Vec<_> = said.lines().filter(|line| line.starts_with("failed") || line.contains("complete")).collect();
    let [first, second, third] = lines[..] else { panic!("{said}") };
    assert!(first.contains("Input/output error"), "{first}");
    for later in [second, third] {
        assert!(later.contains("`000001.sst` could not be synced"), "the disk reports it once only: {later}");
    }
}

#[test]
fn a_disk_that_is_full_is_no_sync_that_failed() {
    let folder = tempfile::tempdir().expect("a folder");
    let said = child("epochs", folder.path(), "file-before-link:3:error=ENOSPC");
    assert!(said.contains("No space left"), "{said}");
    assert!(said.contains("complete 2") && said.contains("complete 3"), "{said}");
}

/// A start on what another has left.
#[tokio::test]
async fn start() {
    let Some(folder) = std::env::var_os(FOLDER) else { return };
    let place = place(Path::new(&folder));
    let begin_options = BeginOptions {
        location: place.location.clone(),
        job: JOB.to_owned(),
        go_on: GoOn::Newest,
        accept_duplicates: false,
        downloads: place.downloads(),
        settings: Settings::every(1_000),
        run: options(),
        replayer: Err("nobody reads again".to_owned()),
    };
    match begin(begin_options, &BTreeMap::new(), &|_| Ok(())).await {
        Ok(start) => println!("begun {start:?}"),
        Err(error) => println!("failed: {}", error.report()),
    }
}

/// Whoever completed the epoch may have been killed before it synced the folder with the manifest. The first sync of a folder
/// is that of the start's own claim.
#[tokio::test]
async fn a_start_does_not_begin_before_what_it_goes_on_from_is_synced() {
    for nth in 2..=6 {
        let folder = tempfile::tempdir().expect("a folder");
        let place = place(folder.path());
        let run = place.start().await;
        let mut writer = run.begin().await.expect("begun");
        let sst = place.source("000001.sst", b"a file that is shared");
        writer.take(vec![keyed("count", 0, vec![with_identity("000001.sst", &sst)])]).await.expect("taken");
        writer.complete(Completion::default()).await.expect("complete");
        let said = child("start", folder.path(), &format!("folder-before-sync:{nth}:error=EIO"));
        assert!(said.contains("failed: ") && said.contains("cannot sync folders of"), "{nth}: {said}");
        let said = child("start", folder.path(), "folder-before-sync:99:error=EIO");
        assert!(said.contains("begun "), "{said}");
    }
}
