//! A running plugin: records in, calls of bounded size, gated results out.

mod again;
mod amplify;
mod attempt;
mod bisect;
mod filter;
mod flat_map;
mod held;
mod map;
mod process;
mod refused_timers;
mod rejects;
mod repro;
pub(crate) mod twice;
pub(crate) mod weigh;

use std::sync::Arc;
use std::time::Duration;

use arrow::array::RecordBatch;
use volley_api::{KeyRows, KeyedSnapshot, Operator, OperatorContext, Output, RowReject, StreamRecord, Watermark};
use volley_ipc::{GateLimits, columns_to_wire};

use self::attempt::{Treated, TreatedRows};
use self::flat_map::Carried;
use self::held::Opened;
use crate::contract::WriteMode;
use crate::held::{Held, Stored};
use crate::instances::Instances;
use crate::keyed::Keyed;
use crate::metrics::{CpuSampler, Metered};
use crate::options::OnError;
use crate::repro::Last;
use crate::twice::Sample;
use crate::violation::Violation;
use crate::{Error, Result};

/// Rows that cross in one call at most; a longer record takes several calls.
pub const CALL_ROWS_MAX: usize = 8_192;

/// Bytes that cross in one call at most, unless a single row has more: 4 MiB.
pub const CALL_BYTES_MAX: usize = 4 << 20;

/// How often one call is made again when the plugin asks for it.
pub const RETRIES_MAX: u32 = 5;

/// The longest wait before a call is made again, in milliseconds.
pub const RETRY_WAIT_MS_MAX: u64 = 5_000;

/// One subtask of a plugin at work.
pub(crate) struct PluginOperator {
    instances: Instances,
    on_error: OnError,
    context: OperatorContext,
    /// Calls made so far, repeated ones counted once.
    calls: u64,
    /// Rows that the next part of the current record tries to have: those of the last one, or more when it was small.
    part_rows: usize,
    /// The most rows of a call: fewer where larger calls have failed though no row was guilty.
    call_rows_max: usize,
    /// The most timers of a call, likewise.
    call_timers_max: usize,
    /// The part that the present instance has been handed and not yet been called with.
    encoded: Option<Part>,
    cpu: CpuSampler,
    /// Keys, states and timers of a process operator.
    keyed: Option<Box<Keyed>>,
    /// Which component it is, in checkpoints, and what that holds itself.
    stored: Option<Stored>,
    /// What the host keeps of an operator that holds state itself.
    held: Option<Box<Held>>,
    /// The call that was made last, where bundles are written of those that fail.
    last: Option<Last>,
    /// When the first timer of the clock is due, in milliseconds since 1970.
    clock_due_ms: Option<i64>,
    /// Which calls are made twice.
    sample: Sample,
}

/// A record on its way through the plugin.
struct Input {
    record: StreamRecord,
    /// The columns of `reads`, as they cross.
    wire: RecordBatch,
    /// The keys of the rows, for a process.
    keys: Option<KeyRows>,
}

/// Rows `offset..offset + rows` of a record, which one call treats.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Part {
    offset: usize,
    rows: usize,
}

impl Part {
    fn of(self, record: &StreamRecord) -> StreamRecord {
        record.slice(self.offset, self.rows)
    }
}

impl PluginOperator {
    /// An operator of instances that are bound; a process opens its states.
    pub(crate) fn new(
        mut instances: Instances,
        on_error: OnError,
        context: OperatorContext,
    ) -> volley_api::Result<Self> {
        let sample = instances.determinism_sample();
        let (mut keyed, stored, held) = match Opened::new(&mut instances, &context)? {
            Some(Opened { keyed, stored, held }) => (Some(keyed), Some(stored), held),
            None => (None, None, None),
        };
        let clock_due_ms = keyed.as_mut().map(|keyed| keyed.timers().next_clock_ms()).transpose()?.flatten();
        Ok(Self {
            instances,
            on_error,
            context,
            calls: 0,
            part_rows: CALL_ROWS_MAX,
            call_rows_max: CALL_ROWS_MAX,
            call_timers_max: CALL_ROWS_MAX,
            encoded: None,
            cpu: CpuSampler::default(),
            sample: Sample::new(sample),
            keyed,
            stored,
            held,
            last: None,
            clock_due_ms,
        })
    }

    fn input(&self, record: StreamRecord) -> Result<Input> {
        let bound = self.instances.bound();
        let columns = bound.reads.iter().map(|index| record.batch.column(*index));
        let wire = columns_to_wire(columns, record.batch.num_rows(), &bound.wire)
            .map_err(|source| Error::Wire { plugin: self.instances.who().to_string(), source })?;
        let keys = match (&bound.keys, &self.keyed) {
            (Some(keys), Some(keyed)) => {
                let columns: Vec<_> =
                    keys.columns.iter().map(|column| Arc::clone(record.batch.column(*column))).collect();
                Some(keyed.key_rows(&columns).map_err(Error::State)?)
            }
            _ => None,
        };
        Ok(Input { record, wire, keys })
    }

    /// As many rows from `offset` on as may cross at once.
    fn next_part(&mut self, input: &Input, offset: usize) -> Result<Part> {
        let mut part = Part { offset, rows: self.part_rows.min(input.wire.num_rows() - offset) };
        let bytes_max = CALL_BYTES_MAX.min(self.instances.limits().memory_bytes_max / 8);
        loop {
            let bytes = self.encode(input, part)?;
            if bytes > bytes_max && part.rows > 1 {
                part.rows = part.rows.div_ceil(2);
                continue;
            }
            let room_for_more = bytes <= bytes_max / 2;
            self.part_rows = if room_for_more { (part.rows * 2).min(self.call_rows_max) } else { part.rows };
            return Ok(part);
        }
    }

