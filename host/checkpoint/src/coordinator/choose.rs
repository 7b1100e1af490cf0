//! What a start goes on from: chosen, loaded and checked before the start claims anything.

use volley_api::{CommitStatus, Committable, Epoch, Error, Result};

use super::begin::{BeginOptions, GoOn, Sinks, no_name};
use super::rebuild::{other_plan, rebuild};
use crate::manifest::Manifest;
use crate::store::{CheckpointStore, EpochState, Newest, Run, Savepoint};
use crate::{Damage, Restored};

/// What a run goes on from.
#[derive(Default)]
pub(super) struct Chosen {
    /// The checkpoint; none at the beginning of a job.
    pub(super) restored: Option<Restored>,
    /// A later one that is damaged, and is rebuilt from it.
    damaged: Option<Damaged>,
}

/// A damaged checkpoint whose output is visible, or may be.
struct Damaged {
    manifest: Box<Manifest>,
    error: crate::Error,
    /// What is visible of it.
    seen: String,
}

impl Chosen {
    /// The highest numbers that the chosen checkpoints know of. Those of a savepoint may be beyond what the store has given
    /// out, and a sink must not take output of this run for that of another.
    pub(super) fn highest(&self) -> Result<Option<(u64, Epoch)>> {
        let mut highest = None;
        let damaged = self.damaged.as_ref().map(|damaged| &*damaged.manifest);
        for manifest in self.restored.iter().map(|restored| &restored.manifest).chain(damaged) {
            let pending = manifest.committables().map_err(no_name)?;
            let incarnation = pending.iter().map(|committable| committable.run.incarnation).max();
            let epoch = pending.iter().map(|committable| committable.epoch).max();
            let own =
                (manifest.incarnation.max(incarnation.unwrap_or(0)), manifest.epoch().max(epoch.unwrap_or(Epoch(0))));
            let (incarnation, epoch) = highest.unwrap_or(own);
            highest = Some((own.0.max(incarnation), own.1.max(epoch)));
        }
        Ok(highest)
    }

    /// Rebuilds the damaged checkpoint, if there is one, and chooses what comes of it.
    pub(super) async fn rebuild(&mut self, run: &Run, options: &BeginOptions) -> Result<Option<Epoch>> {
        let (Some(damaged), Some(base), Some(replayer)) = (self.damaged.take(), &self.restored, &options.replayer)
        else {
            return Ok(None);
        };
        let (lost, from) = (damaged.manifest.epoch, base.manifest.epoch);
        tracing::warn!(
            "{}. It is rebuilt from checkpoint {from}: what was read since is read again, unheard",
            damaged.error
        );
        match rebuild(run, base, &damaged.manifest, &**replayer, options.run.now_ms).await {
            Ok(epoch) => {
                tracing::info!("checkpoint {lost} is rebuilt as {epoch}");
                self.restored = Some(run.store().load(epoch, &options.downloads).await?);
                Ok(Some(epoch))
            }
            Err(error) if options.accept_duplicates && !error.is_retryable() => {
                let error = error.report();
                tracing::warn!("checkpoint {lost} could not be rebuilt ({error}): going on from {from}");
                Ok(None)
            }
            Err(error) => {
                let is_retryable = error.is_retryable();
                let told = damaged.refused("rebuilding it failed").caused_by(error);
                Err(if is_retryable { told.retryable() } else { told })
            }
        }
    }
}

impl Damaged {
    /// Output of it may be visible: going on from an older one is for a person to decide.
    fn refused(&self, why: &str) -> Error {
        refused(&self.error, &format!("{}, and {why}", self.seen))
    }
}

pub(super) async fn choose(store: &CheckpointStore, options: &BeginOptions, sinks: &Sinks) -> Result<Chosen> {
    let chosen = match &options.go_on {
        GoOn::Fresh => Chosen::default(),
        GoOn::Savepoint(location) => {
            let restored = Savepoint::open(location)?.load(&options.job, &options.downloads).await?;
            Chosen { restored: Some(restored), damaged: None }
        }
        GoOn::Epoch(epoch) => Chosen { restored: Some(store.load(*epoch, &options.downloads).await?), damaged: None },
        GoOn::Newest => newest(store, options, sinks).await?,
    };
    let Some(restored) = &chosen.restored else { return Ok(chosen) };
    match &chosen.damaged {
        None => check_sinks(&restored.pending, sinks)?,
        Some(damaged) => check_sinks(&damaged.manifest.committables().map_err(no_name)?, sinks)?,
    }
    Ok(chosen)
}

