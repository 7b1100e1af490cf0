//! The states and timers that the host holds for a plugin, as rows for whoever looks at a checkpoint.

use std::sync::Arc;

use arrow::array::{ArrayRef, StringArray, UInt32Array, UInt64Array};
use arrow::datatypes::{DataType, Field, FieldRef, SchemaRef};
use volley_api::{Error, KeyCodec, Result, RowCodec, StateDecoder, StateEntry, StateRows, StateView};

use super::entry::{Apart, number_of, taken_apart};
use super::single::VALUES;
use super::timers::count_of;
use super::{CLOCK_TIMERS, Declared, Due, EVENT_TIMERS, Life, TIMER_COUNTS, listed_keys, timer_layout};
use crate::contract::StateKind;

/// The states of a plugin that declared these. `keys` are the columns of `key_by`, dictionaries unpacked.
pub(crate) fn views(keys: &[FieldRef], declared: &[Declared]) -> Result<Vec<StateView>> {
    let types: Vec<DataType> = keys.iter().map(|field| field.data_type().clone()).collect();
    let codec = || KeyCodec::new(&types);
    let listed = listed_keys(keys);
    let mut views = Vec::with_capacity(declared.len() + 3);
    for state in declared {
        let (life, values) = (Life(state.ttl_ms), codec_of(&state.values)?);
        let map_keys = state.map_keys.as_ref();
        let place: Vec<FieldRef> = match (&state.kind, map_keys) {
            (StateKind::List, _) => vec![column("index", DataType::UInt64)],
            (_, Some(map_keys)) => map_keys.fields().iter().cloned().collect(),
            _ => Vec::new(),
        };
        let place_kind = match (&state.kind, map_keys) {
            (StateKind::Value | StateKind::Merge(_), _) => Place::None,
            (_, Some(map_keys)) => Place::MapKey(codec_of(map_keys)?),
            (_, None) => Place::Index,
        };
        let written = state.ttl_ms.map(|_| StateView::time("written_at"));
        let others = place.into_iter().chain(state.values.fields().iter().cloned()).chain(written);
        let decoder = Values { keys: codec()?, place: place_kind, values, life };
        let (name, kind, layout) = (&state.name, state.kind_name(), state.layout(&listed));
        let view = StateView::new(name, kind, &layout, keys, others, Arc::new(decoder));
        views.push(view.within(VALUES..=VALUES));
    }
    let layout = timer_layout(&listed);
    for (name, kind, domain) in
        [(EVENT_TIMERS, "timers of event time", "event-time"), (CLOCK_TIMERS, "timers of the clock", "processing-time")]
    {
        let others = [StateView::time("at"), column("domain", DataType::Utf8), column("tag", DataType::UInt32)];
        let decoder = TimerRows { keys: codec()?, domain };
        views.push(StateView::new(name, kind, &layout, keys, others, Arc::new(decoder)));
    }
    let decoder = TimerNumbers { keys: codec()? };
    let timers = [column("timers", DataType::UInt32)];
    views.push(StateView::new(TIMER_COUNTS, "numbers of timers", &layout, keys, timers, Arc::new(decoder)));
    Ok(views)
}

fn column(name: &str, data_type: DataType) -> FieldRef {
    Arc::new(Field::new(name, data_type, true))
}

/// For rows of these columns; none where there are no columns, which take no bytes.
fn codec_of(schema: &SchemaRef) -> Result<Option<RowCodec>> {
    let types = || schema.fields().iter().map(|field| field.data_type());
    if schema.fields().is_empty() { Ok(None) } else { RowCodec::new(types()).map(Some) }
}

/// What stands behind the key of a group.
#[derive(Debug)]
enum Place {
    /// Nothing: there is one row for each group, as [`super::single::Single`] keeps it.
    None,
    /// The key of a map's entry, as [`super::several::Several`] keeps it.
    MapKey(Option<RowCodec>),
    /// The number of a list's row.
    Index,
}

/// Values, maps and lists.
#[derive(Debug)]
struct Values {
    keys: KeyCodec,
    place: Place,
    values: Option<RowCodec>,
    life: Life,
}

impl Values {
    fn apart<'a>(&self, entry: &'a StateEntry) -> Result<Apart<'a>> {
        let apart = match self.place {
            Place::None => {
                let opened = self.life.opened(&entry.value);
                opened.map(|(written_ms, row)| Apart { written_ms, key: &entry.key, place: &[], row })
            }
            Place::MapKey(_) | Place::Index => taken_apart(self.life, &entry.key, &entry.value),
        };
        apart.ok_or_else(|| Error::external("a stored value is too short for what stands before it"))
    }
}

impl StateDecoder for Values {
    fn decode(&self, entries: &[StateEntry]) -> Result<StateRows> {
        let parts = entries.iter().map(|entry| self.apart(entry)).collect::<Result<Vec<_>>>()?;
        let mut columns = self.keys.decode(parts.iter().map(|part| part.key))?;
        match &self.place {
            Place::None | Place::MapKey(None) => {}
            Place::MapKey(Some(codec)) => columns.extend(codec.decode(parts.iter().map(|part| part.place))?),
            Place::Index => {
                let number = |part: &Apart<'_>| {
                    number_of(part.place).ok_or_else(|| Error::external("the number of a row is not of eight bytes"))
                };
                columns.push(Arc::new(parts.iter().map(number).collect::<Result<UInt64Array>>()?));
            }
        }
        if let Some(codec) = &self.values {
            columns.extend(codec.decode(parts.iter().map(|part| part.row))?);
        }
        if self.life.0.is_some() {
            columns.push(StateView::times(parts.iter().map(|part| part.written_ms)));
        }
        Ok(StateRows::one_each(entries, columns))
    }
}

/// Timers of one kind of time, as [`super::timers::Timers`] keeps them.
#[derive(Debug)]
struct TimerRows {
    keys: KeyCodec,
    domain: &'static str,
}

impl StateDecoder for TimerRows {
    fn decode(&self, entries: &[StateEntry]) -> Result<StateRows> {
        let timers = entries.iter().map(Due::of_entry).collect::<Result<Vec<_>>>()?;
        let mut columns = self.keys.decode(timers.iter().map(|timer| &timer.key[..]))?;
        let domain: ArrayRef = Arc::new(StringArray::from(vec![self.domain; timers.len()]));
        let tags: ArrayRef = Arc::new(UInt32Array::from_iter_values(timers.iter().map(|timer| timer.tag)));
        columns.extend([StateView::times(timers.iter().map(|timer| Some(timer.at_ms))), domain, tags]);
        Ok(StateRows::one_each(entries, columns))
    }
}

/// How many timers each key has.
#[derive(Debug)]
struct TimerNumbers {
    keys: KeyCodec,
}

impl StateDecoder for TimerNumbers {
    fn decode(&self, entries: &[StateEntry]) -> Result<StateRows> {
        let mut columns = self.keys.decode(entries.iter().map(|entry| &entry.key[..]))?;
        let counts = entries.iter().map(|entry| count_of(&entry.value));
        columns.push(Arc::new(counts.collect::<Result<UInt32Array>>()?));
        Ok(StateRows::one_each(entries, columns))
    }
}

#[cfg(test)]
mod tests;
