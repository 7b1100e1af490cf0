//! Compiled code as bytes, and turning it back into a component.

use wasmtime::Engine;
use wasmtime::component::Component;

/// Compiled code that wasmtime made. That a value of this type exists is the promise that its bytes are what wasmtime
/// gave, unchanged: they hold machine code, which is mapped and run without a check.
pub(crate) struct Artefact(Vec<u8>);

impl Artefact {
    /// Compiles a component in this process.
    pub(crate) fn compile(engine: &Engine, wasm: &[u8]) -> wasmtime::Result<Self> {
        engine.precompile_component(wasm).map(Self)
    }

    /// The compiled code of a component that is loaded, for another engine of the same configuration.
    pub(crate) fn of(component: &Component) -> wasmtime::Result<Self> {
        component.serialize().map(Self)
    }

    /// Bytes that come from outside of this process's memory.
    ///
    /// # Safety
    /// `bytes` are, byte for byte, what [`Engine::precompile_component`] or [`Component::serialize`] gave, for
    /// whichever engine: that it fits the engine that will run it is checked in [`Artefact::component`].
    #[expect(unsafe_code, reason = "the caller's promise is what makes running the bytes sound")]
    pub(crate) unsafe fn from_bytes(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }

    /// The bytes, to be kept or sent.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// The component, ready to be instantiated in `engine`.
    ///
    /// # Errors
    /// When another version or configuration of wasmtime made it, or it needs more than the engine's pool has.
    #[expect(unsafe_code, reason = "compiled code cannot be loaded otherwise")]
    pub(crate) fn component(&self, engine: &Engine) -> wasmtime::Result<Component> {
        // SAFETY: `Component::deserialize` asks that the bytes came from wasmtime unchanged. They can only have got here
        // through `compile` and `of`, which take them from wasmtime, or through `from_bytes`, whose caller promises it;
        // nothing in this type changes them. Wasmtime compares version, target, processor features and tunables that
        // the bytes bear with those of `engine`, and copies the slice.
        unsafe { Component::deserialize(engine, &self.0) }
    }
}
