//! The `volley` tool: parse, run, report.
#![forbid(unsafe_code)]

mod args;
mod report;

use std::path::Path;
use std::process::ExitCode;
use std::time::Instant;

use args::{BuildArgs, Cli, Command, NewArgs, PluginCommand, WhereArgs};
use clap::Parser;
use volley_cli::plugin::{BuildRequest, build, inspect, new::NewPlugin, where_};
use volley_cli::{Error, doctor, new, plugin};

fn main() -> ExitCode {
    match run(Cli::parse()) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error}");
            error.exit_code()
        }
    }
}

fn run(cli: Cli) -> Result<ExitCode, Error> {
    match cli.command {
        Command::Doctor { json } => Ok(run_doctor(json)),
        Command::New { name, dir } => new_pipeline(&name, dir.as_deref()),
        Command::Plugin(PluginCommand::New(args)) => new_plugin(args),
        Command::Plugin(PluginCommand::Build(args)) => build_plugins(args),
        Command::Plugin(PluginCommand::Inspect { file, json }) => inspect_plugin(&file, json),
        Command::Plugin(PluginCommand::Where(args)) => find_places(&args),
    }
}

fn run_doctor(json: bool) -> ExitCode {
    let checks = doctor::examine(&doctor::Facts::gather());
    match json {
        true => report::print_json(&report::doctor_json(&checks)),
        false => report::print(&report::doctor(&checks)),
    }
    status(doctor::healthy(&checks))
}

fn new_pipeline(name: &str, dir: Option<&Path>) -> Result<ExitCode, Error> {
    let files = new::pipeline::create(name, dir)?;
    let folder = dir.unwrap_or(Path::new(name)).display();
    report::print(&report::created(&files, &[format!("cd {folder}"), "volley-host run pipeline.yaml".to_owned()]));
    Ok(ExitCode::SUCCESS)
}

fn new_plugin(args: NewArgs) -> Result<ExitCode, Error> {
    let folder = args.dir.clone().unwrap_or_else(|| args.name.clone().into());
    let request = NewPlugin { name: args.name.clone(), kind: args.kind.into(), dir: args.dir, sdk: args.sdk };
    let files = plugin::new::create(&request)?;
    let next = [
        format!("cd {}", folder.display()),
        "cargo test             # its function, natively".to_owned(),
        "volley plugin build    # a component for volley-host".to_owned(),
        format!("volley-host --plugin target/volley/{}.wasm --input FILE --output -", args.name),
    ];
    report::print(&report::created(&files, &next));
    Ok(ExitCode::SUCCESS)
}

fn build_plugins(args: BuildArgs) -> Result<ExitCode, Error> {
    let started = Instant::now();
    let plugins = build(&BuildRequest {
        dir: args.dir,
        out: args.out,
        debug_info: args.debug_info,
        offline: args.offline,
        locked: args.locked,
        target_dir: args.target_dir,
    })?;
    match args.json {
        true => report::print_json(&report::built_json(&plugins, started.elapsed())),
        false => report::print(&report::built(&plugins, started.elapsed())),
    }
    Ok(ExitCode::SUCCESS)
}

fn inspect_plugin(file: &Path, json: bool) -> Result<ExitCode, Error> {
    let told = inspect::inspect(file)?;
    match json {
        true => report::print_json(&serde_json::to_value(&told).expect("strings and numbers become JSON")),
        false => report::print(&report::inspection(&told)),
    }
    Ok(status(told.problems.is_empty()))
}

fn find_places(args: &WhereArgs) -> Result<ExitCode, Error> {
    let offsets = args.offsets.iter().map(|text| where_::parse_offset(text)).collect::<Result<Vec<_>, _>>()?;
    let places = where_::find(&args.file, &offsets, args.debug_build.as_deref())?;
    match args.json {
        true => report::print_json(&serde_json::to_value(&places).expect("strings and numbers become JSON")),
        false => report::print(&report::places(&places, &std::env::current_dir().unwrap_or_default())),
    }
    Ok(ExitCode::SUCCESS)
}

fn status(good: bool) -> ExitCode {
    if good { ExitCode::SUCCESS } else { ExitCode::from(1) }
}
