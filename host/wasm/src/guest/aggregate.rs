//! The calls of an aggregate.

use std::time::Instant;

use arrow::array::RecordBatch;

use super::Guest;
use crate::contract;
use crate::metrics::CallStats;
use crate::path::{AggregateCall, AggregateReply};
use crate::store::Phase;
use crate::violation::Violation;
use crate::{Error, Result};

impl Guest {
    /// Prepares states for the next [`Guest::aggregate`].
    pub(crate) fn encode_state(&mut self, state: &RecordBatch) -> Result<usize> {
        let bytes = match self.path.aggregate() {
            Some(path) => path.encode_state(state),
            None => return Err(self.not_an_aggregate()),
        };
        let bytes = bytes.map_err(|source| Error::Wire { plugin: self.who.to_string(), source })?;
        self.store.data_mut().transfer.prepare(bytes);
        Ok(bytes)
    }

    /// Makes a call, with the batch that was encoded last where it takes one. `number` identifies the call: chance depends
    /// on it.
    pub(crate) fn aggregate(
        &mut self,
        call: AggregateCall,
        number: u64,
    ) -> Result<Result<AggregateReply, contract::Failure>> {
        let function = call.function();
        let state = self.store.data_mut();
        state.random.begin(number);
        state.http.begin();
        let bytes_in = state.transfer.incoming() + call.numbers_bytes();
        state.transfer.prepare(bytes_in);
        let started = Instant::now();
        let answer = self.call(function, Phase::Batch, self.limits.deadline, |store, path| match path.aggregate() {
            Some(path) => path.call(store, call),
            None => Err(wasmtime::format_err!("it is no aggregate")),
        });
        let duration = started.elapsed();
        let replied = match &answer {
            Ok(Ok(AggregateReply::Columns(columns))) => columns.len(),
            _ => 0,
        };
        self.store.data().metrics.call(&CallStats { bytes_in, bytes_out: replied, duration });
        let answer = answer?;
        let texts = match &answer {
            Ok(AggregateReply::Updated(rejects)) => {
                rejects.iter().map(|reject| reject.code.len() + reject.message.len()).sum()
            }
            _ => 0,
        };
        match self.store.data_mut().transfer.add(replied + texts) {
            Ok(()) => Ok(answer),
            Err(exceeded) => Err(self.exceeded_in(function, Violation::TransferBytes, exceeded.to_string())),
        }
    }

    /// The error for a limit that a call of this function passed.
    pub(crate) fn exceeded_in(&self, function: &str, violation: Violation, problem: String) -> Error {
        Error::Limit {
            operator: self.store.data().log.operator_in_job().unwrap_or_default(),
            plugin: self.who.to_string(),
            function: function.to_owned(),
            violation,
            problem,
        }
    }

    fn not_an_aggregate(&self) -> Error {
        Error::Engine(format!("{} is no aggregate", self.who))
    }
}
