//! The suite of snapshots catches what it is for: each broken promise fails it.

use std::ops::RangeInclusive;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use volley_api::{
    KeyGroup, KeyGroupRange, KeyedState, Namespace, Result, SnapshotContent, SnapshotFile, StateBackend, StateContext,
    StateEntry, StateKey, StateSnapshot,
};
use volley_state::MemoryBackend;
use volley_test_contract::keyed_state_snapshot_contract;

#[derive(Debug, Clone, Copy, PartialEq)]
enum Fault {
    LaterWritesAreIn,
    FilesTwice,
    FirstKeyGroupIsLost,
    TakesForeignKeyGroups,
    TakesAnyLayout,
    OneIdentity,
    WritesWaitAndAreLost,
}

#[derive(Debug)]
struct Broken(MemoryBackend, Fault);

impl StateBackend for Broken {
    fn label(&self) -> String {
        self.0.label()
    }

    fn format(&self) -> &'static str {
        self.0.format()
    }

    fn open(&self, mut context: StateContext) -> Result<Box<dyn KeyedState>> {
        let is_restored = !context.restored.is_empty();
        match self.1 {
            Fault::TakesForeignKeyGroups if is_restored => context.key_groups = KeyGroupRange { start: 0, end: 256 },
            Fault::TakesAnyLayout => context.restored.iter_mut().for_each(|part| part.layout = context.layout.clone()),
            _ => {}
        }
        let first = KeyGroup(u8::try_from(context.key_groups.start).unwrap_or_default());
        let mut state = self.0.open(context)?;
        if self.1 == Fault::FirstKeyGroupIsLost && is_restored {
            for entry in state.scan(Namespace(i64::MIN)..=Namespace(i64::MAX), None, usize::MAX)? {
                if entry.group == first {
                    state.remove_many(entry.namespace, &[StateKey { group: first, key: &entry.key }])?;
                }
            }
        }
        Ok(Box::new(BrokenState(Arc::new(Mutex::new(state)), self.1, false)))
    }
}

type Shared = Arc<Mutex<Box<dyn KeyedState>>>;

struct BrokenState(Shared, Fault, bool);

impl BrokenState {
    fn with<T>(&self, call: impl FnOnce(&mut dyn KeyedState) -> T) -> T {
        call(&mut **self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl KeyedState for BrokenState {
    fn get_many(&mut self, namespace: Namespace, keys: &[StateKey<'_>]) -> Result<Vec<Option<Bytes>>> {
        self.with(|state| state.get_many(namespace, keys))
    }

    fn put_many(&mut self, namespace: Namespace, keys: &[StateKey<'_>], values: &[&[u8]]) -> Result<()> {
        if self.1 == Fault::WritesWaitAndAreLost && self.2 {
            return Ok(());
        }
        self.with(|state| state.put_many(namespace, keys, values))
    }

    fn remove_many(&mut self, namespace: Namespace, keys: &[StateKey<'_>]) -> Result<()> {
        self.with(|state| state.remove_many(namespace, keys))
    }

    fn scan(
        &mut self,
        namespaces: RangeInclusive<Namespace>,
        after: Option<&StateEntry>,
        entries_max: usize,
    ) -> Result<Vec<StateEntry>> {
        self.with(|state| state.scan(namespaces, after, entries_max))
    }

    fn namespaces(&mut self) -> Result<Vec<Namespace>> {
        self.with(|state| state.namespaces())
    }

    fn remove_namespace(&mut self, namespace: Namespace) -> Result<()> {
        self.with(|state| state.remove_namespace(namespace))
    }

    fn snapshot(&mut self) -> Result<Box<dyn StateSnapshot>> {
        self.2 = true;
        let snapshot = match self.1 {
            Fault::LaterWritesAreIn => None,
            _ => Some(self.with(|state| state.snapshot())?),
        };
        Ok(Box::new(BrokenSnapshot { state: Arc::clone(&self.0), snapshot, fault: self.1, files: 0 }))
    }

    fn len_estimate(&self) -> usize {
        self.with(|state| state.len_estimate())
    }

    fn memory_bytes(&self) -> usize {
        self.with(|state| state.memory_bytes())
    }
}

struct BrokenSnapshot {
    state: Shared,
    /// Made when the files are asked for, where there is none.
    snapshot: Option<Box<dyn StateSnapshot>>,
    fault: Fault,
    files: u32,
}

impl StateSnapshot for BrokenSnapshot {
    fn files(&mut self) -> Result<Vec<SnapshotFile>> {
        let mut files = match &mut self.snapshot {
            Some(snapshot) => snapshot.files()?,
            None => self.state.lock().unwrap_or_else(PoisonError::into_inner).snapshot()?.files()?,
        };
        self.files += 1;
        match self.fault {
            Fault::FilesTwice if self.files > 2 => {
                files[0].content = SnapshotContent::Bytes(Bytes::from_static(b"VLYS\x01"));
            }
            Fault::OneIdentity => files[0].identity = Some("entries".to_owned()),
            _ => {}
        }
        Ok(files)
    }
}

fn check(fault: Fault) {
    keyed_state_snapshot_contract(&Broken(MemoryBackend::new(usize::MAX), fault));
}

#[test]
#[should_panic(expected = "what was written after a snapshot is not in it")]
fn later_writes_must_not_be_in_a_snapshot() {
    check(Fault::LaterWritesAreIn);
}

#[test]
#[should_panic(expected = "files are there until their snapshot is dropped")]
fn files_must_stay() {
    check(Fault::FilesTwice);
}

#[test]
#[should_panic(expected = "has all its key groups")]
fn no_key_group_may_be_lost() {
    check(Fault::FirstKeyGroupIsLost);
}

#[test]
#[should_panic(expected = "has a foreign key group")]
fn foreign_key_groups_must_be_left_alone() {
    check(Fault::TakesForeignKeyGroups);
}

#[test]
#[should_panic(expected = "a part of a foreign format or layout was taken")]
fn other_layouts_must_be_refused() {
    check(Fault::TakesAnyLayout);
}

#[test]
#[should_panic(expected = "files of the identity entries differ")]
fn an_identity_must_be_that_of_one_content() {
    check(Fault::OneIdentity);
}

#[test]
#[should_panic(expected = "what was written after a snapshot is there")]
fn writes_must_go_on() {
    check(Fault::WritesWaitAndAreLost);
}
