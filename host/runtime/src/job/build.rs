//! Turns a physical plan into running tasks: everything is opened before the first row moves.

use std::collections::HashMap;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::task::JoinSet;
use volley_api::{
    Epoch, NodeName, OperatorContext, OriginDirectory, Result, SeedSource, Sink, SinkContext, Split, SubtaskId,
};

use super::commit::{Ended, supervise};
use super::deal::Deal;
use super::spawn::spawn_chain;
use super::wiring::InletFrom;
use super::{JobHandle, JobOptions, Watched};
use crate::Error;
use crate::channel::{Bounds, Receiver, Sender, bounded};
use crate::coalesce::Coalescer;
use crate::metrics::NodeMetrics;
use crate::plan::{NodeKind, PhysicalPlan};
use crate::task::Message;
use crate::task::chain::{ChainTask, Inlet};
use crate::task::outlet::{Outlet, WriterMessage};
use crate::task::reader::ReaderTask;
use crate::task::slot::{Logic, Slot};
use crate::task::writer::WriterTask;

/// The epoch that the end of the input completes in a job that takes no checkpoints.
const ONLY_EPOCH: Epoch = Epoch(1);

/// Starts a job on the current tokio runtime. When it returns, every source has been listed, every operator
/// instantiated and every sink opened.
///
/// # Errors
/// The first of these that failed; nothing runs then, and nothing is visible.
///
/// # Panics
/// Outside a tokio runtime with time and I/O enabled.
pub async fn start(plan: PhysicalPlan, options: JobOptions) -> Result<JobHandle> {
    let builder = Builder::new(plan, options).await?;
    let writers = builder.writers().await?;
    // Instantiating a plugin runs its code, which has no place on a worker of this runtime.
    let made = tokio::task::spawn_blocking(move || builder.chains().map(|chains| (builder, chains))).await;
    let (builder, chains) = made.map_err(|error| Error::Panicked {
        task: "instantiating operators".to_owned(),
        message: error.to_string(),
    })??;
    builder.launch(writers, chains)
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
    pub(super) chain_channels: Vec<Vec<Channel<Message>>>,
    pub(super) writer_channels: Vec<Vec<Channel<WriterMessage>>>,
    pub(super) draining: watch::Sender<bool>,
    pub(super) bounded_left: Arc<AtomicBool>,
}

/// Both ends of a channel, until the tasks that own them are made.
pub(super) struct Channel<T> {
    pub(super) sender: Sender<T>,
    receiver: Mutex<Option<Receiver<T>>>,
}

fn channels<T>(count: u32, bounds: Bounds) -> Vec<Channel<T>> {
    let channel = |_| {
        let (sender, receiver) = bounded(bounds);
        Channel { sender, receiver: Mutex::new(Some(receiver)) }
    };
    (0..count).map(channel).collect()
}

impl<T> Channel<T> {
    fn take_receiver(&self) -> Receiver<T> {
        let mut receiver = self.receiver.lock().unwrap_or_else(PoisonError::into_inner);
        receiver.take().expect("each task is made once")
    }
}

impl Builder {
    async fn new(plan: PhysicalPlan, options: JobOptions) -> Result<Self> {
        let mut splits = Vec::with_capacity(plan.checked.nodes.len());
        for node in &plan.checked.nodes {
            splits.push(match &node.kind {
                NodeKind::Source(source) => source.discover().await.map_err(|error| error.within(&node.name))?,
                _ => Vec::new(),
            });
        }
        let bounds = options.bounds();
        let chain_channels = plan.chains.iter().map(|chain| channels(chain.parallelism, bounds)).collect();
        let writer_channels = plan
            .checked
            .nodes
            .iter()
            .map(|node| match node.kind {
                NodeKind::Sink(_) => channels(node.parallelism, bounds),
                _ => Vec::new(),
            })
            .collect();
        let metrics = plan.checked.nodes.iter().map(|_| Arc::default()).collect();
        Ok(Self {
            plan,
            options,
            runtime: Handle::current(),
            origins: OriginDirectory::new(),
            metrics,
            splits,
            chain_channels,
            writer_channels,
            draining: watch::channel(false).0,
            bounded_left: Arc::default(),
        })
    }

    /// Opens every writer of every sink.
    async fn writers(&self) -> Result<Vec<WriterTask>> {
        let mut tasks = Vec::new();
        for (index, node) in self.plan.checked.nodes.iter().enumerate() {
            let NodeKind::Sink(sink) = &node.kind else { continue };
            for (subtask, channel) in (0..).zip(&self.writer_channels[index]) {
                let context = SinkContext {
                    node: node.name.clone(),
                    subtask: SubtaskId { index: subtask, parallelism: node.parallelism },
                    input: Arc::clone(node.input.as_ref().expect("a sink has an input")),
                    clock: Arc::clone(&self.options.clock),
                };
                tasks.push(WriterTask {
                    writer: sink.open(context).await.map_err(|error| error.within(&node.name))?,
                    receiver: channel.take_receiver(),
                    producers: self.producers_of_writer(index, subtask),
                    metrics: Arc::clone(&self.metrics[index]),
                    epoch: ONLY_EPOCH,
                });
            }
        }
        Ok(tasks)
    }

    /// Instantiates every operator.
    fn chains(&self) -> Result<Vec<ChainTask>> {
        let mut tasks = Vec::new();
        for (chain, channels) in self.chain_channels.iter().enumerate() {
            for (subtask, channel) in (0..).zip(channels) {
                tasks.push(self.chain_task(chain, subtask, channel.take_receiver())?);
            }
        }
        Ok(tasks)
    }

