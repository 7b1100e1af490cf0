//! `emitter`: rows that a flat-map or a process hands over, kept until its call has succeeded.

use std::sync::Arc;

use arrow::array::{RecordBatch, UInt32Array};
use arrow::buffer::{Buffer, ScalarBuffer};
use arrow::datatypes::SchemaRef;
use volley_ipc::{GateLimits, decode_batch};
use wasmtime::StoreContextMut;
use wasmtime::component::{LinkerInstance, WasmList};

use crate::contract::{EmitError, WriteMode};
use crate::options::PluginLimits;
use crate::path::pool;
use crate::store::{HostState, Phase};
use crate::text::visible;
use crate::violation::Violation;

/// Emits that one call may make: each keeps a batch in the host's memory, however few its rows.
pub const EMITS_PER_CALL_MAX: usize = 65_536;

/// What the plugin is told of a batch that the gate refused, in bytes.
const PROBLEM_BYTES_MAX: usize = 1 << 10;

/// Rows for one port, gated.
#[derive(Debug, Clone)]
pub(crate) struct Emission {
    pub(crate) port: usize,
    /// For each row, the row of the call's batch, or the timer, that it came from.
    pub(crate) parents: UInt32Array,
    pub(crate) batch: RecordBatch,
    /// Bytes of the message that it came in.
    pub(crate) message_bytes: usize,
}

/// What the rows of a call may come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Parents {
    /// So many rows of a batch.
    Rows(usize),
    /// So many timers.
    Timers(usize),
    /// Nothing.
    None,
}

impl Parents {
    fn count(self) -> usize {
        match self {
            Self::Rows(count) | Self::Timers(count) => count,
            Self::None => 0,
        }
    }

    /// As messages call one of them, and all together.
    fn words(self) -> (&'static str, &'static str) {
        match self {
            Self::Timers(_) => ("timer", "timers"),
            Self::Rows(_) | Self::None => ("row", "rows"),
        }
    }
}

/// What the present call has emitted.
#[derive(Debug)]
pub(crate) struct Emitter {
    /// The outputs: their own columns, and how these stand to others.
    ports: Arc<[(SchemaRef, WriteMode)]>,
    bytes_max: usize,
    rows_max: usize,
    rows_per_row_max: usize,
    parents: Parents,
    bytes: usize,
    rows: usize,
    calls: usize,
    /// The first limit that the present call passed, and how.
    exceeded: Option<(Violation, String)>,
    emissions: Vec<Emission>,
}

impl Emitter {
    pub(crate) fn new(limits: &PluginLimits) -> Self {
        Self {
            ports: Arc::new([]),
            bytes_max: limits.output_bytes_max,
            rows_max: limits.output_rows_max,
            rows_per_row_max: limits.rows_per_row_max,
            parents: Parents::None,
            bytes: 0,
            rows: 0,
            calls: 0,
            exceeded: None,
            emissions: Vec::new(),
        }
    }

    /// The binding's outputs are known: their own columns, in wire form, and their modes.
    pub(crate) fn bind(&mut self, ports: Arc<[(SchemaRef, WriteMode)]>) {
        self.ports = ports;
    }

    /// A call begins, whose rows come from these; what an earlier one left behind is discarded.
    pub(crate) fn begin(&mut self, parents: Parents) {
        self.parents = parents;
        self.bytes = 0;
        self.rows = 0;
        self.calls = 0;
        self.exceeded = None;
        self.emissions.clear();
    }

    /// The limit that the call passed, if it did. The guest was told, and may have gone on all the same.
    pub(crate) fn take_exceeded(&mut self) -> Option<(Violation, String)> {
        self.exceeded.take()
    }

    /// What the call has emitted so far.
    pub(crate) fn emissions(&self) -> &[Emission] {
        &self.emissions
    }

    /// What the call emitted, now that it has succeeded.
    pub(crate) fn take(&mut self) -> Vec<Emission> {
        std::mem::take(&mut self.emissions)
    }

    /// Checks that a message of so many bytes may come at all, before it is copied.
    fn admit(&mut self, port: u32, parents: usize, bytes: usize) -> Result<(usize, SchemaRef), EmitError> {
        let index = usize::try_from(port).unwrap_or(usize::MAX);
        let (schema, mode) = self.ports.get(index).ok_or(EmitError::UnknownPort(port))?;
        match (self.parents, mode) {
            (Parents::Timers(_), WriteMode::Append) => {
                let words = format!("port {port} has columns of the input, which a row from a timer has not");
                return Err(EmitError::InvalidBatch(words));
            }
            (Parents::None, WriteMode::Append | WriteMode::Keyed) => {
                let words = format!("port {port} has columns beside its own, and no row or timer is under way");
                return Err(EmitError::InvalidBatch(words));
            }
            _ => {}
        }
        self.bytes = self.bytes.saturating_add(bytes).saturating_add(parents.saturating_mul(size_of::<u32>()));
        self.rows = self.rows.saturating_add(parents);
        self.calls += 1;
        let schema = Arc::clone(schema);
        // More than all rows together may become: then one of them became too much. Which, is told when the call is over.
        let of_all_rows = self.rows_per_row_max.saturating_mul(self.parents.count().max(1));
        let limits = [
            (Violation::OutputBytes, "bytes (`limits.output`)", self.bytes, self.bytes_max),
            (Violation::OutputRows, "rows (`limits.output_rows`)", self.rows, self.rows_max),
            (Violation::Amplification, "rows (`limits.rows_per_row`)", self.rows, of_all_rows),
            (Violation::Emits, "emits", self.calls, EMITS_PER_CALL_MAX),
        ];
        let Some((violation, what, seen, limit)) = limits.into_iter().find(|(_, _, seen, limit)| seen > limit) else {
            return Ok((index, schema));
        };
        let (count, (_, all)) = (self.parents.count(), self.parents.words());
        let problem = format!("{seen} {what} in one call on {count} {all}; the limit is {limit}");
        self.exceeded.get_or_insert_with(|| (violation, problem.clone()));
        Err(EmitError::LimitExceeded(problem))
    }