/// The newest checkpoint that is whole. Those above it are passed over if nobody has seen their output, and rebuilt if so.
async fn newest(store: &CheckpointStore, options: &BeginOptions, sinks: &Sinks) -> Result<Chosen> {
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

async fn load_newest(store: &CheckpointStore, options: &BeginOptions, newest: Newest, sinks: &Sinks) -> Result<Chosen> {
    let before = newest.complete.as_deref().map(Manifest::epoch);
    let mut chosen = Chosen::default();
    for entry in newest.damaged {
        if let EpochState::Damaged { damage, manifest } = entry.state {
            let error = damage_of(entry.epoch, damage, newest.complete.as_deref());
            if chosen.take_damaged(error, manifest, before, options, sinks).await? {
                return Ok(chosen);
            }
        }
    }
    let mut next = before;
    while let Some(epoch) = next {
        match store.load(epoch, &options.downloads).await {
            Ok(restored) => {
                chosen.restored = Some(restored);
                break;
            }
            Err(crate::Error::Damaged { epoch, damage, before }) => {
                next = before;
                let manifest = store.inspect(epoch).await.ok().map(Box::new);
                let error = crate::Error::Damaged { epoch, damage, before };
                if chosen.take_damaged(error, manifest, before, options, sinks).await? {
                    return Ok(chosen);
                }
            }
            Err(error) => return Err(error.into()),
        }
    }
    let Some(damaged) = &chosen.damaged else { return Ok(chosen) };
    let cannot = match &chosen.restored {
        None => Some("there is no checkpoint before it that it could be rebuilt from".to_owned()),
        Some(base) => other_plan(&base.manifest, &damaged.manifest, &options.run.plan),
    };
    match cannot {
        Some(why) if options.accept_duplicates => {
            tracing::warn!("{}. It is not rebuilt, for {why}: going on from an older one", damaged.error);
            chosen.damaged = None;
        }
        Some(why) => return Err(damaged.refused(&format!("it is not rebuilt, for {why}"))),
        None => {}
    }
    Ok(chosen)
}

impl Chosen {
    /// Decides about a damaged checkpoint, of which older ones come later: whether nothing but its output is needed, since the
    /// job has finished. It is left out where its manifest can be read and every sink says that nothing of it is committed; it
    /// is rebuilt where that can be done; and left out all the same where a person has said that rows may come again.
    async fn take_damaged(
        &mut self,
        error: crate::Error,
        manifest: Option<Box<Manifest>>,
        before: Option<Epoch>,
        options: &BeginOptions,
        sinks: &Sinks,
    ) -> Result<bool> {
        if self.damaged.is_some() {
            // A later one is rebuilt: this one is no more than a gap on the way there.
            return Ok(false);
        }
        let Some(manifest) = manifest else {
            let seen = "what it committed cannot be told, since its manifest is gone";
            if options.accept_duplicates {
                tracing::warn!("{error}: going on from an older one");
                return Ok(false);
            }
            return Err(refused(&error, seen));
        };
        if manifest.is_final {
            tracing::warn!("{error}. The job has finished, and nobody needs what is damaged");
            self.restored = Some(Restored::finished(*manifest)?);
            return Ok(true);
        }
        match visible(&manifest, before, sinks).await? {
            None => tracing::warn!("{error}. Nothing of it is committed: going on from the one before it"),
            Some(seen) if options.replayer.is_some() => self.damaged = Some(Damaged { manifest, error, seen }),
            Some(_) if options.accept_duplicates => tracing::warn!("{error}: going on from an older one"),
            Some(seen) => return Err(refused(&error, &seen)),
        }
        Ok(false)
    }
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

fn damage_of(epoch: Epoch, damage: Vec<Damage>, complete: Option<&Manifest>) -> crate::Error {
    crate::Error::Damaged { epoch, damage, before: complete.map(Manifest::epoch) }
}

/// Output of a damaged checkpoint may be visible: going on from an older one is for a person to decide.
fn refused(error: &crate::Error, seen: &str) -> Error {
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
