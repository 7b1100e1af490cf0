//! Event time: which column of a stream holds it, and how it becomes milliseconds.

use std::sync::Arc;

use arrow::array::{Array, AsArray, Int64Array, PrimitiveArray, RecordBatch};
use arrow::compute;
use arrow::datatypes::{
    DataType, Date32Type, Date64Type, Int64Type, Schema, TimeUnit, TimestampMicrosecondType, TimestampMillisecondType,
    TimestampNanosecondType, TimestampSecondType,
};

use crate::{Error, Result};

/// Event times lie within this many milliseconds of 1970, either way: 2⁵², about 142,000 years. Arithmetic on windows
/// therefore never overflows.
pub const EVENT_TIME_MS_MAX: i64 = 1 << 52;

const DAY_MS: i64 = 24 * 60 * 60 * 1000;

/// The event times of a batch.
#[derive(Debug, Clone, PartialEq)]
pub struct EventTimes {
    /// In milliseconds since the Unix epoch; null where a row has none that can be used.
    pub ms: Int64Array,
    /// The least and the greatest of those that are not null.
    pub bounds: Option<(i64, i64)>,
}

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

    /// Whether a column of that type can hold event time.
    #[must_use]
    pub fn fits(data_type: &DataType) -> bool {
        matches!(data_type, DataType::Int64 | DataType::Timestamp(..) | DataType::Date32 | DataType::Date64)
    }

    /// Checks that a schema has the column, with a type that holds a time.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Config`] when there is no such column, or it is of another type.
    pub fn check(&self, schema: &Schema) -> Result<()> {
        let name = &self.name;
        match schema.field_with_name(name).map(|field| field.data_type()) {
            Ok(data_type) if Self::fits(data_type) => Ok(()),
            Ok(other) => Err(Error::config(format!(
                "the event-time column `{name}` is {other}: it has to be a timestamp, a date, or Int64 in milliseconds"
            ))),
            Err(_) => Err(Error::config(format!("the event-time column `{name}` is not a column of the input"))),
        }
    }

    /// The event times of a batch in milliseconds since the Unix epoch. Null where the column is null, or beyond
    /// [`EVENT_TIME_MS_MAX`]. Free for milliseconds without an offset, apart from a look at every value.
    ///
    /// # Errors
    /// When the batch has no such column, or it is of another type.
    pub fn ms(&self, batch: &RecordBatch) -> Result<Int64Array> {
        self.times(batch).map(|times| times.ms)
    }

    /// As [`EventTimeColumn::ms`], with the least and the greatest of them.
    ///
    /// # Errors
    /// As [`EventTimeColumn::ms`].
    pub fn times(&self, batch: &RecordBatch) -> Result<EventTimes> {
        let Some(column) = batch.column_by_name(&self.name) else {
            return Err(Error::internal(format!("the batch has no event-time column `{}`", self.name)));
        };
        let ms = match column.data_type() {
            DataType::Int64 => column.as_primitive::<Int64Type>().clone(),
            DataType::Timestamp(TimeUnit::Millisecond, _) => {
                column.as_primitive::<TimestampMillisecondType>().reinterpret_cast()
            }
            DataType::Timestamp(TimeUnit::Second, _) => scaled(column.as_primitive::<TimestampSecondType>(), 1000),
            DataType::Timestamp(TimeUnit::Microsecond, _) => {
                column.as_primitive::<TimestampMicrosecondType>().unary(|time| time.div_euclid(1000))
            }
            DataType::Timestamp(TimeUnit::Nanosecond, _) => {
                column.as_primitive::<TimestampNanosecondType>().unary(|time| time.div_euclid(1_000_000))
            }
            DataType::Date32 => column.as_primitive::<Date32Type>().unary(|day| i64::from(day) * DAY_MS),
            DataType::Date64 => column.as_primitive::<Date64Type>().reinterpret_cast(),
            other => return Err(Error::internal(format!("`{}` is {other} and holds no event time", self.name))),
        };
        Ok(self.within_bounds(ms))
    }

    fn within_bounds(&self, ms: Int64Array) -> EventTimes {
        const BOUNDS: std::ops::RangeInclusive<i64> = -EVENT_TIME_MS_MAX..=EVENT_TIME_MS_MAX;
        let fits = |bounds: Option<(i64, i64)>| {
            bounds.is_none_or(|(least, greatest)| BOUNDS.contains(&least) && BOUNDS.contains(&greatest))
        };
        let bounds = bounds(&ms);
        // Nearly always all are within.
        let (ms, bounds) = if fits(bounds) {
            (ms, bounds)
        } else {
            let ms = ms.unary_opt(|time| BOUNDS.contains(&time).then_some(time));
            let bounds = compute::min(&ms).zip(compute::max(&ms));
            (ms, bounds)
        };
        if self.offset_ms == 0 {
            return EventTimes { ms, bounds };
        }
        let offset = self.offset_ms;
        EventTimes {
            ms: ms.unary(|time: i64| time + offset),
            bounds: bounds.map(|(least, greatest)| (least + offset, greatest + offset)),
        }
    }
}

