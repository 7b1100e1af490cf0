//! The kernel of both guests, with arrow-rs: keeps rows with `a > 100`; gives `b`, `a * 2 + 1` and `c`.

use std::sync::Arc;

use arrow_arith::numeric::{add_wrapping, mul_wrapping};
use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use arrow_array::{ArrayRef, Int64Array};
use arrow_ord::cmp;
use arrow_schema::{ArrowError, DataType, Field, Fields};
use arrow_select::filter::FilterBuilder;

/// The columns of the output.
pub(crate) fn fields() -> Fields {
    ["b", "a2", "c"].map(|name| Field::new(name, DataType::Int64, false)).into_iter().collect()
}

/// All rows, column by column, and which of them are kept.
#[allow(dead_code, reason = "one guest filters, the other leaves that to its caller")]
pub(crate) fn project(
    a: &Int64Array,
    b: &Int64Array,
    c: &Int64Array,
) -> Result<(Vec<ArrayRef>, arrow_buffer::NullBuffer), ArrowError> {
    let keep = cmp::gt(a, &Int64Array::new_scalar(100))?;
    let doubled = mul_wrapping(a, &Int64Array::new_scalar(2))?;
    let a2 = add_wrapping(doubled.as_primitive::<Int64Type>(), &Int64Array::new_scalar(1))?;
    let columns: Vec<ArrayRef> = vec![Arc::new(b.clone()), a2, Arc::new(c.clone())];
    Ok((columns, arrow_buffer::NullBuffer::new(keep.values().clone())))
}

/// The rows that are kept, column by column.
#[allow(dead_code, reason = "as above")]
pub(crate) fn filter_project(a: &Int64Array, b: &Int64Array, c: &Int64Array) -> Result<Vec<ArrayRef>, ArrowError> {
    let keep = FilterBuilder::new(&cmp::gt(a, &Int64Array::new_scalar(100))?).optimize().build();
    let doubled = mul_wrapping(&keep.filter(a)?, &Int64Array::new_scalar(2))?;
    let a2 = add_wrapping(doubled.as_primitive::<Int64Type>(), &Int64Array::new_scalar(1))?;
    Ok(vec![keep.filter(b)?, Arc::clone(&a2), keep.filter(c)?])
}
