//! The machine itself: what each fact changes, and what is to be done next.

use volley_api::{Committable, Epoch, TaskId};

use super::collect::Tasks;
use super::commits::Commits;
use super::ending::Ending;
use super::flight::{InFlight, Phase};
use super::planted::Planted;
use super::retention::Retention;
use super::schedule::Schedule;
use super::{Decision, EpochFailure, Fact, Failure, Found, Settings, StartError};

/// What sources were told.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
struct Sources {
    are_paused: bool,
    are_told_to_end: bool,
}

/// The epoch protocol of one run of a job.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Protocol {
    settings: Settings,
    now_ms: u64,
    has_ended: bool,
    schedule: Schedule,
    tasks: Tasks,
    in_flight: Option<InFlight>,
    commits: Commits,
    retention: Retention,
    ending: Ending,
    sources: Sources,
    planted: Planted,
}

impl Protocol {
    /// The protocol of a run that has not begun. The first [`Protocol::step`] looks up what was restored.
    ///
    /// # Errors
    /// When the settings contradict themselves, or an epoch of the store would be used again.
    pub fn new(settings: Settings, found: &Found) -> Result<Self, StartError> {
        settings.check()?;
        found.check()?;
        let commits = found.restored.as_ref().map(Commits::restored).transpose()?.unwrap_or_default();
        let finished = found.restored.as_ref().filter(|restored| restored.is_final);
        Ok(Self {
            settings,
            now_ms: 0,
            has_ended: false,
            schedule: Schedule::new(found.next_epoch),
            tasks: Tasks::default(),
            in_flight: None,
            commits,
            retention: Retention::new(found),
            ending: finished.map_or_else(Ending::default, |restored| Ending::of_finished(restored.epoch)),
            sources: Sources::default(),
            planted: Planted::default(),
        })
    }

    /// Takes a fact and says what is to be done. `now_ms` is of any clock that does not go back; if it does, it is taken
    /// to stand still.
    pub fn step(&mut self, now_ms: u64, fact: Fact) -> Vec<Decision> {
        self.now_ms = self.now_ms.max(now_ms);
        let mut out = Vec::new();
        if self.has_ended {
            return out;
        }
        if let Fact::HigherIncarnation { seen } = fact {
            self.has_ended = true;
            return vec![Decision::StopSuperseded { seen }];
        }
        // Whatever fails does so before `advance` starts a commit.
        if let Err(failure) = self.take(fact, &mut out).and_then(|()| self.advance(&mut out)) {
            self.has_ended = true;
            out.push(Decision::Fail(failure));
        }
        out
    }

    /// When to give [`Fact::TimePassed`] if nothing else happens before; never, if nothing depends on time.
    #[must_use]
    pub fn wake_at_ms(&self) -> Option<u64> {
        if self.has_ended {
            return None;
        }
        let epoch_ms = match &self.in_flight {
            Some(flight) => Some(flight.wake_at_ms(self.settings.timeout_ms)),
            None => self.is_epoch_possible().then(|| self.schedule.due_ms(self.is_epoch_urgent(), &self.settings)),
        };
        let leaves_ms = self.ending.leaves_at_ms(&self.settings);
        // What was due before waits for a fact, not for time.
        self.commits.wake_at_ms().chain(epoch_ms).chain(leaves_ms).filter(|at_ms| *at_ms > self.now_ms).min()
    }

    /// Whether the last decision was made.
    #[must_use]
    pub fn has_ended(&self) -> bool {
        self.has_ended
    }

    /// The epoch that is being collected or stored.
    #[must_use]
    pub fn epoch_in_flight(&self) -> Option<Epoch> {
        self.in_flight.as_ref().map(|flight| flight.epoch)
    }

    /// The id that the next epoch will have.
    #[must_use]
    pub fn next_epoch(&self) -> Epoch {
        self.schedule.next()
    }

    /// How many complete epochs wait for their commits.
    #[must_use]
    pub fn waiting_epochs(&self) -> usize {
        self.commits.waiting_epochs()
    }

    /// Whether no epoch begins before one of those that are complete has its output committed.
    #[must_use]
    pub fn awaits_commits(&self) -> bool {
        self.in_flight.is_none() && self.are_too_many_waiting() && !self.is_last_wanted()
    }

