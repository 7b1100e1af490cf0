//! Answers that are lost, and storage that fails at the worst time.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::BoxStream;
use object_store::memory::InMemory;
use object_store::path::Path as ObjectPath;
use object_store::{
    CopyOptions, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore, PutMode,
    PutMultipartOptions, PutOptions, PutPayload, PutResult,
};
use volley_api::Epoch;

use super::*;
use crate::{Error, Result};

/// An object store whose first answer to a conditional put is lost, so that the client asks again.
#[derive(Debug, Default)]
struct LosesAnswers(InMemory);

impl fmt::Display for LosesAnswers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a store that loses answers")
    }
}

#[async_trait]
impl ObjectStore for LosesAnswers {
    async fn put_opts(
        &self,
        at: &ObjectPath,
        content: PutPayload,
        options: PutOptions,
    ) -> object_store::Result<PutResult> {
        if options.mode == PutMode::Create {
            let _ = self.0.put_opts(at, content.clone(), options.clone()).await;
        }
        self.0.put_opts(at, content, options).await
    }

    async fn put_multipart_opts(
        &self,
        at: &ObjectPath,
        options: PutMultipartOptions,
    ) -> object_store::Result<Box<dyn MultipartUpload>> {
        self.0.put_multipart_opts(at, options).await
    }

    async fn get_opts(&self, at: &ObjectPath, options: GetOptions) -> object_store::Result<GetResult> {
        self.0.get_opts(at, options).await
    }

    fn delete_stream(
        &self,
        paths: BoxStream<'static, object_store::Result<ObjectPath>>,
    ) -> BoxStream<'static, object_store::Result<ObjectPath>> {
        self.0.delete_stream(paths)
    }

    fn list(&self, prefix: Option<&ObjectPath>) -> BoxStream<'static, object_store::Result<ObjectMeta>> {
        self.0.list(prefix)
    }

    async fn list_with_delimiter(&self, prefix: Option<&ObjectPath>) -> object_store::Result<ListResult> {
        self.0.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &ObjectPath, to: &ObjectPath, options: CopyOptions) -> object_store::Result<()> {
        self.0.copy_opts(from, to, options).await
    }
}

#[tokio::test]
async fn an_answer_that_is_lost_is_read_back() {
    let blobs = ObjectBlobs::new(Arc::new(LosesAnswers::default()), ObjectPath::from("x"), "test".to_owned());
    assert_eq!(blobs.put_new("a", "mine".into()).await.expect("written"), Created::Ours);
    assert_eq!(blobs.put_new("a", "other".into()).await.expect("asked"), Created::Taken);
    let store = CheckpointStore { blobs: Arc::new(blobs), job: "job".into() };
    for incarnation in 1..=3 {
        let run = store.start(options()).await.expect("a start");
        assert_eq!(run.job_run().incarnation, incarnation);
        run.begin().await.expect("begun").complete(Completion::default()).await.expect("complete");
    }
}

/// A storage that fails on manifests, so many times; whether it does what it was told before it fails is another matter.
#[derive(Debug)]
struct FailsOnManifests {
    inner: ObjectBlobs,
    times: AtomicU32,
    does_it: bool,
    /// So many times manifests are not read as they were written.
    lies: AtomicU32,
}

impl FailsOnManifests {
    fn fails(&self, path: &str) -> Result<bool> {
        let is_manifest = path.ends_with("manifest.json");
        let left = self.times.load(Ordering::SeqCst);
        if !is_manifest || left == 0 {
            return Ok(false);
        }
        self.times.store(left - 1, Ordering::SeqCst);
        if self.does_it { Ok(true) } else { Err(failure(path)) }
    }
}

fn failure(path: &str) -> Error {
    Error::storage("write", path, "the network is gone")
}

#[async_trait]
impl BlobStore for FailsOnManifests {
    fn label(&self) -> String {
        self.inner.label()
    }

    async fn put_new(&self, path: &str, content: Bytes) -> Result<Created> {
        let fails = self.fails(path)?;
        let created = self.inner.put_new(path, content).await?;
        if fails { Err(failure(path)) } else { Ok(created) }
    }

    async fn put(&self, path: &str, content: Bytes) -> Result<()> {
        self.inner.put(path, content).await
    }

    async fn put_file(&self, path: &str, from: &Path, how: Placement) -> Result<Placed> {
        self.inner.put_file(path, from, how).await
    }

    async fn get(&self, path: &str) -> Result<Option<Bytes>> {
        let found = self.inner.get(path).await?;
        let lies = self.lies.load(Ordering::SeqCst);
        if lies == 0 || !path.contains("/manifest.") {
            return Ok(found);
        }
        self.lies.store(lies - 1, Ordering::SeqCst);
        Ok(found.map(|found| found.slice(1..)))
    }

    async fn bytes(&self, path: &str) -> Result<Option<u64>> {
        self.inner.bytes(path).await
    }

