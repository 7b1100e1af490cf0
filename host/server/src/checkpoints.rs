//! `checkpoint:` of the pipeline file: how a run begins from one, and who drives them while it runs.

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use sha2::{Digest, Sha256};
use tokio::task::JoinHandle;
use volley_api::{
    Clock, DeliveryGuarantee, Error, JobState, JobSteering, NodeName, OperatorIdentity, Replay, Result, Sink,
    SystemClock,
};
use volley_checkpoint::coordinator::{
    Asker, BeginOptions, Begun, CheckpointProgress, Coordinator, CoordinatorOptions, Finishing, GoOn, Listener, Start,
    begin,
};
use volley_checkpoint::manifest::PlanNode;
use volley_checkpoint::protocol::{End, Settings};
use volley_checkpoint::store::{CheckpointStore, Location, RunOptions};
use volley_config::{CheckpointSpec, PipelineSpec, SinkSpec, StateBackendKind};
use volley_runtime::{EpochOptions, JobOptions, ListedPlan, NodeView, PhysicalPlan};

use crate::connectors;
use crate::downloads::Downloads;
use crate::rebuild::JobReplayer;
use crate::stored::check_is_there;
use crate::streams;

/// From one checkpoint to the next, unless the pipeline says otherwise.
const INTERVAL: Duration = Duration::from_secs(10);

/// What a command line may say of the beginning of a run.
#[derive(Debug, Clone, Default)]
pub(crate) struct From {
    /// What to go on from.
    pub(crate) go_on: GoOn,
    /// Whether older checkpoints will do where the newest are damaged.
    pub(crate) accept_duplicates: bool,
}

impl From {
    /// What the start after this one goes on from; `has_own` where a checkpoint of this one is complete.
    pub(crate) fn after_a_start(self, has_own: bool) -> Self {
        match self.go_on {
            // The job has nothing else: to begin anew would be to forget it.
            GoOn::Savepoint(_) if !has_own => self,
            _ => Self::default(),
        }
    }

    /// Whether anything was said.
    pub(crate) fn is_chosen(&self) -> bool {
        self.go_on != GoOn::Newest || self.accept_duplicates
    }
}

/// What a start is to do.
pub(crate) enum Prepared {
    /// To run the job.
    Run(Box<Ready>),
    /// To commit the last output of a job that has finished.
    Finish(Box<Finishing>),
}

/// Checkpoints of a run that is about to start.
pub(crate) struct Ready {
    begun: Begun,
    coordinator: Coordinator,
    listener: Arc<Listener>,
    asker: Asker,
    /// Where it goes on from, if that is a savepoint.
    savepoint: Option<Location>,
    /// What the job's operators restore, until they have.
    downloads: Downloads,
}

/// Checkpoints of a run that runs.
pub(crate) struct Running {
    /// The task that drives them, and how the run ended.
    pub(crate) coordinator: JoinHandle<Result<End>>,
    pub(crate) asker: Asker,
}

impl Drop for Running {
    fn drop(&mut self) {
        self.coordinator.abort();
    }
}

/// Refuses, before anything is opened, what cannot go on from a checkpoint.
pub(crate) fn check(spec: &PipelineSpec) -> Result<()> {
    for source in spec.sources.iter().filter(|source| streams::is_stream(&source.connector)) {
        check_source(spec, &source.name, Replay::None)?;
    }
    Ok(())
}

/// Refuses checkpoints over a source that cannot be read again.
pub(crate) fn check_source(spec: &PipelineSpec, name: &NodeName, replay: Replay) -> Result<()> {
    match (&spec.checkpoint, replay) {
        (Some(checkpoint), Replay::None) => Err(checkpoint
            .location
            .place
            .error(format!(
                "a job that goes on from a checkpoint reads on where it was, and `{name}` cannot be read again: give it a \
                 file, or leave `checkpoint` out"
            ))
            .into()),
        _ => Ok(()),
    }
}

/// Refuses checkpoints into a sink that is written once, at the end of a job.
pub(crate) fn check_sink(spec: &PipelineSpec, node: &SinkSpec, sink: &dyn Sink) -> Result<()> {
    if spec.checkpoint.is_none() || !sink.is_single_epoch() {
        return Ok(());
    }
    let message = format!(
        "sink `{}` ({}) can be written only once, at the end of a job, and this job takes checkpoints: write to a folder (a \
         path that ends in `/`), or leave `checkpoint` out",
        *node.name,
        sink.label()
    );
    Err(Error::config(message).within(node.connector.options.place()))
}

