//! Runs a process operator: rows, watermarks and timers, over state that the test holds.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde_json::Value as Json;

use super::{Crossed, FlatOutcome, TestError, batch, broken, joined, read, taken, written};
use crate::process::{EventTime, TimeDomain, Timer, Watermark};
use crate::runner::{ProcessRunner, Runner as _};
use crate::state::{Found, FoundEntries, Host, MergeFunction, StateDeclaration, StateError, StateKind};
use crate::{Array, BitsBuilder, Field, ProcessOperator, RecordBatch, Schema, SnapshotOperator, StatePart, WriteMode};

/// A process operator in a test, with its state and timers.
pub struct Process<Op> {
    runner: ProcessRunner<Op>,
    schema: Schema,
    keys: Vec<usize>,
    /// The event-time column and its place.
    time: Option<(EventTime, usize)>,
    /// Keys in the order of their numbers, as text and as rows.
    groups: HashMap<String, u32>,
    key_rows: Vec<Vec<Array>>,
    held: Held,
}

/// A row of state: its columns.
type Row = Vec<Array>;

/// State and timers as a host would hold them.
struct Held {
    declared: Vec<StateDeclaration>,
    /// By state, group, and the text of a map's key or the number of a list's row.
    rows: BTreeMap<(u32, u32, String), (Row, Row)>,
    timers: BTreeSet<(i64, Timer)>,
    next: usize,
}

impl<Op: ProcessOperator> Process<Op> {
    /// Opens the operator for rows like those of `input`, by these keys; `time` is the column of their event time, in
    /// milliseconds.
    ///
    /// # Errors
    /// [`TestError`] when the operator refuses to open.
    ///
    /// # Panics
    /// When there is no such column.
    pub fn open(config: Json, input: &RecordBatch, keys: &[&str], time: Option<&str>) -> Result<Self, TestError> {
        let crossed = Crossed::new(input)?;
        let schema = crossed.schema.clone();
        let place = |name: &str| schema.index_of(name).unwrap_or_else(|| panic!("no column `{name}`"));
        let event_time = time.map(|name| EventTime { column: name.to_owned(), offset_ms: 0 });
        let names = keys.iter().map(|key| (*key).to_owned()).collect();
        let message = crossed.schema_message()?;
        let runner = ProcessRunner::<Op>::open_keyed(&config.to_string(), &message, names, event_time.clone())?;
        Ok(Self {
            runner,
            keys: keys.iter().map(|key| place(key)).collect(),
            time: event_time.map(|time| {
                let at = place(&time.column);
                (time, at)
            }),
            schema,
            groups: HashMap::new(),
            key_rows: Vec::new(),
            held: Held { declared: Op::states(), rows: BTreeMap::new(), timers: BTreeSet::new(), next: 0 },
        })
    }

    /// Processes rows.
    ///
    /// # Errors
    /// [`TestError`] when the call fails.
    pub fn rows(&mut self, input: &RecordBatch) -> Result<FlatOutcome, TestError> {
        let crossed = Crossed::new(input)?;
        let message = crossed.message(&self.runner.bound)?;
        let known = self.key_rows.len();
        let groups: Vec<u32> = (0..crossed.rows).map(|row| self.group(&crossed, row)).collect();
        let new = self.new_keys(known)?;
        let mut emitted = Vec::new();
        let rejects = self.runner.process(
            new.as_ref().map(|(first, message)| (*first, &message[..])),
            &groups,
            &message,
            &mut self.held,
            &mut |port, parents, message| {
                emitted.push((port as usize, parents.to_vec(), message.to_vec()));
                Ok(())
            },
        )?;
        let keyed = self.carried(&groups, |row| match &self.time {
            Some((_, place)) => vec![taken_one(&crossed.columns[*place], row)],
            None => Vec::new(),
        });
        let outputs =
            self.outputs(&emitted, Some(&crossed), &keyed, &rejects.iter().map(|(row, _)| *row).collect::<Vec<_>>())?;
        Ok(FlatOutcome { outputs, rejects })
    }

    /// Event time advances: timers fire.
    ///
    /// # Errors
    /// [`TestError`] when a call fails.
    pub fn watermark(&mut self, at_ms: i64) -> Result<FlatOutcome, TestError> {
        self.advance(Watermark::AtMs(at_ms), at_ms)
    }

