//! A process that learns what values of a key are usual, and puts out those that are not; and keys that have fallen silent.
//!
//! What is usual is an exponentially weighted mean and variance. The operator holds them itself, in its own memory, and hands
//! them to checkpoints as parts: one for each key group, so that they follow their keys when a job is rescaled.
//! (State that the host holds would do as well; this shows the other way.) A timer for each key forgets it when nothing has
//! come for long.

use std::collections::BTreeMap;

use serde::Deserialize;
use volley_sdk::build::{Builder as _, Float64Builder, StringBuilder};
use volley_sdk::row::TimeColumn;
use volley_sdk::{
    Binding, Context, DataType, Failure, Field, KeyedBatch, NewKeys, OpenError, ProcessInput, ProcessOperator, Rejects,
    Schema, SnapshotOperator, StatePart, TimeDomain, Timer, export_process,
};

/// The `config:` of the pipeline file.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The column whose values are looked at; any number.
    pub column: String,
    /// How much a new value counts, above 0 and up to 1. Default: 0.1.
    #[serde(default = "weight")]
    pub weight: f64,
    /// How many standard deviations from the mean a value is unusual. Default: 4.
    #[serde(default = "threshold")]
    pub threshold: f64,
    /// Values of a key before any is called unusual. Default: 20.
    #[serde(default = "warm_up")]
    pub warm_up: u64,
    /// After so many milliseconds of event time without a row a key is silent, and forgotten.
    pub silence_ms: i64,
}

fn weight() -> f64 {
    0.1
}

fn threshold() -> f64 {
    4.0
}

fn warm_up() -> u64 {
    20
}

/// The version of the parts: for each key the length of its name (u32), the name, and the 32 bytes of a [`Model`].
const VERSION: u32 = 1;

/// Bytes of a model.
const MODEL_BYTES: usize = 32;

/// What is known of a key.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
struct Model {
    values: u64,
    mean: f64,
    variance: f64,
    last_ms: i64,
}

impl Model {
    /// How many standard deviations a value is from the mean.
    fn score(&self, value: f64) -> f64 {
        let deviation = self.variance.sqrt();
        if deviation > 0.0 { (value - self.mean) / deviation } else { 0.0 }
    }

    fn learn(&mut self, value: f64, weight: f64) {
        self.values += 1;
        if self.values == 1 {
            self.mean = value;
            return;
        }
        let step = value - self.mean;
        self.mean += weight * step;
        self.variance = (1.0 - weight) * (self.variance + weight * step * step);
    }

    fn write(&self, bytes: &mut Vec<u8>) {
        bytes.extend(self.values.to_le_bytes());
        bytes.extend(self.mean.to_le_bytes());
        bytes.extend(self.variance.to_le_bytes());
        bytes.extend(self.last_ms.to_le_bytes());
    }

    fn read(bytes: &[u8; MODEL_BYTES]) -> Self {
        let word = |at: usize| {
            let mut word = [0; 8];
            word.copy_from_slice(&bytes[8 * at..8 * at + 8]);
            word
        };
        Self {
            values: u64::from_le_bytes(word(0)),
            mean: f64::from_le_bytes(word(1)),
            variance: f64::from_le_bytes(word(2)),
            last_ms: i64::from_le_bytes(word(3)),
        }
    }
}

/// The operator.
pub struct Anomaly {
    config: Config,
    time: TimeColumn,
    /// What is known, by key group and key.
    models: BTreeMap<(u8, String), Model>,
    /// Keys by number.
    names: Vec<String>,
}

/// Rows on their way out.
#[derive(Default)]
struct Out {
    parents: Vec<u32>,
    kinds: StringBuilder,
    values: Float64Builder,
    means: Float64Builder,
    scores: Float64Builder,
}

impl Out {
    fn push(&mut self, parent: usize, kind: &str, value: Option<f64>, mean: f64, score: Option<f64>) {
        self.parents.push(u32::try_from(parent).unwrap_or(u32::MAX));
        self.kinds.push(kind);
        self.values.push_option(value);
        self.means.push(mean);
        self.scores.push_option(score);
    }

    fn emit(self, cx: &mut Context<'_>) -> Result<(), Failure> {
        if self.parents.is_empty() {
            return Ok(());
        }
        let columns = vec![self.kinds.finish(), self.values.finish(), self.means.finish(), self.scores.finish()];
        Ok(cx.out().emit("out", &self.parents, columns)?)
    }
}

