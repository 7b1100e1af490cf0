//! End-to-end tests of `volley-host`: the program as it is shipped, on real files, with real components.
#![forbid(unsafe_code)]
#![cfg(unix)]

mod aggregates;
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
mod conformance;
mod control;
mod equivalence;
#[cfg(feature = "rocksdb")]
mod few_in_memory;
mod full_disk;
mod golden_checkpoints;
mod grants;
mod graphs;
mod greatest;
mod held;
mod hostile;
mod kinds;
mod metrics;
mod month;
#[cfg(all(feature = "s3", target_os = "linux"))]
mod object_store;
mod pages;
mod process;
mod project;
mod rebuilt_checkpoints;
mod restart;
mod rust_api;
mod signals;
mod size;
mod starts;
mod state;
mod state_commands;
mod steady;
mod stops;
mod support;
mod twins;
mod unix_filter;
mod values;
mod windows;
