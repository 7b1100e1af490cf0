//! State and restart of a job, read from the tree.

use serde::de::DeserializeOwned;

use crate::error::{Findings, Problem};
use crate::fields::Fields;
use crate::job::{
    ATTEMPTS_MAX, CHECKPOINT_KEYS, CheckpointSpec, DELAY_LIMITS, INTERVAL_LIMITS, MIN_PAUSE_LIMITS, PENDING_EPOCHS_MAX,
    RESTART_POLICY_KEYS, RETAIN_LIMITS, RestartSpec, RestartStrategy, STATE_COUNT_MAX, STATE_KEYS, STATE_MEMORY_LIMITS,
    StateBackendKind, StateSpec, TIMEOUT_LIMITS, TOLERABLE_LIMITS,
};
use crate::place::Located;
use crate::section::View;

pub(crate) fn state(view: &View<'_>, findings: &mut Findings) -> Option<StateSpec> {
    let mut fields = Fields::new(view, &STATE_KEYS, findings)?;
    let backend: Option<Located<StateBackendKind>> = located(&mut fields, "backend");
    let location = fields.get("location").filter(|view| !view.node.is_null());
    let location = location.and_then(|view| fields.text(&view));
    let memory = fields.measure("memory", STATE_MEMORY_LIMITS);
    let max_cache_entries = fields.bounded("max_cache_entries", STATE_COUNT_MAX);
    let max_pending_windows = fields.bounded("max_pending_windows", STATE_COUNT_MAX);
    let in_memory = backend.as_ref().is_none_or(|backend| backend.value == StateBackendKind::Memory);
    if let Some(location) = location.as_ref().filter(|_| in_memory) {
        let message = "state in memory has no location: remove it, or choose a `backend` that keeps state on disk";
        fields.findings.push(&location.place, Problem::Value(message.to_owned()));
    }
    Some(StateSpec { backend, location, memory, max_cache_entries, max_pending_windows })
}

pub(crate) fn checkpoint(view: &View<'_>, findings: &mut Findings) -> Option<CheckpointSpec> {
    let mut fields = Fields::new(view, &CHECKPOINT_KEYS, findings)?;
    let location = fields.required("location").and_then(|view| fields.text(&view));
    let interval = fields.measure("interval", INTERVAL_LIMITS);
    let min_pause = fields.measure("min_pause", MIN_PAUSE_LIMITS);
    let timeout = fields.measure("timeout", TIMEOUT_LIMITS);
    let tolerable_failures = fields.measure("tolerable_failures", TOLERABLE_LIMITS);
    let retain = fields.measure("retain", RETAIN_LIMITS);
    let pending_epochs = fields.bounded("pending_epochs", PENDING_EPOCHS_MAX);
    Some(CheckpointSpec {
        location: location?,
        interval,
        min_pause,
        timeout,
        tolerable_failures,
        retain,
        pending_epochs,
    })
}

pub(crate) fn restart(view: &View<'_>, findings: &mut Findings) -> Option<RestartSpec> {
    let mut fields = Fields::new(view, &RESTART_POLICY_KEYS, findings)?;
    let strategy: Option<Located<RestartStrategy>> = located(&mut fields, "strategy");
    let attempts = fields.bounded("attempts", ATTEMPTS_MAX);
    let delay = fields.measure("delay", DELAY_LIMITS);
    let max_delay = fields.measure("max_delay", DELAY_LIMITS);
    let chosen = strategy.as_ref().map_or(RestartStrategy::None, |strategy| strategy.value);
    let unused: &[&str] = match chosen {
        RestartStrategy::None => &RESTART_POLICY_KEYS[1..],
        RestartStrategy::FixedDelay => &RESTART_POLICY_KEYS[3..],
        RestartStrategy::Exponential => &[],
    };
    // With a strategy that could not be read, nothing is known of what goes with it.
    let unused = if strategy.is_some() || fields.get("strategy").is_none() { unused } else { &[] };
    for key in unused {
        let Some(view) = fields.get(key) else { continue };
        let message = match chosen {
            RestartStrategy::FixedDelay => format!("`{key}` goes with `strategy: exponential`"),
            _ => format!("`{key}` goes with `strategy: fixed_delay` or `strategy: exponential`"),
        };
        fields.findings.push(&fields.view.place.at(view.owner.position), Problem::Value(message));
    }
    if let (Some(delay), Some(max_delay)) = (delay, max_delay)
        && max_delay < delay
    {
        let message = format!("`{max_delay}` is less than the first pause, `delay: {delay}`");
        let place = fields.get("max_delay")?.place;
        fields.findings.push(&place, Problem::Value(message));
    }
    Some(RestartSpec { strategy, attempts, delay, max_delay })
}

/// A value with its place; none when nothing stands there.
fn located<T: DeserializeOwned>(fields: &mut Fields<'_, '_>, key: &str) -> Option<Located<T>> {
    let view = fields.get(key).filter(|view| !view.node.is_null())?;
    fields.findings.note(view.located())
}
