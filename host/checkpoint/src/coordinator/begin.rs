//! How a run begins: what it goes on from is chosen, loaded and checked, and the run claims its place in the store.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;

use volley_api::{Committable, Epoch, Error, InvalidName, JobState, NodeName, Result, Sink};

use super::choose::choose;
use super::rebuild::Replayer;
use super::rest::{Finishing, Start, check_is_unfinished};
use crate::Restored;
use crate::fail_point::planted;
use crate::protocol::{CommittableId, Found, Protocol, Restored as Goes, Settings};
use crate::store::{CheckpointStore, EpochEntry, EpochState, Location, Run, RunOptions, hit};

/// The sinks of a job, by name.
pub(super) type Sinks = BTreeMap<NodeName, Arc<dyn Sink>>;

/// What a run goes on from.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum GoOn {
    /// The newest checkpoint of the job, or the beginning where there is none.
    #[default]
    Newest,
    /// The beginning: checkpoints that the job has are removed once it runs.
    Fresh,
    /// A savepoint: checkpoints that the job has are removed once it runs.
    Savepoint(Location),
    /// A checkpoint of the job's own store, older ones included: those above it are removed once the job runs.
    Epoch(Epoch),
}

/// What is needed to begin.
#[derive(Debug)]
pub struct BeginOptions {
    /// Where checkpoints are kept.
    pub location: Location,
    /// The job's name.
    pub job: String,
    /// What to go on from.
    pub go_on: GoOn,
    /// Goes on from an older checkpoint where the newest are damaged, although what they committed will be put out again.
    pub accept_duplicates: bool,
    /// Where files of remote checkpoints are copied to.
    pub downloads: PathBuf,
    /// How checkpoints are taken.
    pub settings: Settings,
    /// What is written into claims and manifests.
    pub run: RunOptions,
    /// Who rebuilds the newest checkpoint where it is damaged, or why nobody can: it is left out then if nothing of it is
    /// visible, and such a start is refused otherwise.
    pub replayer: std::result::Result<Arc<dyn Replayer>, String>,
}

/// A run that has its place in the store and has not begun to work.
#[derive(Debug)]
pub struct Begun {
    /// The run.
    pub run: Run,
    /// Its protocol.
    pub protocol: Protocol,
    /// The epoch that it goes on from, and the state there.
    pub restored: Option<(Epoch, Arc<JobState>)>,
    /// Checkpoints to be removed once the job runs.
    obsolete: Vec<Epoch>,
    /// Whether the job does not go on from its newest checkpoint, or not from all that is visible.
    leaves: bool,
}

/// Whether a job can go on from a state: nodes, splits and states of operators, which this crate does not know.
pub type RestoreCheck<'a> = dyn Fn(&JobState) -> Result<()> + Sync + 'a;

/// Chooses and loads what the run goes on from, claims an incarnation, and clears away what earlier runs left staged.
///
/// What is refused for the job, its checkpoint or what `check` says of it is refused before anything is claimed: another start
/// of the job that runs is not disturbed.
///
/// # Errors
/// When the job has finished and nothing is left to commit; its newest checkpoint is damaged; the checkpoint is of another job
/// or a newer version; it holds output of a sink that is not there; what `check` says; or the storage or a sink fails. Nothing
/// has become visible then.
pub async fn begin(options: BeginOptions, sinks: &Sinks, check: &RestoreCheck<'_>) -> Result<Start> {
    options.settings.check()?;
    let store = CheckpointStore::open(&options.location, &options.job)?;
    // Before anything is claimed, so that a start which is refused disturbs no other that runs.
    let mut chosen = choose(&store, &options, sinks).await?;
    check_goes_on(chosen.restored.as_ref(), sinks, check).await?;
    hit("begin-chosen")?;
    let above = chosen.highest()?;
    let run = store.start(RunOptions { above, ..options.run.clone() }).await?;
    hit("begin-claimed")?;
    let (mut complete, mut incomplete) = (BTreeSet::new(), BTreeSet::new());
    let mut obsolete = Vec::new();
    // Output of every checkpoint that is there: should this start come to nothing, the next may go on from another.
    let mut staged: BTreeMap<CommittableId, Committable> = BTreeMap::new();
    let named = |committable: Committable| (CommittableId::of(&committable), committable);
    let entries = store.list().await?;
    if let Some(newest) = entries.first() {
        // Another start may have taken an id after this one had looked for the highest.
        run.goes_above(newest.epoch);
    }
    for entry in entries {
        if let EpochState::Complete { manifest, .. } | EpochState::Damaged { manifest: Some(manifest), .. } =
            &entry.state
        {
            staged.extend(manifest.committables().map_err(no_name)?.into_iter().map(named));
        }
        let is_of_another_line = match &options.go_on {
            GoOn::Newest => false,
            GoOn::Fresh | GoOn::Savepoint(_) => true,
            GoOn::Epoch(epoch) => entry.epoch > *epoch,
        };
        match entry.state {
            _ if is_of_another_line => obsolete.push(entry.epoch),
            EpochState::Complete { .. } => drop(complete.insert(entry.epoch)),
            // A damaged one is of no more use than one that was never complete.
            _ => drop(incomplete.insert(entry.epoch)),
        }
    }
    if options.go_on == GoOn::Newest && complete.last().copied() > chosen.seen {
        // Another start ran until this one had claimed its place, and has completed epochs and committed their output since.
        chosen = choose(&store, &options, sinks).await?;
        check_goes_on(chosen.restored.as_ref(), sinks, check).await?;
    }
    // Those above it were passed over: they are damaged, though it may take a look into their files to see it.
    let of_restored = epoch_of(chosen.restored.as_ref());
    incomplete.extend(complete.split_off(&of_restored.map_or(Epoch(0), |epoch| Epoch(epoch.0 + 1))));
    if options.go_on == GoOn::Newest {
        // The last checkpoint of a job that has finished counts, be it damaged: nothing but its manifest is needed.
        incomplete.retain(|epoch| Some(*epoch) != of_restored);
        complete.extend(of_restored);
    }
    complete.extend(chosen.settle(&run, &options, sinks).await?);
    let leaves = options.go_on != GoOn::Newest || chosen.accepts_duplicates();
    let is_elsewhere = matches!(options.go_on, GoOn::Savepoint(_));
    store.sync_names(epoch_of(chosen.restored.as_ref()).filter(|_| !is_elsewhere)).await?;
    let restored = spoiled(&store, chosen.restored, &options).await?;
    if let Some(restored) = &restored {
        run.goes_on_from(restored);
        if !is_elsewhere {
            mend_manifests(&run, restored.manifest.epoch()).await;
            if let Err(error) = store.forget_starts(restored.manifest.incarnation).await {
                tracing::warn!("{error}: claims of earlier starts are left for now");
            }
        }
    }
    let is_final = restored.as_ref().is_some_and(|restored| restored.manifest.is_final);
    let goes = restored.as_ref().map(|restored| Goes {
        epoch: restored.manifest.epoch(),
        pending: restored.pending.clone(),
        is_final,
    });
    let next_epoch = run.next_epoch();
    let found = Found {
        next_epoch,
        complete,
        savepoints: BTreeSet::new(),
        pinned: BTreeSet::new(),
        incomplete,
        restored: goes,
    };
    let protocol = Protocol::new(options.settings, &found)?;
    staged.extend(restored.iter().flat_map(|restored| restored.pending.iter().cloned().map(named)));
    for (name, sink) in sinks {
        let kept: Vec<Committable> = staged.values().filter(|kept| kept.sink == *name).cloned().collect();
        sink.clean_up(run.job_run(), name, &kept).await.map_err(|error| error.within(name))?;
    }
    hit("begin-cleaned")?;
    let restored = restored.map(|restored| (restored.manifest.epoch(), Arc::new(restored.state)));
    Ok(match restored {
        Some((epoch, _)) if is_final => Start::Finish(Finishing { run, protocol, epoch }),
        restored => Start::Run(Begun { run, protocol, restored, obsolete, leaves }),
    })
}

