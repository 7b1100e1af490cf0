//! The stock path: arrow-ipc's encoder, and lists of bytes lowered and lifted by wasmtime.

use arrow::array::RecordBatch;
use arrow::buffer::Buffer;
use volley_ipc::encode_batch;
use wasmtime::Store;
use wasmtime::component::{ComponentExportIndex, Instance, TypedFunc};

use super::{BatchPath, Reply, ReplyOutput};
use crate::contract::{Failure, Filtered, Mapped, Reject};
use crate::inspect::PluginKind;
use crate::store::HostState;

/// Parameters are owned, so that the function's type can be checked once and not for each call.
type Process<R> = TypedFunc<(Vec<u8>,), (Result<R, Failure>,)>;

pub(super) struct Stock {
    function: Function,
    message: Vec<u8>,
}

enum Function {
    Map(Process<Mapped>),
    Filter(Process<Filtered>),
    FlatMap(Process<Vec<Reject>>),
}

impl Stock {
    pub(super) fn new(
        store: &mut Store<HostState>,
        instance: &Instance,
        export: &ComponentExportIndex,
        kind: PluginKind,
    ) -> wasmtime::Result<Self> {
        let function = match kind {
            PluginKind::Map => Function::Map(instance.get_typed_func(&mut *store, export)?),
            PluginKind::Filter => Function::Filter(instance.get_typed_func(&mut *store, export)?),
            PluginKind::FlatMap => Function::FlatMap(instance.get_typed_func(&mut *store, export)?),
        };
        Ok(Self { function, message: Vec::new() })
    }
}

impl BatchPath for Stock {
    fn encode(&mut self, batch: &RecordBatch) -> volley_ipc::Result<usize> {
        self.message = encode_batch(batch)?;
        Ok(self.message.len())
    }

    fn call(&mut self, store: &mut Store<HostState>) -> wasmtime::Result<Result<Reply, Failure>> {
        let message = std::mem::take(&mut self.message);
        Ok(match &self.function {
            Function::Map(map) => map.call(store, (message,))?.0.map(|Mapped { columns, rejects }| Reply {
                output: ReplyOutput::Columns(Buffer::from(columns)),
                rejects,
            }),
            Function::Filter(filter) => filter
                .call(store, (message,))?
                .0
                .map(|Filtered { keep, rejects }| Reply { output: ReplyOutput::Keep(keep), rejects }),
            Function::FlatMap(flat_map) => {
                flat_map.call(store, (message,))?.0.map(|rejects| Reply { output: ReplyOutput::Emitted, rejects })
            }
        })
    }
}
