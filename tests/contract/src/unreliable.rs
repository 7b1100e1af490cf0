//! A bad network in front of a sink: answers get lost, requests get lost, are late or doubled, and all of it can be repeated.

use std::collections::{HashMap, VecDeque};
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use async_trait::async_trait;
use volley_api::{
    CommitStatus, Committable, DeliveryGuarantee, Epoch, Error, JobRun, NodeName, Result, ShownBeyond, Sink,
    SinkContext, SinkWriter, split_mix_64,
};

/// A call that can go wrong. Opening a writer and writing rows cannot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SinkCall {
    /// [`SinkWriter::prepare`].
    Prepare,
    /// [`Sink::commit`].
    Commit,
    /// [`Sink::lookup`].
    Lookup,
    /// [`Sink::abort`].
    Abort,
    /// [`Sink::clean_up`].
    CleanUp,
}

/// How a call goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SinkFault {
    /// It never reaches the sink. The caller gets an error that may pass, the same as for [`SinkFault::AnswerLost`]: it cannot
    /// tell one from the other.
    RequestLost,
    /// It reaches the sink and does what it does; the caller gets an error that may pass. What a `prepare` has staged is then
    /// known to nobody.
    AnswerLost,
    /// It reaches the sink that many milliseconds later, also when the caller has stopped waiting by then, and is answered
    /// (a `prepare` that nobody waits for is given up).
    Late {
        /// How much later, in milliseconds.
        delay_ms: u64,
    },
    /// It reaches the sink twice at once; the caller sees one of the answers. Not for `prepare`, which has one caller and no
    /// network in between.
    Doubled,
    /// The sink refuses for good and does nothing: the error will not pass.
    Refused,
    /// The sink cannot tell at present: [`CommitStatus::Unknown`]. Only for `lookup`.
    Vague,
}

/// A call that was made, and what went wrong with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Answered {
    /// Which call.
    pub call: SinkCall,
    /// What it was about; `None` for `clean_up`.
    pub epoch: Option<Epoch>,
    /// What went wrong, if anything did.
    pub fault: Option<SinkFault>,
}

/// Which calls go wrong, and how: by chance from a seed, one by one, or both. Clones share what is left of it, so that one
/// schedule goes on across the sinks of several processes.
///
/// The same seed gives the same faults to the same calls in the same order. Nothing goes wrong until it is told to.
#[derive(Debug, Clone)]
pub struct Schedule(Arc<Mutex<Inner>>);

#[derive(Debug)]
struct Inner {
    random: u64,
    chances: Vec<(SinkCall, SinkFault, u16)>,
    script: HashMap<SinkCall, VecDeque<Option<SinkFault>>>,
    log: Vec<Answered>,
}

/// What the chances of one call may add up to.
const PER_MILLE_MAX: u16 = 1000;

impl Schedule {
    /// A schedule whose chances follow from `seed`.
    #[must_use]
    pub fn seeded(seed: u64) -> Self {
        let inner = Inner { random: seed, chances: Vec::new(), script: HashMap::new(), log: Vec::new() };
        Self(Arc::new(Mutex::new(inner)))
    }

    /// Lets a call go wrong like that in `per_mille` of a thousand cases, in addition to what it was told before.
    ///
    /// # Panics
    /// When the fault is not one of that call, or the chances of the call add up to more than a thousand.
    #[must_use]
    pub fn with(self, call: SinkCall, fault: SinkFault, per_mille: u16) -> Self {
        check(call, fault);
        let mut inner = self.lock();
        inner.chances.push((call, fault, per_mille));
        let all: u16 = inner.chances.iter().filter(|(of, ..)| *of == call).map(|(.., chance)| chance).sum();
        assert!(all <= PER_MILLE_MAX, "the chances of {call:?} add up to {all}, and {PER_MILLE_MAX} are all of them");
        drop(inner);
        self
    }

