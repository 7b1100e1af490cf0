//! A sink that keeps what is committed, two-phase like one that writes to an outside system.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use async_trait::async_trait;
use bytes::Bytes;
use volley_api::{
    CommitStatus, Committable, DeliveryGuarantee, Epoch, JobRun, NodeName, ShownBeyond, Sink, SinkContext, SinkWriter,
};

use crate::error::{Error, Result};

/// The version of the encoding of tokens: this byte, then a number given out once, as eight bytes, little-endian.
const TOKEN_VERSION: u8 = 1;
const TOKEN_BYTES: usize = 9;

/// What the sink, its writers and its handles share: the outside system, so to say.
#[derive(Default)]
struct Shared {
    tokens_given: u64,
    staged: HashMap<u64, Staged>,
    /// Whose rows are visible.
    committed: HashMap<u64, Owner>,
    visible: Vec<RecordBatch>,
}

struct Staged {
    owner: Owner,
    batches: Vec<RecordBatch>,
}

/// Who prepared something, and when.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Owner {
    run: JobRun,
    sink: NodeName,
    subtask: u32,
    epoch: Epoch,
}

impl Owner {
    fn of(committable: &Committable) -> Self {
        let Committable { run, sink, subtask, epoch, .. } = committable.clone();
        Self { run, sink, subtask, epoch }
    }
}

impl Shared {
    /// The token of a committable, once it is known to be its own.
    fn own(&self, committable: &Committable) -> Result<u64> {
        let token = decode(&committable.token)?;
        let owner = self.staged.get(&token).map(|staged| &staged.owner).or_else(|| self.committed.get(&token));
        if owner.is_some_and(|owner| *owner != Owner::of(committable)) {
            let Committable { run, sink, epoch, .. } = committable;
            return Err(Error::Foreign { job: run.job.to_string(), sink: sink.clone(), epoch: *epoch });
        }
        Ok(token)
    }
}

#[derive(Clone, Default)]
struct Store(Arc<Mutex<Shared>>);

impl Store {
    fn lock(&self) -> MutexGuard<'_, Shared> {
        // A panic elsewhere leaves no half-done change behind: each one is a single call.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Keeps rows in memory. They are staged until they are committed, and then seen through [`MemoryHandle::batches`], in
/// the order of the commits.
///
/// Exactly once within the process; nothing outlives it. A job that fails and goes on in the same process finds what it had
/// staged, by a clone or by [`MemoryHandle::sink`]. What is written is held without a bound: it is for results that fit in
/// memory.
#[derive(Clone, Default)]
pub struct MemorySink {
    store: Store,
}

/// Sees what has been committed to a [`MemorySink`]. Cheap to clone.
#[derive(Clone)]
pub struct MemoryHandle {
    store: Store,
}

impl MemorySink {
    /// An empty sink.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// A handle that sees what is committed, now and later, also when the sink is gone.
    #[must_use]
    pub fn handle(&self) -> MemoryHandle {
        MemoryHandle { store: self.store.clone() }
    }
}

impl MemoryHandle {
    /// A sink that goes on with what is staged and committed here.
    #[must_use]
    pub fn sink(&self) -> MemorySink {
        MemorySink { store: self.store.clone() }
    }

    /// All batches that have been committed. They are shared, not copied.
    #[must_use]
    pub fn batches(&self) -> Vec<RecordBatch> {
        self.store.lock().visible.clone()
    }

    /// How many rows have been committed.
    #[must_use]
    pub fn num_rows(&self) -> usize {
        self.store.lock().visible.iter().map(RecordBatch::num_rows).sum()
    }

    /// Takes out all batches that have been committed; what is committed later follows anew.
    #[must_use]
    pub fn take(&self) -> Vec<RecordBatch> {
        std::mem::take(&mut self.store.lock().visible)
    }
}

impl fmt::Debug for MemorySink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shared = self.store.lock();
        f.debug_struct("MemorySink")
            .field("staged", &shared.staged.len())
            .field("visible", &shared.visible.len())
            .finish()
    }
}

impl fmt::Debug for MemoryHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryHandle").field("visible", &self.store.lock().visible.len()).finish()
    }
}

#[async_trait]
impl Sink for MemorySink {
    fn label(&self) -> String {
        "memory".into()
    }

    fn guarantee(&self) -> DeliveryGuarantee {
        DeliveryGuarantee::ExactlyOnce
    }

    fn check(&self, _input: &SchemaRef) -> volley_api::Result<()> {
        Ok(())
    }

    async fn open(&self, context: SinkContext) -> volley_api::Result<Box<dyn SinkWriter>> {
        Ok(Box::new(Writer { store: self.store.clone(), context, batches: Vec::new() }))
    }

    async fn commit(&self, committable: &Committable) -> volley_api::Result<()> {
        let mut shared = self.store.lock();
        let token = shared.own(committable)?;
        if shared.committed.contains_key(&token) {
            return Ok(());
        }
        let Staged { owner, batches } = shared.staged.remove(&token).ok_or(Error::Gone(committable.epoch))?;
        shared.visible.extend(batches);
        shared.committed.insert(token, owner);
        Ok(())
    }

    async fn lookup(&self, committable: &Committable) -> volley_api::Result<CommitStatus> {
        let shared = self.store.lock();
        let token = shared.own(committable)?;
        match (shared.committed.contains_key(&token), shared.staged.contains_key(&token)) {
            (true, _) => Ok(CommitStatus::Committed),
            (_, true) => Ok(CommitStatus::NotCommitted),
            _ => Err(Error::Gone(committable.epoch).into()),
        }
    }

