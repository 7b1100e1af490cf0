//! What a start goes on from: chosen, loaded and checked before the start claims anything.

use volley_api::{Committable, Epoch, Error, NodeName, Result};

use super::ANSWER_WITHIN;
use super::begin::{BeginOptions, GoOn, Sinks, no_name};
use super::beyond::{Beyond, shown_beyond};
use super::rebuild::{other_plan, rebuild};
use crate::manifest::Manifest;
use crate::store::{CheckpointStore, EpochState, Newest, Run, Savepoint};
use crate::{Damage, Restored};

/// What a run goes on from.
#[derive(Default)]
pub(super) struct Chosen {
    /// The checkpoint; none at the beginning of a job.
    pub(super) restored: Option<Restored>,
    /// The newest that seemed whole before its files were read.
    pub(super) seen: Option<Epoch>,
    /// Later ones that are damaged, the newest first.
    damaged: Vec<Damaged>,
    /// What is visible of still later ones, which are gone.
    beyond: Option<Beyond>,
    /// What becomes of those.
    way: Way,
}

/// What is done about damaged checkpoints.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Way {
    /// The newest is rebuilt. Those between it and the one that is whole are no more than a gap on the way there.
    #[default]
    Rebuild,
    /// They are left out: nothing of them is visible.
    LeaveOut,
    /// They are left out, although something of them is visible, since a person has said so.
    AcceptDuplicates,
}

/// A damaged checkpoint.
struct Damaged {
    /// Unless both copies of it are gone.
    manifest: Option<Box<Manifest>>,
    error: crate::Error,
    /// What is visible of it, or may be.
    seen: Option<String>,
}

impl Chosen {
    /// The highest numbers that the chosen checkpoints know of. Those of a savepoint may be beyond what the store has given
    /// out, and a sink must not take output of this run for that of another.
    pub(super) fn highest(&self) -> Result<Option<(u64, Epoch)>> {
        let mut highest: Option<(u64, Epoch)> = None;
        let damaged = self.damaged.iter().filter_map(|damaged| damaged.manifest.as_deref());
        for manifest in self.restored.iter().map(|restored| &restored.manifest).chain(damaged) {
            let pending = manifest.committables().map_err(no_name)?;
            let numbers = pending.iter().map(|committable| (committable.run.incarnation, committable.epoch));
            for (incarnation, epoch) in numbers.chain([(manifest.incarnation, manifest.epoch())]) {
                let so_far = highest.unwrap_or((incarnation, epoch));
                highest = Some((so_far.0.max(incarnation), so_far.1.max(epoch)));
            }
        }
        if let Some(beyond) = &self.beyond {
            // Its id may not be in the store any more.
            let so_far = highest.unwrap_or((0, beyond.epoch));
            highest = Some((so_far.0, so_far.1.max(beyond.epoch)));
        }
        Ok(highest)
    }

    /// Whether it goes on although output is visible that is later, since a person has said so.
    pub(super) fn accepts_duplicates(&self) -> bool {
        self.beyond.is_some() || self.way == Way::AcceptDuplicates
    }

    /// Does what was chosen about damaged checkpoints, in a run that has claimed its place. Gives the epoch of one that was
    /// rebuilt: the run goes on from that.
    pub(super) async fn settle(&mut self, run: &Run, options: &BeginOptions, sinks: &Sinks) -> Result<Option<Epoch>> {
        if self.damaged.is_empty() {
            return Ok(None);
        }
        match self.way {
            Way::Rebuild => self.rebuild(run, options).await,
            Way::AcceptDuplicates => Ok(None),
            Way::LeaveOut => self.leave_out(run, sinks).await.map(|()| None),
        }
    }

