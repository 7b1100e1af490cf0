//! Calls of the instance: made again where it asks for that, and what comes back gated.

use std::sync::Arc;
use std::time::Duration;

use arrow::array::RecordBatch;
use arrow::buffer::Buffer;
use arrow::datatypes::SchemaRef;
use volley_api::RowReject;
use volley_ipc::{GateLimits, decode_batch};

use super::kept::Kept;
use super::session::{Fed, Session};
use crate::contract::{Failure, Reject};
use crate::guest::{Guest, MESSAGE_BYTES_MAX};
use crate::held::{Called, Logged};
use crate::imports::emitter::Parents;
use crate::operator::{RETRIES_MAX, RETRY_WAIT_MS_MAX};
use crate::path::{AggregateCall, AggregateReply};
use crate::refusals::CODE_BYTES_MAX;
use crate::text::{cut, visible};
use crate::twice::Heard;
use crate::violation::Violation;
use crate::{Error, Result};

/// What is shown of a problem that the gate found, in bytes.
const PROBLEM_BYTES_MAX: usize = 1 << 10;

impl Session {
    /// Makes a call; a batch that was refused as a whole gives the plugin's words.
    fn call(
        &mut self,
        call: &AggregateCall,
        batch: Option<&RecordBatch>,
        prepare: impl Fn(&mut Guest) -> Result<()>,
    ) -> Result<std::result::Result<AggregateReply, String>> {
        self.calls += 1;
        let mut retries = 0;
        loop {
            let guest = self.instances.guest()?;
            prepare(guest)?;
            match self.call_once(call, batch)? {
                Ok(reply) => return Ok(Ok(reply)),
                Err(Failure::RejectBatch(message)) => return Ok(Err(message)),
                Err(Failure::Retry(_)) if retries == RETRIES_MAX => {
                    let (operator, plugin) = (self.context.node.to_string(), self.instances.who().to_string());
                    return Err(Error::RetriesExhausted { operator, plugin, retries });
                }
                Err(Failure::Retry(after_ms)) => {
                    retries += 1;
                    std::thread::sleep(Duration::from_millis(after_ms.min(RETRY_WAIT_MS_MAX)));
                }
                Err(Failure::Fatal(message)) => return Err(self.fatal(&message)),
            }
        }
    }

    /// One call, prepared.
    fn call_once(
        &mut self,
        call: &AggregateCall,
        batch: Option<&RecordBatch>,
    ) -> Result<std::result::Result<AggregateReply, Failure>> {
        let (call, number) = (call.clone(), self.calls);
        let noted = self
            .instances
            .repro()
            .map(|_| Box::new(Logged::new(Called::Aggregate(call.clone()), batch.cloned(), Parents::None, number)));
        let guest = self.instances.guest()?;
        let Some(noted) = noted else { return guest.aggregate(call, number) };
        let (answer, last) = guest.noting(noted, |guest| guest.aggregate(call, number));
        self.trail.made(last);
        answer
    }

    /// Makes a call; what it was told is kept where it is, or belongs to, one that is made twice.
    fn call_heard(
        &mut self,
        hears: bool,
        call: &AggregateCall,
        batch: Option<&RecordBatch>,
        prepare: impl Fn(&mut Guest) -> Result<()>,
    ) -> Result<(std::result::Result<AggregateReply, String>, Option<Heard>)> {
        if !hears {
            return Ok((self.call(call, batch, prepare)?, None));
        }
        Heard::listen(self.instances.guest()?);
        let answer = self.call(call, batch, prepare);
        // An instance that has failed is there still.
        let heard = Heard::of(self.instances.guest()?, self.calls);
        Ok((answer?, Some(heard)))
    }

    /// The same of what ends with a drain.
    fn call_of_drain(
        &mut self,
        call: &AggregateCall,
        batch: Option<&RecordBatch>,
        prepare: impl Fn(&mut Guest) -> Result<()>,
    ) -> Result<std::result::Result<AggregateReply, String>> {
        let (answer, heard) = self.call_heard(self.twice.hears(), call, batch, prepare)?;
        if let (Ok(_), Some(heard)) = (&answer, heard) {
            self.twice.heard(heard);
        }
        Ok(answer)
    }

    /// Hands rows over.
    pub(super) fn call_update(&mut self, part: &Kept, groups: Arc<Vec<u32>>) -> Result<Fed> {
        let call = AggregateCall::Update(groups);
        match self.call_of_drain(&call, Some(&part.wire), |guest| guest.encode(&part.wire).map(drop))? {
            Ok(AggregateReply::Updated(rejects)) if rejects.is_empty() => Ok(Fed::All),
            Ok(AggregateReply::Updated(rejects)) => self.checked(part.rows(), rejects).map(Fed::But),
            Ok(_) => Err(self.other_answer(&call)),
            Err(message) => Ok(Fed::None(message)),
        }
    }

