//! `replay`: a call of a plugin that has failed, made again.

use serde_json::{Value, json};
use volley_api::{Error, Result};
use volley_wasm::{ReplayOptions, Replayed};

use crate::args::{Host, Replay};
use crate::output::print;
use crate::plugins::Plugins;
use crate::run::Ending;

/// Digits of a digest that are shown.
const DIGEST_SHOWN: usize = 12;

/// Makes the call again and says what happened.
pub(crate) async fn replay(asked: &Replay) -> Result<Ending> {
    // Nobody is asked, and no code needs to be trusted.
    let plugins = Plugins::new(Host { allow_trusted: false, http_allow_private: false })?;
    let engine = plugins.engine().clone();
    let (bundle, component) = (asked.bundle.clone(), asked.component.clone());
    let options = ReplayOptions { component, allow_other: asked.allow_other };
    // A guest never runs on a thread that drives others' input and output.
    let replayed = tokio::task::spawn_blocking(move || volley_wasm::replay(&engine, &bundle, &options)).await;
    let replayed = replayed.map_err(|error| Error::internal("the replay broke off").caused_by(error))??;
    let text = if asked.json { format!("{:#}\n", in_json(&replayed)) } else { in_words(&replayed) };
    print(&text)?;
    Ok(if replayed.is_same() { Ending::Done } else { Ending::Otherwise })
}

fn in_json(replayed: &Replayed) -> Value {
    let (operator, instance, instances) = &replayed.operator;
    json!({
        "same": replayed.is_same(),
        "operator": operator,
        "instance": instance,
        "instances": instances,
        "function": replayed.function,
        "calls_before": replayed.calls_before,
        "digest": replayed.digest,
        "digest_now": replayed.digest_now,
        "before": replayed.before,
        "now": replayed.now,
        "error": replayed.error,
        "error_now": replayed.error_now,
    })
}

fn in_words(replayed: &Replayed) -> String {
    let (operator, instance, instances) = &replayed.operator;
    let Replayed { function, calls_before, before, now, error, error_now, .. } = replayed;
    let short = |digest: &str| digest.get(..DIGEST_SHOWN).unwrap_or(digest).to_owned();
    let component = match replayed.same_component() {
        true => format!("component {}", short(&replayed.digest)),
        false => format!("component {}, in the job {}", short(&replayed.digest_now), short(&replayed.digest)),
    };
    let verdict = match (replayed.is_same(), error_now) {
        (true, _) => "the same happened again, to the last byte",
        (false, Some(_)) => "something else happened",
        (false, None) => "the call succeeded now",
    };
    let error_now = error_now.as_deref().unwrap_or("none");
    format!(
        "operator `{operator}`, instance {instance} of {instances}: `{function}`, {calls_before} calls before it; {component}\n\
         in the job: {before}\n\
         now:        {now}\n\
         error in the job: {error}\n\
         error now:        {error_now}\n\
         {verdict}\n"
    )
}
