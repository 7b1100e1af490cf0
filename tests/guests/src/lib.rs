//! Guests for tests: components made from a few lines of WebAssembly text, so that a test can have one that does exactly
//! what it asks, well or badly.
//!
//! [`Guest`] is an operator of the contract in the making: memory, allocator and lifecycle are there, and a test says
//! what the operator binds to and what its functions do. [`component`] makes a component of any core module that has the
//! exports of a world.

mod aggregate;
mod component;
mod operator;
mod state;

pub use aggregate::{SUM_GROUPS_MAX, SumGuest};
pub use component::{component, world};
pub use operator::{DATA_START, Guest, SnapshotBodies, words_to_bytes};
pub use state::Kept;
