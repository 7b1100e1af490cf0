//! One run of a job, as the store sees it: its numbers, and which files may not go.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use volley_api::{Epoch, JobRun};

use super::blob::Created;
use super::catalog::CheckpointStore;
use super::layout;
use super::start::{hit, nonce};
use super::writer::EpochWriter;
use crate::manifest::{FileEntry, PlanNode};
use crate::restore::Restored;
use crate::{Error, Result};

/// So many checkpoints share files before one copies them all anew: a bit that flips in a shared file damages every
/// checkpoint that names it (design §6).
pub(crate) const CHECKPOINTS_PER_COPY: u32 = 10;

/// What a run writes into claims and manifests.
#[derive(Debug, Clone)]
pub struct RunOptions {
    /// Who starts it, for people who look into the store: host name and process id.
    pub owner: String,
    /// The time, in milliseconds since 1970.
    pub now_ms: u64,
    /// The version of the host.
    pub host_version: String,
    /// The plan of the job.
    pub plan: Vec<PlanNode>,
    /// The incarnation and the epoch of the savepoint that the job goes on from, if it does. This run's are above both, in
    /// whatever store: what it commits must not be taken for what the savepoint's job had committed.
    pub above: Option<(u64, Epoch)>,
}

/// A run of a job that holds an incarnation, and so the right to write and remove epochs. Cheap to clone; clones are one run.
#[derive(Clone)]
pub struct Run(Arc<Inner>);

struct Inner {
    store: CheckpointStore,
    run: JobRun,
    options: RunOptions,
    ledger: Mutex<Ledger>,
}

/// What the run knows of the store, without asking it.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    /// The highest epoch that was begun by this run, or was there when it started.
    pub(crate) last: u64,
    /// The highest id that was tried.
    tried: u64,
    /// Since one copied the files that it shares, or tried to: of the newest complete epoch, and 0 behind a try.
    pub(crate) checkpoints_since_copy: u32,
    /// The last epoch that an earlier start began as such a copy, and that did not become complete.
    copy_failed: u64,
    /// One of the two manifests of an epoch, which could not be written: the epoch, where it belongs, and what it is.
    pub(crate) lacks_manifest: Option<(Epoch, String, Bytes)>,
    /// Files that were written or checked by this run, by identity, as they were last taken.
    pub(crate) known: BTreeMap<String, FileEntry>,
    /// Identities of files that failed to sync when they were to be linked. Nothing may rely on them.
    pub(crate) unsynced: BTreeSet<String>,
    /// Files that were not any more, when they were copied anew, what they had been: as they were written, and as they were
    /// read. Nothing may rely on these either.
    pub(crate) changed: BTreeMap<String, (String, String)>,
    /// The files that epochs of this run name, complete or being written.
    pub(crate) named: BTreeMap<u64, BTreeSet<String>>,
    /// Epochs that are being written.
    pub(crate) writing: BTreeSet<u64>,
}

impl fmt::Debug for Run {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "start {} of {} in {}", self.0.run.incarnation, self.0.run.job, self.0.store.label())
    }
}

impl Run {
    pub(crate) fn new(
        store: CheckpointStore,
        incarnation: u64,
        last: Epoch,
        copy_failed: Epoch,
        options: RunOptions,
    ) -> Self {
        let run = JobRun { job: Arc::clone(&store.job), incarnation };
        let ledger = Ledger { last: last.0, tried: last.0, copy_failed: copy_failed.0, ..Ledger::default() };
        Self(Arc::new(Inner { store, run, options, ledger: Mutex::new(ledger) }))
    }

    /// The job and the incarnation.
    #[must_use]
    pub fn job_run(&self) -> &JobRun {
        &self.0.run
    }

    /// The store, for reading.
    #[must_use]
    pub fn store(&self) -> &CheckpointStore {
        &self.0.store
    }

    /// The next epoch has an id above this one, which another start of the job has taken.
    pub fn goes_above(&self, epoch: Epoch) {
        let mut ledger = self.ledger();
        ledger.tried = ledger.tried.max(epoch.0);
        ledger.last = ledger.last.max(epoch.0);
    }

    /// The id that the next epoch will have.
    #[must_use]
    pub fn next_epoch(&self) -> Epoch {
        Epoch(self.ledger().tried + 1)
    }

    pub(crate) fn options(&self) -> &RunOptions {
        &self.0.options
    }

