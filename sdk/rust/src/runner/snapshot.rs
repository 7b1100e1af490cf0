//! The functions of the interface `snapshot`, between messages.

use super::ProcessRunner;
use crate::state::{ColumnsWire, StateDeclaration, StateError};
use crate::{Failure, Schema, SnapshotOperator, StatePart};

impl<Op: SnapshotOperator> ProcessRunner<Op> {
    pub(crate) fn snapshot(&mut self) -> Result<Vec<StatePart>, Failure> {
        self.operator.snapshot()
    }

    pub(crate) fn restore(&mut self, parts: Vec<StatePart>) -> Result<(), Failure> {
        self.operator.restore(parts)
    }

    /// Brings rows over: a message in, a message out.
    pub(crate) fn migrate(earlier: &StateDeclaration, message: &[u8]) -> Result<Vec<u8>, Failure> {
        let fatal = |error: StateError| Failure::Fatal(format!("state `{}`: {error}", earlier.name));
        let Some(now) = Op::states().into_iter().find(|state| state.name == earlier.name) else {
            return Err(Failure::Fatal(format!("there is no state `{}` to bring rows over to", earlier.name)));
        };
        let wire = |schema: &Schema| {
            ColumnsWire::new(schema).map_err(|error| Failure::Fatal(format!("state `{}`: {error}", earlier.name)))
        };
        let keys = earlier.map_keys.clone().unwrap_or_default();
        let columns = keys.fields().iter().chain(earlier.values.fields()).cloned();
        let (before, now) = (wire(&Schema::new(columns.collect::<Vec<_>>()))?, wire(&now.values)?);
        let mut rows = 0;
        let mut failure = None;
        let mut columns = Vec::new();
        let read = before.read(message, |batch| {
            rows = batch.len();
            match Op::migrate(earlier, batch) {
                Ok(brought) => columns = brought,
                Err(error) => failure = Some(error),
            }
            Ok(())
        });
        read.map_err(fatal)?;
        if let Some(failure) = failure {
            return Err(failure);
        }
        let mut out = crate::buffer::Buffer::new();
        now.encode(&columns, rows, &mut out).map_err(fatal)?;
        Ok(out.bytes().to_vec())
    }
}
