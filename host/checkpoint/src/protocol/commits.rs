//! What is prepared and not known committed, and what is to be done about each.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{Hash, Hasher};

use volley_api::{CommitStatus, Committable, Epoch, NodeName};

use super::planted::{Planted, PlantedBug};
use super::{CommitAnswer, CommittableId, Decision, Failure, LookUpAnswer, Restored, Settings, StartError};

/// A committable, told apart from others by its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Staged(pub(super) Committable);

impl Hash for Staged {
    fn hash<H: Hasher>(&self, state: &mut H) {
        CommittableId::of(&self.0).hash(state);
    }
}

/// What is being waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum State {
    /// A complete manifest, its turn, and this time.
    ToCommit { not_before_ms: u64 },
    /// The answer to a commit.
    Committing,
    /// The time to look it up. Until the answer nothing else may be done.
    ToLookUp { not_before_ms: u64 },
    /// The answer to a look-up.
    LookingUp,
    /// The end of an abort.
    Aborting,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Pending {
    staged: Staged,
    /// The lowest epoch whose manifest may hold it.
    from: Epoch,
    /// The first complete epoch whose manifest holds it. Without one it must not be committed.
    held_by: Option<Epoch>,
    is_restored: bool,
    state: State,
    commits: u32,
    look_ups: u32,
    last_problem: Option<String>,
}

impl Pending {
    /// The epoch that it makes wait.
    fn waiting_epoch(&self) -> Option<Epoch> {
        if self.is_restored { Some(self.staged.0.epoch) } else { self.held_by }
    }
}

/// Everything not known committed, in order of epochs.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub(super) struct Commits(BTreeMap<CommittableId, Pending>);

impl Commits {
    /// What a manifest held: to be looked up before anything else.
    pub(super) fn restored(restored: &Restored) -> Result<Self, StartError> {
        let mut commits = Self::default();
        for committable in &restored.pending {
            let pending = Pending {
                held_by: Some(restored.epoch),
                is_restored: true,
                state: State::ToLookUp { not_before_ms: 0 },
                ..Pending::new(committable.clone(), Epoch(0))
            };
            commits.insert(pending).map_err(|id| StartError::TwoCommittables { epoch: restored.epoch, id })?;
        }
        Ok(commits)
    }

    /// Takes what a sink has prepared, which belongs to the first complete epoch not below `from`.
    pub(super) fn prepared(&mut self, committable: Committable, from: Epoch) -> Result<(), CommittableId> {
        self.insert(Pending::new(committable, from))
    }

