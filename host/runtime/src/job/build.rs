//! Turns a physical plan into running tasks: everything is opened before the first row moves.

use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use tokio::runtime::Handle;
use tokio::sync::{broadcast, watch};
use tokio::task::JoinSet;
use volley_api::{
    CheckpointBarrier, OperatorContext, OriginDirectory, Result, SeedSource, SinkContext, SinkWriter, Split, SubtaskId,
};

use super::commit::{Ended, supervise};
use super::deal::Deal;
use super::epochs::Epochs;
use super::spawn::spawn_chain;
use super::wiring::InletFrom;
use super::{JobHandle, JobOptions, ListedPlan, Stages, Watched};
use crate::Error;
use crate::channel::{Bounds, Channel, Gauge, Sender};
use crate::coalesce::Coalescer;
use crate::metrics::NodeMetrics;
use crate::plan::{NodeKind, PhysicalPlan};
use crate::stages::Stage;
use crate::task::chain::{ChainTask, LaneInto};
use crate::task::outlet::{Outlet, WriterMessage};
use crate::task::reader::{Blocked, Epochs as ReaderEpochs, ReaderTask};
use crate::task::replay::Muted;
use crate::task::slot::{Logic, Slot};
use crate::task::source::SourceSlot;
use crate::task::writer::WriterTask;
use crate::task::{Message, hit};
use crate::time::{Inputs, Pace, SourceTime};

/// The most barriers that may be under way to a reader which has not sent the first of them on.
const BARRIERS_MAX: usize = 64;

/// Starts a job on the current tokio runtime. When it returns, every source has been listed, every operator
/// instantiated and every sink opened.
///
/// # Errors
/// The first of these that failed; nothing runs then, and nothing is visible.
///
/// # Panics
/// Outside a tokio runtime with time and I/O enabled.
pub async fn start(plan: PhysicalPlan, options: JobOptions) -> Result<JobHandle> {
    start_listed(ListedPlan::of(plan).await?, options).await
}

/// The same of a plan whose sources are listed.
pub(super) async fn start_listed(listed: ListedPlan, options: JobOptions) -> Result<JobHandle> {
    let builder = Builder::new(listed, options)?;
    let writers = builder.writers().await?;
    hit("restore-sinks")?;
    // Instantiating a plugin runs its code, which has no place on a worker of this runtime.
    let made = tokio::task::spawn_blocking(move || builder.tasks().map(|tasks| (builder, tasks))).await;
    let (builder, tasks) = made.map_err(|error| Error::Panicked {
        task: "instantiating operators".to_owned(),
        message: error.to_string(),
    })??;
    hit("restore-operators")?;
    builder.launch(writers, tasks)
}

/// What is known of a job while it is put together.
pub(super) struct Builder {
    pub(super) plan: PhysicalPlan,
    pub(super) options: JobOptions,
    pub(super) runtime: Handle,
    pub(super) origins: OriginDirectory,
    pub(super) metrics: Vec<Arc<NodeMetrics>>,
    /// The splits of each source, by node.
    pub(super) splits: Vec<Vec<Split>>,
    /// By chain and subtask.
    pub(super) chain_channels: Vec<Vec<ChainChannel>>,
    /// By node and writer.
    pub(super) writer_channels: Vec<Vec<Channel<WriterMessage>>>,
    pub(super) epochs: Epochs,
    pub(super) draining: watch::Sender<bool>,
    pub(super) pausing: watch::Sender<bool>,
    pub(super) barriers: broadcast::Sender<CheckpointBarrier>,
    pub(super) bounded_left: Arc<AtomicBool>,
    /// By chain.
    pub(super) stages: Stages,
}

/// The channel of a chain's subtask, and where each of its lanes leads.
pub(super) struct ChainChannel {
    channel: Channel<Message>,
    lanes: Mutex<Vec<InletFrom>>,
}

impl ChainChannel {
    fn new(bounds: Bounds) -> Self {
        Self { channel: Channel::new(bounds), lanes: Mutex::default() }
    }

    /// Adds a lane for one producer.
    pub(super) fn lane(&self, inlet: InletFrom) -> Sender<Message> {
        self.lanes.lock().unwrap_or_else(PoisonError::into_inner).push(inlet);
        self.channel.lane()
    }
}

