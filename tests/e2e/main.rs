//! End-to-end tests of `volley-host`: the program as it is shipped, on real files, with real components.
#![forbid(unsafe_code)]
#![cfg(unix)]

mod bad_checkpoints;
mod bad_files;
mod bad_pipelines;
mod bad_plugins;
mod bad_windows;
mod checkpoints;
mod checkpoints_commands;
#[cfg(feature = "rocksdb")]
mod checkpoints_on_disk;
mod commands;
mod control;
mod equivalence;
mod full_disk;
mod golden_checkpoints;
mod graphs;
mod hostile;
mod metrics;
mod month;
mod pages;
mod project;
mod restart;
mod rust_api;
mod signals;
mod size;
mod steady;
mod support;
mod unix_filter;
mod values;
mod windows;