    fn keep(
        &mut self,
        port: usize,
        schema: &SchemaRef,
        parents: UInt32Array,
        message: &Buffer,
    ) -> Result<(), EmitError> {
        // The greatest one tells for all, and is found without a branch per row.
        let count = self.parents.count();
        if let Some(parent) = parents.values().iter().max().filter(|parent| **parent as usize >= count) {
            let (_, all) = self.parents.words();
            return Err(EmitError::InvalidBatch(format!("parent {parent} of a batch of {count} {all}")));
        }
        let limits =
            GateLimits { bytes_max: self.bytes_max, rows_max: self.rows_max, logical_bytes_max: self.bytes_max };
        let batch = decode_batch(message, schema, &limits)
            .map_err(|error| EmitError::InvalidBatch(visible(&error.to_string(), PROBLEM_BYTES_MAX)))?;
        if self.parents == Parents::None {
            return self.keep_orphans(port, batch, message.len());
        }
        if batch.num_rows() != parents.len() {
            let (rows, parents) = (batch.num_rows(), parents.len());
            return Err(EmitError::InvalidBatch(format!("{rows} rows with {parents} parents")));
        }
        if batch.num_rows() > 0 {
            self.emissions.push(Emission { port, parents, batch, message_bytes: message.len() });
        }
        Ok(())
    }

    /// Rows that come from nothing: as if there were one row that they all came from.
    fn keep_orphans(&mut self, port: usize, batch: RecordBatch, message_bytes: usize) -> Result<(), EmitError> {
        self.rows = self.rows.saturating_add(batch.num_rows());
        if self.rows > self.rows_max {
            let (rows, limit) = (self.rows, self.rows_max);
            let problem = format!("{rows} rows (`limits.output_rows`) in one call; the limit is {limit}");
            self.exceeded.get_or_insert_with(|| (Violation::OutputRows, problem.clone()));
            return Err(EmitError::LimitExceeded(problem));
        }
        if batch.num_rows() > 0 {
            let parents = UInt32Array::from(vec![0; batch.num_rows()]);
            self.emissions.push(Emission { port, parents, batch, message_bytes });
        }
        Ok(())
    }
}

type Emit = (u32, WasmList<u32>, WasmList<u8>);

pub(crate) fn link(instance: &mut LinkerInstance<'_, HostState>) -> wasmtime::Result<()> {
    instance.func_wrap("emit", |mut context: StoreContextMut<'_, HostState>, (port, parents, batch): Emit| {
        let bytes = batch.len().saturating_add(size_of::<u32>().saturating_mul(parents.len()));
        context.data_mut().transfer.add(bytes)?;
        let emitted = emit(&mut context, port, &parents, &batch);
        if let Err(EmitError::UnknownPort(_) | EmitError::InvalidBatch(_)) = &emitted
            && !context.data().tape.is_playing()
        {
            context.data().metrics.violation(Violation::EmitRefused);
        }
        Ok((emitted,))
    })
}

fn emit(
    context: &mut StoreContextMut<'_, HostState>,
    port: u32,
    parents: &WasmList<u32>,
    batch: &WasmList<u8>,
) -> Result<(), EmitError> {
    let state = context.data_mut();
    if state.phase != Phase::Batch {
        return Err(EmitError::UnknownPort(port));
    }
    let (index, schema) = state.emitter.admit(port, parents.len(), batch.len())?;
    // One copy each, out of the guest's memory into aligned memory of the host.
    let message = pool::copied(batch.as_le_slice(&*context));
    let parents = UInt32Array::new(copied_numbers(parents.as_le_slice(&*context)), None);
    context.data_mut().emitter.keep(index, &schema, parents, &message)
}

/// Numbers of a guest, in memory of the host. (Hosts are little-endian, as guests are: Arrow's IPC is read as it stands.)
fn copied_numbers(numbers: &[u32]) -> ScalarBuffer<u32> {
    const { assert!(cfg!(target_endian = "little"), "columns cross as they lie in memory") };
    let mut block = pool::Block::of(size_of_val(numbers));
    block.extend_from_slice(numbers);
    ScalarBuffer::from(block.freeze())
}