/// Says what checkpoints do not promise for a sink whose rows are seen as they are written.
pub(crate) fn warn_of_sink(spec: &PipelineSpec, sink: &SinkSpec, guarantee: DeliveryGuarantee) {
    let is_seen = guarantee != DeliveryGuarantee::ExactlyOnce && sink.connector.kind != connectors::DISCARD;
    if spec.checkpoint.is_some() && is_seen {
        let (name, guarantee) = (&*sink.name, guarantee.as_str());
        tracing::warn!("`{name}` is {guarantee}: after a failure its rows since the last checkpoint appear again");
    }
}

/// Chooses what a run goes on from, and claims its place: not before it is known that the plan, with its state in `state`, can
/// go on from there.
pub(crate) async fn prepare(
    spec: &PipelineSpec,
    checkpoint: &CheckpointSpec,
    folder: &Path,
    from: &From,
    listed: &ListedPlan,
    job_options: &JobOptions,
) -> Result<Prepared> {
    let location = location(checkpoint, folder)?;
    if let GoOn::Epoch(epoch) = from.go_on {
        check_is_there(&CheckpointStore::open(&location, spec.name.as_str())?, epoch).await?;
    }
    let savepoint = match &from.go_on {
        GoOn::Savepoint(location) => Some(location.clone()),
        _ => None,
    };
    let is_local = [Some(&location), savepoint.as_ref()].into_iter().flatten().all(Location::is_local);
    let downloads = Downloads::new(&state_folder(spec, folder)?.join("restored"), !is_local)?;
    let sinks: BTreeMap<NodeName, Arc<dyn Sink>> = listed.plan().sinks();
    let replayer = match listed.plan().not_replayed() {
        None => Ok(Arc::new(JobReplayer { plan: listed.plan().clone(), options: job_options.clone() }) as _),
        Some(why) => Err(why),
    };
    let options = BeginOptions {
        location,
        job: spec.name.to_string(),
        go_on: from.go_on.clone(),
        accept_duplicates: from.accept_duplicates,
        downloads: downloads.path().to_owned(),
        settings: settings(checkpoint),
        run: RunOptions {
            owner: format!("process {}", std::process::id()),
            now_ms: SystemClock.now_ms(),
            host_version: env!("CARGO_PKG_VERSION").to_owned(),
            plan: nodes(spec, listed.plan()),
            above: None,
        },
        replayer,
    };
    let check = |restored: &JobState| listed.check_restored(restored, &job_options.state);
    let begun = match begin(options, &sinks, &check).await? {
        Start::Run(begun) => begun,
        Start::Finish(finishing) => return Ok(Prepared::Finish(Box::new(finishing))),
    };
    let options = CoordinatorOptions { sinks, ..CoordinatorOptions::default() };
    let (coordinator, listener, asker) = Coordinator::new(begun.run.clone(), begun.protocol.clone(), options);
    Ok(Prepared::Run(Box::new(Ready { begun, coordinator, listener, asker, savepoint, downloads })))
}

impl Ready {
    /// What the job is started with.
    pub(crate) fn epochs(&self) -> EpochOptions {
        EpochOptions {
            listener: Arc::clone(&self.listener) as _,
            first_epoch: self.begun.run.next_epoch(),
            run: self.begun.run.job_run().clone(),
            restored: self.begun.restored.as_ref().map(|(_, state)| Arc::clone(state)),
            until: None,
        }
    }

    /// Where the job goes on, for people.
    pub(crate) fn told(&self) -> Option<String> {
        let (epoch, _) = self.begun.restored.as_ref()?;
        Some(match &self.savepoint {
            Some(location) => format!("going on from the savepoint {location}, checkpoint {epoch}"),
            None => format!("going on from checkpoint {epoch} of {}", self.begun.run.store().label()),
        })
    }

    /// Begins to drive the job, which runs, and has restored its state.
    pub(crate) async fn start(mut self, job: Arc<dyn JobSteering>) -> Result<Running> {
        drop(self.downloads);
        self.begun.forget_others().await?;
        let coordinator = tokio::spawn(self.coordinator.run(job));
        Ok(Running { coordinator, asker: self.asker })
    }
}

/// Where checkpoints are kept.
pub(crate) fn location(checkpoint: &CheckpointSpec, folder: &Path) -> Result<Location> {
    let text = checkpoint.location.as_str();
    let parsed = if text.contains("://") || text.starts_with("file:") || text.starts_with("memory:") {
        Location::parse(text)
    } else {
        Ok(Location::folder(&folder.join(text)))
    };
    parsed.map_err(|error| Error::from(error).within(&checkpoint.location.place))
}

