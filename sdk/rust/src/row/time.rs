//! The event time of rows, in milliseconds, whatever its column is.

use crate::column::{Column, ColumnError, Values};
use crate::{Batch, Binding, DataType, Failure, OpenError, ProcessInput, TimeUnit};

const DAY_MS: i64 = 24 * 60 * 60 * 1_000;

/// The column that holds the event time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TimeColumn {
    /// Its place among the columns that are read.
    place: usize,
    offset_ms: i64,
}

/// The same binding, which reads the event time too, and where that is.
///
/// # Errors
/// [`OpenError::InvalidInput`] when the rows have none.
pub fn read_time(mut binding: Binding, input: &ProcessInput) -> Result<(Binding, TimeColumn), OpenError> {
    let Some(time) = &input.event_time else {
        let message = "the rows have no event time: declare `event_time` at the source";
        return Err(OpenError::InvalidInput(message.to_owned()));
    };
    let place = binding.reads.iter().position(|name| *name == time.column).unwrap_or_else(|| {
        binding.reads.push(time.column.clone());
        binding.reads.len() - 1
    });
    Ok((binding, TimeColumn { place, offset_ms: time.offset_ms }))
}

impl TimeColumn {
    /// The times of a batch.
    ///
    /// # Errors
    /// [`Failure`] when the column is of a type that holds no time, which a host checks.
    pub fn reader<'a>(&self, batch: &Batch<'a>) -> Result<Values<'a, i64>, Failure> {
        Ok(times(batch.at(self.place), self.offset_ms)?)
    }
}

pub(crate) fn times<'a>(column: Column<'a>, offset_ms: i64) -> Result<Values<'a, i64>, ColumnError> {
    let wanted = || column.mismatch("a time");
    let (unit_ms, per_ms) = match column.data_type() {
        DataType::Date32 => {
            let days = column.fixed::<i32>().ok_or_else(wanted)?;
            return Ok(days.map(|day| i64::from(day) * DAY_MS + offset_ms));
        }
        DataType::Timestamp(TimeUnit::Second, _) => (1_000, 1),
        DataType::Timestamp(TimeUnit::Microsecond, _) => (1, 1_000),
        DataType::Timestamp(TimeUnit::Nanosecond, _) => (1, 1_000_000),
        DataType::Int64 | DataType::Timestamp(..) | DataType::Date64 => (1, 1),
        _ => return Err(wanted()),
    };
    let values = column.fixed::<i64>().ok_or_else(wanted)?;
    if (unit_ms, per_ms, offset_ms) == (1, 1, 0) {
        return Ok(values);
    }
    Ok(values.map(|time| time.wrapping_mul(unit_ms).div_euclid(per_ms) + offset_ms))
}
