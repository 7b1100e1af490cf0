//! The exported interfaces, over the runners.

use super::bindings::{filter, flat_map, imports, lifecycle, map};
use super::memory::{Call, lend};
use super::panic::install_hook;
use crate::runner::{Answer, Bound, FilterRunner, FlatMapRunner, MapRunner, RejectedRows, Runner};
use crate::{
    Determinism, EmitError, Failure, FilterOperator, FlatMapOperator, MapOperator, NullHandling, OpenError, WriteMode,
    wire,
};

use imports::volley::operator::emitter::{self, EmitError as Refused};
use imports::volley::operator::types::{Failure as WitFailure, Reject as WitReject};
use lifecycle::exports::volley::operator::lifecycle as wit;

/// Where the one operator of a component lives; `export_…!` implements it.
pub trait Slot: 'static {
    /// The operator between messages.
    type Runner: Runner;
    /// Its name, `[a-z][a-z0-9_-]*`.
    const NAME: &'static str;
    /// Its version.
    const VERSION: &'static str;

    /// Gives access to the operator.
    fn with<R>(f: impl FnOnce(&mut Holder<Self::Runner>) -> R) -> R;
}

/// An operator that may be open.
pub struct Holder<R>(Option<R>);

impl<R: Runner> Holder<R> {
    /// Not open.
    pub const fn new() -> Self {
        Self(None)
    }

    pub(super) fn runner(&mut self) -> Result<&mut R, WitFailure> {
        self.0.as_mut().ok_or_else(|| WitFailure::Fatal("called before a successful `open`".to_owned()))
    }
}

impl<S: Slot> wit::Guest for S {
    fn describe() -> wit::Description {
        let _call = Call::begin();
        install_hook();
        wit::Description {
            name: S::NAME.to_owned(),
            version: S::VERSION.to_owned(),
            determinism: match S::Runner::DETERMINISM {
                Determinism::Deterministic => wit::Determinism::Deterministic,
                Determinism::Replayable => wit::Determinism::Replayable,
                Determinism::Nondeterministic => wit::Determinism::Nondeterministic,
            },
            states: S::Runner::wit_states(),
        }
    }

    fn open(config: String, input: wit::Input) -> Result<wit::Binding, wit::OpenError> {
        let _call = Call::begin();
        install_hook();
        let runner = {
            let event_time =
                input.event_time.map(|time| crate::EventTime { column: time.name, offset_ms: time.offset_ms });
            S::Runner::open_keyed(&config, &input.schema, input.keys, event_time)
        }
        .map_err(refused)?;
        let binding = binding(runner.bound(), S::Runner::NULLS).map_err(refused)?;
        S::with(|holder| holder.0 = Some(runner));
        Ok(binding)
    }

    fn close() {
        let _call = Call::begin();
        S::with(|holder| {
            if let Some(mut runner) = holder.0.take() {
                runner.close();
            }
        });
    }
}

#[cold]
#[inline(never)]
fn refused(error: OpenError) -> wit::OpenError {
    match error {
        OpenError::InvalidConfig(message) => wit::OpenError::InvalidConfig(message),
        OpenError::InvalidInput(message) => wit::OpenError::InvalidInput(message),
        OpenError::Failed(message) => wit::OpenError::Failed(message),
    }
}

#[inline(never)]
fn binding(bound: &Bound, nulls: Option<NullHandling>) -> Result<wit::Binding, OpenError> {
    let mut outputs = Vec::new();
    for (port, crossing) in bound.binding.ports.iter().zip(&bound.wires) {
        let schema = wire::write_schema(&crossing.schema)
            .map_err(|error| OpenError::Failed(format!("port `{}`: {error}", port.name)))?;
        outputs.push(wit::OutputPort {
            name: port.name.clone(),
            schema,
            writes: match port.writes {
                WriteMode::Append => wit::WriteMode::Append,
                WriteMode::Replace => wit::WriteMode::Replace,
                WriteMode::Keyed => wit::WriteMode::Keyed,
            },
        });
    }
    // The particulars of one world: nobody is of two.
    let (keys, state) = (&bound.binding.keys, &bound.binding.state);
    let mut particulars = (!keys.is_empty()).then(|| wit::Particulars::Process(keys.clone()));
    if !state.is_empty() {
        let state = wire::write_schema(&state.unpacked());
        let state = state.map_err(|error| OpenError::Failed(format!("the columns of the state: {error}")))?;
        particulars = Some(wit::Particulars::Aggregate(state));
    }
    if let Some(nulls) = nulls {
        particulars = Some(wit::Particulars::Scalar(match nulls {
            NullHandling::Propagate => wit::NullHandling::Propagate,
            NullHandling::See => wit::NullHandling::See,
        }));
    }
    Ok(wit::Binding { reads: bound.binding.reads.clone(), outputs, particulars })
}

#[cold]
#[inline(never)]
pub(super) fn failure(failure: Failure) -> WitFailure {
    match failure {
        Failure::RejectBatch(message) => WitFailure::RejectBatch(message),
        Failure::Retry(after_ms) => WitFailure::Retry(after_ms),
        Failure::Fatal(message) => WitFailure::Fatal(message),
    }
}

#[inline(never)]
pub(super) fn rejects(rejected: RejectedRows) -> Vec<WitReject> {
    let reject = |(row, why): (u32, crate::Reject)| WitReject { row, code: why.code, message: why.message };
    rejected.into_iter().map(reject).collect()
}

impl<Op: MapOperator, S: Slot<Runner = MapRunner<Op>>> map::exports::volley::operator::map::Guest for S {
    fn map(batch: Vec<u8>) -> Result<map::exports::volley::operator::map::Mapped, WitFailure> {
        let _call = Call::begin();
        S::with(|holder| {
            let (answer, rejected) = holder.runner()?.map(&batch).map_err(failure)?;
            let columns = match answer {
                Answer::Same => batch,
                Answer::Written(message) => lend(message),
            };
            Ok(map::exports::volley::operator::map::Mapped { columns, rejects: rejects(rejected) })
        })
    }
}

impl<Op: FilterOperator, S: Slot<Runner = FilterRunner<Op>>> filter::exports::volley::operator::filter::Guest for S {
    fn filter(batch: Vec<u8>) -> Result<filter::exports::volley::operator::filter::Filtered, WitFailure> {
        let _call = Call::begin();
        S::with(|holder| {
            let (keep, rejected) = holder.runner()?.filter(&batch).map_err(failure)?;
            let keep = lend(keep);
            Ok(filter::exports::volley::operator::filter::Filtered { keep, rejects: rejects(rejected) })
        })
    }
}

impl<Op: FlatMapOperator, S: Slot<Runner = FlatMapRunner<Op>>> flat_map::exports::volley::operator::flat_map::Guest
    for S
{
    fn flat_map(batch: Vec<u8>) -> Result<Vec<WitReject>, WitFailure> {
        let _call = Call::begin();
        let rejected = S::with(|holder| holder.runner()?.flat_map(&batch, &mut emit).map_err(failure))?;
        Ok(rejects(rejected))
    }
}

/// Hands rows to the host.
#[inline(never)]
pub(super) fn emit(port: u32, parents: &[u32], message: &[u8]) -> Result<(), EmitError> {
    emitter::emit(port, parents, message).map_err(|error| match error {
        Refused::UnknownPort(port) => EmitError::UnknownPort(format!("{port}")),
        Refused::InvalidBatch(message) => EmitError::InvalidBatch(message),
        Refused::LimitExceeded(message) => EmitError::LimitExceeded(message),
    })
}
