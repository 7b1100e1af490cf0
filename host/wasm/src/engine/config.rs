//! The frozen configuration of wasmtime (design §7). A golden file holds its debug form: a change is a decision, and
//! every compiled plugin in every cache is compiled again.

use std::num::NonZeroUsize;

use wasmtime::{Config, InstanceAllocationStrategy, PoolingAllocationConfig};
use wasmtime_wasmparser::{Validator, WasmFeatures};

use super::Trust;

/// Bytes of stack for a guest. A chain's thread must have this and some more.
const GUEST_STACK_BYTES: usize = 512 << 10;

/// Frames of a guest's stack that are kept when it traps.
const BACKTRACE_FRAMES_MAX: NonZeroUsize = NonZeroUsize::new(32).expect("not zero");

/// Address space that is reserved for each memory, so that compiled code needs no bounds checks: all that 32 bits reach.
/// Wasmtime's default on 64 bits, written down because code from the child process and the cache counts on it.
pub(super) const MEMORY_RESERVATION_BYTES: u64 = 4 << 30;

/// Unmapped address space behind it, for offsets within an instruction. Wasmtime's default too.
pub(super) const MEMORY_GUARD_BYTES: u64 = 32 << 20;

/// The proposals that a plugin may use: what every toolchain takes for granted. All others are off, those that wasmtime
/// switches on in a later version included. Threads, exceptions and the collector are not even compiled in.
const PROPOSALS: WasmFeatures = WasmFeatures::MUTABLE_GLOBAL
    .union(WasmFeatures::SATURATING_FLOAT_TO_INT)
    .union(WasmFeatures::SIGN_EXTENSION)
    .union(WasmFeatures::REFERENCE_TYPES)
    .union(WasmFeatures::MULTI_VALUE)
    .union(WasmFeatures::BULK_MEMORY)
    .union(WasmFeatures::SIMD)
    .union(WasmFeatures::FLOATS)
    .union(WasmFeatures::EXTENDED_CONST)
    .union(WasmFeatures::COMPONENT_MODEL);

/// What wasmtime itself needs besides: between the parts of a composed component it puts adapters that see the memories of
/// both, and it panics where it may not compile them. A plugin's own modules have one memory each: [`validate`].
const ON: WasmFeatures = PROPOSALS.union(WasmFeatures::MULTI_MEMORY);

/// Checks every byte of a component before it is compiled, against the proposals that a plugin may use.
pub(crate) fn validate(wasm: &[u8]) -> Result<(), String> {
    Validator::new_with_features(PROPOSALS).validate_all(wasm).map(drop).map_err(|error| error.to_string())
}

/// Components, ticks where the code is not trusted, and the proposals in [`ON`].
///
/// The pool changes nothing about how code is compiled, so artefacts pass between engines with and without one.
pub(crate) fn config(trust: Trust, pool: Option<PoolingAllocationConfig>) -> Config {
    let untrusted = trust == Trust::Untrusted;
    let mut config = Config::new();
    config
        .concurrency_support(false)
        .epoch_interruption(untrusted)
        .max_wasm_stack(GUEST_STACK_BYTES)
        .wasm_backtrace_max_frames(Some(BACKTRACE_FRAMES_MAX))
        .generate_address_map(true)
        // Whether a NaN keeps its payload differs between processors; what a stranger's plugin computes may not.
        .cranelift_nan_canonicalization(untrusted)
        .memory_reservation(MEMORY_RESERVATION_BYTES)
        .memory_guard_size(MEMORY_GUARD_BYTES)
        .shared_memory(false)
        .gc_support(false)
        .wasm_features(WasmFeatures::all().difference(ON), false);
    if let Some(pool) = pool {
        config.allocation_strategy(InstanceAllocationStrategy::Pooling(pool));
    }
    config
}
