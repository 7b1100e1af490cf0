//! The stock path: arrow-ipc's encoder, and lists of bytes lowered and lifted by wasmtime. Nothing of it is ours, so it
//! is what the direct path is compared with, and what is left if wasmtime's hidden hooks should change.

use arrow::array::RecordBatch;
use arrow::buffer::Buffer;
use arrow::datatypes::Schema;
use volley_ipc::encode_batch;
use wasmtime::Store;
use wasmtime::component::Instance;

use super::{BatchPath, CodecCall, Process, Reply};
use crate::contract::Failure;
use crate::inspect::PluginKind;
use crate::plugin::Exports;
use crate::store::HostState;

pub(super) struct Stock {
    function: Process<Vec<u8>, Vec<u8>>,
    message: Vec<u8>,
    codec_call: CodecCall,
}

impl Stock {
    pub(super) fn new(
        store: &mut Store<HostState>,
        instance: &Instance,
        exports: &Exports,
        kind: PluginKind,
    ) -> wasmtime::Result<Self> {
        let function = Process::new(store, instance, exports, kind)?;
        Ok(Self { function, message: Vec::new(), codec_call: CodecCall::default() })
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

    fn codec_call(&mut self, call: CodecCall) {
        self.codec_call = call;
    }

    fn call(&mut self, store: &mut Store<HostState>) -> wasmtime::Result<Result<Reply, Failure>> {
        self.function.call(store, self.message.clone(), self.codec_call, Buffer::from)
    }
}