    async fn shows_beyond(&self, since: &JobRun, sink: &NodeName, epoch: Epoch) -> volley_api::Result<ShownBeyond> {
        let shared = self.store.lock();
        let is_own = |owner: &&Owner| {
            owner.run.job == since.job && owner.run.incarnation >= since.incarnation && owner.sink == *sink
        };
        let later = shared.committed.values().filter(is_own).map(|owner| owner.epoch).filter(|found| *found > epoch);
        Ok(later.max().map_or(ShownBeyond::Nothing, ShownBeyond::UpTo))
    }

    async fn abort(&self, committable: &Committable) -> volley_api::Result<()> {
        let mut shared = self.store.lock();
        let token = shared.own(committable)?;
        if shared.committed.contains_key(&token) {
            return Err(Error::Visible(committable.epoch).into());
        }
        shared.staged.remove(&token);
        Ok(())
    }

    async fn clean_up(&self, run: &JobRun, sink: &NodeName, kept: &[Committable]) -> volley_api::Result<()> {
        let mut shared = self.store.lock();
        let own = kept.iter().filter(|committable| committable.sink == *sink);
        let kept = own.map(|committable| shared.own(committable)).collect::<Result<HashSet<_>>>()?;
        shared.staged.retain(|token, Staged { owner, .. }| {
            let is_earlier = owner.run.job == run.job && owner.run.incarnation < run.incarnation;
            !is_earlier || owner.sink != *sink || kept.contains(token)
        });
        Ok(())
    }
}

fn decode(token: &[u8]) -> Result<u64> {
    match <[u8; TOKEN_BYTES]>::try_from(token) {
        Ok([TOKEN_VERSION, number @ ..]) => Ok(u64::from_le_bytes(number)),
        _ => Err(Error::Token(token.to_vec())),
    }
}

struct Writer {
    store: Store,
    context: SinkContext,
    batches: Vec<RecordBatch>,
}

#[async_trait]
impl SinkWriter for Writer {
    async fn write(&mut self, batch: RecordBatch) -> volley_api::Result<()> {
        self.batches.push(batch);
        Ok(())
    }

    async fn prepare(&mut self, epoch: Epoch) -> volley_api::Result<Option<Committable>> {
        if self.batches.is_empty() {
            return Ok(None);
        }
        let mut shared = self.store.lock();
        let number = shared.tokens_given;
        shared.tokens_given += 1;
        let mut token = [0; TOKEN_BYTES];
        token[0] = TOKEN_VERSION;
        token[1..].copy_from_slice(&number.to_le_bytes());
        let committable = self.context.committable(epoch, Bytes::copy_from_slice(&token));
        let staged = Staged { owner: Owner::of(&committable), batches: std::mem::take(&mut self.batches) };
        shared.staged.insert(number, staged);
        Ok(Some(committable))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::{ArrayRef, Int64Array};
    use volley_api::{NodeName, SystemClock};
    use volley_test_contract::{
        assert_sink_documented, single_epoch_sink_contract, sink_contract, sink_recovery_contract,
    };

    fn sample() -> RecordBatch {
        let column: ArrayRef = Arc::new(Int64Array::from(vec![Some(1), None, Some(3), Some(4), Some(5), Some(6)]));
        RecordBatch::try_from_iter([("x", column)]).unwrap()
    }

    #[tokio::test]
    async fn it_keeps_the_contract() {
        let sink = MemorySink::new();
        let handle = sink.handle();
        sink_contract(&sink, &sample(), || handle.batches()).await;
        assert_eq!(handle.num_rows(), 5);
        assert_eq!(handle.take().len(), 5);
        assert!(handle.batches().is_empty());
        single_epoch_sink_contract(&sink, &sample(), || handle.batches()).await;
    }

    #[tokio::test]
    async fn it_keeps_the_contract_across_failures() {
        let handle = MemorySink::new().handle();
        assert_sink_documented("`memory` (Rust API)", &handle.sink());
        sink_recovery_contract(|| handle.sink(), &sample(), || handle.batches()).await;
    }

    #[tokio::test]
    async fn what_was_aborted_cannot_be_committed() {
        let sink = MemorySink::new();
        let context = SinkContext::single(NodeName::new("out").unwrap(), sample().schema(), Arc::new(SystemClock));
        let mut writer = sink.open(context).await.unwrap();
        writer.write(sample()).await.unwrap();
        let committable = writer.prepare(Epoch(7)).await.unwrap().unwrap();
        sink.abort(&committable).await.unwrap();
        let gone = "what was prepared for epoch 7 is not in memory: it has been aborted or cleaned up, or the process that \
                    held it has ended";
        assert_eq!(sink.commit(&committable).await.unwrap_err().to_string(), gone);
        assert_eq!(sink.lookup(&committable).await.unwrap_err().to_string(), gone);
        assert_eq!(MemorySink::new().lookup(&committable).await.unwrap_err().to_string(), gone);
        writer.write(sample()).await.unwrap();
        let committable = writer.prepare(Epoch(8)).await.unwrap().unwrap();
        sink.commit(&committable).await.unwrap();
        let error = sink.abort(&committable).await.unwrap_err().to_string();
        assert_eq!(error, "what was prepared for epoch 8 is committed already and cannot be aborted");
        let foreign = Committable { token: Bytes::from_static(b"\x02x"), ..committable.clone() };
        assert_eq!(sink.commit(&foreign).await.unwrap_err().to_string(), "[02, 78] is not a token of this memory sink");
        let foreign = Committable { epoch: Epoch(9), ..committable };
        let error = sink.lookup(&foreign).await.unwrap_err().to_string();
        assert!(error.starts_with("the token of sink `out` for epoch 9 of job `out` was given out for"), "{error}");
    }
}
