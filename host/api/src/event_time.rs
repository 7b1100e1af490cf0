//! Event time: which column of a stream holds it, and how it becomes milliseconds.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Int64Array, PrimitiveArray, RecordBatch};
use arrow::datatypes::{
    ArrowPrimitiveType, DataType, Date32Type, Date64Type, Int64Type, Schema, TimeUnit, TimestampMicrosecondType,
    TimestampMillisecondType, TimestampNanosecondType, TimestampSecondType,
};

use crate::{Error, Result};

const MS_PER_DAY: i64 = 86_400_000;

/// The column that holds the event time of a stream's rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventTimeColumn {
    /// The column's name. Its type is `Int64` (milliseconds since the Unix epoch), any timestamp, or a date.
    pub name: Arc<str>,
    /// Added to the column's time, in milliseconds: −1 for results of windows, whose time is the last millisecond of the
    /// window while the column holds its end.
    pub offset_ms: i64,
}

impl EventTimeColumn {
    /// The column of that name, as it is.
    #[must_use]
    pub fn new(name: &str) -> Self {
        Self { name: name.into(), offset_ms: 0 }
    }
    /// Checks that a schema has the column, with a type that holds a time.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Config`] when there is no such column, or it is of another type.
    pub fn check(&self, schema: &Schema) -> Result<()> {
        let name = &self.name;
        match schema.field_with_name(name).map(|field| field.data_type()) {
            Ok(DataType::Int64 | DataType::Timestamp(..) | DataType::Date32 | DataType::Date64) => Ok(()),
            Ok(other) => Err(Error::config(format!(
                "the event-time column `{name}` is {other}: it has to be a timestamp, a date, or Int64 in milliseconds"
            ))),
            Err(_) => Err(Error::config(format!("the event-time column `{name}` is not a column of the input"))),
        }
    }

    /// The event times of a batch's rows, in milliseconds since the Unix epoch, the offset included.
    ///
    /// A null stays null, and so becomes what is beyond 64 bits in milliseconds. What is finer than a millisecond is cut
    /// off towards the past, so that order is kept on both sides of the epoch. The time zone of a timestamp makes no
    /// difference: what it holds is UTC.
    ///
    /// # Errors
    /// As [`EventTimeColumn::check`].
    pub fn ms(&self, batch: &RecordBatch) -> Result<Int64Array> {
        self.check(&batch.schema())?;
        let column = batch
            .column_by_name(&self.name)
            .ok_or_else(|| Error::internal(format!("the event-time column `{}` was there a moment ago", self.name)))?;
        let times = match column.data_type() {
            DataType::Date32 => column.as_primitive::<Date32Type>().unary(|days| i64::from(days) * MS_PER_DAY),
            DataType::Date64 => as_they_are::<Date64Type>(column),
            DataType::Timestamp(TimeUnit::Second, _) => {
                column.as_primitive::<TimestampSecondType>().unary_opt(|seconds| seconds.checked_mul(1_000))
            }
            DataType::Timestamp(TimeUnit::Millisecond, _) => as_they_are::<TimestampMillisecondType>(column),
            DataType::Timestamp(TimeUnit::Microsecond, _) => {
                column.as_primitive::<TimestampMicrosecondType>().unary(|micros| micros.div_euclid(1_000))
            }
            DataType::Timestamp(TimeUnit::Nanosecond, _) => {
                column.as_primitive::<TimestampNanosecondType>().unary(|nanos| nanos.div_euclid(1_000_000))
            }
            _ => as_they_are::<Int64Type>(column),
        };
        match self.offset_ms {
            0 => Ok(times),
            offset => Ok(times.unary_opt(|ms: i64| ms.checked_add(offset))),
        }
    }
}

/// A column that holds milliseconds already: nothing is copied.
fn as_they_are<T: ArrowPrimitiveType<Native = i64>>(column: &ArrayRef) -> Int64Array {
    let column: &PrimitiveArray<T> = column.as_primitive::<T>();
    Int64Array::new(column.values().clone(), column.nulls().cloned())
}

#[cfg(test)]
mod tests {
    use arrow::array::{
        Date32Array, Date64Array, StringArray, TimestampMicrosecondArray, TimestampMillisecondArray,
        TimestampNanosecondArray, TimestampSecondArray,
    };

    use super::*;

    fn ms(column: impl Array + 'static, offset_ms: i64) -> Vec<Option<i64>> {
        let batch = RecordBatch::try_from_iter([("at", Arc::new(column) as ArrayRef)]).unwrap();
        let times = EventTimeColumn { name: "at".into(), offset_ms }.ms(&batch).unwrap();
        times.iter().collect()
    }

    #[test]
    fn every_type_becomes_milliseconds() {
        assert_eq!(ms(Int64Array::from(vec![Some(5), None]), 0), [Some(5), None]);
        assert_eq!(
            ms(Date32Array::from(vec![Some(1), None, Some(-1)]), 0),
            [Some(86_400_000), None, Some(-86_400_000)]
        );
        assert_eq!(ms(Date64Array::from(vec![7]), 0), [Some(7)]);
        assert_eq!(ms(TimestampSecondArray::from(vec![2, -2]).with_timezone("+02:00"), 0), [Some(2_000), Some(-2_000)]);
        assert_eq!(ms(TimestampMillisecondArray::from(vec![Some(3), None]), 0), [Some(3), None]);
        assert_eq!(ms(TimestampMicrosecondArray::from(vec![1_999, -1]), 0), [Some(1), Some(-1)]);
        assert_eq!(ms(TimestampNanosecondArray::from(vec![1_999_999, -1]), 0), [Some(1), Some(-1)]);
    }

    #[test]
    fn what_is_beyond_milliseconds_is_null() {
        assert_eq!(ms(TimestampSecondArray::from(vec![i64::MAX, 1]), 0), [None, Some(1_000)]);
        assert_eq!(ms(Int64Array::from(vec![i64::MIN, 0]), -1), [None, Some(-1)]);
    }

    #[test]
    fn other_columns_are_refused() {
        let batch = RecordBatch::try_from_iter([("at", Arc::new(StringArray::from(vec!["x"])) as ArrayRef)]).unwrap();
        assert_eq!(
            EventTimeColumn::new("at").ms(&batch).unwrap_err().to_string(),
            "the event-time column `at` is Utf8: it has to be a timestamp, a date, or Int64 in milliseconds"
        );
        assert_eq!(
            EventTimeColumn::new("it").ms(&batch).unwrap_err().to_string(),
            "the event-time column `it` is not a column of the input"
        );
    }
}
