//! The kernel as functions of arrow-udf, both ways that its macro has: row by row, and with a batch function.

// The macro exports what it generates under names of its own.
#![allow(unsafe_code, missing_docs)]

#[path = "../../kernel.rs"]
mod kernel;

use arrow_array::{Int64Array, StructArray};
use arrow_udf::function;
use arrow_udf::types::StructType;

#[derive(StructType)]
struct Row {
    b: i64,
    a2: i64,
    c: i64,
}

/// A table function, the documented way to give another number of rows: 0 or 1 for each.
#[function("filter_project(int64, int64, int64) -> setof struct Row")]
fn filter_project(a: i64, b: i64, c: i64) -> impl Iterator<Item = Row> {
    row(a, b, c).into_iter()
}

/// The attribute `batch_fn` takes the place of the loop over rows: the fastest that arrow-udf can be. A scalar function gives
/// a result for each row, null for those that go, and its caller leaves the nulls out.
#[function("filter_project_batch(int64, int64, int64) -> struct Row", batch_fn = "kept")]
fn row(a: i64, b: i64, c: i64) -> Option<Row> {
    (a > 100).then(|| Row { b, a2: a.wrapping_mul(2).wrapping_add(1), c })
}

fn kept(a: &Int64Array, b: &Int64Array, c: &Int64Array) -> StructArray {
    let (columns, keep) = kernel::project(a, b, c).expect("the kernel takes any three columns of one length");
    let fields = kernel::fields().iter().map(|field| field.as_ref().clone().with_nullable(true)).collect();
    StructArray::new(fields, columns, Some(keep))
}
