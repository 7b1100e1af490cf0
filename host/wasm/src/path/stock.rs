//! The stock path: arrow-ipc's encoder, and lists of bytes lowered and lifted by wasmtime. Nothing of it is ours, so it
//! is what the direct path is compared with, and what is left if wasmtime's hidden hooks should change.

use arrow::array::RecordBatch;
use arrow::buffer::Buffer;
use arrow::datatypes::Schema;
use volley_ipc::encode_batch;
use wasmtime::Store;
use wasmtime::component::{ComponentExportIndex, Instance};

use super::{BatchPath, Process, Reply};
use crate::contract::Failure;
use crate::inspect::PluginKind;
use crate::store::HostState;

pub(super) struct Stock {
    function: Process<Vec<u8>, Vec<u8>>,
    message: Vec<u8>,
}

impl Stock {
    pub(super) fn new(
        store: &mut Store<HostState>,
        instance: &Instance,
        export: &ComponentExportIndex,
        kind: PluginKind,
    ) -> wasmtime::Result<Self> {
        Ok(Self { function: Process::new(store, instance, export, kind)?, message: Vec::new() })
    }
}

impl BatchPath for Stock {
    fn bind(&mut self, _wire: &Schema) -> volley_ipc::Result<()> {
        Ok(())
    }

    fn encode(&mut self, batch: &RecordBatch) -> volley_ipc::Result<usize> {
        self.message = encode_batch(batch)?;
        Ok(self.message.len())
    }

    fn call(&mut self, store: &mut Store<HostState>) -> wasmtime::Result<Result<Reply, Failure>> {
        self.function.call(store, self.message.clone(), Buffer::from)
    }
}
