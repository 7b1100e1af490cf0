//! `volley-host state`: what an operator keeps by key, of any checkpoint or savepoint, decoded by the operator itself.
//!
//! Reads only, and takes nothing that a running job has: files of object stores are copied into a temporary folder, those of
//! this machine are read where they are.

mod list;
mod look;
mod rows;
mod scan;
mod shown;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use volley_api::{Error, ErrorKind, Result, StateView};
use volley_checkpoint::manifest::Manifest;
use volley_config::{PipelineSpec, Unknown};
use volley_runtime::CheckedPlan;

use self::look::{Look, StateOf};
use self::scan::Looked;
use crate::args;
use crate::run::Ending;

/// Lists the states of an operator, or shows the rows of one. `plan` is the pipeline's, checked.
pub(crate) async fn state(asked: &args::State, spec: &PipelineSpec, plan: &CheckedPlan) -> Result<Ending> {
    let look = Look::open(asked, spec).await?;
    let views = plan.state_views(&asked.operator)?;
    let manifest = look.manifest();
    let known = known_states(asked, spec, plan, &views, manifest)?;
    let chosen = match &asked.state {
        Some(name) => Some(name),
        None => Some(&known[0]).filter(|_| known.len() == 1),
    };
    if let Some(name) = chosen.filter(|name| !known.contains(name)) {
        let known: Vec<&str> = known.iter().map(String::as_str).collect();
        let of = format!("state of `{}`", asked.operator);
        return Err(Error::config(Unknown::new("state", name, &known).to_string()).within(of));
    }
    if chosen.is_none() && asked.wants_rows() {
        let (operator, known) = (&asked.operator, known.join(", "));
        let message = format!("`{operator}` has several states: name one of {known} behind the operator");
        return Err(Error::config(message));
    }
    let folder = tempfile::Builder::new().prefix("volley-state-").tempdir().map_err(|error| {
        Error::external("cannot make a temporary folder: TMPDIR says where they are made").caused_by(error)
    })?;
    let stop = Arc::new(AtomicBool::new(false));
    let work = work(asked, &look, views, &known, chosen, folder.path(), &stop);
    // The folder goes, whoever ends first.
    let outcome = tokio::select! {
        outcome = work => outcome,
        () = interrupted() => Err(Error::new(ErrorKind::Cancelled, "interrupted")),
    };
    stop.store(true, std::sync::atomic::Ordering::Relaxed);
    outcome
}

/// Loads what is asked for, and shows it.
async fn work(
    asked: &args::State,
    look: &Look,
    views: Vec<StateView>,
    known: &[String],
    chosen: Option<&String>,
    folder: &Path,
    stop: &Arc<AtomicBool>,
) -> Result<Ending> {
    let parts = look.load(&asked.operator, chosen.map(String::as_str), &folder.join("files")).await?;
    let names = chosen.map_or(known, std::slice::from_ref).iter();
    let mut states: Vec<Looked> = Vec::new();
    for name in names {
        let view = views.iter().find(|view| view.name() == name).cloned();
        let parts = parts.get(name).cloned().unwrap_or_default();
        let links = folder.join(format!("state-{}", states.len()));
        states.push(Looked::new(name, view, parts, links, Arc::clone(stop)));
    }
    match (chosen, states.pop()) {
        (Some(_), Some(state)) => rows::show(asked, state).await,
        (_, last) => {
            states.extend(last);
            list::show(asked, look, states).await
        }
    }
}

/// The names of the operator's states, by the plan and by the checkpoint; an error where there are none.
fn known_states(
    asked: &args::State,
    spec: &PipelineSpec,
    plan: &CheckedPlan,
    views: &[StateView],
    manifest: &Manifest,
) -> Result<Vec<String>> {
    let operator = &asked.operator;
    let mut known: Vec<String> = views.iter().map(|view| view.name().to_owned()).collect();
    if let Some(entry) = manifest.operators.get(operator) {
        known.extend(entry.keyed.keys().filter(|name| views.iter().all(|view| view.name() != *name)).cloned());
    }
    if !known.is_empty() {
        return Ok(known);
    }
    let has_some = |name: &str| {
        let in_checkpoint = manifest.operators.get(name).is_some_and(|entry| !entry.keyed.is_empty());
        Ok::<_, Error>(in_checkpoint || !plan.state_views(name)?.is_empty())
    };
    let of_plan = spec.operators.iter().map(|node| node.name.as_str());
    let names = of_plan.chain(manifest.operators.keys().map(String::as_str));
    let mut with_state: Vec<&str> = Vec::new();
    for name in names {
        if !with_state.contains(&name) && has_some(name)? {
            with_state.push(name);
        }
    }
    let sources = spec.sources.iter().map(|node| node.name.as_str());
    let sinks = spec.sinks.iter().map(|node| node.name.as_str());
    let mut nodes = spec.operators.iter().map(|node| node.name.as_str()).chain(sources).chain(sinks);
    let message = if nodes.any(|name| name == operator.as_str()) {
        match &with_state[..] {
            [] => format!("`{operator}` keeps no state, nor does any other operator of the pipeline"),
            _ => format!("`{operator}` keeps no state; those that do: {}", with_state.join(", ")),
        }
    } else {
        Unknown::new("operator", operator, &with_state).to_string()
    };
    Err(Error::config(message))
}

/// Ctrl-C, or a request of the system to end.
async fn interrupted() {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        if let Ok(mut terminate) = signal(SignalKind::terminate()) {
            tokio::select! {
                _ = tokio::signal::ctrl_c() => {}
                _ = terminate.recv() => {}
            }
            return;
        }
    }
    if tokio::signal::ctrl_c().await.is_err() {
        // Signals cannot be caught here, and end the process.
        std::future::pending().await
    }
}

impl StateOf {
    /// As messages and JSON name it.
    fn label(&self) -> String {
        match self {
            Self::Checkpoint { epoch, location } => format!("checkpoint {epoch} of {location}"),
            Self::Savepoint { location, epoch } => format!("savepoint {location}, checkpoint {epoch}"),
        }
    }
}
