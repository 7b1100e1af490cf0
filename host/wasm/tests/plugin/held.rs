//! Operators that hold state themselves, built from `tests/guests/rust` by `make plugins`: taken from `VOLLEY_TEST_KEEPERS`, or
//! from `build/keepers`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, Int64Array, RecordBatch};
use arrow::datatypes::{DataType, Field, Int64Type, Schema, SchemaRef};
use volley_api::{
    KeyGroupRange, KeyedSnapshot, ManualClock, NodeName, Operator, OperatorContext, OperatorFactory, OperatorState,
    OriginColumn, OriginDirectory, Positions, Result, SeedSource, SnapshotContent, StateFile, StatePart, StreamRecord,
    StreamType, SubtaskId,
};
use volley_wasm::{OnError, Plugin, PluginFactory, PluginLimits, PluginOptions, ReplayOptions, Repro, replay};

use crate::harness::{Collected, engine};
use crate::memory::Memory;

const KEYS: i64 = 5;

pub(crate) fn component(name: &str) -> PathBuf {
    let folder = std::env::var_os("VOLLEY_TEST_KEEPERS").unwrap_or_else(|| "build/keepers".into());
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..").join(folder).join(format!("{name}.wasm"));
    assert!(path.is_file(), "{} is missing: run `make plugins` (or `make test`)", path.display());
    path
}

fn schema() -> SchemaRef {
    Arc::new(Schema::new(vec![Field::new("id", DataType::Int64, true), Field::new("key", DataType::Int64, true)]))
}

pub(crate) fn rows(ids: std::ops::Range<i64>) -> StreamRecord {
    let column = |of: fn(i64) -> i64| Arc::new(Int64Array::from_iter_values(ids.clone().map(of))) as ArrayRef;
    let batch = RecordBatch::try_new(schema(), vec![column(|id| id), column(|id| id % KEYS)]).expect("fits");
    let rows = batch.num_rows();
    StreamRecord::new(batch).with_origins(OriginColumn::of_split(0, 0, &Positions::From(100), rows))
}

pub(crate) struct Job {
    pub(crate) path: PathBuf,
    pub(crate) config: serde_json::Value,
    pub(crate) subtask: SubtaskId,
    pub(crate) restored: OperatorState,
    pub(crate) on_error: OnError,
    pub(crate) repro: Option<PathBuf>,
}

impl Job {
    pub(crate) fn new(path: &Path, config: serde_json::Value) -> Self {
        let restored = OperatorState::default();
        Self {
            path: path.to_owned(),
            config,
            subtask: SubtaskId::SINGLE,
            restored,
            on_error: OnError::DeadLetter,
            repro: None,
        }
    }

    pub(crate) fn start(&self) -> Result<Box<dyn Operator>> {
        let plugin = Plugin::load(engine(), &self.path)?;
        let limits = PluginLimits { open_deadline: std::time::Duration::from_secs(2), ..PluginLimits::default() };
        let repro = self.repro.as_deref().map(|folder| Arc::new(Repro::new(folder)));
        let config = self.config.clone();
        let options = PluginOptions { config, on_error: self.on_error, limits, repro, ..PluginOptions::default() };
        let factory = PluginFactory::new(plugin, options).with_keys(vec!["key".to_owned()]);
        factory.bind_stream(&StreamType { schema: schema(), event_time: None, is_bounded: true, is_revised: false })?;
        factory.create(OperatorContext {
            node: NodeName::new("kept").expect("a name"),
            subtask: self.subtask,
            input: schema(),
            event_time: None,
            state: Arc::new(Memory),
            restored: self.restored.clone(),
            errors_attached: true,
            clock: Arc::new(ManualClock::at(1_234)),
            seeds: SeedSource::new(1),
            origins: OriginDirectory::new(),
        })
    }

    pub(crate) fn error(&self) -> String {
        match self.start() {
            Ok(_) => panic!("it starts"),
            Err(error) => error.to_string(),
        }
    }
}