/// Refuses a job that cannot go on from this, or need not.
async fn check_goes_on(restored: Option<&Restored>, sinks: &Sinks, check: &RestoreCheck<'_>) -> Result<()> {
    check_is_unfinished(restored, sinks).await?;
    // Of a job that has finished no task is started.
    restored.filter(|restored| !restored.manifest.is_final).map_or(Ok(()), |restored| check(&restored.state))
}

impl Begun {
    /// Removes the checkpoints that a job no longer goes on from, once it runs: should it fail before the first of its own,
    /// it must not go on from those. What they committed stays, and the next start is not to stumble over it.
    ///
    /// # Errors
    /// When the storage fails.
    pub async fn forget_others(&mut self) -> Result<()> {
        if std::mem::take(&mut self.leaves) {
            self.run.begin_line().await?;
        }
        let obsolete = std::mem::take(&mut self.obsolete);
        if !obsolete.is_empty() {
            self.run.remove(&obsolete).await?;
        }
        Ok(())
    }
}

/// Sees to it that what the run goes on from has both manifests. It has one, so that the run can do without.
async fn mend_manifests(run: &Run, epoch: Epoch) {
    match run.mend_manifests(epoch).await {
        Ok(true) => tracing::info!("checkpoint {epoch} had one manifest only, and has two again"),
        Ok(false) => {}
        Err(error) => tracing::warn!("{error}: checkpoint {epoch} has one manifest only"),
    }
}

/// With what tests have planted: nothing, in a build that anybody runs.
async fn spoiled(
    store: &CheckpointStore,
    restored: Option<Restored>,
    options: &BeginOptions,
) -> Result<Option<Restored>> {
    let Some(mut restored) = restored else { return Ok(None) };
    if planted("forget-restored-output") {
        restored.pending.clear();
    }
    if planted("older-offsets") {
        let is_older = |entry: &EpochEntry| entry.epoch < restored.manifest.epoch();
        let is_complete = |entry: &EpochEntry| matches!(entry.state, EpochState::Complete { .. });
        let mut entries = store.list().await?.into_iter();
        if let Some(older) = entries.find(|entry| is_older(entry) && is_complete(entry)) {
            restored.state.splits = store.load(older.epoch, &options.downloads).await?.state.splits;
        }
    }
    Ok(Some(restored))
}

pub(super) fn epoch_of(restored: Option<&Restored>) -> Option<Epoch> {
    restored.map(|restored| restored.manifest.epoch())
}

pub(super) fn finished(job: &str, last: Option<Epoch>, rest: &str) -> Error {
    let last = last.map_or_else(String::new, |epoch| format!(" (checkpoint {epoch} is its last)"));
    Error::config(format!("job `{job}` has finished{last}: {rest}; begin anew with --fresh"))
}

pub(super) fn no_name(error: InvalidName) -> Error {
    Error::external("a manifest names what is no name").caused_by(error)
}
