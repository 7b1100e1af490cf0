//! The direct path: header and columns are written into the guest's memory, and results are copied out of it, once each.

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::Schema;
use volley_ipc::{BatchMessage, BatchTemplate};
use wasmtime::Store;
use wasmtime::component::{ComponentExportIndex, Instance};

use super::{BatchPath, Process, Reply};
use crate::abi::message::{Incoming, Outgoing};
use crate::contract::Failure;
use crate::inspect::PluginKind;
use crate::store::HostState;

pub(super) struct Direct {
    function: Process<Outgoing, Incoming>,
    template: Option<BatchTemplate>,
    /// Referred to by nobody else between calls, so that its memory is used again.
    message: Arc<BatchMessage>,
}

impl Direct {
    pub(super) fn new(
        store: &mut Store<HostState>,
        instance: &Instance,
        export: &ComponentExportIndex,
        kind: PluginKind,
    ) -> wasmtime::Result<Self> {
        Ok(Self { function: Process::new(store, instance, export, kind)?, template: None, message: Arc::default() })
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

    fn call(&mut self, store: &mut Store<HostState>) -> wasmtime::Result<Result<Reply, Failure>> {
        let answer = self.function.call(store, Outgoing(Arc::clone(&self.message)), |Incoming(bytes)| bytes);
        // An idle operator holds no batch.
        self.message().clear();
        answer
    }
}
