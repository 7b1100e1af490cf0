//! Where a flat-map hands over its rows.

use std::sync::Arc;

use arrow_schema::SchemaRef;
use thiserror::Error;

use crate::arrow::wire;
use crate::{Array, Failure, Port};

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
        Self::Fatal(error.to_string())
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
        self.to_string()
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
pub(crate) type EmitFn<'a> = dyn FnMut(u32, &[u32], Vec<u8>) -> Result<(), EmitError> + 'a;

/// Takes the rows of a flat-map while a batch is processed.
pub struct Emitter<'a> {
    ports: &'a [Port],
    schemas: &'a [SchemaRef],
    input_rows: usize,
    emit: &'a mut EmitFn<'a>,
}

impl<'a> Emitter<'a> {
    pub(crate) fn new(
        ports: &'a [Port],
        schemas: &'a [SchemaRef],
        input_rows: usize,
        emit: &'a mut EmitFn<'a>,
    ) -> Self {
        Self { ports, schemas, input_rows, emit }
    }

    /// Hands over rows for a port, given by name or by index.
    ///
    /// `parents` has, for each row, the index of the input row that it came from: any order, repeats allowed. The
    /// host carries along what the operator never saw. `columns` are the port's, each as long as `parents`.
    ///
    /// # Errors
    /// [`EmitError`] when port, columns or parents are wrong, or the host takes no more.
    pub fn emit(&mut self, port: impl PortRef, parents: &[u32], columns: Vec<Array>) -> Result<(), EmitError> {
        let index = port.index(self.ports).ok_or_else(|| EmitError::UnknownPort(port.describe()))?;
        if let Some(parent) = parents.iter().find(|parent| **parent as usize >= self.input_rows) {
            let rows = self.input_rows;
            return Err(EmitError::InvalidBatch(format!("parent {parent} in a batch of {rows} rows")));
        }
        let port = &self.ports[index];
        crate::runner::check_columns(port, &columns, parents.len()).map_err(EmitError::InvalidBatch)?;
        let columns = columns.iter().map(|column| Arc::clone(column.inner()));
        let batch = wire::crossing_batch(Arc::clone(&self.schemas[index]), columns, parents.len());
        let message = batch.and_then(|batch| wire::write_batch(&batch));
        let message = message.map_err(|error| EmitError::InvalidBatch(error.to_string()))?;
        // The number of ports is far below u32::MAX.
        (self.emit)(index as u32, parents, message)
    }
}