/// What a checkpoint has of an operator, through files as a store would keep them.
pub(crate) fn stored(folder: &tempfile::TempDir, instances: Vec<Vec<KeyedSnapshot>>) -> Result<OperatorState> {
    let mut state = OperatorState::default();
    for mut snapshot in instances.into_iter().flatten() {
        let mut files = Vec::new();
        for file in snapshot.snapshot.files()? {
            let path = folder.path().join(format!("{}-{}-{}", snapshot.name, snapshot.subtask.index, files.len()));
            let SnapshotContent::Bytes(bytes) = file.content else { panic!("in memory") };
            std::fs::write(&path, bytes).expect("a file");
            files.push(StateFile { name: file.name, path });
        }
        let part = StatePart {
            key_groups: snapshot.key_groups,
            layout: snapshot.layout,
            format: snapshot.format.to_owned(),
            files,
        };
        state.keyed.entry(snapshot.name.to_owned()).or_default().push(part);
    }
    Ok(state)
}

fn found(collected: &Collected) -> Vec<[i64; 3]> {
    let mut rows = Vec::new();
    for (_, record) in &collected.rows {
        let column =
            |name: &str| record.batch.column_by_name(name).expect("a column").as_primitive::<Int64Type>().clone();
        let (keys, counts, sums) = (column("key"), column("count"), column("sum"));
        rows.extend((0..keys.len()).map(|row| [keys.value(row), counts.value(row), sums.value(row)]));
    }
    rows.sort_unstable();
    rows
}

fn expected(ids: impl Iterator<Item = i64>) -> Vec<[i64; 3]> {
    let mut known: BTreeMap<i64, (i64, i64)> = BTreeMap::new();
    let mut rows: Vec<[i64; 3]> = ids
        .map(|id| {
            let (count, sum) = known.entry(id % KEYS).or_default();
            (*count, *sum) = (*count + 1, *sum + id);
            [id % KEYS, *count, *sum]
        })
        .collect();
    rows.sort_unstable();
    rows
}

/// The rows of a subtask.
fn share(record: &StreamRecord, subtask: SubtaskId) -> StreamRecord {
    let hasher = volley_api::KeyHasher::new(&[DataType::Int64]).expect("a key");
    let mut hashes = Vec::new();
    hasher.hash_into(&[Arc::clone(record.batch.column(1))], &mut hashes);
    let own = KeyGroupRange::of(subtask);
    let keep: arrow::buffer::BooleanBuffer =
        hashes.iter().map(|hash| own.contains(volley_api::KeyGroup::of_hash(*hash))).collect();
    record.clone().narrow(&keep).compact().expect("compacts")
}

#[test]
fn held_state_goes_through_checkpoints_and_is_dealt_out_anew() {
    let path = component("keeper");
    let folder = tempfile::tempdir().expect("a folder");
    let mut collected = Collected::default();
    let mut first = Job::new(&path, serde_json::json!({})).start().expect("starts");
    first.process(rows(0..100), &mut collected).expect("processes");
    let one = stored(&folder, vec![first.snapshot().expect("snapshots")]).expect("stores");
    // After the checkpoint: it does not count.
    first.process(rows(0..50), &mut Collected::default()).expect("processes");
    for parallelism in [3_u32, 2] {
        let begin = if parallelism == 3 { 100 } else { 200 };
        let restored = if parallelism == 3 { one.clone() } else { stored_at(&folder, &path, &one, 3, 100..200) };
        for index in 0..parallelism {
            let subtask = SubtaskId { index, parallelism };
            let job = Job { subtask, restored: restored.clone(), ..Job::new(&path, serde_json::json!({})) };
            let mut operator = job.start().expect("starts");
            operator.process(share(&rows(begin..begin + 100), subtask), &mut collected).expect("processes");
        }
    }
    assert_eq!(found(&collected), expected(0..300));
}