/// The folder for state on disk and for files of remote checkpoints: one for each job.
pub(crate) fn state_folder(spec: &PipelineSpec, folder: &Path) -> Result<PathBuf> {
    let chosen = spec.state.location.as_ref().map(|location| folder.join(location.as_str()));
    let beside = spec.checkpoint.as_ref().map(|checkpoint| checkpoint.location.as_str());
    let is_folder = |text: &&str| !text.contains("://") && !text.starts_with("memory:");
    let beside = beside.filter(is_folder).map(|text| {
        let checkpoints = folder.join(text.strip_prefix("file:").unwrap_or(text));
        checkpoints.parent().unwrap_or(Path::new("")).join("state")
    });
    // State in memory has no location of its own; copies of remote files lie there while a job starts.
    let is_on_disk = spec.state.backend.as_ref().is_some_and(|backend| backend.value != StateBackendKind::Memory);
    let root = chosen.or(beside).or((!is_on_disk).then(|| folder.join("state"))).ok_or_else(|| {
        Error::config("checkpoints in an object store need a folder for state: add `state: { location: ./state }`")
    })?;
    Ok(root.join(spec.name.as_str()))
}

fn settings(spec: &CheckpointSpec) -> Settings {
    let ms = |span: Duration| u64::try_from(span.as_millis()).unwrap_or(u64::MAX);
    let mut settings = Settings::every(ms(spec.interval.map_or(INTERVAL, |span| span.0)));
    if let Some(pause) = spec.min_pause {
        settings.min_pause_ms = ms(pause.0);
    }
    if let Some(timeout) = spec.timeout {
        settings.timeout_ms = ms(timeout.0);
    }
    settings.tolerable_failures = spec.tolerable_failures.unwrap_or(settings.tolerable_failures);
    settings.retain = spec.retain.unwrap_or(settings.retain);
    settings.pending_epochs_max = spec.pending_epochs.map_or(settings.pending_epochs_max, NonZeroU32::get);
    settings
}

fn nodes(spec: &PipelineSpec, plan: &PhysicalPlan) -> Vec<PlanNode> {
    let definitions = definitions(spec, plan);
    let node = |node: &NodeView| PlanNode {
        uid: node.name.clone(),
        kind: format!("{}: {}", node.role, node.label),
        parallelism: node.parallelism,
        definition: definitions.get(&node.name).cloned(),
        layouts: BTreeMap::new(),
    };
    plan.view().nodes.iter().map(node).collect()
}

/// A digest of all that the pipeline file says of a node, but for its parallelism, and of a plugin that it runs. None of the
/// values can be read from it.
fn definitions(spec: &PipelineSpec, plan: &PhysicalPlan) -> BTreeMap<String, String> {
    let sources = spec.sources.iter().map(|node| (node.name.to_string(), serde_json::to_value(node)));
    let operators = spec.operators.iter().map(|node| (node.name.to_string(), serde_json::to_value(node)));
    let plugins: BTreeMap<&str, OperatorIdentity> = plan.identities().collect();
    let mut definitions = BTreeMap::new();
    for (name, value) in sources.chain(operators) {
        // What cannot be written down has no digest, and is not compared.
        let Ok(mut value) = value else { continue };
        if let Some(fields) = value.as_object_mut() {
            fields.remove("parallelism");
            let digest = plugins.get(name.as_str()).and_then(|identity| identity.digest.as_deref());
            fields.insert("plugin digest".to_owned(), digest.into());
        }
        let digest = Sha256::digest(value.to_string().as_bytes());
        definitions.insert(name, digest.iter().map(|byte| format!("{byte:02x}")).collect());
    }
    definitions
}

/// A few words about the checkpoints of a run that goes on, where there were any.
pub(crate) fn brief(progress: &CheckpointProgress) -> Option<String> {
    let last = progress.last.as_ref()?;
    let abandoned = match progress.abandoned {
        0 => String::new(),
        count => format!(", {count} given up"),
    };
    let waiting = match progress.waiting {
        0 => String::new(),
        count => format!(", {count} to be committed"),
    };
    Some(format!(" · checkpoint {}, {} s ago{waiting}{abandoned}", last.epoch, last.at.elapsed().as_secs()))
}

/// One line about the checkpoints of a run, where there were any.
pub(crate) fn line(progress: &CheckpointProgress) -> Option<String> {
    let abandoned = match progress.abandoned {
        0 => String::new(),
        count => format!(", {count} given up"),
    };
    let Some(last) = progress.last.as_ref() else {
        return (progress.abandoned > 0).then(|| format!("no checkpoints{abandoned}"));
    };
    Some(format!(
        "{} checkpoints{abandoned} · the last, {}, in {} ms: {} new bytes, {} as they were",
        progress.completed,
        last.epoch,
        last.took.as_millis(),
        last.new_bytes,
        last.reused_bytes
    ))
}
