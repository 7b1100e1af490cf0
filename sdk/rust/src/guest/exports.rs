//! The exported interfaces, over the runners.

use super::bindings::{filter, flat_map, imports, lifecycle, map};
use super::memory::{Call, lend};
use crate::runner::{Answer, FilterRunner, FlatMapRunner, MapRunner, RejectedRows, Runner};
use crate::{EmitError, Failure, FilterOperator, FlatMapOperator, MapOperator, OpenError};

use std::mem::ManuallyDrop;

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

/// An operator that may be open. It is never dropped, since the component ends with it: so nobody has code for that.
pub struct Holder<R>(Option<ManuallyDrop<R>>);

impl<R: Runner> Holder<R> {
    /// Not open.
    pub const fn new() -> Self {
        Self(None)
    }

    pub(super) fn runner(&mut self) -> Result<&mut R, Failure> {
        self.0.as_deref_mut().ok_or_else(not_open)
    }

    pub(super) fn hold(&mut self, runner: ManuallyDrop<R>) {
        self.0 = Some(runner);
    }

    pub(super) fn let_go(&mut self) {
        self.0 = None;
    }
}

#[cold]
#[inline(never)]
fn not_open() -> Failure {
    Failure::Fatal("called before a successful `open`".to_owned())
}

#[cold]
#[inline(never)]
pub(super) fn failure_of_open(error: OpenError) -> wit::OpenError {
    match error {
        OpenError::InvalidConfig(message) => wit::OpenError::InvalidConfig(message),
        OpenError::InvalidInput(message) => wit::OpenError::InvalidInput(message),
        OpenError::Failed(message) => wit::OpenError::Failed(message),
    }
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

/// What a call that refuses rows, and gives nothing else, comes to.
#[inline(never)]
pub(super) fn answered(rejected: Result<RejectedRows, Failure>) -> Result<Vec<WitReject>, WitFailure> {
    rejected.map(rejects).map_err(failure)
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
            let (answer, rejected) = holder.runner().and_then(|runner| runner.map(&batch)).map_err(failure)?;
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
            let (keep, rejected) = holder.runner().and_then(|runner| runner.filter(&batch)).map_err(failure)?;
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
        answered(S::with(|holder| holder.runner()?.flat_map(&batch, &mut emit)))
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
