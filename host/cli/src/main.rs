//! The `volley` tool: parse, run, report.
#![forbid(unsafe_code)]

mod args;
mod output;
mod report;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use args::{BuildArgs, Cli, Command, NewArgs, PluginCommand, WhereArgs};
use clap::Parser;
use output::{print, print_json, print_usage, printable};
use volley_cli::plugin::diff::{self, Verdict};
use volley_cli::plugin::replay::replay;
use volley_cli::plugin::{BuildRequest, build, inspect, new::NewPlugin, where_};
use volley_cli::{Error, doctor, new, plugin};

fn main() -> ExitCode {
    let result = match Cli::try_parse() {
        Ok(cli) => run(cli),
        Err(said) => print_usage(&said).map(|()| ExitCode::from(u8::try_from(said.exit_code()).unwrap_or(2))),
    };
    result.unwrap_or_else(|error| {
        // A reader that has gone away has seen enough: `volley … | head -1` is no failure to talk about.
        if !error.is_broken_pipe() {
            eprintln!("error: {}", printable(&error.to_string()));
        }
        error.exit_code()
    })
}

fn run(cli: Cli) -> Result<ExitCode, Error> {
    match cli.command {
        Command::Doctor { json } => run_doctor(json),
        Command::New { name, dir } => new_pipeline(&name, dir.as_deref()),
        Command::Plugin(PluginCommand::New(args)) => new_plugin(args),
        Command::Plugin(PluginCommand::Build(args)) => build_plugins(args),
        Command::Plugin(PluginCommand::Inspect { file: Some(file), json, .. }) => inspect_plugin(&file, json),
        Command::Plugin(PluginCommand::Inspect { diff, json, .. }) => diff_plugins(&diff, json),
        Command::Plugin(PluginCommand::Where(args)) => find_places(&args),
        Command::Plugin(PluginCommand::Replay(args)) => Ok(ExitCode::from(replay(&args.into())?)),
    }
}

fn run_doctor(json: bool) -> Result<ExitCode, Error> {
    let checks = doctor::examine(&doctor::Facts::gather());
    match json {
        true => print_json(&report::doctor_json(&checks))?,
        false => print(&report::doctor(&checks))?,
    }
    Ok(status(doctor::healthy(&checks)))
}

fn new_pipeline(name: &str, dir: Option<&Path>) -> Result<ExitCode, Error> {
    let files = new::pipeline::create(name, dir)?;
    let folder = dir.unwrap_or(Path::new(name)).display();
    print(&report::created(&files, &[format!("cd {folder}"), "volley-host run pipeline.yaml".to_owned()]))?;
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
    print(&report::created(&files, &next))?;
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
        true => print_json(&report::built_json(&plugins, started.elapsed()))?,
        false => print(&report::built(&plugins, started.elapsed()))?,
    }
    Ok(ExitCode::SUCCESS)
}

fn inspect_plugin(file: &Path, json: bool) -> Result<ExitCode, Error> {
    let told = inspect::inspect(file)?;
    match json {
        true => print_json(&serde_json::to_value(&told).expect("strings and numbers become JSON"))?,
        false => print(&report::inspection(&told))?,
    }
    Ok(status(told.problems.is_empty()))
}

fn diff_plugins(files: &[PathBuf], json: bool) -> Result<ExitCode, Error> {
    let told: Vec<_> = files.iter().map(|file| inspect::inspect(file)).collect();
    let [Ok(old), Ok(new)] = &told[..] else {
        for error in told.iter().filter_map(|told| told.as_ref().err()) {
            eprintln!("error: {}", printable(&error.to_string()));
        }
        return Ok(ExitCode::from(4));
    };
    let difference = diff::diff(old, new);
    match json {
        true => print_json(&serde_json::to_value(&difference).expect("strings become JSON"))?,
        false => print(&report::difference(&difference))?,
    }
    Ok(ExitCode::from(match difference.verdict {
        Verdict::Equal => 0,
        Verdict::Compatible => 1,
        Verdict::Attention => 3,
    }))
}

fn find_places(args: &WhereArgs) -> Result<ExitCode, Error> {
    let offsets = args.offsets.iter().map(|text| where_::parse_offset(text)).collect::<Result<Vec<_>, _>>()?;
    let places = where_::find(&args.file, &offsets, args.debug_build.as_deref())?;
    match args.json {
        true => print_json(&serde_json::to_value(&places).expect("strings and numbers become JSON"))?,
        false => print(&report::places(&places, &std::env::current_dir().unwrap_or_default()))?,
    }
    Ok(ExitCode::SUCCESS)
}

fn status(good: bool) -> ExitCode {
    if good { ExitCode::SUCCESS } else { ExitCode::from(1) }
}
