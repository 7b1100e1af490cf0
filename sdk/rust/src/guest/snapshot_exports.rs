//! The export `snapshot`.

use super::bindings::{imports, lifecycle, snapshot};
use super::exports::{Slot, failure};
use super::memory::Call;
use crate::runner::ProcessRunner;
use crate::state::{MergeFunction, StateDeclaration, StateKind};
use crate::{Schema, SnapshotOperator, StatePart, wire};

use imports::volley::operator::types::Failure as WitFailure;
use lifecycle::exports::volley::operator::lifecycle as wit;
use snapshot::exports::volley::operator::snapshot as exported;

/// A declaration of an earlier version.
fn declaration(earlier: wit::StateDeclaration) -> Result<StateDeclaration, String> {
    let name = earlier.name;
    let schema = |message: &[u8]| -> Result<Schema, String> {
        wire::read_schema(message).map_err(|error| format!("the columns of `{name}` cannot be read: {error}"))
    };
    let function = |function: wit::MergeFunction| match function {
        wit::MergeFunction::Sum => MergeFunction::Sum,
        wit::MergeFunction::Min => MergeFunction::Min,
        wit::MergeFunction::Max => MergeFunction::Max,
    };
    Ok(StateDeclaration {
        kind: match earlier.kind {
            wit::StateKind::Value => StateKind::Value,
            wit::StateKind::Map => StateKind::Map,
            wit::StateKind::List => StateKind::List,
            wit::StateKind::Merge(functions) => StateKind::Merge(functions.into_iter().map(function).collect()),
        },
        map_keys: match &earlier.map_keys {
            Some(message) => Some(schema(message)?),
            None => None,
        },
        values: schema(&earlier.values)?,
        version: earlier.version,
        ttl_ms: earlier.ttl_ms,
        name,
    })
}

impl<Op: SnapshotOperator, S: Slot<Runner = ProcessRunner<Op>>> exported::Guest for S {
    fn snapshot() -> Result<Vec<exported::Part>, WitFailure> {
        let _call = Call::begin();
        let part = |StatePart { key_group, version, bytes }| exported::Part { key_group, version, bytes };
        let parts = S::with(|holder| holder.runner()?.snapshot()).map_err(failure)?;
        Ok(parts.into_iter().map(part).collect())
    }

    fn restore(parts: Vec<exported::Part>) -> Result<(), WitFailure> {
        let _call = Call::begin();
        // What the host hands in lies in memory of the call.
        let part = |exported::Part { key_group, version, bytes }: &exported::Part| StatePart {
            key_group: *key_group,
            version: *version,
            bytes: bytes.to_vec(),
        };
        let parts = parts.iter().map(part).collect();
        S::with(|holder| holder.runner()?.restore(parts)).map_err(failure)
    }

    fn can_migrate(earlier: Vec<wit::StateDeclaration>) -> Result<(), String> {
        let _call = Call::begin();
        let earlier = earlier.into_iter().map(declaration).collect::<Result<Vec<_>, _>>()?;
        Op::can_migrate(&earlier)
    }

    fn migrate(earlier: wit::StateDeclaration, values: Vec<u8>) -> Result<Vec<u8>, WitFailure> {
        let _call = Call::begin();
        let earlier = declaration(earlier).map_err(WitFailure::Fatal)?;
        ProcessRunner::<Op>::migrate(&earlier, &values).map_err(failure)
    }
}