    fn insert(&mut self, pending: Pending) -> Result<(), CommittableId> {
        let id = CommittableId::of(&pending.staged.0);
        match self.0.get(&id) {
            Some(_) => Err(id),
            None => {
                self.0.insert(id, pending);
                Ok(())
            }
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Committable> {
        self.0.values().map(|pending| &pending.staged.0)
    }

    /// What the manifest of an epoch has to hold.
    pub(super) fn for_manifest(&self, epoch: Epoch, planted: Planted) -> Vec<Staged> {
        let drops = |pending: &Pending| planted.is(PlantedBug::DropPendingToken) && pending.held_by.is_some();
        let belongs = self.0.values().filter(|pending| pending.from <= epoch && !drops(pending));
        belongs.map(|pending| pending.staged.clone()).collect()
    }

    /// The manifest of an epoch is complete, and holds these.
    pub(super) fn held(&mut self, epoch: Epoch, committables: &[Committable]) {
        for committable in committables {
            if let Some(pending) = self.0.get_mut(&CommittableId::of(committable)) {
                pending.held_by.get_or_insert(epoch);
            }
        }
    }

    /// How many complete epochs wait for their commits.
    pub(super) fn waiting_epochs(&self) -> usize {
        self.0.values().filter_map(Pending::waiting_epoch).collect::<BTreeSet<_>>().len()
    }

    /// Whether a complete epoch waits for its commits.
    pub(super) fn any_held(&self) -> bool {
        self.0.values().any(|pending| pending.held_by.is_some())
    }

    /// Epochs that must stay in the store: those whose manifest holds one, and those that one was prepared for, since a
    /// sink may keep the output itself there.
    pub(super) fn needed_epochs(&self) -> BTreeSet<Epoch> {
        self.0.values().flat_map(|pending| [Some(pending.staged.0.epoch), pending.held_by]).flatten().collect()
    }

    /// Starts every commit and look-up whose time and turn have come.
    pub(super) fn start_due(&mut self, now_ms: u64, planted: Planted, out: &mut Vec<Decision>) {
        let in_any_order = planted.is(PlantedBug::CommitOutOfOrder);
        let needs_no_manifest = planted.is(PlantedBug::CommitBeforeManifest);
        let is_restoring = self.0.values().any(|pending| pending.is_restored) && !in_any_order;
        // In order of epochs, so that the first seen of a sink has the turn, and all of the same epoch with it.
        let mut turns: BTreeMap<NodeName, Epoch> = BTreeMap::new();
        for (id, pending) in &mut self.0 {
            let turn = *turns.entry(id.sink.clone()).or_insert(id.epoch);
            let may_commit = (pending.held_by.is_some() || needs_no_manifest)
                && (turn == id.epoch || in_any_order)
                && (pending.is_restored || !is_restoring);
            match pending.state {
                State::ToLookUp { not_before_ms } if not_before_ms <= now_ms => {
                    pending.state = State::LookingUp;
                    out.push(Decision::LookUp(pending.staged.0.clone()));
                }
                State::ToCommit { not_before_ms } if not_before_ms <= now_ms && may_commit => {
                    pending.state = State::Committing;
                    pending.commits = pending.commits.saturating_add(1);
                    out.push(Decision::Commit(pending.staged.0.clone()));
                }
                _ => {}
            }
        }
    }

    /// Throws away what no complete epoch holds.
    pub(super) fn abort_unheld(&mut self, out: &mut Vec<Decision>) {
        for pending in self.0.values_mut() {
            if pending.held_by.is_none() && pending.state != State::Aborting {
                pending.state = State::Aborting;
                out.push(Decision::Abort(pending.staged.0.clone()));
            }
        }
    }

    pub(super) fn aborted(&mut self, id: &CommittableId) {
        if self.0.get(id).is_some_and(|pending| pending.state == State::Aborting) {
            self.0.remove(id);
        }
    }

    /// Takes the answer to a commit.
    pub(super) fn commit_answered(
        &mut self,
        id: CommittableId,
        answer: CommitAnswer,
        now_ms: u64,
        planted: Planted,
    ) -> Result<(), Failure> {
        let Some(pending) = self.0.get_mut(&id) else { return Ok(()) };
        match answer {
            CommitAnswer::Committed => {
                self.0.remove(&id);
            }
            CommitAnswer::Refused { why } => return Err(Failure::CommitRefused { id, why }),
            CommitAnswer::Lost { why } if pending.state == State::Committing => {
                pending.last_problem = Some(why);
                pending.look_ups = 0;
                pending.state = State::ToLookUp { not_before_ms: now_ms };
                if planted.is(PlantedBug::RetryAfterLostAnswer) {
                    pending.state = State::ToCommit { not_before_ms: now_ms };
                }
            }
            CommitAnswer::Lost { .. } => {}
        }
        Ok(())
    }

    /// Takes the answer to a look-up.
    pub(super) fn look_up_answered(
        &mut self,
        id: CommittableId,
        answer: LookUpAnswer,
        now_ms: u64,
        settings: &Settings,
    ) -> Result<(), Failure> {
        let Some(pending) = self.0.get_mut(&id) else { return Ok(()) };
        if answer == LookUpAnswer::Status(CommitStatus::Committed) {
            self.0.remove(&id);
            return Ok(());
        }
        if pending.state != State::LookingUp {
            return Ok(());
        }
        let after_ms = |tries| now_ms.saturating_add(settings.retry_pause_ms(tries));
        match answer {
            LookUpAnswer::Status(CommitStatus::NotCommitted) if pending.commits >= settings.commit_attempts_max => {
                let why = pending.last_problem.clone().unwrap_or_default();
                return Err(Failure::CommitNeverTook { id, attempts: pending.commits, why });
            }
            LookUpAnswer::Status(CommitStatus::NotCommitted) => {
                let not_before_ms = if pending.commits == 0 { now_ms } else { after_ms(pending.commits) };
                pending.state = State::ToCommit { not_before_ms };
            }
            LookUpAnswer::Failed { why, is_retryable: false } => return Err(Failure::LookUpRefused { id, why }),
            LookUpAnswer::Status(_) | LookUpAnswer::Failed { .. } => {
                pending.look_ups = pending.look_ups.saturating_add(1);
                pending.state = State::ToLookUp { not_before_ms: after_ms(pending.look_ups) };
            }
        }
        Ok(())
    }

    /// The times at which there may be something to do although nothing is reported.
    pub(super) fn wake_at_ms(&self) -> impl Iterator<Item = u64> {
        self.0.values().filter_map(|pending| match pending.state {
            State::ToCommit { not_before_ms } | State::ToLookUp { not_before_ms } => Some(not_before_ms),
            State::Committing | State::LookingUp | State::Aborting => None,
        })
    }
}

impl Pending {
    fn new(committable: Committable, from: Epoch) -> Self {
        Self {
            staged: Staged(committable),
            from,
            held_by: None,
            is_restored: false,
            state: State::ToCommit { not_before_ms: 0 },
            commits: 0,
            look_ups: 0,
            last_problem: None,
        }
    }
}
