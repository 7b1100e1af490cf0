//! A simulated world around the protocol: a job, its driver, a store and sinks. Whoever steers it chooses what happens
//! next of all that may happen.

use std::collections::BTreeMap;
use std::rc::Rc;

use volley_api::{CommitStatus, Committable, Epoch, ErrorKind, TaskId};

use super::actions::{Action, Judge, Order, Outcome, Sort};
use super::job::{Size, Task};
use super::outside::{Checked, Sink, Store, ensure, sink_of};
use super::rules::Rules;
use crate::protocol::commits::Staged;
use crate::protocol::planted::PlantedBug;
use crate::protocol::{CommitAnswer, CommittableId, Decision, End, Fact, LookUpAnswer, Protocol, Settings};

/// The world.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct World {
    size: Size,
    settings: Rc<Settings>,
    bug: Option<PlantedBug>,
    protocol: Protocol,
    now_ms: u64,
    incarnation: u64,
    tasks: Vec<Task>,
    /// What the driver keeps of tasks that passed an epoch, and of those that finished: how far they had read.
    passed: BTreeMap<(Epoch, u8), u8>,
    finished: BTreeMap<u8, u8>,
    are_paused: bool,
    are_ending: bool,
    is_stop_asked: bool,
    /// Whether that is one after a last epoch.
    is_stopping: bool,
    /// The protocol has made a last decision that the job does not end well with.
    has_failed: bool,
    orders: BTreeMap<Order, Vec<Staged>>,
    writes: BTreeMap<Epoch, (bool, bool)>,
    store: Rc<Store>,
    sinks: Vec<Rc<Sink>>,
    rules: Rules,
    /// By what the protocol is judged.
    judge: Judge,
    /// The job has finished.
    pub(super) is_over: bool,
}

impl World {
    pub(super) fn new(size: Size, settings: Settings, bug: Option<PlantedBug>, judge: Judge) -> Checked<Self> {
        let store = Rc::<Store>::default();
        let mut world = Self {
            sinks: vec![Rc::default(); size.sinks],
            protocol: Protocol::new(settings.clone(), &store.found()).map_err(|error| error.to_string())?,
            size,
            settings: Rc::new(settings),
            bug,
            now_ms: 0,
            incarnation: 0,
            tasks: Vec::new(),
            passed: BTreeMap::new(),
            finished: BTreeMap::new(),
            are_paused: false,
            are_ending: false,
            is_stop_asked: false,
            is_stopping: false,
            has_failed: false,
            orders: BTreeMap::new(),
            writes: BTreeMap::new(),
            store,
            rules: Rules::default(),
            judge,
            is_over: false,
        };
        world.start_run()?;
        Ok(world)
    }

    /// A run of the job begins, from the newest complete checkpoint.
    fn start_run(&mut self) -> Checked {
        let found = self.store.found();
        self.protocol = Protocol::new((*self.settings).clone(), &found)
            .map_err(|error| format!("a run does not start: {error}"))?
            .with_bug(self.bug);
        self.incarnation += 1;
        self.rules = Rules::at_start(&found);
        let restored = self.store.manifests.last_key_value().map(|(_, manifest)| manifest);
        let positions = restored.map_or_else(|| vec![0; self.size.tasks.into()], |m| m.positions.clone());
        let is_final = restored.is_some_and(|manifest| manifest.is_final);
        self.tasks = positions.into_iter().map(|read| Task::at(read, found.next_epoch)).collect();
        self.passed.clear();
        self.finished.clear();
        self.orders.clear();
        self.writes.clear();
        (self.are_paused, self.are_ending, self.has_failed) = (false, false, false);
        (self.is_stop_asked, self.is_stopping) = (false, false);
        if is_final {
            self.tasks.clear();
            return self.tell(Fact::TimePassed);
        }
        self.tell(Fact::TasksKnown { tasks: self.size.tasks.into() })
    }

