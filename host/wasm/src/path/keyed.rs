//! The functions of a process operator: batches with the numbers of their keys, timers, watermarks.

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::Schema;
use volley_ipc::{BatchMessage, BatchTemplate, encode_batch};
use wasmtime::Store;
use wasmtime::component::{Instance, Lower, TypedFunc};

use super::{BatchPath, Reply, ReplyOutput};
use crate::abi::message::Outgoing;
use crate::contract::{Failure, NewKeys, Reject, Timer, Watermark};
use crate::plugin::Exports;
use crate::store::HostState;

/// What the next call of a process operator is for.
#[derive(Debug, Clone)]
pub(crate) enum KeyedCall {
    /// The batch that was encoded last, with the number of each row's key.
    Rows(Vec<u32>),
    /// Timers that have fired.
    Timers(Vec<Timer>),
    /// Event time has advanced.
    Watermark(Watermark),
}

impl KeyedCall {
    /// The exported function.
    pub(crate) fn function(&self) -> &'static str {
        match self {
            Self::Rows(_) => "process",
            Self::Timers(_) => "on-timers",
            Self::Watermark(_) => "on-watermark",
        }
    }

    /// Bytes of it, without the batch.
    pub(crate) fn bytes(&self) -> usize {
        match self {
            Self::Rows(groups) => size_of_val(&groups[..]),
            Self::Timers(timers) => size_of_val(&timers[..]),
            Self::Watermark(_) => 0,
        }
    }
}

/// What a path has besides where the operator is a process.
pub(crate) trait KeyedPath {
    /// Prepares the next [`BatchPath::call`]; `keys` are new to the instance, from that number on. Gives the bytes that
    /// will cross besides the batch.
    fn prepare(&mut self, keys: Option<(u32, &RecordBatch)>, call: KeyedCall) -> volley_ipc::Result<usize>;

    /// All numbers of keys are void. An error is a trap.
    fn forget(&self, store: &mut Store<HostState>) -> wasmtime::Result<()>;
}

/// A batch as one of the two paths passes it.
pub(super) trait Crossing: Lower + Clone + Send + 'static {
    fn of(batch: &RecordBatch, template: &BatchTemplate) -> volley_ipc::Result<Self>;

    fn size_bytes(&self) -> usize;
}

impl Crossing for Outgoing {
    fn of(batch: &RecordBatch, template: &BatchTemplate) -> volley_ipc::Result<Self> {
        let mut message = BatchMessage::default();
        template.fill(batch, &mut message)?;
        Ok(Self(Arc::new(message)))
    }

    fn size_bytes(&self) -> usize {
        self.0.size_bytes()
    }
}

impl Crossing for Vec<u8> {
    fn of(batch: &RecordBatch, _: &BatchTemplate) -> volley_ipc::Result<Self> {
        encode_batch(batch)
    }

    fn size_bytes(&self) -> usize {
        self.len()
    }
}

type Processed = (Result<Vec<Reject>, Failure>,);
type Done = (Result<(), Failure>,);
type Process<P> = TypedFunc<(Option<NewKeys<P>>, Vec<u32>, P), Processed>;
type OnTimers<P> = TypedFunc<(Option<NewKeys<P>>, Vec<Timer>), Done>;

pub(super) struct Keyed<P> {
    process: Process<P>,
    on_timers: OnTimers<P>,
    on_watermark: TypedFunc<(Watermark,), Done>,
    forget: TypedFunc<(), ()>,
    template: Option<BatchTemplate>,
    /// Of the keys; made when the first cross.
    key_template: Option<BatchTemplate>,
    message: Option<P>,
    keys: Option<NewKeys<P>>,
    call: Option<KeyedCall>,
}

impl<P: Crossing> Keyed<P> {
    pub(super) fn new(store: &mut Store<HostState>, instance: &Instance, exports: &Exports) -> wasmtime::Result<Self> {
        let Some(keyed) = &exports.keyed else { return Err(wasmtime::format_err!("a process without its functions")) };
        Ok(Self {
            process: instance.get_typed_func(&mut *store, exports.process)?,
            on_timers: instance.get_typed_func(&mut *store, keyed.on_timers)?,
            on_watermark: instance.get_typed_func(&mut *store, keyed.on_watermark)?,
            forget: instance.get_typed_func(&mut *store, keyed.forget)?,
            template: None,
            key_template: None,
            message: None,
            keys: None,
            call: None,
        })
    }
}

impl<P: Crossing> BatchPath for Keyed<P> {
    fn bind(&mut self, wire: &Schema) -> volley_ipc::Result<()> {
        self.template = Some(BatchTemplate::new(wire)?);
        Ok(())
    }

    fn encode(&mut self, batch: &RecordBatch) -> volley_ipc::Result<usize> {
        // Bound before the first batch.
        let template = self.template.take().map_or_else(|| BatchTemplate::new(batch.schema_ref()), Ok)?;
        let message = P::of(batch, &template);
        self.template = Some(template);
        let message = self.message.insert(message?);
        Ok(message.size_bytes())
    }

    fn call(&mut self, store: &mut Store<HostState>) -> wasmtime::Result<Result<Reply, Failure>> {
        let keys = self.keys.take();
        let emitted = |rejects| Reply { output: ReplyOutput::Emitted, rejects };
        Ok(match (self.call.take(), self.message.take()) {
            (Some(KeyedCall::Rows(groups)), Some(message)) => {
                self.process.call(store, (keys, groups, message))?.0.map(emitted)
            }
            (Some(KeyedCall::Timers(timers)), _) => {
                self.on_timers.call(store, (keys, timers))?.0.map(|()| emitted(Vec::new()))
            }
            (Some(KeyedCall::Watermark(watermark)), _) => {
                self.on_watermark.call(store, (watermark,))?.0.map(|()| emitted(Vec::new()))
            }
            (Some(KeyedCall::Rows(_)), None) | (None, _) => {
                return Err(wasmtime::format_err!("a process was called without anything to process"));
            }
        })
    }

    fn keyed(&mut self) -> Option<&mut dyn KeyedPath> {
        Some(self)
    }
}

impl<P: Crossing> KeyedPath for Keyed<P> {
    fn prepare(&mut self, keys: Option<(u32, &RecordBatch)>, call: KeyedCall) -> volley_ipc::Result<usize> {
        self.keys = None;
        if let Some((first, batch)) = keys {
            let template = self.key_template.take().map_or_else(|| BatchTemplate::new(batch.schema_ref()), Ok)?;
            let columns = P::of(batch, &template);
            self.key_template = Some(template);
            self.keys = Some(NewKeys { first, columns: columns? });
        }
        let bytes = call.bytes() + self.keys.as_ref().map_or(0, |keys| keys.columns.size_bytes());
        self.call = Some(call);
        Ok(bytes)
    }

    fn forget(&self, store: &mut Store<HostState>) -> wasmtime::Result<()> {
        self.forget.call(store, ())
    }
}
