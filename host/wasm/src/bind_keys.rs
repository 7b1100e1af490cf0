//! What a process operator agrees to besides: keys that it wants to know, states; and what its keyed rows carry.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, Date32Array, Date64Array, Int64Array, RecordBatch, RecordBatchOptions, TimestampMicrosecondArray,
    TimestampMillisecondArray, TimestampNanosecondArray, TimestampSecondArray,
};
use arrow::datatypes::{DataType, FieldRef, Schema, SchemaRef, TimeUnit};
use arrow::error::ArrowError;
use volley_api::{KeyHasher, unpacked};
use volley_ipc::{columns_to_wire, wire_schema};

use crate::contract::Particulars;
use crate::guest::broke;
use crate::input::PluginInput;
use crate::keyed::Declared;
use crate::plugin::Who;
use crate::text::visible;
use crate::violation::Violation;
use crate::{Error, Result};

const DAY_MS: i64 = 24 * 60 * 60 * 1_000;

/// The keyed part of a binding, made ready for use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct BoundKeys {
    /// The columns of `key_by`, as indices into the input.
    pub(crate) columns: Vec<usize>,
    /// The same, dictionaries unpacked.
    pub(crate) fields: Vec<FieldRef>,
    /// Those that cross, as indices into `fields`.
    wanted: Vec<usize>,
    wanted_wire: SchemaRef,
    /// What rows of mode `keyed` carry: the keys and, unless it is one of them, the event time.
    pub(crate) carried: SchemaRef,
    /// The event-time column among the input's, where it is carried.
    time: Option<(usize, i64)>,
    pub(crate) states: Vec<Declared>,
}

impl BoundKeys {
    /// Checks what `open` agreed to.
    pub(crate) fn check(
        who: &Who,
        input: &PluginInput,
        particulars: Option<Particulars>,
        states: Vec<Declared>,
    ) -> Result<Self> {
        let schema = &input.schema;
        let invalid = |message: String| Error::InvalidInput { plugin: who.to_string(), message };
        if input.keys.is_empty() {
            return Err(invalid(
                "it works on the rows of a key: name the key with `key_by` beside `plugin`".to_owned(),
            ));
        }
        let mut columns: Vec<usize> = Vec::with_capacity(input.keys.len());
        for name in &input.keys {
            let column = schema.index_of(name).map_err(|_| {
                let known: Vec<&str> = schema.fields().iter().map(|field| field.name().as_str()).collect();
                invalid(format!("`key_by` names the column `{name}`; the input has {}", known.join(", ")))
            })?;
            if columns.contains(&column) {
                return Err(invalid(format!("`key_by` names the column `{name}` twice: once is enough")));
            }
            columns.push(column);
        }
        let field = |column: &usize| {
            let field = schema.field(*column);
            Arc::new(field.clone().with_data_type(unpacked(field.data_type()).clone()))
        };
        let fields: Vec<FieldRef> = columns.iter().map(field).collect();
        let types: Vec<DataType> = fields.iter().map(|field| field.data_type().clone()).collect();
        KeyHasher::new(&types).map_err(|error| invalid(error.to_string()))?;
        let wanted = match particulars {
            None => Vec::new(),
            Some(Particulars::Process(names)) => wanted(who, &input.keys, &names)?,
            Some(_) => {
                let problem = "it agrees to particulars of another world; a process has keys".to_owned();
                return Err(broke(who, "open", Violation::BadBinding, problem));
            }
        };
        let wanted_fields = wanted.iter().map(|place| Arc::clone(&fields[*place])).collect::<Vec<_>>();
        let wanted_wire = wire_schema(&Schema::new(wanted_fields))
            .map_err(|source| Error::Wire { plugin: who.to_string(), source })?;
        let mut carried = fields.clone();
        let mut time = None;
        if let Some(event_time) = &input.event_time
            && let Ok(column) = schema.index_of(&event_time.name)
            && !columns.contains(&column)
        {
            carried.push(Arc::new(schema.field(column).clone().with_nullable(true)));
            time = Some((column, event_time.offset_ms));
        }
        let carried = Arc::new(Schema::new(carried));
        Ok(Self { columns, fields, wanted, wanted_wire: Arc::new(wanted_wire), carried, time, states })
    }

    /// The key columns of new keys, as they cross; `None` where the plugin wants to know none.
    pub(crate) fn crossing(&self, columns: &[ArrayRef]) -> volley_ipc::Result<Option<RecordBatch>> {
        if self.wanted.is_empty() {
            return Ok(None);
        }
        let rows = columns.first().map_or(0, |column| column.len());
        columns_to_wire(self.wanted.iter().map(|place| &columns[*place]), rows, &self.wanted_wire).map(Some)
    }

    /// What keyed rows carry that come from rows of the input; `keys` are their keys.
    pub(crate) fn of_rows(&self, keys: Vec<ArrayRef>, input: &RecordBatch) -> Result<RecordBatch, ArrowError> {
        let time = self.time.map(|(column, _)| Arc::clone(input.column(column)));
        self.carried(keys, time, input.num_rows())
    }

    /// What keyed rows carry that come from timers of these times; `None` where there is no event time.
    pub(crate) fn of_timers(&self, keys: Vec<ArrayRef>, times_ms: &[Option<i64>]) -> Result<RecordBatch, ArrowError> {
        let time = self.time.map(|(_, offset_ms)| {
            let place = self.carried.fields().len() - 1;
            times(self.carried.field(place).data_type(), offset_ms, times_ms)
        });
        self.carried(keys, time, times_ms.len())
    }

    fn carried(&self, keys: Vec<ArrayRef>, time: Option<ArrayRef>, rows: usize) -> Result<RecordBatch, ArrowError> {
        let columns = keys.into_iter().chain(time).collect();
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        RecordBatch::try_new_with_options(Arc::clone(&self.carried), columns, &options)
    }
}

