//! `volley-host`: runs pipelines whose operators are WebAssembly components. This file parses, runs and reports.
#![forbid(unsafe_code)]

mod args;
mod checkpoints;
mod compose;
mod connectors;
#[cfg(unix)]
mod control;
#[cfg(not(unix))]
#[path = "control/absent.rs"]
mod control;
mod downloads;
mod drive;
mod exit;
mod finish;
mod keyed;
mod metrics;
mod output;
mod page;
mod plugins;
mod preview;
mod progress;
mod rates;
mod rebuild;
mod replay;
mod restart;
mod run;
mod single;
mod stops;
mod stored;
mod streams;
mod summary;
mod table;

use std::io::IsTerminal;
use std::num::NonZeroU32;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use serde_json::json;
use tracing_subscriber::EnvFilter;
use volley_api::{Error, ErrorKind, Result};
use volley_config::PipelineSpec;
use volley_runtime::{CheckedPlan, PlanView};
use volley_telemetry::Registry;

use crate::args::{Cli, Command, Host, LookAtSavepoint, Plan, Savepoint, Status, Stop, Validate};
use crate::compose::{Surroundings, check, compose};
use crate::output::{print, tell};
use crate::plugins::Plugins;
use crate::run::{Ending, Overrides};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// How long the process waits at its end for threads that work on files.
const FILES_END_WITHIN: Duration = Duration::from_secs(5);

fn main() -> ExitCode {
    let cli = Cli::parse();
    if let Some(Command::Compile { arguments }) = &cli.command {
        // Alone in its process, and before anything else is started: it limits the process that it is called in.
        return volley_wasm::compile_worker(arguments);
    }
    init_log();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return report(&Err(Error::external("cannot start the runtime").caused_by(error)), false),
    };
    let (outcome, json) = runtime.block_on(execute(&cli));
    // What still works on files ends by itself, and takes staged ones away; nothing else may hold the process back.
    runtime.shutdown_timeout(FILES_END_WITHIN);
    report(&outcome, json)
}

/// Does what was asked; also whether an error should be JSON.
async fn execute(cli: &Cli) -> (Result<Ending>, bool) {
    match &cli.command {
        None => {
            let how = &cli.single.how;
            let outcome = match single::spec(&cli.single) {
                Ok(spec) => run::run(&spec, Path::new(""), &Overrides::default(), how).await,
                Err(error) => Err(error),
            };
            (outcome, how.json)
        }
        Some(Command::Run(run)) => {
            let (parallelism, preview_rows) = (run.parallelism, run.preview);
            let loaded = load(&run.pipeline).and_then(|spec| Ok((spec, run.from.parse()?)));
            let outcome = match loaded {
                Ok((spec, from)) => {
                    let overrides = Overrides { parallelism, preview_rows, control: run.folder.clone(), from };
                    run::run(&spec, folder(&run.pipeline), &overrides, &run.how).await
                }
                Err(error) => Err(error),
            };
            (outcome, run.how.json)
        }
        Some(Command::Status(Status { folder, json })) => {
            (control::status(folder, *json).await.map(|()| Ending::Done), *json)
        }
        Some(Command::Stop(Stop { folder, drain, json })) => {
            (control::stop(folder, *drain, *json).await.map(|()| Ending::Done), *json)
        }
        Some(Command::Checkpoints(command)) => (stored::checkpoints(command, load).await, stored::is_json(command)),
        Some(Command::Savepoint(asked)) => savepoint(asked).await,
        Some(Command::State(asked)) => (state(asked).await, asked.json),
        Some(Command::Replay(asked)) => (replay::replay(asked).await, asked.json),
        Some(Command::Validate(validate)) => (self::validate(validate).await, validate.json),
        Some(Command::Plan(plan)) => (self::plan(plan).await, plan.json),
        Some(Command::Compile { .. }) => (Err(Error::config("this command is done before all others")), false),
        Some(Command::Schema) => {
            (print(&format!("{:#}\n", connectors::pipeline_schema())).map(|()| Ending::Done), false)
        }
    }
}