    /// The input ends: all timers fire.
    ///
    /// # Errors
    /// [`TestError`] when a call fails.
    pub fn end(&mut self) -> Result<FlatOutcome, TestError> {
        self.advance(Watermark::End, i64::MAX)
    }

    /// What the operator holds itself, as a checkpoint would have it.
    ///
    /// # Errors
    /// [`TestError`] when it gives none.
    pub fn snapshot(&mut self) -> Result<Vec<StatePart>, TestError>
    where
        Op: SnapshotOperator,
    {
        Ok(self.runner.snapshot()?)
    }

    /// Hands the operator, which must be new, what another one held.
    ///
    /// # Errors
    /// [`TestError`] when it does not take it.
    pub fn restore(&mut self, parts: Vec<StatePart>) -> Result<(), TestError>
    where
        Op: SnapshotOperator,
    {
        Ok(self.runner.restore(parts)?)
    }

    /// Rows of a state, brought over from how an earlier version declared it: `rows` have its columns, of a map behind those
    /// of its keys.
    ///
    /// # Errors
    /// [`TestError`] when the operator cannot, or gives other columns or another number of rows than it declares.
    pub fn migrate(earlier: &StateDeclaration, rows: &RecordBatch) -> Result<RecordBatch, TestError>
    where
        Op: SnapshotOperator,
    {
        Op::can_migrate(std::slice::from_ref(earlier)).map_err(|message| broken(&message))?;
        let crossed = Crossed::new(rows)?;
        let message = written(&crossed.schema, &crossed.columns, crossed.rows)?;
        let brought = ProcessRunner::<Op>::migrate(earlier, &message)?;
        let now = Op::states().into_iter().find(|state| state.name == earlier.name);
        let schema = now.map(|state| state.values.unpacked()).unwrap_or_default();
        let columns = schema.fields().iter().cloned().zip(read(&schema, &brought)?).collect();
        Ok(batch(columns, crossed.rows))
    }

    /// How many timers are registered.
    #[must_use]
    pub fn timers(&self) -> usize {
        self.held.timers.len()
    }

    fn advance(&mut self, watermark: Watermark, until_ms: i64) -> Result<FlatOutcome, TestError> {
        let mut outcomes: Vec<Vec<(String, RecordBatch)>> = vec![self.outputs(&[], None, &[], &[])?];
        loop {
            let first =
                self.held.timers.iter().find(|(at, timer)| *at <= until_ms && timer.domain == TimeDomain::EventTime);
            let Some((at_ms, _)) = first.copied() else { break };
            let due: Vec<Timer> = self
                .held
                .timers
                .iter()
                .filter(|(at, timer)| *at == at_ms && timer.domain == TimeDomain::EventTime)
                .map(|(_, timer)| *timer)
                .collect();
            self.held.timers.retain(|(_, timer)| !due.contains(timer));
            let mut emitted = Vec::new();
            self.runner.on_timers(None, &due, &mut self.held, &mut |port, parents, message| {
                emitted.push((port as usize, parents.to_vec(), message.to_vec()));
                Ok(())
            })?;
            if watermark == Watermark::End {
                self.held.timers.retain(|(at, _)| *at > at_ms);
            }
            let groups: Vec<u32> = due.iter().map(|timer| timer.group).collect();
            let keyed = self.carried(&groups, |_| match &self.time {
                Some((_, place)) => vec![time_array(&self.schema.fields()[*place], at_ms)],
                None => Vec::new(),
            });
            outcomes.push(self.outputs(&emitted, None, &keyed, &[])?);
        }
        let mut emitted = Vec::new();
        self.runner.on_watermark(watermark, &mut |port, parents, message| {
            emitted.push((port as usize, parents.to_vec(), message.to_vec()));
            Ok(())
        })?;
        outcomes.push(self.outputs(&emitted, None, &[], &[])?);
        let ports = outcomes[0].clone();
        let outputs = ports.iter().enumerate().map(|(index, (name, empty))| {
            let parts: Vec<RecordBatch> = outcomes.iter().map(|outcome| outcome[index].1.clone()).collect();
            (name.clone(), joined(empty, &parts))
        });
        Ok(FlatOutcome { outputs: outputs.collect(), rejects: Vec::new() })
    }