/// The places of the keys that a plugin wants to know.
fn wanted(who: &Who, keys: &[String], names: &[String]) -> Result<Vec<usize>> {
    let mut places = Vec::with_capacity(names.len().min(keys.len()));
    for name in names {
        let shown = visible(name, 80);
        let place = keys.iter().position(|key| key == name).ok_or_else(|| Error::InvalidInput {
            plugin: who.to_string(),
            message: format!("it wants the column `{shown}` as a key; `key_by` has {}", keys.join(", ")),
        })?;
        if places.contains(&place) {
            let problem = format!("it wants the key `{shown}` twice");
            return Err(broke(who, "open", Violation::BadBinding, problem));
        }
        places.push(place);
    }
    Ok(places)
}

/// Times in milliseconds as a column of event time, rounded up to its unit; null where there is none, or it does not fit.
fn times(data_type: &DataType, offset_ms: i64, times_ms: &[Option<i64>]) -> ArrayRef {
    let each = |convert: fn(i64) -> Option<i64>| -> Vec<Option<i64>> {
        times_ms.iter().map(|time| time.and_then(|ms| convert(ms.checked_sub(offset_ms)?))).collect()
    };
    match data_type {
        DataType::Timestamp(TimeUnit::Second, zone) => {
            Arc::new(TimestampSecondArray::from(each(|ms| Some(rounded_up(ms, 1_000)))).with_timezone_opt(zone.clone()))
        }
        DataType::Timestamp(TimeUnit::Millisecond, zone) => {
            Arc::new(TimestampMillisecondArray::from(each(Some)).with_timezone_opt(zone.clone()))
        }
        DataType::Timestamp(TimeUnit::Microsecond, zone) => {
            Arc::new(TimestampMicrosecondArray::from(each(|ms| ms.checked_mul(1_000))).with_timezone_opt(zone.clone()))
        }
        DataType::Timestamp(TimeUnit::Nanosecond, zone) => Arc::new(
            TimestampNanosecondArray::from(each(|ms| ms.checked_mul(1_000_000))).with_timezone_opt(zone.clone()),
        ),
        DataType::Date32 => {
            let days = each(|ms| Some(rounded_up(ms, DAY_MS)));
            Arc::new(days.into_iter().map(|day| day.and_then(|day| i32::try_from(day).ok())).collect::<Date32Array>())
        }
        DataType::Date64 => Arc::new(Date64Array::from(each(|ms| rounded_up(ms, DAY_MS).checked_mul(DAY_MS)))),
        _ => Arc::new(Int64Array::from(each(Some))),
    }
}

fn rounded_up(ms: i64, unit_ms: i64) -> i64 {
    ms.div_euclid(unit_ms) + i64::from(ms.rem_euclid(unit_ms) > 0)
}

#[cfg(test)]
mod tests {
    use arrow::datatypes::Field;
    use volley_api::EventTimeColumn;

    use super::*;

    fn input(time: DataType, keys: &[&str]) -> PluginInput {
        let fields = [
            Field::new("user", DataType::Utf8, false),
            Field::new("t", time, false),
            Field::new("x", DataType::Int64, true),
        ];
        let event_time = Some(EventTimeColumn { name: "t".into(), offset_ms: -1 });
        let keys = keys.iter().map(|key| (*key).to_owned()).collect();
        PluginInput { keys, event_time, ..PluginInput::new(Arc::new(Schema::new(fields.to_vec()))) }
    }

    fn who() -> Who {
        Who { name: "p".into(), digest: "0".repeat(64), file: None }
    }

    #[test]
    fn the_time_of_a_timer_is_never_before_it() {
        for data_type in [
            DataType::Int64,
            DataType::Timestamp(TimeUnit::Second, None),
            DataType::Timestamp(TimeUnit::Nanosecond, Some("UTC".into())),
            DataType::Date32,
            DataType::Date64,
        ] {
            let input = input(data_type.clone(), &["user"]);
            let bound = BoundKeys::check(&who(), &input, None, Vec::new()).expect("good");
            let keys: ArrayRef = Arc::new(arrow::array::StringArray::from(vec!["a", "b", "c"]));
            let at_ms = [Some(1_234_567_890_123), Some(-5), None];
            let batch = bound.of_timers(vec![keys], &at_ms).expect("fits");
            let column = EventTimeColumn { name: "t".into(), offset_ms: -1 };
            let times = column.ms(&batch).expect("a time");
            for (time, at_ms) in times.iter().zip(at_ms) {
                assert_eq!(time.is_some(), at_ms.is_some(), "{data_type}");
                assert!(
                    time.zip(at_ms).is_none_or(|(time, at)| time >= at && time - at < DAY_MS),
                    "{data_type}: {time:?}"
                );
            }
        }
    }

    #[test]
    fn keys_that_cannot_be_are_refused_by_name() {
        let process =
            |names: &[&str]| Some(Particulars::Process(names.iter().map(|name| (*name).to_owned()).collect()));
        let cases = [
            (vec![], None, "`key_by` beside `plugin`"),
            (vec!["usr"], None, "`usr`; the input has user, t, x"),
            (vec!["user", "user"], None, "twice"),
            (vec!["user"], process(&["x"]), "`x` as a key; `key_by` has user"),
            (vec!["user"], process(&["user", "user"]), "twice"),
            (vec!["user"], Some(Particulars::Aggregate(Vec::new())), "another world"),
        ];
        for (keys, particulars, words) in cases {
            let input = input(DataType::Int64, &keys);
            let error = BoundKeys::check(&who(), &input, particulars, Vec::new()).expect_err(words).to_string();
            assert!(error.contains(words), "{error} should say {words}");
        }
    }
}
