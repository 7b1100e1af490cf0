//! The export `process`, and the imports that it stands on.

use super::bindings::{imports, lifecycle, process};
use super::exports::{Slot, answered, emit, failure};
use super::memory::Call;
use crate::process::{ProcessOperator, TimeDomain, Timer, Watermark};
use crate::runner::ProcessRunner;
use crate::state::{Found, FoundEntries, Host, MergeFunction, StateDeclaration, StateError, StateKind};
use crate::wire;

use imports::volley::operator::state::{self, StateError as Refused};
use imports::volley::operator::timers::{self, TimeDomain as WitDomain, Timer as WitTimer, TimerError};
use imports::volley::operator::types::{Failure as WitFailure, Reject as WitReject};
use lifecycle::exports::volley::operator::lifecycle as wit;
use process::exports::volley::operator::process as exported;

/// The host's state and timers.
struct Imported;

/// What a refused call of the host says.
#[cold]
#[inline(never)]
fn refused(what: &str, message: String) -> StateError {
    StateError(format!("{what}: {message}"))
}

#[cold]
#[inline(never)]
fn state_error(error: Refused) -> StateError {
    match error {
        Refused::UnknownState(state) => refused("no such state", format!("{state}")),
        Refused::UnknownGroup(group) => refused("not a key of this call", format!("{group}")),
        Refused::WrongKind(message)
        | Refused::InvalidBatch(message)
        | Refused::LimitExceeded(message)
        | Refused::Unavailable(message) => refused("state was refused", message),
    }
}

fn found(found: state::Found) -> Found {
    (found.present, found.values)
}

impl Host for Imported {
    fn get(&mut self, state: u32, groups: &[u32]) -> Result<Found, StateError> {
        state::get(state, groups).map(found).map_err(state_error)
    }

    fn put(&mut self, state: u32, groups: &[u32], values: &[u8]) -> Result<(), StateError> {
        state::put(state, groups, values).map_err(state_error)
    }

    fn remove(&mut self, state: u32, groups: &[u32]) -> Result<(), StateError> {
        state::remove(state, groups).map_err(state_error)
    }

    fn merge(&mut self, state: u32, groups: &[u32], values: &[u8]) -> Result<(), StateError> {
        state::merge(state, groups, values).map_err(state_error)
    }

    fn map_get(&mut self, state: u32, groups: &[u32], map_keys: &[u8]) -> Result<Found, StateError> {
        state::map_get(state, groups, map_keys).map(found).map_err(state_error)
    }

    fn map_put(&mut self, state: u32, groups: &[u32], map_keys: &[u8], values: &[u8]) -> Result<(), StateError> {
        state::map_put(state, groups, map_keys, values).map_err(state_error)
    }

    fn map_remove(&mut self, state: u32, groups: &[u32], map_keys: &[u8]) -> Result<(), StateError> {
        state::map_remove(state, groups, map_keys).map_err(state_error)
    }

    fn entries(&mut self, state: u32, groups: &[u32]) -> Result<FoundEntries, StateError> {
        let entries = state::get_entries(state, groups).map_err(state_error)?;
        Ok((entries.groups, entries.map_keys, entries.values))
    }

    fn append(&mut self, state: u32, groups: &[u32], values: &[u8]) -> Result<(), StateError> {
        state::append(state, groups, values).map_err(state_error)
    }

    fn key_groups(&mut self, groups: &[u32]) -> Result<Vec<u8>, StateError> {
        state::key_groups(groups).map_err(state_error)
    }

    fn change_timers(&mut self, timers: &[Timer], register: bool) -> Result<(), StateError> {
        let timer = |timer: &Timer| WitTimer {
            group: timer.group,
            at_ms: timer.at_ms,
            domain: match timer.domain {
                TimeDomain::EventTime => WitDomain::EventTime,
                TimeDomain::ProcessingTime => WitDomain::ProcessingTime,
            },
            tag: timer.tag,
        };
        let timers: Vec<WitTimer> = timers.iter().map(timer).collect();
        let changed = if register { timers::register(&timers) } else { timers::delete(&timers) };
        changed.map_err(|error| match error {
            TimerError::UnknownGroup(group) => refused("not a key of this call", format!("{group}")),
            TimerError::OutOfRange(message) | TimerError::LimitExceeded(message) => {
                refused("timers were refused", message)
            }
        })
    }
}

impl<Op: ProcessOperator, S: Slot<Runner = ProcessRunner<Op>>> exported::Guest for S {
    fn process(
        keys: Option<exported::NewKeys>,
        groups: Vec<u32>,
        batch: Vec<u8>,
    ) -> Result<Vec<WitReject>, WitFailure> {
        let _call = Call::begin();
        let keys = keys.as_ref().map(|keys| (keys.first, &keys.columns[..]));
        answered(S::with(|holder| holder.runner()?.process(keys, &groups, &batch, &mut Imported, &mut emit)))
    }

    fn on_timers(keys: Option<exported::NewKeys>, timers: Vec<WitTimer>) -> Result<(), WitFailure> {
        let _call = Call::begin();
        let keys = keys.as_ref().map(|keys| (keys.first, &keys.columns[..]));
        let timer = |timer: &WitTimer| Timer {
            group: timer.group,
            at_ms: timer.at_ms,
            domain: match timer.domain {
                WitDomain::EventTime => TimeDomain::EventTime,
                WitDomain::ProcessingTime => TimeDomain::ProcessingTime,
            },
            tag: timer.tag,
        };
        let timers: Vec<Timer> = timers.iter().map(timer).collect();
        S::with(|holder| holder.runner()?.on_timers(keys, &timers, &mut Imported, &mut emit)).map_err(failure)
    }

    fn on_watermark(watermark: exported::Watermark) -> Result<(), WitFailure> {
        let _call = Call::begin();
        let watermark = match watermark {
            exported::Watermark::AtMs(at_ms) => Watermark::AtMs(at_ms),
            exported::Watermark::End => Watermark::End,
        };
        S::with(|holder| holder.runner()?.on_watermark(watermark, &mut emit)).map_err(failure)
    }

    fn forget() {
        let _call = Call::begin();
        S::with(|holder| {
            if let Ok(runner) = holder.runner() {
                runner.forget();
            }
        });
    }
}

/// Declared states as `describe` gives them.
pub(crate) fn wit_states(states: Vec<StateDeclaration>) -> Vec<wit::StateDeclaration> {
    let function = |function: &MergeFunction| match function {
        MergeFunction::Sum => wit::MergeFunction::Sum,
        MergeFunction::Min => wit::MergeFunction::Min,
        MergeFunction::Max => wit::MergeFunction::Max,
    };
    // A type that this SDK cannot write is refused by the host as no schema, and by `open` by name.
    let schema = |schema: &crate::Schema| wire::write_schema(&schema.unpacked()).unwrap_or_default();
    let state = |state: StateDeclaration| wit::StateDeclaration {
        kind: match &state.kind {
            StateKind::Value => wit::StateKind::Value,
            StateKind::Map => wit::StateKind::Map,
            StateKind::List => wit::StateKind::List,
            StateKind::Merge(functions) => wit::StateKind::Merge(functions.iter().map(function).collect()),
        },
        map_keys: state.map_keys.as_ref().map(schema),
        values: schema(&state.values),
        version: state.version,
        ttl_ms: state.ttl_ms,
        name: state.name,
    };
    states.into_iter().map(state).collect()
}