    async fn checksum(&self, path: &str) -> Result<Option<Checksum>> {
        self.inner.checksum(path).await
    }

    async fn download(&self, path: &str, to: &Path) -> Result<Option<Checksum>> {
        self.inner.download(path, to).await
    }

    async fn list(&self, folder: &str) -> Result<Vec<Listed>> {
        self.inner.list(folder).await
    }

    async fn delete(&self, paths: &[String]) -> Result<()> {
        self.inner.delete(paths).await
    }

    fn local_path(&self, _: &str) -> Option<PathBuf> {
        None
    }
}

fn options() -> RunOptions {
    RunOptions { owner: "test".to_owned(), now_ms: 0, host_version: "0.1.0".to_owned(), plan: Vec::new(), above: None }
}

#[tokio::test]
async fn a_manifest_that_may_be_there_is_given_up_or_its_outcome_is_unknown() {
    for (times, does_it, is_known) in [(1, false, true), (1, true, true), (2, false, false), (2, true, false)] {
        let inner = ObjectBlobs::new(Arc::new(InMemory::new()), ObjectPath::from("x"), "test".to_owned());
        let blobs = FailsOnManifests { inner, times: AtomicU32::new(0), does_it, lies: AtomicU32::new(0) };
        let blobs = Arc::new(blobs);
        let store = CheckpointStore { blobs: Arc::clone(&blobs) as _, job: "job".into() };
        let run = store.start(options()).await.expect("a start");
        let writer = run.begin().await.expect("begun");
        blobs.times.store(times, Ordering::SeqCst);
        let error = writer.complete(Completion::default()).await.expect_err("it fails");
        let is_unknown = matches!(error, Error::OutcomeUnknown { epoch: Epoch(1), .. });
        assert_eq!(is_unknown, !is_known, "{times} {does_it}: {error}");
        assert!(error.to_string().contains("the network is gone"), "{error}");
        let state = store.list().await.expect("listed").remove(0).state;
        assert!(matches!(state, EpochState::Incomplete { .. }), "{times} {does_it}: {state:?}");
        // The next epoch is as any.
        blobs.times.store(0, Ordering::SeqCst);
        run.begin().await.expect("begun").complete(Completion::default()).await.expect("complete");
    }
}

#[tokio::test]
async fn manifests_are_read_back() {
    for (lies, is_complete) in [(1, true), (2, false)] {
        let inner = ObjectBlobs::new(Arc::new(InMemory::new()), ObjectPath::from("x"), "test".to_owned());
        let blobs = FailsOnManifests { inner, times: AtomicU32::new(0), does_it: true, lies: AtomicU32::new(0) };
        let blobs = Arc::new(blobs);
        let store = CheckpointStore { blobs: Arc::clone(&blobs) as _, job: "job".into() };
        let run = store.start(options()).await.expect("a start");
        let writer = run.begin().await.expect("begun");
        blobs.lies.store(lies, Ordering::SeqCst);
        let outcome = writer.complete(Completion::default()).await;
        blobs.lies.store(0, Ordering::SeqCst);
        let state = store.list().await.expect("listed").remove(0).state;
        match outcome {
            Ok(report) => {
                assert!(is_complete && report.warning.is_some_and(|warning| warning.contains("manifest.json")))
            }
            Err(error) => assert!(!is_complete && matches!(error, Error::ReadBack { .. }), "{error}"),
        }
        assert_eq!(matches!(state, EpochState::Complete { .. }), is_complete, "{state:?}");
        run.begin().await.expect("begun").complete(Completion::default()).await.expect("complete");
    }
}

/// The second manifest of an epoch could not be written: the next epoch does it.
#[tokio::test]
async fn a_manifest_that_is_missing_is_written_with_the_next_epoch() {
    let inner = ObjectBlobs::new(Arc::new(InMemory::new()), ObjectPath::from("x"), "test".to_owned());
    let blobs = Arc::new(FailsOnManifests { inner, times: AtomicU32::new(0), does_it: true, lies: AtomicU32::new(0) });
    let store = CheckpointStore { blobs: Arc::clone(&blobs) as _, job: "job".into() };
    let run = store.start(options()).await.expect("a start");
    let writer = run.begin().await.expect("begun");
    blobs.inner.put("epochs/1/manifest.copy.json", "what nobody wrote".into()).await.expect("written");
    let report = writer.complete(Completion::default()).await.expect("complete by the first");
    assert!(report.warning.is_some_and(|warning| warning.contains("manifest.copy.json")));
    let both = |epoch: u64| {
        let blobs = Arc::clone(&blobs);
        async move {
            let [first, copy] = layout::manifests(Epoch(epoch));
            (blobs.get(&first).await.expect("read"), blobs.get(&copy).await.expect("read"))
        }
    };
    let (first, copy) = both(1).await;
    assert_ne!(first, copy);
    run.begin().await.expect("begun");
    let (first, copy) = both(1).await;
    assert!(first.is_some() && first == copy);
}
