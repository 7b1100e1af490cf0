//! The exported interfaces of scalars and codecs, over their runners.

use super::bindings::{codec, imports, scalar};
use super::exports::{Slot, failure, rejects};
use super::memory::{Call, lend};
use crate::runner::{CodecRunner, ScalarRunner};
use crate::{CodecOperator, Framing, ScalarOperator};

use codec::exports::volley::operator::codec as wit;
use imports::volley::operator::types::Failure as WitFailure;

impl<Op: ScalarOperator, S: Slot<Runner = ScalarRunner<Op>>> scalar::exports::volley::operator::scalar::Guest for S {
    fn call(batch: Vec<u8>) -> Result<Vec<u8>, WitFailure> {
        let _call = Call::begin();
        S::with(|holder| holder.runner()?.call(&batch).map(lend)).map_err(failure)
    }
}

impl<Op: CodecOperator, S: Slot<Runner = CodecRunner<Op>>> wit::Guest for S {
    fn decode(framing: wit::Framing, frames: Vec<u8>, end: bool) -> Result<wit::Decoded, WitFailure> {
        let _call = Call::begin();
        let framing = match framing {
            wit::Framing::Messages => Framing::Messages,
            wit::Framing::Stream => Framing::Stream,
        };
        S::with(|holder| {
            let decoded = holder.runner().and_then(|runner| runner.decode(framing, &frames, end));
            let (rows, frames, rejected, rest) = decoded.map_err(failure)?;
            // A frame is shorter than a component's memory.
            let rest_bytes = rest as u32;
            Ok(wit::Decoded { rows: lend(rows), frames, rejects: rejects(rejected), rest_bytes })
        })
    }

    fn encode(batch: Vec<u8>) -> Result<wit::Encoded, WitFailure> {
        let _call = Call::begin();
        S::with(|holder| {
            let encoded = holder.runner().and_then(|runner| runner.encode(&batch));
            let (frames, rows, rejected) = encoded.map_err(failure)?;
            Ok(wit::Encoded { frames: lend(frames), rows, rejects: rejects(rejected) })
        })
    }
}
