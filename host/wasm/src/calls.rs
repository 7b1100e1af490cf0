//! Calls of what is no operator, functions and codecs: made again where that is asked for, counted where they fail.

mod twice;

use std::sync::Arc;
use std::time::Duration;

use arrow::array::RecordBatch;
use arrow::buffer::Buffer;
use arrow::datatypes::SchemaRef;
use volley_api::{NoState, NodeName, OperatorContext, OperatorState, OriginDirectory, SubtaskId};
use volley_ipc::{GateLimits, decode_batch};

use crate::contract::Failure;
use crate::guest::MESSAGE_BYTES_MAX;
use crate::held::{Called, Logged};
use crate::imports::emitter::Parents;
use crate::inspect::PluginKind;
use crate::instances::Instances;
use crate::metrics::{CpuSampler, PluginMetrics};
use crate::operator::{CALL_BYTES_MAX, RETRIES_MAX, RETRY_WAIT_MS_MAX};
use crate::path::{CodecCall, Reply};
use crate::repro::{Failed, Last, is_of_a_call};
use crate::text::visible;
use crate::twice::Sample;
use crate::violation::Violation;
use crate::{Error, Result};

/// What is shown of a problem that the gate found, in bytes.
const PROBLEM_BYTES_MAX: usize = 1 << 10;

/// The instance of one place, and its calls.
pub(crate) struct Calls {
    pub(crate) instances: Instances,
    pub(crate) cpu: CpuSampler,
    node: NodeName,
    /// The function that is called.
    function: &'static str,
    /// Calls made so far, repeated ones counted once: chance depends on it.
    number: u64,
    /// The call that was made last, where bundles are written of those that fail.
    pub(crate) last: Option<Last>,
    /// Which calls are made twice.
    sample: Sample,
}

impl Calls {
    pub(crate) fn new(instances: Instances, node: NodeName, function: &'static str) -> Self {
        let sample = Sample::new(instances.determinism_sample());
        Self { instances, cpu: CpuSampler::default(), node, function, number: 0, last: None, sample }
    }

    pub(crate) fn node(&self) -> &NodeName {
        &self.node
    }

    pub(crate) fn metrics(&self) -> Arc<PluginMetrics> {
        Arc::clone(self.instances.metrics())
    }

    /// The next call is another one.
    pub(crate) fn next(&mut self) {
        self.number += 1;
    }

    /// Hands a batch in wire form to the instance, or to a fresh one; gives the bytes that will cross.
    pub(crate) fn encode(&mut self, wire: &RecordBatch) -> Result<usize> {
        self.instances.guest()?.encode(wire)
    }

    /// How many bytes may cross in one call, unless a single row has more.
    pub(crate) fn bytes_max(&self) -> usize {
        CALL_BYTES_MAX.min(self.instances.limits().memory_bytes_max / 8)
    }

    /// Calls the plugin, again where it asks for that. What it refuses as a whole is the inner error, in its words. With
    /// `is_encoded` the present instance has the batch already.
    pub(crate) fn call(
        &mut self,
        wire: &RecordBatch,
        is_encoded: bool,
        codec_call: CodecCall,
    ) -> Result<Result<Reply, String>> {
        let (mut retries, mut is_encoded) = (0, is_encoded);
        loop {
            if !std::mem::take(&mut is_encoded) {
                self.encode(wire)?;
            }
            match self.call_once(wire, codec_call)? {
                Ok(reply) => return Ok(Ok(reply)),
                Err(Failure::RejectBatch(message)) => return Ok(Err(message)),
                Err(Failure::Retry(_)) if retries == RETRIES_MAX => {
                    let (operator, plugin) = (self.node.to_string(), self.instances.who().to_string());
                    return Err(Error::RetriesExhausted { operator, plugin, retries });
                }
                Err(Failure::Retry(after_ms)) => {
                    retries += 1;
                    std::thread::sleep(Duration::from_millis(after_ms.min(RETRY_WAIT_MS_MAX)));
                }
                Err(Failure::Fatal(message)) => {
                    let (operator, plugin) = (self.node.to_string(), self.instances.who().to_string());
                    return Err(Error::Fatal { operator, plugin, message: visible(&message, MESSAGE_BYTES_MAX) });
                }
            }
        }
    }

