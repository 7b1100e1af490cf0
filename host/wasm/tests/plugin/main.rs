//! Plugins end to end against components written here in WebAssembly text, so that no toolchain is needed.

mod bisect;
mod contract;
mod guest;
mod harness;
mod load;
mod run;
mod traps;