    /// Everything prepared and not known committed, in order of epochs.
    pub fn pending(&self) -> impl Iterator<Item = &Committable> {
        self.commits.iter()
    }

    /// The same protocol with a fault.
    #[cfg(test)]
    pub(super) fn with_bug(mut self, bug: Option<super::planted::PlantedBug>) -> Self {
        self.planted.bug = bug;
        self
    }

    fn take(&mut self, fact: Fact, out: &mut Vec<Decision>) -> Result<(), Failure> {
        let now_ms = self.now_ms;
        match fact {
            Fact::TimePassed | Fact::HigherIncarnation { .. } => {}
            Fact::TasksKnown { tasks } => {
                self.tasks.known(tasks)?;
                self.schedule.starts(now_ms);
            }
            Fact::TaskPassed { task, epoch, output } => {
                self.tasks.passed(task, epoch, self.schedule.begun)?;
                if let Some(other) = output.iter().find(|committable| committable.epoch != epoch) {
                    let problem = format!("it prepared output of epoch {} when it passed epoch {epoch}", other.epoch);
                    return Err(Failure::BrokenReport { task, problem });
                }
                self.prepared(task, output, epoch)?;
            }
            Fact::TaskFinished { task, output } => {
                let from = self.tasks.finished(task)?;
                if let Some(other) = output.iter().find(|committable| committable.epoch < from) {
                    let problem = format!("it finished with output of epoch {}, which it had passed", other.epoch);
                    return Err(Failure::BrokenReport { task, problem });
                }
                self.prepared(task, output, from)?;
            }
            Fact::TaskFailed { task, kind, why } => return Err(Failure::TaskFailed { task, kind, why }),
            Fact::DataDurable { epoch } => self.order_manifest(epoch, out),
            Fact::DataNotStored { epoch, why, is_retryable } => {
                if let Some(flight) = self.flight_in(epoch, Phase::Storing) {
                    let again = |not_before_ms| Phase::StoreAgain { not_before_ms };
                    return self.try_again(flight, why, is_retryable.then_some(again), EpochFailure::NotStored, out);
                }
            }
            Fact::ManifestComplete { epoch } => {
                if let Some(flight) = self.flight_in(epoch, Phase::Writing) {
                    self.complete(&flight, out);
                }
            }
            Fact::ManifestNotWritten { epoch, why, is_retryable } => {
                return self.manifest_failed(epoch, why, is_retryable, out);
            }
            Fact::ManifestUnknown { epoch, why } => return self.manifest_failed(epoch, why, true, out),
            Fact::CommitAnswered { id, answer } => {
                return self.commits.commit_answered(id, answer, now_ms, self.planted);
            }
            Fact::LookUpAnswered { id, answer } => {
                return self.commits.look_up_answered(id, answer, now_ms, &self.settings);
            }
            Fact::AbortDone { id } => self.commits.aborted(&id),
            Fact::CheckpointAsked { is_savepoint } => {
                self.schedule.is_asked = true;
                self.schedule.is_savepoint_asked |= is_savepoint;
            }
            Fact::StopAsked { drain: true } => self.ending.is_drain_asked = true,
            Fact::StopAsked { drain: false } => self.ending.is_stop_asked = true,
            Fact::Pinned(epoch) => self.retention.pin(epoch),
            Fact::Unpinned(epoch) => self.retention.unpin(epoch),
            Fact::CleanedUp { is_complete } => self.retention.cleaned_up(is_complete),
        }
        Ok(())
    }

    fn prepared(&mut self, task: TaskId, output: Vec<Committable>, from: Epoch) -> Result<(), Failure> {
        for committable in output {
            self.commits.prepared(committable, from).map_err(|id| {
                let problem = format!("{id} was prepared before");
                Failure::BrokenReport { task, problem }
            })?;
        }
        Ok(())
    }

    /// Takes the epoch out of flight if it is this one, in this phase. An answer of an epoch that was abandoned, or a
    /// second answer, finds nothing.
    fn flight_in(&mut self, epoch: Epoch, phase: Phase) -> Option<InFlight> {
        self.in_flight.take_if(|flight| flight.epoch == epoch && flight.phase == phase)
    }

