//! The promises of [`StateSnapshot`] and of restores: what was there at the barrier is there again, and nothing else.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fs;
use std::sync::Arc;
use std::thread;

use proptest::prelude::*;
use proptest::test_runner::{Config, TestCaseError, TestRunner};
use tempfile::TempDir;
use volley_api::{
    ErrorKind, KeyGroup, KeyGroupRange, KeyedState, Namespace, SnapshotContent, SnapshotFile, StateBackend,
    StateContext, StateEntry, StateFile, StateKey, StatePart, StateSnapshot, SubtaskId,
};

use crate::state::{Checked, Step, all, context, entries, put, step};

/// How many sequences of random steps are compared with the model.
const MODEL_CASES: u32 = 24;

/// Holds the snapshots of keyed state, and what is restored from them, to their promises. Files are taken as a checkpoint
/// store takes them: copied to places with other names.
///
/// - What is restored is what was there at the snapshot, whatever was done before and after it, also while its files were
///   made; and the state that goes on is not disturbed.
/// - Snapshots of nothing, of what was restored, and one after the other are snapshots like others, and outlive the state
///   that they are of; one that is dropped without having been asked for files leaves no trace.
/// - Files of one identity have the same bytes, whichever snapshots they are of.
/// - Parts of one instance are dealt out to many, and those of many to fewer; each takes its own key groups.
/// - Parts of an unknown format or of another layout are refused as an error of configuration that names the operator and
///   both.
///
/// # Panics
/// When a promise is broken, or the state fails.
pub fn keyed_state_snapshot_contract(backend: &dyn StateBackend) {
    let suite = Suite { backend, files: RefCell::default() };
    suite.parts_are_dealt_out_anew();
    suite.later_writes_change_nothing();
    suite.nothing_is_a_state_too();
    suite.dropped_snapshots_leave_no_trace();
    suite.snapshots_outlive_their_state();
    suite.foreign_formats_and_layouts_are_refused();
    suite.what_was_restored_goes_on();
    let mut runner = TestRunner::new(Config { cases: MODEL_CASES, failure_persistence: None, ..Config::default() });
    let steps = || prop::collection::vec(step(), 0..12);
    let stretches = prop::collection::vec((steps(), steps()), 1..4);
    let outcome = runner.run(&stretches, |stretches| suite.restores_are_what_the_model_was(&stretches));
    if let Err(error) = outcome {
        panic!("{error}");
    }
}

/// A part of a checkpoint, in a folder that goes with it.
pub struct Taken {
    /// What a restore is given.
    pub part: StatePart,
    _folder: TempDir,
}

/// Takes files of a snapshot as a checkpoint store takes them: copied to places with other names.
///
/// # Panics
/// When a file cannot be copied.
#[must_use]
pub fn taken(subtask: SubtaskId, layout: &Arc<str>, format: &str, files: &[SnapshotFile]) -> Taken {
    let folder = TempDir::new().expect("a folder");
    let mut part = StatePart {
        key_groups: KeyGroupRange::of(subtask),
        layout: Arc::clone(layout),
        format: format.to_owned(),
        files: Vec::new(),
    };
    for (number, file) in files.iter().enumerate() {
        let path = folder.path().join(format!("blob-{number}"));
        fs::write(&path, bytes_of(file)).expect("writes");
        part.files.push(StateFile { name: file.name.clone(), path });
    }
    Taken { part, _folder: folder }
}

struct Suite<'a> {
    backend: &'a dyn StateBackend,
    /// What was in files, by their identities.
    files: RefCell<BTreeMap<String, Vec<u8>>>,
}