/// The tasks that need no `await` to be made.
struct Tasks {
    chains: Vec<ChainTask>,
    readers: Vec<ReaderTask>,
}

/// A writer of a sink, before it is known how many lanes feed it.
struct OpenWriter {
    node: usize,
    subtask: usize,
    writer: Box<dyn SinkWriter>,
}

impl Builder {
    fn new(listed: ListedPlan, options: JobOptions) -> Result<Self> {
        let epochs = Epochs::new(&listed.plan.checked.name, options.epochs.clone());
        epochs.check(&listed)?;
        let ListedPlan { plan, splits } = listed;
        let bounds = options.bounds();
        let channels = |count: u32| (0..count).map(|_| ChainChannel::new(bounds)).collect();
        let chain_channels = plan.chains.iter().map(|chain| channels(chain.parallelism)).collect();
        let writer_channels = plan
            .checked
            .nodes
            .iter()
            .map(|node| match node.kind {
                NodeKind::Sink(_) => (0..node.parallelism).map(|_| Channel::new(bounds)).collect(),
                _ => Vec::new(),
            })
            .collect();
        let stage = |nodes: &[usize]| Stage::new(plan.checked.nodes[nodes[0]].name.to_string());
        let stages = Arc::new(plan.chains.iter().map(|chain| stage(&chain.nodes)).collect());
        let metrics = plan.checked.nodes.iter().map(|node| Arc::new(NodeMetrics::new(node.parallelism))).collect();
        Ok(Self {
            plan,
            options,
            runtime: Handle::current(),
            origins: OriginDirectory::new(),
            metrics,
            splits,
            chain_channels,
            writer_channels,
            epochs,
            draining: watch::channel(false).0,
            pausing: watch::channel(false).0,
            barriers: broadcast::channel(BARRIERS_MAX).0,
            bounded_left: Arc::default(),
            stages,
        })
    }

    /// Opens every writer of every sink.
    async fn writers(&self) -> Result<Vec<OpenWriter>> {
        let mut writers = Vec::new();
        for (index, node) in self.plan.checked.nodes.iter().enumerate() {
            let NodeKind::Sink(sink) = &node.kind else { continue };
            for subtask in 0..node.parallelism {
                if self.epochs.replay().is_some() {
                    writers.push(OpenWriter { node: index, subtask: subtask as usize, writer: Box::new(Muted) });
                    continue;
                }
                let context = SinkContext {
                    node: node.name.clone(),
                    subtask: SubtaskId { index: subtask, parallelism: node.parallelism },
                    run: self.epochs.run(),
                    is_restored: self.epochs.is_restored(),
                    input: Arc::clone(&node.input.as_ref().expect("a sink has an input").schema),
                    clock: Arc::clone(&self.options.clock),
                };
                let writer = sink.open(context).await.map_err(|error| error.within(&node.name))?;
                writers.push(OpenWriter { node: index, subtask: subtask as usize, writer });
            }
        }
        Ok(writers)
    }

    /// Instantiates every operator, and joins all tasks by channels.
    fn tasks(&self) -> Result<Tasks> {
        let mut wired = Vec::new();
        for (chain, channels) in self.chain_channels.iter().enumerate() {
            for (subtask, channel) in (0..).zip(channels) {
                let mut outlets = Vec::new();
                let nodes = &self.plan.chains[chain].nodes;
                let slots = nodes.iter().map(|&node| self.slot(chain, node, subtask, &mut outlets));
                wired.push((chain, channel, slots.collect::<Result<Vec<_>>>()?, outlets));
            }
        }
        let sources = self.plan.checked.nodes.iter().enumerate();
        let sources = sources.filter(|(_, node)| matches!(node.kind, NodeKind::Source(_)));
        let readers = sources.flat_map(|(node, _)| self.readers(node)).collect();
        // Every lane has been added by now.
        let chains =
            wired.into_iter().map(|(chain, channel, slots, outlets)| self.chain_task(chain, channel, slots, outlets));
        Ok(Tasks { chains: chains.collect(), readers })
    }

