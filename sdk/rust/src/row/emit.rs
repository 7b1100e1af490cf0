//! One output port of a row-wise flat-map while a batch is processed.

use super::cells::Cells;
use crate::buffer::Buffer;
use crate::{Emitter, Failure};

/// Takes the rows that a row-wise flat-map puts out on one port: `out: &mut Emit<(String, i64)>`.
pub struct Emit<C: Cells> {
    builders: C::Builders,
    /// The row that each came from, a `u32` each.
    parents: Buffer,
    row: u32,
}

impl<C: Cells> Default for Emit<C> {
    fn default() -> Self {
        Self::new()
    }
}

impl<C: Cells> Emit<C> {
    /// Nothing emitted yet.
    #[must_use]
    pub fn new() -> Self {
        Self { builders: C::builders(), parents: Buffer::new(), row: 0 }
    }

    /// One row more on this port, a child of the row that the function was called with.
    #[inline]
    pub fn push(&mut self, row: C) {
        row.push(&mut self.builders);
        self.parents.push(self.row);
    }

    /// How many rows were pushed for this batch.
    #[must_use]
    pub fn len(&self) -> usize {
        self.parents.count::<u32>()
    }

    /// Whether nothing was pushed for this batch.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Rows pushed from here on are children of this row.
    #[doc(hidden)]
    pub fn set_row(&mut self, row: usize) {
        // A batch has at most u32::MAX rows.
        self.row = u32::try_from(row).unwrap_or(u32::MAX);
    }

    /// Hands the rows to the host.
    #[doc(hidden)]
    pub fn flush(self, out: &mut Emitter<'_>, port: usize) -> Result<(), Failure> {
        if self.is_empty() {
            return Ok(());
        }
        out.emit(port, self.parents.values(), C::finish(self.builders)).map_err(Failure::from)
    }
}
