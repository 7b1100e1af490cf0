//! Plugins end to end against components written here in WebAssembly text, so that no toolchain is needed.

mod aggregate;
mod bisect;
mod contract;
mod counted;
mod foreign;
mod grants;
mod guest;
mod harness;
mod held;
mod load;
mod memory;
mod pool;
mod repro;
mod repro_aggregates;
mod repro_hooks;
mod repro_values;
mod run;
mod traps;
mod trust;
mod twice;
mod twice_keyed;
mod twice_sums;
mod twice_values;
mod wasi;