    async fn rebuild(&mut self, run: &Run, options: &BeginOptions) -> Result<Option<Epoch>> {
        let (Some(damaged), Some(base), Ok(replayer)) = (self.damaged.first(), &self.restored, &options.replayer)
        else {
            return Ok(None);
        };
        let Some(manifest) = &damaged.manifest else { return Ok(None) };
        let (lost, from) = (manifest.epoch, base.manifest.epoch);
        tracing::warn!(
            "{}. It is rebuilt from checkpoint {from}: what was read since is read again, unheard",
            damaged.error
        );
        match rebuild(run, base, manifest, &**replayer, options.run.now_ms).await {
            Ok(epoch) => {
                tracing::info!("checkpoint {lost} is rebuilt as {epoch}");
                self.restored = Some(run.store().load(epoch, &options.downloads).await?);
                Ok(Some(epoch))
            }
            Err(error) if options.accept_duplicates && !error.is_retryable() => {
                let error = error.report();
                tracing::warn!("checkpoint {lost} could not be rebuilt ({error}): going on from {from}");
                self.way = Way::AcceptDuplicates;
                Ok(None)
            }
            Err(error) => {
                let is_retryable = error.is_retryable();
                let told = damaged.refused("rebuilding it failed").caused_by(error);
                Err(if is_retryable { told.retryable() } else { told })
            }
        }
    }

    /// Leaves damaged checkpoints out for good: whoever would put their files back later must not go on from them, since what
    /// they had staged is thrown away.
    async fn leave_out(&self, run: &Run, sinks: &Sinks) -> Result<()> {
        let before = self.restored.as_ref().map(|restored| restored.manifest.epoch());
        // Asked again, for the host that ran before may have committed until this run had claimed its place.
        for damaged in &self.damaged {
            if let Some(manifest) = &damaged.manifest
                && let Some(seen) = visible(manifest, before, sinks).await?
            {
                return Err(refused(&damaged.error, &seen).retryable());
            }
        }
        let manifests = || self.damaged.iter().filter_map(|damaged| damaged.manifest.as_deref());
        run.remove(&manifests().map(Manifest::epoch).collect::<Vec<_>>()).await?;
        for manifest in manifests() {
            for committable in beyond(manifest, before)? {
                let Some(sink) = sinks.get(&committable.sink) else { continue };
                let aborted = tokio::time::timeout(ANSWER_WITHIN, sink.abort(&committable)).await;
                aborted.map_err(|_| silent(&committable.sink))?.map_err(|error| error.within(&committable.sink))?;
            }
        }
        Ok(())
    }
}

impl Damaged {
    /// Output of it may be visible: going on from an older one is for a person to decide.
    fn refused(&self, why: &str) -> Error {
        let seen = self.seen.as_deref().unwrap_or("its output is staged");
        refused(&self.error, &format!("{seen}, and {why}"))
    }
}