    /// All that may happen now.
    pub(super) fn actions(&self) -> Vec<(Action, Sort)> {
        if self.is_over {
            return Vec::new();
        }
        let mut actions = Vec::new();
        let has_effects = self.orders.keys().any(|order| !matches!(order, Order::Store(_) | Order::LookUp(_)));
        for orders_are_done in [false, true].into_iter().take(if has_effects { 2 } else { 1 }) {
            let sort = if self.has_failed { Sort::Normal } else { Sort::Crash };
            actions.push((Action::Crash { orders_are_done }, sort));
        }
        if self.has_failed {
            // Whatever is still answered must change nothing.
            let answers = self.orders.keys().map(|order| Action::End(order.clone(), Outcome::Good));
            actions.extend(answers.map(|answer| (answer, Sort::Fault)));
            return actions;
        }
        for order in self.orders.keys() {
            let mut ends = |outcome, sort| actions.push((Action::End(order.clone(), outcome), sort));
            ends(Outcome::Good, Sort::Normal);
            if matches!(order, Order::Write(_) | Order::Commit(_)) {
                ends(Outcome::Lost { was_done: true }, Sort::Fault);
            }
            if matches!(order, Order::Write(_) | Order::Commit(_) | Order::LookUp(_)) {
                ends(Outcome::Lost { was_done: false }, Sort::Fault);
            }
            if matches!(order, Order::Store(_) | Order::Write(_) | Order::LookUp(_)) {
                ends(Outcome::Fails { is_retryable: true }, Sort::Fault);
            }
            if !matches!(order, Order::Abort(_)) {
                ends(Outcome::Fails { is_retryable: false }, Sort::Fault);
            }
        }
        if let Some(index) = (0..).zip(&self.tasks).find(|(_, task)| !task.has_finished).map(|(index, _)| index) {
            actions.push((Action::TaskFails(index), Sort::Crash));
        }
        for (index, task) in (0_u8..).zip(&self.tasks).filter(|(_, task)| !task.has_finished) {
            let mut may = |action, sort| actions.push((action, sort));
            if !task.barriers.is_empty() {
                may(Action::Pass(index), Sort::Normal);
            }
            if task.read < self.size.rows && !self.are_paused && !self.are_ending {
                may(Action::Read(index), Sort::Normal);
            }
            if task.read == self.size.rows || self.are_ending {
                may(Action::Finish(index), Sort::Normal);
            }
        }
        if self.protocol.wake_at_ms().is_some() {
            actions.push((Action::Wake, Sort::Time));
        }
        actions.push((Action::HigherIncarnation, Sort::Crash));
        for is_savepoint in [false, true] {
            actions.push((Action::AskCheckpoint { is_savepoint }, Sort::Wish));
        }
        if !self.is_stop_asked {
            actions.push((Action::AskStop { drain: false }, Sort::Wish));
            actions.push((Action::AskStop { drain: true }, Sort::Wish));
        }
        actions
    }

    /// Lets something happen, and checks all that the protocol decides.
    pub(super) fn act(&mut self, action: &Action) -> Checked {
        match action {
            Action::Read(task) => self.tasks[usize::from(*task)].read += 1,
            Action::Pass(index) => {
                let task = &mut self.tasks[usize::from(*index)];
                let epoch = task.barriers.pop_front().ok_or("no barrier")?;
                task.next = Epoch(epoch.0 + 1);
                let output = task.prepare(*index, epoch, self.incarnation, &self.size);
                self.passed.insert((epoch, *index), task.read);
                self.rules.prepared(&output);
                return self.tell(Fact::TaskPassed { task: TaskId((*index).into()), epoch, output });
            }
            Action::Finish(index) => {
                let task = &mut self.tasks[usize::from(*index)];
                task.has_finished = true;
                task.barriers.clear();
                let output = task.prepare(*index, task.next, self.incarnation, &self.size);
                self.finished.insert(*index, task.read);
                self.rules.prepared(&output);
                return self.tell(Fact::TaskFinished { task: TaskId((*index).into()), output });
            }
            Action::End(order, outcome) => return self.end_order(order, *outcome),
            Action::Wake => {
                self.now_ms = self.protocol.wake_at_ms().ok_or("nothing to wake for")?;
                return self.tell(Fact::TimePassed);
            }
            Action::Crash { orders_are_done } => {
                if *orders_are_done {
                    for order in self.orders.keys().cloned().collect::<Vec<_>>() {
                        self.is_done(&order)?;
                    }
                }
                return self.start_run();
            }
            Action::TaskFails(task) => {
                let (task, kind) = (TaskId((*task).into()), ErrorKind::Data);
                return self.tell(Fact::TaskFailed { task, kind, why: "a bad row".to_owned() });
            }
            Action::HigherIncarnation => return self.tell(Fact::HigherIncarnation { seen: self.incarnation + 1 }),
            Action::AskCheckpoint { is_savepoint } => {
                return self.tell(Fact::CheckpointAsked { is_savepoint: *is_savepoint });
            }
            Action::AskStop { drain } => {
                (self.is_stop_asked, self.is_stopping) = (true, !drain);
                return self.tell(Fact::StopAsked { drain: *drain });
            }
        }
        Ok(())
    }