    fn chain_task(&self, chain: usize, subtask: u32, receiver: Receiver<Message>) -> Result<ChainTask> {
        let nodes = &self.plan.chains[chain].nodes;
        let mut outlets = Vec::new();
        let mut slots = Vec::with_capacity(nodes.len());
        for &node in nodes {
            slots.push(self.slot(chain, node, subtask, &mut outlets)?);
        }
        let inlets = self.inlets(chain).into_iter().map(|inlet| Inlet {
            slot: nodes.iter().position(|&node| node == inlet.node()).expect("an inlet leads into its chain"),
            producers: self.producers_of_inlet(&inlet, subtask),
        });
        Ok(ChainTask {
            inlets: inlets.collect(),
            slots,
            outlets,
            receiver,
            runtime: self.runtime.clone(),
            linger: self.options.linger,
        })
    }

    fn slot(&self, chain: usize, node: usize, subtask: u32, outlets: &mut Vec<Outlet>) -> Result<Slot> {
        let checked = &self.plan.checked.nodes[node];
        let (logic, coalescer, identity) = match &checked.kind {
            NodeKind::Source(_) => {
                (Logic::Source { needs_origins: self.plan.needs_origins(node) }, None, Default::default())
            }
            NodeKind::Operator(factory) => {
                let context = OperatorContext {
                    node: checked.name.clone(),
                    subtask: SubtaskId { index: subtask, parallelism: checked.parallelism },
                    input: Arc::clone(checked.input.as_ref().expect("an operator has an input")),
                    errors_attached: self.plan.errors_attached(node),
                    clock: Arc::clone(&self.options.clock),
                    seeds: SeedSource::new(self.options.seed),
                    origins: self.origins.clone(),
                };
                let operator = factory.create(context).map_err(|error| error.within(&checked.name))?;
                let coalescer = factory.wants_coalesced_input().then(Coalescer::default);
                (Logic::Operator(operator), coalescer, factory.identity())
            }
            NodeKind::Sink(_) => unreachable!("sinks are not part of chains"),
        };
        let wiring = self.wiring(chain, node, subtask, identity, outlets);
        Ok(Slot { logic, coalescer, wiring })
    }

    pub(super) fn deal(&self, source: usize) -> Deal {
        Deal::new(&self.splits[source], self.plan.checked.nodes[source].parallelism)
    }

    fn launch(self, writers: Vec<WriterTask>, chains: Vec<ChainTask>) -> Result<JobHandle> {
        let mut tasks: JoinSet<Ended> = JoinSet::new();
        let sizes =
            self.splits.iter().map(|splits| splits.iter().map(|split| split.size_units).sum()).collect::<Vec<_>>();
        let watched = Watched::new(&self.plan, &self.metrics, &sizes);
        let started = Instant::now();
        // Tasks that can be given up at any point; chains end by themselves once their channels have closed.
        let mut interruptible = Vec::new();
        for writer in writers {
            interruptible.push(tasks.spawn_on(writer.run(), &self.runtime));
        }
        for (number, chain) in chains.into_iter().enumerate() {
            spawn_chain(&mut tasks, &self.runtime, format!("volley-chain-{number}"), chain)?;
        }
        for (node, checked) in self.plan.checked.nodes.iter().enumerate() {
            if let NodeKind::Source(source) = &checked.kind {
                for reader in self.readers(node, source) {
                    let reader = async { reader.run().await.map(|()| None) };
                    interruptible.push(tasks.spawn_on(reader, &self.runtime));
                }
            }
        }
        let sinks: HashMap<NodeName, Arc<dyn Sink>> = self
            .plan
            .checked
            .nodes
            .iter()
            .filter_map(|node| match &node.kind {
                NodeKind::Sink(sink) => Some((node.name.clone(), Arc::clone(sink))),
                _ => None,
            })
            .collect();
        let (end, ended) = watch::channel(false);
        let (aborting, aborted) = watch::channel(false);
        let supervisor = self.runtime.spawn(async move {
            let outcome = supervise(tasks, interruptible, aborted, sinks).await;
            end.send_replace(true);
            outcome
        });
        let (draining, bounded_left) = (self.draining.clone(), Arc::clone(&self.bounded_left));
        Ok(JobHandle { draining, aborting, supervisor, ended, watched, started, bounded_left })
    }

    fn readers(&self, node: usize, source: &Arc<dyn volley_api::Source>) -> Vec<ReaderTask> {
        let chain = self.plan.chain_of[node].expect("a source belongs to a chain");
        let inlet = self.inlets(chain).iter().position(|inlet| *inlet == InletFrom::Source(node));
        let inlet = inlet.expect("a source is an inlet of its chain");
        let deal = self.deal(node);
        let subtasks_of = |reader: usize| {
            let fed = (0..).zip(&self.chain_channels[chain]).filter(|(subtask, _)| deal.feeds(reader, *subtask));
            fed.map(|(_, channel)| channel.sender.clone()).collect()
        };
        let readers = deal.readers().iter().enumerate().map(|(reader, splits)| ReaderTask {
            node: self.plan.checked.nodes[node].name.clone(),
            source: Arc::clone(source),
            splits: splits.clone(),
            options: self.options.read,
            origins: self.origins.clone(),
            metrics: Arc::clone(&self.metrics[node]),
            inlet,
            subtasks: subtasks_of(reader),
            draining: self.draining.subscribe(),
            bounded_left: Arc::clone(&self.bounded_left),
        });
        readers.collect()
    }
}
