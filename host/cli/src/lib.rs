//! What the `volley` tool does: set up projects, build operators into components, look into them, find source lines.
//!
//! It works on files and runs `cargo`; it never runs an operator. It must not know the host's engine, its runtime or
//! any connector: an operator author needs none of them to build a plugin. It knows the contract of `wit/` by its
//! names only (see [`plugin::contract`]).
//!
//! Tests and tools of the workspace build plugins through [`plugin::build`], as the binary does.
#![forbid(unsafe_code)]

pub mod doctor;
pub mod error;
pub mod new;
pub mod plugin;
pub mod table;
pub mod toolchain;

pub use error::Error;
