//! State and timers as a host would hold them.

use std::collections::{BTreeMap, BTreeSet};

use super::{Row, stacked, taken_one};
use crate::process::{TimeDomain, Timer};
use crate::state::{Found, FoundEntries, Host, MergeFunction, StateDeclaration, StateError, StateKind};
use crate::testing::{read, written};
use crate::{Array, BitsBuilder, Schema};

/// State and timers.
pub(crate) struct Held {
    declared: Vec<StateDeclaration>,
    /// By state, group, and the text of a map's key or the number of a list's row.
    cells: BTreeMap<(u32, u32, String), Cell>,
    timers: BTreeSet<(i64, Timer)>,
    next: usize,
    /// By which values with a time to live are judged, and when what a call writes is written.
    now_ms: i64,
    written_ms: i64,
}

/// What there is under a key.
#[derive(Clone)]
struct Cell {
    /// Of a map: its key.
    key: Row,
    value: Row,
    written_ms: i64,
}

/// What a call that fails has to leave as it was.
pub(crate) struct Before {
    cells: BTreeMap<(u32, u32, String), Cell>,
    timers: BTreeSet<(i64, Timer)>,
}

impl Held {
    /// What there is before a call.
    pub(crate) fn before(&self) -> Before {
        Before { cells: self.cells.clone(), timers: self.timers.clone() }
    }

    /// A call has failed: nothing of it counts.
    pub(crate) fn restore(&mut self, before: Before) {
        (self.cells, self.timers) = (before.cells, before.timers);
    }

    pub(crate) fn new(declared: Vec<StateDeclaration>) -> Self {
        Self {
            declared,
            cells: BTreeMap::new(),
            timers: BTreeSet::new(),
            next: 0,
            now_ms: i64::MIN,
            written_ms: i64::MIN,
        }
    }

    /// A call begins: the time for values that it reads, and for those that it writes.
    pub(super) fn begin(&mut self, now_ms: i64, written_ms: i64) {
        (self.now_ms, self.written_ms) = (now_ms, written_ms);
    }

    pub(super) fn timers(&self) -> usize {
        self.timers.len()
    }

    /// The first timers that are due, all of one time: they are registered no more. Empty when none is.
    pub(super) fn fire(&mut self, domain: TimeDomain, until_ms: i64) -> Vec<Timer> {
        let is_due = |(at_ms, timer): &&(i64, Timer)| *at_ms <= until_ms && timer.domain == domain;
        let Some((first_ms, _)) = self.timers.iter().find(is_due).copied() else { return Vec::new() };
        let due = self.timers.iter().filter(|(at_ms, timer)| *at_ms == first_ms && timer.domain == domain);
        let due: Vec<Timer> = due.map(|(_, timer)| *timer).collect();
        self.timers.retain(|(_, timer)| !due.contains(timer));
        due
    }

    /// Timers of this time and earlier are registered no more.
    pub(super) fn drop_timers_until(&mut self, at_ms: i64) {
        self.timers.retain(|(at, _)| *at > at_ms);
    }

    /// What there is under a key, unless its time to live is over.
    fn cell(&self, place: &(u32, u32, String)) -> Option<&Cell> {
        self.cells.get(place).filter(|cell| self.is_alive(place.0, cell))
    }

    fn is_alive(&self, state: u32, cell: &Cell) -> bool {
        let ttl_ms = self.declared[state as usize].ttl_ms.map(|ttl_ms| i64::try_from(ttl_ms).unwrap_or(i64::MAX));
        ttl_ms.is_none_or(|ttl_ms| self.now_ms < cell.written_ms.saturating_add(ttl_ms))
    }

    fn set(&mut self, place: (u32, u32, String), key: Row, value: Row) {
        self.cells.insert(place, Cell { key, value, written_ms: self.written_ms });
    }