    fn order_manifest(&mut self, epoch: Epoch, out: &mut Vec<Decision>) {
        let Some(mut flight) = self.flight_in(epoch, Phase::Storing) else { return };
        flight.fix_manifest(self.commits.for_manifest(epoch, self.planted), self.tasks.end_with(epoch));
        out.extend(flight.order().map(Decision::WriteManifest));
        self.in_flight = Some(flight);
    }

    fn manifest_failed(
        &mut self,
        epoch: Epoch,
        why: String,
        is_retryable: bool,
        out: &mut Vec<Decision>,
    ) -> Result<(), Failure> {
        let Some(flight) = self.flight_in(epoch, Phase::Writing) else { return Ok(()) };
        let again = |not_before_ms| Phase::WriteAgain { not_before_ms };
        self.try_again(flight, why, is_retryable.then_some(again), EpochFailure::ManifestNotWritten, out)
    }

    /// Lets the epoch go on with `again` after a pause, or abandons it.
    fn try_again(
        &mut self,
        mut flight: InFlight,
        why: String,
        again: Option<impl Fn(u64) -> Phase>,
        failure: impl Fn(String) -> EpochFailure,
        out: &mut Vec<Decision>,
    ) -> Result<(), Failure> {
        let Some(again) = again else { return self.abandon(&flight, failure(why), out) };
        flight.tries = flight.tries.saturating_add(1);
        flight.phase = again(self.now_ms.saturating_add(self.settings.retry_pause_ms(flight.tries)));
        flight.last_problem = Some(why);
        self.in_flight = Some(flight);
        Ok(())
    }

    fn complete(&mut self, flight: &InFlight, out: &mut Vec<Decision>) {
        let Some(order) = flight.order() else { return };
        let (epoch, is_final, is_savepoint) = (flight.epoch, order.is_final, flight.is_savepoint);
        self.schedule.completed(self.now_ms);
        self.commits.held(epoch, &order.pending);
        self.retention.completed(epoch, is_savepoint);
        if is_final || flight.is_last {
            self.ending.completed_last(epoch, is_final);
        }
        out.push(Decision::Completed { epoch, is_final, is_savepoint });
    }

    fn abandon(&mut self, flight: &InFlight, why: EpochFailure, out: &mut Vec<Decision>) -> Result<(), Failure> {
        let (epoch, tolerable) = (flight.epoch, self.settings.tolerable_failures);
        self.schedule.abandoned(epoch, self.now_ms, self.planted);
        self.schedule.is_asked |= flight.was_asked;
        self.schedule.is_savepoint_asked |= flight.is_savepoint;
        self.retention.abandoned(epoch);
        out.push(Decision::Abandon { epoch, why: why.clone() });
        match self.schedule.failures {
            failures if failures > tolerable => {
                Err(Failure::TooManyFailedEpochs { epoch, failures, tolerable, last: why })
            }
            _ => Ok(()),
        }
    }

    /// Does everything whose time has come.
    fn advance(&mut self, out: &mut Vec<Decision>) -> Result<(), Failure> {
        self.time_out(out)?;
        self.go_on_with_epoch(out);
        self.commits.start_due(self.now_ms, self.planted, out);
        self.ending.time_passes(self.now_ms);
        if self.ending.is_last_complete() && !self.commits.any_held() {
            self.commits.abort_unheld(out);
        }
        self.steer_sources(out);
        self.begin_epoch(out);
        let epochs = self.retention.remove(self.settings.retain, &self.needed_epochs());
        if !epochs.is_empty() {
            out.push(Decision::Remove { epochs });
        }
        self.end(out);
        Ok(())
    }

    fn time_out(&mut self, out: &mut Vec<Decision>) -> Result<(), Failure> {
        let (now_ms, timeout_ms) = (self.now_ms, self.settings.timeout_ms);
        let is_late = |flight: &mut InFlight| now_ms >= flight.began_ms.saturating_add(timeout_ms);
        let Some(flight) = self.in_flight.take_if(is_late) else { return Ok(()) };
        let waiting_for: Vec<TaskId> = self.tasks.missing(flight.epoch).collect();
        let why = if waiting_for.is_empty() {
            EpochFailure::NotInTime { timeout_ms, last: flight.last_problem.clone() }
        } else {
            EpochFailure::NotPassed { timeout_ms, waiting_for }
        };
        self.abandon(&flight, why, out)
    }

