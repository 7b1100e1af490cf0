//! What stands behind the row-wise functions: how arguments are read from columns and results are written to them.

mod argument;
mod cells;
mod emit;
mod function;
mod output;
mod section;
mod state;
mod time;
mod types;

pub use crate::array::collect;
pub use argument::Argument;
pub(crate) use argument::read_f64;
pub use cells::{Cells, Columns, NoColumns};
pub use emit::Emit;
pub use function::{Reading, Record, check_arity, check_type, result_type, results, results_or};
pub use output::Output;
pub use section::{Section, SectionColumns, SectionKind, SectionState, section_bytes, section_len};
pub use state::{AggregateState, StateField, grow_states};
#[cfg(not(target_arch = "wasm32"))]
pub(crate) use time::times;
pub use time::{TimeColumn, read_time};
pub use types::{Date, Decimal, TimestampMicros, TimestampMillis, TimestampNanos, TimestampSeconds};

use crate::{Column, DataType, Field, OpenError, Schema};

/// Checks that an input has the column an argument wants.
///
/// # Errors
/// [`OpenError::InvalidInput`] naming column, type found and type wanted.
pub fn check_argument<'a, T: Argument<'a>>(input: &Schema, column: &str) -> Result<(), OpenError> {
    check(input, column, T::accepts, T::WANTED)
}

#[inline(never)]
fn check(input: &Schema, column: &str, accepts: fn(&DataType) -> bool, wanted: &str) -> Result<(), OpenError> {
    let field = input.require(column)?;
    if accepts(field.data_type.value_type()) {
        return Ok(());
    }
    Err(OpenError::InvalidInput(format!("column `{column}` is {}, the function wants {wanted}", field.data_type)))
}

/// Reads the argument at `index` of the binding's `reads`; its type was checked in `open`.
pub fn reader<'a, T: Argument<'a>>(batch: &crate::Batch<'a>, index: usize) -> Result<T::Reader, crate::Failure> {
    let column: Column<'a> = batch.at(index);
    T::reader(column).map_err(crate::Failure::from)
}

/// The fields of a row type under these names.
///
/// # Panics
/// When the number of names is not that of the columns; the macros count them.
#[must_use]
pub fn fields<C: Cells>(names: &[&str]) -> Schema {
    named(names, C::data_types())
}

fn named(names: &[&str], types: Vec<DataType>) -> Schema {
    assert!(names.len() == types.len(), "one name for each output column");
    let mut fields = Vec::with_capacity(types.len());
    for (name, data_type) in names.iter().zip(types) {
        fields.push(Field::new(*name, data_type));
    }
    Schema::new(fields)
}