    /// An order has its effect outside.
    fn is_done(&mut self, order: &Order) -> Checked {
        let outputs: Vec<Committable> = self.orders[order].iter().map(|staged| staged.0.clone()).collect();
        match order {
            Order::Write(epoch) => {
                let (is_final, is_savepoint) = self.writes[epoch];
                let order = crate::protocol::ManifestOrder { epoch: *epoch, pending: outputs, is_final, is_savepoint };
                Rc::make_mut(&mut self.store).write(&order)
            }
            Order::Commit(_) => {
                outputs.iter().try_for_each(|output| Rc::make_mut(&mut self.sinks[sink_of(output)]).commit(output))
            }
            Order::Remove(epochs) => {
                Rc::make_mut(&mut self.store).remove(epochs);
                Ok(())
            }
            Order::Store(_) | Order::LookUp(_) | Order::Abort(_) => Ok(()),
        }
    }

    /// An order ends, and the protocol is told how.
    fn end_order(&mut self, order: &Order, outcome: Outcome) -> Checked {
        if matches!(outcome, Outcome::Good | Outcome::Lost { was_done: true }) {
            self.is_done(order)?;
        }
        let outputs = self.orders.remove(order).unwrap_or_default();
        let why = "the network".to_owned();
        let is_retryable = outcome == Outcome::Fails { is_retryable: true };
        let fact = match (order.clone(), outcome) {
            (Order::Store(epoch), Outcome::Good) => Fact::DataDurable { epoch },
            (Order::Store(epoch), _) => Fact::DataNotStored { epoch, why, is_retryable },
            (Order::Write(epoch), Outcome::Good) => {
                self.rules.written(epoch, &outputs);
                Fact::ManifestComplete { epoch }
            }
            (Order::Write(epoch), Outcome::Lost { .. }) => Fact::ManifestUnknown { epoch, why },
            (Order::Write(epoch), _) => Fact::ManifestNotWritten { epoch, why, is_retryable },
            (Order::Commit(id), Outcome::Good) => {
                self.rules.known_committed(&id);
                Fact::CommitAnswered { id, answer: CommitAnswer::Committed }
            }
            (Order::Commit(id), Outcome::Fails { is_retryable: false }) => {
                Fact::CommitAnswered { id, answer: CommitAnswer::Refused { why } }
            }
            (Order::Commit(id), _) => {
                self.rules.lost(&id);
                Fact::CommitAnswered { id, answer: CommitAnswer::Lost { why } }
            }
            (Order::LookUp(id), Outcome::Good) => {
                let has = self.sinks[sink_of(&outputs[0].0)].has(&id);
                self.rules.looked_up(&id, has);
                let status = if has { CommitStatus::Committed } else { CommitStatus::NotCommitted };
                Fact::LookUpAnswered { id, answer: LookUpAnswer::Status(status) }
            }
            (Order::LookUp(id), Outcome::Lost { .. }) => {
                Fact::LookUpAnswered { id, answer: LookUpAnswer::Status(CommitStatus::Unknown) }
            }
            (Order::LookUp(id), _) => Fact::LookUpAnswered { id, answer: LookUpAnswer::Failed { why, is_retryable } },
            (Order::Abort(id), _) => Fact::AbortDone { id },
            (Order::Remove(_), outcome) => Fact::CleanedUp { is_complete: outcome == Outcome::Good },
        };
        self.tell(fact)
    }

    fn tell(&mut self, fact: Fact) -> Checked {
        let have_all_finished = self.tasks.iter().all(|task| task.has_finished);
        self.rules.is_last_wanted = self.is_stopping || have_all_finished;
        let decisions = self.protocol.step(self.now_ms, fact);
        ensure!(!self.has_failed || decisions.is_empty(), "decided after the end: {decisions:?}");
        decisions.into_iter().try_for_each(|decision| self.carry_out(decision))?;
        self.check_pause()
    }

