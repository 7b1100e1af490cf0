//! The cases, each with its bars.

mod aggregates;
mod crossing;
mod keyed;
mod neighbours;
mod pipeline;
mod process;
mod start;
mod values;

use std::error::Error;

use arrow::array::RecordBatch;
use volley_api::{Operator, StreamRecord};

use crate::guest::Guests;
use crate::sink::Counting;

/// A case prints its lines.
type Case = fn(&Guests, usize) -> Result<(), Box<dyn Error>>;

/// All cases, in the order of their lines.
pub(crate) const ALL: [(&str, Case); 12] = [
    ("R1", crossing::filter_project),
    ("R2", crossing::identity),
    ("R3", crossing::ticks),
    ("R4", pipeline::native),
    ("R15", values::scalar),
    ("path", crossing::own_against_stock),
    ("start", start::start),
    ("R13_sum_avg", aggregates::sums),
    ("R13_sketch", aggregates::sketches),
    ("R13_job", keyed::job),
    ("R14", process::value),
    ("R16", neighbours::spinning),
];

/// Work for a clock: the next batch through an operator, over and over.
pub(crate) fn driven<'a>(operator: &'a mut dyn Operator, batches: &'a [RecordBatch]) -> impl FnMut() + 'a {
    let mut next = 0;
    move || {
        let batch = batches[next].clone();
        next = (next + 1) % batches.len();
        let mut output = Counting::default();
        operator.process(StreamRecord::new(batch), &mut output).expect("the operator works on its own input");
        assert!(output.rows > 0, "nothing came out");
    }
}

/// Everything that an operator makes of these batches.
pub(crate) fn output_of(operator: &mut dyn Operator, batches: &[RecordBatch]) -> volley_api::Result<RecordBatch> {
    let mut output = Counting::keeping();
    for batch in batches {
        operator.process(StreamRecord::new(batch.clone()), &mut output)?;
    }
    Ok(output.all())
}