    /// What becomes of the next calls of a kind, before chance decides again. `None` is a call that goes well.
    ///
    /// # Panics
    /// When a fault is not one of that call.
    pub fn script(&self, call: SinkCall, faults: impl IntoIterator<Item = Option<SinkFault>>) {
        let faults = faults.into_iter().inspect(|fault| fault.iter().for_each(|fault| check(call, *fault)));
        self.lock().script.entry(call).or_default().extend(faults);
    }

    /// Nothing goes wrong from now on.
    pub fn heal(&self) {
        let mut inner = self.lock();
        inner.chances.clear();
        inner.script.clear();
    }

    /// All calls until now, in order.
    #[must_use]
    pub fn log(&self) -> Vec<Answered> {
        self.lock().log.clone()
    }

    fn next(&self, call: SinkCall, epoch: Option<Epoch>) -> Option<SinkFault> {
        let mut inner = self.lock();
        let scripted = inner.script.get_mut(&call).and_then(VecDeque::pop_front);
        let fault = scripted.unwrap_or_else(|| inner.by_chance(call));
        inner.log.push(Answered { call, epoch, fault });
        fault
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // A panic elsewhere leaves no half-done change behind.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn by_chance(&mut self, call: SinkCall) -> Option<SinkFault> {
        // The step of SplitMix64.
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut drawn = split_mix_64(self.random) % u64::from(PER_MILLE_MAX);
        for (_, fault, chance) in self.chances.iter().filter(|(of, ..)| *of == call) {
            match drawn.checked_sub(u64::from(*chance)) {
                None => return Some(*fault),
                Some(rest) => drawn = rest,
            }
        }
        None
    }
}

fn check(call: SinkCall, fault: SinkFault) {
    let is_possible = match fault {
        SinkFault::Vague => call == SinkCall::Lookup,
        SinkFault::Doubled => call != SinkCall::Prepare,
        _ => true,
    };
    assert!(is_possible, "{fault:?} is not a fault of {call:?}");
}

fn lost(call: SinkCall) -> Error {
    Error::external(format!("no answer to {call:?}: the connection was lost")).retryable()
}

fn refused(call: SinkCall) -> Error {
    Error::external(format!("{call:?} was refused for good"))
}

/// A sink behind a bad network. What a call does to the sink itself is never changed, only whether and when it gets there,
/// and what its caller learns.
#[derive(Debug)]
pub struct Unreliable<S> {
    sink: Arc<S>,
    schedule: Schedule,
}

type Answer<T> = Pin<Box<dyn Future<Output = Result<T>> + Send>>;

impl<S: Sink + 'static> Unreliable<S> {
    /// Puts a schedule in front of a sink.
    #[must_use]
    pub fn new(sink: S, schedule: Schedule) -> Self {
        Self { sink: Arc::new(sink), schedule }
    }

    /// The sink itself, without a network in between.
    #[must_use]
    pub fn inner(&self) -> &S {
        &self.sink
    }

    async fn call<T: Send + 'static>(
        &self,
        call: SinkCall,
        fault: Option<SinkFault>,
        send: impl Fn(Arc<S>) -> Answer<T>,
    ) -> Result<T> {
        let send = || send(Arc::clone(&self.sink));
        match fault {
            None | Some(SinkFault::Vague) => send().await,
            Some(SinkFault::RequestLost) => Err(lost(call)),
            Some(SinkFault::AnswerLost) => {
                drop(send().await);
                Err(lost(call))
            }
            Some(SinkFault::Late { delay_ms }) => {
                let request = send();
                let late = tokio::spawn(async move {
                    tokio::time::sleep(Duration::from_millis(delay_ms)).await;
                    request.await
                });
                late.await.unwrap_or_else(|error| Err(Error::internal(error.to_string())))
            }
            Some(SinkFault::Doubled) => tokio::join!(send(), send()).0,
            Some(SinkFault::Refused) => Err(refused(call)),
        }
    }

    /// A call that is about one committable.
    async fn call_on<T: Send + 'static>(
        &self,
        call: SinkCall,
        fault: Option<SinkFault>,
        committable: &Committable,
        send: fn(Arc<S>, Committable) -> Answer<T>,
    ) -> Result<T> {
        self.call(call, fault, |sink| send(sink, committable.clone())).await
    }
}

