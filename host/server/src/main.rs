//! `volley-host`: runs pipelines whose operators are WebAssembly components. This file parses, runs and reports.
#![forbid(unsafe_code)]

mod args;
mod compose;
mod connectors;
mod exit;
mod page;
mod plugins;
mod preview;
mod progress;
mod run;
mod single;
mod summary;

use std::path::Path;
use std::process::ExitCode;

use clap::Parser;
use serde_json::json;
use tracing_subscriber::EnvFilter;
use volley_api::{Error, Result};
use volley_config::PipelineSpec;
use volley_runtime::PlanView;

use crate::args::{Cli, Command};
use crate::compose::{Surroundings, compose};
use crate::plugins::Plugins;
use crate::run::Overrides;

fn main() -> ExitCode {
    let cli = Cli::parse();
    init_log();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return report(&Err(Error::external("cannot start the runtime").caused_by(error)), false),
    };
    let (outcome, json) = runtime.block_on(execute(&cli));
    // A reader that waits on standard input would hold the process back.
    runtime.shutdown_background();
    report(&outcome, json)
}

async fn execute(cli: &Cli) -> (Result<()>, bool) {
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
            let overrides = Overrides { parallelism: run.parallelism, preview_rows: run.preview };
            let outcome = match load(&run.pipeline) {
                Ok(spec) => run::run(&spec, folder(&run.pipeline), &overrides, &run.how).await,
                Err(error) => Err(error),
            };
            (outcome, run.how.json)
        }
        Some(Command::Validate(validate)) => {
            let outcome = view(&validate.pipeline, None).await.map(|view| {
                if validate.json {
                    println!("{}", json!({ "valid": true, "job": view.name, "nodes": view.nodes.len() }));
                } else {
                    println!("{}: valid, {} nodes", validate.pipeline.display(), view.nodes.len());
                }
            });
            (outcome, validate.json)
        }
        Some(Command::Plan(plan)) => {
            let outcome = view(&plan.pipeline, plan.parallelism).await.map(|view| {
                if plan.json {
                    println!("{:#}", json!(view));
                } else {
                    print!("{view}");
                }
            });
            (outcome, plan.json)
        }
        Some(Command::Schema) => {
            println!("{:#}", connectors::pipeline_schema());
            (Ok(()), false)
        }
    }
}

fn load(pipeline: &Path) -> Result<PipelineSpec> {
    volley_config::load(pipeline, &connectors::KNOWN)
}

fn folder(pipeline: &Path) -> &Path {
    pipeline.parent().unwrap_or(Path::new(""))
}

/// Checks a pipeline completely and gives its plan.
async fn view(pipeline: &Path, parallelism: Option<std::num::NonZeroU32>) -> Result<PlanView> {
    let spec = load(pipeline)?;
    let plugins = Plugins::new()?;
    let around = Surroundings { folder: folder(pipeline), parallelism, preview_rows: 0, plugins: &plugins };
    let composed = compose(&spec, &around).await?;
    Ok(composed.plan.check()?.chain()?.view())
}

fn report(outcome: &Result<()>, json: bool) -> ExitCode {
    if let Err(error) = outcome {
        if json {
            println!("{}", run::error_json(error));
        }
        eprintln!("error: {}", error.report());
    }
    run::exit_code(outcome)
}

/// Log lines go to standard error; `VOLLEY_LOG` chooses them (`info`, `volley_wasm=debug`, …). Default: warnings.
fn init_log() {
    let filter = EnvFilter::try_from_env("VOLLEY_LOG").unwrap_or_else(|_| EnvFilter::new("warn"));
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_target(false).init();
}