    fn group(&mut self, crossed: &Crossed, row: usize) -> u32 {
        let key: Row = self.keys.iter().map(|place| taken_one(&crossed.columns[*place], row)).collect();
        let text = format!("{key:?}");
        let next = u32::try_from(self.groups.len()).unwrap_or(u32::MAX);
        *self.groups.entry(text).or_insert_with(|| {
            self.key_rows.push(key);
            next
        })
    }

    fn new_keys(&self, known: usize) -> Result<Option<(u32, Vec<u8>)>, TestError> {
        let names = &self.runner.bound.binding.keys;
        if names.is_empty() || known == self.key_rows.len() {
            return Ok(None);
        }
        let wanted: Vec<usize> = names
            .iter()
            .filter_map(|name| self.keys.iter().position(|place| self.schema.fields()[*place].name == *name))
            .collect();
        let schema = Schema::new(wanted.iter().map(|at| self.schema.fields()[self.keys[*at]].clone()));
        let rows: Vec<Row> =
            self.key_rows[known..].iter().map(|key| wanted.iter().map(|at| key[*at].clone()).collect()).collect();
        let columns = stacked(&schema, &rows);
        let first = u32::try_from(known).unwrap_or(u32::MAX);
        Ok(Some((first, written(&schema, &columns, rows.len())?)))
    }

    /// What rows of mode `keyed` carry, by parent.
    fn carried(&self, groups: &[u32], time: impl Fn(usize) -> Row) -> Vec<Row> {
        let of = |(row, group): (usize, &u32)| {
            let mut carried = self.key_rows[*group as usize].clone();
            if self.is_time_carried() {
                carried.extend(time(row));
            }
            carried
        };
        groups.iter().enumerate().map(of).collect()
    }

    fn is_time_carried(&self) -> bool {
        self.time.as_ref().is_some_and(|(_, place)| !self.keys.contains(place))
    }

    fn outputs(
        &self,
        emitted: &[(usize, Vec<u32>, Vec<u8>)],
        crossed: Option<&Crossed>,
        keyed: &[Row],
        rejected: &[u32],
    ) -> Result<Vec<(String, RecordBatch)>, TestError> {
        let bound = &self.runner.bound;
        let mut carried: Vec<Field> = self.keys.iter().map(|place| self.schema.fields()[*place].clone()).collect();
        if let Some((_, place)) = self.time.as_ref().filter(|_| self.is_time_carried()) {
            carried.push(self.schema.fields()[*place].clone());
        }
        let carried = Schema::new(carried);
        let mut outputs = Vec::new();
        for (index, port) in bound.binding.ports.iter().enumerate() {
            let own_schema = &bound.wires[index].schema;
            let beside = match port.writes {
                WriteMode::Replace => Schema::default(),
                WriteMode::Keyed => carried.clone(),
                WriteMode::Append => self.schema.clone(),
            };
            let mut batches = Vec::new();
            for (_, parents, message) in emitted.iter().filter(|(port, ..)| *port == index) {
                let own = read(own_schema, message)?;
                let count = if parents.is_empty() { own.first().map_or(0, Array::len) } else { parents.len() };
                let kept: Vec<usize> = (0..count)
                    .filter(|row| parents.get(*row).is_none_or(|parent| !rejected.contains(parent)))
                    .collect();
                let of: Vec<usize> =
                    kept.iter().filter_map(|row| parents.get(*row)).map(|parent| *parent as usize).collect();
                let columns = match (port.writes, crossed) {
                    (WriteMode::Keyed, _) => {
                        let rows: Vec<Row> = of.iter().map(|parent| keyed[*parent].clone()).collect();
                        carried.fields().iter().cloned().zip(stacked(&carried, &rows)).collect()
                    }
                    (WriteMode::Append, Some(crossed)) => crossed.carried(&of),
                    (WriteMode::Append, None) => return Err(broken("a port of mode append has no rows from timers")),
                    (WriteMode::Replace, _) => Vec::new(),
                };
                batches.push(put_together(columns, taken(own_schema, &own, &kept), kept.len()));
            }
            let nothing = |schema: &Schema| -> Vec<(Field, Array)> {
                schema
                    .fields()
                    .iter()
                    .map(|field| (field.clone(), crate::gather::gather(&field.data_type, &[], &[])))
                    .collect()
            };
            let empty = put_together(nothing(&beside), nothing(own_schema), 0);
            outputs.push((port.name.clone(), joined(&empty, &batches)));
        }
        Ok(outputs)
    }
}