/// Asks for a savepoint, or looks at one.
async fn savepoint(asked: &Savepoint) -> (Result<Ending>, bool) {
    match asked {
        Savepoint { look: Some(look), .. } => {
            let (LookAtSavepoint::Inspect(at) | LookAtSavepoint::Verify(at)) = look;
            (stored::savepoint(look).await, at.json)
        }
        Savepoint { folder: Some(folder), target: Some(target), timeout, json, .. } => {
            (control::savepoint(folder, target, timeout.0, *json).await.map(|()| Ending::Done), *json)
        }
        Savepoint { json, .. } => {
            (Err(Error::config("write the folder of the job, and where the savepoint goes")), *json)
        }
    }
}

/// Looks at the state of an operator.
async fn state(asked: &args::State) -> Result<Ending> {
    let (spec, plan) = checked(&asked.pipeline, None, asked.host).await?;
    stored::state(asked, &spec, &plan).await
}

async fn validate(validate: &Validate) -> Result<Ending> {
    let view = view(&validate.pipeline, None, validate.host).await?;
    if validate.json {
        print(&format!("{}\n", json!({ "valid": true, "job": view.name, "nodes": view.nodes.len() })))?;
    } else {
        print(&format!("{}: valid, {} nodes\n", validate.pipeline.display(), view.nodes.len()))?;
    }
    Ok(Ending::Done)
}

async fn plan(plan: &Plan) -> Result<Ending> {
    let view = view(&plan.pipeline, plan.parallelism, plan.host).await?;
    if plan.json {
        print(&format!("{:#}\n", json!(view)))?;
    } else {
        print(&view.to_string())?;
    }
    Ok(Ending::Done)
}

fn load(pipeline: &Path) -> Result<PipelineSpec> {
    volley_config::load(pipeline, &connectors::KNOWN)
}

fn folder(pipeline: &Path) -> &Path {
    pipeline.parent().unwrap_or(Path::new(""))
}

/// Checks a pipeline completely and shows its plan.
async fn view(pipeline: &Path, parallelism: Option<NonZeroU32>, host: Host) -> Result<PlanView> {
    Ok(checked(pipeline, parallelism, host).await?.1.chain().view())
}

/// Checks a pipeline completely and gives its plan.
async fn checked(pipeline: &Path, parallelism: Option<NonZeroU32>, host: Host) -> Result<(PipelineSpec, CheckedPlan)> {
    let spec = load(pipeline)?;
    restart::check(&spec)?;
    checkpoints::check(&spec)?;
    let plugins = Plugins::new(host)?;
    let (folder, registry) = (folder(pipeline), Registry::default());
    let around = Surroundings { folder, parallelism, preview_rows: 0, plugins: &plugins, registry: &registry };
    let composed = compose(&spec, &around).await?;
    let plan = check(composed.plan, &spec)?;
    Ok((spec, plan))
}

fn report(outcome: &Result<Ending>, json: bool) -> ExitCode {
    match outcome {
        Ok(Ending::Done) => ExitCode::SUCCESS,
        Ok(Ending::CutShort) => ExitCode::from(exit::INTERRUPTED),
        Ok(Ending::Damaged) => exit::code(ErrorKind::External),
        Ok(Ending::Otherwise) => ExitCode::from(exit::OTHERWISE),
        Err(error) => {
            // Whoever closed the pipe knows; `volley-host … | head` should be as quiet as any filter.
            if error.kind() != ErrorKind::BrokenPipe {
                if json {
                    // What cannot be printed is on standard error all the same.
                    let _ = print(&format!("{}\n", run::error_json(error)));
                }
                tell(&format!("error: {}", error.report()));
            }
            exit::code(error.kind())
        }
    }
}

/// Log lines go to standard error; `VOLLEY_LOG` chooses them (`info`, `volley_wasm=debug`, …). Default: warnings.
fn init_log() {
    let filter = EnvFilter::try_from_env("VOLLEY_LOG").unwrap_or_else(|_| EnvFilter::new("warn"));
    // Whoever reads a file wants no escape codes in it.
    let is_coloured = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|no| no.is_empty());
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(is_coloured)
        .with_writer(std::io::stderr)
        .with_target(false)
        .log_internal_errors(false)
        .init();
}
