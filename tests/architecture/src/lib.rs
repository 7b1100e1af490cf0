//! Holds the repository to what ARCHITECTURE.md promises: which crate may know which, one arrow in the tree, documents
//! that name only what exists, source files that say what they are for.
//!
//! Each module is one rule: a pure function from what was read to a list of [`Finding`]s, with a unit test that shows it
//! failing. `tests/repository.rs` reads the repository and runs them all. The rules know no other crate of the project:
//! they see it as text.

#![forbid(unsafe_code)]

pub mod arrows;
pub mod contract;
pub mod documents;
pub mod inheritance;
pub mod lock;
pub mod manifest;
pub mod repository;
pub mod sources;
pub mod words;

/// One broken rule, as a sentence that names the file or crate and what to do about it.
pub type Finding = String;
