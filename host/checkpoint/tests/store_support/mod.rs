//! What the tests of the store share: places, snapshots out of nothing, and damage.
#![allow(dead_code, unreachable_pub, reason = "each test binary uses a part of it")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use bytes::Bytes;
use tempfile::TempDir;
use volley_api::{
    Committable, Epoch, JobRun, KeyGroupRange, KeyedSnapshot, NodeName, SnapshotContent, SnapshotFile, SplitId,
    SplitOffset, SplitPosition, StateSnapshot, SubtaskId, TaskPart, Watermark,
};
use volley_checkpoint::manifest::PlanNode;
use volley_checkpoint::store::{BlobStore, CheckpointStore, Completion, EpochReport, Location, Run, RunOptions};

pub const JOB: &str = "flights by hour";

/// A place for checkpoints, with a folder for downloads and sources; gone when dropped.
pub struct Place {
    pub location: Location,
    pub folder: TempDir,
}

impl Place {
    pub fn local() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        Self { location: Location::folder(&folder.path().join("checkpoints")), folder }
    }

    pub fn memory() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let url = format!("memory:/place-{}", NEXT.fetch_add(1, Ordering::Relaxed));
        let location = Location::parse(&url).expect("a location");
        Self { location, folder: tempfile::tempdir().expect("a folder") }
    }

    /// Another empty place of the same kind.
    pub fn another(&self) -> Self {
        if self.location.to_string().starts_with("memory:") { Self::memory() } else { Self::local() }
    }

    pub fn store(&self) -> CheckpointStore {
        CheckpointStore::open(&self.location, JOB).expect("a store")
    }

    /// The files of the job, to be damaged.
    pub fn blobs(&self) -> Arc<dyn BlobStore> {
        self.location.open("flights=20by=20hour").expect("a store")
    }

    pub fn downloads(&self) -> PathBuf {
        self.folder.path().join("downloads")
    }

    /// A file as a state backend has it: once it is there it does not change, since checkpoints link to it.
    pub fn source(&self, name: &str, content: &[u8]) -> PathBuf {
        let path = self.folder.path().join(name);
        if !path.exists() {
            std::fs::write(&path, content).expect("written");
        }
        path
    }

    pub async fn start(&self) -> Run {
        self.store().start(options()).await.expect("a start")
    }
}

/// Runs a check in a folder and in an object store.
#[macro_export]
macro_rules! on_both {
    ($name:ident, $place:ident, $body:block) => {
        #[tokio::test]
        async fn $name() {
            async fn check($place: $crate::store_support::Place) $body
            check($crate::store_support::Place::local()).await;
            check($crate::store_support::Place::memory()).await;
        }
    };
}

pub fn options() -> RunOptions {
    let layouts = BTreeMap::from([("panes".to_owned(), "i64 -> sum".to_owned())]);
    let plan = vec![PlanNode {
        uid: "count".to_owned(),
        kind: "window".to_owned(),
        parallelism: 2,
        definition: None,
        layouts,
    }];
    RunOptions { owner: "test".to_owned(), now_ms: 1_000, host_version: "0.1.0".to_owned(), plan, above: None }
}

pub fn node(name: &str) -> NodeName {
    NodeName::new(name).expect("a name")
}

struct Files(Vec<SnapshotFile>);

impl StateSnapshot for Files {
    fn files(&mut self) -> volley_api::Result<Vec<SnapshotFile>> {
        Ok(std::mem::take(&mut self.0))
    }
}

pub fn keyed(operator: &str, index: u32, files: Vec<SnapshotFile>) -> TaskPart {
    let subtask = SubtaskId { index, parallelism: 2 };
    TaskPart::Keyed(KeyedSnapshot {
        node: node(operator),
        name: "panes",
        subtask,
        key_groups: KeyGroupRange::of(subtask),
        layout: "i64 -> sum".into(),
        format: "memory-1",
        snapshot: Box::new(Files(files)),
    })
}

pub fn in_memory(name: &str, content: impl Into<Bytes>) -> SnapshotFile {
    SnapshotFile { name: name.to_owned(), identity: None, content: SnapshotContent::Bytes(content.into()) }
}

pub fn with_identity(name: &str, path: &Path) -> SnapshotFile {
    let content = SnapshotContent::File(path.to_owned());
    SnapshotFile { name: name.to_owned(), identity: Some(name.to_owned()), content }
}

pub fn split(name: &str, position: SplitPosition) -> TaskPart {
    TaskPart::Split { source: node("flights"), split: SplitId::new(name), position }
}

pub fn at(offset: &str) -> SplitPosition {
    SplitPosition::At(SplitOffset(Bytes::from(offset.to_owned())))
}

pub fn split_time(name: &str, reached_ms: i64) -> TaskPart {
    TaskPart::SplitTime { source: node("flights"), split: SplitId::new(name), reached_ms }
}

pub fn watermark(operator: &str, index: u32, watermark: Watermark) -> TaskPart {
    TaskPart::Watermark { node: node(operator), subtask: SubtaskId { index, parallelism: 2 }, watermark }
}

pub fn output(run: &Run, epoch: Epoch, token: &str) -> Committable {
    let run: JobRun = run.job_run().clone();
    Committable { run, sink: node("out"), subtask: 0, epoch, token: Bytes::from(token.to_owned()) }
}

/// What two tasks report of an epoch: a split, times, watermarks, state in memory and in a shared file, and output.
pub fn parts(place: &Place, run: &Run, epoch: Epoch) -> Vec<TaskPart> {
    let sst = place.source("000001.sst", b"a file that is shared");
    vec![
        split("a.csv", at(&format!("{epoch}"))),
        split_time("a.csv", 40),
        split_time("a.csv", 70),
        watermark("count", 0, Watermark::AtMs(60)),
        watermark("count", 1, Watermark::AtMs(50)),
        keyed("count", 0, vec![in_memory("entries", format!("state 0 at {epoch}"))]),
        keyed("count", 1, vec![in_memory("entries", format!("state 1 at {epoch}")), with_identity("000001.sst", &sst)]),
        TaskPart::Output(output(run, epoch, "token")),
    ]
}

/// Writes the next epoch of a run.
pub async fn write(place: &Place, run: &Run) -> EpochReport {
    let mut writer = run.begin().await.expect("begun");
    let parts = parts(place, run, writer.epoch());
    writer.take(parts).await.expect("taken");
    writer.complete(Completion { now_ms: 5, ..Completion::default() }).await.expect("complete")
}

/// Flips one bit in the middle of a file.
pub async fn flip(blobs: &dyn BlobStore, path: &str) {
    let mut content = blobs.get(path).await.expect("read").expect("there").to_vec();
    let middle = content.len() / 2;
    content[middle] ^= 0x10;
    blobs.put(path, content.into()).await.expect("written");
}

/// Cuts a file off in its middle.
pub async fn cut(blobs: &dyn BlobStore, path: &str) {
    let content = blobs.get(path).await.expect("read").expect("there");
    blobs.put(path, content.slice(..content.len() / 2)).await.expect("written");
}