pub(super) async fn choose(store: &CheckpointStore, options: &BeginOptions, sinks: &Sinks) -> Result<Chosen> {
    let chosen = match &options.go_on {
        GoOn::Fresh => Chosen::default(),
        GoOn::Savepoint(location) => {
            let restored = Savepoint::open(location)?.load(&options.job, &options.downloads).await?;
            Chosen { restored: Some(restored), ..Chosen::default() }
        }
        GoOn::Epoch(epoch) => {
            Chosen { restored: Some(store.load(*epoch, &options.downloads).await?), ..Chosen::default() }
        }
        GoOn::Newest => newest(store, options, sinks).await?,
    };
    if let Some(restored) = &chosen.restored {
        check_sinks(&restored.pending, sinks)?;
    }
    if chosen.way == Way::Rebuild
        && let Some(manifest) = chosen.damaged.first().and_then(|damaged| damaged.manifest.as_deref())
    {
        check_sinks(&manifest.committables().map_err(no_name)?, sinks)?;
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
    let mut chosen = Chosen { seen: before, ..Chosen::default() };
    match shown_beyond(store, &newest, sinks).await {
        Ok(beyond) => chosen.beyond = beyond,
        Err(error) if options.accept_duplicates => tracing::warn!("what sinks show is not known: {}", error.report()),
        Err(error) => return Err(error),
    }
    if let Some(beyond) = &chosen.beyond {
        let is_there = newest.damaged.first().is_some_and(|entry| entry.epoch >= beyond.epoch);
        match beyond.refused() {
            _ if options.accept_duplicates => tracing::warn!("{}: going on all the same", beyond.seen()),
            // It is there, but cannot be read: told below, by the names of its files.
            _ if is_there => {}
            refused => return Err(refused),
        }
    }
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
    chosen.decide(options)?;
    Ok(chosen)
}

impl Chosen {
    /// Takes in a damaged checkpoint, of which older ones come later: whether nothing but its output is needed, since the job
    /// has finished.
    async fn take_damaged(
        &mut self,
        error: crate::Error,
        manifest: Option<Box<Manifest>>,
        before: Option<Epoch>,
        options: &BeginOptions,
        sinks: &Sinks,
    ) -> Result<bool> {
        let seen = match &manifest {
            Some(manifest) if manifest.is_final && self.damaged.is_empty() => {
                tracing::warn!("{error}. The job has finished, and nobody needs what is damaged");
                self.restored = Some(Restored::finished((**manifest).clone())?);
                return Ok(true);
            }
            Some(manifest) => visible(manifest, before, sinks).await?,
            None => Some(match self.beyond.as_ref().filter(|_| self.damaged.is_empty()) {
                Some(beyond) => beyond.seen(),
                None => "what it committed cannot be told, since its manifest is gone".to_owned(),
            }),
        };
        if manifest.is_none() && self.damaged.is_empty() && options.accept_duplicates {
            tracing::warn!("{error}: going on from an older one");
            return Ok(false);
        }
        self.damaged.push(Damaged { manifest, error, seen });
        Ok(false)
    }

    /// Decides about damaged checkpoints: the newest is rebuilt where that can be done; they are left out where every sink says
    /// that nothing of them is visible, or where a person has said that rows may come again.
    fn decide(&mut self, options: &BeginOptions) -> Result<()> {
        let Some(newest) = self.damaged.first() else { return Ok(()) };
        let cannot = match (&newest.manifest, &self.restored, &options.replayer) {
            (None, ..) => None,
            (_, None, _) => Some("there is no checkpoint before it that it could be rebuilt from".to_owned()),
            (_, _, Err(why)) => Some(why.clone()),
            (Some(manifest), Some(base), Ok(_)) => match other_plan(&base.manifest, manifest, &options.run.plan) {
                None => return Ok(()),
                why => why,
            },
        };
        let Some(visible) = self.damaged.iter().find(|damaged| damaged.seen.is_some()) else {
            let on = self.restored.as_ref().map_or("beginning anew", |_| "going on from the one before it");
            self.damaged.iter().for_each(|damaged| {
                tracing::warn!("{}. Nothing of it is visible: {on}", damaged.error);
            });
            self.way = Way::LeaveOut;
            return Ok(());
        };
        if options.accept_duplicates {
            tracing::warn!("{}: going on from an older one", newest.error);
            self.way = Way::AcceptDuplicates;
            return Ok(());
        }
        Err(match cannot {
            Some(why) => visible.refused(&format!("it is not rebuilt: {why}")),
            None => refused(&visible.error, visible.seen.as_deref().unwrap_or_default()),
        })
    }
}

/// Output of a checkpoint that an older one does not have.
fn beyond(manifest: &Manifest, before: Option<Epoch>) -> Result<impl Iterator<Item = Committable>> {
    let output = manifest.committables().map_err(no_name)?.into_iter();
    Ok(output.filter(move |committable| before.is_none_or(|before| committable.epoch > before)))
}

pub(super) fn silent(sink: &NodeName) -> Error {
    Error::external(format!("sink `{sink}` gives no answer within {} s", ANSWER_WITHIN.as_secs())).retryable()
}

/// The first output beyond an older checkpoint that is visible, or may be.
async fn visible(manifest: &Manifest, before: Option<Epoch>, sinks: &Sinks) -> Result<Option<String>> {
    for committable in beyond(manifest, before)? {
        let Committable { sink: name, epoch, .. } = &committable;
        let Some(sink) = sinks.get(name) else {
            return Ok(Some(format!(
                "what sink `{name}` committed of it cannot be told: the pipeline has no such sink"
            )));
        };
        let asked = tokio::time::timeout(ANSWER_WITHIN, sink.shows(&committable)).await;
        match asked.unwrap_or_else(|_| Err(silent(name))) {
            Ok(false) => {}
            Ok(true) => return Ok(Some(format!("sink `{name}` has committed epoch {epoch}, or a part of it"))),
            Err(error) => return Ok(Some(format!("sink `{name}` cannot be asked ({})", error.report()))),
        }
    }
    // What had been committed when the manifest was written is not in it: epochs in between, which the older one lacks.
    let is_next = manifest.epoch().0 <= before.map_or(0, |epoch| epoch.0) + 1;
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
