//! Runs a composed job to its end: progress, Ctrl-C, summary.

use std::num::NonZeroUsize;
use std::path::Path;

use serde_json::json;
use tokio::signal;
use volley_api::{Error, ErrorKind, ReadOptions, Result};
use volley_config::PipelineSpec;
use volley_runtime::{JobHandle, JobOptions, JobReport};
use volley_telemetry::Registry;

use crate::args::How;
use crate::compose::{Surroundings, check, compose};
use crate::keyed;
use crate::metrics;
use crate::output::{print, tell};
use crate::plugins::Plugins;
use crate::progress::Progress;
use crate::streams;
use crate::summary;

/// Runs a pipeline and reports what it did.
pub(crate) async fn run(spec: &PipelineSpec, folder: &Path, overrides: &Overrides, how: &How) -> Result<Ending> {
    refuse_json_among_rows(spec, how)?;
    let (plugins, registry) = (Plugins::new(how.host)?, Registry::default());
    let around = Surroundings {
        folder,
        parallelism: overrides.parallelism,
        preview_rows: overrides.preview_rows,
        plugins: &plugins,
        registry: &registry,
    };
    let composed = compose(spec, &around).await?;
    let plan = check(composed.plan, spec)?.chain();
    let _server = match how.metrics {
        Some(address) => Some(metrics::serve(address, &registry).await?),
        None => None,
    };
    // Before anything is staged: a signal that comes in between would leave it there.
    let stop = StopSignals::new()?;
    let job = volley_runtime::start(plan, options(spec, how)).await?;
    metrics::watch(&job, &registry);
    let report = watch(job, stop, how).await?;
    for (name, preview) in &composed.previews {
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
/// third leaves at once.
async fn watch(job: JobHandle, mut stop: StopSignals, how: &How) -> Result<JobReport> {
    let mut progress = Progress::new(how.quiet);
    let mut ticks = tokio::time::interval(progress.interval());
    let mut signals = 0;
    let job_done = job.finished();
    tokio::pin!(job_done);
    loop {
        tokio::select! {
            () = &mut job_done => break,
            _ = ticks.tick() => progress.show(&job),
            () = stop.next() => {
                signals += 1;
                match signals {
                    1 => {
                        job.stop();
                        tell("stopping: what has been read is processed and committed (again to break off)");
                    }
                    2 => {
                        job.abort();
                        tell("breaking off: what is not committed yet is thrown away (again to leave at once)");
                    }
                    _ => return Err(Error::new(ErrorKind::Cancelled, "left at once: staged output may lie about")),
                }
            }
        }
    }
    progress.finish(&job);
    job.wait().await
}

/// Ctrl-C and SIGTERM, caught from the moment that this is made.
struct StopSignals {
    #[cfg(unix)]
    interrupt: signal::unix::Signal,
    #[cfg(unix)]
    terminate: signal::unix::Signal,
}

impl StopSignals {
    fn new() -> Result<Self> {
        #[cfg(unix)]
        {
            use signal::unix::SignalKind;
            let listen = |name: &str, kind| {
                signal::unix::signal(kind)
                    .map_err(|error| Error::external(format!("cannot listen for {name}")).caused_by(error))
            };
            let interrupt = listen("SIGINT", SignalKind::interrupt())?;
            Ok(Self { interrupt, terminate: listen("SIGTERM", SignalKind::terminate())? })
        }
        #[cfg(not(unix))]
        Ok(Self {})
    }

    async fn next(&mut self) {
        #[cfg(unix)]
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
        #[cfg(not(unix))]
        let _ = signal::ctrl_c().await;
    }
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
