//! A process: the most frequent items of each key, in each stretch of event time.
//!
//! Counts are a map that the host holds, so that a key with very many items costs what it touches. Which column has the items
//! the configuration says; so the operator is written batch-wise.

use std::collections::BTreeMap;

use serde::Deserialize;
use volley_sdk::row::{TimeColumn, read_time};
use volley_sdk::state::{MapState, StateDeclaration};
use volley_sdk::{
    Binding, Context, DataType, Emit, Failure, Field, KeyedBatch, NewKeys, OpenError, ProcessInput, ProcessOperator,
    Rejects, Schema, TimeDomain, Timer, WriteMode,
};

/// The `config:` of the pipeline file.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The text column with the items.
    pub item: String,
    /// How many items to tell of; 3 by default.
    #[serde(default = "three")]
    pub k: u32,
    /// How long a stretch is, in milliseconds.
    pub every_ms: i64,
}

fn three() -> u32 {
    3
}

/// How often each item came, under the beginning of its stretch and its name.
const COUNTS: MapState<(i64, String), i64> = MapState::at(0);

/// The operator.
pub struct TopK {
    k: usize,
    every_ms: i64,
    time: TimeColumn,
}

impl ProcessOperator for TopK {
    type Config = Config;

    const DETERMINISM: volley_sdk::Determinism = volley_sdk::Determinism::Deterministic;

    fn states() -> Vec<StateDeclaration> {
        vec![StateDeclaration::map::<(i64, String), i64>("counts")]
    }

    fn open(config: Config, input: &ProcessInput) -> Result<(Self, Binding), OpenError> {
        for (key, is_good) in [("k", config.k > 0), ("every_ms", config.every_ms > 0)] {
            if !is_good {
                return Err(OpenError::InvalidConfig(format!("{key}: a number above 0 is wanted")));
            }
        }
        let column = input.schema.require(&config.item)?;
        if !matches!(column.data_type, DataType::Utf8 | DataType::LargeUtf8) {
            let (name, found) = (&column.name, &column.data_type);
            return Err(OpenError::InvalidInput(format!("column `{name}` is {found}, wanted Utf8")));
        }
        let columns = Schema::new([
            Field::new("rank", DataType::Int64).required(),
            Field::new("item", DataType::Utf8).required(),
            Field::new("count", DataType::Int64).required(),
        ]);
        let binding = Binding::reads([config.item]).port("out", columns, WriteMode::Keyed);
        let (binding, time) = read_time(binding, input)?;
        Ok((Self { k: config.k as usize, every_ms: config.every_ms, time }, binding))
    }

    fn process(&mut self, rows: &KeyedBatch<'_>, cx: &mut Context<'_>) -> Result<Rejects, Failure> {
        let items = rows.batch.at(0).as_str()?;
        let times = self.time.reader(&rows.batch)?;
        // Each item of the batch once, so that there is one access to the state for all of them.
        let mut counts: BTreeMap<(u32, i64, &str), i64> = BTreeMap::new();
        let mut timers: Vec<Timer> = Vec::new();
        for (row, group) in rows.groups.iter().enumerate() {
            let (Some(item), Some(at_ms)) = (items.get(row), times.get(row)) else { continue };
            let start_ms = at_ms - at_ms.rem_euclid(self.every_ms);
            let count = counts.entry((*group, start_ms, item)).or_default();
            if *count == 0 {
                let at_ms = start_ms + self.every_ms;
                timers.push(Timer { group: *group, at_ms, domain: TimeDomain::EventTime, tag: 0 });
            }
            *count += 1;
        }
        if counts.is_empty() {
            return Ok(Rejects::new());
        }
        let groups: Vec<u32> = counts.keys().map(|(group, ..)| *group).collect();
        let keys = || counts.keys().map(|(_, start_ms, item)| (*start_ms, (*item).to_owned()));
        let known = COUNTS.get(cx, &groups, keys())?;
        let sums = known.into_iter().zip(counts.values()).map(|(known, more)| known.unwrap_or_default() + more);
        let sums: Vec<i64> = sums.collect();
        COUNTS.put(cx, &groups, keys(), sums)?;
        cx.register(&timers)?;
        Ok(Rejects::new())
    }