#[async_trait]
impl<S: Sink + 'static> Sink for Unreliable<S> {
    fn label(&self) -> String {
        self.sink.label()
    }

    fn guarantee(&self) -> DeliveryGuarantee {
        self.sink.guarantee()
    }

    fn target(&self) -> Option<String> {
        self.sink.target()
    }

    fn is_single_epoch(&self) -> bool {
        self.sink.is_single_epoch()
    }

    fn parallelism_max(&self) -> Option<u32> {
        self.sink.parallelism_max()
    }

    fn check(&self, input: &SchemaRef) -> Result<()> {
        self.sink.check(input)
    }

    async fn open(&self, context: SinkContext) -> Result<Box<dyn SinkWriter>> {
        let writer = self.sink.open(context).await?;
        Ok(Box::new(Writer { writer, schedule: self.schedule.clone() }))
    }

    async fn commit(&self, committable: &Committable) -> Result<()> {
        let fault = self.schedule.next(SinkCall::Commit, Some(committable.epoch));
        let send = |sink: Arc<S>, it| -> Answer<()> { Box::pin(async move { sink.commit(&it).await }) };
        self.call_on(SinkCall::Commit, fault, committable, send).await
    }

    async fn lookup(&self, committable: &Committable) -> Result<CommitStatus> {
        let fault = self.schedule.next(SinkCall::Lookup, Some(committable.epoch));
        if fault == Some(SinkFault::Vague) {
            return Ok(CommitStatus::Unknown);
        }
        let send = |sink: Arc<S>, it| -> Answer<CommitStatus> { Box::pin(async move { sink.lookup(&it).await }) };
        self.call_on(SinkCall::Lookup, fault, committable, send).await
    }

    async fn shows_beyond(&self, since: &JobRun, sink: &NodeName, epoch: Epoch) -> Result<ShownBeyond> {
        self.sink.shows_beyond(since, sink, epoch).await
    }

    async fn abort(&self, committable: &Committable) -> Result<()> {
        let fault = self.schedule.next(SinkCall::Abort, Some(committable.epoch));
        let send = |sink: Arc<S>, it| -> Answer<()> { Box::pin(async move { sink.abort(&it).await }) };
        self.call_on(SinkCall::Abort, fault, committable, send).await
    }

    async fn clean_up(&self, run: &JobRun, sink: &NodeName, kept: &[Committable]) -> Result<()> {
        let fault = self.schedule.next(SinkCall::CleanUp, None);
        let send = |inner: Arc<S>| -> Answer<()> {
            let (run, sink, kept) = (run.clone(), sink.clone(), kept.to_vec());
            Box::pin(async move { inner.clean_up(&run, &sink, &kept).await })
        };
        self.call(SinkCall::CleanUp, fault, send).await
    }
}

struct Writer {
    writer: Box<dyn SinkWriter>,
    schedule: Schedule,
}

#[async_trait]
impl SinkWriter for Writer {
    async fn write(&mut self, batch: RecordBatch) -> Result<()> {
        self.writer.write(batch).await
    }

    async fn prepare(&mut self, epoch: Epoch) -> Result<Option<Committable>> {
        match self.schedule.next(SinkCall::Prepare, Some(epoch)) {
            None | Some(SinkFault::Doubled | SinkFault::Vague) => self.writer.prepare(epoch).await,
            Some(SinkFault::RequestLost) => Err(lost(SinkCall::Prepare)),
            Some(SinkFault::AnswerLost) => {
                drop(self.writer.prepare(epoch).await);
                Err(lost(SinkCall::Prepare))
            }
            Some(SinkFault::Late { delay_ms }) => {
                tokio::time::sleep(Duration::from_millis(delay_ms)).await;
                self.writer.prepare(epoch).await
            }
            Some(SinkFault::Refused) => Err(refused(SinkCall::Prepare)),
        }
    }
}
