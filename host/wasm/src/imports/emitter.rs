//! `emitter`: rows that a flat-map hands over, kept until its call has succeeded.

use std::sync::Arc;

use arrow::array::{RecordBatch, UInt32Array};
use arrow::buffer::{Buffer, ScalarBuffer};
use arrow::datatypes::SchemaRef;
use volley_ipc::{GateLimits, decode_batch};
use wasmtime::StoreContextMut;
use wasmtime::component::{LinkerInstance, WasmList};

use crate::contract::EmitError;
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
    /// For each row, the row of the call's batch that it came from.
    pub(crate) parents: UInt32Array,
    pub(crate) batch: RecordBatch,
    /// Bytes of the message that it came in.
    pub(crate) message_bytes: usize,
}

/// What the present call has emitted.
#[derive(Debug)]
pub(crate) struct Emitter {
    ports: Arc<[SchemaRef]>,
    bytes_max: usize,
    rows_max: usize,
    rows_per_row_max: usize,
    input_rows: usize,
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
            input_rows: 0,
            bytes: 0,
            rows: 0,
            calls: 0,
            exceeded: None,
            emissions: Vec::new(),
        }
    }

    /// The binding's outputs are known: their own columns, in wire form.
    pub(crate) fn bind(&mut self, ports: Arc<[SchemaRef]>) {
        self.ports = ports;
    }

    /// A call on so many rows begins; what an earlier one left behind is discarded.
    pub(crate) fn begin(&mut self, input_rows: usize) {
        self.input_rows = input_rows;
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

    /// What the call emitted, now that it has succeeded.
    pub(crate) fn take(&mut self) -> Vec<Emission> {
        std::mem::take(&mut self.emissions)
    }

    /// Checks that a message of so many bytes may come at all, before it is copied.
    fn admit(&mut self, port: u32, parents: usize, bytes: usize) -> Result<(usize, SchemaRef), EmitError> {
        let index = usize::try_from(port).unwrap_or(usize::MAX);
        let schema = self.ports.get(index).ok_or(EmitError::UnknownPort(port))?;
        self.bytes = self.bytes.saturating_add(bytes).saturating_add(parents.saturating_mul(size_of::<u32>()));
        self.rows = self.rows.saturating_add(parents);
        self.calls += 1;
        let schema = Arc::clone(schema);
        // More than all rows together may become: then one of them became too much. Which, is told when the call is over.
        let of_all_rows = self.rows_per_row_max.saturating_mul(self.input_rows);
        let limits = [
            (Violation::OutputBytes, "bytes (`limits.output`)", self.bytes, self.bytes_max),
            (Violation::OutputRows, "rows (`limits.output_rows`)", self.rows, self.rows_max),
            (Violation::Amplification, "rows (`limits.rows_per_row`)", self.rows, of_all_rows),
            (Violation::Emits, "emits", self.calls, EMITS_PER_CALL_MAX),
        ];
        let Some((violation, what, seen, limit)) = limits.into_iter().find(|(_, _, seen, limit)| seen > limit) else {
            return Ok((index, schema));
        };
        let problem = format!("{seen} {what} in one call on {} rows; the limit is {limit}", self.input_rows);
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
        if let Some(parent) = parents.values().iter().max().filter(|parent| **parent as usize >= self.input_rows) {
            let rows = self.input_rows;
            return Err(EmitError::InvalidBatch(format!("parent {parent} of a batch of {rows} rows")));
        }
        let limits =
            GateLimits { bytes_max: self.bytes_max, rows_max: self.rows_max, logical_bytes_max: self.bytes_max };
        let batch = decode_batch(message, schema, &limits)
            .map_err(|error| EmitError::InvalidBatch(visible(&error.to_string(), PROBLEM_BYTES_MAX)))?;
        if batch.num_rows() != parents.len() {
            let (rows, parents) = (batch.num_rows(), parents.len());
            return Err(EmitError::InvalidBatch(format!("{rows} rows with {parents} parents")));
        }
        if batch.num_rows() > 0 {
            self.emissions.push(Emission { port, parents, batch, message_bytes: message.len() });
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
        if let Err(EmitError::UnknownPort(_) | EmitError::InvalidBatch(_)) = &emitted {
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
