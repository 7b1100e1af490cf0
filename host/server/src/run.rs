//! Runs a pipeline to its end: starts, restarts, progress, requests to stop, summary.

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::json;
use volley_api::{Error, ErrorKind, NodeName, ReadOptions, Result, StateBackend};
use volley_checkpoint::coordinator::CheckpointProgress;
use volley_config::PipelineSpec;
use volley_runtime::{JobOptions, JobProgress, JobReport, ListedPlan};
use volley_telemetry::{Registry, Server};

use crate::args::How;
use crate::checkpoints::{self, From, Prepared};
use crate::compose::{Surroundings, check, compose};
use crate::control::{Board, Control, Phase};
use crate::drive::drive;
use crate::finish;
use crate::keyed;
use crate::metrics;
use crate::output::{print, tell};
use crate::plugins::Plugins;
use crate::preview::Preview;
use crate::restart::{self, Failure, Restarts};
use crate::stops::Stops;
use crate::streams;
use crate::summary;

/// Runs a pipeline and reports what it did.
pub(crate) async fn run(spec: &PipelineSpec, folder: &Path, overrides: &Overrides, how: &How) -> Result<Ending> {
    refuse_json_among_rows(spec, how)?;
    restart::check(spec)?;
    checkpoints::check(spec)?;
    let from = overrides.from.clone();
    if spec.checkpoint.is_none() && from.is_chosen() {
        return Err(Error::config(
            "--from, --fresh and --accept-duplicates are for pipelines with `checkpoint`: add it",
        ));
    }
    let plugins = Plugins::new(how.host)?.keeping_failed(how.repro.as_deref())?;
    let board = Board::new(spec.name.as_str(), spec.checkpoint.is_some());
    let page = Registry::default();
    let mut runner = Runner { spec, folder, overrides, how, from, plugins, board, page, state: None, open: None };
    let mut restarts = Restarts::new(&spec.restart);
    let done = loop {
        let failure = match runner.attempt().await {
            Ok(done) => break Ok(done),
            Err(failure) => failure,
        };
        let Some(pause) = restarts.next(&failure) else { break Err(failure.error) };
        let (restart, of) = (restarts.made(), restarts.attempts());
        tracing::warn!(cause = %failure.error.report(), "the job failed: restart {restart} of {of} in {pause:?}");
        if let Err(stopped) = runner.wait(pause, failure.error).await {
            break Err(stopped);
        }
    };
    if let Some(open) = &runner.open {
        open.stops.settle().await;
    }
    let Done { report, previews, checkpoints: taken } = done?;
    for (name, preview) in &previews {
        if let Some(table) = preview.table() {
            tell(&format!("first rows of {name}:\n{table}\n"));
        }
    }
    if how.json {
        print(&format!("{}\n", json_of(spec, &report, taken.as_ref())))?;
    }
    if !how.quiet && !report.progress.nodes.is_empty() {
        tell(&summary::render(&report));
        if let Some(line) = taken.as_ref().and_then(checkpoints::line) {
            tell(&line);
        }
    }
    Ok(if report.cut_short { Ending::CutShort } else { Ending::Done })
}

/// What stays the same from one start of the job to the next.
struct Runner<'a> {
    spec: &'a PipelineSpec,
    folder: &'a Path,
    overrides: &'a Overrides,
    how: &'a How,
    /// What the next start goes on from.
    from: From,
    plugins: Plugins,
    board: Board,
    /// Where the numbers of the present start are.
    page: Registry,
    /// Made by the first start that gets so far. Its folder stays taken, so that no other process comes in between starts.
    state: Option<Arc<dyn StateBackend>>,
    /// Likewise.
    open: Option<Open>,
}

/// What is open to the outside.
struct Open {
    stops: Stops,
    _server: Option<Server>,
    /// Shows the page of the present start: its counters begin at zero, as those of a fresh process.
    shown: metrics::Shown,
}

/// The end of a job that was brought to it.
struct Done {
    report: JobReport,
    previews: Vec<(NodeName, Preview)>,
    /// How checkpoints went, where it took any.
    checkpoints: Option<CheckpointProgress>,
}