    fn found(&self, state: u32, wanted: impl Iterator<Item = (u32, String)>) -> Result<Found, StateError> {
        let schema = self.declared[state as usize].values.unpacked();
        let rows: Vec<Option<&Row>> =
            wanted.map(|(group, key)| self.cell(&(state, group, key)).map(|cell| &cell.value)).collect();
        let present = BitsBuilder::from_bools(&rows.iter().map(Option::is_some).collect::<Vec<_>>()).into_bytes();
        let columns: Vec<Array> = schema
            .fields()
            .iter()
            .enumerate()
            .map(|(place, field)| {
                let null = crate::gather::null(&field.data_type);
                let parts: Vec<crate::Column<'_>> =
                    rows.iter().map(|row| row.map_or(&null, |row| &row[place]).column("")).collect();
                let places: Vec<(usize, usize)> = (0..rows.len()).map(|part| (part, 0)).collect();
                crate::gather::gather(&field.data_type, &parts, &places)
            })
            .collect();
        let message = written(&schema, &columns, rows.len()).map_err(|error| StateError(error.to_string()))?;
        Ok((present, message))
    }

    fn columns(schema: &Schema, message: &[u8]) -> Result<Vec<Row>, StateError> {
        let schema = schema.unpacked();
        let columns = read(&schema, message).map_err(|error| StateError(error.to_string()))?;
        let rows = columns.first().map_or(0, Array::len);
        Ok((0..rows).map(|row| columns.iter().map(|column| taken_one(column, row)).collect()).collect())
    }

    fn put_rows(&mut self, state: u32, groups: &[u32], keys: &[String], key_rows: Vec<Row>, values: Vec<Row>) {
        for (((group, key), key_row), value) in groups.iter().zip(keys).zip(key_rows).zip(values) {
            self.set((state, *group, key.clone()), key_row, value);
        }
    }

    fn map_keys(&self, state: u32, message: &[u8]) -> Result<(Vec<String>, Vec<Row>), StateError> {
        let schema = self.declared[state as usize].map_keys.clone().unwrap_or_default();
        let rows = Self::columns(&schema, message)?;
        Ok((rows.iter().map(|row| format!("{row:?}")).collect(), rows))
    }
}

impl Host for Held {
    fn get(&mut self, state: u32, groups: &[u32]) -> Result<Found, StateError> {
        self.found(state, groups.iter().map(|group| (*group, String::new())))
    }

    fn put(&mut self, state: u32, groups: &[u32], values: &[u8]) -> Result<(), StateError> {
        let values = Self::columns(&self.declared[state as usize].values.clone(), values)?;
        let keys = vec![String::new(); groups.len()];
        self.put_rows(state, groups, &keys, vec![Vec::new(); groups.len()], values);
        Ok(())
    }

    fn remove(&mut self, state: u32, groups: &[u32]) -> Result<(), StateError> {
        self.cells.retain(|(of, group, _), _| *of != state || !groups.contains(group));
        Ok(())
    }

    fn merge(&mut self, state: u32, groups: &[u32], values: &[u8]) -> Result<(), StateError> {
        let StateKind::Merge(functions) = self.declared[state as usize].kind.clone() else {
            return Err(StateError("not a state of kind merge".to_owned()));
        };
        for (group, added) in groups.iter().zip(Self::columns(&self.declared[state as usize].values.clone(), values)?) {
            let place = (state, *group, String::new());
            let merged = match self.cell(&place) {
                None => added,
                Some(base) => base
                    .value
                    .iter()
                    .zip(&added)
                    .zip(&functions)
                    .map(|((base, added), function)| merged(base, added, *function))
                    .collect::<Result<_, _>>()?,
            };
            self.set(place, Vec::new(), merged);
        }
        Ok(())
    }

    fn map_get(&mut self, state: u32, groups: &[u32], map_keys: &[u8]) -> Result<Found, StateError> {
        let (keys, _) = self.map_keys(state, map_keys)?;
        self.found(state, groups.iter().copied().zip(keys))
    }

    fn map_put(&mut self, state: u32, groups: &[u32], map_keys: &[u8], values: &[u8]) -> Result<(), StateError> {
        let (keys, key_rows) = self.map_keys(state, map_keys)?;
        let values = Self::columns(&self.declared[state as usize].values.clone(), values)?;
        self.put_rows(state, groups, &keys, key_rows, values);
        Ok(())
    }

