//! Runs a process operator: rows, watermarks and timers, over state that the test holds.

pub(crate) mod held;
mod outputs;

use std::collections::HashMap;

use serde_json::Value as Json;

use self::held::Held;
use self::outputs::time_array;
use super::{Crossed, FlatOutcome, TestError, batch, broken, joined, read, written};
use crate::process::{EventTime, TimeDomain, Timer, Watermark};
use crate::runner::{ProcessRunner, Runner as _};
use crate::state::StateDeclaration;
use crate::{Array, Field, ProcessOperator, RecordBatch, Schema, SnapshotOperator, StatePart};

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
    /// The greatest event time of the rows so far.
    latest_ms: i64,
    /// How far event time has come, once there was a watermark.
    reached_ms: Option<i64>,
}

/// A row of state: its columns.
type Row = Vec<Array>;

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
            held: Held::new(Op::states()),
            latest_ms: i64::MIN,
            reached_ms: None,
        })
    }

    /// Processes rows.
    ///
    /// # Errors
    /// [`TestError`] when the call fails. Then nothing that it wrote is kept, and none of its timers.
    pub fn rows(&mut self, input: &RecordBatch) -> Result<FlatOutcome, TestError> {
        let crossed = Crossed::new(input)?;
        let message = crossed.message(&self.runner.bound)?;
        let known = self.key_rows.len();
        let groups: Vec<u32> = (0..crossed.rows).map(|row| self.group(&crossed, row)).collect();
        let new = self.new_keys(known)?;
        self.begin_rows(&crossed);
        let (mut emitted, before) = (Vec::new(), self.held.before());
        let answer = self.runner.process(
            new.as_ref().map(|(first, message)| (*first, &message[..])),
            &groups,
            &message,
            &mut self.held,
            &mut |port, parents, message| {
                emitted.push((port as usize, parents.to_vec(), message.to_vec()));
                Ok(())
            },
        );
        let rejects = answer.inspect_err(|_| self.held.restore(before))?;
        let keyed = self.carried(&groups, |row| match &self.time {
            Some((_, place)) => vec![taken_one(&crossed.columns[*place], row)],
            None => Vec::new(),
        });
        let outputs =
            self.outputs(&emitted, Some(&crossed), &keyed, &rejects.iter().map(|(row, _)| *row).collect::<Vec<_>>())?;
        Ok(FlatOutcome { outputs, rejects })
    }

    /// Event time advances: timers of event time fire, and values whose time to live is over are gone.
    ///
    /// # Errors
    /// [`TestError`] when a call fails.
    pub fn watermark(&mut self, at_ms: i64) -> Result<FlatOutcome, TestError> {
        self.advance(Watermark::AtMs(at_ms), at_ms)
    }

    /// The input ends: all timers of event time fire.
    ///
    /// # Errors
    /// [`TestError`] when a call fails.
    pub fn end(&mut self) -> Result<FlatOutcome, TestError> {
        self.advance(Watermark::End, i64::MAX)
    }

    /// The host's clock advances, as by [`set_now_ms`](crate::clock::set_now_ms): timers of the clock fire, and where rows have
    /// no event time, values whose time to live is over are gone. The clock is that of the thread, and 0 at first.
    ///
    /// # Errors
    /// [`TestError`] when a call fails.
    pub fn clock(&mut self, now_ms: u64) -> Result<FlatOutcome, TestError> {
        crate::clock::set_now_ms(now_ms);
        let now_ms = i64::try_from(now_ms).unwrap_or(i64::MAX);
        let mut outcomes = vec![self.outputs(&[], None, &[], &[])?];
        loop {
            let due = self.held.fire(TimeDomain::ProcessingTime, now_ms);
            if due.is_empty() {
                return Ok(in_one(&outcomes));
            }
            let time_ms = self.now_ms();
            self.held.begin(time_ms, time_ms);
            // Rows of such a timer are as late as may be.
            outcomes.push(self.fired(&due, time_ms)?);
        }
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
        self.held.timers()
    }

    /// The time by which values with a time to live are judged.
    fn now_ms(&self) -> i64 {
        match self.time {
            Some(_) => self.reached_ms.unwrap_or(self.latest_ms),
            None => i64::try_from(crate::clock::now_ms()).unwrap_or(i64::MAX),
        }
    }

    fn begin_rows(&mut self, crossed: &Crossed) {
        let times = self.time.as_ref().map(|(_, place)| &crossed.columns[*place]);
        let latest_ms = times.and_then(|times| crate::row::times(times.column(""), 0).ok()?.iter().flatten().max());
        self.latest_ms = self.latest_ms.max(latest_ms.unwrap_or(i64::MIN));
        let now_ms = self.now_ms();
        self.held.begin(now_ms, now_ms.max(latest_ms.unwrap_or(i64::MIN)));
    }

    fn advance(&mut self, watermark: Watermark, until_ms: i64) -> Result<FlatOutcome, TestError> {
        let mut outcomes: Vec<Vec<(String, RecordBatch)>> = vec![self.outputs(&[], None, &[], &[])?];
        let before_ms = self.now_ms();
        self.reached_ms = Some(until_ms);
        loop {
            let due = self.held.fire(TimeDomain::EventTime, until_ms);
            let Some(at_ms) = due.first().map(|timer| timer.at_ms) else { break };
            // What a timer finds is what was there at its time.
            let now_ms = at_ms.max(before_ms).min(until_ms);
            self.held.begin(now_ms, now_ms);
            outcomes.push(self.fired(&due, at_ms)?);
            if watermark == Watermark::End {
                self.held.drop_timers_until(at_ms);
            }
        }
        let mut emitted = Vec::new();
        self.runner.on_watermark(watermark, &mut |port, parents, message| {
            emitted.push((port as usize, parents.to_vec(), message.to_vec()));
            Ok(())
        })?;
        outcomes.push(self.outputs(&emitted, None, &[], &[])?);
        Ok(in_one(&outcomes))
    }

    /// Timers fire: what they put out bears this time.
    fn fired(&mut self, due: &[Timer], time_ms: i64) -> Result<Vec<(String, RecordBatch)>, TestError> {
        let (mut emitted, before) = (Vec::new(), self.held.before());
        let answer = self.runner.on_timers(None, due, &mut self.held, &mut |port, parents, message| {
            emitted.push((port as usize, parents.to_vec(), message.to_vec()));
            Ok(())
        });
        answer.inspect_err(|_| self.held.restore(before))?;
        let groups: Vec<u32> = due.iter().map(|timer| timer.group).collect();
        let keyed = self.carried(&groups, |_| match &self.time {
            Some((_, place)) => vec![time_array(&self.schema.fields()[*place], time_ms)],
            None => Vec::new(),
        });
        self.outputs(&emitted, None, &keyed, &[])
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
}

/// What several calls have put out, port by port.
fn in_one(outcomes: &[Vec<(String, RecordBatch)>]) -> FlatOutcome {
    let outputs = outcomes[0].iter().enumerate().map(|(index, (name, empty))| {
        let parts: Vec<RecordBatch> = outcomes.iter().map(|outcome| outcome[index].1.clone()).collect();
        (name.clone(), joined(empty, &parts))
    });
    FlatOutcome { outputs: outputs.collect(), rejects: Vec::new() }
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