/// What a job of that parallelism leaves behind which has processed these rows from there on.
fn stored_at(
    folder: &tempfile::TempDir,
    path: &Path,
    from: &OperatorState,
    parallelism: u32,
    ids: std::ops::Range<i64>,
) -> OperatorState {
    let snapshots = (0..parallelism).map(|index| {
        let subtask = SubtaskId { index, parallelism };
        let job = Job { subtask, restored: from.clone(), ..Job::new(path, serde_json::json!({})) };
        let mut operator = job.start().expect("starts");
        operator.process(share(&rows(ids.clone()), subtask), &mut Collected::default()).expect("processes");
        operator.snapshot().expect("snapshots")
    });
    stored(folder, snapshots.collect()).expect("stores")
}

#[test]
fn poison_rows_are_found_and_what_they_left_in_memory_is_gone() {
    let path = component("keeper");
    let folder = tempfile::tempdir().expect("a folder");
    let mut collected = Collected::default();
    let mut operator = Job::new(&path, serde_json::json!({ "poison": 333 })).start().expect("starts");
    for begin in (0..600).step_by(50) {
        operator.process(rows(begin..begin + 50), &mut collected).expect("processes");
        if begin % 150 == 0 {
            stored(&folder, vec![operator.snapshot().expect("snapshots")]).expect("stores");
        }
    }
    assert_eq!(found(&collected), expected((0..600).filter(|id| *id != 333)));
    assert_eq!(collected.rejects.len(), 1);
    assert_eq!(collected.rejects[0].code, "plugin-unreachable");
}

#[test]
fn a_snapshot_that_traps_costs_its_checkpoint_alone() {
    let path = component("keeper");
    let folder = tempfile::tempdir().expect("a folder");
    let mut collected = Collected::default();
    let mut operator = Job::new(&path, serde_json::json!({ "fail": "every-other-snapshot" })).start().expect("starts");
    let mut outcomes = Vec::new();
    for begin in (0..600).step_by(100) {
        operator.process(rows(begin..begin + 100), &mut collected).expect("processes");
        let taken = operator.snapshot().expect("the job goes on");
        outcomes.push(stored(&folder, vec![taken]).is_ok());
    }
    assert!(outcomes.contains(&true) && outcomes.contains(&false), "{outcomes:?}");
    assert_eq!(found(&collected), expected(0..600));
}

#[test]
fn snapshots_that_lie_are_none() {
    let path = component("keeper");
    let folder = tempfile::tempdir().expect("a folder");
    let cases = [
        ("group", "key group 255; this instance has 0 to 127"),
        ("size", "1048577 bytes; the limit is 1048576"),
        ("parts", "parts of state; the limit is 65536"),
        ("refuse", "not today"),
        ("snapshot", "no snapshot today"),
    ];
    for (fail, words) in cases {
        let subtask = SubtaskId { index: 0, parallelism: 2 };
        let job = Job { subtask, ..Job::new(&path, serde_json::json!({ "fail": fail })) };
        let mut operator = job.start().expect("starts");
        operator.process(share(&rows(0..100), subtask), &mut Collected::default()).expect("processes");
        let error = stored(&folder, vec![operator.snapshot().expect("the job goes on")]).expect_err(fail).to_string();
        assert!(error.contains(words), "{fail}: {error}");
        operator.process(share(&rows(100..200), subtask), &mut Collected::default()).expect(fail);
    }
}

#[test]
fn a_restore_that_traps_or_never_ends_is_stopped_by_name() {
    let path = component("keeper");
    let folder = tempfile::tempdir().expect("a folder");
    let mut operator = Job::new(&path, serde_json::json!({})).start().expect("starts");
    operator.process(rows(0..100), &mut Collected::default()).expect("processes");
    let restored = stored(&folder, vec![operator.snapshot().expect("snapshots")]).expect("stores");
    for (fail, words) in [("restore", "nothing is restored today"), ("restore-for-ever", "CPU time")] {
        let job = Job { restored: restored.clone(), ..Job::new(&path, serde_json::json!({ "fail": fail })) };
        let error = job.error();
        assert!(error.contains(words) && error.contains("version 3") && error.contains("--fresh"), "{fail}: {error}");
    }
}