impl Anomaly {
    fn meet(&mut self, new: Option<&NewKeys<'_>>) -> Result<(), Failure> {
        if let Some(new) = new {
            self.names.truncate(new.first as usize);
            let names = new.columns.at(0).as_str()?;
            self.names.extend((0..new.columns.len()).map(|row| names.get(row).unwrap_or_default().to_owned()));
        }
        Ok(())
    }

    fn name(&self, group: u32) -> Result<String, Failure> {
        let name = self.names.get(group as usize);
        name.cloned().ok_or_else(|| Failure::Fatal(format!("key {group} was never named")))
    }
}

impl ProcessOperator for Anomaly {
    type Config = Config;

    fn open(config: Config, input: &ProcessInput) -> Result<(Self, Binding), OpenError> {
        if !(config.weight > 0.0 && config.weight <= 1.0) {
            let message = format!("weight: {} is not above 0 and up to 1", config.weight);
            return Err(OpenError::InvalidConfig(message));
        }
        let [key] = &input.keys[..] else {
            let message = format!("`key_by` has {} columns; this operator wants one", input.keys.len());
            return Err(OpenError::InvalidInput(message));
        };
        let column = input.schema.require(key)?;
        if column.data_type != DataType::Utf8 {
            let message = format!("column `{key}` is {}, wanted Utf8", column.data_type);
            return Err(OpenError::InvalidInput(message));
        }
        input.schema.require(&config.column)?;
        let out = Schema::new([
            Field::new("kind", DataType::Utf8).required(),
            Field::new("value", DataType::Float64),
            Field::new("mean", DataType::Float64).required(),
            Field::new("score", DataType::Float64),
        ]);
        let binding = Binding::reads([config.column.clone()]).keyed(out).wanting_keys([key.clone()]);
        let (binding, time) = volley_sdk::row::read_time(binding, input)?;
        Ok((Self { config, time, models: BTreeMap::new(), names: Vec::new() }, binding))
    }

    fn process(&mut self, rows: &KeyedBatch<'_>, cx: &mut Context<'_>) -> Result<Rejects, Failure> {
        self.meet(rows.new_keys.as_ref())?;
        let (values, times) = (rows.batch.at(0).numbers()?, self.time.reader(&rows.batch)?);
        let key_groups = cx.key_groups(rows.groups)?;
        let (mut out, mut timers) = (Out::default(), Vec::new());
        for (row, (&group, &key_group)) in rows.groups.iter().zip(&key_groups).enumerate() {
            let (Some(value), Some(at_ms)) = (values.get(row), times.get(row)) else { continue };
            let key = (key_group, self.name(group)?);
            let model = self.models.entry(key).or_default();
            if model.values == 0 {
                let at_ms = at_ms + self.config.silence_ms;
                timers.push(Timer { group, at_ms, domain: TimeDomain::EventTime, tag: 0 });
            }
            let score = model.score(value);
            if model.values >= self.config.warm_up && score.abs() > self.config.threshold {
                out.push(row, "outlier", Some(value), model.mean, Some(score));
            }
            model.learn(value, self.config.weight);
            model.last_ms = model.last_ms.max(at_ms);
        }
        cx.register(&timers)?;
        out.emit(cx)?;
        Ok(Rejects::new())
    }

    fn on_timers(
        &mut self,
        timers: &[Timer],
        new_keys: Option<NewKeys<'_>>,
        cx: &mut Context<'_>,
    ) -> Result<(), Failure> {
        self.meet(new_keys.as_ref())?;
        let groups: Vec<u32> = timers.iter().map(|timer| timer.group).collect();
        let key_groups = cx.key_groups(&groups)?;
        let (mut out, mut later) = (Out::default(), Vec::new());
        for (place, timer) in timers.iter().enumerate() {
            let key = (key_groups[place], self.name(timer.group)?);
            let Some(model) = self.models.get(&key).copied() else { continue };
            let ends_ms = model.last_ms + self.config.silence_ms;
            if ends_ms > timer.at_ms {
                later.push(Timer { at_ms: ends_ms, ..*timer });
            } else {
                out.push(place, "silent", None, model.mean, None);
                self.models.remove(&key);
            }
        }
        cx.register(&later)?;
        out.emit(cx)
    }