impl Done {
    /// Of a start in which no task ran.
    fn nothing() -> Self {
        let progress = JobProgress { nodes: Vec::new() };
        let report = JobReport { progress, elapsed: Duration::ZERO, stopped_early: false, cut_short: false };
        Self { report, previews: Vec::new(), checkpoints: None }
    }
}

impl Runner<'_> {
    /// Puts the job together and runs it once.
    async fn attempt(&mut self) -> std::result::Result<Done, Failure> {
        self.board.set(Phase::Starting);
        self.page = Registry::default();
        let composed = compose(self.spec, &self.surroundings()).await?;
        let plan = check(composed.plan, self.spec)?.chain();
        let open = match self.open.take() {
            Some(open) => open,
            None => self.open_up().await?,
        };
        open.shown.show(&self.page);
        // What was opened stays open, however the start ends.
        let open = self.open.insert(open);
        let state = match &self.state {
            Some(state) => state,
            None => self.state.insert(keyed::state(self.spec, self.folder)?),
        };
        let mut options = options(self.spec, Arc::clone(state), self.how);
        let listed = ListedPlan::of(plan).await?;
        let ready = match &self.spec.checkpoint {
            None => None,
            Some(checkpoint) => {
                let prepared = checkpoints::prepare(self.spec, checkpoint, self.folder, &self.from, &listed, &options);
                let prepared = tokio::select! {
                    prepared = prepared => prepared?,
                    _ = open.stops.next() => return Err(stopped_before_its_start().into()),
                };
                match prepared {
                    Prepared::Run(ready) => Some(ready),
                    Prepared::Finish(finishing) => {
                        finish::finish(*finishing, listed.plan(), &mut open.stops, self.how).await?;
                        return Ok(Done::nothing());
                    }
                }
            }
        };
        options.epochs = ready.as_ref().map(|ready| ready.epochs());
        if let Some(told) = ready.as_ref().and_then(|ready| ready.told()).filter(|_| !self.how.quiet) {
            tell(&told);
        }
        let job = listed.start(options).await?;
        let began = Instant::now();
        metrics::watch(&job, &self.page);
        self.board.started(&job);
        let came_to_commit = job.commit_watcher();
        let running = match ready {
            Some(ready) => match ready.start(Arc::new(job.control())).await {
                Ok(running) => Some(running),
                Err(error) => {
                    // Nobody drives its checkpoints: it must not run on beside the next start.
                    job.abort();
                    drop(job.wait().await);
                    return Err(error.into());
                }
            },
            None => None,
        };
        let asker = running.as_ref().map(|running| running.asker.clone());
        if let Some(asker) = &asker {
            metrics::watch_checkpoints(asker.clone(), &self.page);
        }
        self.board.checkpoints(asker.clone());
        let outcome = drive(job, running, &mut open.stops, &self.board, self.how).await;
        let taken = asker.map(|asker| asker.progress());
        // A restart goes on from the job's own checkpoints; until there is one, from the savepoint that this start had.
        let has_own = taken.as_ref().is_some_and(|taken| taken.completed > 0);
        self.from = std::mem::take(&mut self.from).after_a_start(has_own);
        match outcome {
            Ok(report) => Ok(Done { report, previews: composed.previews, checkpoints: taken }),
            Err(error) => {
                // What was committed belongs to a checkpoint, from which a restart goes on.
                let came_to_commit = self.spec.checkpoint.is_none() && came_to_commit();
                Err(Failure { error, ran: began.elapsed(), came_to_commit })
            }
        }
    }

    fn surroundings(&self) -> Surroundings<'_> {
        Surroundings {
            folder: self.folder,
            parallelism: self.overrides.parallelism,
            preview_rows: self.overrides.preview_rows,
            plugins: &self.plugins,
            registry: &self.page,
        }
    }

    /// Opens the page of metrics and the control socket, where they are wanted. Signals are caught from here on, before
    /// anything is staged: one that comes in between would leave it there.
    async fn open_up(&self) -> Result<Open> {
        let (shown, registry) = metrics::Shown::new();
        let server = match self.how.metrics {
            Some(address) => Some(metrics::serve(address, &registry).await?),
            None => None,
        };
        let control = match &self.overrides.control {
            Some(folder) => Some(Control::listen(folder, self.board.clone()).await?),
            None => None,
        };
        Ok(Open { stops: Stops::new(control)?, _server: server, shown })
    }

    /// Waits until the next start; whoever asks the job to end meanwhile ends it here.
    async fn wait(&mut self, pause: Duration, cause: Error) -> Result<()> {
        self.board.set(Phase::Waiting);
        let stopped = async {
            match &mut self.open {
                Some(open) => drop(open.stops.next().await),
                // Signals are not caught yet, and end the process.
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = tokio::time::sleep(pause) => Ok(()),
            () = stopped => {
                let message = match &self.spec.checkpoint {
                    None => "the job was stopped before it was started again: nothing was committed",
                    Some(_) => {
                        "the job was stopped before it was started again: the next run goes on from its last checkpoint"
                    }
                };
                Err(Error::new(ErrorKind::Cancelled, message).caused_by(cause))
            }
        }
    }
}