#[test]
fn state_of_an_earlier_version_is_brought_over_or_refused_by_name() {
    let (path, next) = (component("keeper"), component("keeper-next"));
    let folder = tempfile::tempdir().expect("a folder");
    let mut operator = Job::new(&path, serde_json::json!({})).start().expect("starts");
    operator.process(rows(0..100), &mut Collected::default()).expect("processes");
    let restored = stored(&folder, vec![operator.snapshot().expect("snapshots")]).expect("stores");
    let job = Job { restored, ..Job::new(&next, serde_json::json!({})) };
    let mut collected = Collected::default();
    let mut operator = job.start().expect("brings it over");
    operator.process(rows(100..200), &mut collected).expect("processes");
    let sums = |rows: &[[i64; 3]]| rows.iter().map(|row| [row[0], row[2]]).collect::<Vec<_>>();
    let later: Vec<[i64; 3]> = expected(0..200).into_iter().filter(|row| row[1] > 20).collect();
    assert_eq!(sums(&found(&collected)), sums(&later));
    assert!(found(&collected).iter().all(|row| row[1] == 1), "each was brought over");
    let newer = stored(&folder, vec![operator.snapshot().expect("snapshots")]).expect("stores");
    let back = Job { restored: newer, ..Job::new(&path, serde_json::json!({})) }.error();
    assert!(back.contains("`sums` (version 2) of `kept`") && back.contains("bring over `sums` of version 2"), "{back}");
}

#[test]
fn a_failed_call_is_kept_and_fails_again_to_the_last_code_offset() {
    let (path, next) = (component("keeper"), component("keeper-next"));
    let folder = tempfile::tempdir().expect("a folder");
    let job = Job { repro: Some(folder.path().join("repro")), ..Job::new(&path, serde_json::json!({ "poison": 333 })) };
    let mut operator = job.start().expect("starts");
    for begin in (0..400).step_by(50) {
        operator.process(rows(begin..begin + 50), &mut Collected::default()).expect("processes");
        if begin == 200 {
            operator.snapshot().expect("snapshots");
        }
    }
    let bundles: Vec<PathBuf> = std::fs::read_dir(folder.path().join("repro"))
        .expect("there")
        .map(|entry| entry.expect("one").path())
        .collect();
    assert_eq!(bundles.len(), 1, "{bundles:?}");
    for _ in 0..2 {
        let replayed = replay(engine(), &bundles[0], &ReplayOptions::default()).expect("replays");
        assert!(replayed.is_same() && replayed.same_component(), "{replayed:?}");
        assert!(replayed.before.starts_with("trap in process: unreachable; at 0x"), "{replayed:?}");
        let error_now = replayed.error_now.as_deref().unwrap_or_default();
        assert!(replayed.error.contains("a poisoned row") && error_now.contains("a poisoned row"), "{replayed:?}");
        assert_eq!((replayed.operator.0.as_str(), replayed.function.as_str()), ("kept", "process"));
        assert!(replayed.calls_before > 0, "it had counted some rows since it gave its state");
    }
    // Another component is refused unless it is asked for, and does something else, or does not get there.
    let with = |allow_other| {
        let options = ReplayOptions { component: Some(next.clone()), allow_other };
        replay(engine(), &bundles[0], &options)
    };
    let error = with(false).expect_err("another component").to_string();
    assert!(error.contains("is of the component sha256") && error.contains("--allow-other"), "{error}");
    assert!(with(true).map_or(true, |replayed| !replayed.is_same() && !replayed.same_component()));
    let bundle = bundles[0].join("bundle.json");
    let text = std::fs::read_to_string(&bundle).expect("text");
    std::fs::write(&bundle, text.replace("\"format\": 2", "\"format\": 9")).expect("writes");
    let error = replay(engine(), &bundles[0], &ReplayOptions::default()).expect_err("another form").to_string();
    assert!(error.contains("version 9; this host knows versions 1 to 2"), "{error}");
}