    /// One call on what was encoded.
    fn call_once(&mut self, wire: &RecordBatch, codec_call: CodecCall) -> Result<Result<Reply, Failure>> {
        let (rows, number) = (wire.num_rows(), self.number);
        let called = self.instances.repro().map(|_| {
            let is_codec = self.instances.kind() == PluginKind::Codec;
            let called = if is_codec { Called::Codec(codec_call) } else { Called::Rows };
            Box::new(Logged::new(called, Some(wire.clone()), Parents::Rows(rows), number))
        });
        let guest = self.instances.guest()?;
        guest.codec_call(codec_call);
        let Some(called) = called else { return guest.process(rows, number) };
        let (answer, last) = guest.noting(called, |guest| guest.process(rows, number));
        self.last = Some(last);
        answer
    }

    /// The error with the bundle of the last call in its words, where bundles are wanted and there is room for one.
    pub(crate) fn kept(&self, error: Error) -> Error {
        match &self.last {
            Some(last) => self.instances.kept(&Failed::alone(last), error),
            None => error,
        }
    }

    /// Writes a bundle of the last call, where bundles are wanted; `error` is what is said of it.
    pub(crate) fn bundle(&self, error: &str) {
        if let Some(last) = &self.last {
            self.instances.bundle(&Failed::alone(last), error);
        }
    }

    /// Counts a failed call and lets go of its instance; an error that rows are not to blame for is given back.
    pub(crate) fn failed(&mut self, error: Error) -> Result<(Violation, Error)> {
        let Some(violation) = error.violation() else { return Err(error) };
        self.instances.count(violation);
        if !error.may_be_of_rows() {
            return Err(if is_of_a_call(&error) { self.kept(error) } else { error });
        }
        self.instances.discard();
        Ok((violation, error))
    }

    /// The batch of a message that came back.
    pub(crate) fn gated(&self, message: &Buffer, expected: &SchemaRef, rows_max: usize) -> Result<RecordBatch> {
        use volley_ipc::Error as E;
        let bytes_max = self.instances.limits().output_bytes_max;
        let limits = GateLimits { bytes_max, rows_max, logical_bytes_max: bytes_max };
        decode_batch(message, expected, &limits).map_err(|error| {
            let problem = visible(&error.to_string(), PROBLEM_BYTES_MAX);
            match error {
                E::TooManyBytes { .. } | E::TooManyLogicalBytes { .. } => {
                    self.too_much(Violation::OutputBytes, problem)
                }
                E::TooManyRows { .. } => self.broke(Violation::WrongRows, problem),
                _ => self.broke(Violation::BadBatch, problem),
            }
        })
    }

    /// The error for a breach of the contract.
    pub(crate) fn broke(&self, violation: Violation, problem: impl Into<String>) -> Error {
        let plugin = format!("`{}`: {}", self.node, self.instances.who());
        Error::Contract { plugin, function: self.function.to_owned(), violation, problem: problem.into() }
    }

    /// The error for a limit that a call has passed.
    pub(crate) fn too_much(&self, violation: Violation, problem: String) -> Error {
        let (operator, plugin) = (self.node.to_string(), self.instances.who().to_string());
        Error::Limit { operator, plugin, function: self.function.to_owned(), violation, problem }
    }

    /// The last call.
    pub(crate) fn close(&mut self) -> Result<()> {
        self.number += 1;
        self.instances.close(self.number)
    }
}

/// What instances of operators are told, of something that is none.
pub(crate) fn operator_context(
    node: NodeName,
    subtask: SubtaskId,
    input: SchemaRef,
    clock: Arc<dyn volley_api::Clock>,
    seeds: volley_api::SeedSource,
) -> OperatorContext {
    OperatorContext {
        node,
        subtask,
        input,
        event_time: None,
        state: Arc::new(NoState),
        restored: OperatorState::default(),
        errors_attached: false,
        clock,
        seeds,
        origins: OriginDirectory::new(),
    }
}
