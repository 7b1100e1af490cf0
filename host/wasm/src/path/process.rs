//! The function of a component's kind, for any way of passing a message.

use arrow::buffer::Buffer;
use wasmtime::Store;
use wasmtime::component::{Instance, Lift, Lower, TypedFunc};

use super::{Reply, ReplyOutput};
use crate::contract::{Decoded, Encoded, Failure, Filtered, Framing, Mapped, Reject};
use crate::inspect::PluginKind;
use crate::plugin::Exports;
use crate::store::HostState;

/// Parameters are owned, so that the function's type can be checked once and not for each call.
type Function<P, R> = TypedFunc<(P,), (Result<R, Failure>,)>;

/// The function, which takes a message as `P` and gives lists of bytes back as `B`.
pub(super) enum Process<P, B> {
    Map(Function<P, Mapped<B>>),
    Filter(Function<P, Filtered<B>>),
    FlatMap(Function<P, Vec<Reject>>),
    Scalar(Function<P, B>),
    Codec { decode: Decode<P, B>, encode: Function<P, Encoded<B>> },
}

/// Reads frames: how they are framed, the frames, and whether they end there.
type Decode<P, B> = TypedFunc<(Framing, P, bool), (Result<Decoded<B>, Failure>,)>;

/// What a codec is called for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum CodecCall {
    /// Frames to rows.
    Decode { framing: Framing, end: bool },
    /// Rows to frames.
    #[default]
    Encode,
}

impl<P: Lower + 'static, B: Lift + 'static> Process<P, B> {
    pub(super) fn new(
        store: &mut Store<HostState>,
        instance: &Instance,
        exports: &Exports,
        kind: PluginKind,
    ) -> wasmtime::Result<Self> {
        let export = &exports.process;
        Ok(match kind {
            PluginKind::Map => Self::Map(instance.get_typed_func(&mut *store, export)?),
            PluginKind::Filter => Self::Filter(instance.get_typed_func(&mut *store, export)?),
            PluginKind::FlatMap => Self::FlatMap(instance.get_typed_func(&mut *store, export)?),
            PluginKind::Scalar => Self::Scalar(instance.get_typed_func(&mut *store, export)?),
            PluginKind::Codec => Self::Codec {
                decode: instance.get_typed_func(&mut *store, export)?,
                encode: instance.get_typed_func(&mut *store, exports.encode.as_ref().unwrap_or(export))?,
            },
            PluginKind::Aggregate => return Err(wasmtime::format_err!("a {kind} has several functions")),
            // It has functions of its own: see `super::keyed`.
            PluginKind::Process => return Err(wasmtime::format_err!("a process has no function of one batch alone")),
        })
    }

    pub(super) fn call(
        &self,
        store: &mut Store<HostState>,
        message: P,
        codec_call: CodecCall,
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
            Self::Scalar(scalar) => scalar
                .call(store, (message,))?
                .0
                .map(|values| Reply { output: ReplyOutput::Columns(bytes(values)), rejects: Vec::new() }),
            Self::Codec { decode, encode } => match codec_call {
                CodecCall::Decode { framing, end } => decode.call(store, (framing, message, end))?.0.map(|decoded| {
                    let Decoded { rows, frames, rejects, rest_bytes } = decoded;
                    Reply { output: ReplyOutput::Decoded { rows: bytes(rows), frames, rest_bytes }, rejects }
                }),
                CodecCall::Encode => encode.call(store, (message,))?.0.map(|Encoded { frames, rows, rejects }| Reply {
                    output: ReplyOutput::Encoded { frames: bytes(frames), rows },
                    rejects,
                }),
            },
        })
    }
}
