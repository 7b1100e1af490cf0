//! Turning a compiled artefact back into a component.

use wasmtime::Engine;
use wasmtime::component::Component;

/// A component from an artefact that [`Component::serialize`] made.
///
/// # Safety
/// `artefact` is, byte for byte, what `Component::serialize` gave for an engine of the same
/// `precompile_compatibility_hash`: it holds machine code, which wasmtime maps and runs without a check.
///
/// # Errors
/// When wasmtime finds it was made by another version or configuration.
#[expect(unsafe_code, reason = "compiled code cannot be loaded otherwise")]
pub(crate) unsafe fn component(engine: &Engine, artefact: &[u8]) -> wasmtime::Result<Component> {
    // SAFETY: `Component::deserialize` asks that the bytes came from `Component::serialize` unchanged, which the caller
    // promises. Wasmtime copies the slice, so later writes to the source cannot change what runs.
    unsafe { Component::deserialize(engine, artefact) }
}
