//! A running plugin: records in, calls of bounded size, gated results out.

mod filter;
mod flat_map;
mod map;
mod rejects;
mod weigh;

use std::time::Duration;

use arrow::array::RecordBatch;
use volley_api::{Operator, OperatorContext, Output, RowReject, StreamRecord};
use volley_ipc::{GateLimits, columns_to_wire};

use crate::bind::Bound;
use crate::contract::Failure;
use crate::guest::{Guest, MESSAGE_BYTES_MAX};
use crate::options::OnError;
use crate::path::ReplyOutput;
use crate::text::visible;
use crate::{Error, Result};

/// Rows that cross in one call at most; a longer record takes several calls.
pub const CALL_ROWS_MAX: usize = 8_192;

/// Bytes that cross in one call at most, unless a single row has more: 4 MiB.
pub const CALL_BYTES_MAX: usize = 4 << 20;

/// How often one call is made again when the plugin asks for it.
pub const RETRIES_MAX: u32 = 5;

/// The longest wait before a call is made again, in milliseconds.
pub const RETRY_WAIT_MS_MAX: u64 = 5_000;

/// One instance at work.
pub(crate) struct PluginOperator {
    guest: Guest,
    bound: Bound,
    on_error: OnError,
    context: OperatorContext,
    /// Calls made so far, repeated ones counted once.
    calls: u64,
    /// The rows that the current part had refused, by their index in the part.
    rejects: Vec<RowReject>,
    /// Rows that the next part of the current record tries to have: those of the last one, or more when it was small.
    part_rows: usize,
}

/// What one call came to. Rejects have been put aside.
enum Outcome {
    /// It succeeded; `rejected` are the refused rows of its part, ascending.
    Done { output: ReplyOutput, rejected: Vec<usize> },
    /// The batch was refused as a whole, and the policy lets the job go on.
    Refused,
}

/// Rows `offset..offset + rows` of a record, which one call treats.
#[derive(Clone, Copy)]
struct Part {
    offset: usize,
    rows: usize,
}

impl Part {
    fn of(self, batch: &RecordBatch) -> RecordBatch {
        batch.slice(self.offset, self.rows)
    }
}

impl PluginOperator {
    pub(crate) fn new(guest: Guest, bound: Bound, on_error: OnError, context: OperatorContext) -> Self {
        Self { guest, bound, on_error, context, calls: 0, rejects: Vec::new(), part_rows: CALL_ROWS_MAX }
    }

    /// The columns of `reads`, as they cross.
    fn project(&self, record: &StreamRecord) -> Result<RecordBatch> {
        let columns = self.bound.reads.iter().map(|index| record.batch.column(*index));
        columns_to_wire(columns, record.batch.num_rows(), &self.bound.wire)
            .map_err(|source| Error::Wire { plugin: self.guest.who().to_string(), source })
    }

    /// Calls the plugin on as many rows from `offset` on as may cross at once; gives the rows it treated.
    fn call(&mut self, record: &StreamRecord, wire: &RecordBatch, offset: usize) -> Result<(Part, Outcome)> {
        let mut part = Part { offset, rows: self.part_rows.min(wire.num_rows() - offset) };
        let bytes_max = CALL_BYTES_MAX.min(self.guest.limits().memory_bytes_max / 8);
        self.calls += 1;
        let mut retries = 0;
        loop {
            let whole = part.rows == wire.num_rows();
            let bytes = if whole { self.guest.encode(wire) } else { self.guest.encode(&part.of(wire)) }?;
            if bytes > bytes_max && part.rows > 1 {
                part.rows = part.rows.div_ceil(2);
                continue;
            }
            let room_for_more = bytes <= bytes_max / 2;
            self.part_rows = if room_for_more { (part.rows * 2).min(CALL_ROWS_MAX) } else { part.rows };
            match self.guest.process(part.rows, self.calls)? {
                Ok(reply) => {
                    let rejects = self.take_rejects(record, part, reply.rejects)?;
                    return Ok((part, Outcome::Done { output: reply.output, rejected: rejects }));
                }
                Err(Failure::Retry(_)) if retries == RETRIES_MAX => return Err(self.retries_exhausted(retries)),
                Err(Failure::Retry(after_ms)) => {
                    retries += 1;
                    std::thread::sleep(Duration::from_millis(after_ms.min(RETRY_WAIT_MS_MAX)));
                }
                Err(Failure::RejectBatch(message)) => {
                    self.reject_batch(part, &message)?;
                    return Ok((part, Outcome::Refused));
                }
                Err(Failure::Fatal(message)) => {
                    return Err(Error::Fatal {
                        operator: self.context.node.to_string(),
                        plugin: self.guest.who().to_string(),
                        message: visible(&message, MESSAGE_BYTES_MAX),
                    });
                }
            }
        }
    }

    fn retries_exhausted(&self, retries: u32) -> Error {
        let (operator, plugin) = (self.context.node.to_string(), self.guest.who().to_string());
        Error::RetriesExhausted { operator, plugin, retries }
    }

    /// The error for a breach of the contract while running.
    fn broke(&self, function: &str, problem: impl Into<String>) -> Error {
        let plugin = format!("operator `{}`: {}", self.context.node, self.guest.who());
        Error::Contract { plugin, function: function.to_owned(), problem: problem.into() }
    }

    fn kind_name(&self) -> &'static str {
        self.guest.kind().as_str()
    }

    fn gate_limits(&self, input_rows: usize) -> GateLimits {
        let limits = self.guest.limits();
        GateLimits {
            bytes_max: limits.output_bytes_max,
            rows_max: limits.output_rows_max.max(input_rows),
            logical_bytes_max: limits.output_bytes_max,
        }
    }
}

impl Operator for PluginOperator {
    fn process(&mut self, record: StreamRecord, output: &mut dyn Output) -> volley_api::Result<()> {
        let record = record.compact().map_err(Error::from)?;
        if record.batch.num_rows() == 0 {
            return Ok(());
        }
        let wire = self.project(&record)?;
        let mut offset = 0;
        let mut keep = filter::Keep::default();
        self.part_rows = CALL_ROWS_MAX;
        while offset < wire.num_rows() {
            let (part, outcome) = self.call(&record, &wire, offset)?;
            match outcome {
                Outcome::Refused => keep.append_none(part.rows),
                Outcome::Done { output: ReplyOutput::Keep(bitmap), rejected } => {
                    self.check_bitmap(part, &bitmap)?;
                    keep.append(bitmap, part.rows, &rejected);
                }
                Outcome::Done { output: ReplyOutput::Columns(message), rejected } => {
                    let mapped = self.mapped(&record, part, &message, &rejected)?;
                    output.emit(0, mapped)?;
                }
                Outcome::Done { output: ReplyOutput::Emitted, rejected } => {
                    self.emit_rows(&record, part, &rejected, output)?;
                }
            }
            let rejects = std::mem::take(&mut self.rejects);
            if !rejects.is_empty() {
                output.reject(&record.slice(part.offset, part.rows), rejects)?;
            }
            offset += part.rows;
        }
        match keep.finish() {
            Some(keep) if keep.count_set_bits() > 0 => output.emit(0, record.narrow(&keep)),
            _ => Ok(()),
        }
    }

    fn finish(&mut self, _output: &mut dyn Output) -> volley_api::Result<()> {
        self.calls += 1;
        Ok(self.guest.close(self.calls)?)
    }
}
