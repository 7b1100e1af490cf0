//! The three kinds of operator between messages.

use super::{Bound, Outputs, RejectedRows, Runner, open, sorted};
use crate::bits::BitsBuilder;
use crate::emitter::EmitFn;
use crate::{Emitter, Failure, FilterOperator, FlatMapOperator, MapOperator, OpenError};

/// An opened map.
pub struct MapRunner<Op> {
    operator: Op,
    pub(crate) bound: Bound,
}

impl<Op: MapOperator> Runner for MapRunner<Op> {
    fn open(config: &str, input: &[u8]) -> Result<Self, OpenError> {
        let (operator, bound) = open(config, input, Outputs::One, Op::open)?;
        Ok(Self { operator, bound })
    }

    fn bound(&self) -> &Bound {
        &self.bound
    }

    fn close(&mut self) {
        self.operator.close();
    }
}

impl<Op: MapOperator> MapRunner<Op> {
    pub(crate) fn map(&mut self, message: Vec<u8>) -> Result<(Vec<u8>, RejectedRows), Failure> {
        let batch = self.bound.decode(message)?;
        let rows = batch.num_rows();
        let mapped = self.operator.map(&self.bound.view(&batch))?;
        let rejects = sorted(mapped.rejects, rows)?;
        Ok((self.bound.encode(0, &mapped.columns, rows)?, rejects))
    }
}

/// An opened filter.
pub struct FilterRunner<Op> {
    operator: Op,
    pub(crate) bound: Bound,
}

impl<Op: FilterOperator> Runner for FilterRunner<Op> {
    fn open(config: &str, input: &[u8]) -> Result<Self, OpenError> {
        let (operator, bound) = open(config, input, Outputs::None, Op::open)?;
        Ok(Self { operator, bound })
    }

    fn bound(&self) -> &Bound {
        &self.bound
    }

    fn close(&mut self) {
        self.operator.close();
    }
}

impl<Op: FilterOperator> FilterRunner<Op> {
    /// The bitmap of the rows that stay, and the rejects.
    pub(crate) fn filter(&mut self, message: Vec<u8>) -> Result<(Vec<u8>, RejectedRows), Failure> {
        let batch = self.bound.decode(message)?;
        let rows = batch.num_rows();
        let filtered = self.operator.filter(&self.bound.view(&batch))?;
        if filtered.keep.len() != rows {
            let found = filtered.keep.len();
            return Err(Failure::Fatal(format!("{found} decisions of the filter for {rows} rows")));
        }
        let rejects = sorted(filtered.rejects, rows)?;
        Ok((BitsBuilder::from_bools(&filtered.keep).into_bytes(), rejects))
    }
}

/// An opened flat-map.
pub struct FlatMapRunner<Op> {
    operator: Op,
    pub(crate) bound: Bound,
}

impl<Op: FlatMapOperator> Runner for FlatMapRunner<Op> {
    fn open(config: &str, input: &[u8]) -> Result<Self, OpenError> {
        let (operator, bound) = open(config, input, Outputs::OneOrMore, Op::open)?;
        Ok(Self { operator, bound })
    }

    fn bound(&self) -> &Bound {
        &self.bound
    }

    fn close(&mut self) {
        self.operator.close();
    }
}

impl<Op: FlatMapOperator> FlatMapRunner<Op> {
    pub(crate) fn flat_map(&mut self, message: Vec<u8>, emit: &mut EmitFn<'_>) -> Result<RejectedRows, Failure> {
        let batch = self.bound.decode(message)?;
        let rows = batch.num_rows();
        // The emitter wants the closure for exactly as long as itself.
        let mut emit = |port: u32, parents: &[u32], message: Vec<u8>| emit(port, parents, message);
        let mut out = Emitter::new(&self.bound.binding.ports, &self.bound.port_schemas, rows, &mut emit);
        let rejects = self.operator.flat_map(&self.bound.view(&batch), &mut out)?;
        sorted(rejects, rows)
    }
}