    fn go_on_with_epoch(&mut self, out: &mut Vec<Decision>) {
        let Some(flight) = &mut self.in_flight else { return };
        match flight.phase {
            Phase::Collecting if self.tasks.missing(flight.epoch).next().is_none() => {
                flight.phase = Phase::Storing;
                out.push(Decision::StoreParts { epoch: flight.epoch });
            }
            Phase::StoreAgain { not_before_ms } if not_before_ms <= self.now_ms => {
                flight.phase = Phase::Storing;
                out.push(Decision::StoreParts { epoch: flight.epoch });
            }
            Phase::WriteAgain { not_before_ms } if not_before_ms <= self.now_ms => {
                flight.phase = Phase::Writing;
                out.extend(flight.order().map(Decision::WriteManifest));
            }
            _ => {}
        }
    }

    fn are_too_many_waiting(&self) -> bool {
        self.commits.waiting_epochs() >= usize::try_from(self.settings.pending_epochs_max).unwrap_or(usize::MAX)
    }

    fn steer_sources(&mut self, out: &mut Vec<Decision>) {
        if !self.tasks.are_known() || self.tasks.have_all_finished() {
            return;
        }
        // Past the last barrier nothing that is read is of use.
        let is_past_last = self.ending.is_last_complete()
            || self.in_flight.as_ref().is_some_and(|flight| flight.is_last && flight.phase != Phase::Collecting);
        let pauses = is_past_last || self.are_too_many_waiting();
        if pauses != self.sources.are_paused {
            self.sources.are_paused = pauses;
            out.push(if pauses { Decision::PauseSources } else { Decision::ResumeSources });
        }
        if self.ending.is_drain_asked && !self.sources.are_told_to_end {
            self.sources.are_told_to_end = true;
            out.push(Decision::EndSources);
        }
    }

    /// Whether the next epoch is the last. It holds the output of all that wait, however many those are: a sink that is out
    /// must not keep a job from stopping.
    fn is_last_wanted(&self) -> bool {
        self.ending.is_stop_asked || self.tasks.have_all_finished()
    }

    fn is_epoch_possible(&self) -> bool {
        let is_free = self.in_flight.is_none() && self.tasks.are_known() && !self.ending.is_last_complete();
        is_free && (!self.are_too_many_waiting() || self.is_last_wanted())
    }

    fn is_epoch_urgent(&self) -> bool {
        self.is_last_wanted() || self.schedule.is_asked
    }

    fn begin_epoch(&mut self, out: &mut Vec<Decision>) {
        let is_due = || self.schedule.due_ms(self.is_epoch_urgent(), &self.settings) <= self.now_ms;
        if !self.is_epoch_possible() || !is_due() {
            return;
        }
        let epoch = self.schedule.begin(self.now_ms);
        let mut flight = InFlight::new(epoch, self.now_ms);
        flight.is_last = self.ending.is_stop_asked;
        flight.was_asked = std::mem::take(&mut self.schedule.is_asked);
        flight.is_savepoint = std::mem::take(&mut self.schedule.is_savepoint_asked);
        self.in_flight = Some(flight);
        if !self.tasks.have_all_finished() {
            out.push(Decision::InjectBarrier { epoch });
        }
        self.go_on_with_epoch(out);
    }

    fn needed_epochs(&self) -> std::collections::BTreeSet<Epoch> {
        use super::planted::PlantedBug::CleanUpTooEarly;
        if self.planted.is(CleanUpTooEarly) { Default::default() } else { self.commits.needed_epochs() }
    }

    fn end(&mut self, out: &mut Vec<Decision>) {
        if self.in_flight.is_some() {
            return;
        }
        let (is_settled, waiting) = (self.commits.is_empty(), self.commits.waiting_epochs());
        if let Some(end) = self.ending.end(is_settled, waiting, self.now_ms, &self.settings) {
            self.has_ended = true;
            out.push(Decision::Done(end));
        }
    }
}