    /// Hands states over.
    pub(super) fn call_merge(&mut self, state: &RecordBatch, groups: Arc<Vec<u32>>) -> Result<()> {
        let call = AggregateCall::Merge(groups);
        match self.call_of_drain(&call, Some(state), |guest| guest.encode_state(state).map(drop))? {
            Ok(AggregateReply::Merged) => Ok(()),
            Ok(_) => Err(self.other_answer(&call)),
            Err(message) => Err(self.refused_states(&call, &message)),
        }
    }

    /// The states of all groups, of which there are so many.
    pub(super) fn drained(&mut self, groups: usize) -> Result<RecordBatch> {
        let call = AggregateCall::Drain;
        match self.call_of_drain(&call, None, |_| Ok(()))? {
            Ok(AggregateReply::Columns(message)) => {
                let state = Arc::clone(&self.state);
                self.gated(&call, &message, &state, groups)
            }
            Ok(_) => Err(self.other_answer(&call)),
            Err(message) => Err(self.refused_states(&call, &message)),
        }
    }

    /// The results of states.
    pub(super) fn evaluated(&mut self, state: &RecordBatch) -> Result<RecordBatch> {
        let (call, hears) = (AggregateCall::Evaluate, self.twice.evaluates());
        let (answer, heard) =
            self.call_heard(hears, &call, Some(state), |guest| guest.encode_state(state).map(drop))?;
        match answer {
            Ok(AggregateReply::Columns(message)) => {
                let schema = Arc::clone(&self.results);
                let results = self.gated(&call, &message, &schema, state.num_rows())?;
                if let Some(heard) = heard {
                    self.evaluate_again(state, &results, heard);
                }
                Ok(results)
            }
            Ok(_) => Err(self.other_answer(&call)),
            Err(message) => Err(self.refused_states(&call, &message)),
        }
    }

    pub(super) fn gated(
        &self,
        call: &AggregateCall,
        message: &Buffer,
        schema: &SchemaRef,
        rows: usize,
    ) -> Result<RecordBatch> {
        let limits = self.instances.limits();
        let bytes_max = limits.output_bytes_max;
        let limits = GateLimits { bytes_max, rows_max: limits.output_rows_max.max(rows), logical_bytes_max: bytes_max };
        let batch = decode_batch(message, schema, &limits).map_err(|error| {
            use volley_ipc::Error as E;
            let problem = visible(&error.to_string(), PROBLEM_BYTES_MAX);
            match error {
                E::TooManyBytes { .. } | E::TooManyLogicalBytes { .. } => self.too_much(call, problem),
                E::TooManyRows { .. } => self.broke(call, Violation::WrongRows, problem),
                _ => self.broke(call, Violation::BadBatch, problem),
            }
        })?;
        if batch.num_rows() == rows {
            return Ok(batch);
        }
        let (found, what) = (batch.num_rows(), if matches!(call, AggregateCall::Drain) { "groups" } else { "states" });
        Err(self.broke(call, Violation::WrongRows, format!("{found} rows for {rows} {what}")))
    }

    /// Refused rows in the contract's order, none beyond the batch.
    fn checked(&self, part_rows: usize, rejects: Vec<Reject>) -> Result<Vec<RowReject>> {
        let mut rows: Vec<RowReject> = Vec::with_capacity(rejects.len().min(part_rows));
        let broke = |problem| self.broke(&AggregateCall::Update(Arc::default()), Violation::BadRejects, problem);
        for reject in rejects {
            let row = usize::try_from(reject.row).unwrap_or(usize::MAX);
            if row >= part_rows {
                return Err(broke(format!("it rejects row {row} of a batch of {part_rows} rows")));
            }
            if let Some(last) = rows.last().map(|last| last.row).filter(|last| *last >= row) {
                return Err(broke(format!("it rejects row {row} after row {last}: rejects ascend")));
            }
            let code = cut(&reject.code, CODE_BYTES_MAX).to_owned();
            rows.push(RowReject { row, code, message: cut(&reject.message, MESSAGE_BYTES_MAX).to_owned() });
        }
        Ok(rows)
    }

    pub(super) fn fatal(&self, message: &str) -> Error {
        Error::Fatal {
            operator: self.context.node.to_string(),
            plugin: self.instances.who().to_string(),
            message: visible(message, MESSAGE_BYTES_MAX),
        }
    }

    /// States are the plugin's own: where it refuses them, it cannot go on.
    fn refused_states(&self, call: &AggregateCall, message: &str) -> Error {
        self.fatal(&format!("`{}` refuses its own state: {message}", call.function()))
    }

    fn other_answer(&self, call: &AggregateCall) -> Error {
        Error::Engine(format!("`{}` has the answer of another function", call.function()))
    }

    /// The error for a breach of the contract while running.
    fn broke(&self, call: &AggregateCall, violation: Violation, problem: String) -> Error {
        let plugin = format!("operator `{}`: {}", self.context.node, self.instances.who());
        Error::Contract { plugin, function: call.function().to_owned(), violation, problem }
    }

    fn too_much(&self, call: &AggregateCall, problem: String) -> Error {
        let (operator, plugin) = (self.context.node.to_string(), self.instances.who().to_string());
        let violation = Violation::OutputBytes;
        Error::Limit { operator, plugin, function: call.function().to_owned(), violation, problem }
    }
}
