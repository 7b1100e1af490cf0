//! The export `aggregate`.

use super::bindings::{aggregate, imports};
use super::exports::{Slot, answered, failure};
use super::memory::{Call, lend};
use crate::AggregateOperator;
use crate::runner::AggregateRunner;

use aggregate::exports::volley::operator::aggregate as exported;
use imports::volley::operator::types::{Failure as WitFailure, Reject as WitReject};

impl<Op: AggregateOperator, S: Slot<Runner = AggregateRunner<Op>>> exported::Guest for S {
    fn update(groups: Vec<u32>, batch: Vec<u8>) -> Result<Vec<WitReject>, WitFailure> {
        let _call = Call::begin();
        answered(S::with(|holder| holder.runner()?.update(&groups, &batch)))
    }

    fn merge(groups: Vec<u32>, state: Vec<u8>) -> Result<(), WitFailure> {
        let _call = Call::begin();
        S::with(|holder| holder.runner()?.merge(&groups, &state)).map_err(failure)
    }

    fn drain() -> Result<Vec<u8>, WitFailure> {
        let _call = Call::begin();
        S::with(|holder| holder.runner()?.drain().map(lend)).map_err(failure)
    }

    fn evaluate(state: Vec<u8>) -> Result<Vec<u8>, WitFailure> {
        let _call = Call::begin();
        S::with(|holder| holder.runner()?.evaluate(&state).map(lend)).map_err(failure)
    }
}