fn put_together(mut columns: Vec<(Field, Array)>, mut own: Vec<(Field, Array)>, rows: usize) -> RecordBatch {
    for (field, column) in &mut columns {
        if let Some(place) = own.iter().position(|(other, _)| other.name == field.name) {
            (*field, *column) = own.remove(place);
        }
    }
    columns.append(&mut own);
    batch(columns, rows)
}

fn taken_one(column: &Array, row: usize) -> Array {
    crate::gather::gather(column.data_type(), &[column.column("")], &[(0, row)])
}

/// Rows of one value each, as columns.
fn stacked(schema: &Schema, rows: &[Row]) -> Vec<Array> {
    let column = |(place, field): (usize, &Field)| {
        let parts: Vec<crate::Column<'_>> = rows.iter().map(|row| row[place].column("")).collect();
        let places: Vec<(usize, usize)> = (0..rows.len()).map(|part| (part, 0)).collect();
        crate::gather::gather(&field.data_type, &parts, &places)
    };
    schema.fields().iter().enumerate().map(column).collect()
}

/// A time as a column of event time: of Int64 or a timestamp in milliseconds.
fn time_array(field: &Field, at_ms: i64) -> Array {
    use crate::build::{Builder as _, Int64Builder};
    let mut times = match &field.data_type {
        crate::DataType::Timestamp(unit, zone) => Int64Builder::timestamp(*unit, zone.as_deref()),
        _ => Int64Builder::new(),
    };
    times.push(at_ms);
    times.finish()
}

impl Held {
    fn found(&self, state: u32, wanted: impl Iterator<Item = (u32, String)>) -> Result<Found, StateError> {
        let schema = self.declared[state as usize].values.unpacked();
        let rows: Vec<Option<&Row>> =
            wanted.map(|(group, key)| self.rows.get(&(state, group, key)).map(|(_, row)| row)).collect();
        let present = BitsBuilder::from_bools(&rows.iter().map(Option::is_some).collect::<Vec<_>>()).into_bytes();
        let columns: Vec<Array> = schema
            .fields()
            .iter()
            .enumerate()
            .map(|(place, field)| {
                let null = null_of(&field.data_type);
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
            self.rows.insert((state, *group, key.clone()), (key_row, value));
        }
    }

    fn map_keys(&self, state: u32, message: &[u8]) -> Result<(Vec<String>, Vec<Row>), StateError> {
        let schema = self.declared[state as usize].map_keys.clone().unwrap_or_default();
        let rows = Self::columns(&schema, message)?;
        Ok((rows.iter().map(|row| format!("{row:?}")).collect(), rows))
    }
}

fn null_of(data_type: &crate::DataType) -> Array {
    crate::gather::null(data_type)
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
        self.rows.retain(|(of, group, _), _| *of != state || !groups.contains(group));
        Ok(())
    }

    fn merge(&mut self, state: u32, groups: &[u32], values: &[u8]) -> Result<(), StateError> {
        let StateKind::Merge(functions) = self.declared[state as usize].kind.clone() else {
            return Err(StateError("not a state of kind merge".to_owned()));
        };
        for (group, added) in groups.iter().zip(Self::columns(&self.declared[state as usize].values.clone(), values)?) {
            let place = (state, *group, String::new());
            let merged = match self.rows.get(&place) {
                None => added,
                Some((_, base)) => base
                    .iter()
                    .zip(&added)
                    .zip(&functions)
                    .map(|((base, added), function)| merged(base, added, *function))
                    .collect::<Result<_, _>>()?,
            };
            self.rows.insert(place, (Vec::new(), merged));
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
            self.rows.remove(&(state, *group, key));
        }
        Ok(())
    }

    fn entries(&mut self, state: u32, groups: &[u32]) -> Result<FoundEntries, StateError> {
        let declared = &self.declared[state as usize];
        let (keys, values) = (declared.map_keys.clone().unwrap_or_default().unpacked(), declared.values.unpacked());
        let (mut places, mut key_rows, mut rows) = (Vec::new(), Vec::new(), Vec::new());
        for (place, group) in (0_u32..).zip(groups) {
            for ((of, in_group, _), (key, row)) in &self.rows {
                if *of == state && in_group == group {
                    places.push(place);
                    key_rows.push(key.clone());
                    rows.push(row.clone());
                }
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
            self.rows.insert((state, *group, format!("{:020}", self.next)), (Vec::new(), value));
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
