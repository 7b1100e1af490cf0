//! The direct path: header and columns are written into the guest's memory, and results are copied out of it, once each.

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::Schema;
use volley_ipc::{BatchMessage, BatchTemplate};
use wasmtime::Store;
use wasmtime::component::Instance;

use super::{BatchPath, CodecCall, Process, Reply};
use crate::abi::message::{Incoming, Outgoing};
use crate::contract::Failure;
use crate::inspect::PluginKind;
use crate::plugin::Exports;
use crate::store::HostState;

pub(super) struct Direct {
    function: Process<Outgoing, Incoming>,
    template: Option<BatchTemplate>,
    /// Referred to by nobody else between calls, so that its memory is used again.
    message: Arc<BatchMessage>,
    codec_call: CodecCall,
}

impl Direct {
    pub(super) fn new(
        store: &mut Store<HostState>,
        instance: &Instance,
        exports: &Exports,
        kind: PluginKind,
    ) -> wasmtime::Result<Self> {
        let function = Process::new(store, instance, exports, kind)?;
        Ok(Self { function, template: None, message: Arc::default(), codec_call: CodecCall::default() })
    }

    /// The message, to be filled or emptied: a trap may have kept the one before.
    fn message(&mut self) -> &mut BatchMessage {
        if Arc::get_mut(&mut self.message).is_none() {
            self.message = Arc::default();
        }
        Arc::get_mut(&mut self.message).expect("nobody else refers to it")
    }
}

impl BatchPath for Direct {
    fn bind(&mut self, wire: &Schema) -> volley_ipc::Result<()> {
        self.template = Some(BatchTemplate::new(wire)?);
        Ok(())
    }

    fn encode(&mut self, batch: &RecordBatch) -> volley_ipc::Result<usize> {
        // Bound before the first batch; a second binding would be a new instance.
        let template = self.template.take().map_or_else(|| BatchTemplate::new(batch.schema_ref()), Ok)?;
        let message = self.message();
        let filled = template.fill(batch, message).map(|()| message.size_bytes());
        self.template = Some(template);
        filled
    }

    fn codec_call(&mut self, call: CodecCall) {
        self.codec_call = call;
    }

    fn call(&mut self, store: &mut Store<HostState>) -> wasmtime::Result<Result<Reply, Failure>> {
        let answer =
            self.function.call(store, Outgoing(Arc::clone(&self.message)), self.codec_call, |Incoming(bytes)| bytes);
        // An idle operator holds no batch.
        self.message().clear();
        answer
    }
}
