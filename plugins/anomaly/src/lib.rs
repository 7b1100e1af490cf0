//! A process that watches sensors: it tells readings that are far from what a sensor has said so far, and sensors from which
//! nothing comes any more.
//!
//! It has a state of each kind but the map: sums that are merged without being read anew for every row, the readings that were
//! told lately as a list whose entries have an end, and the time of the last reading as a value.

mod config;

use volley_sdk::row::{TimeColumn, check_argument, read_time};
use volley_sdk::state::{ListState, MergeFunction, MergeState, StateDeclaration, ValueState};
use volley_sdk::{
    Binding, Context, DataType, Determinism, Emit, Failure, Field, KeyedBatch, NewKeys, OpenError, ProcessInput,
    ProcessOperator, Rejects, Schema, TimeDomain, Timer, WriteMode, clock,
};

pub use config::{Config, Domain};

/// How long a reading that was told is remembered, in milliseconds of event time.
pub const RECENT_MS: i64 = 3_600_000;

/// How many readings, their sum, and the sum of their squares.
const MOMENTS: MergeState<(i64, f64, f64)> = MergeState::at(0);
/// The times of readings that were told.
const TOLD: ListState<i64> = ListState::at(1);
/// When the last reading came, by the time that tells silence.
const LAST: ValueState<i64> = ValueState::at(2);

/// The operator.
pub struct Anomaly {
    config: Config,
    time: TimeColumn,
}

/// What is known of a sensor while a batch is processed.
struct Sensor {
    known: (i64, f64, f64),
    added: (i64, f64, f64),
    told: Vec<i64>,
    new: Vec<i64>,
    last_ms: Option<i64>,
    is_silent: bool,
}

impl Sensor {
    /// How many standard deviations a reading is from the mean of those before; none where they do not differ.
    fn deviations(&self, x: f64, readings_min: i64) -> Option<(f64, f64)> {
        let (n, sum, squares) = (self.known.0 + self.added.0, self.known.1 + self.added.1, self.known.2 + self.added.2);
        if n < readings_min {
            return None;
        }
        let mean = sum / n as f64;
        let variance = squares / n as f64 - mean * mean;
        (variance > 0.0).then(|| (mean, (x - mean).abs() / variance.sqrt()))
    }
}

impl Anomaly {
    fn sensors(cx: &mut Context<'_>, groups: &[u32]) -> Result<Vec<Sensor>, Failure> {
        let moments = MOMENTS.get(cx, groups)?;
        let last = LAST.get(cx, groups)?;
        let sensor = |(known, last_ms): (Option<_>, Option<i64>)| Sensor {
            known: known.unwrap_or_default(),
            added: (0, 0.0, 0.0),
            told: Vec::new(),
            new: Vec::new(),
            is_silent: last_ms.is_none(),
            last_ms,
        };
        let mut sensors: Vec<Sensor> = moments.into_iter().zip(last).map(sensor).collect();
        for (place, at_ms) in TOLD.entries(cx, groups)? {
            sensors[place as usize].told.push(at_ms);
        }
        Ok(sensors)
    }
}

impl ProcessOperator for Anomaly {
    type Config = Config;

    const DETERMINISM: Determinism = Determinism::Replayable;

    fn states() -> Vec<StateDeclaration> {
        vec![
            StateDeclaration::merge::<(i64, f64, f64)>("moments", [MergeFunction::Sum; 3]),
            StateDeclaration::list::<i64>("told").with_ttl_ms(RECENT_MS.unsigned_abs()),
            StateDeclaration::value::<i64>("last"),
        ]
    }

    fn open(config: Config, input: &ProcessInput) -> Result<(Self, Binding), OpenError> {
        config.check()?;
        check_argument::<f64>(&input.schema, &config.column)?;
        let told = Schema::new([
            Field::new("reading", DataType::Float64).required(),
            Field::new("mean", DataType::Float64).required(),
            Field::new("deviations", DataType::Float64).required(),
            Field::new("recent", DataType::Int64).required(),
        ]);
        let silent = Schema::new([Field::new("since_ms", DataType::Int64).required()]);
        let binding = Binding::reads([config.column.clone()]);
        let binding = binding.port("out", told, WriteMode::Keyed).port("silent", silent, WriteMode::Keyed);
        let (binding, time) = read_time(binding, input)?;
        Ok((Self { config, time }, binding))
    }

