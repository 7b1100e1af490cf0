//! Counts rows of a key in its own memory and sums them in the host's; does what no operator should, where it is told to.

use std::collections::BTreeMap;

use serde::Deserialize;
use volley_sdk::build::{Builder as _, Int64Builder};
use volley_sdk::state::{StateDeclaration, ValueState};
use volley_sdk::{
    Binding, Context, DataType, Failure, Field, KeyedBatch, OpenError, ProcessInput, ProcessOperator, Rejects, Schema,
    SnapshotOperator, StatePart, export_process,
};

/// What it does wrong.
#[derive(Debug, Clone, Deserialize, Default)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Traps at rows of this value, after they were counted.
    poison: Option<i64>,
    /// `snapshot`, `every-other-snapshot`, `restore`, `restore-for-ever`, `group`, `size`, `parts`, `refuse`.
    #[serde(default)]
    fail: String,
}

/// The operator.
pub struct Keeper {
    config: Config,
    /// Rows by key group and key.
    counts: BTreeMap<(u8, i64), i64>,
    /// Keys by number.
    keys: Vec<i64>,
    snapshots: u32,
}

const SUMS: ValueState<(i64,)> = ValueState::at(0);

impl ProcessOperator for Keeper {
    type Config = Config;

    fn states() -> Vec<StateDeclaration> {
        vec![StateDeclaration::value::<(i64,)>("sums")]
    }

    fn open(config: Config, input: &ProcessInput) -> Result<(Self, Binding), OpenError> {
        let key = input.keys[0].clone();
        let out = Schema::new([
            Field::new("count", DataType::Int64).required(),
            Field::new("sum", DataType::Int64).required(),
        ]);
        let binding = Binding::reads(["id"]).keyed(out).wanting_keys([key]);
        Ok((Self { config, counts: BTreeMap::new(), keys: Vec::new(), snapshots: 0 }, binding))
    }

    fn process(&mut self, rows: &KeyedBatch<'_>, cx: &mut Context<'_>) -> Result<Rejects, Failure> {
        if let Some(new) = &rows.new_keys {
            let keys = new.columns.at(0).as_i64()?;
            assert_eq!(new.first as usize, self.keys.len(), "keys are numbered in order");
            self.keys.extend((0..new.columns.len()).map(|row| keys.get(row).unwrap_or_default()));
        }
        let ids = rows.batch.at(0).as_i64()?;
        let key_groups = cx.key_groups(rows.groups)?;
        let distinct = cx.distinct(rows.groups.iter().copied());
        let mut sums: Vec<i64> =
            SUMS.get(cx, &distinct.groups)?.into_iter().map(|sum| sum.map_or(0, |(sum,)| sum)).collect();
        let (mut counted, mut summed) = (Int64Builder::new(), Int64Builder::new());
        for row in 0..rows.batch.len() {
            let id = ids.get(row).unwrap_or_default();
            let count = self.counts.entry((key_groups[row], self.keys[rows.groups[row] as usize])).or_default();
            *count += 1;
            assert!(Some(id) != self.config.poison, "a poisoned row");
            let sum = &mut sums[distinct.places[row] as usize];
            *sum += id;
            counted.push(*count);
            summed.push(*sum);
        }
        SUMS.put(cx, &distinct.groups, sums.into_iter().map(|sum| (sum,)))?;
        let parents: Vec<u32> = (0..rows.batch.len() as u32).collect();
        cx.out().emit("out", &parents, vec![counted.finish(), summed.finish()])?;
        Ok(Rejects::new())
    }

    fn forget(&mut self) {
        self.keys.clear();
    }
}

impl SnapshotOperator for Keeper {
    fn snapshot(&mut self) -> Result<Vec<StatePart>, Failure> {
        self.snapshots += 1;
        let fail = self.config.fail.as_str();
        assert!(fail != "snapshot" && (fail != "every-other-snapshot" || self.snapshots % 2 == 1), "no snapshot today");
        if fail == "refuse" {
            return Err(Failure::Fatal("not today".to_owned()));
        }
        let part = |((group, key), count): (&(u8, i64), &i64)| StatePart {
            key_group: Some(*group),
            version: 3,
            bytes: [key.to_le_bytes(), count.to_le_bytes()].concat(),
        };
        let mut parts: Vec<StatePart> = self.counts.iter().map(part).collect();
        match fail {
            "group" => parts.push(StatePart { key_group: Some(255), version: 3, bytes: vec![0; 16] }),
            "size" => parts.push(StatePart { key_group: None, version: 3, bytes: vec![0; (1 << 20) + 1] }),
            "parts" => parts.extend((0..70_000).map(|_| StatePart { key_group: None, version: 3, bytes: Vec::new() })),
            _ => {}
        }
        Ok(parts)
    }

    fn restore(&mut self, parts: Vec<StatePart>) -> Result<(), Failure> {
        assert!(self.config.fail != "restore", "nothing is restored today");
        while self.config.fail == "restore-for-ever" {
            std::hint::spin_loop();
        }
        for part in parts {
            let (Some(group), 3, Ok(bytes)) = (part.key_group, part.version, <[u8; 16]>::try_from(&part.bytes[..]))
            else {
                return Err(Failure::Fatal(format!("no state of version {}", part.version)));
            };
            let word = |at: usize| i64::from_le_bytes(bytes[at..at + 8].try_into().unwrap_or_default());
            self.counts.insert((group, word(0)), word(8));
        }
        Ok(())
    }
}

export_process!(Keeper, snapshot);