/// Reading a large state, or rebuilding a damaged checkpoint, takes its time: what a start has not come to the end of, the
/// next one does.
fn stopped_before_its_start() -> Error {
    Error::new(ErrorKind::Cancelled, "the job was stopped before it ran: the next run goes on from its last checkpoint")
}

/// How a command that did not fail ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ending {
    /// All was done.
    Done,
    /// It was stopped with input left: the output is not the whole answer.
    CutShort,
    /// What was looked at is not as it was written; it has been said what.
    Damaged,
    /// A call that was made again came out otherwise; it has been said how.
    Otherwise,
}

/// What a command line may say against the pipeline file.
#[derive(Debug, Default)]
pub(crate) struct Overrides {
    /// Takes the place of the pipeline's parallelism.
    pub(crate) parallelism: Option<std::num::NonZeroU32>,
    /// How many rows of each sink to show at the end.
    pub(crate) preview_rows: usize,
    /// The folder whose control socket the job listens on.
    pub(crate) control: Option<PathBuf>,
    /// What the job goes on from.
    pub(crate) from: From,
}

fn options(spec: &PipelineSpec, state: Arc<dyn StateBackend>, how: &How) -> JobOptions {
    let mut options = JobOptions { state, ..JobOptions::default() };
    if let Some(interval) = spec.watermark_interval {
        options.watermark_interval = interval.0;
    }
    if let Some(rows) = how.batch_rows.or(spec.batch_rows) {
        let rows = NonZeroUsize::try_from(rows).expect("a usize has 32 bits at least");
        options.read = ReadOptions { batch_rows_max: rows };
    }
    options
}

/// Rows and a JSON summary on one standard output would be neither.
fn refuse_json_among_rows(spec: &PipelineSpec, how: &How) -> Result<()> {
    match spec.sinks.iter().find(|sink| streams::is_stream(&sink.connector)) {
        Some(sink) if how.json => Err(Error::config(format!(
            "--json prints the summary on standard output, but `{}` writes its rows there: give one of them a file",
            *sink.name
        ))),
        _ => Ok(()),
    }
}

fn json_of(spec: &PipelineSpec, report: &JobReport, taken: Option<&CheckpointProgress>) -> serde_json::Value {
    json!({
        "checkpoints": taken.map(|taken| json!({
            "completed": taken.completed,
            "abandoned": taken.abandoned,
            "last": taken.last.as_ref().map(|last| last.epoch.0),
            "waiting_commits": taken.waiting,
        })),
        "job": spec.name.as_str(),
        "rows_in": report.progress.rows_read(),
        "rows_out": report.progress.rows_written(),
        "rows_rejected": report.progress.rows_rejected(),
        "rows_late": report.progress.rows_late(),
        "windows_pending": report.progress.windows_pending(),
        "elapsed_ms": u64::try_from(report.elapsed.as_millis()).unwrap_or(u64::MAX),
        "rows_per_second": summary::per_second(report.progress.rows_read(), report.elapsed),
        "stopped_early": report.stopped_early,
        "cut_short": report.cut_short,
        "nodes": report.progress.nodes,
    })
}

/// An error as JSON, for scripts.
pub(crate) fn error_json(error: &Error) -> serde_json::Value {
    json!({ "error": { "kind": error.kind().as_str(), "retryable": error.is_retryable(), "message": error.report() } })
}
