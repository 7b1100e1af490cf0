//! The inputs: three columns of numbers, or a number and a text of 13 bytes. About half of the rows pass the filter.

use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};

/// Batches that take turns, so that no branch predictor learns one by heart. Together they stay in a core's cache.
const BATCHES: usize = 4;

/// Below 200, and the filter keeps what is above 100.
const VALUES: u64 = 200;

/// What rows have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shape {
    /// `a`, `b`, `c`: i64.
    Numbers,
    /// `a`: i64, `t`: 13 bytes of text.
    Text,
}

impl Shape {
    pub(crate) const ALL: [Self; 2] = [Self::Numbers, Self::Text];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Numbers => "i64x3",
            Self::Text => "i64+str13",
        }
    }

    pub(crate) fn schema(self) -> SchemaRef {
        let field = |name: &str, data_type| Field::new(name, data_type, false);
        let number = |name: &str| field(name, DataType::Int64);
        Arc::new(Schema::new(match self {
            Self::Numbers => vec![number("a"), number("b"), number("c")],
            Self::Text => vec![number("a"), field("t", DataType::Utf8)],
        }))
    }

    /// Batches of so many rows, the same at every run.
    pub(crate) fn batches(self, rows: usize) -> Vec<RecordBatch> {
        let mut state = 42;
        (0..BATCHES).map(|_| self.batch(rows, &mut state)).collect()
    }

    fn batch(self, rows: usize, state: &mut u64) -> RecordBatch {
        let mut numbers = |below: u64| -> ArrayRef {
            Arc::new(Int64Array::from_iter_values((0..rows).map(|_| (next(state) % below).cast_signed())))
        };
        let columns = match self {
            Self::Numbers => vec![numbers(VALUES), numbers(1 << 40), numbers(1 << 20)],
            Self::Text => {
                let a = numbers(VALUES);
                let texts = (0..rows).map(|_| format!("{:013}", next(state) % 10_000_000_000_000));
                vec![a, Arc::new(StringArray::from_iter_values(texts)) as ArrayRef]
            }
        };
        RecordBatch::try_new(self.schema(), columns).expect("columns of the schema")
    }
}

fn next(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    volley_api::split_mix_64(*state)
}
