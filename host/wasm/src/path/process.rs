//! The function of a component's kind, for any way of passing a message.

use arrow::buffer::Buffer;
use wasmtime::Store;
use wasmtime::component::{ComponentExportIndex, Instance, Lift, Lower, TypedFunc};

use super::{Reply, ReplyOutput};
use crate::contract::{Failure, Filtered, Mapped, Reject};
use crate::inspect::PluginKind;
use crate::store::HostState;

/// Parameters are owned, so that the function's type can be checked once and not for each call.
type Function<P, R> = TypedFunc<(P,), (Result<R, Failure>,)>;

/// The function, which takes a message as `P` and gives lists of bytes back as `B`.
pub(super) enum Process<P, B> {
    Map(Function<P, Mapped<B>>),
    Filter(Function<P, Filtered<B>>),
    FlatMap(Function<P, Vec<Reject>>),
}

impl<P: Lower + 'static, B: Lift + 'static> Process<P, B> {
    pub(super) fn new(
        store: &mut Store<HostState>,
        instance: &Instance,
        export: &ComponentExportIndex,
        kind: PluginKind,
    ) -> wasmtime::Result<Self> {
        Ok(match kind {
            PluginKind::Map => Self::Map(instance.get_typed_func(&mut *store, export)?),
            PluginKind::Filter => Self::Filter(instance.get_typed_func(&mut *store, export)?),
            PluginKind::FlatMap => Self::FlatMap(instance.get_typed_func(&mut *store, export)?),
            PluginKind::Aggregate => return Err(wasmtime::format_err!("a {kind} has several functions")),
            // It has functions of its own: see `super::keyed`.
            PluginKind::Process => return Err(wasmtime::format_err!("a process has no function of one batch alone")),
        })
    }

    pub(super) fn call(
        &self,
        store: &mut Store<HostState>,
        message: P,
        bytes: impl FnOnce(B) -> Buffer,
    ) -> wasmtime::Result<Result<Reply, Failure>> {
        Ok(match self {
            Self::Map(map) => map
                .call(store, (message,))?
                .0
                .map(|Mapped { columns, rejects }| Reply { output: ReplyOutput::Columns(bytes(columns)), rejects }),
            Self::Filter(filter) => filter
                .call(store, (message,))?
                .0
                .map(|Filtered { keep, rejects }| Reply { output: ReplyOutput::Keep(bytes(keep)), rejects }),
            Self::FlatMap(flat_map) => {
                flat_map.call(store, (message,))?.0.map(|rejects| Reply { output: ReplyOutput::Emitted, rejects })
            }
        })
    }
}