    fn on_timers(&mut self, timers: &[Timer], _: Option<NewKeys<'_>>, cx: &mut Context<'_>) -> Result<(), Failure> {
        let mut out = Emit::<(i64, String, i64)>::new();
        let distinct = cx.distinct(timers.iter().map(|timer| timer.group));
        let mut entries: Vec<Vec<(i64, String, i64)>> = distinct.groups.iter().map(|_| Vec::new()).collect();
        for (place, (start_ms, item), count) in COUNTS.entries(cx, &distinct.groups)? {
            entries[place as usize].push((start_ms, item, count));
        }
        let (mut groups, mut done) = (Vec::new(), Vec::new());
        for (row, (timer, place)) in timers.iter().zip(&distinct.places).enumerate() {
            let start_ms = timer.at_ms - self.every_ms;
            let mut of: Vec<(i64, String)> = entries[*place as usize]
                .iter()
                .filter(|(at, ..)| *at == start_ms)
                .map(|(_, i, n)| (*n, i.clone()))
                .collect();
            groups.extend(of.iter().map(|_| timer.group));
            done.extend(of.iter().map(|(_, item)| (start_ms, item.clone())));
            of.sort_unstable_by(|one, other| other.0.cmp(&one.0).then_with(|| one.1.cmp(&other.1)));
            out.set_row(row);
            for (rank, (count, item)) in (1..).zip(of.into_iter().take(self.k)) {
                out.push((rank, item, count));
            }
        }
        if !groups.is_empty() {
            COUNTS.remove_keys(cx, &groups, done)?;
        }
        out.flush(cx.out(), 0)
    }
}

volley_sdk::export_process!(TopK);

#[cfg(test)]
mod tests {
    use volley_sdk::testing::{Process, json};
    use volley_sdk::{RecordBatch, batch};

    use super::*;

    fn rows(users: &[&str], items: &[Option<&str>], times: &[i64]) -> RecordBatch {
        batch! { "user" => users.to_vec(), "item" => items.to_vec(), "at" => times.to_vec() }
    }

    #[test]
    fn each_stretch_has_its_most_frequent_items() {
        let first = rows(
            &["a", "a", "a", "b", "a", "a"],
            &[Some("x"), Some("y"), Some("y"), Some("z"), None, Some("w")],
            &[0, 10, 99, 50, 60, 100],
        );
        let config = json!({ "item": "item", "k": 2, "every_ms": 100 });
        let mut job = Process::<TopK>::open(config, &first, &["user"], Some("at")).unwrap();
        assert_eq!(job.rows(&first).unwrap().port("out").len(), 0);
        job.rows(&rows(&["a", "a"], &[Some("x"), Some("x")], &[98, 97])).unwrap();
        let wanted = batch! {
            "user" => ["a", "a", "b"], "at" => [100_i64, 100, 100], "rank" => [1_i64, 2, 1], "item" => ["x", "y", "z"],
            "count" => [3_i64, 2, 1],
        };
        assert_eq!(job.watermark(100).unwrap().port("out").columns(), wanted.columns());
        let wanted = batch! {
            "user" => ["a"], "at" => [200_i64], "rank" => [1_i64], "item" => ["w"], "count" => [1_i64],
        };
        assert_eq!(job.end().unwrap().port("out").columns(), wanted.columns());
        assert_eq!(job.timers(), 0);
    }

    #[test]
    fn what_cannot_work_is_refused_by_name() {
        let input = rows(&["a"], &[Some("x")], &[0]);
        for (config, time, wanted) in [
            (json!({ "item": "item", "every_ms": 1 }), None, "event_time"),
            (json!({ "item": "item", "every_ms": 0 }), Some("at"), "every_ms"),
            (json!({ "item": "item", "every_ms": 1, "k": 0 }), Some("at"), "k: "),
            (json!({ "item": "at", "every_ms": 1 }), Some("at"), "column `at` is Int64"),
            (json!({ "item": "none", "every_ms": 1 }), Some("at"), "none"),
        ] {
            let error = match Process::<TopK>::open(config, &input, &["user"], time) {
                Ok(_) => panic!("no error about {wanted}"),
                Err(error) => error.to_string(),
            };
            assert!(error.contains(wanted), "{error}");
        }
    }
}
