//! Where a flat-map hands over its rows.

use thiserror::Error;

use crate::buffer::Buffer;
use crate::runner::PortWire;
use crate::{Array, Failure, Port, Writer, kernels};

/// Why rows were not taken. It turns into a fatal [`Failure`] with `?`.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum EmitError {
    /// The binding has no such output.
    #[error("no output port {0}")]
    UnknownPort(String),
    /// The columns are not those of the port, or `parents` does not fit them.
    #[error("{0}")]
    InvalidBatch(String),
    /// This call has put out more rows or bytes than the host allows it.
    #[error("too much output in one call: {0}")]
    LimitExceeded(String),
}

impl From<EmitError> for Failure {
    fn from(error: EmitError) -> Self {
        Self::Fatal(format!("{error}"))
    }
}

/// Names an output port: by its place in the binding (0 is `out`) or by its name.
pub trait PortRef {
    /// The place of the port among these.
    #[doc(hidden)]
    fn index(&self, ports: &[Port]) -> Option<usize>;

    /// The port as error messages call it.
    #[doc(hidden)]
    fn describe(&self) -> String;
}

impl PortRef for usize {
    fn index(&self, ports: &[Port]) -> Option<usize> {
        (*self < ports.len()).then_some(*self)
    }

    fn describe(&self) -> String {
        format!("{self}")
    }
}

impl PortRef for &str {
    fn index(&self, ports: &[Port]) -> Option<usize> {
        ports.iter().position(|port| port.name == **self)
    }

    fn describe(&self) -> String {
        format!("`{self}`")
    }
}

/// Takes one encoded batch: port, parents, message.
pub(crate) type EmitFn<'a> = dyn FnMut(u32, &[u32], &[u8]) -> Result<(), EmitError> + 'a;

/// Takes the rows of a flat-map while a batch is processed.
pub struct Emitter<'a> {
    ports: &'a [Port],
    wires: &'a [PortWire],
    input_rows: usize,
    /// Where messages are written; the host has copied one when it took it.
    out: &'a mut Buffer,
    emit: &'a mut EmitFn<'a>,
}

impl<'a> Emitter<'a> {
    pub(crate) fn new(
        ports: &'a [Port],
        wires: &'a [PortWire],
        input_rows: usize,
        out: &'a mut Buffer,
        emit: &'a mut EmitFn<'a>,
    ) -> Self {
        Self { ports, wires, input_rows, out, emit }
    }

    /// The same, for a while.
    pub(crate) fn lent(&mut self) -> Emitter<'_> {
        let Self { ports, wires, input_rows, out, emit } = self;
        Emitter { ports, wires, input_rows: *input_rows, out, emit: &mut **emit }
    }

    /// Hands over rows for a port, given by name or by index.
    ///
    /// `parents` has, for each row, the index of the input row that it came from: any order, repeats allowed. The
    /// host carries along what the operator never saw. `columns` are the port's, each as long as `parents`.
    ///
    /// # Errors
    /// [`EmitError`] when port, columns or parents are wrong, or the host takes no more.
    pub fn emit(&mut self, port: impl PortRef, parents: &[u32], columns: Vec<Array>) -> Result<(), EmitError> {
        let index = self.index(&port)?;
        self.check_parents(parents)?;
        self.wires[index].encode(&self.ports[index], &columns, parents.len(), self.out)?;
        crate::array::spare(columns);
        // The number of ports is far below u32::MAX.
        (self.emit)(index as u32, parents, self.out.bytes())
    }

    /// Hands over rows for a port, whose columns `fill` writes straight into the message. It is for operators to which a
    /// copy of the values matters; otherwise as [`Emitter::emit`].
    ///
    /// # Errors
    /// What `fill` returns; [`EmitError`] when port, columns or parents are wrong, or the host takes no more.
    pub fn write<E: From<EmitError>>(
        &mut self,
        port: impl PortRef,
        parents: &[u32],
        fill: impl FnOnce(&mut Writer<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        let index = self.index(&port)?;
        self.check_parents(parents)?;
        let mut writer = self.wires[index].writer(parents.len(), self.out);
        fill(&mut writer)?;
        writer.finish()?;
        (self.emit)(index as u32, parents, self.out.bytes())?;
        Ok(())
    }

    /// Hands over rows that come from nothing, in [`ProcessOperator::on_watermark`](crate::ProcessOperator::on_watermark):
    /// for ports of mode `replace`.
    ///
    /// # Errors
    /// As [`Emitter::emit`].
    pub fn emit_alone(&mut self, port: impl PortRef, columns: Vec<Array>) -> Result<(), EmitError> {
        let index = self.index(&port)?;
        let rows = columns.first().map_or(0, Array::len);
        self.wires[index].encode(&self.ports[index], &columns, rows, self.out)?;
        crate::array::spare(columns);
        (self.emit)(index as u32, &[], self.out.bytes())
    }

    fn index(&self, port: &impl PortRef) -> Result<usize, EmitError> {
        port.index(self.ports).ok_or_else(|| EmitError::UnknownPort(port.describe()))
    }

    #[inline]
    fn check_parents(&self, parents: &[u32]) -> Result<(), EmitError> {
        match kernels::max_u32(parents) {
            Some(parent) if parent as usize >= self.input_rows => {
                let rows = self.input_rows;
                Err(EmitError::InvalidBatch(format!("parent {parent} in a batch of {rows} rows")))
            }
            _ => Ok(()),
        }
    }
}
