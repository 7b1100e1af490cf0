//! The host's side of the interfaces that a plugin may import.

pub(crate) mod clock;
pub(crate) mod emitter;
mod http;
pub(crate) mod log;
pub(crate) mod metrics;
pub(crate) mod random;
mod state;
mod timers;
pub(crate) mod wasi;

use wasmtime::Engine;
use wasmtime::component::{Linker, LinkerInstance};

use crate::contract::{PACKAGE, VERSION};
use crate::grants::HTTP;
use crate::inspect::LIFECYCLE;
use crate::store::HostState;

/// The interfaces that every world may import. `types` has no functions: it only carries types.
pub(crate) const GRANTED: [&str; 5] = ["types", "log", "metrics", "clock", "random"];

/// What a component may import for its types alone, where it exports functions that name them: the host has no functions of
/// it to give.
pub(crate) const TYPES_ONLY: &str = LIFECYCLE;

/// The interface that worlds with a variable number of rows may import besides.
pub(crate) const EMITTER: &str = "emitter";

/// The interfaces that only a process may import besides.
pub(crate) const KEYED: [&str; 2] = ["state", "timers"];

/// A linker with everything that any plugin may import. (What a plugin imports is checked before, by name.)
pub(crate) fn linker(engine: &Engine) -> wasmtime::Result<Linker<HostState>> {
    let mut linker = Linker::new(engine);
    interface(&mut linker, "types")?;
    interface(&mut linker, LIFECYCLE)?;
    log::link(&mut interface(&mut linker, "log")?)?;
    metrics::link(&mut interface(&mut linker, "metrics")?)?;
    clock::link(&mut interface(&mut linker, "clock")?)?;
    random::link(&mut interface(&mut linker, "random")?)?;
    emitter::link(&mut interface(&mut linker, EMITTER)?)?;
    state::link(&mut interface(&mut linker, KEYED[0])?)?;
    timers::link(&mut interface(&mut linker, KEYED[1])?)?;
    http::link(&mut interface(&mut linker, HTTP)?)?;
    wasi::link(&mut linker)?;
    Ok(linker)
}

fn interface<'a>(linker: &'a mut Linker<HostState>, name: &str) -> wasmtime::Result<LinkerInstance<'a, HostState>> {
    linker.instance(&format!("{PACKAGE}/{name}@{VERSION}"))
}