    fn process(&mut self, rows: &KeyedBatch<'_>, cx: &mut Context<'_>) -> Result<Rejects, Failure> {
        let readings = rows.batch.at(0).read::<f64>()?;
        let times = self.time.reader(&rows.batch)?;
        let keys = cx.distinct(rows.groups.iter().copied());
        let mut sensors = Self::sensors(cx, &keys.groups)?;
        let (mut out, mut silent) = (Emit::<(f64, f64, f64, i64)>::new(), Emit::<(i64,)>::new());
        let now_ms = clock::now_ms() as i64;
        for (row, place) in keys.places.iter().enumerate() {
            let (Some(x), Some(at_ms)) = (readings.get(row), times.get(row)) else { continue };
            let sensor = &mut sensors[*place as usize];
            let far = sensor.deviations(x, self.config.readings_min);
            if let Some((mean, deviations)) = far.filter(|(_, far)| *far > self.config.deviations) {
                sensor.new.push(at_ms);
                let lately = |told: &&i64| **told > at_ms - RECENT_MS;
                let recent = sensor.told.iter().chain(&sensor.new).filter(lately).count();
                out.set_row(row);
                out.push((x, mean, deviations, recent as i64));
            }
            let (n, sum, squares) = sensor.added;
            sensor.added = (n + 1, sum + x, squares + x * x);
            let at_ms = if self.config.silent_by == Domain::Clock { now_ms } else { at_ms };
            // Its timer has not fired yet, since rows come before their watermark.
            let ended = sensor.last_ms.zip(self.config.silent_ms).filter(|(last, silent)| last + silent <= at_ms);
            if let Some((last_ms, _)) = ended {
                silent.set_row(row);
                silent.push((last_ms,));
            }
            sensor.last_ms = Some(sensor.last_ms.map_or(at_ms, |last_ms| last_ms.max(at_ms)));
        }
        self.store(&keys.groups, &sensors, cx)?;
        out.flush(cx.out(), 0)?;
        silent.flush(cx.out(), 1)?;
        Ok(Rejects::new())
    }

    /// Nothing may have come for long enough; if something has, the sensor is looked at again later.
    fn on_timers(&mut self, timers: &[Timer], _: Option<NewKeys<'_>>, cx: &mut Context<'_>) -> Result<(), Failure> {
        let Some(silent_ms) = self.config.silent_ms else { return Ok(()) };
        let groups: Vec<u32> = timers.iter().map(|timer| timer.group).collect();
        let mut silent = Emit::<(i64,)>::new();
        let (mut gone, mut later) = (Vec::new(), Vec::new());
        for (row, (timer, last_ms)) in timers.iter().zip(LAST.get(cx, &groups)?).enumerate() {
            let Some(last_ms) = last_ms else { continue };
            if last_ms + silent_ms > timer.at_ms {
                later.push(Timer { at_ms: last_ms + silent_ms, ..*timer });
            } else {
                silent.set_row(row);
                silent.push((last_ms,));
                gone.push(timer.group);
            }
        }
        LAST.remove(cx, &gone)?;
        cx.register(&later)?;
        silent.flush(cx.out(), 1)
    }
}

impl Anomaly {
    fn store(&self, groups: &[u32], sensors: &[Sensor], cx: &mut Context<'_>) -> Result<(), Failure> {
        let added = || groups.iter().zip(sensors).filter(|(_, sensor)| sensor.added.0 > 0);
        let of: Vec<u32> = added().map(|(group, _)| *group).collect();
        MOMENTS.add(cx, &of, added().map(|(_, sensor)| sensor.added))?;
        let told = || groups.iter().zip(sensors).flat_map(|(group, sensor)| sensor.new.iter().map(|at| (*group, *at)));
        let in_list: Vec<u32> = told().map(|(group, _)| group).collect();
        TOLD.append(cx, &in_list, told().map(|(_, at_ms)| at_ms))?;
        let Some(silent_ms) = self.config.silent_ms else { return Ok(()) };
        LAST.put(cx, &of, added().map(|(_, sensor)| sensor.last_ms.unwrap_or_default()))?;
        let domain = TimeDomain::from(self.config.silent_by);
        let timer = |(group, sensor): (&u32, &Sensor)| Timer {
            group: *group,
            at_ms: sensor.last_ms.unwrap_or_default() + silent_ms,
            domain,
            tag: 0,
        };
        let timers: Vec<Timer> = added().filter(|(_, sensor)| sensor.is_silent).map(timer).collect();
        Ok(cx.register(&timers)?)
    }
}

volley_sdk::export_process!(Anomaly);

#[cfg(test)]
mod tests;