    /// Hands a part to the present instance, or to a fresh one; gives the bytes that will cross.
    fn encode(&mut self, input: &Input, part: Part) -> Result<usize> {
        self.ensure()?;
        let guest = self.instances.guest()?;
        let bytes = if part.rows == input.wire.num_rows() {
            guest.encode(&input.wire)?
        } else {
            guest.encode(&input.wire.slice(part.offset, part.rows))?
        };
        self.encoded = Some(part);
        Ok(bytes)
    }

    /// Sends on what became of a part.
    fn deliver(
        &mut self,
        input: &Input,
        part: Part,
        treated: Treated,
        keep: &mut filter::Keep,
        output: &mut dyn Output,
    ) -> volley_api::Result<()> {
        let Treated { rows, rejects } = treated;
        match rows {
            TreatedRows::None => keep.append_none(part.rows),
            TreatedRows::Kept(bitmap) => keep.append(bitmap, part.rows, &rejects),
            TreatedRows::Mapped(record) => output.emit(0, *record)?,
            TreatedRows::Emitted(ports) => {
                let is_keyed = |(port, _): &(usize, _)| self.instances.bound().ports[*port].mode == WriteMode::Keyed;
                let keyed = if ports.iter().any(is_keyed) { self.keyed_rows(input, part)? } else { None };
                self.send_emitted(&Carried { rows: part.of(&input.record), keyed }, ports, output)?;
            }
        }
        if rejects.is_empty() { Ok(()) } else { output.reject(&part.of(&input.record), rejects) }
    }

    /// The error for a breach of the contract while running.
    fn broke(&self, violation: Violation, problem: impl Into<String>) -> Error {
        let plugin = format!("operator `{}`: {}", self.context.node, self.instances.who());
        Error::Contract { plugin, function: self.kind_name().to_owned(), violation, problem: problem.into() }
    }

    fn kind_name(&self) -> &'static str {
        self.instances.kind().as_str()
    }

    fn gate_limits(&self, input_rows: usize) -> GateLimits {
        let limits = self.instances.limits();
        GateLimits {
            bytes_max: limits.output_bytes_max,
            rows_max: limits.output_rows_max.max(input_rows),
            logical_bytes_max: limits.output_bytes_max,
        }
    }
}

/// Indices of the refused rows, ascending.
fn rows_of(rejects: &[RowReject]) -> impl Iterator<Item = usize> + Clone {
    rejects.iter().map(|reject| reject.row)
}

impl Operator for PluginOperator {
    fn process(&mut self, record: StreamRecord, output: &mut dyn Output) -> volley_api::Result<()> {
        let record = record.compact().map_err(Error::from)?;
        let rows = record.batch.num_rows();
        if rows == 0 {
            return Ok(());
        }
        let metrics = Arc::clone(self.instances.metrics());
        let output = &mut Metered::begin(&metrics, &mut self.cpu, rows, output);
        let input = self.input(record)?;
        let mut offset = 0;
        let mut keep = filter::Keep::default();
        self.part_rows = self.call_rows_max;
        while offset < rows {
            let part = self.next_part(&input, offset)?;
            self.calls += 1;
            match self.attempt_sampled(&input, part) {
                Ok(treated) => self.deliver(&input, part, treated, &mut keep, output)?,
                Err(error) => self.bisect(&input, part, error, &mut keep, output)?,
            }
            offset += part.rows;
        }
        match keep.finish() {
            Some(keep) if keep.count_set_bits() > 0 => output.emit(0, input.record.narrow(&keep)),
            _ => Ok(()),
        }
    }

    fn on_watermark(&mut self, watermark: Watermark, output: &mut dyn Output) -> volley_api::Result<()> {
        if self.keyed.is_none() {
            return Ok(());
        }
        let metrics = Arc::clone(self.instances.metrics());
        let output = &mut Metered::begin(&metrics, &mut self.cpu, 0, output);
        self.advance(watermark, output)
    }

    fn time_due_in(&self) -> Option<Duration> {
        let now_ms = i64::try_from(self.context.clock.now_ms()).unwrap_or(i64::MAX);
        self.clock_due_ms.map(|due_ms| Duration::from_millis(due_ms.saturating_sub(now_ms).max(0).unsigned_abs()))
    }

    fn on_time(&mut self, output: &mut dyn Output) -> volley_api::Result<()> {
        if self.keyed.is_none() {
            return Ok(());
        }
        let metrics = Arc::clone(self.instances.metrics());
        let output = &mut Metered::begin(&metrics, &mut self.cpu, 0, output);
        self.fire_clock(output)
    }

    fn snapshot(&mut self) -> volley_api::Result<Vec<KeyedSnapshot>> {
        let Some(keyed) = self.keyed.as_deref_mut() else { return Ok(Vec::new()) };
        let mut snapshots = keyed.snapshot()?;
        snapshots.extend(self.snapshot_held()?);
        Ok(snapshots)
    }

    fn finish(&mut self, _output: &mut dyn Output) -> volley_api::Result<()> {
        self.calls += 1;
        Ok(self.instances.close(self.calls)?)
    }
}
