//! Runs a pipeline to its end: starts, restarts, progress, requests to stop, summary.

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::json;
use volley_api::{Error, ErrorKind, NodeName, ReadOptions, Result};
use volley_config::PipelineSpec;
use volley_runtime::{JobHandle, JobOptions, JobReport};
use volley_telemetry::{Registry, Server};

use crate::args::How;
use crate::compose::{Surroundings, check, compose};
use crate::control::{Asked, Board, Control, Phase};
use crate::keyed;
use crate::metrics;
use crate::output::{print, tell};
use crate::plugins::Plugins;
use crate::preview::Preview;
use crate::progress::Progress;
use crate::restart::{self, Failure, Restarts};
use crate::stops::{Stop, Stops};
use crate::streams;
use crate::summary;

/// Runs a pipeline and reports what it did.
pub(crate) async fn run(spec: &PipelineSpec, folder: &Path, overrides: &Overrides, how: &How) -> Result<Ending> {
    refuse_json_among_rows(spec, how)?;
    restart::check(spec)?;
    let (plugins, board) = (Plugins::new(how.host)?, Board::new(spec.name.as_str()));
    let mut runner = Runner { spec, folder, overrides, how, plugins, board, page: Registry::default(), open: None };
    let mut restarts = Restarts::new(&spec.restart);
    let (report, previews) = loop {
        let failure = match runner.attempt().await {
            Ok(done) => break done,
            Err(failure) => failure,
        };
        let Some(pause) = restarts.next(&failure) else { return Err(failure.error) };
        let (restart, of) = (restarts.made(), restarts.attempts());
        tracing::warn!(cause = %failure.error.report(), "the job failed: restart {restart} of {of} in {pause:?}");
        runner.wait(pause, failure.error).await?;
    };
    for (name, preview) in &previews {
        if let Some(table) = preview.table() {
            tell(&format!("first rows of {name}:\n{table}\n"));
        }
    }
    if how.json {
        print(&format!("{}\n", json_of(spec, &report)))?;
    }
    if !how.quiet {
        tell(&summary::render(&report));
    }
    Ok(if report.cut_short { Ending::CutShort } else { Ending::Done })
}

/// What stays the same from one start of the job to the next.
struct Runner<'a> {
    spec: &'a PipelineSpec,
    folder: &'a Path,
    overrides: &'a Overrides,
    how: &'a How,
    plugins: Plugins,
    board: Board,
    /// Where the numbers of the present start are.
    page: Registry,
    /// Made by the first start that gets so far.
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
type Done = (JobReport, Vec<(NodeName, Preview)>);

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
        let job = volley_runtime::start(plan, options(self.spec, self.how)).await?;
        metrics::watch(&job, &self.page);
        self.board.started(&job);
        let came_to_commit = job.commit_watcher();
        match watch(job, &mut open.stops, &self.board, self.how).await {
            Ok(report) => Ok((report, composed.previews)),
            Err(error) => Err(Failure { error, came_to_commit: came_to_commit() }),
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
                let message = "the job was stopped before it was started again: nothing was committed";
                Err(Error::new(ErrorKind::Cancelled, message).caused_by(cause))
            }
        }
    }
}

/// How a command that did not fail ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ending {
    /// All was done.
    Done,
    /// It was stopped with input left: the output is not the whole answer.
    CutShort,
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
}

fn options(spec: &PipelineSpec, how: &How) -> JobOptions {
    let mut options = JobOptions { state: keyed::state(&spec.state), ..JobOptions::default() };
    if let Some(interval) = spec.watermark_interval {
        options.watermark_interval = interval.0;
    }
    if let Some(rows) = how.batch_rows.or(spec.batch_rows) {
        let rows = NonZeroUsize::try_from(rows).expect("a usize has 32 bits at least");
        options.read = ReadOptions { batch_rows_max: rows };
    }
    options
}

/// Waits for the end of the job. The first Ctrl-C (or SIGTERM) ends it cleanly, the second breaks it off, the
/// third leaves at once; a request over the control socket says which it means.
async fn watch(job: JobHandle, stops: &mut Stops, board: &Board, how: &How) -> Result<JobReport> {
    let mut progress = Progress::new(how.quiet);
    let mut ticks = tokio::time::interval(progress.interval());
    let mut signals = 0;
    let job_done = job.finished();
    tokio::pin!(job_done);
    loop {
        let stop = tokio::select! {
            () = &mut job_done => break,
            _ = ticks.tick() => {
                progress.show(&job);
                continue;
            }
            stop = stops.next() => stop,
        };
        let asked = match stop {
            Stop::Asked(asked) => asked,
            Stop::Signal => {
                signals += 1;
                match signals {
                    1 => Asked::Drain,
                    2 => Asked::BreakOff,
                    _ => return Err(Error::new(ErrorKind::Cancelled, "left at once: staged output may lie about")),
                }
            }
        };
        match asked {
            // A job that breaks off does not drain any more.
            Asked::Drain if signals >= 2 => {}
            Asked::Drain => {
                job.stop();
                signals = 1;
                board.set(Phase::Draining);
                progress.tell("stopping: what has been read is processed and committed (again to break off)");
            }
            Asked::BreakOff => {
                job.abort();
                signals = 2;
                board.set(Phase::BreakingOff);
                progress.tell("breaking off: what is not committed yet is thrown away (again to leave at once)");
            }
        }
    }
    progress.finish(&job);
    job.wait().await
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

fn json_of(spec: &PipelineSpec, report: &JobReport) -> serde_json::Value {
    json!({
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
