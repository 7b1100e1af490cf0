//! A plan whose sources have been listed: what can be known of a start before anything is begun.

use std::sync::Arc;

use volley_api::{
    Error, JobState, NodeName, OperatorContext, OriginDirectory, Result, SeedSource, Split, SplitId, SplitPosition,
    StateBackend, SubtaskId, SystemClock,
};

use super::{JobHandle, JobOptions, dry};
use crate::plan::{NodeKind, PhysicalPlan};
use crate::task::hit;

/// A plan, and the splits that its sources have now.
#[derive(Debug)]
pub struct ListedPlan {
    pub(super) plan: PhysicalPlan,
    /// By node.
    pub(super) splits: Vec<Vec<Split>>,
}

impl ListedPlan {
    /// Asks every source for its splits.
    ///
    /// # Errors
    /// The first that one of them gives.
    pub async fn of(plan: PhysicalPlan) -> Result<Self> {
        let mut splits = Vec::with_capacity(plan.checked.nodes.len());
        for node in &plan.checked.nodes {
            splits.push(match &node.kind {
                NodeKind::Source(source) => source.discover().await.map_err(|error| error.within(&node.name))?,
                _ => Vec::new(),
            });
        }
        hit("restore-listed")?;
        Ok(Self { plan, splits })
    }

    /// The plan.
    #[must_use]
    pub fn plan(&self) -> &PhysicalPlan {
        &self.plan
    }

    /// Refuses a checkpoint that the plan cannot go on from, without reading any state of it: a node is gone that has state
    /// there, or a split that was not read to its end; an operator keeps its state in another way; or `state` cannot restore
    /// what another backend wrote. Operators with state are created for it, once each, and dropped.
    ///
    /// # Errors
    /// The first of these; it names the node.
    pub fn check_restored(&self, restored: &JobState, state: &Arc<dyn StateBackend>) -> Result<()> {
        self.check_nodes(restored)?;
        let operators = restored.operators.iter().filter(|(_, operator)| !operator.keyed.is_empty());
        for (name, _) in operators {
            if let Some(index) = self.place(name) {
                self.check_states(index, restored, state)?;
            }
        }
        Ok(())
    }

    /// As [`start`](super::start).
    ///
    /// # Errors
    /// As there.
    ///
    /// # Panics
    /// As there.
    pub async fn start(self, options: JobOptions) -> Result<JobHandle> {
        super::build::start_listed(self, options).await
    }

    /// Refuses a plan that has lost what the checkpoint knows by name.
    pub(super) fn check_nodes(&self, restored: &JobState) -> Result<()> {
        // An operator of which nothing but its watermark is known may go.
        let with_state = restored.operators.iter().filter(|(_, state)| !state.keyed.is_empty()).map(|(name, _)| name);
        for name in restored.splits.keys().chain(with_state) {
            if self.place(name).is_none() {
                return Err(Error::config(format!(
                    "the checkpoint has state of `{name}`, and the pipeline has no node of that name: give it back its name, \
                     or begin with --fresh"
                )));
            }
        }
        restored.splits.iter().try_for_each(|(name, known)| {
            let is_listed = |id: &SplitId| {
                self.place(name).is_some_and(|node| self.splits[node].iter().any(|split| split.id == *id))
            };
            let lost = known.iter().find(|(id, state)| state.position != SplitPosition::Ended && !is_listed(id));
            lost.map_or(Ok(()), |(id, _)| {
                Err(Error::config(format!(
                    "source `{name}` had read a part of {id} at the checkpoint, and it is not there any more: put it back, or \
                     begin with --fresh"
                )))
            })
        })
    }

    /// Refuses a plan that cannot be checkpointed at all.
    pub(super) fn check_sinks(&self) -> Result<()> {
        for node in &self.plan.checked.nodes {
            if let NodeKind::Sink(sink) = &node.kind
                && sink.is_single_epoch()
            {
                return Err(Error::config(format!(
                    "sink `{}` ({}) can be written only once, at the end of a job, and this job takes checkpoints: write to \
                     a folder (a path that ends in `/`), or leave `checkpoint` out",
                    node.name,
                    sink.label()
                )));
            }
        }
        Ok(())
    }

    fn place(&self, name: &NodeName) -> Option<usize> {
        self.plan.checked.nodes.iter().position(|node| node.name == *name)
    }

    /// Creates an operator with what the checkpoint has of it, but for the entries.
    fn check_states(&self, index: usize, restored: &JobState, state: &Arc<dyn StateBackend>) -> Result<()> {
        let node = &self.plan.checked.nodes[index];
        let name = &node.name;
        let opened = Arc::new(dry::DryState::new(Arc::clone(state)));
        if let (NodeKind::Operator(factory), Some(input)) = (&node.kind, &node.input) {
            let context = OperatorContext {
                node: name.clone(),
                subtask: SubtaskId { index: 0, parallelism: 1 },
                input: Arc::clone(&input.schema),
                event_time: input.event_time.clone(),
                state: Arc::clone(&opened) as _,
                restored: restored.operators.get(name).cloned().unwrap_or_default(),
                errors_attached: self.plan.errors_attached(index),
                clock: Arc::new(SystemClock),
                seeds: SeedSource::new(0),
                origins: OriginDirectory::new(),
            };
            factory.create(context).map_err(|error| error.within(name))?;
        }
        let known = restored.operators.get(name).map(|operator| &operator.keyed).into_iter().flatten();
        let with_parts = known.filter(|(_, parts)| !parts.is_empty());
        match with_parts.map(|(state, _)| state).find(|state| !opened.has_opened(state)) {
            None => Ok(()),
            Some(unknown) => Err(Error::config(format!(
                "the checkpoint has state `{unknown}` of `{name}`, and the plan keeps none of that name there: put the \
                 operator back as it was, give it another name, or begin with --fresh"
            ))),
        }
    }
}