    /// Sources are paused while too many epochs wait, and at other times only behind the last barrier.
    fn check_pause(&self) -> Checked {
        if self.has_failed || self.judge == Judge::Rows || self.tasks.iter().all(|task| task.has_finished) {
            return Ok(());
        }
        let (waiting, max) = (self.rules.waiting(), self.settings.pending_epochs_max as usize);
        ensure!(self.are_paused || waiting < max, "sources are not paused, and {waiting} epochs wait");
        ensure!(
            !self.are_paused || waiting >= max || self.is_stop_asked,
            "sources are paused, and {waiting} epochs wait"
        );
        Ok(())
    }

    fn carry_out(&mut self, decision: Decision) -> Checked {
        ensure!(!self.has_failed, "decided after the end: {decision:?}");
        if self.judge == Judge::Rules {
            self.rules.check(&decision, &self.store, &self.settings)?;
        }
        let staged = |output: &Committable| vec![Staged(output.clone())];
        match decision {
            Decision::InjectBarrier { epoch } => {
                ensure!(!self.are_paused || self.is_stopping, "barrier {epoch} while sources are paused");
                let running = self.tasks.iter_mut().filter(|task| !task.has_finished);
                running.for_each(|task| task.barriers.push_back(epoch));
            }
            Decision::StoreParts { epoch } => {
                let part = |task: u8| self.passed.get(&(epoch, task)).or_else(|| self.finished.get(&task)).copied();
                let parts: Option<Vec<u8>> = (0..self.size.tasks).map(part).collect();
                let store = Rc::make_mut(&mut self.store);
                store.ids.insert(epoch);
                store.parts.insert(epoch, parts.ok_or(format!("epoch {epoch} has not all its parts"))?);
                self.orders.insert(Order::Store(epoch), Vec::new());
            }
            Decision::WriteManifest(order) => {
                self.writes.insert(order.epoch, (order.is_final, order.is_savepoint));
                let pending = order.pending.iter().cloned().map(Staged).collect();
                self.orders.insert(Order::Write(order.epoch), pending);
            }
            Decision::Completed { .. } => {}
            Decision::Abandon { epoch, .. } => self.passed.retain(|(other, _), _| *other != epoch),
            Decision::Commit(output) => {
                self.orders.insert(Order::Commit(CommittableId::of(&output)), staged(&output));
            }
            Decision::LookUp(output) => {
                self.orders.insert(Order::LookUp(CommittableId::of(&output)), staged(&output));
            }
            Decision::Abort(output) => {
                self.orders.insert(Order::Abort(CommittableId::of(&output)), staged(&output));
            }
            Decision::PauseSources | Decision::ResumeSources => {
                let pauses = decision == Decision::PauseSources;
                ensure!(self.are_paused != pauses, "{decision:?} twice");
                self.are_paused = pauses;
            }
            Decision::EndSources => self.are_ending = true,
            Decision::Remove { epochs } => {
                self.orders.insert(Order::Remove(epochs), Vec::new());
            }
            Decision::Fail(_) | Decision::StopSuperseded { .. } => self.has_failed = true,
            Decision::Done(end) => return self.done(end),
        }
        Ok(())
    }

    /// The job has ended well: every row up to the newest checkpoint is visible, once, or is left to the next run.
    fn done(&mut self, end: End) -> Checked {
        let (epoch, manifest) = self.store.manifests.last_key_value().ok_or("done without a checkpoint")?;
        if let End::Stopped { at, .. } = end {
            ensure!(at == *epoch, "stopped at {at}, and the newest checkpoint is {epoch}");
        }
        if let End::Stopped { waiting: waiting @ 1.., .. } = end {
            ensure!(self.is_stopping, "output is left, and nobody wants the job to stop");
            let owed = self.rules.waiting();
            ensure!(
                self.judge == Judge::Rows || owed == waiting as usize,
                "{waiting} epochs are left, and {owed} wait"
            );
            return self.start_run();
        }
        let manifest_is_final = manifest.is_final;
        ensure!(manifest_is_final == (end == End::Finished), "{end:?} with a manifest that says otherwise");
        for (index, sink) in self.sinks.iter().enumerate() {
            sink.check(&self.size.rows_of(index, &manifest.positions))?;
        }
        self.is_over = end == End::Finished;
        if self.is_over { Ok(()) } else { self.start_run() }
    }
}