    fn chain_task(
        &self,
        chain: usize,
        channel: &ChainChannel,
        mut slots: Vec<Slot>,
        outlets: Vec<Outlet>,
    ) -> ChainTask {
        let nodes = &self.plan.chains[chain].nodes;
        let inlets = channel.lanes.lock().unwrap_or_else(PoisonError::into_inner);
        let lanes = inlets.iter().map(|inlet| {
            let slot = nodes.iter().position(|&node| node == inlet.node()).expect("a lane leads into its chain");
            LaneInto { slot, input: slots[slot].inputs.add() }
        });
        let lanes = lanes.collect();
        let (latency, barriers) = (self.stages[chain].latency.clone(), self.stages[chain].barriers.clone());
        let (receiver, linger) = (channel.channel.receiver(), self.options.linger);
        let endings = nodes.iter().map(|&node| self.epochs.ending(&self.plan.checked.nodes[node].name)).collect();
        let reporter = self.epochs.reporter();
        ChainTask { slots, lanes, outlets, receiver, linger, reporter, endings, latency, barriers }
    }

    fn slot(&self, chain: usize, node: usize, subtask: u32, outlets: &mut Vec<Outlet>) -> Result<Slot> {
        let checked = &self.plan.checked.nodes[node];
        let (logic, coalescer, identity) = match &checked.kind {
            NodeKind::Source(_) => (Logic::Source(Box::new(self.source_slot(node, subtask))), None, Default::default()),
            NodeKind::Operator(factory) => {
                let context = self.context(node, subtask);
                if !context.restored.keyed.is_empty() {
                    hit("state-restore")?;
                }
                let operator = factory.create(context).map_err(|error| error.within(&checked.name))?;
                let coalescer = factory.wants_coalesced_input().then(Coalescer::default);
                (Logic::Operator(operator), coalescer, factory.identity())
            }
            NodeKind::Sink(_) => unreachable!("sinks are not part of chains"),
        };
        let wiring = self.wiring(chain, node, subtask, identity, outlets)?;
        let mut inputs = Inputs::default();
        inputs.restore(self.epochs.watermark(&checked.name));
        self.local_edges_into(node).for_each(|_| {
            inputs.add();
        });
        Ok(Slot { logic, coalescer, wiring, inputs })
    }

    /// What an instance of an operator is told.
    pub(super) fn context(&self, node: usize, subtask: u32) -> OperatorContext {
        let checked = &self.plan.checked.nodes[node];
        let input = checked.input.as_ref().expect("an operator has an input");
        OperatorContext {
            node: checked.name.clone(),
            subtask: SubtaskId { index: subtask, parallelism: checked.parallelism },
            input: Arc::clone(&input.schema),
            event_time: input.event_time.clone(),
            state: Arc::clone(&self.options.state),
            restored: self.epochs.operator(&checked.name),
            errors_attached: self.plan.errors_attached(node),
            clock: Arc::clone(&self.options.clock),
            seeds: SeedSource::new(self.options.seed),
            origins: self.origins.clone(),
        }
    }

    fn source_slot(&self, node: usize, subtask: u32) -> SourceSlot {
        let deal = self.deal(node);
        let feeding = deal.readers().iter().enumerate().filter(|(reader, _)| deal.feeds(*reader, subtask));
        let checked = &self.plan.checked.nodes[node];
        let left = |split: &&Split| !self.epochs.has_ended(&checked.name, &split.id);
        let splits: Vec<&Split> = feeding.flat_map(|(_, splits)| splits).filter(left).collect();
        let mut reached = self.epochs.reached(&checked.name);
        reached.retain(|id, _| splits.iter().any(|split| split.id == *id));
        let pace = if self.epochs.replay().is_some() { Pace::NEVER } else { self.options.pace() };
        let count = splits.len();
        SourceSlot {
            needs_origins: self.plan.needs_origins(node),
            time: checked.event_time.as_ref().map(|event_time| SourceTime::new(event_time, count, reached, pace)),
        }
    }

    pub(super) fn deal(&self, source: usize) -> Deal {
        Deal::new(&self.splits[source], self.plan.checked.nodes[source].parallelism)
    }