    fn forget(&mut self) {
        self.names.clear();
    }
}

impl SnapshotOperator for Anomaly {
    fn snapshot(&mut self) -> Result<Vec<StatePart>, Failure> {
        let mut parts: Vec<StatePart> = Vec::new();
        for ((group, name), model) in &self.models {
            if parts.last().is_none_or(|part| part.key_group != Some(*group)) {
                parts.push(StatePart { key_group: Some(*group), version: VERSION, bytes: Vec::new() });
            }
            if let Some(part) = parts.last_mut() {
                part.bytes.extend(u32::try_from(name.len()).unwrap_or(u32::MAX).to_le_bytes());
                part.bytes.extend(name.as_bytes());
                model.write(&mut part.bytes);
            }
        }
        Ok(parts)
    }

    fn restore(&mut self, parts: Vec<StatePart>) -> Result<(), Failure> {
        for part in parts {
            let damaged = || Failure::Fatal("a part of its state ends too early".to_owned());
            let Some(group) = part.key_group.filter(|_| part.version == VERSION) else {
                let message = format!("state of version {}; this one knows version {VERSION}", part.version);
                return Err(Failure::Fatal(message));
            };
            let mut rest = &part.bytes[..];
            while let Some((length, after)) = rest.split_first_chunk::<4>() {
                let length = u32::from_le_bytes(*length) as usize;
                let (name, after) = after.split_at_checked(length).ok_or_else(damaged)?;
                let (model, after) = after.split_first_chunk::<MODEL_BYTES>().ok_or_else(damaged)?;
                let name = String::from_utf8_lossy(name).into_owned();
                self.models.insert((group, name), Model::read(model));
                rest = after;
            }
        }
        Ok(())
    }
}

export_process!(Anomaly, snapshot);

#[cfg(test)]
mod tests {
    use volley_sdk::testing::{Process, json};
    use volley_sdk::{RecordBatch, batch};

    use super::*;

    fn rows(keys: &[&str], times: &[i64], values: &[f64]) -> RecordBatch {
        batch! { "key" => keys.to_vec(), "at" => times.to_vec(), "x" => values.to_vec() }
    }

    fn open() -> Process<Anomaly> {
        let config = json!({ "column": "x", "silence_ms": 1_000, "warm_up": 3, "weight": 0.5, "threshold": 3.0 });
        Process::open(config, &rows(&["a"], &[0], &[0.0]), &["key"], Some("at")).unwrap()
    }

    fn usual() -> RecordBatch {
        rows(&["a", "b", "a", "a", "a"], &[0, 0, 10, 20, 30], &[1.0, 100.0, 2.0, 1.0, 2.0])
    }

    #[test]
    fn values_unlike_those_before_them_go_out() {
        let mut job = open();
        assert_eq!(job.rows(&usual()).unwrap().port("out").len(), 0);
        let outcome = job.rows(&rows(&["a", "b"], &[40, 40], &[50.0, 50.0])).unwrap();
        assert_eq!(outcome.port("out").len(), 1, "`b` is not known well enough");
    }

    #[test]
    fn keys_that_fall_silent_go_out_once_and_are_forgotten() {
        let mut job = open();
        job.rows(&usual()).unwrap();
        assert_eq!(job.watermark(999).unwrap().port("out").len(), 0);
        assert_eq!(job.watermark(1_000).unwrap().port("out").len(), 1, "`b`");
        assert_eq!(job.watermark(1_030).unwrap().port("out").len(), 1, "`a`");
        assert_eq!((job.timers(), job.snapshot().unwrap()), (0, Vec::new()));
    }

    #[test]
    fn what_it_has_learnt_outlives_it() {
        let mut first = open();
        first.rows(&usual()).unwrap();
        let parts = first.snapshot().unwrap();
        assert!(!parts.is_empty());
        let mut second = open();
        second.restore(parts.clone()).unwrap();
        assert_eq!(second.snapshot().unwrap(), parts);
        let later = rows(&["a", "b"], &[40, 40], &[50.0, 50.0]);
        assert_eq!(second.rows(&later).unwrap().port("out").len(), 1);
        let other = vec![StatePart { version: 9, ..parts[0].clone() }];
        assert!(open().restore(other).unwrap_err().to_string().contains("version 9"));
    }
}
