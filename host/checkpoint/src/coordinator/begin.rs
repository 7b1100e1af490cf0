//! How a run begins: what it goes on from is chosen, loaded and checked, and the run claims its place in the store.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;

use volley_api::{CommitStatus, Committable, Epoch, Error, InvalidName, JobState, NodeName, Result, Sink};

use super::rest::{Finishing, Start, check_is_unfinished};
use crate::fail_point::planted;
use crate::manifest::Manifest;
use crate::protocol::{CommittableId, Found, Protocol, Restored as Goes, Settings};
use crate::store::{CheckpointStore, EpochEntry, EpochState, Location, Newest, Run, RunOptions, Savepoint, hit};
use crate::{Damage, Restored};

/// The sinks of a job, by name.
type Sinks = BTreeMap<NodeName, Arc<dyn Sink>>;

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
    let restored = choose(&store, &options, sinks).await?;
    check_goes_on(restored.as_ref(), sinks, check).await?;
    hit("begin-chosen")?;
    let above = restored.as_ref().map(|restored| highest(&restored.manifest, &restored.pending));
    let run = store.start(RunOptions { above, ..options.run.clone() }).await?;
    hit("begin-claimed")?;
    let (mut complete, mut incomplete) = (BTreeSet::new(), BTreeSet::new());
    let mut obsolete = Vec::new();
    // Output of every checkpoint that is there: should this start come to nothing, the next may go on from another.
    let mut staged: BTreeMap<CommittableId, Committable> = BTreeMap::new();
    let named = |committable: Committable| (CommittableId::of(&committable), committable);
    let entries = store.list().await?;
    for entry in &entries {
        if let EpochState::Complete { manifest, .. } | EpochState::Damaged { manifest: Some(manifest), .. } =
            &entry.state
        {
            staged.extend(manifest.committables().map_err(no_name)?.into_iter().map(named));
        }
    }
    if let Some(newest) = entries.first() {
        // Another start may have taken an id after this one had looked for the highest.
        run.goes_above(newest.epoch);
    }
    for entry in entries {
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
    let restored = if options.go_on == GoOn::Newest && complete.last().copied() > epoch_of(restored.as_ref()) {
        // Another start ran until this one had claimed its place, and has completed epochs and committed their output since.
        let restored = choose(&store, &options, sinks).await?;
        check_goes_on(restored.as_ref(), sinks, check).await?;
        restored
    } else {
        restored
    };
    // Those above it were passed over: they are damaged, though it may take a look into their files to see it.
    incomplete.extend(complete.split_off(&epoch_of(restored.as_ref()).map_or(Epoch(0), |epoch| Epoch(epoch.0 + 1))));
    let own = restored.as_ref().filter(|restored| restored.is_of_the_store);
    store.sync_names(epoch_of(own)).await?;
    let restored = spoiled(&store, restored, &options).await?;
    if let Some(restored) = &restored {
        run.goes_on_from(restored);
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
        restored => Start::Run(Begun { run, protocol, restored, obsolete }),
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
    /// it must not go on from those.
    ///
    /// # Errors
    /// When the storage fails.
    pub async fn forget_others(&mut self) -> Result<()> {
        let obsolete = std::mem::take(&mut self.obsolete);
        if !obsolete.is_empty() {
            self.run.remove(&obsolete).await?;
        }
        Ok(())
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

/// The highest numbers that a checkpoint knows of. Those of a savepoint may be beyond what the store has given out, and a sink
/// must not take output of this run for that of another.
fn highest(manifest: &Manifest, pending: &[Committable]) -> (u64, Epoch) {
    let incarnation = pending.iter().map(|committable| committable.run.incarnation).max();
    let epoch = pending.iter().map(|committable| committable.epoch).max();
    (manifest.incarnation.max(incarnation.unwrap_or(0)), manifest.epoch().max(epoch.unwrap_or(Epoch(0))))
}

fn epoch_of(restored: Option<&Restored>) -> Option<Epoch> {
    restored.map(|restored| restored.manifest.epoch())
}

pub(super) fn finished(job: &str, last: Option<Epoch>, rest: &str) -> Error {
    let last = last.map_or_else(String::new, |epoch| format!(" (checkpoint {epoch} is its last)"));
    Error::config(format!("job `{job}` has finished{last}: {rest}; begin anew with --fresh"))
}

async fn choose(store: &CheckpointStore, options: &BeginOptions, sinks: &Sinks) -> Result<Option<Restored>> {
    let restored = match &options.go_on {
        GoOn::Fresh => return Ok(None),
        GoOn::Savepoint(location) => Savepoint::open(location)?.load(&options.job, &options.downloads).await?,
        GoOn::Epoch(epoch) => store.load(*epoch, &options.downloads).await?,
        GoOn::Newest => match newest(store, options, sinks).await? {
            Some(restored) => restored,
            None => return Ok(None),
        },
    };
    if restored.manifest.is_final && restored.pending.is_empty() {
        return Err(finished(&restored.manifest.job, epoch_of(Some(&restored)), "nothing is left to do"));
    }
    check_sinks(&restored.pending, sinks)?;
    Ok(Some(restored))
}

/// The newest checkpoint that is whole. Those above it are passed over if nobody has seen their output.
async fn newest(store: &CheckpointStore, options: &BeginOptions, sinks: &Sinks) -> Result<Option<Restored>> {
    loop {
        let newest = store.newest().await?;
        let seen = newest.complete.as_ref().map(|manifest| manifest.epoch());
        let loaded = load_newest(store, options, newest, sinks).await;
        // Another start that runs beside this one may have removed what was being read, for it has newer ones.
        if loaded.is_ok() || store.newest().await?.complete.map(|manifest| manifest.epoch()) == seen {
            return loaded;
        }
    }
}

async fn load_newest(
    store: &CheckpointStore,
    options: &BeginOptions,
    newest: Newest,
    sinks: &Sinks,
) -> Result<Option<Restored>> {
    let before = newest.complete.as_deref().map(Manifest::epoch);
    for entry in newest.damaged {
        if let EpochState::Damaged { damage, manifest } = entry.state {
            let error = damage_of(entry.epoch, damage, newest.complete.as_deref());
            pass_over(error, manifest.as_deref(), before, options, sinks).await?;
        }
    }
    let mut next = before;
    while let Some(epoch) = next {
        match store.load(epoch, &options.downloads).await {
            Ok(restored) => return Ok(Some(restored)),
            Err(crate::Error::Damaged { epoch, damage, before }) => {
                next = before;
                let manifest = store.inspect(epoch).await.ok();
                let error = crate::Error::Damaged { epoch, damage, before };
                pass_over(error, manifest.as_ref(), before, options, sinks).await?;
            }
            Err(error) => return Err(error.into()),
        }
    }
    Ok(None)
}

/// Goes on without a damaged checkpoint: where its manifest can be read and every sink says that nothing of it is committed, or
/// where a person has said that rows may come again.
async fn pass_over(
    error: crate::Error,
    manifest: Option<&Manifest>,
    before: Option<Epoch>,
    options: &BeginOptions,
    sinks: &Sinks,
) -> Result<()> {
    let seen = match manifest {
        Some(manifest) => visible(manifest, before, sinks).await?,
        None => Some("what it committed cannot be told, since its manifest is gone".to_owned()),
    };
    match seen {
        None => tracing::warn!("{error}. Nothing of it is committed: going on from the one before it"),
        Some(_) if options.accept_duplicates => tracing::warn!("{error}: going on from an older one"),
        Some(seen) => return Err(refused(error, &seen)),
    }
    Ok(())
}

/// The first output beyond an older checkpoint that is visible, or may be.
async fn visible(manifest: &Manifest, before: Option<Epoch>, sinks: &Sinks) -> Result<Option<String>> {
    for committable in manifest.committables().map_err(no_name)? {
        let Committable { sink: name, epoch, .. } = &committable;
        if before.is_some_and(|before| *epoch <= before) {
            continue;
        }
        let Some(sink) = sinks.get(name) else {
            return Ok(Some(format!(
                "what sink `{name}` committed of it cannot be told: the pipeline has no such sink"
            )));
        };
        match sink.lookup(&committable).await {
            Ok(CommitStatus::NotCommitted) => {}
            Ok(CommitStatus::Committed) => return Ok(Some(format!("sink `{name}` has committed epoch {epoch}"))),
            Ok(CommitStatus::Unknown) => {
                return Ok(Some(format!("sink `{name}` cannot tell whether epoch {epoch} is committed")));
            }
            Err(error) => return Ok(Some(format!("sink `{name}` cannot be asked ({})", error.report()))),
        }
    }
    // What had been committed when the manifest was written is not in it: epochs in between, which the older one lacks.
    let is_next = before.is_some_and(|before| manifest.epoch().0 <= before.0 + 1);
    let gap = || {
        format!("what was committed between it and the one before it, {}, cannot be told", before.map_or(0, |e| e.0))
    };
    Ok((!is_next).then(gap))
}

fn no_name(error: InvalidName) -> Error {
    Error::external("a manifest names what is no name").caused_by(error)
}

fn damage_of(epoch: Epoch, damage: Vec<Damage>, complete: Option<&Manifest>) -> crate::Error {
    crate::Error::Damaged { epoch, damage, before: complete.map(Manifest::epoch) }
}

/// Output of a damaged checkpoint may be visible: going on from an older one is for a person to decide.
fn refused(error: crate::Error, seen: &str) -> Error {
    Error::external(format!(
        "{error}. It cannot simply be left out, for {seen}: put the files back, or go on from the one before it with \
         --accept-duplicates, which may put rows out again"
    ))
}

fn check_sinks(pending: &[Committable], sinks: &Sinks) -> Result<()> {
    match pending.iter().find(|committable| !sinks.contains_key(&committable.sink)) {
        None => Ok(()),
        Some(committable) => Err(Error::config(format!(
            "the checkpoint holds output of sink `{}` that is not committed yet, and the pipeline has no sink of that name: \
             put it back, let the job commit, and take it out then",
            committable.sink
        ))),
    }
}
