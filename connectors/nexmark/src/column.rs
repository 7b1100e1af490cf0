//! A column: its name, its type, and how it is made out of event numbers.

use std::fmt;
use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, TimestampMillisecondArray};
use arrow::datatypes::{DataType, Field, TimeUnit};

use crate::model::Model;

/// A column of a kind's table.
pub(crate) struct Column {
    pub(crate) name: &'static str,
    data_type: fn() -> DataType,
    is_nullable: bool,
    make: fn(&Model, &[u64]) -> ArrayRef,
}

impl Column {
    /// A column without nulls.
    pub(crate) const fn new(
        name: &'static str,
        data_type: fn() -> DataType,
        make: fn(&Model, &[u64]) -> ArrayRef,
    ) -> Self {
        Self { name, data_type, is_nullable: false, make }
    }

    /// The same with nulls.
    pub(crate) const fn nullable(self) -> Self {
        Self { is_nullable: true, ..self }
    }

    pub(crate) fn field(&self) -> Field {
        Field::new(self.name, (self.data_type)(), self.is_nullable)
    }

    /// Its values for the events of these numbers, all of them of the kind.
    pub(crate) fn make(&self, model: &Model, numbers: &[u64]) -> ArrayRef {
        (self.make)(model, numbers)
    }
}

impl fmt::Debug for Column {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

pub(crate) fn int64() -> DataType {
    DataType::Int64
}

pub(crate) fn text() -> DataType {
    DataType::Utf8
}

/// Without a zone, as in the published queries.
pub(crate) fn time() -> DataType {
    DataType::Timestamp(TimeUnit::Millisecond, None)
}

/// A column of numbers.
pub(crate) fn integers(numbers: &[u64], value: impl Fn(u64) -> u64) -> ArrayRef {
    Arc::new(Int64Array::from(numbers.iter().map(|&n| value(n) as i64).collect::<Vec<_>>()))
}

/// A column of times, in milliseconds.
pub(crate) fn times(numbers: &[u64], time_ms: impl Fn(u64) -> i64) -> ArrayRef {
    Arc::new(TimestampMillisecondArray::from(numbers.iter().map(|&n| time_ms(n)).collect::<Vec<_>>()))
}

/// `date_time`: when an event happens.
pub(crate) fn date_time(model: &Model, numbers: &[u64]) -> ArrayRef {
    model.event_times(numbers)
}
