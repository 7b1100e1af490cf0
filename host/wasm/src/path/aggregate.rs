//! The functions of an aggregate: rows and states with the numbers of their groups, and states and results back.

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::buffer::Buffer;
use arrow::datatypes::Schema;
use volley_ipc::{BatchMessage, BatchTemplate, encode_batch};
use wasmtime::Store;
use wasmtime::component::{ComponentExportIndex, Instance, Lift, Lower, TypedFunc};

use super::{BatchPath, Reply};
use crate::abi::message::{Incoming, Outgoing};
use crate::contract::{Failure, Reject};
use crate::options::Crossing;
use crate::plugin::AggregateExports;
use crate::store::HostState;

/// One call of an aggregate. Batches are those that were encoded last.
#[derive(Debug, Clone)]
pub(crate) enum AggregateCall {
    /// Rows, each with the number of its group.
    Update(Arc<Vec<u32>>),
    /// States, each with the number of its group.
    Merge(Arc<Vec<u32>>),
    /// All deltas are given up.
    Drain,
    /// States become results.
    Evaluate,
}

impl AggregateCall {
    /// The exported function.
    pub(crate) fn function(&self) -> &'static str {
        match self {
            Self::Update(_) => "update",
            Self::Merge(_) => "merge",
            Self::Drain => "drain",
            Self::Evaluate => "evaluate",
        }
    }

    /// Bytes of numbers that cross with the batch.
    pub(crate) fn numbers_bytes(&self) -> usize {
        match self {
            Self::Update(groups) | Self::Merge(groups) => size_of_val(&groups[..]),
            Self::Drain | Self::Evaluate => 0,
        }
    }
}

/// What an aggregate gave back, not yet gated.
#[derive(Debug)]
pub(crate) enum AggregateReply {
    /// The rows that it refuses.
    Updated(Vec<Reject>),
    /// States were taken in.
    Merged,
    /// States or results, as a message.
    Columns(Buffer),
}

/// What a path has besides where the operator is an aggregate.
pub(crate) trait AggregatePath {
    /// The columns of the state, in wire form: once, before the first of it.
    fn bind_state(&mut self, wire: &Schema) -> volley_ipc::Result<()>;

    /// Prepares states, in wire form, for the next call; gives the bytes that will cross.
    fn encode_state(&mut self, state: &RecordBatch) -> volley_ipc::Result<usize>;

    /// Calls the guest. An error is a trap.
    fn call(
        &mut self,
        store: &mut Store<HostState>,
        call: AggregateCall,
    ) -> wasmtime::Result<Result<AggregateReply, Failure>>;
}

/// The path for an instance of an aggregate.
pub(super) fn new(
    crossing: Crossing,
    store: &mut Store<HostState>,
    instance: &Instance,
    update: &ComponentExportIndex,
    others: &AggregateExports,
) -> wasmtime::Result<Box<dyn BatchPath>> {
    Ok(match crossing {
        Crossing::Direct => Box::new(Aggregate::<Outgoing>::new(store, instance, update, others)?),
        Crossing::Stock => Box::new(Aggregate::<Vec<u8>>::new(store, instance, update, others)?),
    })
}

/// A message as one of the two paths hands it over; its memory is used again.
trait Message: Lower + Clone + Default + Send + 'static {
    /// How lists of bytes come back.
    type Answer: Lift + 'static;

    fn fill(&mut self, batch: &RecordBatch, template: &BatchTemplate) -> volley_ipc::Result<usize>;

    /// Lets go of the batch.
    fn clear(&mut self);

    fn bytes(answer: Self::Answer) -> Buffer;
}

impl Default for Outgoing {
    fn default() -> Self {
        Self(Arc::default())
    }
}

impl Outgoing {
    /// The message, to be filled or emptied: a trap may have kept the one before.
    fn own(&mut self) -> &mut BatchMessage {
        if Arc::get_mut(&mut self.0).is_none() {
            self.0 = Arc::default();
        }
        Arc::get_mut(&mut self.0).expect("nobody else refers to it")
    }
}

impl Message for Outgoing {
    type Answer = Incoming;

    fn fill(&mut self, batch: &RecordBatch, template: &BatchTemplate) -> volley_ipc::Result<usize> {
        let message = self.own();
        template.fill(batch, message)?;
        Ok(message.size_bytes())
    }