/// The least and the greatest value, in one pass without a branch where there are no nulls.
fn bounds(ms: &Int64Array) -> Option<(i64, i64)> {
    /// So many rows are looked at side by side, each beside those that stand as far from it.
    const LANES: usize = 8;
    if ms.is_empty() {
        return None;
    }
    if ms.null_count() > 0 {
        return compute::min(ms).zip(compute::max(ms));
    }
    let (mut least, mut greatest) = ([i64::MAX; LANES], [i64::MIN; LANES]);
    let (rows, rest) = ms.values().as_chunks::<LANES>();
    for row in rows {
        for lane in 0..LANES {
            least[lane] = least[lane].min(row[lane]);
            greatest[lane] = greatest[lane].max(row[lane]);
        }
    }
    least.into_iter().chain(rest.iter().copied()).min().zip(greatest.into_iter().chain(rest.iter().copied()).max())
}

/// Times a factor; null where that overflows.
fn scaled<T: arrow::datatypes::ArrowPrimitiveType<Native = i64>>(times: &PrimitiveArray<T>, factor: i64) -> Int64Array {
    times.unary_opt(|time| time.checked_mul(factor))
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::{
        ArrayRef, Date32Array, StringArray, TimestampMicrosecondArray, TimestampMillisecondArray, TimestampSecondArray,
    };

    fn ms(column: impl Array + 'static) -> Vec<Option<i64>> {
        let column: ArrayRef = Arc::new(column);
        let batch = RecordBatch::try_from_iter_with_nullable([("t", column, true)]).expect("one column");
        EventTimeColumn::new("t").ms(&batch).expect("a time").iter().collect()
    }

    #[test]
    fn every_type_becomes_milliseconds() {
        assert_eq!(ms(Int64Array::from(vec![Some(5), None])), [Some(5), None]);
        assert_eq!(ms(TimestampMillisecondArray::from(vec![7]).with_timezone("Europe/Berlin")), [Some(7)]);
        assert_eq!(ms(TimestampSecondArray::from(vec![-2, i64::MAX])), [Some(-2000), None]);
        assert_eq!(ms(TimestampMicrosecondArray::from(vec![-1, 1999])), [Some(-1), Some(1)], "rounded down");
        assert_eq!(ms(Date32Array::from(vec![1])), [Some(DAY_MS)]);
    }

    #[test]
    fn times_at_the_extremes_are_null() {
        let at = vec![i64::MIN, -EVENT_TIME_MS_MAX, EVENT_TIME_MS_MAX, EVENT_TIME_MS_MAX + 1, i64::MAX];
        assert_eq!(ms(Int64Array::from(at)), [None, Some(-EVENT_TIME_MS_MAX), Some(EVENT_TIME_MS_MAX), None, None]);
    }

    #[test]
    fn an_offset_is_added_and_other_columns_are_refused() {
        let column: ArrayRef = Arc::new(Int64Array::from(vec![10]));
        let text: ArrayRef = Arc::new(StringArray::from(vec!["x"]));
        let batch = RecordBatch::try_from_iter([("t", column), ("s", text)]).expect("two columns");
        let end = EventTimeColumn { name: "t".into(), offset_ms: -1 };
        assert_eq!(end.ms(&batch).expect("a time").value(0), 9);
        end.check(&batch.schema()).expect("a time");
        for name in ["s", "u"] {
            assert!(EventTimeColumn::new(name).ms(&batch).is_err());
            assert!(EventTimeColumn::new(name).check(&batch.schema()).is_err());
        }
    }
}