    pub(crate) fn ledger(&self) -> MutexGuard<'_, Ledger> {
        self.0.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Says that the job goes on from this checkpoint, so that files which it has need not be written again. What was loaded
    /// from a savepoint changes nothing.
    pub fn goes_on_from(&self, restored: &Restored) {
        if !restored.is_of_the_store {
            return;
        }
        let mut ledger = self.ledger();
        let has_failed = ledger.copy_failed > restored.manifest.epoch;
        ledger.checkpoints_since_copy = if has_failed { 0 } else { restored.manifest.checkpoints_since_copy };
        for file in restored.manifest.files() {
            if let Some(identity) = &file.identity {
                ledger.known.insert(identity.clone(), file.clone());
            }
        }
        let paths = restored.manifest.files().map(|file| file.path.clone()).collect();
        ledger.named.insert(restored.manifest.epoch, paths);
    }

    /// Looks whether a later start of the job has taken over. To be called before anything becomes visible to others: this
    /// run must not commit afterwards.
    ///
    /// # Errors
    /// [`Error::Superseded`] if so; and when the storage cannot be asked, which must be treated alike.
    pub async fn check_not_superseded(&self) -> Result<()> {
        self.0.store.check_is_highest(self.0.run.incarnation).await
    }

    /// Says, for later starts, that this run has left the checkpoints which were there: output that earlier runs have
    /// committed beyond what is left of them is of no account any more. To be called before they are removed.
    ///
    /// # Errors
    /// When the storage fails.
    pub async fn begin_line(&self) -> Result<()> {
        let word = serde_json::json!({ "began_ms": self.0.options.now_ms, "nonce": format!("{:016x}", nonce()) });
        // Taken: by this very run, a moment ago.
        let path = layout::line(self.0.run.incarnation);
        self.0.store.blobs.put_new(&path, Bytes::from(format!("{word:#}\n"))).await.map(drop)
    }

    /// Begins the next epoch: takes its id, which nobody has used. To be called before the epoch's barrier is injected, so
    /// that an id that any sink has seen is in the store.
    ///
    /// # Errors
    /// When the storage fails; the id is not used again then. [`Error::Superseded`] when a later start has taken over.
    pub async fn begin(&self) -> Result<EpochWriter> {
        loop {
            // Taken by an earlier start, which has found out by now that it is not the last.
            if let Some(writer) = self.begin_epoch(self.next_epoch()).await? {
                return Ok(writer);
            }
        }
    }

    /// As [`Run::begin`], with the id that the caller has given it: not below [`Run::next_epoch`]. `None` when an earlier
    /// start of the job, that did not know yet that it was superseded, has taken the id at the same time.
    ///
    /// # Errors
    /// As [`Run::begin`]; [`Error::Broken`] when the id may have been used.
    pub async fn begin_epoch(&self, epoch: Epoch) -> Result<Option<EpochWriter>> {
        self.take_id(epoch)?;
        // Owned from here on: left unfinished by whatever goes wrong.
        let writer = EpochWriter::new(self.clone(), epoch);
        let claim = serde_json::json!({
            "incarnation": self.0.run.incarnation,
            "copies": writer.is_copying(),
            "nonce": format!("{:016x}", nonce()),
        });
        let claim = Bytes::from(format!("{claim:#}\n"));
        let created = self.0.store.blobs.put_new(&layout::begun(epoch), claim).await?;
        // After the claim: either the start that takes over sees it and gives the epoch up, or it is seen here.
        self.check_not_superseded().await?;
        if created != Created::Ours {
            return Ok(None);
        }
        let lacking = {
            let mut ledger = self.ledger();
            ledger.last = ledger.last.max(epoch.0);
            // Tried once: the epoch is still the newest that is complete, so that nobody removes it meanwhile.
            ledger.lacks_manifest.take()
        };
        if let Some((of, path, bytes)) = lacking
            && let Err(error) = self.0.store.blobs.put(&path, bytes).await
        {
            tracing::warn!(epoch = of.0, "{error}: the checkpoint has one manifest only");
        }
        hit("epoch-begun")?;
        Ok(Some(writer))
    }

    fn take_id(&self, Epoch(epoch): Epoch) -> Result<()> {
        let mut ledger = self.ledger();
        if epoch <= ledger.tried {
            return Err(Error::Broken(format!(
                "epoch {epoch} was to be begun, and ids up to {} are used",
                ledger.tried
            )));
        }
        ledger.tried = epoch;
        ledger.writing.insert(epoch);
        ledger.named.insert(epoch, BTreeSet::new());
        Ok(())
    }
}