    fn clear(&mut self) {
        self.own().clear();
    }

    fn bytes(Incoming(bytes): Incoming) -> Buffer {
        bytes
    }
}

impl Message for Vec<u8> {
    type Answer = Self;

    fn fill(&mut self, batch: &RecordBatch, _: &BatchTemplate) -> volley_ipc::Result<usize> {
        *self = encode_batch(batch)?;
        Ok(self.len())
    }

    fn clear(&mut self) {
        Self::clear(self);
    }

    fn bytes(answer: Self) -> Buffer {
        Buffer::from(answer)
    }
}

// Parameters are owned, so that the types of functions can be checked once and not for each call.
type Takes<P, R> = TypedFunc<(Arc<Vec<u32>>, P), (Result<R, Failure>,)>;
type Gives<P, R> = TypedFunc<P, (Result<R, Failure>,)>;

struct Aggregate<P: Message> {
    update: Takes<P, Vec<Reject>>,
    merge: Takes<P, ()>,
    drain: Gives<(), P::Answer>,
    evaluate: Gives<(P,), P::Answer>,
    rows: Option<BatchTemplate>,
    state: Option<BatchTemplate>,
    message: P,
}

impl<P: Message> Aggregate<P> {
    fn new(
        store: &mut Store<HostState>,
        instance: &Instance,
        update: &ComponentExportIndex,
        others: &AggregateExports,
    ) -> wasmtime::Result<Self> {
        Ok(Self {
            update: instance.get_typed_func(&mut *store, update)?,
            merge: instance.get_typed_func(&mut *store, &others.merge)?,
            drain: instance.get_typed_func(&mut *store, &others.drain)?,
            evaluate: instance.get_typed_func(&mut *store, &others.evaluate)?,
            rows: None,
            state: None,
            message: P::default(),
        })
    }
}

/// Bound before the first batch; a second binding would be a new instance.
fn filled<P: Message>(
    message: &mut P,
    batch: &RecordBatch,
    template: &mut Option<BatchTemplate>,
) -> volley_ipc::Result<usize> {
    let bound = template.take().map_or_else(|| BatchTemplate::new(batch.schema_ref()), Ok)?;
    let bytes = message.fill(batch, &bound);
    *template = Some(bound);
    bytes
}

impl<P: Message> BatchPath for Aggregate<P> {
    fn bind(&mut self, wire: &Schema) -> volley_ipc::Result<()> {
        self.rows = Some(BatchTemplate::new(wire)?);
        Ok(())
    }

    fn encode(&mut self, batch: &RecordBatch) -> volley_ipc::Result<usize> {
        filled(&mut self.message, batch, &mut self.rows)
    }

    fn call(&mut self, _: &mut Store<HostState>) -> wasmtime::Result<Result<Reply, Failure>> {
        Err(wasmtime::format_err!("an aggregate was called like an operator of one function"))
    }

    fn aggregate(&mut self) -> Option<&mut dyn AggregatePath> {
        Some(self)
    }
}

impl<P: Message> AggregatePath for Aggregate<P> {
    fn bind_state(&mut self, wire: &Schema) -> volley_ipc::Result<()> {
        self.state = Some(BatchTemplate::new(wire)?);
        Ok(())
    }

    fn encode_state(&mut self, state: &RecordBatch) -> volley_ipc::Result<usize> {
        filled(&mut self.message, state, &mut self.state)
    }

    fn call(
        &mut self,
        store: &mut Store<HostState>,
        call: AggregateCall,
    ) -> wasmtime::Result<Result<AggregateReply, Failure>> {
        let columns = |answer| AggregateReply::Columns(P::bytes(answer));
        let message = self.message.clone();
        let answer = match call {
            AggregateCall::Update(groups) => self.update.call(store, (groups, message))?.0.map(AggregateReply::Updated),
            AggregateCall::Merge(groups) => {
                self.merge.call(store, (groups, message))?.0.map(|()| AggregateReply::Merged)
            }
            AggregateCall::Drain => self.drain.call(store, ())?.0.map(columns),
            AggregateCall::Evaluate => self.evaluate.call(store, (message,))?.0.map(columns),
        };
        // An idle operator holds no batch.
        self.message.clear();
        Ok(answer)
    }
}