    fn map_remove(&mut self, state: u32, groups: &[u32], map_keys: &[u8]) -> Result<(), StateError> {
        let (keys, _) = self.map_keys(state, map_keys)?;
        for (group, key) in groups.iter().zip(keys) {
            self.cells.remove(&(state, *group, key));
        }
        Ok(())
    }

    fn entries(&mut self, state: u32, groups: &[u32]) -> Result<FoundEntries, StateError> {
        let declared = &self.declared[state as usize];
        let (keys, values) = (declared.map_keys.clone().unwrap_or_default().unpacked(), declared.values.unpacked());
        let (mut places, mut key_rows, mut rows) = (Vec::new(), Vec::new(), Vec::new());
        for (place, group) in (0_u32..).zip(groups) {
            let of_group = (state, *group, String::new())..;
            let of_group =
                self.cells.range(of_group).take_while(|((of, in_group, _), _)| (of, in_group) == (&state, group));
            for (_, cell) in of_group.filter(|(_, cell)| self.is_alive(state, cell)) {
                places.push(place);
                key_rows.push(cell.key.clone());
                rows.push(cell.value.clone());
            }
        }
        let message = |schema: &Schema, rows: &[Row]| {
            written(schema, &stacked(schema, rows), rows.len()).map_err(|error| StateError(error.to_string()))
        };
        Ok((places, message(&keys, &key_rows)?, message(&values, &rows)?))
    }

    fn append(&mut self, state: u32, groups: &[u32], values: &[u8]) -> Result<(), StateError> {
        let values = Self::columns(&self.declared[state as usize].values.clone(), values)?;
        for (group, value) in groups.iter().zip(values) {
            self.set((state, *group, format!("{:020}", self.next)), Vec::new(), value);
            self.next += 1;
        }
        Ok(())
    }

    fn key_groups(&mut self, groups: &[u32]) -> Result<Vec<u8>, StateError> {
        // Some number that a key always has: which, no operator can rely on.
        Ok(groups.iter().map(|group| (group % 256) as u8).collect())
    }

    fn change_timers(&mut self, timers: &[Timer], register: bool) -> Result<(), StateError> {
        for timer in timers {
            if register {
                self.timers.insert((timer.at_ms, *timer));
            } else {
                self.timers.remove(&(timer.at_ms, *timer));
            }
        }
        Ok(())
    }
}

/// Two values of one column, merged; a null adds nothing.
fn merged(base: &Array, added: &Array, function: MergeFunction) -> Result<Array, StateError> {
    use crate::build::{Builder as _, Float64Builder, Int64Builder, UInt64Builder};
    macro_rules! by {
        ($read:ident, $builder:ty, $add:expr) => {{
            let read = |array: &Array| array.column("").$read().map(|values| values.get(0));
            let error = |error: crate::ColumnError| StateError(error.to_string());
            let value = match (read(base).map_err(error)?, read(added).map_err(error)?) {
                (Some(a), Some(b)) => Some(match function {
                    MergeFunction::Sum => $add(a, b).ok_or_else(|| StateError("a sum does not fit".to_owned()))?,
                    MergeFunction::Min => {
                        if b < a {
                            b
                        } else {
                            a
                        }
                    }
                    MergeFunction::Max => {
                        if b > a {
                            b
                        } else {
                            a
                        }
                    }
                }),
                (a, b) => a.or(b),
            };
            let mut builder = <$builder>::new();
            builder.push_option(value);
            builder.finish()
        }};
    }
    Ok(match base.data_type() {
        crate::DataType::Int64 => by!(as_i64, Int64Builder, i64::checked_add),
        crate::DataType::UInt64 => by!(as_u64, UInt64Builder, u64::checked_add),
        _ => by!(as_f64, Float64Builder, |a: f64, b: f64| Some(a + b)),
    })
}
