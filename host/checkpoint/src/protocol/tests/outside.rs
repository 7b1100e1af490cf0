//! The outside of the simulated job: a store that survives crashes, and sinks that hold what was committed.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use volley_api::{Committable, Epoch, JobRun, NodeName};

use crate::protocol::commits::Staged;
use crate::protocol::{CommittableId, Found, ManifestOrder, Restored};

/// What a check has found.
pub(super) type Checked<T = ()> = Result<T, String>;

/// Fails with a message unless something holds.
macro_rules! ensure {
    ($holds:expr, $($message:tt)*) => {
        if !$holds {
            return Err(format!($($message)*));
        }
    };
}
pub(super) use ensure;

/// A complete checkpoint: how far each task had read, and what the protocol said.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Manifest {
    pub(super) positions: Vec<u8>,
    pub(super) pending: Vec<Staged>,
    pub(super) is_final: bool,
    pub(super) is_savepoint: bool,
}

/// The store.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub(super) struct Store {
    /// Every id that has a folder.
    pub(super) ids: BTreeSet<Epoch>,
    pub(super) parts: BTreeMap<Epoch, Vec<u8>>,
    pub(super) manifests: BTreeMap<Epoch, Manifest>,
}

impl Store {
    /// A manifest arrives, now or long after it was ordered.
    pub(super) fn write(&mut self, order: &ManifestOrder) -> Checked {
        let Some(positions) = self.parts.get(&order.epoch).cloned() else {
            ensure!(!self.ids.contains(&order.epoch), "manifest {} was written before its data", order.epoch);
            return Ok(());
        };
        let pending = order.pending.iter().cloned().map(Staged).collect();
        let manifest = Manifest { positions, pending, is_final: order.is_final, is_savepoint: order.is_savepoint };
        let there = self.manifests.entry(order.epoch).or_insert_with(|| manifest.clone());
        ensure!(*there == manifest, "manifest {} was written again, and differs", order.epoch);
        Ok(())
    }

    pub(super) fn remove(&mut self, epochs: &[Epoch]) {
        for epoch in epochs {
            self.manifests.remove(epoch);
            self.parts.remove(epoch);
            self.ids.remove(epoch);
        }
    }

    /// What a run finds.
    pub(super) fn found(&self) -> Found {
        let with = |is_savepoint| {
            let such = self.manifests.iter().filter(move |(_, manifest)| manifest.is_savepoint == is_savepoint);
            such.map(|(epoch, _)| *epoch).collect()
        };
        Found {
            next_epoch: Epoch(self.ids.last().map_or(0, |epoch| epoch.0) + 1),
            complete: with(false),
            savepoints: with(true),
            pinned: BTreeSet::new(),
            incomplete: self.ids.iter().filter(|epoch| !self.manifests.contains_key(epoch)).copied().collect(),
            restored: self.manifests.last_key_value().map(|(epoch, manifest)| Restored {
                epoch: *epoch,
                pending: manifest.pending.iter().map(|staged| staged.0.clone()).collect(),
                is_final: manifest.is_final,
            }),
        }
    }
}

/// A row: the task that read it, and which of the task's rows it is.
pub(super) type Row = (u8, u8);

/// A sink, which takes a commit twice as readily as once: that none comes twice is for the protocol to see to.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub(super) struct Sink {
    committed: BTreeSet<CommittableId>,
    newest: Option<Epoch>,
    rows: Vec<Row>,
}

impl Sink {
    pub(super) fn commit(&mut self, committable: &Committable) -> Checked {
        let id = CommittableId::of(committable);
        ensure!(self.newest <= Some(id.epoch), "{id} was committed after epoch {:?}", self.newest);
        self.newest = Some(id.epoch);
        self.rows.extend(committable.token.chunks(2).map(|row| (row[0], row[1])));
        ensure!(self.committed.insert(id.clone()), "{id} was committed twice");
        Ok(())
    }

    pub(super) fn has(&self, id: &CommittableId) -> bool {
        self.committed.contains(id)
    }

    /// Whether just these rows are visible, each once.
    pub(super) fn check(&self, expected: &[Row]) -> Checked {
        let mut rows = self.rows.clone();
        rows.sort_unstable();
        ensure!(rows == expected, "rows {rows:?} are visible, and should be {expected:?}");
        Ok(())
    }
}

/// What a writer stages.
pub(super) fn staged(incarnation: u64, sink: usize, subtask: u32, epoch: Epoch, rows: &[Row]) -> Committable {
    Committable {
        run: JobRun { job: "job".into(), incarnation },
        sink: NodeName::new(&format!("sink-{sink}")).unwrap(),
        subtask,
        epoch,
        token: Bytes::from_iter(rows.iter().flat_map(|(task, row)| [*task, *row])),
    }
}

/// The number of a sink.
pub(super) fn sink_of(committable: &Committable) -> usize {
    committable.sink.as_str().trim_start_matches("sink-").parse().unwrap()
}