impl Suite<'_> {
    fn open(&self, context: StateContext) -> Box<dyn KeyedState> {
        self.backend.open(context).expect("opens")
    }

    /// The state of an instance with other key groups than [`context`] has, from parts.
    fn restored(&self, subtask: SubtaskId, parts: &[&Taken]) -> Box<dyn KeyedState> {
        let key_groups = KeyGroupRange::of(subtask);
        let restored = parts.iter().map(|taken| taken.part.clone()).collect();
        self.open(StateContext { subtask, key_groups, restored, ..context("snapshots", "contract") })
    }

    /// Everything of the state of the instance that [`context`] is for, restored from a part.
    fn all_of(&self, taken: &Taken) -> Vec<StateEntry> {
        all(&mut *self.restored(context("snapshots", "contract").subtask, &[taken]))
    }

    fn taken(&self, subtask: SubtaskId, snapshot: &mut dyn StateSnapshot) -> Taken {
        let files = snapshot.files().expect("files");
        for file in &files {
            if let Some(identity) = &file.identity {
                let (mut files, bytes) = (self.files.borrow_mut(), bytes_of(file));
                let known = files.entry(identity.clone()).or_insert_with(|| bytes.clone());
                assert!(*known == bytes, "files of the identity {identity} differ");
            }
        }
        taken(subtask, &"bytes".into(), self.backend.format(), &files)
    }

    fn later_writes_change_nothing(&self) {
        let own = context("snapshots", "contract");
        let mut state = self.open(own.clone());
        for group in 64..128 {
            put(&mut *state, 1, StateKey { group: KeyGroup(group), key: b"kept" }, b"before");
            put(&mut *state, 2, StateKey { group: KeyGroup(group), key: b"kept" }, b"before");
        }
        let expected = all(&mut *state);
        let mut snapshot = state.snapshot().expect("snapshot");
        let changes = |state: &mut dyn KeyedState, value: &[u8]| {
            for group in 64..128 {
                put(state, 1, StateKey { group: KeyGroup(group), key: b"kept" }, value);
                put(state, 3, StateKey { group: KeyGroup(group), key: b"later" }, value);
            }
            let gone = StateKey { group: KeyGroup(70), key: b"kept" };
            state.remove_many(Namespace(1), &[gone]).expect("remove_many");
            state.remove_namespace(Namespace(2)).expect("remove_namespace");
        };
        changes(&mut *state, b"after the snapshot");
        let after = all(&mut *state);
        assert_eq!(after.len(), 63 + 64, "what was written after a snapshot is there");
        thread::scope(|scope| {
            let files = scope.spawn(|| snapshot.files().map(drop));
            changes(&mut *state, b"while its files were made");
            files.join().expect("a thread").expect("files");
        });
        let taken = self.taken(own.subtask, &mut *snapshot);
        assert_eq!(self.all_of(&taken), expected, "what was written after a snapshot is not in it");
        let again = self.taken(own.subtask, &mut *snapshot);
        assert_eq!(self.all_of(&again), expected, "files are there until their snapshot is dropped");
        drop(snapshot);
        let now = all(&mut *state);
        assert_eq!(now.len(), after.len(), "a snapshot does not disturb its state");
        let is_last = |entry: &StateEntry| entry.value == b"while its files were made"[..];
        assert!(now.iter().all(is_last), "a snapshot does not disturb its state");
    }

    fn nothing_is_a_state_too(&self) {
        let own = context("snapshots", "contract");
        let mut state = self.open(own.clone());
        let mut snapshot = state.snapshot().expect("a snapshot of nothing");
        let taken = self.taken(own.subtask, &mut *snapshot);
        assert_eq!(self.all_of(&taken), [], "a snapshot of nothing");
        let mut restored = self.restored(own.subtask, &[&taken]);
        assert_eq!(restored.namespaces().expect("namespaces"), []);
        put(&mut *restored, 0, StateKey { group: KeyGroup(64), key: b"" }, b"1");
        assert_eq!(all(&mut *restored).len(), 1);
    }

    fn dropped_snapshots_leave_no_trace(&self) {
        let own = context("snapshots", "contract");
        let mut state = self.open(own.clone());
        put(&mut *state, 0, key(b"a"), b"1");
        drop(state.snapshot().expect("snapshot"));
        put(&mut *state, 0, key(b"b"), b"2");
        drop(state.snapshot().expect("snapshot"));
        let mut snapshot = state.snapshot().expect("snapshot");
        let taken = self.taken(own.subtask, &mut *snapshot);
        assert_eq!(self.all_of(&taken), all(&mut *state), "a snapshot after one that was dropped is whole");
        assert_eq!(all(&mut *state).len(), 2, "a dropped snapshot takes nothing along");
    }

    fn snapshots_outlive_their_state(&self) {
        let own = context("snapshots", "contract");
        let mut state = self.open(own.clone());
        put(&mut *state, 0, key(b"a"), b"1");
        let (expected, mut snapshot) = (all(&mut *state), state.snapshot().expect("snapshot"));
        put(&mut *state, 0, key(b"b"), b"2");
        drop(state);
        // Its instance may begin again before the checkpoint is done with the files.
        let again = self.open(own.clone());
        let taken = self.taken(own.subtask, &mut *snapshot);
        assert_eq!(self.all_of(&taken), expected, "a snapshot whose state has gone");
        drop(again);
    }

    fn parts_are_dealt_out_anew(&self) {
        let one = self.spread(1, &[]);
        let three = self.spread(3, &one);
        let two = self.spread(2, &three);
        self.spread(3, &two);
    }

    /// The state of as many instances as are asked for, as parts: from parts of others, or new. All of them together have
    /// one entry in each key group and namespace.
    fn spread(&self, parallelism: u32, from: &[Taken]) -> Vec<Taken> {
        let from: Vec<_> = from.iter().collect();
        let mut taken = Vec::new();
        for index in 0..parallelism {
            let subtask = SubtaskId { index, parallelism };
            let own = KeyGroupRange::of(subtask);
            let mut state = self.restored(subtask, &from);
            if from.is_empty() {
                for namespace in [i64::MIN, -1, 0, i64::MAX] {
                    for group in own.start..own.end {
                        let group = KeyGroup(u8::try_from(group).expect("a key group"));
                        put(&mut *state, namespace, StateKey { group, key: b"k\0" }, &[group.0]);
                    }
                }
            }
            let found = all(&mut *state);
            let what = format!("instance {index} of {parallelism}, from {} parts", from.len());
            assert!(found.iter().all(|entry| own.contains(entry.group)), "{what}, has a foreign key group");
            assert!(found.iter().all(|entry| entry.value == [entry.group.0][..]), "{what}, has a value of another key");
            assert_eq!(found.len(), 4 * (own.end - own.start) as usize, "{what}, has all its key groups");
            let mut snapshot = state.snapshot().expect("snapshot");
            taken.push(self.taken(subtask, &mut *snapshot));
        }
        taken
    }

    fn foreign_formats_and_layouts_are_refused(&self) {
        let own = context("snapshots", "contract");
        let mut state = self.open(own.clone());
        let taken = self.taken(own.subtask, &mut *state.snapshot().expect("snapshot"));
        let good = &taken.part;
        let layout = StatePart { layout: "int64 to bytes".into(), ..good.clone() };
        let format = StatePart { format: "stone-7".to_owned(), ..good.clone() };
        let layouts = ["snapshots", "int64 to bytes", "`bytes`"];
        let formats = ["snapshots", "stone-7", self.backend.format()];
        for (part, words) in [(layout, layouts), (format, formats)] {
            let refused = self.backend.open(StateContext { restored: vec![part], ..own.clone() });
            let Err(error) = refused else { panic!("a part of a foreign format or layout was taken") };
            assert_eq!(error.kind(), ErrorKind::Config, "{error}");
            for word in words {
                assert!(error.to_string().contains(word), "`{word}` is not in: {error}");
            }
        }
    }

    fn what_was_restored_goes_on(&self) {
        let own = context("snapshots", "contract");
        let mut state = self.open(own.clone());
        put(&mut *state, 0, key(b"first"), b"1");
        let mut taken = self.taken(own.subtask, &mut *state.snapshot().expect("snapshot"));
        for round in 0..3_u8 {
            // Two go on from the same: neither sees the other, nor do their files.
            let mut states = [&taken, &taken].map(|taken| self.restored(own.subtask, &[taken]));
            let mut both = Vec::new();
            for (which, state) in [b"left", b"rite"].into_iter().zip(&mut states) {
                let round = [round];
                put(&mut **state, 0, key(&round), which);
                let expected = all(&mut **state);
                assert_eq!(expected.len(), 2 + usize::from(round[0]), "what was restored, and one more");
                let next = self.taken(own.subtask, &mut *state.snapshot().expect("snapshot"));
                assert_eq!(self.all_of(&next), expected, "a snapshot of what was restored");
                both.push(next);
            }
            taken = both.swap_remove(usize::from(round) % 2);
        }
    }

    /// For each pair of sequences: some steps, a snapshot, some steps; then the files are made, and restored.
    fn restores_are_what_the_model_was(&self, stretches: &[(Vec<Step>, Vec<Step>)]) -> Result<(), TestCaseError> {
        let own = context("snapshots", "contract");
        let mut checked = Checked::new(self.open(own.clone()));
        for (before, after) in stretches {
            checked = before.iter().try_fold(checked, Checked::after)?;
            let (model, mut snapshot) = (checked.model.clone(), checked.state.snapshot().expect("snapshot"));
            checked = after.iter().try_fold(checked, Checked::after)?;
            let taken = self.taken(own.subtask, &mut *snapshot);
            let mut restored = self.restored(own.subtask, &[&taken]);
            prop_assert_eq!(all(&mut *restored), entries(&model).collect::<Vec<_>>());
            let mut goes_on = Checked { state: restored, model };
            goes_on = after.iter().try_fold(goes_on, Checked::after)?;
            drop(goes_on);
        }
        Ok(())
    }
}

fn key(key: &[u8]) -> StateKey<'_> {
    StateKey { group: KeyGroup(100), key }
}

fn bytes_of(file: &SnapshotFile) -> Vec<u8> {
    match &file.content {
        SnapshotContent::Bytes(bytes) => bytes.to_vec(),
        SnapshotContent::File(path) => fs::read(path).expect("a file of a snapshot"),
    }
}