    fn launch(self, writers: Vec<OpenWriter>, Tasks { chains, readers }: Tasks) -> Result<JobHandle> {
        let mut tasks: JoinSet<Ended> = JoinSet::new();
        let sizes =
            self.splits.iter().map(|splits| splits.iter().map(|split| split.size_units).sum()).collect::<Vec<_>>();
        let watched = Watched::new(&self.plan, &self.metrics, &sizes, self.queues());
        let started = Instant::now();
        let writers: Vec<_> = writers.into_iter().map(|writer| self.writer(writer)).collect();
        hit("job-before-start")?;
        // Every task has its voice by now, and none has used it.
        self.epochs.started();
        // Tasks that can be given up at any point; chains end by themselves once their channels have closed.
        let mut interruptible = Vec::new();
        for writer in writers {
            interruptible.push(tasks.spawn_on(writer.run(), &self.runtime));
        }
        for (number, chain) in chains.into_iter().enumerate() {
            spawn_chain(&mut tasks, &self.runtime, format!("volley-chain-{number}"), chain)?;
        }
        for reader in readers {
            let replay = self.epochs.replay();
            let reader = async move {
                match replay {
                    Some((barrier, until)) => reader.replay(barrier, &until).await,
                    None => reader.run().await.map(|()| None),
                }
            };
            interruptible.push(tasks.spawn_on(reader, &self.runtime));
        }
        let sinks = self.plan.sinks();
        let (end, ended) = watch::channel(false);
        let (aborting, aborted) = watch::channel(false);
        let committing = Arc::new(AtomicBool::new(false));
        let commits = Arc::clone(&committing);
        let supervisor = self.runtime.spawn(async move {
            let outcome = supervise(tasks, interruptible, aborted, sinks, &commits).await;
            end.send_replace(true);
            outcome
        });
        let has_bounded_source = self.plan.has_bounded_source();
        let Self { draining, pausing, barriers, bounded_left, stages, .. } = self;
        Ok(JobHandle {
            draining,
            pausing,
            aborting,
            barriers,
            supervisor,
            ended,
            watched,
            stages,
            started,
            has_bounded_source,
            bounded_left,
            committing,
        })
    }

    fn writer(&self, OpenWriter { node, subtask, writer }: OpenWriter) -> WriterTask {
        let receiver = self.writer_channels[node][subtask].receiver();
        let (metrics, producers) = (Arc::clone(&self.metrics[node]), receiver.lanes());
        let (epoch, reporter) = (self.epochs.first(), self.epochs.reporter());
        WriterTask { writer, receiver, producers, metrics, epoch, reporter }
    }

    /// The channels before each node: those of a sink's writers, and those of a chain for the nodes that its lanes lead to.
    fn queues(&self) -> Vec<Vec<Gauge>> {
        let mut queues: Vec<Vec<Gauge>> =
            self.writer_channels.iter().map(|writers| writers.iter().map(Channel::gauge).collect()).collect();
        for channel in self.chain_channels.iter().flatten() {
            let mut nodes: Vec<usize> =
                channel.lanes.lock().unwrap_or_else(PoisonError::into_inner).iter().map(|inlet| inlet.node()).collect();
            nodes.dedup();
            nodes.into_iter().for_each(|node| queues[node].push(channel.channel.gauge()));
        }
        queues
    }

    fn readers(&self, node: usize) -> Vec<ReaderTask> {
        let checked = &self.plan.checked.nodes[node];
        let NodeKind::Source(source) = &checked.kind else { return Vec::new() };
        let chain = self.plan.chain_of[node].expect("a source belongs to a chain");
        let deal = self.deal(node);
        let subtasks_of = |reader: usize| {
            let fed = (0..).zip(&self.chain_channels[chain]).filter(|(subtask, _)| deal.feeds(reader, *subtask));
            fed.map(|(_, channel)| channel.lane(InletFrom::Source(node))).collect()
        };
        let readers = deal.readers().iter().enumerate().map(|(reader, splits)| ReaderTask {
            node: checked.name.clone(),
            source: Arc::clone(source),
            splits: splits.clone(),
            options: self.options.read,
            gather_rows_max: self.options.gather_rows_max(),
            origins: self.origins.clone(),
            metrics: Arc::clone(&self.metrics[node]),
            subtasks: subtasks_of(reader),
            idle_after: checked.event_time.as_ref().and_then(|event_time| event_time.idle_after),
            blocked: Blocked::default(),
            epochs: ReaderEpochs::new(
                checked.name.clone(),
                self.epochs.reporter(),
                self.barriers.subscribe(),
                self.epochs.positions(&checked.name, splits.iter(), (reader == 0).then_some(&self.splits[node])),
            ),
            paused: self.pausing.subscribe(),
            draining: self.draining.subscribe(),
            bounded_left: Arc::clone(&self.bounded_left),
        });
        readers.collect()
    }
}
