//! `wasi:random`: the contract's reproducible chance under all its names. Not for secrets, the "secure" one neither.

use wasmtime::component::{Linker, LinkerInstance};

use super::{Misused, interface};
use crate::store::{HostState, Phase};

/// Bytes that one call gives.
const BYTES_MAX: u64 = 64 << 10;

pub(super) fn link(linker: &mut Linker<HostState>) -> wasmtime::Result<()> {
    source(&mut interface(linker, "random/random")?, "get-random-bytes", "get-random-u64")?;
    source(&mut interface(linker, "random/insecure")?, "get-insecure-random-bytes", "get-insecure-random-u64")?;
    interface(linker, "random/insecure-seed")?.func_wrap("insecure-seed", |mut context, (): ()| {
        let state = context.data_mut();
        Ok(((next(state), next(state)),))
    })
}

fn source(
    instance: &mut LinkerInstance<'_, HostState>,
    bytes: &'static str,
    number: &'static str,
) -> wasmtime::Result<()> {
    instance.func_wrap(bytes, move |mut context, (length,): (u64,)| {
        let state = context.data_mut();
        let length = usize::try_from(length).ok().filter(|_| length <= BYTES_MAX).ok_or_else(|| Misused {
            function: bytes,
            problem: format!("{length} bytes at once; the limit is {BYTES_MAX}"),
        })?;
        let mut drawn: Vec<u8> = Vec::with_capacity(length.next_multiple_of(size_of::<u64>()));
        while drawn.len() < length {
            drawn.extend(next(state).to_le_bytes());
        }
        drawn.truncate(length);
        Ok((drawn,))
    })?;
    instance.func_wrap(number, |mut context, (): ()| Ok((next(context.data_mut()),)))
}

fn next(state: &mut HostState) -> u64 {
    if state.phase == Phase::Binding { state.wasi.binding_random.next() } else { state.random.next() }
}
